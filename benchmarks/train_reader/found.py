"""What the program's own search finds for questions that are trained on: the wrong passages that the reader will meet.

    python -m benchmarks.train_reader.found BENCH ARCHIVE OUT [--questions N]

ARCHIVE is a data folder that the articles of asked/ and of RealTimeQA 2023 were taken into. Writes groups for
`python -m benchmarks.train_reader --found OUT`.
"""

import argparse
import pickle
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from benchmarks.train_reader import data
from benchmarks.train_reader.data import Group, Passage
from bot.build import opened
from bot.settings import Settings
from retrieval.answer import Found
from retrieval.measure import holds
from retrieval.question import Question
from retrieval.search import Search

KEPT = 16  # wrong passages of other articles a question
TODAY = date(2025, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=8_000)
    options = parser.parse_args()
    every = data.people_ask(options.bench / "asked", held=False)
    some = data.sample(every, options.questions, random.Random(11))
    with opened(Settings(data=options.archive), stays=True) as house:
        made = list(with_found(some, house.search))
    options.out.write_bytes(pickle.dumps(made))
    print(len(made), data.counted(made))


def with_found(groups: Iterable[Group], search: Search) -> Iterator[Group]:
    """Each group with the passages of other articles that are found for it and do not hold its answer."""
    for group in groups:
        titles = {one.title for one in group.own}
        answers = [one.text[slice(*one.answer)] for one in group.own if one.answer]
        found = [_passage(one) for one in search(Question(group.question, TODAY))]
        others = [one for one in found if one.title not in titles and not (answers and holds(one.text, answers))]
        yield replace(group, others=tuple(others[:KEPT]))


def _passage(found: Found) -> Passage:
    passage = found.stored.passage
    published = passage.article.published
    return Passage(
        title=passage.article.title,
        day=published.date().isoformat() if published else "",
        text=passage.text,
        sentences=tuple((a - passage.start, b - passage.start) for a, b in passage.sentences),
        labels=(0,) * len(passage.sentences),
    )


if __name__ == "__main__":
    main()
