"""The one way in for articles: read, compare, split, store, report.

An article is reported as stored only once its transaction is committed. Only one intake runs at a time.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from corpus.archive import Archive, Stored
from corpus.article import Article
from corpus.passages import passages
from corpus.sources.files import Item

BATCH = 32  # articles a transaction
DOING = {"intake": "changing this archive", "visits": "visiting the sources of this archive"}
OLDER = 1_000  # articles of an older version's archive that an intake puts in their groups of copies, in some seconds


class Busy(RuntimeError):
    """Another program is changing the archive; the message says which."""


@dataclass(frozen=True, slots=True)
class Problem:
    where: str
    reason: str


@dataclass(slots=True)
class Report:
    """What an intake did. Grows while it runs, so that an interrupted one can still be reported."""

    counts: Counter[str] = field(default_factory=Counter)  # outcome -> articles
    notes: list[Problem] = field(default_factory=list)  # stored, but worth a look
    problems: list[Problem] = field(default_factory=list)  # not stored


def take_in(
    items: Iterable[Item],
    archive: Archive,
    *,
    dry: bool = False,
    progress: Callable[[Item], object] = lambda item: None,
    report: Report | None = None,
) -> Report:
    """Stores every readable item; a bad one is reported with its reason and stops nothing. Raises DatabaseError.

    `progress` is told of each article once it is stored.
    """
    report = report or Report()
    if not dry:
        archive.group(OLDER)
    stream = iter(items)
    while batch := list(islice(stream, BATCH)):
        _take_batch(batch, archive, dry, report)
        for item in batch:
            if item.article is not None:
                progress(item)
    if not dry:
        archive.note_intake({**report.counts, "failed": len(report.problems)})
    return report


def _take_batch(batch: Sequence[Item], archive: Archive, dry: bool, report: Report) -> None:
    ready = []
    for item in batch:
        if item.article is None:
            report.problems.append(Problem(item.where, item.problem))
        else:
            ready.append((item.where, item.article))
    stored = archive.store([(article, passages(article)) for _, article in ready], dry=dry)
    for (where, article), outcome in zip(ready, stored, strict=True):
        report.counts[outcome.outcome] += 1
        report.notes += _notes(where, article, outcome)


def _notes(where: str, article: Article, stored: Stored) -> Iterator[Problem]:
    if stored.outcome == "revised" and stored.url != article.url:
        yield Problem(where, f"is another address of the article {stored.url}; stored as its revision {stored.number}")
    if stored.outlet:
        names = f"names {article.outlet!r} as its outlet" if article.outlet else "names no outlet"
        yield Problem(
            where,
            f"{names}, where {stored.url} was of {stored.outlet!r} before; stored as its revision {stored.number}. If "
            "they are two articles, give each its own URL",
        )
    if stored.outcome == "same as":
        yield Problem(where, f"is the article {stored.url} under another address; the address was noted")
    if stored.outcome == "revised" and not stored.alike:
        yield Problem(
            where,
            f"has next to nothing in common with what stood at {stored.url} before; stored as its revision "
            f"{stored.number}. If they are two articles, give each its own URL",
        )


@contextmanager
def only_one(folder: Path, *, wait: float = 0.0, what: str = "intake") -> Iterator[None]:
    """Holds a lock of a data folder; raises Busy, naming the holder, if it is not free within `wait` seconds.

    The lock is the operating system's: a killed holder lets go of it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / f"{what}.holder"
    lock = FileLock(folder / f"{what}.lock")
    try:
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise Busy(
            f"Another pullquote is {DOING[what]} ({_said_by(holder)}). Wait until it has finished, or give "
            "--wait SECONDS."
        ) from error
    try:
        holder.write_text(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", "utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _said_by(holder: Path) -> str:
    with suppress(OSError):
        return holder.read_text("utf-8")[:100]
    return "it has not said which"
