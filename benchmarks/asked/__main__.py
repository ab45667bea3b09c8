"""What a reader gets who asks as people ask: every figure of the answers, each with its 95 % interval.

    python -m benchmarks.asked BENCH [--dev DATA] [--small] [--istanbul FILE] [--languages]
                               [--typing DATA] [--again DATA] [--limit N]

BENCH holds asked/dev.jsonl, asked/score_asked.py (which says what is right) and realtimeqa/articles.jsonl.gz. Each part
stands alone:

--dev DATA       the questions of asked/dev.jsonl, asked of DATA, a data folder into which those articles were ingested
--small          the same, with only the question's own article stored, and with 4 and 14 others beside it
--istanbul FILE  benchmarks/sets/istanbul.jsonl, asked of the one article that FILE holds, each with its outcome
--languages      benchmarks/sets/languages, asked in German, French, Spanish, Ukrainian and Russian of one archive
--typing DATA    of the --dev questions answered rightly, each with two letters exchanged: the share still right
--again DATA     the --dev questions asked again: in one process, of a new process, with the other engine

A near miss looks as if its article answered it. Refused is what is not answered; `perhaps`, one closest passage marked
as unsure, is no answer. --limit N draws N questions for each part, always the same, and with --small N articles.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TypeVar

from benchmarks.asked.figures import Figure, Judged, Row, Scorer, figures, mean
from benchmarks.asked.rooms import Builder, articles, ask, ask_anew, rows, store
from benchmarks.asked.slips import slipped
from bot.build import House, opened
from bot.settings import Settings
from retrieval.models import Engine

SETS = Path(__file__).parent.parent / "sets"
LANGUAGES = ("german", "french", "spanish", "ukrainian", "russian")
BESIDE = (0, 4, 14)  # articles that stand beside the one asked about
POOL = 100  # articles that these are drawn from: each is encoded once
SEED = 7
TOLD = 10  # times that a part tells how far it is
One = TypeVar("One")


@dataclass(frozen=True)
class Run:
    """What every part needs."""

    bench: Path
    scorer: Scorer
    limit: int | None
    models: Path | None
    json: bool
    keep: IO[str] | None

    def show(self, part: str, shown: Sequence[Figure], judged: Iterable[Judged] = ()) -> None:
        """Prints a part's figures and keeps its answers."""
        if self.json:
            print(json.dumps({"part": part, "figures": [asdict(one) for one in shown]}), flush=True)
        else:
            print(part, *(f"  {one}" for one in shown), sep="\n", flush=True)
        for one in judged if self.keep else ():
            kept = {"part": part, "outcome": one.outcome, "asked": one.question, "given": one.answer}
            print(json.dumps(kept, ensure_ascii=False), file=self.keep, flush=True)

    @property
    def dev(self) -> list[Row]:
        return rows(self.bench / "asked" / "dev.jsonl")

    def ask(self, house: House, questions: Sequence[Row], part: str) -> list[Judged]:
        return [self.scorer.judge(one, ask(house, one)) for one in told(questions, part)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    for name, value in {"dev": "DATA", "istanbul": "FILE", "typing": "DATA", "again": "DATA"}.items():
        parser.add_argument(f"--{name}", type=Path, metavar=value)
    for name in ("small", "languages"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--limit", type=int, metavar="N")
    parser.add_argument("--models", type=Path, help="exported models, as in a data folder; made anew where not given")
    parser.add_argument("--json", action="store_true", help="print one JSON object a part")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write every question, answer and outcome there")
    options = parser.parse_args()
    parts = [name for name in PARTS if getattr(options, name)]
    if not parts:
        parser.error("Name at least one part: " + ", ".join(f"--{name}" for name in PARTS) + ".")
    with ExitStack() as stack:
        keep = stack.enter_context(options.keep.open("w", encoding="utf-8")) if options.keep else None
        run = Run(options.bench, Scorer(options.bench), options.limit, options.models, options.json, keep)
        for name in parts:
            PARTS[name](run, getattr(options, name))


def few(items: Sequence[One], limit: int | None) -> list[One]:
    """So many of them, in their order: drawn, because neighbours are of one article."""
    drawn = random.Random(SEED).sample(range(len(items)), min(limit or len(items), len(items)))
    return [items[at] for at in sorted(drawn)]


def told(items: Sequence[One], part: str) -> Iterator[One]:
    for number, one in enumerate(items):
        if number % max(len(items) // TOLD, 1) == 0:
            print(f"{part}: {number} of {len(items)}", file=sys.stderr, flush=True)
        yield one


# The parts


def dev(run: Run, data: Path) -> None:
    with there(data) as house:
        judged = run.ask(house, few(run.dev, run.limit), "dev")
    run.show("dev", figures(judged, run.scorer), judged)


def small(run: Run, _: object) -> None:
    by_article: dict[str, list[Row]] = {}
    for one in run.dev:
        by_article.setdefault(one["url"], []).append(one)
    stored = articles(run.bench / "realtimeqa" / "articles.jsonl.gz")
    pool = random.Random(SEED).sample(sorted(stored), min(POOL, len(stored)))
    judged: dict[int, list[Judged]] = {size: [] for size in BESIDE}
    with making(run) as builder:
        for url in told(few(list(by_article), run.limit), "small"):
            beside = random.Random(url).sample([one for one in pool if one != url], max(BESIDE))
            with tempfile.TemporaryDirectory() as folder, builder.archive(Path(folder)) as house:
                for size, before in zip(BESIDE, (None, *BESIDE), strict=False):
                    new = [url] if before is None else beside[before:size]
                    store(house, [stored[one] for one in new])
                    judged[size] += [run.scorer.judge(one, ask(house, one)) for one in by_article[url]]
    for size, of_size in judged.items():
        run.show(f"small, {size} others", figures(of_size, run.scorer), of_size)


def istanbul(run: Run, file: Path) -> None:
    stored = articles(file)
    [url] = stored
    questions = [{**one, "url": url} for one in few(rows(SETS / "istanbul.jsonl"), run.limit)]
    with making(run) as builder, tempfile.TemporaryDirectory() as folder, builder.archive(Path(folder)) as house:
        store(house, stored.values())
        judged = run.ask(house, questions, "istanbul")
    run.show("istanbul", told_apart(judged), judged)
    for one in judged if not run.json else ():
        first = (one.answer["citations"] or [one.answer.get("perhaps") or {"quote": ""}])[0]["quote"]
        print(f"  {'' if one.answerable else 'near miss, '}{one.outcome}: {one.question['question']} | {first[:100]}")


def languages(run: Run, _: object) -> None:
    folder = SETS / "languages"
    every: list[Judged] = []
    with making(run) as builder, tempfile.TemporaryDirectory() as data, builder.archive(Path(data)) as house:
        store(house, articles(*(folder / f"{one}.articles.jsonl" for one in LANGUAGES)).values())
        for language in LANGUAGES:
            judged = run.ask(house, few(rows(folder / f"{language}.jsonl"), run.limit), language)
            run.show(language, told_apart(judged), judged)
            every += judged
    run.show("languages together", figures(every, run.scorer))


def typing(run: Run, data: Path) -> None:
    with there(data) as house:
        plain = run.ask(house, few([one for one in run.dev if one["answerable"]], run.limit), "typing, as written")
        right = [one.question for one in plain if one.right]
        slips = {one["id"]: slipped(one["question"], one["id"]) for one in right}
        judged = [
            run.scorer.judge({**one, "slipped": slips[one["id"]]}, ask(house, one, slips[one["id"]]))
            for one in told(right, "typing, slipped")
        ]
    run.show("typing", [mean("still right", [one.right for one in judged])], judged)


def again(run: Run, data: Path) -> None:
    asked = few(run.dev, run.limit)
    engine, other = engines()
    with opened(Settings(data=data, engine=engine), stays=True) as house:
        first = [ask(house, one) for one in told(asked, f"again, {engine}")]
        del house.desk  # a new one: the desk remembers what it answered
        twice = [ask(house, one) for one in told(asked, "again, in one process")]
    tried = {"asked twice in one process": twice}
    for name, each in (("after a restart", engine), (f"{engine} and {other}", other)):
        print(f"again, {name}: {len(asked)} questions", file=sys.stderr, flush=True)
        tried[name] = ask_anew(data, asked, each)
    shown = [mean(f"the same: {name}", alike(first, given)) for name, given in tried.items()]
    run.show("again", shown)


PARTS: Mapping[str, Callable[[Run, Path], None]] = {
    "dev": dev,
    "small": small,
    "istanbul": istanbul,
    "languages": languages,
    "typing": typing,
    "again": again,
}

# What parts share


@contextmanager
def there(data: Path) -> Iterator[House]:
    """A data folder that was filled before."""
    with opened(Settings(data=data), stays=True) as house:
        if not house.indexed or house.behind():
            raise SystemExit(f"{data} has no index that is in step with its archive. Run: pullquote reindex")
        yield house


@contextmanager
def making(run: Run) -> Iterator[Builder]:
    with tempfile.TemporaryDirectory() as folder:
        yield Builder(run.models or Path(folder))


def told_apart(judged: Sequence[Judged]) -> list[Figure]:
    """The two figures of a set that is too small for more."""
    return [
        mean("right, of the answerable", [one.right for one in judged if one.answerable]),
        mean("refused, of the near misses", [not one.answered for one in judged if not one.answerable]),
    ]


def engines() -> tuple[Engine, Engine]:
    """The one in force and another; that which is quicker on most machines where the settings leave it open."""
    if Settings().engine == "onnxruntime":
        return "onnxruntime", "openvino"
    return "openvino", "onnxruntime"


def alike(some: Sequence[Row], others: Sequence[Row]) -> list[bool]:
    """Whether two answers to one question have the same outcome and the same first quote."""
    return [outcome(one) == outcome(other) for one, other in zip(some, others, strict=True)]


def outcome(answer: Row) -> tuple[bool, bool, str, str]:
    perhaps = answer.get("perhaps")
    first = (answer["citations"] or [perhaps or {"quote": "", "url": ""}])[0]
    return bool(answer["answered"]), bool(perhaps), first["quote"], first["url"]


if __name__ == "__main__":
    main()
