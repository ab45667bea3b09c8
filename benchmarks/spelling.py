"""Slips of typing: how many are put right, and how many right words are taken for slips.

    python -m benchmarks.spelling DATA QUESTIONS.jsonl [--elsewhere MORE.jsonl.gz] [--seed 7] [--show]

DATA is a data folder that `pullquote ingest` filled; lines of QUESTIONS have a question and the url of its article.
In each question two neighbouring letters of one word are exchanged: of a name (a capital, not at the head) of three
letters or more, or of a word of five or more. All questions are also read as they are, and those of MORE, about news
that DATA does not hold, whose names are unknown to it. Then the same of each article alone. Nothing is answered here.
"""

import argparse
import gzip
import json
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.ingest import table
from bot.build import House, opened
from bot.settings import Settings
from retrieval.keywords import Keywords
from retrieval.question import Question
from retrieval.scope import entry
from retrieval.search import Search
from retrieval.vectors import Stamp

RIGHT, WRONG, LEFT = "put right", "made another word", "left as it is"
HEAD = ("", "slips", RIGHT, WRONG, LEFT, "p50 CPU ms", "p95 CPU ms", "right words touched")
_NAME_OR_LONG = re.compile(r"(?<!^)\b[A-ZÀ-Þ][^\W\d_]{2,}|\b[^\W\d_]{5,}")


@dataclass(frozen=True, slots=True)
class Read:
    """What became of one slip."""

    typed: str
    read: str
    kind: str
    spent: float  # milliseconds of processor time, so that other work makes no difference


def load(path: Path) -> dict[str, list[str]]:
    """Questions by the url of their article."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    found = defaultdict(list)
    for row in map(json.loads, raw.decode("utf-8").splitlines()):
        found[row.get("url", "")].append(row["question"])
    return found


def slip(question: str, chance: random.Random) -> str:
    """The question with two letters exchanged; as it is where no word will do."""
    words = list(_NAME_OR_LONG.finditer(question))
    word = chance.choice(words) if words else None
    pairs = (
        [n for n in range(word.start(), word.end() - 1) if question[n].lower() != question[n + 1].lower()]
        if word
        else []
    )
    n = chance.choice(pairs) if pairs else 0
    return question[:n] + question[n + 1] + question[n] + question[n + 2 :] if pairs else question


def spelled(search: Search, text: str) -> str:
    return search.spelled(Question(text, date.today())).text


def read(search: Search, question: str, typed: str) -> Read:
    """Capitals aside, which the exchange of the first two letters moves."""
    begun = process_time()
    got = spelled(search, typed)
    spent = (process_time() - begun) * 1000
    right = got.lower() in (question.lower(), spelled(search, question).lower())
    return Read(typed, got, RIGHT if right else LEFT if got == typed else WRONG, spent)


def touched(search: Search, questions: Iterable[str]) -> Iterator[str]:
    """A line for each word of a question as it is that is read as another."""
    for question in questions:
        pairs = zip(question.split(), spelled(search, question).split(), strict=True)
        yield from (f"{one} > {other}" for one, other in pairs if one != other)


def alone(house: House, url: str, folder: Path) -> Search:
    """The search as it would be if the archive had this article only."""
    keywords = Keywords(folder)
    passages = house.archive.passages_of([house.archive.revisions(url)[-1].id])
    keywords.apply([entry(one) for one in passages], [], Stamp(1, "", 0, 1))
    return Search(house.archive, house.vectors, keywords, lambda: house.encoder)


def slips(search: Search, questions: Iterable[str], chance: random.Random) -> list[Read]:
    typed = ((one, slip(one, chance)) for one in questions)
    return [read(search, one, wrong) for one, wrong in typed if wrong != one]


def row(name: str, done: Sequence[Read], false: Sequence[str], words: int) -> tuple[str, ...]:
    kinds = Counter(one.kind for one in done)
    shares = (f"{kinds[one] / len(done):.3f}" for one in (RIGHT, WRONG, LEFT)) if done else ("", "", "")
    spent = (f"{one:.2f}" for one in np.percentile([one.spent for one in done], (50, 95))) if done else ("", "")
    return name, str(len(done)), *shares, *spent, f"{len(false)} of {words:,}"


def each_alone(
    house: House, questions: Mapping[str, Sequence[str]], chance: random.Random
) -> tuple[list[Read], list[str]]:
    done: list[Read] = []
    false: list[str] = []
    for url, asked in questions.items():
        with tempfile.TemporaryDirectory() as folder:
            search = alone(house, url, Path(folder) / "keywords")
            done += slips(search, asked, chance)
            false += touched(search, asked)
    return done, false


def measure(house: House, asked: Mapping[str, Sequence[str]], others: Sequence[str], seed: int, show: bool) -> None:
    chance, every = random.Random(seed), [one for some in asked.values() for one in some]
    words = sum(len(one.split()) for one in every)
    spelled(house.search, every[0])  # the table of words is read with the first
    whole, single = slips(house.search, every, chance), each_alone(house, asked, chance)
    false, far = list(touched(house.search, every)), list(touched(house.search, others))
    body = [row("the whole archive", whole, false, words), row("one article alone", *single, words)]
    body += [row("questions about other news", [], far, sum(len(one.split()) for one in others))] if others else []
    print(table(HEAD, body))
    for title, some in (("as they are", false), ("one article", single[1]), ("other news", far)):
        print(f"{title}: {', '.join(some) or 'none'}")
    for one in [one for one in whole if one.kind != RIGHT] if show else []:
        print(f"{one.kind}\n  {one.typed}\n  {one.read}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder with an archive")
    parser.add_argument("questions", type=Path, metavar="QUESTIONS", help="JSON lines, or .gz of them")
    parser.add_argument("--elsewhere", type=Path, help="questions about news that the archive does not hold")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", action="store_true", help="every slip that was not put right")
    given = parser.parse_args()
    others = [one for some in load(given.elsewhere).values() for one in some] if given.elsewhere else []
    with opened(Settings(data=given.data), stays=True) as house:
        measure(house, load(given.questions), others, given.seed, given.show)


if __name__ == "__main__":
    main()
