"""What the archive holds and how its indexes stand, for `pullquote status`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot import messages
from bot.build import House
from bot.settings import without_password
from corpus.archive import Status

if TYPE_CHECKING:
    from corpus.sources.freshness import Freshness

OUTLETS = 10  # named; the rest are counted


@dataclass(frozen=True, slots=True)
class State:
    archive: Status
    model: str
    place: str
    archive_bytes: int
    index_bytes: int
    fresh: "Freshness | None"
    behind: int  # changes of the archive that the indexes have not followed


def state(house: House) -> State:
    url = None if house.sample else house.settings.archive
    return State(
        archive=house.archive.status(),
        model=house.settings.model,
        place=without_password(url.get_secret_value()) if url else str(house.folder),
        archive_bytes=sum(_bytes(path) for path in house.folder.glob("archive.sqlite*")),
        index_bytes=_bytes(house.folder / "vectors") + _bytes(house.folder / "keywords"),
        fresh=house.freshness(),
        behind=house.behind(),
    )


def as_object(found: State) -> dict[str, object]:
    archive = found.archive
    return {
        "articles": archive.articles,
        "revisions": archive.revisions,
        "passages": archive.passages,
        "undated": archive.undated,
        "first": archive.first.isoformat() if archive.first else None,
        "last": archive.last.isoformat() if archive.last else None,
        "outlets": dict(archive.outlets),
        "last_intake": archive.last_intake.isoformat() if archive.last_intake else None,
        "last_counts": archive.last_counts,
        "model": found.model,
        "place": found.place,
        "archive_bytes": found.archive_bytes,
        "index_bytes": found.index_bytes,
        "behind": found.behind,
        "sources": found.fresh.sources if found.fresh else 0,
        "silent": found.fresh.silent if found.fresh else 0,
        "current": _iso(found.fresh.current) if found.fresh else None,
    }


def as_rows(found: State) -> Iterator[tuple[str, str]]:
    archive = found.archive
    yield "articles", f"{archive.articles:,}"
    yield "revisions", f"{archive.revisions:,}"
    yield "passages", f"{archive.passages:,}"
    yield "undated", f"{archive.undated:,}"
    if archive.first and archive.last:
        yield "published", messages.days(archive.first, archive.last).removeprefix("on ")
    yield "outlets", messages.outlets(archive.outlets[:OUTLETS], max(len(archive.outlets) - OUTLETS, 0))
    yield "last intake", messages.last_intake(archive.last_intake, archive.last_counts)
    if found.fresh:
        yield "sources", messages.fresh(found.fresh.current, found.fresh.sources, found.fresh.silent)
    yield "model", found.model
    yield "place", found.place
    yield "size", messages.sizes(found.archive_bytes, found.index_bytes)
    yield "indexes", messages.behind(found.behind) if found.behind else messages.IN_STEP


def _iso(when: float | None) -> str | None:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds") if when else None


def _bytes(path: Path) -> int:
    """Of a file, or of all below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(path) for name in names)
