"""What every chat has in common between a message and its reply: the line for a seat, the order of each person's
messages, one reply to each message, and a program that ends when it is told to.
"""

import asyncio
import logging
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from weakref import WeakValueDictionary

from bot import messages
from bot.conversation import RIGHT, WRONG, Office, Person, Reply, Shown, Stored
from bot.settings import BadSettings
from bot.watchlist import Kept, Place
from retrieval.answer import Answer

KEPT = ("/add", "/forget", "/status")  # an administrator's, which may take long
WIDEST = 50  # times that more context may be asked for
AGAIN = (30.0, 120.0, 600.0)  # seconds until a chat that failed is tried again, beside others
log = logging.getLogger("pullquote.run")

T = TypeVar("T")
Start = Callable[[asyncio.Event], Awaitable[None]]  # works until the event is set
_INVITED = re.compile(r"start [\w-]{11}", re.IGNORECASE)
_COMMAND = re.compile(
    r"help|new|sources|export|status|feedback|invite|(?:since|until)(?: \d{4}-\d{2}-\d{2})?|outlet(?: .+)?"
    r"|follow .+|following|unfollow \d+|notices(?: on| off)?|verify .+|add https?://\S+|forget (?:https?://\S+|document:\S+|\d+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said to the bot."""

    text: str  # a question, or a command with its words
    replied: str = ""  # id of the bot's message that it replies to; "": none
    context: str = ""  # someone else's message that it replies to


def command(words: str) -> str:
    """What stands for a command, as one: where a chat keeps the slash to itself, people write "since 2025-05-20"."""
    return f"/{words}" if _INVITED.fullmatch(words) or _COMMAND.fullmatch(words) else words


class Press(NamedTuple):
    """What a button below an answer asks for: a citation of a stored answer, with more context or with a vote."""

    answer: str
    number: int
    widened: int = 0
    reason: str = ""  # one of VOTES_FOR, where it is a vote

    @property
    def value(self) -> str:
        """As a button keeps it, so that it works after a restart."""
        return f"{self.answer}:{self.number}:{self.widened}:{self.reason}"


def read_press(value: str) -> Press | None:
    """None: it is none of ours."""
    answer, number, widened, reason = [*value.split(":"), "", "", "", ""][:4]
    counted = re.fullmatch(r"[0-9]{1,4}:[0-9]{1,4}", f"{number}:{widened}")
    return Press(answer, int(number), int(widened), reason) if counted else None


VOTES = {messages.RIGHT: RIGHT, **{sentence: reason for reason, sentence in WRONG.items()}}
LABELS = (messages.BUTTON_NEXT, messages.BUTTON_MORE, *VOTES)


def button(label: str, at: Press, count: int) -> Press:
    """What the one of LABELS asks for below the citation `at`, the one of so many."""
    if label == messages.BUTTON_NEXT:
        return Press(at.answer, at.number % count + 1)
    return at._replace(reason=VOTES[label]) if label in VOTES else at._replace(widened=at.widened + 1)


def buttons(shown: Shown) -> dict[str, Press]:
    """Those below an answer, by what stands on them."""
    at = Press(shown.answer, shown.number, shown.widened)
    return {one: button(one, at, shown.count) for one in LABELS if shown.count > 1 or one != messages.BUTTON_NEXT}


class Seats:
    """So many jobs at a time as there are seats; the others wait in line."""

    def __init__(self, seats: int) -> None:
        self._seat = asyncio.Semaphore(seats)
        self.waiting = 0

    async def work(self, job: Callable[[], T], text: str = "", ready: Callable[[], Awaitable[None]] | None = None) -> T:
        """What the job returns; `ready` is awaited once there is a seat. What is KEPT takes none."""
        if text.split(" ", 1)[0] in KEPT:
            return await asyncio.to_thread(job)
        self.waiting += 1
        async with self._seat:
            self.waiting -= 1
            if ready:
                await ready()
            return await asyncio.to_thread(job)


class Turns:
    """One at a time for each key, first come first, so that who sends many waits behind himself only."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, *keys: str) -> AsyncIterator[None]:
        """Keys in the same order for every caller, or two may wait for each other."""
        async with AsyncExitStack() as held:
            for key in keys:
                await held.enter_async_context(self._lock(key))
            yield

    def _lock(self, key: str) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            self._locks[key] = lock = asyncio.Lock()
        return lock


def answered(office: Office, who: Person, asked: Asked, said: str) -> tuple[Reply | None, str, bool]:
    """The reply, the id of the answer that it is, and whether the administrators should hear of a stranger.

    None where the message `said` was answered already: the program was stopped right after.
    """
    if said and office.store.message(said):
        return None, "", False
    conversation = Stored(office, who)
    if not (asked.text.startswith("/start ") or conversation.allowed()):
        sentence, first_time = conversation.stranger()
        return sentence, "", first_time
    noted = office.store.message(f"{who.chat}:{asked.replied}") if asked.replied else None
    if noted:
        conversation.resume(noted[0])
    text = asked.text.removeprefix("/ask ") if asked.context else asked.text
    reply = conversation.reply(text, asked.context)
    shown = reply.answer if isinstance(reply, Shown) else ""
    return reply, conversation.answer_id if isinstance(reply, Answer) else shown, False


def pressed(
    office: Office, who: Person, answer: str, number: int, widened: int = 0, reason: str = ""
) -> tuple[str, Shown | None]:
    """What to say to a button below an answer, and what it shows now; `reason` where it was a vote."""
    conversation = Stored(office, who)
    if not conversation.allowed():
        return conversation.stranger()[0], None
    said = conversation.vote(answer, reason) if reason else ""
    shown = conversation.opened(answer, number, min(widened, WIDEST))
    if isinstance(shown, Shown) and (kept := _kept(office, answer, shown.number)):
        office.store.watchlist.show_next(who.chat, answer, shown.number, kept)
    return (said, shown) if isinstance(shown, Shown) else (said or shown, None)


def noted(office: Office, who: Person, place: Place, answer: str) -> None:
    """Notes where an answer stands now, so that a change of what it cites can be told there; see bot.notices.Postbox.

    `place.chat` is the person's; `place.topic` the thread or topic that a reply goes to. Its first citation was shown;
    those that a button shows later are noted by `pressed`.
    """
    if kept := _kept(office, answer, 1):
        office.store.watchlist.show(place, who.id, who.language, answer, 1, kept)


def _kept(office: Office, answer: str, number: int) -> Kept | None:
    """What is to be watched of a citation; None: nothing, or the answer is of a day gone by, on which it stood."""
    given = office.store.given(answer)
    if given is None or not given.marks or given.scope.as_of:
        return None
    mark = given.marks[number - 1]
    return Kept(mark.url, mark.revision, mark.start, mark.end, mark.digest)


def going_on(name: str, start: Start, again: Sequence[float] = AGAIN) -> Start:
    """Begins again where it fails, and says so in the log: one chat out of reach must not end the others."""

    async def started(stop: asyncio.Event) -> None:
        failed = 0
        while not stop.is_set():
            begun = time.monotonic()
            try:
                return await start(stop)
            except Exception as error:
                failed = 1 if time.monotonic() - begun > again[-1] else failed + 1
                pause = again[min(failed, len(again)) - 1]
                foreseen = isinstance(error, BadSettings)
                why = str(error) if foreseen else messages.UNFORESEEN
                log.error("%s", messages.not_running(name, why, pause), exc_info=None if foreseen else error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    return started


async def until_stopped(starts: Sequence[Start]) -> None:
    """Runs all until SIGTERM or Ctrl-C, or until one fails: then the others finish what they have in hand.

    Raises what that one raised.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows Ctrl-C ends the program all the same
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(start(stop)) for start in starts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
