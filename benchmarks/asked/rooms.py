"""Archives that questions are asked of: one that is there, or small ones made for it, which share their models."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.asked.figures import Row
from bot.build import House, opened
from bot.settings import Settings
from corpus.intake import take_in
from corpus.sources.files import Item, read
from retrieval.answer import to_json
from retrieval.encoder import Encoder
from retrieval.models import Matrix
from retrieval.question import read_question


class Once:
    """An encoder that encodes no passage twice: the small archives hold the same articles again and again."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.dimension = encoder.name, encoder.dimension
        self._encoder = encoder
        self._known: dict[str, Any] = {}

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        if question:
            return self._encoder.encode(texts, question=True)
        new = [one for one in dict.fromkeys(texts) if one not in self._known]
        self._known.update(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._known[one] for one in texts]) if texts else self._encoder.encode(())


class Builder:
    """Makes small archives with one set of models."""

    def __init__(self, models: Path) -> None:
        self.models = models
        lender = House(Settings(data=models, models=models), stays=True)
        self._encoder, self._crossencoder = Once(lender.encoder), lender.crossencoder

    @contextmanager
    def archive(self, folder: Path) -> Iterator[House]:
        with opened(Settings(data=folder, models=self.models), stays=True) as house:
            house.encoder, house.crossencoder = self._encoder, self._crossencoder
            yield house


def store(house: House, items: Iterable[Item]) -> None:
    """Takes articles in and indexes them. SystemExit names one that cannot be taken in."""
    report = take_in(items, house.archive)
    if report.problems:
        raise SystemExit(f"{report.problems[0].where}: {report.problems[0].reason}")
    house.index(lambda encoder: house.encoder).catch_up()


def articles(*files: Path) -> dict[str, Item]:
    """By their addresses."""
    return {one.article.url: one for one in read([str(file) for file in files]) if one.article}


def rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def ask(house: House, question: Row, text: str = "") -> Row:
    """The JSON of the answer. `text` may stand for the question's own."""
    today = date.fromisoformat(question["date"][:10]) if question.get("date") else date.today()
    asked = read_question(text or question["question"], today=today, citations=house.settings.citations)
    return to_json(house.desk.ask(asked), question["id"])


def ask_anew(data: Path, questions: Sequence[Row], engine: str) -> list[Row]:
    """The JSON of the answers of a process that is started for them."""
    environment = {**os.environ, "PULLQUOTE_DATA": str(data), "PULLQUOTE_ENGINE": engine}
    told = "".join(f"{json.dumps(one)}\n" for one in questions)
    command = [sys.executable, "-m", "bot.cli", "ask", "--batch", "-", "--json"]
    done = subprocess.run(command, input=told, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
