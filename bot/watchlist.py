"""What the bot may have to speak of unasked: citations that were shown, standing questions, sentences for people.

Tables of `conversations.sqlite`. No article text is kept here, only offsets and digests. A citation is marked to be
looked at again when its article changes, and the mark is taken away in the transaction that notes what was told, so
that a kill loses nothing; only what was just being sent may come twice, where the channel cannot tell.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from corpus.database import reading, writing
from retrieval.scope import Scope

T = TypeVar("T")
MANY = 500  # values in one statement
KEPT = timedelta(days=7)  # that a sentence waits for its channel, and is not repeated

TABLES = sa.MetaData()
_shown = sa.Table(
    "shown",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("chat", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("url", sa.Text, nullable=False, index=True),  # "": nothing is left that could change
    sa.Column("revision", sa.Integer, nullable=False, index=True),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("look", sa.Integer, nullable=False, index=True),  # 1: the article may have changed
    sa.Column("sending", sa.Text, nullable=False),  # key of the message that was about to be sent
    sa.UniqueConstraint("chat", "answer", "number"),
)
_watched = sa.Table(  # one row
    "watched", TABLES, sa.Column("position", sa.Integer, primary_key=True)
)
_quiet = sa.Table("quiet", TABLES, sa.Column("chat", sa.Text, primary_key=True))
_notices = sa.Table(
    "notices",
    TABLES,
    sa.Column("chat", sa.Text, primary_key=True),
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
_follows = sa.Table(
    "follows",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("chat", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("after", sa.Integer, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("sending", sa.Text, nullable=False),
    sa.Column("until", sa.Integer, nullable=False),
    sa.UniqueConstraint("chat", "number"),
    sqlite_autoincrement=True,
)
_told = sa.Table(
    "told",
    TABLES,
    sa.Column("follow", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
)
_sentences = sa.Table(
    "sentences",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("chat", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending, posted, dropped
    sa.Column("sending", sa.Text, nullable=False),
)

MIGRATION = (
    "CREATE TABLE shown (id INTEGER NOT NULL PRIMARY KEY, chat TEXT NOT NULL, topic TEXT NOT NULL, "
    "message TEXT NOT NULL, person TEXT NOT NULL, language TEXT NOT NULL, answer TEXT NOT NULL, "
    "number INTEGER NOT NULL, url TEXT NOT NULL, "
    'revision INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, digest TEXT NOT NULL, '
    "at TEXT NOT NULL, look INTEGER NOT NULL, sending TEXT NOT NULL, UNIQUE (chat, answer, number))",
    *(f"CREATE INDEX ix_shown_{name} ON shown ({name})" for name in ("url", "revision", "look")),
    "CREATE TABLE watched (position INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE quiet (chat TEXT NOT NULL PRIMARY KEY)",
    "CREATE TABLE notices (chat TEXT NOT NULL, day TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (chat, day))",
    "CREATE TABLE follows (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, chat TEXT NOT NULL, "
    "topic TEXT NOT NULL, person TEXT NOT NULL, language TEXT NOT NULL, question TEXT NOT NULL, scope TEXT NOT NULL, "
    "after INTEGER NOT NULL, due TEXT NOT NULL, sending TEXT NOT NULL, until INTEGER NOT NULL, "
    "UNIQUE (chat, number))",
    "CREATE TABLE told (follow INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (follow, key))",
    "CREATE TABLE sentences (id INTEGER NOT NULL PRIMARY KEY, chat TEXT NOT NULL, text TEXT NOT NULL, "
    "at TEXT NOT NULL, state TEXT NOT NULL, sending TEXT NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Telling:
    """How much is said unasked."""

    notices: int = 3  # corrections in a conversation and day, the rest in one of them; 0: none
    days: int = 30  # that an answer is old from when its corrections are told no more
    hours: float = 6.0  # between two answers to a standing question
    follows: int = 10  # standing questions of one person, twice as many in one chat
    every: float = 30.0  # seconds between two looks at the archive


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands, in the channel's own ids."""

    chat: str  # channel:chat
    topic: str = ""  # within the chat: a topic, a thread
    message: str = ""  # to reply to; "": none

    @property
    def id(self) -> str:
        """The chat's, without the channel."""
        return self.chat.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Kept:
    """Words of a stored revision, as they are kept."""

    url: str
    revision: int
    start: int
    end: int
    digest: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A citation that a person saw, or what was told them since to stand in its place."""

    id: int
    place: Place
    person: str
    language: str
    answer: str
    number: int  # of the citation in its answer; 1 is the first
    kept: Kept
    at: datetime
    sending: str = ""


@dataclass(frozen=True, slots=True)
class Follow:
    """A standing question."""

    id: int
    number: int  # by which its chat knows it
    place: Place
    person: str
    language: str
    question: str
    scope: Scope
    after: int  # the newest revision that it was asked of
    due: datetime  # nothing is told before
    sending: str = ""
    until: int = 0  # the newest revision that it was asked of for what was about to be sent

    @property
    def private(self) -> bool:
        """Asked where nobody else sees it: the topic within the chat is the person's own."""
        return self.place.topic == self.person.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Sentence:
    id: int
    chat: str
    text: str
    sending: str


