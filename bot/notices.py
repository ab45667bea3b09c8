"""What the bot says unasked, in every channel that can: corrections of what it quoted, news, sentences for people.

`watch` runs beside a channel. Each round looks at what changed in the archive since the last one, whoever changed it,
and does a bounded piece of work. Everything waits in the store until it was posted.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Protocol

from bot import messages
from bot.conversation import Office, Person, Stored
from bot.conversation import Shown as Answered
from bot.following import News, news
from bot.length import FIELD, cut, on_the_web, units
from bot.reception import Seats, noted
from bot.store import digest
from bot.watchlist import Follow, Kept, Place, Sentence, Shown, Watchlist
from corpus.archive import Archive, NoSuchArticle, Revision
from corpus.changes import nearest, stands
from retrieval.citation import Citation, FalseQuote, cite

CHANGES = 2_000  # changes of the archive looked at in a step
ROUND = 200  # citations, about, and
ASKED = 20  # standing questions of a round
BUSY = 1.0  # seconds between two pieces of work, and until it is looked again whether nobody waits for an answer
QUOTE = 480  # units of a quote in a correction, of which there may be three with two quotes each
ADDRESS = 300  # units of an address that is shown; a longer one is not
SUMMED = 8  # articles named where corrections are summed up
SWEEP = timedelta(hours=1)  # between two looks for what is too old
LATER = 60.0  # seconds until a channel that could not post is tried again
log = logging.getLogger("pullquote.notices")


class Unpostable(Exception):
    """Nobody will ever see it there: the bot was put out or blocked, the chat is gone, the channel refuses it."""


class Later(Exception):
    """It cannot be posted now; tried again after so many seconds."""

    def __init__(self, why: str, seconds: float = LATER) -> None:
        super().__init__(why)
        self.seconds = seconds


class Postbox(Protocol):
    """How a channel speaks unasked. A channel that cannot has none, and sets `posts` of its Office to False.

    It also tells, with `bot.reception.noted`, in which message of a place each answer stands, and runs `watch`.
    """

    channel: str  # the part of `Place.chat` before its colon

    async def person(self, person: str, place: Place) -> Person:
        """The person whose access decides whether something is posted there, with the groups that the settings name."""
        ...

    async def post(self, place: Place, what: Answered | str, language: str, key: str, again: bool) -> str:
        """Posts an answer with its usual buttons, or a text of ours without markup, which is escaped and cut there.

        In the chat and the topic or thread of `place`, in reply to its message where it names one that still stands;
        the id of the new message is returned. `key` is the same for the same message, also after a restart, and
        `again` says that it may have been posted with this key before the program was stopped: a channel whose server
        can tell (a transaction id, a nonce) hands the key on, and it is never posted twice. Others may post it again.
        Raises Unpostable, after which it is dropped with a line in the log, or Later.
        """
        ...


@dataclass(frozen=True, slots=True)
class Gone:
    """A citation that no longer stands."""

    shown: Shown
    was: Citation | None = None  # None: its article is gone, and its words must not be shown again
    now: Citation | None = None  # what stands there now; None: nothing like it
    day: date | None = None  # since when

    @property
    def kept(self) -> Kept | None:
        """What the person knows of once that is told."""
        return kept(self.now) if self.now else None


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told in one message: the corrections of one answer."""

    gone: tuple[Gone, ...]  # in the order of the citations
    repeats: tuple[Shown, ...] = ()  # the same citations, where other answers in this chat had them

    @property
    def place(self) -> Place:
        return self.gone[0].shown.place

    @property
    def settled(self) -> list[tuple[Shown, Kept | None]]:
        told = {one.shown.kept: one.kept for one in self.gone}
        return [*((one.shown, one.kept) for one in self.gone), *((one, told[one.kept]) for one in self.repeats)]


# Whether a citation stands


def judged(shown: Shown, archive: Archive) -> Gone | None:
    """What became of a citation; None: its words stand, or it cannot be known what they were."""
    history = _history(shown.kept.url, archive)
    if not history:
        return Gone(shown)
    cited = _cited(shown.kept, history)
    if cited is None or stands(quote := cited.quote, history[-1].article.text):
        return None
    changed = next(one for one in _latest_first(history) if one[0] is None or stands(quote, one[0].article.text))[1]
    span = nearest(quote, history[-1].article.text)
    return Gone(shown, cited, cite(history[-1], span) if span else None, changed.since)


