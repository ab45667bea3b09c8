"""Who says what is quoted: the words of the article that name the speaker, or nothing where they are not plain.

Quotations are found by their marks. The clause of saying that stands nearest speaks for a quotation, where nothing
comes between the two; a sentence that is all quotation is spoken for by its neighbours.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from corpus.article import Span
from corpus.sentences import sentences
from retrieval.people import named_in_full, referent
from retrieval.phrases import QUOTED, Phrase, Token, tokens, words
from retrieval.saying import Clause, asserts, clauses

REACH = 2_500  # characters read before and after a quote, more only up to the beginning of a paragraph
LONGEST_PARAGRAPH = 10_000  # characters; where none begins within so many, nothing is known of the quotation marks
LONGEST_QUOTE = 5_000  # characters
PARAGRAPHS = 8  # read before the quote's
MOST_QUOTES = 40  # in a sentence; more is a list, or no news
LONGEST_NAME = 12  # words, with its titles and those named with it
A_FEW = 3  # words in quotation marks that may be a mere term: "sanctuary cities"

_QUOTATION = re.compile(
    '“[^”\n]*?(?:”|(?<=[,.?!…])"(?!\\w)|(?=\n)|$)|„[^„“”\n]*[“”]|«[^»\n]*(?:»|(?=\n)|$)|»[^«»\n]*«'
    r"|(?<!\w)''(?=[^\s'])(?:[^'\n]|'(?!'))*(?:''|(?=\n)|$)"
    r'|(?<![\w"])"(?=\S)[^"”\n]*(?:["”]|(?=\n)|$)'
    r"|(?<!\w)‘[^‘\n]{1,600}?[.,!?…]’(?!\w)"
    r"|(?<!\w)'(?=[A-Z])(?:[^'\n]|(?<=\w)'(?=\w)){1,600}?[.,!?…]'(?!\w)"
)
_DATELINE = re.compile(
    r"(?:[A-Z][\w.,’' -]{0,40} )?\((?:CNN|AP|AFP|UPI|Reuters|Bloomberg|CNN Business)\)\s*(?:[-–—:]+\s*)?"
    r"|[A-Z][A-Z.,’' -]{2,40} [-–—]+ "
)
_LINE_END = re.compile(r"\n+")
_CLOSED = re.compile("[”»«\"]$|''$|„[^“]*“$")
_MARKS = (",", "—", "–", "-", "--")
_BEFORE_CONTENT = words("that it a an the as in on to for of")
_AFTER_CONTENT = words(
    "in on at during after as to of about when while before monday tuesday wednesday thursday friday saturday sunday"
    " last this earlier yesterday today"
)

# How a speaker was found -> share of those that were right: benchmarks/speakers.py --part train --ways, roughly.
CONFIDENCE = {
    "after": 0.98,
    "inverted": 0.975,
    "according": 0.97,
    "final": 0.92,
    "main near": 0.99,
    "main mid": 0.96,
    "main far": 0.94,
    "main across": 0.94,
    "joined near": 0.88,
    "joined mid": 0.95,
    "inverted near": 0.99,
    "who near": 0.85,
    "who mid": 0.85,
    "participle near": 0.86,
    "participle mid": 0.88,
    "participle far": 0.86,
    "under near": 0.85,
    "under mid": 0.8,
    "introduced": 0.97,
    "next": 0.92,
    "followed": 0.98,
    "continued": 0.95,
    "above": 0.93,
    "indirect opening": 0.94,
    "indirect closing": 0.95,
    "indirect according": 0.95,
}
KINDS = {"name": 1.0, "pronoun": 0.98, "role": 0.95}  # what a kind of subject makes of it
SURE = 0.9  # the least confidence with which a speaker is named


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who says a quote. `speaker` and `cue` are the article's words at `name` and `verb`."""

    speaker: str  # in full where the article has the full name: "Dmitry Peskov" for "Peskov" and for "he"
    cue: str  # "said", "according to"
    name: Span
    verb: Span
    mention: Span  # the words beside the cue that stand for the speaker
    way: str  # how it was found: a key of CONFIDENCE
    confidence: float  # 0..1


@dataclass(frozen=True, slots=True)
class Said:
    """A subject and its verb of saying, for one sentence."""

    subject: Phrase
    verb: Span  # of the view
    way: str


def quotes(text: str) -> bool:
    """Whether it holds somebody's words in quotation marks, more than a mere term."""
    return bool(quotations(text))


