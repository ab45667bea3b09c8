"""Slips of typing in a question, put right by the archive's own words where one is clearly meant.

Two neighbouring letters exchanged, and nothing else: of words of later news that an archive of 47,928 passages lacks,
a letter left out, added or mistaken made a right name into another (Dalston, Dalton) more often than a wrong one right.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

RARE = 2  # passages; a word in so few of them may be a slip of the archive's own
RARER = 100  # times as many passages have what is meant, where the archive has the word as typed
CLEAR = 10  # times as many passages have what is meant as have another reading
ORDINARY = 20_000  # of so many passages, what is meant stands in one at least
FREQUENT = 1_000  # the same where it takes less to hit a word by chance: in four letters, and with the first exchanged
SHORT = 4  # letters; shorter words are left as they are
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_MARKS = r"\u0300-\u036f"  # that combine with the letter before
_WORD = re.compile(rf"(?<![\w@#/\\.{_MARKS}])[{_LATIN}]{{{SHORT},40}}(?![\w@/\\{_MARKS}]|\.\w)")  # not in an address
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|„[^“”]*[“”]|«[^»]*»')


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is known of words."""

    passages: int  # of the archive
    holding: Callable[[Sequence[str]], Sequence[int]]  # in how many of them each word stands, in any inflection
    written: Callable[[str], bool]  # whether one of them has it in this very form
    common: Callable[[str], bool]  # whether news at large has it, so that it is no slip


def respelled(text: str, words: Vocabulary) -> str:
    """The text with its slips put right; what stands between quotation marks is meant as it is."""
    quoted = [one.span() for one in _QUOTED.finditer(text)]

    def read(match: re.Match[str]) -> str:
        verbatim = any(start < match.start() < end for start, end in quoted)
        return match[0] if verbatim else meant(match[0], words)

    return _WORD.sub(read, text)


def meant(word: str, words: Vocabulary) -> str:
    """The word of the archive that was meant; the word itself where it is known or no reading is clear."""
    lower = word.lower()
    if len(lower) != len(word) or words.common(lower):  # "İ" has two characters in lower case
        return word
    [own] = words.holding([lower])
    if own > (RARE if len(word) > SHORT else 0):
        return word
    found = _likely(word, own, words)
    standing = [one for one in found if words.written(one)]  # stems make words that nobody wrote: "marke" of "mark"
    return _capitalised(standing[0], word) if len(standing) == 1 else word


def _likely(word: str, own: int, words: Vocabulary) -> list[str]:
    """Readings that stand in enough passages, without those that a far more frequent one outdoes."""
    readings = list(_exchanged(word.lower()))
    counts = dict(zip(readings, words.holding(readings), strict=True))
    most = max(counts.values(), default=0)
    return [
        one
        for one, count in counts.items()
        if count >= max(_least(one, word, words.passages), own * RARER) and count * CLEAR >= most
    ]


def _least(reading: str, word: str, passages: int) -> float:
    slipped = word[0].islower() and word[1].isupper()  # "kUraine" can hardly be meant
    chancy = not slipped and (len(word) == SHORT or reading[0] != word[0].lower())
    return max(1, passages / (FREQUENT if chancy else ORDINARY))


def _exchanged(word: str) -> Iterator[str]:
    """The word with each two neighbouring letters exchanged."""
    for n, (one, other) in enumerate(pairwise(word)):
        if one != other:
            yield word[:n] + other + one + word[n + 2 :]


def _capitalised(reading: str, word: str) -> str:
    """With capitals where the word has them; an exchange of the first two leaves the capital in front."""
    capital = [letter.isupper() for letter in word]
    if reading[0] != word[0].lower():
        capital[:2] = sorted(capital[:2], reverse=True)
    return "".join(letter.upper() if big else letter for letter, big in zip(reading, capital, strict=True))
