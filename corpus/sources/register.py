"""What is known of the sources and of the addresses that they named: when they were seen, what their servers said.

One SQLite file beside the archive. Losing it costs requests, no article. Times are seconds since 1970.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

import sqlalchemy as sa

from corpus.database import engine_at, migrate, reading, writing
from corpus.sources.freshness import Freshness
from corpus.sources.listing import Entry
from corpus.sources.web import Known

HOUR, DAY = 3_600.0, 86_400.0
ARRIVALS = 50  # newest articles of a source from which its rhythm is read
FEWEST = 4  # articles without which a source has no rhythm
USUAL_QUIET = 3.0  # usual gaps after which a source is silent
LONGEST_QUIET = 1.5  # of its longest gap, which no silence is shorter than
SHORTEST_QUIET = DAY / 2
# Seconds after which a page is looked at again, each time it was as before; then no more, unless its list says that
# it has changed. Corrections come early.
AGAIN = (HOUR, 3 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY)
NEVER = 1e12

STALE = 30 * DAY
UNREACHED = 3 * DAY  # after which a source that fails is called silent, whatever its rhythm
Sort = Literal["feed", "sitemap", "index", "folder"]
# Not fetched yet; its page is stored; its entry's own text is stored in place of it; it has no page, its entry is
# stored; nothing is; it is a sitemap of an index; its article was deleted by hand, and it is visited no more.
State = Literal["new", "page", "extract", "entry", "failed", "list", "forgotten"]

_tables = sa.MetaData()
_sources = sa.Table(
    "sources",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("url", sa.Text, nullable=False, unique=True),  # of a folder: its path
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("added", sa.Float, nullable=False),
    sa.Column("known", sa.Text, nullable=False),  # JSON of Known
    sa.Column("visited", sa.Float),
    sa.Column("succeeded", sa.Float),
    sa.Column("next", sa.Float, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),  # in a row
    sa.Column("reason", sa.Text, nullable=False),  # of the last one
    sa.Column("told", sa.Boolean, nullable=False),  # whether somebody heard that it is silent
    sa.Column("withdraw", sa.Boolean, nullable=False),  # of a folder: whether a deleted file's articles go
    sqlite_autoincrement=True,
)
_addresses = sa.Table(
    "addresses",
    _tables,
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("entry", sa.Text, nullable=False),  # JSON of Entry, until its page is there; then ""
    sa.Column("changed", sa.Text, nullable=False),  # as the list said when the page was fetched
    sa.Column("known", sa.Text, nullable=False),
    sa.Column("article", sa.Text, nullable=False),  # address under which it was stored
    sa.Column("outlet", sa.Text, nullable=False),  # of an extract: the list's title
    sa.Column("by_hand", sa.Boolean, nullable=False),
    sa.Column("visits", sa.Integer, nullable=False),  # since its list last said that it has changed
    sa.Column("next", sa.Float, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
)
_listings = sa.Table(
    "listings",
    _tables,
    sa.Column("source_id", sa.ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("dated", sa.Float),  # when it was published, or else first seen; None: neither is known
    sa.Index("ix_listings_dated", "source_id", "dated"),
    sa.Index("ix_listings_url", "url"),
)
_files = sa.Table(
    "files",
    _tables,
    sa.Column("source_id", sa.ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime", sa.Integer, nullable=False),  # nanoseconds
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("articles", sa.Text, nullable=False),  # JSON list of their addresses
)
_rounds = sa.Table(
    "rounds", _tables, sa.Column("id", sa.Integer, primary_key=True), sa.Column("finished", sa.Float, nullable=False)
)

# Statements that take a schema from its version to the next: MIGRATIONS[0] leads from 1 to 2.
MIGRATIONS: tuple[tuple[str, ...], ...] = ()


class NoSuchSource(LookupError):
    """No source answers to this name; the message says how to find what does."""


@dataclass(frozen=True, slots=True)
class Source:
    """A feed, a sitemap or a folder that is looked at again and again."""

    id: int
    url: str
    kind: Sort
    title: str
    added: float
    known: Known
    visited: float | None
    succeeded: float | None
    next: float
    failures: int
    reason: str
    told: bool
    withdraw: bool
    newest: float | None = None  # when its newest article was published
    gap: float | None = None  # seconds, its usual one between two articles
    quiet: float | None = None  # seconds without an article from which it is called silent
    articles: int = 0  # addresses that it has named
    waiting: int = 0  # of these, not fetched yet

    @property
    def name(self) -> str:
        return self.title or self.url

    def silent(self, now: float) -> bool:
        """Whether it has had nothing new for much longer than usual; also where it cannot be reached."""
        if self.failures and now - (self.succeeded or self.added) > UNREACHED:
            return True
        return self.quiet is not None and self.newest is not None and now - self.newest > self.quiet


@dataclass(frozen=True, slots=True)
class Address:
    """A page that a source named, or that was added by hand."""

    url: str
    state: State = "new"
    entry: Entry = Entry()  # noqa: RUF009 - frozen
    changed: str = ""
    known: Known = Known()  # noqa: RUF009 - frozen
    article: str = ""
    outlet: str = ""
    by_hand: bool = False
    visits: int = 0
    next: float = 0.0
    reason: str = ""

    @property
    def paged(self) -> bool:
        """Whether there is a page to be fetched."""
        return self.by_hand or bool(self.entry.url) or self.state == "page"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a watched folder as it was taken in."""

    path: str
    size: int
    mtime: int
    digest: str
    articles: tuple[str, ...] = ()


