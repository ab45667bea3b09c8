"""Whether an article has exactly these words: exact, near with the differences marked, or not at all."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from corpus.archive import Revision, StoredPassage
from corpus.article import Span, normalise

NEAR = 0.75  # share of words in common, in order, from which a passage is a near match
FEWEST = 3  # words of a quotation
_MARKS = str.maketrans("“”„‟«»‘’‚‛‹›`´", "\"\"\"\"\"\"''''''''")


@dataclass(frozen=True, slots=True)
class Match:
    revision: Revision
    span: Span
    differences: str = ""  # "" where it is exact: white space and the shape of quote marks aside, the same words


def quoted(text: str) -> str:
    """The quotation without the quote marks around it."""
    return normalise(text).strip().strip("\"“”„«»‘’'‚‹› ")


def match(quotation: str, passages: Iterable[StoredPassage]) -> Match | None:
    """The best match among the articles of these passages."""
    passages = list(passages)
    revisions = {one.revision.id: one.revision for one in passages}
    for revision in revisions.values():
        span = exact(quotation, revision.article.text)
        if span:
            return Match(revision, span)
    near = [(ratio, found) for one in passages[:20] for ratio, found in _near(quotation, one)]
    return max(near, key=lambda one: one[0])[1] if near else None


def exact(quotation: str, text: str) -> Span | None:
    """Where the words stand, white space and the shape of quote marks aside; whole words only."""
    words = r"\s+".join(re.escape(word) for word in quotation.translate(_MARKS).split())
    found = re.search(rf"(?<!\w){words}(?!\w)", text.translate(_MARKS))
    return found.span() if found else None


def _near(quotation: str, stored: StoredPassage) -> Iterable[tuple[float, Match]]:
    wanted = quotation.translate(_MARKS).split()
    spans = [one.span() for one in re.finditer(r"\S+", stored.passage.text)]
    words = [stored.passage.text[slice(*one)].translate(_MARKS) for one in spans]
    first = _window(wanted, words)
    window = words[first : first + len(wanted)]
    matcher = SequenceMatcher(None, wanted, window, autojunk=False)
    if matcher.ratio() >= NEAR:
        offset, last = stored.passage.start, spans[first + len(window) - 1][1]
        yield (
            matcher.ratio(),
            Match(stored.revision, (offset + spans[first][0], offset + last), _marked(matcher, wanted, window)),
        )


def _window(wanted: list[str], words: list[str]) -> int:
    """Where as many words in a row as were wanted share most with them."""
    need, size = Counter(wanted), len(wanted)
    starts = range(max(len(words) - size, 0) + 1)
    return max(starts, key=lambda start: (need & Counter(words[start : start + size])).total())


def _marked(matcher: "SequenceMatcher[str]", wanted: list[str], window: list[str]) -> str:
    parts = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            parts += wanted[a:b]
        else:
            parts += [f"[-{' '.join(wanted[a:b])}-]"] if b > a else []
            parts += [f"{{+{' '.join(window[c:d])}+}}"] if d > c else []
    return " ".join(parts)
