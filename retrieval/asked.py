"""A question taken apart once: its telling words with their weights, its names, whether it asks for a figure or day."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from retrieval.background import coverage, weights
from retrieval.keywords import asked, stems

_NUMBER = re.compile(
    r"\bhow (many|much|old|long|far|big|tall|high|large|often|fast|heavy)\b|\b(what|which) (\w+ ){0,2}?"
    r"(percent\w*|number|share|amount|age|price|cost|score|rate|sum|proportion|magnitude|figure)\b",
    re.IGNORECASE,
)
_DAY = re.compile(
    r"\bwhen\b|\b(what|which) (\w+ ){0,1}?(year|date|day|month|week|time|decade|century)\b", re.IGNORECASE
)
_NAME = re.compile(r"(?<![.!?“\"] )(?<!^)\b[A-Z][\w’'-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    weights: Mapping[str, float]  # stem -> inverse document frequency in news at large
    names: frozenset[str]  # stems of capitalised words but the first

    @property
    def number(self) -> bool:
        return bool(_NUMBER.search(self.text))

    @property
    def day(self) -> bool:
        return bool(_DAY.search(self.text))

    def covered(self, words: frozenset[str]) -> float:
        """Share, 0..1, of the question's weight that stands in `words`, which are stems."""
        return coverage(self.weights, words)


def take_apart(question: str) -> Asked:
    words = asked(question)
    return Asked(question, weights(words), names_in(question) & frozenset(words))


def names_in(text: str) -> frozenset[str]:
    """Stems of the capitalised words but the first of a sentence."""
    return frozenset(stem for name in _NAME.findall(text) for stem in stems(name))
