"""Questions to a program that runs: how long the search and the whole answer take, with and without a date filter.

    python -m benchmarks.warm DATA QUESTIONS.jsonl [--limit 300]

DATA is a data folder that `pullquote ingest` filled; lines of QUESTIONS have a question and, if it has one, its date.
One process, its parts built once as the program builds them; the first 20 questions are not measured, each of the
others is asked once with each filter, so that no answer comes from the cache, and then some of them again. Linux.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

from benchmarks.ingest import machine, table
from bot.build import House, opened
from bot.settings import Settings
from retrieval.answer import Answer
from retrieval.question import Question, read_question
from retrieval.scope import Scope

WARM_UP = 20
AGAIN = 100  # questions asked again; the desk remembers more
MONTH = timedelta(days=29)  # with the last day: 30 days
HEAD = ("", "questions", "p50 ms", "p95 ms", "max ms", "answered")


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    day: date


Scoping = Callable[[Asked], Scope]
Row = tuple[str, ...]
One = TypeVar("One")
Result = TypeVar("Result")


def load(questions: Path, limit: int) -> tuple[list[Asked], list[Asked]]:
    """Those to warm up with, and those to measure; of a question that stands there twice, one."""
    lines = filter(str.strip, questions.read_text("utf-8").splitlines())
    found = [Asked(text, day) for text, day in {row["question"]: _day(row) for row in map(json.loads, lines)}.items()]
    if len(found) <= WARM_UP:
        raise SystemExit(f"{questions.name} has {len(found)} questions; it takes more than {WARM_UP}.")
    return found[:WARM_UP], found[WARM_UP : WARM_UP + limit]


def _day(row: dict[str, str]) -> date:
    return date.fromisoformat(row["date"][:10]) if row.get("date") else date.today()


def filters(house: House) -> dict[str, Scoping]:
    """What to narrow the questions to, by its name in the table."""
    days = sorted(one.day for _, one in house.archive.current() if one.article.published)
    if not days:
        raise SystemExit("No article of this archive has a date.")
    half = days[len(days) // 2]
    share = house.archive.articles_on(None, half) / house.archive.articles_on(None, None)
    return {
        "no filter": lambda _: Scope(),
        "30 days": lambda one: Scope(since=one.day - MONTH, until=one.day),
        f"until {half}, {share:.0%} of the articles": lambda _: Scope(until=half),
    }


def measure(house: House, warm_up: Sequence[Asked], measured: Sequence[Asked]) -> list[Row]:
    ask, body = house.desk.ask, [reading(measured)]
    for name, scope in filters(house).items():
        early, questions = ([Question(one.text, one.day, scope(one)) for one in some] for some in (warm_up, measured))
        timed(ask, early)
        body.append(answers(f"answer, {name}", ask, questions))
        if not questions[0].scope.narrow:
            body.append(answers("answer, the same again", ask, questions[-AGAIN:]))
        body.append(row(f"search, {name}", timed(house.search, questions)[0]))
    return body


def reading(measured: Sequence[Asked]) -> Row:
    """Finding the words of time in a question, which comes before its answer."""
    return row("reading the question", timed(lambda one: read_question(one.text, today=one.day), measured)[0])


def answers(name: str, ask: Callable[[Question], Answer], questions: Sequence[Question]) -> Row:
    spent, given = timed(ask, questions)
    return row(name, spent, f"{sum(one.answered for one in given) / len(given):.0%}")


def timed(job: Callable[[One], Result], items: Sequence[One]) -> tuple[list[float], list[Result]]:
    """Milliseconds that each took, and what came out."""
    spent, results = [], []
    for item in items:
        begun = perf_counter()
        results.append(job(item))
        spent.append((perf_counter() - begun) * 1000)
    return spent, results


def row(name: str, spent: Sequence[float], answered: str = "") -> Row:
    return name, str(len(spent)), *(f"{one:.1f}" for one in (*np.percentile(spent, (50, 95)), max(spent))), answered


def memory() -> str:
    """Of this process; the vectors are a mapped file, which the system takes back when it needs the room."""
    lines = dict(one.split(":", 1) for one in Path("/proc/self/status").read_text("utf-8").splitlines())
    now, own, most = (int(lines[name].split()[0]) // 1024 for name in ("VmRSS", "RssAnon", "VmHWM"))
    return f"resident memory {now} MiB, {own} MiB of it not mapped files; peak {most} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder with an archive")
    parser.add_argument("questions", type=Path, metavar="QUESTIONS", help="JSON lines")
    parser.add_argument("--limit", type=int, default=300, help="of the questions that are measured")
    asked = parser.parse_args()
    with opened(Settings(data=asked.data), stays=True) as house:
        if house.behind():
            raise SystemExit("The indexes are behind the archive. Run: pullquote reindex")
        body = measure(house, *load(asked.questions, asked.limit))
        print(f"{machine()}; {house.archive.status().passages:,} passages")
    print(table(HEAD, body))
    print(memory())


if __name__ == "__main__":
    main()
