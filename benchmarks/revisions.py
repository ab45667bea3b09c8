"""Whether a text that was replaced is gone from the answers, and still there for who asks as of its day.

    python -m benchmarks.revisions REVISIONS [--limit N] [--data FOLDER]

REVISIONS holds lines with a url and two states of its text, `old` and `new`, each with the day on which it was seen.
All older ones are taken in with `pullquote ingest`, then all newer ones; then, with `pullquote ask --batch`, a sentence
is asked for each article that only its older text has. Everything goes through the command line, as a user does it.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from corpus.article import normalise
from corpus.changes import stands
from corpus.sentences import sentences

Row = dict[str, Any]
WORDS = range(8, 41)  # of a sentence that is asked


def read(file: Path, limit: int | None) -> list[Row]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][:limit]


def only_old(row: Row) -> str:
    """The longest sentence of the older text that the newer one does not have; "" for none."""
    old, new = normalise(row["old"]["text"]), normalise(row["new"]["text"])
    gone = (old[slice(*span)] for span in sentences(old))
    gone = (one for one in gone if len(one.split()) in WORDS and not stands(one, new))
    return max(gone, key=len, default="")


def pullquote(data: Path, *words: str, told: str | None = None) -> list[Row]:
    command = [sys.executable, "-m", "bot.cli", *words]
    environment = {**os.environ, "PULLQUOTE_DATA": str(data)}
    done = subprocess.run(command, input=told, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def ingest(data: Path, rows: Iterable[Row], state: str) -> Row:
    lines = (
        {"url": row["url"], "text": row[state]["text"], "retrieved": f"{row[state]['seen']}T12:00:00+00:00"}
        for row in rows
    )
    counts: Row = pullquote(data, "ingest", "-", "--json", told="".join(f"{json.dumps(one)}\n" for one in lines))[0][
        "counts"
    ]
    return counts


def ask(data: Path, questions: Sequence[Row]) -> dict[str, Row]:
    told = "".join(f"{json.dumps(one)}\n" for one in questions)
    return {one["id"]: one for one in pullquote(data, "ask", "--batch", "-", "--json", told=told)}


def report(rows: Sequence[Row], data: Path) -> None:
    begun = time.perf_counter()
    print("older texts:", ingest(data, rows, "old"))
    print("newer texts:", ingest(data, rows, "new"))
    listed = pullquote(data, "list", "--json")
    live = Counter(one["url"] for one in listed)
    print(f"live documents for each URL: {min(live.values())} to {max(live.values())}, of {len(live)} URLs")
    print(f"of them in their second revision: {sum(one['revision'] == 2 for one in listed)}")
    new = {row["url"]: normalise(row["new"]["text"]) for row in rows}
    asked = {row["url"]: only_old(row) for row in rows}
    questions = [{"id": url, "question": one} for url, one in asked.items() if one]
    print(f"articles with a sentence that only the older text has: {len(questions)}")
    answers = ask(data, questions)
    cited = [one for answer in answers.values() for one in answer["citations"]]
    stale = [one for one in cited if not stands(one["quote"], new[one["url"]])]
    print(f"asked today: {sum(one['answered'] for one in answers.values())} answered, {len(cited)} citations")
    print(f"citations of a sentence that only the older text has: {len(stale)}")
    then = {row["url"]: row["old"]["seen"] for row in rows}
    back = ask(data, [{**one, "as_of": then[one["id"]]} for one in questions])
    own = [url for url, answer in back.items() if any(asked[url] in one["context"] for one in answer["citations"])]
    print(f"asked as of the older text's day, that sentence is cited: {len(own)} of {len(questions)}")
    print(f"{time.perf_counter() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("revisions", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--data", type=Path, help="an empty folder; it stays")
    options = parser.parse_args()
    rows = read(options.revisions, options.limit)
    if options.data:
        report(rows, options.data)
        return
    with tempfile.TemporaryDirectory() as folder:
        report(rows, Path(folder))


if __name__ == "__main__":
    main()
