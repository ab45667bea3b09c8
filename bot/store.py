"""What a bot must remember over a restart: answers it gave, where each chat stands, votes, access and use.

One SQLite file beside the archive. No article text is kept here: an answer is kept as offsets and a digest, so that
what is forgotten in the archive is forgotten here too.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.watchlist import MIGRATION, TABLES, Watchlist
from corpus.article import Span
from corpus.database import engine_at, migrate, reading, writing
from retrieval.citation import Citation
from retrieval.scope import Scope

NAME = "conversations.sqlite"
REPEATS = timedelta(days=2)  # for which a platform may deliver the same update again; Telegram gives up after one
TRIES = 3  # starts of the program that an update is tried again at

_tables = sa.MetaData()
_answers = sa.Table(
    "answers",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("searched", sa.Text, nullable=False),
    sa.Column("read_as", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("marks", sa.Text, nullable=False),  # JSON list of Mark
    sa.Column("differing", sa.Text, nullable=False),  # JSON list of Told
    sa.Column("retrieved", sa.Text, nullable=False),  # JSON list of [url, score]
    sa.Column("position", sa.Integer, nullable=False),  # of the archive, when it was asked
    sa.Column("given", sa.Text, nullable=False),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("answered", sa.Boolean, nullable=False),
)
_turns = sa.Table(
    "turns",
    _tables,
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("answer", sa.Text, nullable=False),  # "" after /new
    sa.Column("scope", sa.Text, nullable=False),
)
_messages = sa.Table(
    "messages",
    _tables,
    sa.Column("message", sa.Text, primary_key=True),  # channel:chat:message, of a question or an answer
    sa.Column("answer", sa.Text, nullable=False),  # "" where it is no answer to a question
    sa.Column("reply", sa.Text, nullable=False),  # id of the message that answers it; "" for that message itself
)
_votes = sa.Table(
    "votes",
    _tables,
    sa.Column("answer", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("given", sa.Text, nullable=False),
)
_inbox = sa.Table(
    "inbox",
    _tables,
    sa.Column("key", sa.Text, primary_key=True),  # channel:bot:update
    sa.Column("body", sa.Text, nullable=False),  # the update as it came; "" once it is dealt with
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False, index=True),
)
_seen = sa.Table(  # strangers who were told
    "seen", _tables, sa.Column("key", sa.Text, primary_key=True), sa.Column("at", sa.Text, nullable=False)
)
_codes = sa.Table(
    "codes", _tables, sa.Column("code", sa.Text, primary_key=True), sa.Column("person", sa.Text, nullable=False)
)
_usage = sa.Table(
    "usage",
    _tables,
    sa.Column("key", sa.Text, primary_key=True),  # who, and the unit of time
    sa.Column("span", sa.Integer, primary_key=True),  # which of these units since 1970
    sa.Column("count", sa.Integer, nullable=False),
)

for _one in TABLES.sorted_tables:
    _one.to_metadata(_tables)

# Statements that take a schema from its version to the next: MIGRATIONS[0] leads from 1 to 2.
_UNFILTERED = '{"since": null, "until": null, "outlets": [], "as_of": null}'
MIGRATIONS = (
    (
        "ALTER TABLE answers ADD COLUMN searched TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE answers ADD COLUMN read_as TEXT NOT NULL DEFAULT ''",
        f"ALTER TABLE answers ADD COLUMN scope TEXT NOT NULL DEFAULT '{_UNFILTERED}'",
        "UPDATE answers SET searched = question",
        "CREATE TABLE inbox (key TEXT PRIMARY KEY, body TEXT NOT NULL, tries INTEGER NOT NULL, at TEXT NOT NULL)",
        "CREATE INDEX ix_inbox_at ON inbox (at)",
        "DELETE FROM seen WHERE key LIKE 'update/%'",
    ),
    ("ALTER TABLE answers ADD COLUMN differing TEXT NOT NULL DEFAULT '[]'",),
    ("ALTER TABLE answers ADD COLUMN heading TEXT NOT NULL DEFAULT ''", *MIGRATION),
    ("ALTER TABLE answers ADD COLUMN answered BOOLEAN NOT NULL DEFAULT 1",),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A citation as it is kept: where the quote stands, a digest that proves it, other outlets that carry it."""

    url: str
    revision: int
    start: int
    end: int
    digest: str
    copies: tuple[str, ...] = ()
    words: Span | None = None  # those that answer, in characters of the quote