class Register:
    """Each method is one transaction. Open it with `open_register`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()

    # Sources

    def add(self, url: str, kind: Sort, title: str, now: float, *, withdraw: bool = False) -> bool:
        """Whether it is a new one; of one that is known the title and what to do with deleted files are set."""
        row = {"url": url, "kind": kind, "title": title, "added": now, "known": _json(Known()), "next": now}
        row |= {"failures": 0, "reason": "", "told": False, "withdraw": withdraw}
        with self._writing() as connection:
            if connection.execute(sa.insert(_sources).prefix_with("OR IGNORE"), row).rowcount == 1:
                return True
            values: dict[str, object] = {"withdraw": withdraw, **({"title": title} if title else {})}
            connection.execute(sa.update(_sources).where(_sources.c.url == url).values(values))
        return False

    def sources(self) -> list[Source]:
        """In the order in which they were added."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_sources).order_by(_sources.c.id)).all()
            return [_source(connection, row) for row in rows]

    def source(self, name: str) -> Source:
        """By number, address, or a part of its title or address that only one has. Raises NoSuchSource."""
        every = self.sources()
        found = [one for one in every if name in (str(one.id), one.url, one.url.rstrip("/"))]
        found = found or [one for one in every if name and name.lower() in f"{one.title}\n{one.url}".lower()]
        if len(found) == 1:
            return found[0]
        why = "More than one source has" if found else "No source has the number, the address or the title"
        raise NoSuchSource(f"{why} {name[:200]!r}. See the numbers with: pullquote feeds")

    def remove(self, source: Source) -> None:
        """With what is known of the pages that no other source has named. Stored articles stay."""
        named = sa.select(_listings.c.url)
        with self._writing() as connection:
            mine = list(connection.scalars(named.where(_listings.c.source_id == source.id)))
            connection.execute(sa.delete(_listings).where(_listings.c.source_id == source.id))
            connection.execute(sa.delete(_files).where(_files.c.source_id == source.id))
            connection.execute(sa.delete(_sources).where(_sources.c.id == source.id))
            for part in _parts(mine):
                alone = sa.and_(
                    _addresses.c.url.in_(part), _addresses.c.by_hand.is_(False), _addresses.c.state != "forgotten"
                )
                connection.execute(sa.delete(_addresses).where(alone, _addresses.c.url.not_in(named)))

    def note_success(
        self,
        source: Source,
        now: float,
        following: float,
        known: Known | None = None,
        entries: Sequence[Entry] = (),
        title: str = "",
    ) -> list[Address]:
        """What a visit brought, and with it the pages to be fetched, which are returned: so no kill loses one.

        `known` None: the server said that nothing has changed.
        """
        values: dict[str, object] = {"visited": now, "succeeded": now, "next": following, "failures": 0, "reason": ""}
        values |= {} if known is None else {"known": _json(known)}
        values |= {"title": title} if title and not source.title else {}
        first = source.succeeded is None
        with self._writing() as connection:
            connection.execute(sa.update(_sources).where(_sources.c.id == source.id).values(values))
            return _note_entries(connection, replace(source, title=source.title or title), entries, now, first)

    def note_failure(self, source: Source, now: float, following: float, reason: str) -> None:
        values = {"visited": now, "next": following, "failures": source.failures + 1, "reason": reason}
        with self._writing() as connection:
            connection.execute(sa.update(_sources).where(_sources.c.id == source.id).values(values))

    def newly_silent(self, now: float) -> list[Source]:
        """Those that went silent since this was asked last; each is told once, until it has spoken again."""
        every = self.sources()
        with self._writing() as connection:
            for one in every:
                if one.told != one.silent(now):
                    of_it = sa.update(_sources).where(_sources.c.id == one.id)
                    connection.execute(of_it.values(told=one.silent(now)))
        return [one for one in every if one.silent(now) and not one.told]

    # Addresses

    def due(self, now: float, *, everything: bool = False, limit: int | None = None) -> list[Address]:
        """The pages to be looked at, those that nobody has fetched yet first; `everything`: all that have a page."""
        new = _addresses.c.state == "new"
        which = sa.true() if everything else _addresses.c.next <= now
        query = sa.select(_addresses).where(which, _addresses.c.state.not_in(("entry", "list", "forgotten")))
        query = query.order_by(new.desc(), _addresses.c.changed.desc(), _addresses.c.url).limit(limit)
        with self._reading() as connection:
            return [_address(row) for row in connection.execute(query)]

    def address(self, url: str) -> Address | None:
        with self._reading() as connection:
            row = connection.execute(sa.select(_addresses).where(_addresses.c.url == url)).one_or_none()
        return _address(row) if row else None

    def note(self, addresses: Iterable[Address]) -> None:
        """What became of pages."""
        rows = [_row(one) for one in addresses]
        if rows:
            with self._writing() as connection:
                connection.execute(sa.insert(_addresses).prefix_with("OR REPLACE"), rows)

    def date(self, published: Mapping[str, float], now: float) -> None:
        """By their pages, entries to which their lists give no day; what is newest, and the rhythm, is read from it.

        Pages that are older than `STALE` tell nothing of today's rhythm: an imprint from 2009 may be among them.
        """
        undated = sa.update(_listings).where(_listings.c.dated.is_(None))
        with self._writing() as connection:
            for url, when in published.items():
                if when > now - STALE:
                    connection.execute(undated.where(_listings.c.url == url).values(dated=min(when, now)))

    def forget(self, articles: Collection[str]) -> None:
        """The article with these addresses was deleted by hand: no list and no visit brings it back."""
        values = {"state": "forgotten", "entry": "", "known": _json(Known()), "next": NEVER, "reason": ""}
        mine = sa.or_(_addresses.c.url.in_(articles), _addresses.c.article.in_(articles))
        with self._writing() as connection:
            connection.execute(sa.update(_addresses).where(mine).values(values))

    def forgotten(self, urls: Sequence[str]) -> set[str]:
        """Those of them whose article was deleted by hand."""
        with self._reading() as connection:
            return {one.url for one in _addresses_of(connection, urls) if one.state == "forgotten"}

    # Files

    def next_visit(self) -> float | None:
        """When a source or a page is due next; None where there is none. A folder is looked at all the time."""
        sources = sa.select(sa.func.min(_sources.c.next)).where(_sources.c.kind != "folder")
        pages = sa.select(sa.func.min(_addresses.c.next)).where(_addresses.c.next < NEVER)
        with self._reading() as connection:
            times = [connection.scalar(query) for query in (sources, pages)]
        return min((one for one in times if one is not None), default=None)

    def files(self, source: Source) -> dict[str, Kept]:
        query = sa.select(_files).where(_files.c.source_id == source.id)
        with self._reading() as connection:
            return {one.path: one for one in map(_kept, connection.execute(query))}

    def note_files(self, source: Source, there: Iterable[Kept], gone: Iterable[str]) -> None:
        rows = [
            {**asdict(one), "path": _column(one.path), "source_id": source.id, "articles": json.dumps(one.articles)}
            for one in there
        ]
        with self._writing() as connection:
            for part in _parts(list(map(_column, gone))):
                mine = sa.and_(_files.c.source_id == source.id, _files.c.path.in_(part))
                connection.execute(sa.delete(_files).where(mine))
            if rows:
                connection.execute(sa.insert(_files).prefix_with("OR REPLACE"), rows)

    # How fresh

    def note_round(self, now: float) -> None:
        """A round is done and the indexes have followed."""
        with self._writing() as connection:
            connection.execute(sa.delete(_rounds))
            connection.execute(sa.insert(_rounds), {"finished": now})

    def freshness(self, now: float) -> Freshness:
        every = self.sources()
        with self._reading() as connection:
            current = connection.scalar(sa.select(sa.func.max(_rounds.c.finished)))
        return Freshness(current, len(every), sum(one.silent(now) for one in every))

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return reading(self._engine)

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return writing(self._engine)


