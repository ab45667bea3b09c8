"""What a person who asked has of the answers: each figure with its interval, over questions that were judged."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.measure import auc, calibration_error

DRAWS = 400  # of the bootstrap, each of as many questions as there are
SEED = 7

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """A question, what the program answered (its JSON), and whether that is right."""

    question: Row
    answer: Row
    right: bool  # the first quote is shown and answers; False for every near miss
    further: tuple[bool, ...]  # whether each citation after the first answers too
    perhaps: bool | None  # whether the one closest passage answers; None where none was shown
    bold: bool | None  # whether the words in bold are the expected ones; None: no bold, none expected, a wrong quote

    @cached_property
    def answerable(self) -> bool:
        return bool(self.question["answerable"])

    @cached_property
    def answered(self) -> bool:
        return bool(self.answer["answered"])

    @cached_property
    def confidence(self) -> float:
        return float(self.answer["confidence"])

    @property
    def outcome(self) -> str:
        if self.answered:
            return "right" if self.right else "wrong"
        return "perhaps" if self.answer.get("perhaps") else "refused"


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    low: float  # of the interval that holds 95 % of what other draws of questions would give
    high: float
    count: int  # questions, or citations, that it was taken over

    def __str__(self) -> str:
        return f"{self.name:<46} {self.value:6.3f}  [{self.low:.3f}, {self.high:.3f}]  n={self.count}"


class Scorer:
    """`asked/score_asked.py` of a folder of benchmarks: it says what is right, and is no part of this program."""

    def __init__(self, bench: Path) -> None:
        file = bench / "asked" / "score_asked.py"
        spec = importlib.util.spec_from_file_location("score_asked", file)
        if spec is None or spec.loader is None or not file.exists():
            raise SystemExit(f"{file} is not there. BENCH is the folder that holds asked/score_asked.py.")
        self._module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)

    def judge(self, question: Row, answer: Row) -> Judged:
        shown = answer["citations"] if answer["answered"] else []
        answers = [bool(question["answerable"]) and self._answers(one, question) for one in shown]
        perhaps = answer.get("perhaps")
        return Judged(
            question,
            answer,
            right=bool(answers and answers[0]),
            further=tuple(answers[1:]),
            perhaps=bool(question["answerable"] and self._answers(perhaps, question)) if perhaps else None,
            bold=self._bold(shown[0]["words"], question["answer"]) if answers[:1] == [True] else None,
        )

    def area(self, judged: Sequence[Judged]) -> float:
        """Under precision over recall."""
        total = sum(one.answerable for one in judged)
        return float(self._module.curve(([(one.confidence, one.right) for one in judged], total)))

    def _answers(self, citation: Row, question: Row) -> bool:
        return bool(self._module.answers_it(citation["quote"], citation["url"], question))

    def _bold(self, words: str, expected: str) -> bool | None:
        """Equal, or one within the other, as whole words; None where there are none or none are expected."""
        one, other = (f" {self._module.normal(text)} " for text in (words, expected))
        return one in other or other in one if one.strip() and expected else None


Values = Callable[[Sequence[Judged]], list[float]]


def shares() -> dict[str, Values]:
    """Figures that are means, by name: what each is the mean of."""
    return {
        "precision: right, of those answered": lambda some: [one.right for one in some if one.answered],
        "recall: right, of the answerable": lambda some: [one.right for one in some if one.answerable],
        "near misses not answered": lambda some: [not one.answered for one in some if not one.answerable],
        "near misses with a perhaps": lambda some: [one.perhaps is not None for one in some if not one.answerable],
        "further citations that answer": lambda some: [each for one in some for each in one.further],
        "perhaps on answerable: right": lambda some: [
            one.perhaps for one in some if one.answerable and one.perhaps is not None
        ],
        "bold words right, of right quotes": lambda some: [one.bold for one in some if one.bold is not None],
    }


def others(scorer: Scorer) -> dict[str, tuple[Callable[[Sequence[Judged]], float], Callable[[Judged], bool]]]:
    """Figures that are no means, by name: how each is made of questions, and which of them it looks at."""
    return {
        "AUC, answerable from near misses": (_auc, _any),
        "area under precision and recall": (scorer.area, _any),
        "calibration error, first quote right": (lambda some: _error(some, "right"), lambda one: one.answered),
        "calibration error, answerable": (lambda some: _error(some, "answerable"), _any),
        "seconds, p50": (lambda some: _seconds(some, 50), _any),
        "seconds, p95": (lambda some: _seconds(some, 95), _any),
    }


def figures(judged: Sequence[Judged], scorer: Scorer) -> list[Figure]:
    """Those that can be taken of these questions."""
    means = [mean(name, values(judged)) for name, values in shares().items()]
    rest = [
        _drawn(name, value, [one for one in judged if looked_at(one)])
        for name, (value, looked_at) in others(scorer).items()
    ]
    return [one for one in (*means, *rest) if one.count and not np.isnan(one.value)]


def mean(name: str, values: Sequence[float]) -> Figure:
    given = np.array(values, dtype=float)
    if not len(given):
        return Figure(name, float("nan"), float("nan"), float("nan"), 0)
    draws = np.random.default_rng(SEED).choice(given, (DRAWS, len(given))).mean(axis=1)
    return Figure(name, float(given.mean()), *_middle(draws), len(given))


def _drawn(name: str, value: Callable[[Sequence[Judged]], float], judged: Sequence[Judged]) -> Figure:
    if not judged:
        return Figure(name, float("nan"), float("nan"), float("nan"), 0)
    places = np.random.default_rng(SEED).integers(0, len(judged), (DRAWS, len(judged)))
    return Figure(name, value(judged), *_middle([value([judged[at] for at in draw]) for draw in places]), len(judged))


def _middle(draws: Any) -> tuple[float, float]:
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _any(one: Judged) -> bool:
    return True


def _auc(judged: Sequence[Judged]) -> float:
    sure = [one.confidence for one in judged if one.answerable]
    unsure = [one.confidence for one in judged if not one.answerable]
    return auc(sure, unsure) if sure and unsure else float("nan")


def _error(judged: Sequence[Judged], label: str) -> float:
    """Expected calibration error of the confidence, taken as the chance of `label`."""
    return calibration_error([one.confidence for one in judged], [getattr(one, label) for one in judged])


def _seconds(judged: Sequence[Judged], percentile: int) -> float:
    return float(np.percentile([one.answer["seconds"] for one in judged], percentile))
