"""Fits the default reader and writes retrieval/reader.json.

    python -m benchmarks.fit_reader --set DATA QUESTIONS [--set DATA QUESTIONS ...] [--write]

DATA is a data folder into which the set's articles were ingested (PULLQUOTE_DATA=DATA pullquote ingest ...);
QUESTIONS are JSON lines with id, question, answers ([] where the archive holds none) and date. Each set's questions
are also asked of the other sets' archives, as impossible ones where no accepted answer stands in any of its articles.

Folds are whole weeks of questions (the part of the id before "_"); every figure printed is out of fold and of the
first set alone. Needs scikit-learn, which sentence-transformers brings.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from bot.build import House
from bot.settings import Settings
from retrieval.encoder import Matrix, load_encoder
from retrieval.features import CONFIDENCE_NAMES, PASSAGE_NAMES, SENTENCE_NAMES
from retrieval.measure import auc, calibration_error, holds, plain
from retrieval.question import Question
from retrieval.reader import (
    Evidence,
    Fitted,
    FittedReader,
    Run,
    Trees,
    Vector,
    choose,
    confidence_row,
    logistic,
    run_chances,
    sentence_odds,
)
from retrieval.search import Search

FOLDS = 6
# What must never count against a sentence (1) or for it (-1), whatever the noise in the labels says: a gold string
# stands in many a sentence by chance.
MONOTONE = {
    **dict.fromkeys(("cosine", "cosine_rank", "coverage", "coverage_before", "coverage_around", "pairs", "names"), 1),
    **dict.fromkeys(("kind_number", "kind_date", "kind_name", "kind_reason", "kind_quote", "passage_rank"), 1),
    **dict.fromkeys(("cosine_gap", "coverage_gap", "passage_gap", "asks"), -1),
}
SEED = 7
REFUSED = 0.85  # share of the impossible questions that the threshold refuses, out of fold


@dataclass
class Case:
    """One question asked of one archive."""

    group: str
    first_set: bool
    answers: list[str]
    question: Question
    search: Search
    reader: FittedReader
    evidence: Evidence | None = None

    @property
    def seen(self) -> Evidence:
        assert self.evidence is not None
        return self.evidence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs=2, action="append", required=True, metavar=("DATA", "QUESTIONS"), dest="sets")
    parser.add_argument("--write", action="store_true", help="write retrieval/reader.json")
    options = parser.parse_args()
    cases = list(load_cases(options.sets))
    weights = fit_ranking(cases)
    report_ranking(cases)
    gather(cases, weights)
    trees, odds = fit_sentences(cases)
    confidence, threshold = fit_confidence(cases, odds, weights)
    fitted = Fitted(weights, trees, confidence, threshold)
    if options.write:
        target = Path(__file__).parent.parent / "retrieval" / "reader.json"
        target.write_text(json.dumps(rounded(fitted.to_json()), separators=(",", ":")) + "\n", "utf-8")
        print(f"wrote {target.name}, {target.stat().st_size:,} bytes")


# Questions and what is seen of them


def load_cases(sets: Sequence[tuple[str, str]]) -> Iterator[Case]:
    for number, (data, _) in enumerate(sets):
        house = House(Settings(data=Path(data)))
        encoder = load_encoder(house.settings.model, house.models, bulk=True)
        search = Search(house.archive, house.vectors, house.keywords, lambda encoder=encoder: encoder)  # type: ignore[misc]
        words = f" {' '.join(plain(r.article.title + ' ' + r.article.text) for _, r in house.archive.current())} "
        for other, (_, questions) in enumerate(sets):
            for row in map(json.loads, Path(questions).read_text("utf-8").splitlines()):
                answers = row["answers"]
                if other != number:
                    if not answers or any(f" {plain(one)} " in words for one in answers):
                        continue
                    answers = []
                reader = FittedReader(BLANK, search.weights, search._encoder, None)
                question = Question(row["question"], date.fromisoformat(row["date"]))
                group = str(row["id"]).split("_")[0]
                yield Case(group, number == 0 and other == 0, answers, question, search, reader)


def blank_trees() -> Trees:
    leaf = np.full((1, 1), -1, np.intp)
    return Trees(leaf, np.zeros((1, 1)), leaf, leaf, np.zeros((1, 1)), 0.0)


BLANK = Fitted(np.eye(len(PASSAGE_NAMES))[0], blank_trees(), np.zeros(1), 0.5)


def gather(cases: Iterable[Case], weights: Vector) -> None:
    """Looks again with the fitted ranking: the sentences to be judged are those of its best passages."""
    fitted = Fitted(weights, blank_trees(), np.zeros(1), 0.5)
    for number, case in enumerate(cases, 1):
        case.reader._fitted = fitted
        case.evidence = case.reader.gather(case.question, case.seen.ranked)
        told(number, "read")


def told(number: int, what: str) -> None:
    if number % 500 == 0:
        print(f"{number} {what}", file=sys.stderr, flush=True)


# Ranking


def fit_ranking(cases: Sequence[Case]) -> Vector:
    for number, case in enumerate(cases, 1):
        case.reader._encoder = _no_sentences(case)
        case.evidence = case.reader.gather(case.question, case.search(case.question))
        case.reader._encoder = case.search._encoder
        told(number, "searched")
    return pairwise_weights(cases)


def _no_sentences(case: Case):  # type: ignore[no-untyped-def]
    """The first look is at passages alone: sentences are not encoded."""

    class Blank:
        name, dimension = "blank", 1

        def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
            return np.zeros((len(texts), 1), np.float32)

    return Blank


def pairwise_weights(cases: Sequence[Case], strength: float = 0.003) -> Vector:
    """Logistic regression on differences of a right and a wrong passage of one question (as RankSVM does it)."""
    rng = np.random.default_rng(SEED)
    rows = np.concatenate([pair for case in cases if (pair := differences(case, rng)) is not None])
    scale = rows.std(axis=0) + 1e-9
    both = np.concatenate([rows, -rows]) / scale
    labels = np.repeat([1, 0], len(rows))
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=2_000).fit(both, labels)
    return np.asarray(model.coef_[0] / scale, np.float64)


def differences(case: Case, rng: np.random.Generator) -> Matrix | None:
    right = np.array([holds(one.stored.passage.text, case.answers) for one in case.seen.ranked], bool)
    if not case.answers or right.all() or not right.any():
        return None
    rows, wrong = case.seen.passage_rows, np.flatnonzero(~right)
    chosen = [rng.choice(wrong, min(len(wrong), 20), replace=False) for _ in np.flatnonzero(right)[:6]]
    return np.concatenate([rows[good] - rows[bad] for good, bad in zip(np.flatnonzero(right), chosen, strict=False)])


def report_ranking(cases: Sequence[Case]) -> None:
    ranks = []
    for train, test in folds(cases):
        weights = pairwise_weights([cases[n] for n in train])
        for case in (cases[n] for n in test if cases[n].first_set and cases[n].answers):
            order = np.argsort(-(case.seen.passage_rows @ weights), kind="stable")[:10]
            texts = [case.seen.ranked[n].stored.passage.text for n in order]
            ranks.append(next((n for n, text in enumerate(texts, 1) if holds(text, case.answers)), None))
    for k in (1, 5, 10):
        print(f"hit@{k:<3} {np.mean([rank is not None and rank <= k for rank in ranks]):.3f}")
    print(f"mrr@10  {np.mean([1 / rank if rank else 0 for rank in ranks]):.3f}  n={len(ranks)}")


def folds(cases: Sequence[Case]) -> Iterator[tuple[list[int], list[int]]]:
    splitter = GroupKFold(FOLDS)
    for train, test in splitter.split(np.zeros(len(cases)), groups=[case.group for case in cases]):
        yield train.tolist(), test.tolist()


# Sentences


def fit_sentences(cases: Sequence[Case]) -> tuple[Trees, list[Vector]]:
    """The trees fitted on everything, and out-of-fold log odds of every case's sentences."""
    odds: list[Vector] = [np.zeros(0)] * len(cases)
    for train, test in folds(cases):
        trees = fit_trees([cases[n] for n in train])
        for n in test:
            odds[n] = sentence_odds(trees, cases[n].seen)
    report_sentences(cases, odds)
    return fit_trees(cases), odds