def open_register(path: Path) -> Register:
    """The register in this SQLite file, made where it is missing. Raises DatabaseError."""
    engine = engine_at(path)
    migrate(engine, _tables, MIGRATIONS)
    return Register(engine)


def following(visits: int, now: float) -> float:
    """When a page is looked at again that was as before so many times in a row."""
    return now + AGAIN[visits] if visits < len(AGAIN) else NEVER


# Entries


def _digest(entry: Entry) -> str:
    said = entry.id or f"{entry.title}\n{entry.published}\n{'' if entry.title else entry.text}"
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]


def _note_entries(
    connection: sa.Connection, source: Source, entries: Sequence[Entry], now: float, first: bool
) -> list[Address]:
    by_url = _by_url(source, entries)
    known = {one.url: one for one in _addresses_of(connection, list(by_url))}
    new = [
        Address(url, entry=one, changed=one.changed, outlet=source.title)
        for url, one in by_url.items()
        if url not in known
    ]
    changed = [_again(known[url], one) for url, one in by_url.items() if url in known and _differs(known[url], one)]
    if new or changed:
        connection.execute(sa.insert(_addresses).prefix_with("OR REPLACE"), [_row(one) for one in (*new, *changed)])
    listed = [{"source_id": source.id, "url": url, "dated": _dated(one, now, first)} for url, one in by_url.items()]
    if listed:
        connection.execute(sa.insert(_listings).prefix_with("OR IGNORE"), listed)
    return [*new, *changed]


