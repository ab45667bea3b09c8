"""The archive: articles, their revisions and passages. The only truth; every index can be rebuilt from it.

Each public method that writes is one transaction: what it reported as stored survives a kill, what it did not leaves
nothing behind.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from corpus import groups
from corpus.address import canonical
from corpus.article import Article, Passage, Span
from corpus.database import engine_at, migrate, reading, writing
from corpus.duplicates import precedence
from corpus.groups import Groups

FOREVER = date.max  # `until` of the current revision
NEVER_DATED = date.min  # `published_day` where the source gives no date

_tables = groups.tables
_articles = sa.Table(
    "articles",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("url", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)
_addresses = sa.Table(  # every URL that leads to an article, its own among them
    "addresses",
    _tables,
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("article_id", sa.ForeignKey("articles.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("canonical", sa.Text, nullable=False, server_default="", index=True),  # "" until `_canonicalise`
)
_revisions = sa.Table(
    "revisions",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("article_id", sa.ForeignKey("articles.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("outlet", sa.Text, nullable=False),
    sa.Column("authors", sa.Text, nullable=False),  # JSON list
    sa.Column("published", sa.Text),  # ISO 8601 with the source's own offset
    sa.Column("published_day", sa.Date, nullable=False, index=True),
    sa.Column("retrieved", sa.Text, nullable=False),
    sa.Column("since", sa.Date, nullable=False),  # the days on which this revision was the article:
    sa.Column("until", sa.Date, nullable=False),  # since <= day < until
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("body_digest", sa.Text, nullable=False, index=True),
    sa.Column("modified", sa.Text),  # ISO 8601 with the source's own offset
    sa.Column("section", sa.Text, nullable=False, server_default=""),
    sa.Column("language", sa.Text, nullable=False, server_default=""),
    sa.Column("kind", sa.Text, nullable=False, server_default=""),
    sa.Column("paywalled", sa.Boolean),
    sa.Column("dated_by", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("article_id", "number"),
    sqlite_autoincrement=True,
)
_passages = sa.Table(
    "passages",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("revision_id", sa.ForeignKey("revisions.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("sentences", sa.Text, nullable=False),  # JSON list of offsets: start, end, start, end ...
    sqlite_autoincrement=True,
)
_changes = sa.Table(  # what the indexes have yet to follow: look again at this revision
    "changes",
    _tables,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("revision_id", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
_intakes = sa.Table(
    "intakes",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("finished", sa.Text, nullable=False),
    sa.Column("counts", sa.Text, nullable=False),  # JSON object: outcome -> number
)

# Statements that take a schema from its version to the next: MIGRATIONS[0] leads from 1 to 2.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "ALTER TABLE addresses ADD COLUMN canonical TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX ix_addresses_canonical ON addresses (canonical)",
        "ALTER TABLE revisions ADD COLUMN modified TEXT",
        "ALTER TABLE revisions ADD COLUMN section TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE revisions ADD COLUMN language TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE revisions ADD COLUMN kind TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE revisions ADD COLUMN paywalled BOOLEAN",
        "ALTER TABLE revisions ADD COLUMN dated_by TEXT NOT NULL DEFAULT ''",
    ),
    groups.MIGRATION,
)


class NoSuchArticle(LookupError):
    """Nothing in the archive answers to this name; the message says how to find what does."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of an article, as stored."""

    id: int
    number: int  # 1 is the first that was stored
    article: Article
    since: date  # the days on which it stood: since <= day < until
    until: date

    @property
    def current(self) -> bool:
        return self.until == FOREVER

    @property
    def day(self) -> date:
        """The day of publication where the source printed it; NEVER_DATED where it gives none."""
        return published_day(self.article)


@dataclass(frozen=True, slots=True)
class StoredPassage:
    id: int
    revision: Revision
    passage: Passage


