"""Carries what is said to the bot to a conversation, and its reply back: in order, once, edited and deleted along.

A chat that keeps messages with ids gets all of it by being a Platform, and what the bot says unasked too: a Porter is a
`bot.notices.Postbox`.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from bot import messages
from bot.conversation import Office, Person, Reply, Shown, Stored
from bot.listening import GRACE
from bot.notices import Later, Unpostable, watch
from bot.reception import Asked, Press, Seats, Turns, answered, button, noted, pressed, read_press
from bot.watchlist import Place

PATIENCE = 0.5  # seconds after which a person sees that the bot is at work
log = logging.getLogger("pullquote.porter")

Json = Mapping[str, Any]
Work = Callable[[], Awaitable[None]]


class Away(Exception):
    """The platform cannot be reached, or serves nobody now: what was to be said waits for the next start."""


class TooLate(Exception):
    """There is nothing left to do: who was answered is gone, or has put the bot out."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that was said to the bot, or deleted."""

    who: Person
    chat: str  # channel:chat, in front of the ids of its messages
    message: str
    asked: Asked | None = None
    thread: str = ""  # that the reply goes into
    addressed: bool = True  # False: it stands in a thread that the bot is in, but does not name it
    place: Any = None  # what the platform needs besides, to reply
    key: str = ""  # the same for the same message of ours, where that is no reply; "": see `once`

    @property
    def said(self) -> str:
        return f"{self.chat}:{self.message}"

    @property
    def once(self) -> str:
        """What a platform that can tells a message of ours by that it has already."""
        return self.key or self.message


class Platform(Protocol):
    """What a chat does for the porter. Everything may raise Away or TooLate."""

    def work_of(self, event: Json) -> Work | None:
        """What is to be done for it; None: it is not for us."""
        ...

    async def post(self, heard: Heard, reply: Reply, answer: str) -> str:
        """The id of the new message; `answer` is the id under which an Answer is stored.

        Without `heard.message` it replies to none, and `heard.place` may come as the text of what it was.
        """
        ...

    async def edit(self, heard: Heard, message: str, reply: Reply, answer: str) -> None: ...
    async def delete(self, heard: Heard, message: str) -> None: ...
    async def show_working(self, heard: Heard) -> None: ...
    async def groups(self, person: str, place: Place) -> frozenset[str]:
        """Those that the person is in now and there, as the settings write them."""
        ...

    async def tell_admin(self, admin: str, note: str) -> None: ...


