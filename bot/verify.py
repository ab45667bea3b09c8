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
_AROUND = "\"'.,;:!?()[]"
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
    text = stored.passage.text
    wanted = quotation.translate(_MARKS).strip(_AROUND).split()
    spans = [one.span() for one in re.finditer(r"\S+", text)]
    words = [text[slice(*one)].translate(_MARKS) for one in spans]
    first = _window(list(map(_bare, wanted)), list(map(_bare, words)))
    start, end = _trimmed(text, spans[first][0], spans[min(first + len(wanted), len(spans)) - 1][1])
    window = text[start:end].translate(_MARKS).split()
    matcher = SequenceMatcher(None, list(map(_bare, wanted)), list(map(_bare, window)), autojunk=False)
    if matcher.ratio() >= NEAR:
        offset = stored.passage.start
        yield (
            matcher.ratio(),
            Match(stored.revision, (offset + start, offset + end), _marked(matcher, wanted, window)),
        )


def _trimmed(text: str, start: int, end: int) -> Span:
    """Without the marks at either end, which belong to the sentence rather than to the words."""
    part = text[start:end].translate(_MARKS)
    lead = len(part) - len(part.lstrip(_AROUND))
    return start + lead, max(start + len(part.rstrip(_AROUND)), start + lead + 1)


def _bare(word: str) -> str:
    """Without the marks around it, so that a quotation may begin or end where the article's sentence goes on."""
    return word.strip(_AROUND) or word


def _window(wanted: list[str], words: list[str]) -> int:
    """Where as many words in a row as were wanted share most with them."""
    need, size = Counter(wanted), len(wanted)
    starts = range(max(len(words) - size, 0) + 1)
    return max(starts, key=lambda start: (need & Counter(words[start : start + size])).total())


def _marked(matcher: "SequenceMatcher[str]", wanted: list[str], window: list[str]) -> str:
    parts = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":  # but for the marks around a word
            pairs = zip(wanted[a:b], window[c:d], strict=True)
            parts += [one if one == other else f"[-{one}-] {{+{other}+}}" for one, other in pairs]
        else:
            parts += [f"[-{' '.join(wanted[a:b])}-]"] if b > a else []
            parts += [f"{{+{' '.join(window[c:d])}+}}"] if d > c else []
    return " ".join(parts)
