"""Fits the default reader and writes retrieval/reader.json.

    python -m benchmarks.fit_reader --set DATA QUESTIONS [--set DATA QUESTIONS ...] [--write]

DATA is a data folder into which the set's articles were ingested (PULLQUOTE_DATA=DATA pullquote ingest ...);
QUESTIONS are JSON lines with id, question, answers ([] where the archive holds none) and date. Each set's questions
are also asked of the other sets' archives, as impossible ones where no accepted answer stands in any of its articles.

Folds are whole weeks of questions (the part of the id before "_"); every figure printed is out of fold, and of the
first set where it names no other. Needs scikit-learn, which sentence-transformers brings.
"""

import argparse
import json
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from retrieval.crossencoder import load_crossencoder
from retrieval.encoder import load_encoder
from retrieval.features import CONFIDENCE_NAMES, PASSAGE_NAMES, RANK_NAMES, SENTENCE_NAMES, Seen, rank_features
from retrieval.measure import auc, calibration_error, holds, plain
from retrieval.models import Matrix
from retrieval.question import Question
from retrieval.reader import (
    JUDGED,
    Evidence,
    Fitted,
    FittedReader,
    Looked,
    Run,
    Trees,
    Vector,
    arrange,
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
    **dict.fromkeys(("evidence", "evidence_rank", "answer", "relevance"), 1),
    **dict.fromkeys(("coverage", "coverage_before", "coverage_around", "pairs", "names"), 1),
    **dict.fromkeys(("kind_number", "kind_date", "kind_name", "kind_reason", "kind_quote", "passage_rank"), 1),
    **dict.fromkeys(("evidence_gap", "answer_gap", "relevance_gap", "coverage_gap", "passage_gap", "asks"), -1),
}
SEED = 7
BORROWED = 0.05  # of a question's weight where it is asked of another set's archive: these are many, and all impossible
REFUSED = 0.85  # share of the impossible questions that the threshold refuses, out of fold


@dataclass
class Case:
    """One question asked of one archive."""

    group: str
    of: int | None  # the set whose archive it is asked of; None: another set's question
    answers: list[str]
    question: Question
    asked: tuple[Search, FittedReader] | None  # the archive; None once it has been asked
    looked: Looked | None = None
    evidence: Evidence | None = None

    @property
    def first_set(self) -> bool:
        return self.of == 0

    @property
    def search(self) -> Search:
        assert self.asked is not None
        return self.asked[0]

    @property
    def reader(self) -> FittedReader:
        assert self.asked is not None
        return self.asked[1]

    @property
    def look(self) -> Looked:
        assert self.looked is not None
        return self.looked

    @property
    def seen(self) -> Evidence:
        assert self.evidence is not None
        return self.evidence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs=2, action="append", required=True, metavar=("DATA", "QUESTIONS"), dest="sets")
    parser.add_argument("--write", action="store_true", help="write retrieval/reader.json")
    parser.add_argument("--keep", type=Path, help="a file that keeps what the model said, for another fit")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        passage, cases = pickle.loads(options.keep.read_bytes())
    else:
        cases = list(load_cases(options.sets))
        passage = fit_found(cases)
        judge(cases, passage)
        if options.keep:
            options.keep.write_bytes(pickle.dumps((passage, [replace(one, asked=None) for one in cases])))
    rank, ranked = fit_judged(cases)
    trees, odds = fit_sentences(cases, ranked)
    confidence, threshold = fit_confidence(cases, odds, passage)
    fitted = Fitted(passage, rank, trees, confidence, threshold)
    if options.write:
        target = Path(__file__).parent.parent / "retrieval" / "reader.json"
        target.write_text(json.dumps(rounded(fitted.to_json()), separators=(",", ":")) + "\n", "utf-8")
        print(f"wrote {target.name}, {target.stat().st_size:,} bytes")


# Questions and what is seen of them