Outcome = Literal["added", "revised", "unchanged", "same as"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one article that was given to the archive."""

    outcome: Outcome
    url: str  # the article's own address; another than the one given where the outcome is "same as"
    number: int  # of the revision that was stored; where none was, of the one that stands
    alike: bool = True  # False: the revision shares next to nothing with the one before
    outlet: str = field(default="", compare=False)  # of the one before, where the revision names another


@dataclass(frozen=True, slots=True)
class Status:
    articles: int
    revisions: int
    passages: int
    undated: int
    first: date | None
    last: date | None
    outlets: tuple[tuple[str, int], ...]  # most articles first
    last_intake: datetime | None
    last_counts: dict[str, int]


class Archive:
    """All that was taken in. Open it with `open_archive`."""

    def __init__(self, engine: sa.Engine, grouping: type[Groups] = Groups) -> None:
        self._engine = engine
        self._grouping = grouping

    def close(self) -> None:
        self._engine.dispose()

    # Writing

    def store(self, batch: Sequence[tuple[Article, Sequence[Passage]]], *, dry: bool = False) -> list[Stored]:
        """Stores a batch in one transaction: all of it or, when killed or refused, none. `dry` only tells."""
        with self._transaction() as connection:
            placing = self._groups(connection)
            outcomes = [_store(connection, placing, article, passages) for article, passages in batch]
            if dry:
                connection.rollback()
        return outcomes

    def forget(self, name: str) -> Article:
        """Deletes an article, its revisions and passages for good; returns what it was. Raises NoSuchArticle."""
        article_id = self._article_id(name)
        article = self.revisions(article_id)[-1].article
        with self._transaction() as connection:
            of_article = _revisions.c.article_id == article_id
            ids = connection.scalars(sa.select(_revisions.c.id).where(of_article)).all()
            connection.execute(sa.insert(_changes), [{"revision_id": revision} for revision in ids])
            connection.execute(sa.delete(_passages).where(_passages.c.revision_id.in_(ids)))
            connection.execute(sa.delete(_revisions).where(of_article))
            connection.execute(sa.delete(_addresses).where(_addresses.c.article_id == article_id))
            connection.execute(sa.delete(_articles).where(_articles.c.id == article_id))
            self._groups(connection).remove(article_id, article)
        return article

    def group(self, limit: int = 100) -> int:
        """Places articles that an older version stored in their groups of copies, newest first; how many it did."""
        with self._transaction() as connection:
            ids = list(connection.scalars(groups.not_placed(_articles, limit)))
            placing = self._groups(connection)
            for article_id in ids:
                placing.place(article_id)
        return len(ids)

    def note_intake(self, counts: dict[str, int]) -> None:
        row = {"finished": datetime.now(UTC).isoformat(), "counts": json.dumps(counts)}
        with self._transaction() as connection:
            connection.execute(sa.insert(_intakes), row)

    # Reading

    def position(self) -> int:
        """Grows with every change; an index that has followed to here agrees with the archive."""
        with self._reading() as connection:
            return connection.scalar(sa.select(sa.func.max(_changes.c.position))) or 0

    def changed(self, after: int, limit: int) -> list[tuple[int, int]]:
        """(position, revision id) of the changes after a position, oldest first."""
        query = sa.select(_changes.c.position, _changes.c.revision_id).where(_changes.c.position > after)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(_changes.c.position).limit(limit))
            return [(row.position, row.revision_id) for row in rows]

    def urls(self, revision_ids: Iterable[int]) -> dict[int, str]:
        """The address of each revision's article; one that is gone is missing from the result."""
        query = sa.select(_revisions.c.id, _articles.c.url).join(_articles, _articles.c.id == _revisions.c.article_id)
        with self._reading() as connection:
            rows = connection.execute(query.where(_revisions.c.id.in_(list(revision_ids))))
            return {row.id: row.url for row in rows}

    def newest(self) -> int:
        """The id of the revision that came in last, of those that are there; ids grow and are never given again."""
        with self._reading() as connection:
            return connection.scalar(sa.select(sa.func.max(_revisions.c.id))) or 0

    def came_in(self, after: int, until: int, limit: int) -> list[int]:
        """Ids, after < id <= until, of revisions that are an article's first and stand; the last `limit` to come in."""
        new = _revisions.c.id > after, _revisions.c.id <= until
        first = _revisions.c.number == 1, _revisions.c.until == FOREVER
        query = sa.select(_revisions.c.id).where(*new, *first).order_by(_revisions.c.id.desc()).limit(limit)
        with self._reading() as connection:
            return list(connection.scalars(query))

    def count_passages_of_changes(self, after: int) -> int:
        """How many passages an index that stands at `after` has yet to take in."""
        waiting = sa.select(_changes.c.revision_id).where(_changes.c.position > after)
        query = sa.select(sa.func.count()).select_from(_passages).where(_passages.c.revision_id.in_(waiting))
        with self._reading() as connection:
            return connection.scalar(query) or 0

    def passages_of(self, revision_ids: Iterable[int]) -> list[StoredPassage]:
        """All passages of these revisions, in the archive's order; revisions that are gone have none."""
        return self._passages(_passages.c.revision_id.in_(list(revision_ids)))

    def passages(self, ids: Iterable[int]) -> dict[int, StoredPassage]:
        """Passages by id; an id that is gone is missing from the result."""
        return {stored.id: stored for stored in self._passages(_passages.c.id.in_(list(ids)))}

    def neighbours(self, stored: StoredPassage) -> tuple[StoredPassage, ...]:
        """All passages of the same revision, in the order of the text."""
        return tuple(self.passages_of([stored.revision.id]))

    def revision(self, revision_id: int) -> Revision | None:
        with self._reading() as connection:
            row = connection.execute(_revision_rows().where(_revisions.c.id == revision_id)).one_or_none()
        return _revision(row) if row else None

    def revisions(self, article: int | str) -> list[Revision]:
        """Every revision of an article (id, or a name as in `find`), oldest first. Raises NoSuchArticle."""
        article_id = article if isinstance(article, int) else self._article_id(article)
        query = _revision_rows().where(_revisions.c.article_id == article_id).order_by(*_IN_TIME)
        with self._reading() as connection:
            return [_revision(row) for row in connection.execute(query)]

    def addresses(self, url: str) -> list[str]:
        """The other URLs under which the same article was taken in."""
        same = sa.select(_addresses.c.article_id).where(_addresses.c.url == url)
        query = sa.select(_addresses.c.url).where(_addresses.c.article_id.in_(same), _addresses.c.url != url)
        with self._reading() as connection:
            return list(connection.scalars(query.order_by(_addresses.c.url)))

    def stories(self, revision_ids: Iterable[int]) -> dict[int, int]:
        """The group of copies that a revision's article is in, by number; those that are in none are missing."""
        story, shared = groups.story_of(_revisions.c.article_id)
        query = sa.select(_revisions.c.id, story).where(shared, _revisions.c.id.in_(revision_ids))
        with self._reading() as connection:
            return {row.id: row.story for row in connection.execute(query)}

    def copies(self, revision_id: int, day: date | None = None) -> list[Revision]:
        """The other articles of its group as they stand, or stood on that day; the agency's or the earliest first."""
        stood = _revisions.c.until == FOREVER
        if day:
            stood = sa.and_(_revisions.c.since <= day, day < _revisions.c.until)
        with self._reading() as connection:
            article_id = connection.scalar(sa.select(_revisions.c.article_id).where(_revisions.c.id == revision_id))
            if article_id is None:
                return []
            these = _revisions.c.article_id.in_(groups.members(article_id))
            found = [_revision(row) for row in connection.execute(_revision_rows().where(these, stood))]
        return sorted(found, key=lambda one: precedence(one.article))

    def current(self, *, outlet: str = "", limit: int | None = None) -> Iterator[tuple[int, Revision]]:
        """(article id, current revision), newest publication first."""
        query = _revision_rows().where(_revisions.c.until == FOREVER)
        if outlet:
            query = query.where(sa.func.lower(_revisions.c.outlet) == outlet.lower())
        query = query.order_by(_revisions.c.published_day.desc(), _revisions.c.id.desc()).limit(limit)
        with self._reading() as connection:
            for row in connection.execute(query):
                yield row.article_id, _revision(row)

    def export(self) -> Iterator[dict[str, object]]:
        """Every revision as a JSON object that `corpus.extract.from_row` reads, in the order in which it was stored.

        An article's other addresses are rows of their own behind its first one. Storing all of them, in this order,
        in an empty archive gives an archive with the same export.
        """
        query = _revision_rows().order_by(_revisions.c.id).execution_options(yield_per=200)
        with self._reading() as connection:
            aliases = _aliases(connection)
            for row in connection.execute(query):
                revision = _revision(row)
                yield as_row(revision)
                for url in aliases.pop(row.article_id, []):
                    yield {**as_row(revision), "url": url, "same_as": revision.article.url}

    def empty(self) -> bool:
        with self._reading() as connection:
            return connection.scalar(sa.select(_articles.c.id).limit(1)) is None

    def articles_on(self, since: date | None, until: date | None, outlet: str = "") -> int:
        """How many current articles stand within these days and this outlet."""
        query = sa.select(sa.func.count()).select_from(_revisions).where(_revisions.c.until == FOREVER)
        if since:
            query = query.where(_revisions.c.published_day >= since)
        if until:
            query = query.where(_revisions.c.published_day <= until, _revisions.c.published_day > NEVER_DATED)
        if outlet:
            query = query.where(sa.func.lower(_revisions.c.outlet) == outlet.lower())
        with self._reading() as connection:
            return connection.scalar(query) or 0

    def status(self) -> Status:
        current = _revisions.c.until == FOREVER
        dated = sa.and_(current, _revisions.c.published_day > NEVER_DATED)
        with self._reading() as connection:
            articles, revisions, passages = (
                connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in (_articles, _revisions, _passages)
            )
            undated = connection.scalar(
                sa.select(sa.func.count()).where(current, _revisions.c.published_day == NEVER_DATED)
            )
            days = sa.select(sa.func.min(_revisions.c.published_day), sa.func.max(_revisions.c.published_day))
            first, last = connection.execute(days.where(dated)).one()
            number = sa.func.count()
            outlets = connection.execute(
                sa.select(_revisions.c.outlet, number)
                .where(current)
                .group_by(_revisions.c.outlet)
                .order_by(number.desc(), _revisions.c.outlet)
            ).all()
            intake = connection.execute(sa.select(_intakes).order_by(_intakes.c.id.desc()).limit(1)).one_or_none()
        return Status(
            articles=articles,
            revisions=revisions,
            passages=passages,
            undated=undated or 0,
            first=first,
            last=last,
            outlets=tuple((name, count) for name, count in outlets),
            last_intake=datetime.fromisoformat(intake.finished) if intake else None,
            last_counts=json.loads(intake.counts) if intake else {},
        )

    # Inside

    def _article_id(self, name: str) -> int:
        """By id as `list` shows it, by URL, or by a part of a headline that only one article has."""
        with self._reading() as connection:
            found = _at(connection, name)
            if found is None and name.isascii() and name.isdigit() and len(name) < 18:
                found = connection.scalar(sa.select(_articles.c.id).where(_articles.c.id == int(name)))
            if found is not None:
                return int(found)
            titled = _revisions.c.title.icontains(name, autoescape=True)
            query = sa.select(_revisions.c.article_id).where(_revisions.c.until == FOREVER, titled)
            ids = connection.scalars(query.limit(2)).all() if name.strip() else []
        if len(ids) == 1:
            return int(ids[0])
        why = "More than one headline holds" if ids else "No article has the number, the address or the headline"
        raise NoSuchArticle(f"{why} {name[:200]!r}. See the numbers with: pullquote list")

    def _passages(self, which: sa.ColumnElement[bool]) -> list[StoredPassage]:
        query = sa.select(_passages).where(which).order_by(_passages.c.id)
        with self._reading() as connection:
            rows = connection.execute(query).all()
            ids = {row.revision_id for row in rows}
            revisions = connection.execute(_revision_rows().where(_revisions.c.id.in_(ids))).all() if ids else []
        by_id = {row.id: _revision(row) for row in revisions}
        return [
            StoredPassage(row.id, by_id[row.revision_id], _passage(by_id[row.revision_id].article, row))
            for row in rows
            if row.revision_id in by_id
        ]

    def _groups(self, connection: sa.Connection) -> Groups:
        def load(ids: Collection[int]) -> dict[int, Article]:
            query = _revision_rows().where(_revisions.c.article_id.in_(ids), _revisions.c.until == FOREVER)
            return {row.article_id: _revision(row).article for row in connection.execute(query)}

        return self._grouping(connection, load)

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return reading(self._engine)

    def _transaction(self) -> AbstractContextManager[sa.Connection]:
        return writing(self._engine)


def open_archive(where: Path | str, grouping: type[Groups] = Groups) -> Archive:
    """The archive in this SQLite file (made if missing) or at this database URL, its schema brought up to date."""
    engine = engine_at(where)
    migrate(engine, _tables, MIGRATIONS)
    _canonicalise(engine)
    return Archive(engine, grouping)


def _canonicalise(engine: sa.Engine) -> None:
    """Gives the addresses of an older schema their canonical form."""
    without = sa.select(_addresses.c.url).where(_addresses.c.canonical == "")
    with reading(engine) as connection:
        if connection.scalar(without.limit(1)) is None:
            return
    with writing(engine) as connection:
        one = _addresses.c.url == sa.bindparam("at")
        rows = [{"at": url, "canonical": canonical(url)} for url in connection.scalars(without)]
        if rows:  # another program may have been quicker
            connection.execute(sa.update(_addresses).where(one), rows)


# Storing one article


def _store(connection: sa.Connection, placing: Groups, article: Article, passages: Sequence[Passage]) -> Stored:
    article_id = _at(connection, article.url)
    if article_id is None:
        same = _same_elsewhere(connection, article)
        if same is not None:
            _note_address(connection, article.url, same.article_id)
            return Stored("same as", same.url, same.number)
        inserted = connection.execute(sa.insert(_articles), {"url": article.url}).inserted_primary_key
        assert inserted is not None
        _note_address(connection, article.url, inserted[0])
        _add_revision(connection, inserted[0], article, passages, [])
        placing.place(inserted[0])
        return Stored("added", article.url, 1)
    stored = _revise(connection, placing, article_id, article, passages)
    if _note_address(connection, article.url, article_id) and stored.outcome == "unchanged":
        return replace(stored, outcome="same as")
    return stored


def _at(connection: sa.Connection, url: str) -> int | None:
    """The article at this address, or at one that is the same but for trackers, mobile and print variants."""
    exact = sa.select(_addresses.c.article_id).where(_addresses.c.url == url)
    found: int | None = connection.scalar(exact)
    if found is None:
        alike = sa.select(_addresses.c.article_id).where(_addresses.c.canonical == canonical(url))
        found = connection.scalar(alike.order_by(_addresses.c.article_id).limit(1))
    return found


def _note_address(connection: sa.Connection, url: str, article_id: int) -> bool:
    """Whether it was not known yet."""
    if connection.scalar(sa.select(_addresses.c.url).where(_addresses.c.url == url)) is not None:
        return False
    row = {"url": url, "article_id": article_id, "canonical": canonical(url)}
    connection.execute(sa.insert(_addresses), row)
    return True


def _revise(
    connection: sa.Connection, placing: Groups, article_id: int, article: Article, passages: Sequence[Passage]
) -> Stored:
    query = _revision_rows().where(_revisions.c.article_id == article_id).order_by(*_IN_TIME)
    known = connection.execute(query).all()
    retrieved = _sortable(article.retrieved)
    current = known[-1]
    # An export that is taken back in brings old revisions again: they are history, not news.
    history = any(row.digest == digest(article) and retrieved <= row.retrieved for row in known)
    if current.digest == digest(article) or history:
        if not history:
            _learn(connection, current, article)
        return Stored("unchanged", current.url, current.number)
    _add_revision(connection, article_id, article, passages, known)
    if retrieved >= current.retrieved:  # otherwise it is history, and the article stands as it stood
        placing.remove(article_id, _revision(current).article)
        placing.place(article_id)
    outlet = current.outlet if current.outlet != article.outlet else ""
    return Stored("revised", current.url, len(known) + 1, alike=_alike(current.text, article.text), outlet=outlet)


def _learn(connection: sa.Connection, row: Any, article: Article) -> None:
    """Notes what the source says of an unchanged article that it had not said before."""
    news = {
        name: value
        for name, value in _described(article).items()
        if value not in (None, "") and getattr(row, name) in (None, "")
    }
    if news:
        connection.execute(sa.update(_revisions).where(_revisions.c.id == row.id).values(news))


def _add_revision(
    connection: sa.Connection,
    article_id: int,
    article: Article,
    passages: Sequence[Passage],
    known: Sequence[Any],
) -> None:
    row = _revision_values(article_id, len(known) + 1, article)
    revision_id = connection.execute(sa.insert(_revisions), row).inserted_primary_key[0]  # type: ignore[index]
    connection.execute(
        sa.insert(_passages),
        [
            {
                "revision_id": revision_id,
                "start": passage.start,
                "end": passage.end,
                "sentences": json.dumps([offset for span in passage.sentences for offset in span]),
            }
            for passage in passages
        ],
    )
    changed = _set_spans(connection, article_id)
    changes = [{"revision_id": changed_id} for changed_id in sorted({revision_id, *changed})]
    connection.execute(sa.insert(_changes), changes)


def _set_spans(connection: sa.Connection, article_id: int) -> list[int]:
    """Lets each revision stand from its day to the next one's; returns the ids whose days changed.

    The first stands from the day of publication: what was seen of an article first is the best that is known of it.
    """
    query = sa.select(_revisions).where(_revisions.c.article_id == article_id).order_by(*_IN_TIME)
    rows = connection.execute(query).all()
    starts = [_first_day(rows[0]), *(datetime.fromisoformat(row.retrieved).date() for row in rows[1:])]
    starts = [max(starts[: n + 1]) for n in range(len(starts))]
    changed = []
    for row, since, until in zip(rows, starts, [*starts[1:], FOREVER], strict=True):
        if (row.since, row.until) != (since, until):
            here = _revisions.c.id == row.id
            connection.execute(sa.update(_revisions).where(here).values(since=since, until=until))
            changed.append(row.id)
    return changed


def _first_day(row: Any) -> date:
    retrieved = datetime.fromisoformat(row.retrieved).date()
    day: date = row.published_day
    return retrieved if day == NEVER_DATED else day


def _same_elsewhere(connection: sa.Connection, article: Article) -> Any:
    """The article that this is under another address: same outlet, day, headline and words.

    The words alone do not tell one article at two addresses from one story in two outlets, or from what a site shows in
    place of any article that is gone: a headline, and an outlet or a day, must be known.
    """
    if not article.title or not (article.outlet or article.published):
        return None
    query = _revision_rows().where(
        _revisions.c.body_digest == body_digest(article),
        _revisions.c.until == FOREVER,
        _revisions.c.outlet == article.outlet,
        _revisions.c.title == article.title,
        _revisions.c.published_day == published_day(article),
    )
    return connection.execute(query.limit(1)).one_or_none()


def _alike(old: str, new: str) -> bool:
    """Whether two texts share a tenth of their words: a page that changed, not another article at its address."""
    before, after = set(old.lower().split()), set(new.lower().split())
    return len(before & after) * 10 >= min(len(before), len(after))


def digest(article: Article) -> str:
    """SHA-256 over everything that makes a revision: what one reads and cites. The rest describes it."""
    fields = [article.title, article.text, article.outlet, list(article.authors), _iso(article.published)]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def body_digest(article: Article) -> str:
    return hashlib.sha256(article.text.encode()).hexdigest()


def published_day(article: Article) -> date:
    return article.published.date() if article.published else NEVER_DATED


# Rows to data and back

_IN_TIME = (_revisions.c.retrieved, _revisions.c.id)


def _iso(when: datetime | None) -> str | None:
    """Publication keeps its own offset (the day is the reader's day)."""
    return when.isoformat() if when else None


def _sortable(when: datetime) -> str:
    """In UTC and of one width: text in this form sorts by time, in every collation."""
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def _revision_values(article_id: int, number: int, article: Article) -> dict[str, object]:
    return {
        "article_id": article_id,
        "number": number,
        "title": article.title,
        "text": article.text,
        "outlet": article.outlet,
        "authors": json.dumps(article.authors),
        "published": _iso(article.published),
        "published_day": published_day(article),
        "retrieved": _sortable(article.retrieved),
        "since": NEVER_DATED,
        "until": NEVER_DATED,
        "digest": digest(article),
        "body_digest": body_digest(article),
        "dated_by": article.dated_by,
        **_described(article),
    }


def _described(article: Article) -> dict[str, object]:
    return {
        "modified": _iso(article.modified),
        "section": article.section,
        "language": article.language,
        "kind": article.kind,
        "paywalled": article.paywalled,
    }


def _revision_rows() -> sa.Select[Any]:
    return sa.select(_revisions, _articles.c.url).join(_articles, _articles.c.id == _revisions.c.article_id)


def _revision(row: Any) -> Revision:
    article = Article(
        url=row.url,
        title=row.title,
        text=row.text,
        published=datetime.fromisoformat(row.published) if row.published else None,
        outlet=row.outlet,
        authors=tuple(json.loads(row.authors)),
        retrieved=datetime.fromisoformat(row.retrieved),
        modified=datetime.fromisoformat(row.modified) if row.modified else None,
        section=row.section,
        language=row.language,
        kind=row.kind,
        paywalled=row.paywalled,
        dated_by=row.dated_by,
    )
    return Revision(row.id, row.number, article, row.since, row.until)


def _passage(article: Article, row: Any) -> Passage:
    offsets = json.loads(row.sentences)
    spans: tuple[Span, ...] = tuple(zip(offsets[::2], offsets[1::2], strict=True))
    return Passage(article, row.start, row.end, spans)


def _aliases(connection: sa.Connection) -> dict[int, list[str]]:
    query = (
        sa.select(_addresses.c.article_id, _addresses.c.url).join(_articles).where(_addresses.c.url != _articles.c.url)
    )
    found: dict[int, list[str]] = {}
    for article_id, url in connection.execute(query.order_by(_addresses.c.url)):
        found.setdefault(article_id, []).append(url)
    return found


def as_row(revision: Revision) -> dict[str, object]:
    """A revision as the JSON object that articles come in and go out as."""
    article = revision.article
    return {
        "url": article.url,
        "title": article.title,
        "text": article.text,
        "published": _iso(article.published),
        "authors": list(article.authors),
        "outlet": article.outlet,
        "retrieved": _iso(article.retrieved),
        "revision": revision.number,
        **described(article),
    }


def described(article: Article) -> dict[str, object]:
    """What the source says besides, without what it does not say."""
    fields = {**_described(article), "dated_by": article.dated_by}
    return {name: value for name, value in fields.items() if value not in (None, "")}
