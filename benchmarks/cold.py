"""A question from cold: `pullquote ask` and the stock LangChain stack, whole process, in turn.

    python -m benchmarks.cold DATA [--rounds 5] [--question "..." ...] [--stock FOLDER]

DATA is a data folder that `pullquote ingest` filled (PULLQUOTE_DATA). The stock stack gives the ten nearest passages
from its own persisted store, which holds the same passages and vectors; it is made once, in --stock FOLDER if given.
Cold means a new process; what it reads is in the file cache, for each asks one question before that is not measured.
An extra run lists the large libraries that our process imported. Needs the extra `bench`; Linux.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.ingest import PULLQUOTE, STOCK, Finished, machine, run, table

QUESTIONS = (
    "What did the president announce?",
    "How many people were killed in the attack?",
    "Why did the prime minister resign?",
    "Who won the election?",
    "When will the new law take effect?",
)
HEAVY = ("torch", "sentence_transformers", "transformers", "langchain", "chromadb")  # beginnings of names
IMPORTED = """
import json, sys
from bot.cli import main
main(["ask", sys.argv[1], "--json"], prog_name="pullquote", standalone_mode=False)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
HEAD = ("", "median s", "min", "max", "x stock", "peak MiB")


def stock_store(data: Path, folder: Path) -> Path:
    """The store of the stock stack, made again only where our index has changed since."""
    store, mark = folder / "langchain-chroma", folder / "langchain-chroma.json"
    source = (data / "vectors" / "snapshot.json").read_text("utf-8")
    if not mark.exists() or mark.read_text("utf-8") != source:
        shutil.rmtree(store, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        print("Making the store of the stock stack.", file=sys.stderr, flush=True)
        run([*STOCK, "copy", str(data), str(store)], {})
        mark.write_text(source, "utf-8")
    return store


def ask_ours(data: Path, question: str) -> Finished:
    return run([PULLQUOTE, "ask", question, "--json"], {"PULLQUOTE_DATA": str(data)})


def ask_stock(store: Path, question: str) -> Finished:
    done = run([*STOCK, "search", str(store), question], {})
    if not json.loads(done.out):
        raise SystemExit("The stock stack found nothing: its store is empty.")
    return done


def measure(data: Path, store: Path, questions: Sequence[str], rounds: int) -> tuple[list[Finished], list[Finished]]:
    ours, stock = [], []
    for number in range(-1, rounds):
        question = questions[number % len(questions)]
        pair = ask_ours(data, question), ask_stock(store, question)
        if number >= 0:
            ours.append(pair[0])
            stock.append(pair[1])
    return ours, stock


def row(name: str, runs: Sequence[Finished], base: Sequence[Finished]) -> tuple[str, ...]:
    seconds = [one.seconds for one in runs]
    ratios = [other.seconds / one.seconds for one, other in zip(runs, base, strict=True)]
    return (
        name,
        *(f"{value:.2f}" for value in (median(seconds), min(seconds), max(seconds), median(ratios))),
        f"{median(one.peak for one in runs):.0f}",
    )


def imported(data: Path, question: str) -> str:
    done = run([sys.executable, "-c", IMPORTED, question], {"PULLQUOTE_DATA": str(data)})
    names = json.loads(done.out.splitlines()[-1])
    heavy = [name for name in names if name.startswith(HEAVY)]
    return ", ".join(heavy) or f"none of {', '.join(HEAVY)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder with an archive")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--question", nargs="+", default=QUESTIONS, help="asked in turn, one a round")
    parser.add_argument("--stock", type=Path, metavar="FOLDER", help="where the stock stack's store is kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pullquote-cold-") as work:
        status = json.loads(run([PULLQUOTE, "status", "--json"], {"PULLQUOTE_DATA": str(asked.data)}).out)
        if status["behind"]:
            raise SystemExit("The indexes are behind the archive. Run: pullquote reindex")
        store = stock_store(asked.data, asked.stock or Path(work))
        ours, stock = measure(asked.data, store, asked.question, asked.rounds)
        modules = imported(asked.data, asked.question[0])
    packages = ", ".join(f"{name} {version(name)}" for name in ("langchain-huggingface", "langchain-chroma"))
    print(f"{machine()}; {status['passages']:,} passages; {asked.rounds} rounds; {packages}")
    print(table(HEAD, [row("stock LangChain, ten nearest", stock, stock), row("pullquote ask", ours, stock)]))
    print(f"imported by pullquote: {modules}")


if __name__ == "__main__":
    main()