def quotations(text: str) -> list[str]:
    """What it has in quotation marks, with them, but for mere terms."""
    return [found[0] for found in _QUOTATION.finditer(text) if found[0].count(" ") >= A_FEW - 1]


def attribution(text: str, span: Span, sure: float = SURE) -> Attribution | None:
    """Who says the words at `span`; None where nobody is said to, where two do, and where it is not plain."""
    if span[1] - span[0] > LONGEST_QUOTE or (scene := scene_around(text, span)) is None:
        return None
    found = [_attribution(scene, said) for said in scene.said(span)]
    named = [one for one in found if one is not None and one.confidence >= sure]
    if not named or len(named) < len(found) or len({one.speaker.split()[-1] for one in named}) > 1:
        return None
    return min(named, key=lambda one: one.confidence)


def _attribution(scene: "Scene", said: Said | None) -> Attribution | None:
    if said is None:
        return None
    mention, verb = scene.outside(said.subject.span), scene.outside(said.verb)
    name: Span | None = mention
    if said.subject.kind == "pronoun":
        name = referent(scene.text, scene.low, scene.mask, said.subject.span)
    elif said.subject.kind == "name":
        name = named_in_full(scene.text, mention)
    if name is None:
        return None
    way = f"{said.way} {said.subject.kind}"
    confidence = min(CONFIDENCE[step] for step in said.way.split(", ")) * KINDS[said.subject.kind]
    return Attribution(scene.text[slice(*name)], scene.text[slice(*verb)], name, verb, mention, way, confidence)


def scene_around(text: str, span: Span) -> "Scene | None":
    """From a paragraph's beginning, some paragraphs before the quote, to the end of the quote's paragraph."""
    start, end = span
    farthest = max(start - LONGEST_PARAGRAPH, 0)
    begins = [farthest] if farthest == 0 or text[farthest - 1] == "\n" else []
    begins += [match.end() for match in _LINE_END.finditer(text, farthest, start)]
    if not begins:
        return None
    low = next((begin for begin in begins[-PARAGRAPHS - 1 :] if start - begin <= REACH), begins[-1])
    high = text.find("\n", end, end + REACH)
    return Scene(text, low, high if high >= 0 else min(len(text), end + REACH))


class Scene:
    """The paragraphs around a quote, cut up as far as they are asked for. Offsets are of `view`."""

    def __init__(self, text: str, low: int, high: int) -> None:
        self.text = text
        self.low = low
        self.view = text[low:high]
        self.quotations = [match.span() for match in _QUOTATION.finditer(self.view)]
        self.mask = _masked(self.view, self.quotations)
        self.lines = [match.span() for match in re.finditer(r"[^\n]+", self.view)]
        self._sentences: dict[int, list[Sentence]] = {}

    def outside(self, span: Span) -> Span:
        """In characters of the text."""
        return span[0] + self.low, span[1] + self.low

    def sentences(self, line: int) -> "list[Sentence]":
        """Of one line; a quotation that the splitter cut is whole again."""
        if line not in self._sentences:
            start, end = self.lines[line]
            spans = [(start + first, start + last) for first, last in sentences(self.view[start:end])]
            joined = _joined(spans, self.quotations)
            self._sentences[line] = [Sentence(self, line, number, span) for number, span in enumerate(joined)]
        return self._sentences[line]

    def said(self, span: Span) -> list[Said | None]:
        """For each sentence of a span of the text."""
        start, end = span[0] - self.low, span[1] - self.low
        touched = [line for line, (first, last) in enumerate(self.lines) if first < end and start < last]
        return [
            _said(one, (max(start, one.span[0]), min(end, one.span[1])))
            for line in touched
            for one in self.sentences(line)
            if one.span[0] < end and start < one.span[1]
        ]