def fit_trees(cases: Iterable[Case]) -> Trees:
    kept = [case for case in cases if case.answers]
    rows = np.concatenate([case.seen.sentence_rows for case in kept])
    model = HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.05,
        max_leaf_nodes=8,
        l2_regularization=5,
        min_samples_leaf=40,
        monotonic_cst=[MONOTONE.get(name, 0) for name in SENTENCE_NAMES],
        early_stopping=False,
        random_state=SEED,
    ).fit(rows, np.concatenate([sentence_labels(case) for case in kept]))
    return as_trees(model)


def sentence_labels(case: Case) -> list[bool]:
    return [holds(case.seen.seen[p].sentences[s], case.answers) for p, s in case.seen.picked]


def as_trees(model: HistGradientBoostingClassifier) -> Trees:
    nodes = [one[0].nodes for one in model._predictors]
    size = max(map(len, nodes))

    def field(name: str, kind: type, empty: float) -> Any:
        out: Any = np.full((len(nodes), size), empty, kind)
        for row, node in zip(out, nodes, strict=True):
            row[: len(node)] = node[name]
        return out

    feature = field("feature_idx", np.intp, -1)
    feature[field("is_leaf", np.intp, 1) == 1] = -1
    return Trees(
        feature=feature,
        threshold=field("num_threshold", np.float64, 0),
        left=field("left", np.intp, 0),
        right=field("right", np.intp, 0),
        value=field("value", np.float64, 0),
        start=float(np.ravel(model._baseline_prediction)[0]),
    )


