"""How well whole articles are ranked: mean average precision over questions with known articles.

    python -m benchmarks.documents DATA QUESTIONS

An article stands where the first of its passages does. QUESTIONS are JSON lines with `question` and `gold_urls`.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from bot.build import House, opened
from bot.settings import Settings
from retrieval.answer import Found
from retrieval.question import Question
from retrieval.reader import load_reader

WIDTH = 200  # passages ranked: as many as the search finds
DRAWS = 1_000  # of the bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("questions", type=Path)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.questions.read_text("utf-8").splitlines()]
    with opened(Settings(data=options.data), stays=True) as house:
        for name, ranked in (("search alone", False), ("reader", True)):
            precisions = [
                average_precision(articles(house, row["question"], ranked=ranked), row["gold_urls"]) for row in rows
            ]
            draws = np.random.default_rng(7).choice(np.array(precisions), (DRAWS, len(precisions))).mean(axis=1)
            low, high = np.quantile(draws, [0.025, 0.975])
            print(f"{name:13} MAP {np.mean(precisions):.3f} [{low:.3f}, {high:.3f}]  n={len(precisions)}")


def articles(house: House, text: str, *, ranked: bool) -> list[str]:
    """Addresses, best first."""
    question = Question(text, date.today())
    found: Sequence[Found] = house.search(question, WIDTH)
    if ranked:
        reader = load_reader(lambda: house.crossencoder, 0.0, house.settings.passages)
        found = reader.read(question, found).ranked
    return list(dict.fromkeys(one.stored.revision.article.url for one in found))


def average_precision(ranked: Sequence[str], relevant: Sequence[str]) -> float:
    """The mean of the precision at each relevant article; 0 for one that is not found."""
    places = [n for n, url in enumerate(ranked, 1) if url in set(relevant)]
    return sum(hits / place for hits, place in enumerate(places, 1)) / len(set(relevant))


if __name__ == "__main__":
    main()