@dataclass(frozen=True)
class Sentence:
    """One sentence of a scene, cut into tokens where it is read."""

    scene: Scene
    line: int
    number: int  # in its line
    span: Span

    @cached_property
    def row(self) -> list[Token]:
        return tokens(self.scene.mask, self.span)

    @cached_property
    def clauses(self) -> list[Clause]:
        return clauses(self.row)

    @property
    def begin(self) -> int:
        """The place of the first word behind a dateline: "Tokyo (CNN)", "ISTANBUL –"."""
        dateline = _DATELINE.match(self.scene.view, *self.span)
        end = dateline.end() if dateline else 0
        return next((n for n, token in enumerate(self.row) if token.start >= end), 0)

    @property
    def quotes(self) -> list[int]:
        return [n for n, token in enumerate(self.row) if token.kind == "quote"]

    @property
    def only_quotes(self) -> bool:
        kinds = {token.kind for token in self.row}
        return "quote" in kinds and kinds.isdisjoint(("word", "number"))

    def said(self, clause: Clause, way: str) -> Said:
        last = clause.verb + (clause.kind == "according")  # to
        return Said(clause.subject, (self.row[clause.verb].start, self.row[last].end), way)

    def neighbour(self, step: int) -> "Sentence | None":
        """In the same line."""
        row, number = self.scene.sentences(self.line), self.number + step
        return row[number] if 0 <= number < len(row) else None

    def above(self) -> "Sentence | None":
        """The last of the line before."""
        sentences = self.scene.sentences(self.line - 1) if self.line else []
        return sentences[-1] if sentences else None


def _masked(view: str, quotations: Sequence[Span]) -> str:
    parts, last = [], 0
    for start, end in quotations:
        parts += [view[last:start], QUOTED * (end - start)]
        last = end
    return "".join([*parts, view[last:]])


