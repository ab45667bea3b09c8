"""Slips of the finger: what a question looks like when two letters changed places."""

import random
import re

LEAST = 5  # letters of a word that is no name
NAME = 4  # letters of a name, so that its slip can still be told
_WORD = re.compile(r"[^\W\d_]+")


def slipped(text: str, seed: str) -> str:
    """The text with two neighbouring letters of one word exchanged, never its first; as it is where no word will do."""
    found = [place for word in _WORD.finditer(text) if _long_enough(word) for place in _places(word)]
    if not found:
        return text
    at = random.Random(seed).choice(found)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _long_enough(word: re.Match[str]) -> bool:
    least = NAME if word.start() and word[0][0].isupper() else LEAST
    return len(word[0]) >= least


def _places(word: re.Match[str]) -> list[int]:
    letters = word[0].lower()
    return [word.start() + at for at in range(1, len(letters) - 1) if letters[at] != letters[at + 1]]
