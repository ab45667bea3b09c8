"""Article to passages: runs of whole sentences, the unit that is encoded, found and read."""

import re
from collections.abc import Iterable, Iterator

from corpus.article import Article, Passage, Span
from corpus.sentences import QUOTATION, sentences

PASSAGES_VERSION: int = 2  # change it when the rules here or in sentences.py change: the archive then splits again

LIMIT = 1_000  # characters of a passage of several sentences; about 170 words of English
ENOUGH = 950  # from here on the end of a paragraph ends the passage
TAIL = 250  # a last passage shorter than this joins the one before it ...
TAIL_LIMIT = 1_200  # ... unless the two together are longer than this
LONGEST = 2_000  # characters of any passage: a longer sentence is cut, and its pieces count as sentences

_PIECE = re.compile(rf"\S(?:[^\n]{{0,{LONGEST - 2}}}\S)?(?!\S)|\S{{1,{LONGEST}}}")
_QUOTE_AT_EDGE = re.compile(r"""^[“„«"‘]|[”“»"’][.,;:!?…]?$""")
_ATTRIBUTION = re.compile(
    r"\b(?:said|says|saying|told|tells|added|adds|wrote|writes|asked|asks|replied|according to|spoke|stated|tweeted"
    r"|posted|announced|explained|argued|warned|insisted|recalled|noted|continued|statement|interview"
    r"|sagte|erklärte|a déclaré|a dit|dijo|сказала?|заявила?|сообщила?|сказав|заявив|повідомив)\b|:$",
    re.IGNORECASE,
)

Run = tuple[Span, ...]  # sentences that stay together


def passages(article: Article) -> tuple[Passage, ...]:
    """The passages of an article, in order; every sentence is in one. A short article is one passage."""
    text = article.text
    runs = _with_tail(list(_filled(text, _runs(text, _bounded(text)))))
    return tuple(Passage(article, run[0][0], run[-1][1], run) for run in runs)


def _bounded(text: str) -> Iterator[Span]:
    """The sentences; one longer than LONGEST in pieces, at white space where it has some."""
    for start, end in sentences(text):
        if end - start <= LONGEST:
            yield start, end
        else:
            yield from (piece.span() for piece in _PIECE.finditer(text, start, end))


def _runs(text: str, spans: Iterable[Span]) -> Iterator[Run]:
    """Sentences, each with the neighbour in its paragraph that says whose words it quotes, when both fit."""
    run: Run = ()
    for span in spans:
        if run and (span[1] - run[0][0] > LIMIT or not _belong(text, run[-1], span)):
            yield run
            run = ()
        run = (*run, span)
    if run:
        yield run


def _belong(text: str, left: Span, right: Span) -> bool:
    if "\n" in text[left[1] : right[0]]:
        return False
    one, other = text[slice(*left)], text[slice(*right)]
    return (_only_quotes(one) and _attributes(other)) or (_only_quotes(other) and _attributes(one))


def _only_quotes(sentence: str) -> bool:
    """Whether the sentence quotes without saying whom."""
    return bool(_QUOTE_AT_EDGE.search(sentence)) and not _attributes(sentence)


def _attributes(sentence: str) -> bool:
    return bool(_ATTRIBUTION.search(QUOTATION.sub(" ", sentence)))


def _filled(text: str, runs: Iterable[Run]) -> Iterator[Run]:
    """Runs put together up to the limit, preferably up to the end of a paragraph."""
    passage: Run = ()
    for run in runs:
        if passage and _is_full(text, passage, run):
            yield passage
            passage = ()
        passage += run
    if passage:
        yield passage


def _is_full(text: str, passage: Run, following: Run) -> bool:
    start, end = passage[0][0], passage[-1][1]
    return following[-1][1] - start > LIMIT or (end - start >= ENOUGH and "\n" in text[end : following[0][0]])


def _with_tail(runs: list[Run]) -> list[Run]:
    """The last passage joined to the one before where it is too short to stand alone."""
    if len(runs) < 2 or runs[-1][-1][1] - runs[-1][0][0] >= TAIL or runs[-1][-1][1] - runs[-2][0][0] > TAIL_LIMIT:
        return runs
    return [*runs[:-2], runs[-2] + runs[-1]]