class Porter:
    """Works for one bot in one chat."""

    def __init__(self, office: Office, platform: Platform, prefix: str) -> None:
        """`prefix` is that of its events in the inbox: "mattermost/BOT/"."""
        self._office, self._store, self._platform, self._prefix = office, office.store, platform, prefix
        self.channel = prefix.partition("/")[0]
        self._seats, self._turns = Seats(office.seats), Turns()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, key: str, event: Json) -> None:
        """Each event is on disk before it is dealt with, so that a crash loses none; one that comes again is let go."""
        work = self._platform.work_of(event)
        if work and self._store.arrived(f"{self._prefix}{key}", json.dumps({"key": key, "event": event})):
            self._begin(key, work)

    async def resume(self) -> None:
        """What came before the program was stopped is answered first."""
        for text in await asyncio.to_thread(self._store.unfinished, self._prefix):
            kept = json.loads(text)
            if work := self._platform.work_of(kept["event"]):
                self._begin(kept["key"], work)

    async def finish(self) -> None:
        """Waits for what is in hand, but not for ever: the rest is for the next start."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=GRACE)
            for task in left:
                task.cancel()

    def _begin(self, key: str, work: Work) -> None:
        task = asyncio.create_task(self._deal(key, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deal(self, key: str, work: Work) -> None:
        try:
            await work()
        except Away as error:
            log.warning("Not reached: %s", error)
            return
        except TooLate as error:
            log.info("%s", error)
        except Exception as error:
            log.error("error %s", secrets.token_hex(4), exc_info=error)
        await asyncio.to_thread(self._store.dealt_with, f"{self._prefix}{key}")

    async def hear(self, heard: Heard, edited: bool = False) -> None:
        """An edited question gets its answer edited; one that was not answered yet, a new one."""
        async with self._turn(heard), self._apologising(heard):
            if heard.asked is None or not (heard.addressed or await self._may_ask(heard.who)):
                return
            noted = await asyncio.to_thread(self._store.message, heard.said) if edited else None
            instead, asked, who = noted[1] if noted else "", heard.asked, heard.who
            async with self._working(heard):
                reply, answer, strange = await self._seats.work(
                    lambda: answered(self._office, who, asked, "" if instead else heard.said), asked.text
                )
            if reply is None:
                return
            if instead:
                await self._platform.edit(heard, instead, reply, answer)
            sent = instead or await self._platform.post(heard, reply, answer)
            await asyncio.to_thread(self._note, heard, reply, answer, sent)
        if strange:
            await self._tell_admins(who)

    def _note(self, heard: Heard, reply: Reply, answer: str, sent: str) -> None:
        """Which message answers which and what it shows; that the bot is in this thread."""
        if answer:  # first: somebody may react at once
            self.note_shown(heard.chat, sent, reply if isinstance(reply, Shown) else None, answer)
        self.enter(heard)
        self._store.note_message(heard.said, answer, sent)
        self._store.note_message(f"{heard.who.chat}:place", "", str(heard.place))  # where what is said unasked goes
        if answer:
            noted(self._office, heard.who, Place(heard.who.chat, heard.thread, sent), answer)

    def note_shown(self, chat: str, message: str, shown: Shown | None, answer: str) -> None:
        at = Press(answer, shown.number, shown.widened) if shown else Press(answer, 1)
        self._store.note_message(f"{chat}:{message}", answer, at.value)

    def enter(self, heard: Heard) -> None:
        if heard.thread:
            self._store.note_message(f"{heard.chat}:thread {heard.thread}", "")

    def in_thread(self, chat: str, thread: str) -> bool:
        return self._store.message(f"{chat}:thread {thread}") is not None

    async def withdraw(self, heard: Heard) -> None:
        """The answer goes with its question."""
        async with self._turn(heard):
            noted = await asyncio.to_thread(self._store.message, heard.said)
            if noted and noted[1]:
                await self._platform.delete(heard, noted[1])
                await asyncio.to_thread(self._store.note_message, heard.said, "", "")
                await asyncio.to_thread(self._store.watchlist.hide, *noted)

    async def ask(self, who: Person, asked: Asked, place: Any) -> tuple[Reply, str]:
        """The reply, and its id where it is an Answer, to a question that is no message; `place` as in Heard."""
        async with self._turns.turn(f"user {who.id}", f"place {who.place}"):
            try:
                reply, answer, strange = await self._seats.work(
                    lambda: answered(self._office, who, asked, ""), asked.text
                )
            except Exception as error:
                name = secrets.token_hex(4)
                log.error("error %s", name, exc_info=error)
                return messages.say(messages.WENT_WRONG, id=name), ""
        await asyncio.to_thread(self._store.note_message, f"{who.chat}:place", "", str(place))
        if answer:
            await asyncio.to_thread(noted, self._office, who, Place(who.chat, who.topic), answer)
        if strange:
            await self._tell_admins(who)
        return reply or "", answer

    async def press(self, who: Person, press: Press) -> tuple[str, Shown | None]:
        """What to say to a button, and what the message shows now."""
        return await self._seats.work(lambda: pressed(self._office, who, *press))

    async def person(self, person: str, place: Place) -> Person:
        return Person(person, place.chat, place.topic, groups=await self._platform.groups(person, place))

    async def post(self, place: Place, what: Shown | str, language: str, key: str, again: bool) -> str:
        """The platforms that know `key` keep one of two messages with it. An administrator need not have written."""
        known = await asyncio.to_thread(self._store.message, f"{place.chat}:place")
        if known is None and isinstance(what, str) and place.id in self._office.rules.admins:
            return await self._post_alone(place.id, what)
        where = known[1] if known else place.id
        who, chat = Person("", place.chat, place.topic), f"{self.channel}:{where}"
        heard = Heard(who, chat, place.message, thread=place.topic, place=where, key=key)
        answer = what.answer if isinstance(what, Shown) else ""
        with _postable():
            sent = await self._platform.post(heard, what, answer)
        if isinstance(what, Shown):
            await asyncio.to_thread(self.note_shown, chat, sent, what, answer)
        return sent

    async def _post_alone(self, admin: str, note: str) -> str:
        with _postable():
            await self._platform.tell_admin(admin, note)
        return f"to {admin}"

    async def watch(self) -> None:
        """Says unasked what is to be said, until it is cancelled."""
        await watch(self._office, self, self._seats)

    def pressed_on(self, chat: str, message: str, label: str) -> Press | None:
        """What the button of this name asks for below a message of ours; None: that shows no citation."""
        noted = self._store.message(f"{chat}:{message}")
        at = read_press(noted[1]) if noted else None
        given = self._store.given(at.answer) if at else None
        return button(label, at, len(given.marks)) if at and given and given.marks else None

    async def document(self, heard: Heard, data: bytes, name: str) -> str:
        """What to say to a document that was sent."""
        conversation = await asyncio.to_thread(Stored, self._office, heard.who)
        if not conversation.admin:
            return messages.ADMINS_ONLY
        return await asyncio.to_thread(conversation.add_document, data, name)

    def is_admin(self, who: Person) -> bool:
        return Stored(self._office, who).admin

    async def _may_ask(self, who: Person) -> bool:
        """What is not even said to the bot is no reason to turn somebody away in front of others."""
        return await asyncio.to_thread(lambda: Stored(self._office, who).allowed())

    async def _tell_admins(self, who: Person) -> None:
        note = messages.say(messages.STRANGER_NOTE, name=who.name, id=who.id.partition(":")[2])
        for admin in self._office.rules.admins:
            with suppress(Away, TooLate):
                await self._platform.tell_admin(admin, note)

    @asynccontextmanager
    async def _turn(self, heard: Heard) -> AsyncIterator[None]:
        async with self._turns.turn(f"user {heard.who.id}", f"place {heard.who.place}"):
            yield

    @asynccontextmanager
    async def _apologising(self, heard: Heard) -> AsyncIterator[None]:
        """One sentence with an id for what nobody foresaw; the trace stands in the log."""
        try:
            yield
        except (Away, TooLate):
            raise
        except Exception as error:
            name = secrets.token_hex(4)
            log.error("error %s", name, exc_info=error)
            await self._platform.post(heard, messages.say(messages.WENT_WRONG, id=name), "")

    @asynccontextmanager
    async def _working(self, heard: Heard) -> AsyncIterator[None]:
        """While this lasts longer than PATIENCE, the person sees that the bot is at work."""

        async def say_so() -> None:
            await asyncio.sleep(PATIENCE)
            with suppress(Away, TooLate):  # a courtesy; the answer matters
                await self._platform.show_working(heard)

        task = asyncio.create_task(say_so())
        try:
            yield
        finally:
            task.cancel()


@contextmanager
def _postable() -> Iterator[None]:
    """What a platform raises, as a postbox does."""
    try:
        yield
    except Away as error:
        raise Later(str(error)) from error
    except TooLate as error:
        raise Unpostable(str(error)) from error