class Watchlist:
    """Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    # Citations that were shown

    def show(self, place: Place, person: str, language: str, answer: str, number: int, kept: Kept) -> None:
        """Notes that this citation stands in a message now; where its answer stood in this chat before, there too."""
        row = {**_placed(place), "person": person, "language": language, "answer": answer, "number": number}
        row |= {**asdict(kept), "at": _now(), "look": 1, "sending": ""}
        mine = _shown.c.chat == place.chat, _shown.c.answer == answer
        with self._writing() as connection:
            connection.execute(sa.delete(_shown).where(*_in(place), _shown.c.answer != answer))  # edited away
            connection.execute(sa.update(_shown).where(*mine).values(topic=place.topic, message=place.message))
            connection.execute(sa.insert(_shown).prefix_with("OR IGNORE"), row)

    def hide(self, answer: str, message: str) -> None:
        """The message in which this answer stood is gone, and what it showed with it."""
        with self._writing() as connection:
            connection.execute(sa.delete(_shown).where(_shown.c.answer == answer, _shown.c.message == message))

    def show_next(self, chat: str, answer: str, number: int, kept: Kept) -> None:
        """Notes that another citation stands in the message of this answer; nothing where that is not known."""
        query = sa.select(_shown).where(_shown.c.chat == chat, _shown.c.answer == answer).limit(1)
        with self._writing() as connection:
            known = connection.execute(query).one_or_none()
            if known is not None:
                row = {**known._mapping, **asdict(kept), "number": number, "at": _now(), "look": 1, "sending": ""}
                row.pop("id")
                connection.execute(sa.insert(_shown).prefix_with("OR IGNORE"), row)

    def watched(self) -> int | None:
        """The position of the archive up to which changes were looked at; None: none yet."""
        with self._reading() as connection:
            return connection.scalar(sa.select(_watched.c.position))

    def look_again(self, urls: Iterable[str], revisions: Iterable[int], position: int) -> None:
        """At what is cited of these articles; that is noted together with the position that they changed at."""
        with self._writing() as connection:
            for column, values in ((_shown.c.url, urls), (_shown.c.revision, revisions)):
                for some in _batched(values):
                    mine = column.in_(some), _shown.c.url != ""
                    connection.execute(sa.update(_shown).where(*mine).values(look=1))
            connection.execute(sa.delete(_watched))
            connection.execute(sa.insert(_watched), {"position": position})

    def to_look_at(self, channel: str, but: Iterable[str], limit: int) -> list[Shown]:
        """All such citations of some chats, first shown first; none of the chats `but`. `limit`: about so many."""
        mine = _shown.c.chat.startswith(f"{channel}:", autoescape=True), _shown.c.chat.not_in(list(but))
        waiting = sa.select(_shown.c.chat).where(*mine, _shown.c.look == 1).order_by(_shown.c.id).limit(limit)
        with self._reading() as connection:
            chats = set(connection.scalars(waiting))
            query = sa.select(_shown).where(_shown.c.look == 1, _shown.c.chat.in_(chats)).order_by(_shown.c.id)
            return [_read_shown(row) for row in connection.execute(query)]

    def sending(self, shown: Iterable[Shown], key: str) -> None:
        """Notes that a message about these is about to be sent."""
        with self._writing() as connection:
            for some in _batched(one.id for one in shown):
                connection.execute(sa.update(_shown).where(_shown.c.id.in_(some)).values(sending=key))

    def settle(self, settled: Iterable[tuple[Shown, Kept | None]], day: date | None = None) -> None:
        """These were looked at; what a person knows of now is kept in their place, None: nothing that could change.

        `day`: on which a notice of them was posted, to be counted.
        """
        settled = list(settled)
        with self._writing() as connection:
            for shown, kept in settled:
                now = asdict(kept or replace(shown.kept, url=""))
                mine = sa.update(_shown).where(_shown.c.id == shown.id)
                connection.execute(mine.values(**now, look=0, sending=""))
            if day and settled:
                _count(connection, settled[0][0].place.chat, day)

    def posted_on(self, chat: str, day: date) -> int:
        """Notices in this chat."""
        mine = _notices.c.chat == chat, _notices.c.day == day.isoformat()
        with self._reading() as connection:
            return connection.scalar(sa.select(_notices.c.count).where(*mine)) or 0

    def let_go(self, before: datetime) -> None:
        """Forgets what was shown before."""
        with self._writing() as connection:
            connection.execute(sa.delete(_shown).where(_shown.c.at < before.isoformat()))
            connection.execute(sa.delete(_notices).where(_notices.c.day < before.date().isoformat()))

    def quiet(self, chat: str) -> bool:
        """Whether nobody there wants to hear of corrections."""
        with self._reading() as connection:
            return connection.scalar(sa.select(_quiet.c.chat).where(_quiet.c.chat == chat)) is not None

    def set_quiet(self, chat: str, quiet: bool) -> None:
        with self._writing() as connection:
            connection.execute(sa.delete(_quiet).where(_quiet.c.chat == chat))
            if quiet:
                connection.execute(sa.insert(_quiet), {"chat": chat})

    def move(self, old: str, new: str) -> None:
        """A chat has another id from now on, and its messages other ids."""
        with self._writing() as connection:
            connection.execute(
                sa.update(_shown).prefix_with("OR IGNORE").where(_shown.c.chat == old).values(chat=new, message="")
            )
            for table in (_follows, _quiet):
                moved = sa.update(table).prefix_with("OR IGNORE").where(table.c.chat == old)
                connection.execute(moved.values(chat=new))

    # Standing questions

    def follow(self, new: Follow, told: Iterable[str], telling: Telling) -> int | None:
        """The number under which it is kept (`new.number` and `new.id` do not count); None where that is too many."""
        here = _follows.c.chat == new.place.chat
        with self._writing() as connection:
            mine = _number(connection, _follows.c.person == new.person)
            if mine >= telling.follows or _number(connection, here) >= 2 * telling.follows:
                return None
            taken = set(connection.scalars(sa.select(_follows.c.number).where(here)))
            number = next(one for one in range(1, len(taken) + 2) if one not in taken)
            row = {"number": number, "chat": new.place.chat, "topic": new.place.topic, "person": new.person}
            row |= {"language": new.language, "question": new.question, "scope": _written(new.scope)}
            row |= {"after": new.after, "due": new.due.isoformat(), "sending": "", "until": 0}
            key = connection.execute(sa.insert(_follows), row).inserted_primary_key
            assert key is not None
            _tell(connection, key[0], told)
        return number

    def following(self, chat: str, person: str) -> list[Follow]:
        """The standing questions of a chat, by their numbers; those that another person asked in private left out."""
        with self._reading() as connection:
            query = sa.select(_follows).where(_follows.c.chat == chat).order_by(_follows.c.number)
            every = [_read_follow(row) for row in connection.execute(query)]
        return [one for one in every if one.person == person or not one.private]

    def unfollow(self, follow: Follow) -> None:
        with self._writing() as connection:
            connection.execute(sa.delete(_told).where(_told.c.follow == follow.id))
            connection.execute(sa.delete(_follows).where(_follows.c.id == follow.id))

    def due(self, channel: str, now: datetime, newest: int, but: Iterable[str], limit: int) -> list[Follow]:
        """Those that may be told something by now and were not asked of what came in; who waits longest first.

        None of the chats `but`.
        """
        mine = _follows.c.chat.startswith(f"{channel}:", autoescape=True), _follows.c.chat.not_in(list(but))
        waiting = *mine, _follows.c.due <= now.isoformat(), _follows.c.after < newest
        query = sa.select(_follows).where(*waiting).order_by(_follows.c.after, _follows.c.due, _follows.c.id)
        with self._reading() as connection:
            return [_read_follow(row) for row in connection.execute(query.limit(limit))]

    def told(self, follow: int) -> frozenset[str]:
        with self._reading() as connection:
            return frozenset(connection.scalars(sa.select(_told.c.key).where(_told.c.follow == follow)))

    def sending_news(self, follow: int, key: str, until: int) -> None:
        """Notes that a message about it is about to be sent, and up to which revision it was asked for that."""
        now = sa.update(_follows).where(_follows.c.id == follow)
        with self._writing() as connection:
            connection.execute(now.values(sending=key, until=until))

    def asked(self, follow: int, after: int, told: Iterable[str] = (), due: datetime | None = None) -> None:
        """It was asked of everything up to a revision, and this was told."""
        now = {"after": after, "sending": "", **({"due": due.isoformat()} if due else {})}
        with self._writing() as connection:
            changed = connection.execute(sa.update(_follows).where(_follows.c.id == follow).values(**now))
            if changed.rowcount:  # nobody ended it meanwhile
                _tell(connection, follow, told)

    # Sentences

    def say(self, chat: str, text: str) -> bool:
        """Keeps a sentence until it is posted; False where this chat has it, or had it in the days that it is KEPT."""
        old = (datetime.now(UTC) - KEPT).isoformat()
        same = sa.select(_sentences.c.id).where(_sentences.c.chat == chat, _sentences.c.text == text)
        row = {"chat": chat, "text": text, "at": _now(), "state": "pending", "sending": ""}
        with self._writing() as connection:
            connection.execute(sa.delete(_sentences).where(_sentences.c.at < old))
            if connection.scalar(same.limit(1)) is not None:
                return False
            connection.execute(sa.insert(_sentences), row)
        return True

    def to_say(self, channel: str) -> list[Sentence]:
        mine = _sentences.c.chat.startswith(f"{channel}:", autoescape=True)
        query = sa.select(_sentences).where(mine, _sentences.c.state == "pending").order_by(_sentences.c.id)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [Sentence(row.id, row.chat, row.text, row.sending) for row in rows]

    def said(self, sentence: Sentence, *, state: str = "posted", sending: str = "") -> None:
        changed = sa.update(_sentences).where(_sentences.c.id == sentence.id)
        with self._writing() as connection:
            connection.execute(changed.values(state=state, sending=sending))

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return reading(self._engine)

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return writing(self._engine)


def _batched(values: Iterable[T]) -> Iterator[list[T]]:
    """MANY at a time."""
    stream = iter(values)
    while some := list(islice(stream, MANY)):
        yield some


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _placed(place: Place) -> dict[str, str]:
    return {"chat": place.chat, "topic": place.topic, "message": place.message}


def _in(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    """What stands in this very message."""
    return _shown.c.chat == place.chat, _shown.c.message == place.message, _shown.c.message != ""


def _number(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(_follows).where(which)) or 0


def _tell(connection: sa.Connection, follow: int, keys: Iterable[str]) -> None:
    rows: Sequence[dict[str, Any]] = [{"follow": follow, "key": key} for key in keys]
    if rows:
        connection.execute(sa.insert(_told).prefix_with("OR IGNORE"), rows)


def _count(connection: sa.Connection, chat: str, day: date) -> None:
    row = {"chat": chat, "day": day.isoformat(), "count": 0}
    mine = sa.update(_notices).where(_notices.c.chat == chat, _notices.c.day == day.isoformat())
    connection.execute(sa.insert(_notices).prefix_with("OR IGNORE"), row)
    connection.execute(mine.values(count=_notices.c.count + 1))


def _read_shown(row: Any) -> Shown:
    kept = Kept(row.url, row.revision, row.start, row.end, row.digest)
    place, at = Place(row.chat, row.topic, row.message), datetime.fromisoformat(row.at)
    return Shown(row.id, place, row.person, row.language, row.answer, row.number, kept, at, row.sending)


def _read_follow(row: Any) -> Follow:
    return Follow(
        id=row.id,
        number=row.number,
        place=Place(row.chat, row.topic),
        person=row.person,
        language=row.language,
        question=row.question,
        scope=_scope(row.scope),
        after=row.after,
        due=datetime.fromisoformat(row.due),
        sending=row.sending,
        until=row.until,
    )


def _written(scope: Scope) -> str:
    days = {name: day.isoformat() if day else "" for name, day in (("since", scope.since), ("until", scope.until))}
    return json.dumps({**days, "outlets": scope.outlets})


def _scope(text: str) -> Scope:
    fields = json.loads(text)
    since, until = (date.fromisoformat(fields[name]) if fields[name] else None for name in ("since", "until"))
    return Scope(since, until, tuple(fields["outlets"]))
