"""How good the answers to questions with known answers are: the figures of `pullquote measure`.

A passage or quote holds the answer where an accepted answer stands in it as whole words, case, accents and
punctuation aside (as is usual for questions with short answers, for example in TREC QA).
"""

import re
import string
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from retrieval.answer import Answer

_DIGIT_GROUPS = re.compile(r"(?<=\d),(?=\d{3})")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "“”‘’—–…", " "))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and over how many questions it was taken."""

    name: str
    value: float
    count: int


def measure(asked: Iterable[tuple[Mapping[str, object], Answer]]) -> list[Figure]:
    """Figures over (question row, its answer) pairs. A row has `answers`: accepted strings, empty where there are none.

    hit@k: the share of answerable questions with the answer in the first k passages; mrr@10: the mean reciprocal
    rank of the first such passage (0 beyond 10); AUC: the chance that an answerable question gets a higher
    confidence than an impossible one, ties one half; ECE: expected calibration error of the confidence in ten bins.
    """
    pairs = [(_accepted(row), answer) for row, answer in asked]
    possible = [(accepted, answer) for accepted, answer in pairs if accepted]
    impossible = [answer for accepted, answer in pairs if not accepted]
    ranks = [_first_rank(accepted, answer) for accepted, answer in possible]
    figures = [
        *(_mean(f"hit@{k}", [rank is not None and rank <= k for rank in ranks]) for k in (1, 3, 5, 10)),
        _mean("mrr@10", [1 / rank if rank else 0.0 for rank in ranks]),
        _mean("answer holds gold", [holds(answer.text, accepted) for accepted, answer in possible]),
        _mean("first quote holds gold", [_first_quote_holds(answer, accepted) for accepted, answer in possible]),
        _mean("answered when possible", [answer.answered for _, answer in possible]),
        _mean("abstained when impossible", [not answer.answered for answer in impossible]),
        _mean("perhaps holds gold", [holds(one.perhaps.quote, accepted) for accepted, one in possible if one.perhaps]),
        _mean("perhaps when impossible", [answer.perhaps is not None for answer in impossible]),
    ]
    if possible and impossible:
        sure = [answer.confidence for _, answer in possible]
        unsure = [answer.confidence for answer in impossible]
        labels = [True] * len(sure) + [False] * len(unsure)
        figures.append(Figure("answerable AUC", auc(sure, unsure), len(pairs)))
        figures.append(Figure("calibration error (ECE)", calibration_error([*sure, *unsure], labels), len(pairs)))
    if pairs:
        figures += _seconds([answer.seconds for _, answer in pairs])
    return [figure for figure in figures if figure.count]


def holds(text: str, accepted: Sequence[str]) -> bool:
    words = f" {plain(text)} "
    return any(f" {one} " in words for one in map(plain, accepted) if one)


def plain(text: str) -> str:
    """Lower-case words without accents and punctuation; digit groups joined, so that "1,000" is "1000"."""
    text = _DIGIT_GROUPS.sub("", text)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.lower().translate(_PUNCTUATION).split())


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Area under the ROC curve (Mann-Whitney U over the number of pairs)."""
    below = sorted(negative)
    wins = sum(bisect_left(below, one) + bisect_right(below, one) for one in positive) / 2
    return wins / (len(positive) * len(negative))


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Mean distance of stated confidence and share that was right, weighted by bin (Naeini et al., AAAI 2015)."""
    parts: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for confidence, one in zip(confidences, right, strict=True):
        parts[min(int(confidence * bins), bins - 1)].append((confidence, one))
    return sum(abs(sum(c - r for c, r in part)) for part in parts) / len(confidences)


def _accepted(row: Mapping[str, object]) -> list[str]:
    answers = row.get("answers")
    if not isinstance(answers, list):
        raise ValueError(f"Question {row.get('id')!r} has no list of accepted `answers` ([] where there is none).")
    return [str(one) for one in answers]


def _first_rank(accepted: Sequence[str], answer: Answer) -> int | None:
    passages = [found.stored.passage.text for found in answer.retrieved]
    return next((rank for rank, text in enumerate(passages, 1) if holds(text, accepted)), None)


def _first_quote_holds(answer: Answer, accepted: Sequence[str]) -> bool:
    return bool(answer.citations) and holds(answer.citations[0].quote, accepted)


def _mean(name: str, values: Sequence[float]) -> Figure:
    return Figure(name, fmean(values) if values else float("nan"), len(values))


def _seconds(seconds: Sequence[float]) -> list[Figure]:
    ordered = sorted(seconds)
    tail = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return [
        Figure("seconds p50", median(ordered), len(ordered)),
        Figure("seconds p95", tail, len(ordered)),
    ]
