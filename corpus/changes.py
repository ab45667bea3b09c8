"""What changed between two states of a text, and whether a quote still stands in the newer one.

Words count. Punctuation, white space, the shape of quote marks and the place of a passage do not: text that moved has
not changed. What can turn a meaning does count: case, signs of currency and percent, a minus, points within a number.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Literal

from corpus.article import Article, Span
from corpus.sentences import sentences

PAIR = 0.5  # share of words in common (Dice) from which two sentences are one, before and after
NEAR = 0.35  # the same for the passage that may stand in a quote's place: better a poor one shown than none
MOVED = 4  # words; a shorter piece that went here and came there is an edit, not a move
MOST_WORDS = 2_000  # of one sentence that are compared word by word; the time grows with their square
_COMMON = 50  # sentences that share a word, from which on it names no candidates
_CANDIDATES = 8  # sentences that are compared closely with one

_SHAPES = str.maketrans("’‘ʼ‛´`_", "'''''' ")  # one for one: offsets stay
_MEANS = frozenset("%‰§&@#")  # punctuation to Unicode, words to a reader
_WORD = re.compile(
    r"(?<![\w.,])[-\u2212]\d+(?:[.,:/]\d+)*"  # minus five
    r"|\d+(?:[.,:/]\d+)+"
    r"|[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]"  # scripts without spaces: a letter is a word
    r"|[^\W\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+(?:'[^\W\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+)*"
    r"|[^\w\s]"
)

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is in both, only in the older or only in the newer."""

    kind: Literal["same", "removed", "added"]
    text: str


Paragraph = tuple[Piece, ...]  # its pieces, in order; those that are "same" hold the newer text


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reader of the older revision would want to know."""

    title: Paragraph  # empty where it is the same
    fields: tuple[tuple[str, str, str], ...]  # name of the field, older value, newer value
    paragraphs: tuple[Paragraph, ...]  # those that changed, in the order of the newer text
    moved: int  # sentences that stand elsewhere, word for word
    respelled: bool  # punctuation or white space differ

    @property
    def words(self) -> bool:
        """Whether the headline or the text says something else."""
        return bool(self.title or self.paragraphs)


# Whether a quote stands


def where(quote: str, text: str) -> Span | None:
    """Where the quote's words stand in the text, one after another; None: they do not."""
    wanted, have = _words(quote), _words(text)
    if not wanted:  # only marks
        start = text.find(quote) if quote else -1
        return (start, start + len(quote)) if start >= 0 else None
    first = _position([one.word for one in wanted], [one.word for one in have])
    return None if first is None else (have[first].start, have[first + len(wanted) - 1].end)


def stands(quote: str, article_text: str) -> bool:
    """Whether the text still says what the quote says, word for word: here or elsewhere, however it is punctuated."""
    return where(quote, article_text) is not None


def nearest(quote: str, text: str) -> Span | None:
    """The whole sentences that come nearest to a quote that does not stand; None where nothing is like it."""
    spans = sentences(text)
    wanted = Counter(_folded(quote))
    length = max(len(sentences(quote)), 1)
    counts = [Counter(_folded(text[slice(*span)])) for span in spans]
    best, found = NEAR, None
    for size in sorted({max(length - 1, 1), length, length + 1}):
        for first in range(len(spans) - size + 1):
            score = _dice(wanted, sum(counts[first : first + size], Counter()))
            if score > best:
                best, found = score, (spans[first][0], spans[first + size - 1][1])
    return found


# What changed


def between(old: Article, new: Article) -> Changes:
    """What changed from one revision of an article to another."""
    paragraphs, moved = _paragraphs(old.text, new.text)
    title = reworded(old.title, new.title)
    same = not any(piece.kind != "same" for piece in title)
    return Changes(
        title=() if same else title,
        fields=tuple(_fields(old, new)),
        paragraphs=paragraphs,
        moved=moved,
        respelled=(old.title, _unmoved(old.text)) != (new.title, _unmoved(new.text)) and not paragraphs and same,
    )