def load_cases(sets: Sequence[tuple[str, str]]) -> Iterator[Case]:
    for number, (data, _) in enumerate(sets):
        house = House(Settings(data=Path(data)))
        encoder = load_encoder(house.settings.model, house.models, bulk=True)
        crossencoder = load_crossencoder(house.models, bulk=True)
        search = Search(house.archive, house.vectors, house.keywords, lambda encoder=encoder: encoder)  # type: ignore[misc]
        words = f" {' '.join(plain(r.article.title + ' ' + r.article.text) for _, r in house.archive.current())} "
        for other, (_, questions) in enumerate(sets):
            for row in map(json.loads, Path(questions).read_text("utf-8").splitlines()):
                answers = row["answers"]
                if other != number:
                    if not answers or any(f" {plain(one)} " in words for one in answers):
                        continue
                    answers = []
                reader = FittedReader(BLANK, search.weights, lambda one=crossencoder: one, None)  # type: ignore[misc]
                question = Question(row["question"], date.fromisoformat(row["date"]))
                group = str(row["id"]).split("_")[0]
                yield Case(group, number if number == other else None, answers, question, (search, reader))


def blank_trees() -> Trees:
    leaf = np.full((1, 1), -1, np.intp)
    return Trees(leaf, np.zeros((1, 1)), leaf, leaf, np.zeros((1, 1)), 0.0)


BLANK = Fitted(np.eye(len(PASSAGE_NAMES))[0], np.eye(len(RANK_NAMES))[0], blank_trees(), np.zeros(1), 0.5)


def told(number: int, what: str) -> None:
    if number % 500 == 0:
        print(f"{number} {what}", file=sys.stderr, flush=True)


# Ranking


def fit_found(cases: Sequence[Case]) -> Vector:
    """Weights of what is found of a passage, before any is judged."""
    for number, case in enumerate(cases, 1):
        case.reader._judged = 0
        case.looked = case.reader.look(case.question, case.search(case.question))
        told(number, "searched")
    weights = pairwise_weights([(case.look.rows, right(case, case.look.seen)) for case in cases if case.answers])
    return weights


def judge(cases: Iterable[Case], weights: Vector) -> None:
    """Looks again with these weights: those passages are judged that come first by them."""
    fitted = Fitted(weights, BLANK.rank, BLANK.trees, BLANK.confidence, BLANK.threshold)
    for number, case in enumerate(cases, 1):
        case.reader._fitted, case.reader._judged = fitted, JUDGED
        case.looked = case.reader.look(case.question, [one.found for one in case.look.seen])
        told(number, "judged")


def fit_judged(cases: Sequence[Case]) -> tuple[Vector, list[Evidence]]:
    """Weights of what the cross-encoder says beside that, and every case ranked by weights that have not seen it."""
    rows = {
        n: (rank_features(case.look.rows[:JUDGED], case.look.windows), right(case, case.look.seen[:JUDGED]))
        for n, case in enumerate(cases)
        if case.answers
    }
    ranked: dict[int, Evidence] = {}
    for train, test in folds(cases):
        weights = pairwise_weights([rows[n] for n in train if n in rows])
        ranked.update((n, arrange(weights, cases[n].look)) for n in test)
    report_ranking(cases, ranked)
    return pairwise_weights(list(rows.values())), [ranked[n] for n in range(len(cases))]


def right(case: Case, seen: Sequence[Seen]) -> NDArray[np.bool_]:
    return np.array([holds(one.passage.text, case.answers) for one in seen], bool)


def pairwise_weights(groups: Sequence[tuple[Matrix, NDArray[np.bool_]]], strength: float = 0.003) -> Vector:
    """Logistic regression on differences of a right and a wrong row of one question (as RankSVM does it)."""
    rng = np.random.default_rng(SEED)
    rows = np.concatenate([differences(*group, rng) for group in groups])
    scale = rows.std(axis=0) + 1e-9
    both = np.concatenate([rows, -rows]) / scale
    labels = np.repeat([1, 0], len(rows))
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=2_000).fit(both, labels)
    return np.asarray(model.coef_[0] / scale, np.float64)