@dataclass(frozen=True, slots=True)
class Told:
    """What one report says otherwise than another, as it is kept."""

    mark: Mark
    words: Span  # in characters of the quote
    update: bool


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given."""

    id: str
    place: str
    question: str  # completed, with its time words
    said: str
    searched: str  # without them
    read_as: str  # the time words
    scope: Scope
    confidence: float
    marks: tuple[Mark, ...]
    retrieved: tuple[tuple[str, float], ...]
    position: int
    differing: tuple[Told, ...] = ()
    given: datetime = field(default_factory=lambda: datetime.now(UTC))
    heading: str = ""  # what stands above it, where nobody asked just then
    answered: bool = True  # False: its one mark, where it has one, is what may be meant


@dataclass(frozen=True, slots=True)
class Vote:
    answer: str
    person: str
    reason: str
    given: str
    question: str


def mark(citation: Citation, copies: Iterable[str] = ()) -> Mark:
    url, where = citation.article.url, (citation.revision, citation.start, citation.end)
    return Mark(url, *where, digest(citation.quote), tuple(copies), citation.words)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def short_id() -> str:
    """Unguessable, for deep links; 11 characters of a URL."""
    return secrets.token_urlsafe(8)


class Store:
    """Each method is one transaction. Open it with `open_store`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.watchlist = Watchlist(engine)

    def close(self) -> None:
        self._engine.dispose()

    def keep(self, given: Given) -> None:
        row = {**asdict(given), "marks": json.dumps([asdict(one) for one in given.marks])}
        row |= {"differing": json.dumps([asdict(one) for one in given.differing])}
        row |= {"retrieved": json.dumps(given.retrieved), "scope": _written(given.scope)}
        row |= {"given": given.given.isoformat()}
        with self._writing() as connection:
            connection.execute(sa.insert(_answers), row)

    def given(self, answer: str) -> Given | None:
        with self._reading() as connection:
            row = connection.execute(sa.select(_answers).where(_answers.c.id == answer)).one_or_none()
        return _given(row._mapping) if row else None

    def turn(self, place: str) -> tuple[str, Scope]:
        """The last answer's id ("" for none) and the filters that are set."""
        with self._reading() as connection:
            row = connection.execute(sa.select(_turns).where(_turns.c.place == place)).one_or_none()
        return (row.answer, _scope(row.scope)) if row else ("", Scope())

    def set_turn(self, place: str, answer: str, scope: Scope) -> None:
        row = {"place": place, "answer": answer, "scope": _written(scope)}
        with self._writing() as connection:
            connection.execute(sa.insert(_turns).prefix_with("OR REPLACE"), row)

    def move(self, old: str, new: str) -> None:
        """A chat that has another id from now on takes its turns along; its messages are counted anew there.

        `old` and `new` end in a colon.
        """
        place = _turns.c.place
        moved = sa.update(_turns).prefix_with("OR REPLACE").where(place.startswith(old, autoescape=True))
        with self._writing() as connection:
            connection.execute(moved.values(place=new + sa.func.substr(place, len(old) + 1)))
        self.watchlist.move(old.rstrip(":"), new.rstrip(":"))

    def note_message(self, message: str, answer: str, reply: str = "") -> None:
        row = {"message": message, "answer": answer, "reply": reply}
        with self._writing() as connection:
            connection.execute(sa.insert(_messages).prefix_with("OR REPLACE"), row)

    def message(self, message: str) -> tuple[str, str] | None:
        """(answer's id, id of the message that answers it)."""
        with self._reading() as connection:
            row = connection.execute(sa.select(_messages).where(_messages.c.message == message)).one_or_none()
        return (row.answer, row.reply) if row else None

    def vote(self, answer: str, person: str, reason: str) -> None:
        row = {"answer": answer, "person": person, "reason": reason, "given": datetime.now(UTC).isoformat()}
        with self._writing() as connection:
            connection.execute(sa.insert(_votes).prefix_with("OR REPLACE"), row)

    def votes(self, limit: int) -> list[Vote]:
        query = sa.select(_votes, _answers.c.said.label("question")).join(_answers, _answers.c.id == _votes.c.answer)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(_votes.c.given.desc()).limit(limit)).all()
        return [Vote(*row) for row in rows]

    def first_time(self, key: str) -> bool:
        """Whether this key was never noted before; notes it."""
        row = {"key": key, "at": datetime.now(UTC).isoformat()}
        with self._writing() as connection:
            return connection.execute(sa.insert(_seen).prefix_with("OR IGNORE"), row).rowcount == 1

    def arrived(self, key: str, body: str) -> bool:
        """Keeps an update until it is dealt with; whether it came for the first time."""
        now = datetime.now(UTC)
        old = sa.delete(_inbox).where(_inbox.c.body == "", _inbox.c.at < (now - REPEATS).isoformat())
        row = {"key": key, "body": body, "tries": 0, "at": now.isoformat()}
        with self._writing() as connection:
            connection.execute(old)
            return connection.execute(sa.insert(_inbox).prefix_with("OR IGNORE"), row).rowcount == 1

    def dealt_with(self, key: str) -> None:
        with self._writing() as connection:
            connection.execute(sa.update(_inbox).where(_inbox.c.key == key).values(body=""))

    def unfinished(self, prefix: str) -> list[str]:
        """Updates that the program was stopped over, first come first; one that stopped it TRIES times is let go."""
        mine = _inbox.c.key.startswith(prefix, autoescape=True)
        with self._writing() as connection:
            connection.execute(sa.update(_inbox).where(mine, _inbox.c.tries >= TRIES).values(body=""))
            connection.execute(sa.update(_inbox).where(mine).values(tries=_inbox.c.tries + 1))
            left = sa.select(_inbox.c.body).where(mine, _inbox.c.body != "").order_by(_inbox.c.at)
            return list(connection.scalars(left))

    def invite(self) -> str:
        code = short_id()
        with self._writing() as connection:
            connection.execute(sa.insert(_codes), {"code": code, "person": ""})
        return code

    def redeem(self, code: str, person: str) -> bool:
        """Lets the person in, once for each code."""
        free = sa.update(_codes).where(_codes.c.code == code, _codes.c.person == "").values(person=person)
        with self._writing() as connection:
            return connection.execute(free).rowcount == 1

    def invited(self, person: str) -> bool:
        with self._reading() as connection:
            return connection.scalar(sa.select(_codes.c.code).where(_codes.c.person == person).limit(1)) is not None

    def spend(self, limits: Iterable[tuple[str, int, int]], now: float) -> tuple[int, int] | None:
        """Counts one use against each (who, seconds, limit); or the (seconds, limit) that is used up, counting none."""
        limits = list(limits)
        with self._writing() as connection:
            for who, seconds, limit in limits:
                if _used(connection, f"{who}/{seconds}", int(now // seconds)) >= limit:
                    return seconds, limit
            for who, seconds, _ in limits:
                _count(connection, f"{who}/{seconds}", int(now // seconds))
        return None

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return reading(self._engine)

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return writing(self._engine)


def open_store(path: Path) -> Store:
    """The store in this SQLite file, made where it is missing. Raises DatabaseError."""
    engine = engine_at(path)
    migrate(engine, _tables, MIGRATIONS)
    return Store(engine)


def _used(connection: sa.Connection, key: str, span: int) -> int:
    return connection.scalar(sa.select(_usage.c.count).where(_usage.c.key == key, _usage.c.span == span)) or 0


def _count(connection: sa.Connection, key: str, span: int) -> None:
    used = _used(connection, key, span)
    connection.execute(sa.delete(_usage).where(_usage.c.key == key))  # the spans before count no more
    connection.execute(sa.insert(_usage), {"key": key, "span": span, "count": used + 1})


def _given(row: Mapping[Any, Any]) -> Given:
    fields = dict(row)
    marks = tuple(map(_mark, json.loads(fields.pop("marks"))))
    told = json.loads(fields.pop("differing"))
    differing = tuple(Told(_mark(one["mark"]), (one["words"][0], one["words"][1]), one["update"]) for one in told)
    retrieved = tuple((url, score) for url, score in json.loads(fields.pop("retrieved")))
    scope, given = _scope(fields.pop("scope")), datetime.fromisoformat(fields.pop("given"))
    return Given(**fields, scope=scope, marks=marks, retrieved=retrieved, given=given, differing=differing)


def _mark(row: Mapping[str, Any]) -> Mark:
    words = row.get("words")  # a row of an earlier version has none
    return Mark(**{**row, "copies": tuple(row.get("copies", ())), "words": tuple(words) if words else None})


def _written(scope: Scope) -> str:
    return json.dumps(asdict(scope), default=date.isoformat)


def _scope(text: str) -> Scope:
    fields = json.loads(text)
    days = (fields[name] for name in ("since", "until", "as_of"))
    since, until, as_of = (date.fromisoformat(day) if day else None for day in days)
    return Scope(since, until, tuple(fields["outlets"]), as_of)