def _latest_first(history: Sequence[Revision]) -> Iterable[tuple[Revision | None, Revision]]:
    """Each revision behind the one before it, the newest first."""
    return zip([*history[-2::-1], None], history[::-1], strict=True)


def _history(url: str, archive: Archive) -> list[Revision]:
    try:
        found = archive.revisions(url)
    except NoSuchArticle:
        return []
    return found if found[-1].article.url == url else []


def _cited(known: Kept, history: Iterable[Revision]) -> Citation | None:
    """In whichever revision has it there: an archive that was made anew numbers its revisions anew."""
    for one in sorted(history, key=lambda revision: revision.id != known.revision):
        if digest(one.article.text[known.start : known.end]) == known.digest:
            return cite(one, (known.start, known.end))
    return None


def kept(citation: Citation) -> Kept:
    place = (citation.article.url, citation.revision, citation.start, citation.end)
    return Kept(*place, digest(citation.quote))


# What is said


def by_answer(gone: Iterable[Gone]) -> list[Notice]:
    """One notice for each answer; a citation that several answers have is told below the newest."""
    newest = {one.shown.kept: one for one in gone}
    repeats = [one.shown for one in gone if newest[one.shown.kept] is not one]
    notices = []
    for answer in dict.fromkeys(one.shown.answer for one in newest.values()):
        mine = [one for one in newest.values() if one.shown.answer == answer]
        mine.sort(key=lambda one: one.shown.number)
        again = {one.shown.kept for one in mine}
        notices.append(Notice(tuple(mine), tuple(one for one in repeats if one.kept in again)))
    return notices


def correction(notice: Notice, question: str, count: int, today: date) -> str:
    """`count`: the citations of the answer."""
    language = notice.gone[0].shown.language
    head = messages.say(messages.CORRECTION, language, question=cut(question, FIELD))
    parts = ["\n".join(_told(one, count, today)) for one in notice.gone]
    return "\n\n".join([head, *parts, messages.say(messages.CORRECTIONS_ENDED, language)])


def _told(gone: Gone, count: int, today: date) -> list[str]:
    language = gone.shown.language
    if gone.was is None:
        which = {"number": gone.shown.number, "count": count, "day": today.isoformat()}
        return [messages.say(messages.WITHDRAWN if count > 1 else messages.WITHDRAWN_ONE, language, **which)]
    day = messages.short_day(gone.day)
    lines = [_source(gone.now or gone.was, language)]
    lines.append(messages.say(messages.CORRECTION_THEN, language, quote=cut(gone.was.quote, QUOTE)))
    if gone.now:
        lines.append(messages.say(messages.CORRECTION_NOW, language, day=day, quote=cut(gone.now.quote, QUOTE)))
    else:
        lines.append(messages.say(messages.CORRECTION_NOTHING, language, day=day))
    url = gone.was.article.url
    return [*lines, *([url] if on_the_web(url) and units(url) <= ADDRESS else [])]


def summed_up(notices: Sequence[Notice]) -> str:
    language = notices[0].gone[0].shown.language
    head = messages.say(messages.CORRECTIONS_MORE, language, count=len(notices))
    cited = [one.now or one.was for notice in notices for one in notice.gone]
    named = list(dict.fromkeys(_source(one, language) for one in cited if one))
    lines = [f"• {one}" for one in named[:SUMMED]] + (["…"] if len(named) > SUMMED else [])
    return "\n".join([head, *lines, messages.say(messages.CORRECTIONS_ENDED, language)])


def _source(citation: Citation, language: str) -> str:
    article = citation.article
    day = article.published.date().isoformat() if article.published else messages.say(messages.NO_DAY, language)
    return " · ".join(filter(None, (cut(article.outlet, FIELD), cut(article.title, FIELD), day)))


# At work


