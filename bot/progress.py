"""How far an intake is: a bar on a terminal, a line every few seconds elsewhere. Always on standard error."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from bot import messages
from retrieval.encoder import Encoder
from retrieval.models import Matrix

EVERY = 3.0  # seconds between two plain lines
T = TypeVar("T")
PIECE = 128  # passages between two movements of the bar: a few seconds' work at most


class Progress(Protocol):
    """Told what is done; shows it."""

    def read(self) -> None:
        """One more article."""

    def expect(self, passages: int) -> None:
        """So many passages are to be indexed."""

    def indexed(self, passages: int) -> None:
        """So many more are."""


class Counted:
    """An encoder that tells after every few hundred texts; texts of like length still meet in one batch."""

    def __init__(self, encoder: Encoder, told: Callable[[int], None]) -> None:
        self._encoder = encoder
        self._told = told

    @property
    def name(self) -> str:
        return self._encoder.name

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        rows = np.empty((len(texts), self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda one: -len(texts[one]))
        for start in range(0, len(order), PIECE):
            piece = order[start : start + PIECE]
            rows[piece] = self._encoder.encode([texts[one] for one in piece], question=question)
            self._told(len(piece))
        return rows


class Lines:
    """For logs and pipes."""

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic, said: str = messages.READ
    ) -> None:
        self._write = write
        self._said = said
        self._clock = clock
        self._last = self._begun = clock()
        self._articles = self._total = self._done = 0

    def read(self) -> None:
        self._articles += 1
        self._now_and_then(lambda: self._said.format(count=self._articles))

    def expect(self, passages: int) -> None:
        self._total, self._begun = passages, self._clock()

    def indexed(self, passages: int) -> None:
        self._done += passages
        self._now_and_then(self._rate)

    def _rate(self) -> str:
        rate = self._done / max(self._clock() - self._begun, 1e-6)
        left = messages.time_left(max(self._total - self._done, 0) / rate)
        return messages.INDEXED.format(done=self._done, total=self._total, rate=rate, left=left)

    def _now_and_then(self, line: Callable[[], str]) -> None:
        if self._clock() - self._last >= EVERY:
            self._last = self._clock()
            self._write(line())


class Bar:
    """For a terminal."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._articles = bar.add_task(messages.READING, total=None, unit="articles", left="")
        self._passages: Any = None

    def read(self) -> None:
        self._bar.advance(self._articles)
        self._rate(self._articles, "articles")

    def expect(self, passages: int) -> None:
        done = self._bar.tasks[0].completed
        self._bar.update(self._articles, total=done, completed=done)
        if passages:
            self._passages = self._bar.add_task(messages.INDEXING, total=passages, unit="passages", left="")

    def indexed(self, passages: int) -> None:
        if self._passages is not None:
            self._bar.advance(self._passages, passages)
            self._rate(self._passages, "passages")

    def _rate(self, which: Any, noun: str) -> None:
        task = next(one for one in self._bar.tasks if one.id == which)
        left = "" if task.time_remaining is None else f"{messages.time_left(task.time_remaining)} left"
        self._bar.update(which, unit=f"{noun}, {task.speed:,.0f} a second" if task.speed else noun, left=left)


@contextmanager
def shown(said: str = messages.READ) -> Iterator[Progress]:
    """The progress for this standard error; `said` is what plain lines say of articles."""
    if not sys.stderr.isatty():
        write = partial(print, file=sys.stderr, flush=True)  # plain lines are the point
        yield Lines(write, said=said)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description:<17}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
    )
    with RichProgress(*columns, TextColumn("{task.fields[left]}"), console=Console(stderr=True)) as bar:
        yield Bar(bar)


def counted(items: Sequence[T], what: str) -> Iterator[T]:
    """The items, one by one, with a bar or plain lines that say how many have gone by."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=what, console=Console(stderr=True))
        return
    last = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            print(f"{number:,} of {len(items):,} {what}", file=sys.stderr, flush=True)  # noqa: T201 - as above
