"""Intake of the same articles by the stock LangChain stack and by `pullquote ingest`: time and memory.

    python -m benchmarks.ingest ARTICLES.jsonl[.gz] [--rounds 3] [--limit N]

Same weights; each run a fresh process and a fresh data folder, start-up included, the systems in turn within a round.
The model is exported beforehand, once, into a folder that our runs share (PULLQUOTE_MODELS): the export is a matter
of the first run on a machine. For the same reason each system first takes in one article that is not measured.

Ratios are those of the seconds within a round, the median of the rounds. The systems split differently, so a second
ratio compares passages a second. Memory is the peak of the whole process. Needs the extra `bench`; Linux.
"""

import argparse
import gzip
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from statistics import median
from typing import IO

PULLQUOTE = str(Path(sys.executable).with_name("pullquote"))
STOCK = (sys.executable, "-m", "benchmarks.stock")
QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}
PACKAGES = ("langchain-huggingface", "langchain-chroma", "chromadb", "sentence-transformers", "torch", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended."""

    seconds: float
    peak: float  # MiB of resident memory, of the process or of the largest that it waited for
    out: str


@dataclass(frozen=True, slots=True)
class Intake:
    seconds: float
    peak: float  # MiB
    articles: int
    passages: int

    @property
    def speed(self) -> float:
        return self.passages / self.seconds


System = Callable[[Path, Path], Intake]  # articles, a folder that does not exist yet -> what it took


def run(command: Sequence[str], variables: Mapping[str, str], accepted: Sequence[int] = (0,)) -> Finished:
    """Runs a command to its end; SystemExit with the end of what it said where its exit code is not accepted.

    A child's peak starts at what the parent has, so this process imports little and stays small.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **QUIET, **variables})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        said, complaint = (_read(stream) for stream in (out, err))
    if process.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{complaint[-2_000:]}")
    return Finished(seconds, usage.ru_maxrss / 1024, said)


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def stock(articles: Path, folder: Path) -> Intake:
    done = run([*STOCK, "ingest", str(articles), str(folder)], {})
    return Intake(done.seconds, done.peak, **json.loads(done.out))


def ours(engine: str, models: Path) -> System:
    variables = {"PULLQUOTE_MODELS": str(models), "PULLQUOTE_ENGINE": engine}

    def take_in(articles: Path, folder: Path) -> Intake:
        placed = {**variables, "PULLQUOTE_DATA": str(folder)}
        done = run([PULLQUOTE, "ingest", str(articles)], placed, accepted=(0, 1))  # 1: a row was not taken in
        status = json.loads(run([PULLQUOTE, "status", "--json"], placed).out)
        if status["behind"] or not status["articles"]:
            raise SystemExit(f"pullquote ingest did not come to its end:\n{done.out[-2_000:]}")
        return Intake(done.seconds, done.peak, status["articles"], status["passages"])

    return take_in


def systems(models: Path) -> dict[str, System]:
    found = {"stock LangChain": stock, "pullquote, onnxruntime": ours("onnxruntime", models)}
    if importlib.util.find_spec("openvino") is not None:
        found["pullquote, openvino"] = ours("openvino", models)
    return found


def first(articles: Path, limit: int, into: Path) -> Path:
    """A file of the first so many articles."""
    with gzip.open(articles, "rb") if articles.suffix == ".gz" else articles.open("rb") as lines:
        into.write_bytes(b"".join(islice(lines, limit)))
    return into


def measure(articles: Path, limit: int | None, rounds: int) -> dict[str, list[Intake]]:
    with tempfile.TemporaryDirectory(prefix="pullquote-ingest-") as work:
        folder = Path(work)
        asked = systems(folder / "models")
        given = first(articles, limit, folder / "articles.jsonl") if limit else articles
        one = first(articles, 1, folder / "one.jsonl")
        for number, system in enumerate(asked.values()):
            system(one, folder / f"unmeasured-{number}")
        taken: dict[str, list[Intake]] = {name: [] for name in asked}
        for number in range(rounds):
            for place, (name, system) in enumerate(asked.items()):
                intake = system(given, folder / f"{number}-{place}")
                taken[name].append(intake)
                print(f"round {number + 1}: {name}: {intake.seconds:.1f} s", file=sys.stderr, flush=True)
        return taken


TIMES = ("seconds", "min-max", "passages/s", "x stock", "x a passage")
HEAD = ("", "articles", "passages", *TIMES, "peak MiB", "of stock")


def rows(taken: Mapping[str, Sequence[Intake]]) -> list[tuple[str, ...]]:
    base = next(iter(taken.values()))
    return [_row(name, intakes, base) for name, intakes in taken.items()]


def _row(name: str, intakes: Sequence[Intake], base: Sequence[Intake]) -> tuple[str, ...]:
    pairs = list(zip(intakes, base, strict=True))
    seconds = [one.seconds for one in intakes]
    return (
        name,
        f"{intakes[0].articles:,}",
        f"{intakes[0].passages:,}",
        f"{median(seconds):.1f}",
        f"{min(seconds):.1f}-{max(seconds):.1f}",
        f"{median(one.speed for one in intakes):.1f}",
        f"{median(other.seconds / one.seconds for one, other in pairs):.2f}",
        f"{median(one.speed / other.speed for one, other in pairs):.2f}",
        f"{median(one.peak for one in intakes):.0f}",
        f"{median(one.peak / other.peak for one, other in pairs):.2f}",
    )


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Columns in line: words on the left, numbers on the right."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    return "\n".join(_line(cells, widths) for cells in (head, *body))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *numbers]).rstrip()


def machine() -> str:
    """What the figures depend on."""
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text("utf-8").split() if cpu.exists() else []
    fast = "with" if {"avx512_bf16", "amx_bf16"} & set(flags) else "without"
    return f"{len(os.sched_getaffinity(0))} processor cores {fast} bf16"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path, metavar="ARTICLES", help="JSON lines, plain or .gz")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="only the first so many articles")
    asked = parser.parse_args()
    taken = measure(asked.articles, asked.limit, asked.rounds)
    print(f"{machine()}; {asked.rounds} rounds; {', '.join(f'{name} {version(name)}' for name in PACKAGES)}")
    print(table(HEAD, rows(taken)))


if __name__ == "__main__":
    main()