def differences(rows: Matrix, right: NDArray[np.bool_], rng: np.random.Generator) -> Matrix:
    wrong = np.flatnonzero(~right)
    pairs = [
        rows[good] - rows[bad]
        for good in np.flatnonzero(right)[:6]
        for bad in rng.choice(wrong, min(len(wrong), 20), replace=False)
    ]
    return np.array(pairs, np.float32).reshape(len(pairs), rows.shape[1])


def report_ranking(cases: Sequence[Case], ranked: Mapping[int, Evidence]) -> None:
    ranks = []
    for n, case in enumerate(cases):
        if case.first_set and case.answers:
            texts = [one.stored.passage.text for one in ranked[n].ranked[:10]]
            ranks.append(next((n for n, text in enumerate(texts, 1) if holds(text, case.answers)), None))
    for k in (1, 5, 10):
        print(f"hit@{k:<3} {np.mean([rank is not None and rank <= k for rank in ranks]):.3f}")
    print(f"mrr@10  {np.mean([1 / rank if rank else 0 for rank in ranks]):.3f}  n={len(ranks)}")


def folds(cases: Sequence[Case]) -> Iterator[tuple[list[int], list[int]]]:
    splitter = GroupKFold(FOLDS)
    for train, test in splitter.split(np.zeros(len(cases)), groups=[case.group for case in cases]):
        yield train.tolist(), test.tolist()


# Sentences


def fit_sentences(cases: Sequence[Case], ranked: Sequence[Evidence]) -> tuple[Trees, list[Vector]]:
    """The trees fitted on everything, and out-of-fold log odds of every case's sentences."""
    for case, evidence in zip(cases, ranked, strict=True):
        case.evidence = evidence
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
    counts = np.where([cases[n].of is None for n in kept], BORROWED, 1.0)
    sure = np.zeros(len(kept))
    place = {n: row for row, n in enumerate(kept)}
    for train, test in folds(cases):
        mine = [place[n] for n in train if n in place]
        fitted = logistic_weights(matrix[mine], right[mine], counts[mine])
        for row in (place[n] for n in test if n in place):
            sure[row] = logistic(float(matrix[row] @ fitted[:-1] + fitted[-1]))
    first = np.array([cases[n].first_set for n in kept])
    threshold = float(np.quantile(sure[first & ~right], REFUSED))
    report_confidence(sure[first], right[first], threshold)
    for number in sorted({case.of for case in cases if case.of}):
        own = np.array([cases[n].of == number for n in kept])
        print(f"set {number + 1}: AUC {auc(list(sure[own & right]), list(sure[own & ~right])):.4f}  n={own.sum()}")
    report_answers([cases[n] for n in kept], [odds[n] for n in kept], sure, threshold)
    return logistic_weights(matrix, right, counts), threshold


def found_at_all(case: Case) -> bool:
    """A question of another set counts as answerable only where a passage that was found holds the answer."""
    return any(holds(one.stored.passage.text, case.answers) for one in case.seen.ranked)


def logistic_weights(rows: Vector, right: NDArray[np.bool_], counts: Vector, strength: float = 10.0) -> Vector:
    """Logistic regression whose weights may not be negative: better evidence never makes less sure.

    What is `missing` counts the other way. Free weights give the development questions half a point more AUC, and
    nonsense where the archive is small.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    scaled, sign = (rows - mean) / scale, np.where(right, 1.0, -1.0)

    def loss(weights: Vector) -> tuple[float, Vector]:
        margin = sign * (scaled @ weights[:-1] + weights[-1])
        pull = -counts * sign / (1 + np.exp(margin))
        value = (counts * np.logaddexp(0, -margin)).sum() + strength / 2 * (weights[:-1] ** 2).sum()
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
