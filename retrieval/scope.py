"""Which passages a question may be answered from, and what the indexes keep of a passage to tell."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from corpus.archive import FOREVER, StoredPassage

UNDATED = date.min.toordinal()
STANDING = FOREVER.toordinal()
FIELDS = np.dtype([("id", "i8"), ("revision", "i8"), ("day", "i4"), ("since", "i4"), ("until", "i4"), ("outlet", "i8")])
FIELD_NAMES = ("id", "revision", "day", "since", "until", "outlet")
Fields = NDArray[np.void]  # rows of FIELDS


@dataclass(frozen=True, slots=True)
class Scope:
    """Filters of one question. Days are inclusive; empty means everything that stands today."""

    since: date | None = None
    until: date | None = None
    outlets: tuple[str, ...] = ()
    as_of: date | None = None  # the archive as it stood at the end of this day
    revisions: tuple[int, ...] = ()  # ids: only the articles that an earlier answer cites
    undated: bool = False  # whether articles without a date pass a filter by dates

    @property
    def narrow(self) -> bool:
        return bool(self.since or self.until or self.outlets or self.as_of or self.revisions)

    @property
    def days(self) -> tuple[int, int]:
        """First and last day of publication as ordinals. Undated articles are outside of them, whatever is asked."""
        first = self.since.toordinal() if self.since else UNDATED + (self.until is not None)
        last = self.until.toordinal() if self.until else STANDING
        return first, last

    def mask(self, fields: Fields) -> NDArray[np.bool_]:
        first, last = self.days
        inside = (fields["day"] >= first) & (fields["day"] <= last)
        if self.undated:
            inside |= fields["day"] == UNDATED
        if self.as_of:
            day = self.as_of.toordinal()
            inside &= (fields["since"] <= day) & (day < fields["until"])
        else:
            inside &= fields["until"] == STANDING
        if self.outlets:
            inside &= np.isin(fields["outlet"], [outlet_code(outlet) for outlet in self.outlets])
        if self.revisions:
            inside &= np.isin(fields["revision"], self.revisions)
        return inside


@dataclass(frozen=True, slots=True)
class Entry:
    """One passage as the indexes take it in."""

    id: int
    revision: int
    day: int  # ordinals of `Scope.days`
    since: int
    until: int
    outlet: int  # its `outlet_code`
    title: str
    text: str

    @property
    def fields(self) -> tuple[int, int, int, int, int, int]:
        return self.id, self.revision, self.day, self.since, self.until, self.outlet


def entry(stored: StoredPassage) -> Entry:
    revision, article = stored.revision, stored.passage.article
    return Entry(
        id=stored.id,
        revision=revision.id,
        day=revision.day.toordinal(),
        since=revision.since.toordinal(),
        until=revision.until.toordinal(),
        outlet=outlet_code(article.outlet),
        title=article.title,
        text=stored.passage.text,
    )


def outlet_code(outlet: str) -> int:
    """A number for an outlet's name, case aside: columns of numbers are what makes filters quick."""
    name = " ".join(outlet.casefold().split())
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest())


def as_fields(rows: Iterable[tuple[int, int, int, int, int, int]]) -> Fields:
    return np.array(list(rows), dtype=FIELDS)