def _by_url(source: Source, entries: Sequence[Entry]) -> dict[str, Entry]:
    """Entries by the address that they are known under; one that several share is nobody's page."""
    ids: dict[str, set[str]] = {}
    for one in entries:
        ids.setdefault(one.url, set()).add(one.id)
    found: dict[str, Entry] = {}
    for one in entries:
        alone = one.url and len(ids[one.url]) == 1
        url = one.url if alone else f"{one.url or source.url}#entry={_digest(one)}"
        found.setdefault(url, one if alone else replace(one, url=""))
    return found


def _addresses_of(connection: sa.Connection, urls: Sequence[str]) -> Iterable[Address]:
    for part in _parts(urls):
        yield from map(_address, connection.execute(sa.select(_addresses).where(_addresses.c.url.in_(part))))


def _differs(known: Address, entry: Entry) -> bool:
    return bool(entry.changed) and entry.changed != known.changed and known.state not in ("list", "forgotten")


def _again(known: Address, entry: Entry) -> Address:
    """To be looked at once more, and soon."""
    state: State = "new" if known.state == "entry" else known.state
    kept = known.entry if known.state == "page" else entry
    return replace(known, entry=kept, state=state, changed=entry.changed, visits=0, next=0.0)


def _dated(entry: Entry, now: float, first: bool) -> float | None:
    """What a source holds when it is met first was not published just then."""
    for said in (entry.published, entry.changed):
        try:
            when = datetime.fromisoformat(said)
            return min(when.timestamp(), now)
        except (ValueError, OverflowError, OSError):
            continue
    return None if first else now


# Rows to data and back


def _parts(urls: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    return (urls[start : start + size] for start in range(0, len(urls), size))


def _json(one: Known | Entry) -> str:
    return json.dumps(asdict(one))


def _source(connection: sa.Connection, row: Any) -> Source:
    mine = _listings.c.source_id == row.id
    dated = sa.select(_listings.c.dated).where(mine, _listings.c.dated.is_not(None))
    times = list(connection.scalars(dated.order_by(_listings.c.dated.desc()).limit(ARRIVALS)))
    named = connection.scalar(sa.select(sa.func.count()).where(mine)) or 0
    waits = sa.select(sa.func.count()).select_from(_listings.join(_addresses, _addresses.c.url == _listings.c.url))
    waiting = connection.scalar(waits.where(mine, _addresses.c.state == "new")) or 0
    fields = {name: value for name, value in row._mapping.items() if name != "known"}
    source = Source(**fields, known=Known(**json.loads(row.known)), articles=named, waiting=waiting)
    gap, quiet = _rhythm(times)
    return replace(source, newest=times[0] if times else None, gap=gap, quiet=quiet)


def _rhythm(times: Sequence[float]) -> tuple[float | None, float | None]:
    """The usual gap, and the silence that is none any more; `times` newest first. None where there are too few."""
    gaps = [later - earlier for later, earlier in pairwise(times) if later > earlier]
    if len(gaps) + 1 < FEWEST:
        return None, None
    usual = median(gaps)
    return usual, max(USUAL_QUIET * usual, LONGEST_QUIET * max(gaps), SHORTEST_QUIET)


def _address(row: Any) -> Address:
    fields = dict(row._mapping)
    entry = json.loads(fields.pop("entry") or "{}")
    entry |= {"authors": tuple(entry["authors"])} if entry else {}
    return Address(**fields | {"entry": Entry(**entry), "known": Known(**json.loads(fields["known"]))})


def _row(one: Address) -> dict[str, object]:
    entry = "" if one.entry == Entry() else _json(one.entry)
    return {**asdict(one), "entry": entry, "known": _json(one.known)}


_BYTES = "\0"  # begins what stands for a path that is no text; no path has one


def _column(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        return _BYTES + os.fsencode(path).hex()
    return path


def _path(column: str) -> str:
    return os.fsdecode(bytes.fromhex(column[1:])) if column.startswith(_BYTES) else column


def _kept(row: Any) -> Kept:
    return Kept(_path(row.path), row.size, row.mtime, row.digest, tuple(json.loads(row.articles)))