def reworded(old: str, new: str) -> Paragraph:
    """The newer text, with what only the older one has in its place; word by word."""
    before, after = _words(old), _words(new)
    if max(len(before), len(after)) > MOST_WORDS:
        return _merged((Piece("removed", old), Piece("added", new)))
    matcher = SequenceMatcher(None, [one.word for one in before], [one.word for one in after], autojunk=False)
    return _merged(_pieces(old, new, before, after, _readable(matcher.get_opcodes(), after)))


def _unmoved(text: str) -> list[str]:
    return sorted(text[slice(*span)] for span in sentences(text))


def _fields(old: Article, new: Article) -> Iterator[tuple[str, str, str]]:
    for name in ("outlet", "authors", "published"):
        before, after = _field(getattr(old, name)), _field(getattr(new, name))
        if before != after:
            yield name, before, after


def _field(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


# Words


@dataclass(frozen=True, slots=True)
class _Word:
    word: str
    start: int
    end: int


def _words(text: str) -> list[_Word]:
    """The words and meaningful signs of a text, with their offsets; marks are left out."""
    plain = text.translate(_SHAPES)
    found = (_Word(one[0].replace("\u2212", "-"), *one.span()) for one in _WORD.finditer(plain))
    return [one for one in found if not _is_mark(one.word)]


def _is_mark(word: str) -> bool:
    """Punctuation, marks on nothing, and the bars of tables."""
    if len(word) > 1 or word in _MEANS:
        return False
    return word in "'|" or unicodedata.category(word)[0] == "P"


def _key(text: str) -> Words:
    return tuple(one.word for one in _words(text))


def _folded(text: str) -> list[str]:
    return [one.word.casefold() for one in _words(text)]


def _dice(one: "Counter[str]", other: "Counter[str]") -> float:
    size = one.total() + other.total()
    return 2 * (one & other).total() / size if size else 0.0


def _position(wanted: Sequence[str], have: Sequence[str]) -> int | None:
    """Index of the first run of `have` that is `wanted`."""
    joined = f"\n{chr(10).join(have)}\n"  # no word holds a line end
    at = joined.find(f"\n{chr(10).join(wanted)}\n")
    return None if at < 0 else joined.count("\n", 0, at)


# Sentences, matched across the whole text


@dataclass(slots=True)
class _Matches:
    """Which sentence became which, by index."""

    old: dict[int, int] = field(default_factory=dict)
    new: dict[int, int] = field(default_factory=dict)

    def add(self, before: int, after: int) -> None:
        self.old[before], self.new[after] = after, before


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    spans: tuple[Span, ...]
    keys: tuple[Words, ...]
    paragraphs: tuple[int, ...]  # number of the paragraph of each sentence

    def sentence(self, number: int) -> str:
        return self.text[slice(*self.spans[number])]


def _read(text: str) -> _Text:
    spans = sentences(text)
    keys = tuple(_key(text[slice(*span)]) for span in spans)
    ends = [found.start() for found in re.finditer(r"\n+", text)]
    return _Text(text, spans, keys, tuple(bisect_left(ends, span[0]) for span in spans))


def _paragraphs(old_text: str, new_text: str) -> tuple[tuple[Paragraph, ...], int]:
    """The paragraphs that changed, and how many sentences moved."""
    old, new = _read(old_text), _read(new_text)
    same = _identical(old, new)
    matches = _Matches(dict(same.old), dict(same.new))
    _pair(old, new, matches)
    drafts = _unmoving(_drafts(old, new, same, matches))
    moved = len(same.old) - _in_order([same.new[after] for after in sorted(same.new)])
    return tuple(_shown(draft) for draft in drafts if any(piece.kind != "same" for piece in draft)), moved


def _identical(old: _Text, new: _Text) -> _Matches:
    """Sentences with the same words: in their order where possible, then wherever they are."""
    matches = _Matches()
    matcher = SequenceMatcher(None, old.keys, new.keys, autojunk=False)
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            matches.add(block.a + offset, block.b + offset)
    waiting: dict[Words, list[int]] = defaultdict(list)
    for after in reversed(range(len(new.keys))):
        if after not in matches.new:
            waiting[new.keys[after]].append(after)
    for before, key in enumerate(old.keys):
        if before not in matches.old and waiting[key]:
            matches.add(before, waiting[key].pop())
    return matches


def _pair(old: _Text, new: _Text, matches: _Matches) -> None:
    """The rest, each with the most similar one that is similar enough; the best pairs first."""
    after = {number: _counted(new.keys[number]) for number in range(len(new.keys)) if number not in matches.new}
    having: dict[str, list[int]] = defaultdict(list)
    for number, words in after.items():
        for word in words:
            having[word].append(number)
    scored = []
    for number, key in enumerate(old.keys):
        if number not in matches.old:
            words = _counted(key)
            scored += [(_dice(words, after[other]), number, other) for other in _likely(words, having)]
    for score, before, other in sorted(scored, key=lambda one: (-one[0], abs(one[1] - one[2]))):
        if score >= PAIR and before not in matches.old and other not in matches.new:
            matches.add(before, other)


def _counted(key: Words) -> "Counter[str]":
    return Counter(word.casefold() for word in key)


def _likely(words: Iterable[str], having: dict[str, list[int]]) -> list[int]:
    votes: Counter[int] = Counter()
    for word in words:
        numbers = having.get(word, [])
        if len(numbers) <= _COMMON:
            votes.update(numbers)
    return [number for number, _ in votes.most_common(_CANDIDATES)]


def _in_order(numbers: Sequence[int]) -> int:
    """Length of the longest run of them that grows, gaps allowed."""
    tails: list[int] = []
    for number in numbers:
        at = bisect_left(tails, number)
        tails[at : at + 1] = [number]
    return len(tails)


Place = tuple[int, int, int]  # (n, 0, -1): paragraph n of the newer text; (n, 1, m): m of the older one, behind it


def _drafts(old: _Text, new: _Text, same: _Matches, matches: _Matches) -> list[Paragraph]:
    """The newer text by paragraphs, with what was taken out of the older one where it stood."""
    drafts: dict[Place, list[Piece]] = {}

    def put(place: Place, *pieces: Piece) -> None:
        draft = drafts.setdefault(place, [])
        apart = draft and (pieces[0].kind == "same" or pieces[0].kind != draft[-1].kind)
        draft += [Piece("same", " "), *pieces] if apart else pieces

    gone = _gone(old, new, matches)
    for after in range(-1, len(new.spans)):
        if after >= 0:
            put((new.paragraphs[after], 0, -1), *_became(old, new, same, matches, after))
        for place, before in gone.get(after, []):
            put(place, Piece("removed", old.sentence(before)))
    return [tuple(drafts[place]) for place in sorted(drafts)]


def _became(old: _Text, new: _Text, same: _Matches, matches: _Matches, after: int) -> Paragraph:
    sentence = new.sentence(after)
    if after in same.new:
        return (Piece("same", sentence),)
    before = matches.new.get(after)
    return (Piece("added", sentence),) if before is None else reworded(old.sentence(before), sentence)


def _gone(old: _Text, new: _Text, matches: _Matches) -> dict[int, list[tuple[Place, int]]]:
    """The older sentences without a newer one: behind which newer sentence each goes (-1: in front), and where to."""
    found: dict[int, list[tuple[Place, int]]] = defaultdict(list)
    last = home = -1  # the newer sentence that the last one kept became, and the older paragraph that it was in
    for before, paragraph in enumerate(old.paragraphs):
        if before in matches.old:
            last, home = matches.old[before], paragraph
        else:
            at = new.paragraphs[last] if last >= 0 else -1
            found[last].append(((at, 0, -1) if home == paragraph else (at, 1, paragraph), before))
    return found


# Pieces


def _readable(opcodes: Iterable[tuple[str, int, int, int, int]], after: Sequence[_Word]) -> list[list[int]]:
    """Bounds of each change in the older and in the newer words; those with a short word or two between are one."""
    changes: list[list[int]] = []
    for tag, a, b, c, d in opcodes:
        if tag == "equal":
            continue
        between = after[changes[-1][3] : c] if changes else []
        if changes and len(between) <= 2 and all(len(one.word) <= 3 and one.word.isalpha() for one in between):
            changes[-1][1], changes[-1][3] = b, d
        else:
            changes.append([a, b, c, d])
    return changes


def _pieces(
    old: str, new: str, before: Sequence[_Word], after: Sequence[_Word], changes: Iterable[Sequence[int]]
) -> Iterator[Piece]:
    at = 0
    for a, b, c, d in changes:
        start = after[c].start if c < len(after) else len(new)
        if d == c:  # nothing came: what went stood behind the word before
            start = after[c - 1].end if c else 0
        yield Piece("same", new[at:start])
        at = start
        if b > a:
            spaced = start and not new[start - 1].isspace() and old[before[a].start - 1].isspace()
            yield Piece("same", " " if spaced else "")
            yield Piece("removed", old[before[a].start : before[b - 1].end])
            yield Piece("same", " " * (d > c or (c == 0 and not new[start : start + 1].isspace())))
        if d > c:
            at = after[d - 1].end
            yield Piece("added", new[start:at])
    yield Piece("same", new[at:])


def _merged(pieces: Iterable[Piece]) -> Paragraph:
    """Without empty pieces, and neighbours of one kind as one."""
    merged: list[Piece] = []
    for piece in pieces:
        if merged and merged[-1].kind == piece.kind:
            gap = " " if piece.kind != "same" else ""
            merged[-1] = replace(merged[-1], text=f"{merged[-1].text}{gap}{piece.text}")
        elif piece.text:
            merged.append(piece)
    return tuple(merged)


def _unmoving(drafts: list[Paragraph]) -> list[Paragraph]:
    """Without what went from one place and came at another: sentences that were joined, split or moved in part."""
    pieces = [piece for draft in drafts for piece in draft]
    went, came = (
        Counter(key for piece in pieces if piece.kind == kind and len(key := _key(piece.text)) >= MOVED)
        for kind in ("removed", "added")
    )
    both = went & came
    left = {"removed": Counter(both), "added": Counter(both)}
    return [_merged(_still(piece, left) for piece in draft) for draft in drafts]


def _still(piece: Piece, left: dict[str, "Counter[Words]"]) -> Piece:
    """The piece, as "same" (the newer one) or empty (the older one) where it only moved."""
    key = _key(piece.text) if piece.kind in left else ()
    if not key or not left[piece.kind][key]:
        return piece
    left[piece.kind][key] -= 1
    return Piece("same", piece.text if piece.kind == "added" else "")


_AROUND = 160  # characters of unchanged text kept beside a change


def _shown(draft: Paragraph) -> Paragraph:
    """With long unchanged stretches cut in the middle."""
    last = len(draft) - 1
    return tuple(_cut(piece, number == 0, number == last) for number, piece in enumerate(draft))


def _cut(piece: Piece, first: bool, last: bool) -> Piece:
    if piece.kind != "same" or len(piece.text) <= 2 * _AROUND + 40:
        return piece
    head = "" if first else piece.text[:_AROUND].rsplit(" ", 1)[0]
    tail = "" if last else piece.text[-_AROUND:].split(" ", 1)[-1]
    return replace(piece, text=f"{head} … {tail}".strip() if first and last else f"{head} … {tail}")
