"""Fits the decision on top of the reader's model, and says what each of its numbers is worth.

    python -m benchmarks.fit_reader BENCH TRAINED ARCHIVE LOOKED [--limit N] [--keep]

TRAINED is a data folder with the articles of asked/train, ARCHIVE one with those of realtimeqa. The weights are
fitted on questions of asked/train whose articles the model was not trained on, by folds of articles; calibration on
asked/dev, the quiz of realtimeqa and asked/dev with only the question's article stored; thresholds are read off the
table. What the model says of each passage is kept in the folder LOOKED and made once for each model. --keep writes
retrieval/reader.json.
"""

import argparse
import importlib
import json
import math
import pickle
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.asked.rooms import articles, store
from benchmarks.train_reader.data import held_out, rows
from bot.build import House, opened
from bot.settings import Settings
from retrieval.answer import Found
from retrieval.crossencoder import CHANGES_SHA256
from retrieval.decision import FEATURES, Decision, Vector, features, load_decision, logit, to_json
from retrieval.measure import auc, calibration_error, holds, plain
from retrieval.question import Question, read_question
from retrieval.reader import Evidence, JointReader, choices, confident, runs
from retrieval.scope import Scope

TODAY = "2025-12-31"
FOLDS = 5
SMOOTH = 1e-3  # of the squared weights, in units of each number's spread
OTHER = (
    "other",
    "other_covered",
    "other_covered_around",
    "other_sentence",
)  # fitted on our own articles in five languages
RECENT = ("recent",)  # fitted on the quiz, whose questions have days
ENGLISH = tuple(name for name in FEATURES if name not in (*OTHER, *RECENT))
THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
FIRST = 180  # quiz questions, and as many of the small archives

BLANK = Decision((1.0, *[0.0] * (len(FEATURES) - 1)), 0.0, (1.0, 0.0, 0.0, 0.0), 0.5, 0.2, 0.5, 3.0, 0.5)
Row = dict[str, Any]
Answers = Callable[[str, str, Row], bool]  # whether a quote from an address answers


@dataclass(frozen=True)
class Case:
    """One question with all sentences that were read for it."""

    row: Row
    evidence: Evidence
    right: NDArray[np.bool_]  # (picked,) sentences that answer

    @property
    def possible(self) -> bool:
        return possible(self.row)


@dataclass(frozen=True)
class Shown:
    """The first quote that a decision gives."""

    case: Case
    chance: float
    some: float  # that any sentence answers
    right: bool
    other: float  # 1 where it is not in English
    words: int


