"""Text to sentence spans.

`sentencex` (MIT, Wikimedia) splits: as right on news as pysbd, which had its last release in 2021, at 400 times its
speed; benchmarks/sentences.py compares five. Our own code mends what it breaks: news abbreviations and quotations.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

from sentencex import get_sentence_boundaries  # type: ignore[import-untyped]

from corpus.article import Span

MAX_QUOTED_WORDS = 120  # a longer quotation is split at its inner sentence ends
_MAX_LINE = 10_000  # characters given to the library at once; its time grows with the square of open quotes in a line
_MAX_MARK = 12  # characters of a piece without letters ("1.", "(3)") that belongs to its neighbour
_LOOK = 60  # characters read on either side of a cut

_LINE = re.compile(rf"[^\n]{{1,{_MAX_LINE}}}(?!\S)|[^\n]{{1,{_MAX_LINE}}}")
_BULLET = re.compile(r"\s*(?:[•●▪◦‣►*·+–—-]|\(?\d{1,2}[.)]) *(?=\S)")
_LETTER = re.compile(r"[^\W\d_]")
# Balanced within a line, or nothing: an open quote without its end claims no text, and an apostrophe is no quote.
QUOTATION = re.compile(
    "“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|»[^«»]*«"
    r'|(?<!\w)"(?=\S)[^"]*(?<=\S)"(?!\w)'
    r"|(?<!\w)‘[^‘]{1,600}?[.,!?…]’(?!\w)"
    r"|(?<!\w)'(?=[A-Z])(?:[^']|(?<=\w)'(?=\w)){1,600}?[.,!?…]'(?!\w)"
)
_OPENED = re.compile(r"\s[“„«\"‘]")
_QUOTE_END = re.compile(r"[”“»«\"’']$")
_TRAILS_OFF = re.compile(r"(?:[?!…]|\.\.|--|—|–)[”“»«\"’']$|(?:…|\.\.\.)$")
_ABBREVIATION = re.compile(
    r"(?<!\w)(?:Amb|Dist|Atty|Ms|Mme|Mses|Ft|Mass|Wash|Spc|Ald|Vol|est|approx|ed|Tues|Mon|Govs|Gens|Profs|Messrs|Maj"
    r"|Ph\.D|M\.D|A\.M|J\.D|Pct|Sr?ta|Sra|Mlle|EE|UU|Abs|bzw|тыс|тис|грн|руб|млн|млрд|им|ул|вул|обл|см)\.$"
)
_CLOCK = re.compile(r"\d ?[ap]\.m\.$")
_AFTER_CLOCK = re.compile(
    r"(?:Mon|Tues?|Wed|Thur?s?|Fri|Satur|Sun)(?:day|nesday)?\b"
    r"|(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\b"
    r"|(?:[ECMP][SD]?T|GMT|BST|UTC|CES?T|I?ST|AE[SD]T|Eastern|Central|Mountain|Pacific|Moscow|Kyiv|local)\b"
)
_SAID = re.compile(
    r"(?:[\w’'.-]+ ){1,4}(?:said|says|asked|asks|told|tells|added|adds|wrote|writes|tweeted|posted|shouted|replied"
    r"|continued|joked|recalled|wondered|declared|exclaimed|cried|yelled|sagte|fragte|сказал|спросил|запитав)а?\b"
)
# Frequent words that the other languages do not share: enough to name the language of a news text.
_LANGUAGES = {
    "de": "der und das nicht ist mit den ein auf von",
    "es": "el los las que una por del con como más",
    "fr": "le les des est une dans pour du et qui",
    "it": "il che di della per non sono gli una nel",
    "nl": "het een van dat niet zijn op voor en wordt",
    "pt": "o os que uma não do da para com em",
    "ru": "и на что не из он как это был по",
    "uk": "і на що не із він як це був та",
}
_LANGUAGE_WORDS = {language: frozenset(words.split()) for language, words in _LANGUAGES.items()}
_ENGLISH = frozenset(["the", "of", "and", "to", "in", "a", "is", "that", "for", "on", "was", "said", "with", "it"])


def sentences(text: str) -> tuple[Span, ...]:
    """The sentences of a normalised text, in order: none crosses a line end, together they hold every non-space.

    A quotation of up to MAX_QUOTED_WORDS words stays whole, together with the rest of its sentence.
    """
    spoken = language(text)
    return tuple(span for line in _LINE.finditer(text) for span in _of_line(line[0], line.start(), spoken))


def language(text: str) -> str:
    """ISO 639-1, as its frequent words tell; English where nothing says otherwise."""
    words = re.findall(r"\w+", text[:3_000].lower())
    votes = {name: sum(map(known.__contains__, words)) for name, known in _LANGUAGE_WORDS.items()}
    best = max(votes, key=votes.__getitem__)
    return best if votes[best] > sum(map(_ENGLISH.__contains__, words)) else "en"


def _of_line(line: str, start: int, language: str) -> Iterator[Span]:
    for begin, end in pairwise(_kept(line, _cuts(line, language))):
        piece = line[begin:end]
        if stripped := piece.strip():
            first = start + begin + len(piece) - len(piece.lstrip())
            yield first, first + len(stripped)


def _cuts(line: str, language: str) -> list[int]:
    """Where a sentence may begin, for the library, mended: not inside a quotation unless it is a long one."""
    quotations = [match.span() for match in QUOTATION.finditer(line)]
    long = [span for span in quotations if line.count(" ", *span) >= MAX_QUOTED_WORDS]
    cuts = _outside(_starts(line, language), [span for span in quotations if span not in long])
    for begin, end in long:
        cuts += [begin + 1 + cut for cut in _starts(line[begin + 1 : end - 1], language)]
    return [cut for cut in sorted({_before_mark(line, cut) for cut in cuts}) if not _goes_on(line, cut)]


def _before_mark(line: str, cut: int) -> int:
    """A quotation mark that opens what follows belongs to it: the library leaves one behind that nothing closes."""
    return cut - 1 if _OPENED.fullmatch(line[max(cut - 2, 0) : cut]) and not line[cut].isspace() else cut


def _starts(line: str, language: str) -> list[int]:
    """Inner sentence starts. The library leaves an item behind a bullet whole, so the bullet is kept from it."""
    bullet = _BULLET.match(line)
    skipped = bullet.end() if bullet else 0
    found = get_sentence_boundaries(language, line[skipped:])
    return [skipped + boundary["start_index"] for boundary in found[1:]]


def _outside(cuts: list[int], spans: list[Span]) -> list[int]:
    begins = [begin for begin, _ in spans]
    ends = [0, *accumulate((end for _, end in spans), max)]
    return [cut for cut in cuts if ends[bisect_left(begins, cut)] <= cut]


def _goes_on(line: str, cut: int) -> bool:
    """Whether the sentence before the cut continues behind it."""
    before, after = line[max(0, cut - _LOOK) : cut].rstrip(), line[cut : cut + _LOOK].lstrip()
    if _ABBREVIATION.search(before) or (_CLOCK.search(before) and _AFTER_CLOCK.match(after)):
        return True
    if after[:1].islower():
        return not before.endswith(".") or before.endswith("..")
    return bool(_QUOTE_END.search(before) and _TRAILS_OFF.search(before) and _SAID.match(after))


def _kept(line: str, cuts: Iterable[int]) -> list[int]:
    """The cuts with both ends of the line, less those around a piece that holds no letter, such as the 1 of a list."""
    kept = [0]
    for cut in (*cuts, len(line)):
        if not _is_mark(line[kept[-1] : cut]):
            kept.append(cut)
    return kept if kept[-1] == len(line) else [*(kept[:-1] or [0]), len(line)]


def _is_mark(piece: str) -> bool:
    return len(piece) <= _MAX_MARK and not _LETTER.search(piece)