class Notices:
    """Tells the people of one channel what they should hear of."""

    def __init__(
        self, office: Office, postbox: Postbox, seats: Seats, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._office, self._postbox, self._seats, self._clock = office, postbox, seats, clock
        self._list: Watchlist = office.store.watchlist
        self._held: dict[str, datetime] = {}  # chats in which nothing can be posted, and until when
        self._full: dict[str, date] = {}  # chats that had their corrections of that day
        self._swept = datetime.min.replace(tzinfo=UTC)

    async def round(self) -> bool:
        """One bounded piece of work; whether there is more to do at once."""
        now = self._clock()
        self._held = {chat: until for chat, until in self._held.items() if until > now}
        self._full = {chat: day for chat, day in self._full.items() if day == now.date()}
        if now - self._swept > SWEEP:
            self._swept = now
            await asyncio.to_thread(self._list.let_go, now - timedelta(days=self._office.telling.days))
        await asyncio.to_thread(self._follow_archive)
        for sentence in await asyncio.to_thread(self._list.to_say, self._postbox.channel):
            if sentence.chat not in self._held:
                await self._say(sentence)
        more = await self._correct()
        return await self._tell_news() or more

    # What changed

    def _follow_archive(self) -> None:
        archive, position = self._office.archive, self._list.watched()
        if position is None or archive.position() < position:  # the first start, or another archive
            self._list.look_again((), (), archive.position())
            return
        while changes := archive.changed(position, CHANGES):
            revisions = [revision for _, revision in changes]
            urls = archive.urls(revisions)
            position = changes[-1][0]
            self._list.look_again(set(urls.values()), set(revisions), position)

    # Corrections

    async def _correct(self) -> bool:
        """Tells of citations that no longer stand; whether others wait to be looked at."""
        but = {*self._held, *self._full}
        waiting = await asyncio.to_thread(self._list.to_look_at, self._postbox.channel, but, ROUND)
        chats: dict[str, list[Shown]] = {}
        for one in waiting:
            chats.setdefault(one.place.chat, []).append(one)
        for chat, shown in chats.items():
            gone = await asyncio.to_thread(self._judge, shown)
            if gone:
                await self._correct_in(chat, gone)
        return len(waiting) >= ROUND

    def _judge(self, shown: Sequence[Shown]) -> list[Gone]:
        """Those that no longer stand; the others are settled."""
        found = [(one, judged(one, self._office.archive)) for one in shown]
        standing = [(one, one.kept) for one, gone in found if gone is None]
        if standing:
            self._list.settle(standing)
        return [gone for _, gone in found if gone]

    async def _correct_in(self, chat: str, gone: Sequence[Gone]) -> None:
        wanted = self._office.telling.notices and not await asyncio.to_thread(self._list.quiet, chat)
        heard: list[Gone] = []
        unheard: list[Gone] = []
        for one in gone:
            hears = wanted and await self._hears(one.shown)
            (heard if hears else unheard).append(one)
        if unheard:
            await asyncio.to_thread(self._list.settle, [(one.shown, one.kept) for one in unheard])
        notices = by_answer(heard)
        left = self._office.telling.notices - await asyncio.to_thread(self._list.posted_on, chat, self._today())
        if notices and left <= 0:
            self._full[chat] = self._today()
            return
        singly = len(notices) if len(notices) <= left else left - 1
        batches = [[one] for one in notices[:singly]] + ([notices[singly:]] if notices[singly:] else [])
        for batch in batches:
            if not await self._post_correction(batch):
                return

    async def _hears(self, shown: Shown) -> bool:
        """Not of an old answer, and not who has lost access."""
        old = self._clock() - shown.at > timedelta(days=self._office.telling.days)
        return not old and await self._allowed(shown.person, shown.place)

    async def _post_correction(self, notices: Sequence[Notice]) -> bool:
        """Whether the next one may be tried."""
        settled = [pair for one in notices for pair in one.settled]
        place = notices[0].place if len(notices) == 1 else replace(notices[-1].place, message="")
        key = _key(place.chat, *(f"{shown.id}/{shown.kept}/{now}" for shown, now in settled))
        again = all(shown.sending == key for shown, _ in settled)
        try:
            text = await asyncio.to_thread(self._correction, notices)
        except FalseQuote:  # forgotten meanwhile: looked at again in the next round
            return False
        await asyncio.to_thread(self._list.sending, [shown for shown, _ in settled], key)
        outcome = await self._post(place, text, notices[0].gone[0].shown.language, key, again)
        if outcome is None:
            return False
        await asyncio.to_thread(self._list.settle, settled, self._today() if outcome else None)
        return True

    def _correction(self, notices: Sequence[Notice]) -> str:
        """Raises FalseQuote."""
        for one in (gone for notice in notices for gone in notice.gone):
            for citation in filter(None, (one.was, one.now)):
                self._office.desk.proven(citation)
        if len(notices) > 1:
            return summed_up(notices)
        given = self._office.store.given(notices[0].gone[0].shown.answer)
        question, count = (given.said, len(given.marks)) if given else ("", 1)
        return correction(notices[0], question, count, self._today())

    # Standing questions

    async def _tell_news(self) -> bool:
        """Asks standing questions of what came in, one at a time and only while nobody waits; whether more wait."""
        if not await asyncio.to_thread(self._office.in_step):
            return False
        now = await asyncio.to_thread(self._office.archive.newest)
        due = await asyncio.to_thread(self._list.due, self._postbox.channel, self._clock(), now, self._held, ASKED)
        for follow in due:
            if self._seats.waiting:
                return True
            newest = follow.until if follow.sending else now  # what may have been sent is found again as it was
            if not await self._allowed(follow.person, follow.place):
                await asyncio.to_thread(self._list.asked, follow.id, newest)
                continue
            found = await self._seats.work(partial(self._news, follow, newest))
            if found is None:
                await asyncio.to_thread(self._list.asked, follow.id, newest)
            else:
                await self._post_news(follow, found, newest)
        return len(due) == ASKED

    def _news(self, follow: Follow, newest: int) -> News | None:
        office = self._office
        told = self._list.told(follow.id)
        return news(office.desk.ask, office.archive, follow, told, newest, office.today())

    async def _post_news(self, follow: Follow, found: News, newest: int) -> None:
        who = await self._postbox.person(follow.person, follow.place)
        who = replace(who, language=follow.language)
        asked = {"number": follow.number, "question": cut(follow.question, FIELD)}
        heading = messages.say(messages.NEWS, follow.language, **asked)
        shown = await asyncio.to_thread(lambda: Stored(self._office, who).told(found.answer, heading))
        key = _key("follow", str(follow.id), *sorted(found.told))
        await asyncio.to_thread(self._list.sending_news, follow.id, key, newest)
        outcome = await self._post(follow.place, shown, follow.language, key, follow.sending == key)
        if outcome is None:
            return
        due = self._clock() + timedelta(hours=self._office.telling.hours)
        await asyncio.to_thread(self._list.asked, follow.id, newest, found.told, due)
        if outcome:
            await asyncio.to_thread(self._noted, who, replace(follow.place, message=outcome), shown.answer)

    def _noted(self, who: Person, place: Place, answer: str) -> None:
        self._office.store.note_message(f"{place.chat}:{place.message}", answer)
        noted(self._office, who, place, answer)

    # Sentences

    async def _say(self, sentence: Sentence) -> None:
        key = _key("sentence", str(sentence.id))
        await asyncio.to_thread(self._list.said, sentence, state="pending", sending=key)
        outcome = await self._post(Place(sentence.chat), sentence.text, "", key, sentence.sending == key)
        if outcome is not None:
            await asyncio.to_thread(self._list.said, sentence, state="posted" if outcome else "dropped")

    # All of these

    async def _post(self, place: Place, what: Answered | str, language: str, key: str, again: bool) -> str | None:
        """The id of the message; "" where it is dropped, None where it must wait."""
        try:
            return await self._postbox.post(place, what, language, key, again)
        except Later as error:
            self._held[place.chat] = self._clock() + timedelta(seconds=error.seconds)
            log.info("nothing can be posted in %s for %.0f s: %s", place.chat, error.seconds, error)
            return None
        except Unpostable as error:
            log.info("dropped what was to be said in %s: %s", place.chat, error)
        except Exception:  # one that nobody foresaw must not keep the others from being heard
            log.exception("dropped what was to be said in %s", place.chat)
        return ""

    async def _allowed(self, person: str, place: Place) -> bool:
        who = await self._postbox.person(person, place)
        return await asyncio.to_thread(lambda: Stored(self._office, who).allowed())

    def _today(self) -> date:
        return self._clock().date()


async def watch(office: Office, postbox: Postbox, seats: Seats) -> None:
    """Until it is cancelled. A round that fails is logged and the next one goes on where it stood."""
    notices = Notices(office, postbox, seats)
    while True:
        more = False
        try:
            more = await notices.round()
        except Exception:  # the archive may be out of reach; answering goes on meanwhile
            log.exception("a round of notices failed")
        await asyncio.sleep(BUSY if more else office.telling.every)


def tell_admins(watchlist: Watchlist, admins: Collection[str], sentences: Iterable[str]) -> None:
    """Says them to each administrator ("telegram:4711"), once in a week, when the channel runs; and to the log."""
    for sentence in sentences:
        log.warning("%s", sentence)
        for chat in admins:
            watchlist.say(chat, sentence)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