def possible(row: Row) -> bool:
    return bool(row["answers"]) if "kind" in row else bool(row["answerable"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("trained", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("looked", type=Path)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(options.bench / "asked"))  # the scorer is independent of us
    answers: Answers = importlib.import_module("score_asked").answers_it
    asked = options.bench / "asked"
    held = [row for row in rows(asked / "train.jsonl.gz") if held_out(row["url"])]
    random.Random(5).shuffle(held)
    quiz = [
        row for row in rows(options.bench / "realtimeqa" / "questions.jsonl") if row["gold_urls"] or not row["answers"]
    ]
    random.Random(5).shuffle(quiz)
    dev = rows(asked / "dev.jsonl")
    fitted_on = looked(options.trained, held[: options.limit], options.looked, "held", answers)
    sets = {
        "asked/dev": looked(options.archive, dev[::2], options.looked, "dev", answers),
        "quiz": looked(options.archive, quiz[:FIRST], options.looked, "quiz", answers),
        "alone": looked(options.archive, dev[:: len(dev) // FIRST], options.looked, "alone", answers, alone=True),
    }
    worth(fitted_on, answers)
    weights, base = fit(fitted_on, ENGLISH)
    decision = replace(load_decision(), weights=tuple(map(float, weights)), base=base)
    tell("quiz", shown(sets["quiz"], weights, base, answers))
    weights, base = fit(sets["quiz"], RECENT, decision)
    decision = replace(decision, weights=tuple(map(float, weights)))
    tell("quiz, recent fitted", shown(sets["quiz"], weights, base, answers))
    other = languages(options.looked, answers)
    for name in other:
        rest = [case for each, cases in other.items() if each != name for case in cases]
        tell(f"{name}, by the others", shown(other[name], *fit(rest, OTHER, decision), answers))
    weights, base = fit([case for cases in other.values() for case in cases], OTHER, decision)
    decision = replace(decision, weights=tuple(map(float, weights)))
    every = {**sets, **({"languages": [case for cases in other.values() for case in cases]})}
    decision = settle(decision, {name: shown(some, weights, base, answers) for name, some in every.items()})
    by_threshold("held out", shown(fitted_on, weights, base, answers), decision)
    bold(sets["asked/dev"], decision, answers)
    further(sets["asked/dev"], decision, answers)
    print(json.dumps(to_json(decision), indent=1))
    if options.keep:
        Path("retrieval/reader.json").write_text(json.dumps(to_json(decision), indent=1) + "\n", "utf-8")


# Reading


def looked(
    archive: Path, questions: Sequence[Row], folder: Path, name: str, answers: Answers, *, alone: bool = False
) -> list[Case]:
    """What was read for each question; kept in the folder by model and set."""
    folder.mkdir(parents=True, exist_ok=True)
    key = sha256(f"{CHANGES_SHA256} {name} {[row['id'] for row in questions]}".encode()).hexdigest()[:12]
    file = folder / f"{name}-{key}.pickle"
    if not file.exists():
        with opened(Settings(data=archive), stays=True) as house:
            file.write_bytes(pickle.dumps(list(_look(house, questions, alone=alone))))
    return _cases(pickle.loads(file.read_bytes()), answers)


def languages(folder: Path, answers: Answers) -> dict[str, list[Case]]:
    """The same for benchmarks/sets/languages, by language."""
    sets = Path(__file__).parent / "sets" / "languages"
    questions = {
        file.name.split(".")[0]: rows(file) for file in sorted(sets.glob("*.jsonl")) if ".articles" not in file.name
    }
    file = folder / f"languages-{CHANGES_SHA256[:12]}.pickle"
    if not file.exists():
        with tempfile.TemporaryDirectory() as data, opened(Settings(data=Path(data)), stays=True) as house:
            store(house, articles(*sorted(sets.glob("*.articles.jsonl"))).values())
            every = {name: list(_look(house, some, alone=False)) for name, some in questions.items()}
        file.write_bytes(pickle.dumps(every))
    read = pickle.loads(file.read_bytes())
    return {name: _cases(some, answers) for name, some in read.items()}


def _cases(read: Iterable[tuple[Row, Evidence]], answers: Answers) -> list[Case]:
    """With the numbers as they are computed now; what the model said stays."""
    return [
        Case(
            row,
            replace(each, rows=features(each.question, each.read, each.picked)),
            _right(row, each, answers),
        )
        for row, each in read
    ]


def _look(house: House, questions: Sequence[Row], *, alone: bool) -> Iterator[tuple[Row, Evidence]]:
    reader = JointReader(BLANK, lambda: house.crossencoder, None)
    for n, row in enumerate(questions, 1):
        question = read_question(row["question"], today=date.fromisoformat(row.get("date") or TODAY))
        found = _alone(house, question, row["url"]) if alone else house.search(question)
        if found:
            yield row, reader.look(question, found)
        if n % 50 == 0:
            print(f"{n} of {len(questions)} read", file=sys.stderr, flush=True)


def _alone(house: House, question: Question, url: str) -> list[Found]:
    """As if nothing else were stored."""
    revision = house.archive.revisions(url)[-1].id
    return house.search(replace(question, scope=Scope(revisions=(revision,))))


def _right(row: Row, evidence: Evidence, answers: Answers) -> NDArray[np.bool_]:
    out = [
        possible(row) and _answers(row, one.sentences[s], one.article.url, answers)
        for one, s in ((evidence.read[p], s) for p, s in evidence.picked)
    ]
    return np.array(out, bool)


def _answers(row: Row, quote: str, url: str, answers: Answers) -> bool:
    return holds(quote, row["answers"]) if "kind" in row else answers(quote, url, row)


# Fitting


def fit(cases: Sequence[Case], names: Iterable[str], known: Decision | None = None) -> tuple[Vector, float]:
    """Weights, one for each of FEATURES, and base: the likeliest of a conditional logit with "none" at 0.

    With `known` its weights and base stay, and those named are fitted beside them.
    """
    use = np.isin(FEATURES, list(names))
    spread = np.concatenate([case.evidence.rows[:, use] for case in cases]).std(axis=0)
    spread = np.where(spread > 1e-3, spread, 1.0)
    tables = [(case.evidence.rows[:, use] / spread, case.right) for case in cases]
    fixed = [known.odds(case.evidence.rows) if known else np.zeros(len(case.right)) for case in cases]
    free = 0.0 if known else 1.0  # the base

    def loss(values: Vector) -> tuple[float, Vector]:
        total, slope = 0.0, np.zeros_like(values)
        for (table, right), given in zip(tables, fixed, strict=True):
            odds = given + table @ values[:-1] + free * values[-1]
            every = np.logaddexp.reduce([0.0, *odds])
            total += every
            pull = np.exp(odds - every)
            if right.any():
                wanted = np.logaddexp.reduce(odds[right])
                total -= wanted
                pull[right] -= np.exp(odds[right] - wanted)
            slope[:-1] += table.T @ pull
            slope[-1] += free * pull.sum()
        smooth = np.append(2 * SMOOTH * values[:-1], 0.0)
        return total / len(cases) + SMOOTH * float(values[:-1] @ values[:-1]), slope / len(cases) + smooth

    found = minimize(loss, np.append(np.zeros(use.sum()), -3.0 * free), jac=True, method="L-BFGS-B").x
    weights = np.array(known.weights) if known else np.zeros(len(FEATURES))
    weights[use] = found[:-1] / spread
    return weights, known.base if known else float(found[-1])


def shown(cases: Sequence[Case], weights: Vector, base: float, answers: Answers) -> list[Shown]:
    return [_shown(case, case.evidence.rows @ weights + base, answers) for case in cases]


def _shown(case: Case, odds: Vector, answers: Answers) -> Shown:
    best = runs(case.evidence, odds)[0]
    one = case.evidence.read[best.passage]
    quote = one.article.text[slice(*one.span(best.first, best.last))]
    right = case.possible and _answers(case.row, quote, one.article.url, answers)
    some = -float(np.expm1(-np.logaddexp.reduce([0.0, *odds])))
    return Shown(case, best.chance, some, right, float(not one.english), len(quote.split()))


def out_of_fold(cases: Sequence[Case], names: Sequence[str], answers: Answers) -> list[Shown]:
    """The first quotes, by weights fitted on other articles' questions."""
    out = []
    folds = [sha256(case.row["url"].encode()).digest()[1] % FOLDS for case in cases]
    for fold in range(FOLDS):
        weights, base = fit([case for case, own in zip(cases, folds, strict=True) if own != fold], names)
        out += shown([case for case, own in zip(cases, folds, strict=True) if own == fold], weights, base, answers)
    return out


def worth(cases: Sequence[Case], answers: Answers) -> None:
    """What each number adds: all of them, each left out, the model's alone."""
    names = ENGLISH
    print(f"{len(cases)} questions, {sum(case.possible for case in cases)} answerable, out of fold")
    tell("all", out_of_fold(cases, names, answers))
    for left in names:
        tell(f"without {left}", out_of_fold(cases, [name for name in names if name != left], answers))
    tell("sentence alone", out_of_fold(cases, names[:1], answers))


def tell(name: str, every: Sequence[Shown]) -> None:
    """Of all questions, as if all were answered: how good the first quote and the order of the chances are."""
    yes = [one for one in every if one.case.possible]
    no = [one for one in every if not one.case.possible]
    told = f"{name:24} right sentence first {np.mean([one.right for one in yes]):.3f}  area {area(every):.3f}"
    sure = auc([one.chance for one in yes], [one.chance for one in no]) if no else float("nan")
    print(f"{told}  AUC {sure:.3f}  words {np.mean([one.words for one in every]):.0f}", flush=True)


def area(every: Sequence[Shown]) -> float:
    """Under precision over recall, by chance."""
    got, total = 0, 0.0
    for n, one in enumerate(sorted(every, key=lambda one: -one.chance), 1):
        got += one.right
        total += one.right * got / n
    return total / max(sum(one.case.possible for one in every), 1)


# Thresholds


def settle(decision: Decision, sets: dict[str, list[Shown]]) -> Decision:
    """Calibration on all sets together, each counting alike; thresholds by it."""
    every = [(one, 1 / len(some)) for some in sets.values() for one in some]
    table = np.array([[logit(one.chance), logit(one.some), 1.0, one.other] for one, _ in every])
    right = np.array([one.right for one, _ in every], float)
    share = np.array([weight for _, weight in every]) / len(sets)

    def loss(values: Vector) -> float:
        odds = table @ values
        return float(share @ (np.logaddexp(0, odds) - right * odds)) + SMOOTH * float(values @ values)

    found = [float(one) for one in minimize(loss, [1.0, 0.0, 0.0, 0.0]).x]
    decision = replace(decision, calibration=(found[0], found[1], found[2], found[3]))
    for name, some in sets.items():
        by_threshold(name, some, decision)
    return decision


def by_threshold(name: str, some: Sequence[Shown], decision: Decision) -> None:
    chances = [confidence(decision, one) for one in some]
    error = calibration_error(chances, [one.right for one in some])
    print(f"{name:12} calibration error {error:.3f}  area {area(some):.3f}")
    for least in THRESHOLDS:
        _at(name, some, chances, least)


def confidence(decision: Decision, one: Shown) -> float:
    first, some, base, foreign = decision.calibration
    odds = first * logit(one.chance) + some * logit(one.some) + base + foreign * one.other
    return 1 / (1 + math.exp(-odds))


def _at(name: str, some: Sequence[Shown], chances: Sequence[float], least: float) -> None:
    answered = [one for one, chance in zip(some, chances, strict=True) if chance >= least]
    possible = sum(one.case.possible for one in some)
    missed = sum(not one.case.possible for one in answered)
    precision = np.mean([one.right for one in answered]) if answered else math.nan
    print(
        f"{name:12} from {least:.2f}: precision {precision:.3f}  "
        f"recall {sum(one.right for one in answered) / max(possible, 1):.3f}  "
        f"refused {1 - missed / max(len(some) - possible, 1):.3f}  shown {len(answered) / len(some):.2f}"
    )


def bold(cases: Sequence[Case], decision: Decision, answers: Answers) -> None:
    """Of the likeliest words of what is answered: how often they are right, by their score above "no answer"; of all,
    and where the quote answers.
    """
    told = []
    for case in cases:
        odds = decision.odds(case.evidence.rows)
        best = runs(case.evidence, odds)[0]
        wanted = case.row.get("answer") if case.possible else ""
        if confident(decision, case.evidence, odds, best) >= decision.sure and (wanted or not case.possible):
            one = case.evidence.read[best.passage]
            score, place = one.judged.answer((one.place(best.first)[0], one.place(best.last)[1]))
            words, gold = (f" {plain(text)} " for text in (one.passage.text[slice(*place)], wanted or ""))
            quote = one.article.text[slice(*one.span(best.first, best.last))]
            holds_it = case.possible and _answers(case.row, quote, one.article.url, answers)
            told.append((score, holds_it, bool(gold.strip()) and (words in gold or gold in words)))
    told.sort(reverse=True)
    for n in range(10, len(told) + 1, 10):
        good = [right for _, holds_it, right in told[:n] if holds_it]
        print(
            f"bold from {told[n - 1][0]:.1f}: {n} of {len(told)} answered, "
            f"right {np.mean([right for *_, right in told[:n]]):.3f}; "
            f"{len(good)} with a right quote, right {np.mean(good) if good else math.nan:.3f}"
        )


def further(cases: Sequence[Case], decision: Decision, answers: Answers) -> None:
    """Of the citations after the first, of questions that are answered: how many answer too, by the bar they need."""
    for bar in THRESHOLDS:
        useful = []
        tried = replace(decision, further=bar)
        for case in cases:
            odds = decision.odds(case.evidence.rows)
            best = runs(case.evidence, odds)[0]
            if confident(decision, case.evidence, odds, best) >= decision.sure:
                for one in choices(tried, case.evidence, odds)[1:]:
                    article = one.revision.article
                    useful.append(
                        case.possible and _answers(case.row, article.text[slice(*one.span)], article.url, answers)
                    )
        print(f"further from {bar:.2f}: {len(useful)}, useful {np.mean(useful) if useful else math.nan:.3f}")


if __name__ == "__main__":
    main()