def _joined(spans: Sequence[Span], quotations: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    begins = [begin for begin, _ in quotations]
    for span in spans:
        place = bisect_left(begins, span[0]) - 1  # of the last quotation that begins before the sentence
        if joined and place >= 0 and quotations[place][1] > span[0]:
            joined[-1] = joined[-1][0], span[1]
        else:
            joined.append(span)
    return joined


def _said(sentence: Sentence, part: Span) -> Said | None:
    """Who says the part of a sentence."""
    row = sentence.row
    quotes = [n for n in sentence.quotes if row[n].start < part[1] and part[0] < row[n].end]
    if sentence.only_quotes:
        return _beside(sentence)
    if not quotes:
        return _indirect(sentence)
    if len(quotes) > MOST_QUOTES or len(sentence.clauses) > MOST_QUOTES:
        return None
    found = [(n, _of_quote(sentence, n)) for n in quotes]
    if any(said is None and sentence.scene.view.count(" ", row[n].start, row[n].end) >= A_FEW for n, said in found):
        return None
    said = [one for _, one in found if one is not None]
    speakers = {sentence.scene.view[slice(*one.subject.span)].lower() for one in said}
    return said[0] if len(speakers) == 1 and not _has_rival(sentence, said[0], part) else None


def _has_rival(sentence: Sentence, said: Said, part: Span) -> bool:
    """Whether somebody else, by another name, says something in the same part of the sentence."""
    row, name = sentence.row, _last_word(sentence, said.subject)
    return any(
        part[0] <= row[clause.verb].start < part[1]
        and clause.kind in ("main", "inverted")
        and clause.subject.kind != "pronoun"
        and said.subject.kind != "pronoun"
        and _last_word(sentence, clause.subject) != name
        for clause in sentence.clauses
    )


def _last_word(sentence: Sentence, phrase: Phrase) -> str:
    return sentence.row[phrase.last - 1].low


def _of_quote(sentence: Sentence, n: int) -> Said | None:
    """Who says the quotation `row[n]`, as its own sentence tells."""
    return _behind(sentence, n) or _ahead(sentence, n) or _at_the_end(sentence, n)


def _behind(sentence: Sentence, n: int) -> Said | None:
    """ "..." Ann Lee said; "..." said Ann Lee; "..." according to Ann Lee."""
    row, after = sentence.row, n + 1
    while after < len(row) and row[after].text in _MARKS:
        after += 1
    goes_on = n > 0 and row[n - 1].kind == "word" and after == n + 1  # The "..." Lee said: what she said may follow
    for clause in sentence.clauses:
        if clause.kind in ("inverted", "according") and clause.verb == after:
            return sentence.said(clause, clause.kind)
        if clause.kind in ("main", "who") and clause.subject.first == after:
            if goes_on and clause.verb + 1 < len(row) and not _stops(row[clause.verb + 1]):
                return None
            return sentence.said(clause, "after")
    return None


def _stops(token: Token) -> bool:
    return token.kind in ("mark", "quote") or token.low in _AFTER_CONTENT


def _ahead(sentence: Sentence, n: int) -> Said | None:
    """Ann Lee said: "..."; Ann Lee called it "..."."""
    before = [clause for clause in sentence.clauses if clause.last <= n]
    if not before:
        return None
    clause = before[-1]
    way = f"{clause.kind} {_gap(sentence.row[clause.last : n])}"
    return sentence.said(clause, way) if way in CONFIDENCE else None


def _gap(gap: Sequence[Token]) -> str:
    """How far a quotation is from the clause before it; "across" where another stands between."""
    if any(token.kind == "quote" for token in gap):
        return "across"
    if all(token.kind == "mark" or token.low in _BEFORE_CONTENT for token in gap):
        return "near"
    return "far" if len(gap) > 8 else "mid"


def _at_the_end(sentence: Sentence, n: int) -> Said | None:
    """The plan is "..." for now, Ann Lee said."""
    clauses = [clause for clause in sentence.clauses if clause.verb > n]
    if len(sentence.clauses) == 1 and clauses and clauses[0].kind in ("main", "inverted"):
        before = sentence.row[clauses[0].first - 1]
        if before.text == "," or before.kind == "quote":
            return sentence.said(clauses[0], "final")
    return None


def _indirect(sentence: Sentence) -> Said | None:
    """Who says a sentence without quotation marks: the clause that closes it, else the one that opens it."""
    row = sentence.row
    if not sentence.clauses or row[-1].text == ":" or _turns(sentence):
        return None
    first, last = sentence.clauses[0], sentence.clauses[-1]
    if last.kind == "according":
        alone = last is first and (last.verb == 0 or _closes(row, last))
        return sentence.said(last, "indirect according") if alone else None
    if _closes(row, last) and asserts(row, last) and row[last.first - 1].text == ",":
        return sentence.said(last, "indirect closing")
    begin = sentence.begin
    opens = first.first == begin or (first.first == begin + 1 and row[begin].low in ("but", "and"))
    if first.kind == "main" and opens and asserts(row, first) and first.last < len(row) - 3:
        return sentence.said(first, "indirect opening")
    return None


def _closes(row: Sequence[Token], clause: Clause) -> bool:
    return clause.kind in ("main", "inverted", "according") and clause.first > 0 and clause.last >= len(row) - 4


def _turns(sentence: Sentence) -> bool:
    """Whether a sentence turns to somebody else: ", but ...", ", while ...", "; ...", "and Tom Park said"."""
    row = sentence.row
    turns = any(row[n].low in ("but", "while") and row[n - 1].text in _MARKS for n in range(2, len(row)))
    first = sentence.clauses[0]
    others = [clause for clause in sentence.clauses[1:] if clause.kind == "main" and clause.subject.kind != "pronoun"]
    return turns or any(
        row[one.subject.first - 1].low in ("and", ";") for one in others if one.subject.first > first.last
    )


def _beside(sentence: Sentence, depth: int = 4) -> Said | None:
    """Who says a sentence that is all quotation, as its neighbours tell."""
    if depth == 0:
        return None
    if (before := sentence.neighbour(-1)) and before.row[-1].text == ":" and before.clauses:
        return before.said(before.clauses[-1], "introduced")
    if before:
        return _named(_whole(before, depth), "followed")
    if after := sentence.neighbour(1):
        return _next(after)
    above = sentence.above()
    if above is None:
        return None
    line = sentence.scene.view[slice(*sentence.scene.lines[above.line])]
    if above.row[-1].text == ":":
        return above.said(above.clauses[-1], "introduced") if above.clauses else None
    goes_on = above.row[-1].kind == "quote" and not _CLOSED.search(line)
    said = _whole(above, depth)
    return _named(said, "continued" if goes_on else "above") if goes_on or not above.only_quotes else None


def _whole(sentence: Sentence, depth: int) -> Said | None:
    """Who has the word at the end of a sentence."""
    if sentence.only_quotes:
        return _beside(sentence, depth - 1)
    return _of_quote(sentence, sentence.quotes[-1]) if sentence.quotes else _indirect(sentence)


def _next(sentence: Sentence) -> Said | None:
    if sentence.clauses and sentence.clauses[0].first == 0:
        return sentence.said(sentence.clauses[0], "next") if sentence.clauses[0].kind in ("main", "inverted") else None
    return _named(_behind(sentence, 0), "next") if sentence.row and sentence.row[0].kind == "quote" else None


def _named(said: Said | None, way: str) -> Said | None:
    return replace(said, way=f"{way}, {said.way}") if said else None
