"""The decision on top of the model: a dozen numbers, fitted by benchmarks/fit_reader.py, that come with the package.

A linear layer over what is known of each sentence, its weights fitted so that right sentences take the chance in a
softmax over all sentences and "none of them" (McFadden's conditional logit, 1974); then a logistic calibration (Platt,
1999) of the first quote's chance. Nothing rests on words counted over the archive, so that one article alone reads as
it does among thousands.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.question import Question
from retrieval.recency import nearness

if TYPE_CHECKING:
    from retrieval.reader import Read

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

FITTED = "reader.json"
FEATURES = (
    "sentence",  # the model's log odds of the sentence
    "span",  # of its likeliest words, above "no answer"
    "search",  # the search's score of its passage
    "recent",  # how well the day of its report suits the question
    "other",  # 1 where its article is not in English, whose words the model knows; then also:
    "other_covered",  # share of the question's longer words that begin as words of the sentence do
    "other_covered_around",  # the same with its passage and headline
    "other_sentence",  # the model's log odds once more: they tell less there
)
LEAST, MOST = -12.0, 12.0  # of the model's numbers: what is further off says no more
LETTERS = 5  # of a word that count where no stemmer knows its language (McNamee & Mayfield, Information Retrieval 2004)
SHORT = 4  # letters; shorter words of other languages are mostly articles and prepositions


@dataclass(frozen=True)
class Decision:
    """The numbers of `reader.json`."""

    weights: tuple[float, ...]  # one for each of FEATURES
    base: float  # log odds of a sentence of which nothing is known, against "none"
    calibration: tuple[float, float, float, float]  # of the log odds that the first quote answers, that any does; what
    # is added to these; and what where it is not in English
    sure: float  # confidence from which there is an answer
    perhaps: float  # and from which one passage is shown as a guess
    further: float  # confidence that a further citation needs, were those before it not there
    bold: float  # score above "no answer" from which words are told to answer
    matter: float  # share of the question's weight that a passage has from which it is about the matter

    def odds(self, rows: Matrix) -> Vector:
        """(sentences,) log odds against "none"."""
        return np.asarray(rows @ np.array(self.weights) + self.base, np.float64)

    def confidence(self, odds: Vector, chance: float, other: float) -> float:
        """0..1: the chance that a quote answers; `odds` are of all sentences, `chance` is the quote's among them,
        `other` is 1 where it is not in English.
        """
        first, some, one, foreign = self.calibration
        any_one = -math.expm1(-float(np.logaddexp.reduce([0.0, *odds])))
        return 1 / (1 + math.exp(-(first * logit(chance) + some * logit(any_one) + one + foreign * other)))


def logit(chance: float) -> float:
    chance = min(max(chance, 1e-6), 1 - 1e-6)
    return math.log(chance / (1 - chance))


def features(question: Question, read: Sequence["Read"], picked: Sequence[tuple[int, int]]) -> Matrix:
    """(picked, FEATURES) for sentences given as (passage, sentence of it)."""
    short = shortened(question.text)
    rows = [_of_passage(question, short, one) for one in read]
    return np.array([_of_sentence(short, read[p], s, rows[p]) for p, s in picked]).reshape(-1, len(FEATURES))


def _of_passage(question: Question, short: Mapping[str, int], one: "Read") -> tuple[float, float, float]:
    """How well its day suits, whether it is in another language, and the share of the question that it then has."""
    published = one.article.published
    suits = nearness(question, published.date() if published else None)
    if one.english:
        return suits, 0.0, 0.0
    return suits, 1.0, share(short, shortened(f"{one.article.title}\n{one.passage.text}"))


def _of_sentence(short: Mapping[str, int], one: "Read", s: int, passage: tuple[float, float, float]) -> list[float]:
    suits, other, around = passage
    odds, span = (float(np.clip(value, LEAST, MOST)) for value in (one.odds[s], one.answers[s][0]))
    covered = share(short, shortened(one.sentences[s])) if other else 0.0
    return [odds, span, one.found.score, suits, other, covered, around, other * odds]


@lru_cache(maxsize=4_096)
def shortened(text: str) -> Mapping[str, int]:
    """The beginnings of a text's longer words, each with the letters of its word: longer ones tell more."""
    return {word[:LETTERS]: len(word) for word in re.findall(r"\w+", text.casefold()) if len(word) >= SHORT}


def share(wanted: Mapping[str, int], words: Mapping[str, int]) -> float:
    """Of the letters that are wanted, the part whose words are there."""
    return sum(wanted[one] for one in wanted.keys() & words.keys()) / (sum(wanted.values()) or 1)


def load_decision() -> Decision:
    """The fitted numbers that come with the package."""
    return from_json(json.loads((files("retrieval") / FITTED).read_text("utf-8")))


def to_json(decision: Decision) -> dict[str, Any]:
    return {**asdict(decision), "weights": dict(zip(FEATURES, decision.weights, strict=True))}


def from_json(row: Mapping[str, Any]) -> Decision:
    weights = row["weights"]
    if list(weights) != list(FEATURES):
        raise ValueError(f"{FITTED} was fitted for other features. Run: python -m benchmarks.fit_reader")
    return Decision(**{**row, "weights": tuple(weights.values()), "calibration": tuple(row["calibration"])})