def report_sentences(cases: Sequence[Case], odds: Sequence[Vector]) -> None:
    quotes = [
        (case, quotes_of(case, run_chances(case.seen, one)))
        for case, one in zip(cases, odds, strict=True)
        if case.first_set and case.answers
    ]
    print(f"first quote holds gold {np.mean([holds(texts[0], case.answers) for case, texts in quotes]):.3f}")
    print(f"answer holds gold      {np.mean([holds(' '.join(texts), case.answers) for case, texts in quotes]):.3f}")
    words = np.median([len(texts[0].split()) for _, texts in quotes])
    print(f"citations {np.mean([len(texts) for _, texts in quotes]):.2f}, words of the first quote {words:.0f}")


def quotes_of(case: Case, chances: Sequence[Run]) -> list[str]:
    found = choose(case.seen, chances)
    return [one.revision.article.text[slice(*one.span)] for one in found] or [""]


# Confidence


def fit_confidence(cases: Sequence[Case], odds: Sequence[Vector], weights: Vector) -> tuple[Vector, float]:
    """Weights of the logistic regression, and the confidence that refuses REFUSED of the first set's impossible."""
    rows, labels, kept = [], [], []
    for n, (case, one) in enumerate(zip(cases, odds, strict=True)):
        chances = run_chances(case.seen, one)
        if chances and (case.first_set or not case.answers or found_at_all(case)):
            rows.append(confidence_row(case.seen, one, chances, weights))
            labels.append(bool(case.answers))
            kept.append(n)
    matrix, right = np.array(rows), np.array(labels)
    sure = np.zeros(len(kept))
    place = {n: row for row, n in enumerate(kept)}
    for train, test in folds(cases):
        mine = [place[n] for n in train if n in place]
        fitted = logistic_weights(matrix[mine], right[mine])
        for row in (place[n] for n in test if n in place):
            sure[row] = logistic(float(matrix[row] @ fitted[:-1] + fitted[-1]))
    first = np.array([cases[n].first_set for n in kept])
    threshold = float(np.quantile(sure[first & ~right], REFUSED))
    report_confidence(sure[first], right[first], threshold)
    report_answers([cases[n] for n in kept], [odds[n] for n in kept], sure, threshold)
    return logistic_weights(matrix, right), threshold


def found_at_all(case: Case) -> bool:
    """A question of another set counts as answerable only where a passage that was found holds the answer."""
    return any(holds(one.stored.passage.text, case.answers) for one in case.seen.ranked)


def logistic_weights(rows: Vector, right: NDArray[np.bool_], strength: float = 10.0) -> Vector:
    """Logistic regression whose weights may not be negative: better evidence never makes less sure.

    What is `missing` counts the other way. Free weights give the development questions half a point more AUC, and
    nonsense where the archive is small.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    scaled, sign = (rows - mean) / scale, np.where(right, 1.0, -1.0)

    def loss(weights: Vector) -> tuple[float, Vector]:
        margin = sign * (scaled @ weights[:-1] + weights[-1])
        pull = -sign / (1 + np.exp(margin))
        value = np.logaddexp(0, -margin).sum() + strength / 2 * (weights[:-1] ** 2).sum()
        return float(value), np.append(scaled.T @ pull + strength * weights[:-1], pull.sum())

    bounds = [(None, 0) if name.endswith("missing") else (0, None) for name in CONFIDENCE_NAMES]
    start = np.zeros(rows.shape[1] + 1)
    found = minimize(loss, start, jac=True, bounds=[*bounds, (None, None)], method="L-BFGS-B").x
    weights = found[:-1] / scale
    return np.append(weights, found[-1] - mean @ weights)


def report_confidence(sure: Vector, right: NDArray[np.bool_], threshold: float) -> None:
    print(f"answerable AUC {auc(list(sure[right]), list(sure[~right])):.4f}  n={right.sum()}+{(~right).sum()}")
    print(f"calibration error {calibration_error(list(sure), list(right)):.3f}")
    print(f"threshold {threshold:.3f}: answered {np.mean(sure[right] >= threshold):.3f} of the answerable")


def report_answers(cases: Sequence[Case], odds: Sequence[Vector], sure: Vector, threshold: float) -> None:
    """What is left of the gold once refusals count as wrong."""
    hits, firsts = [], []
    for case, one, confidence in zip(cases, odds, sure, strict=True):
        if case.first_set and case.answers:
            texts = quotes_of(case, run_chances(case.seen, one)) if confidence >= threshold else [""]
            hits.append(holds(" ".join(texts), case.answers))
            firsts.append(holds(texts[0], case.answers))
    print(f"with refusals: answer holds gold {np.mean(hits):.3f}, first quote {np.mean(firsts):.3f}")


def rounded(value: object) -> object:
    """Five significant digits: more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
