"""What every chat has in common between a message and its reply: the line for a seat, the order of each person's
messages, one reply to each message, and a program that ends when it is told to.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.conversation import Office, Person, Reply, Shown, Stored
from retrieval.answer import Answer

KEPT = ("/add", "/forget", "/status")  # an administrator's, which may take long
WIDEST = 50  # times that more context may be asked for
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What was said to the bot."""

    text: str  # a question, or a command with its words
    replied: str = ""  # id of the bot's message that it replies to; "": none
    context: str = ""  # someone else's message that it replies to


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
    return (said, shown) if isinstance(shown, Shown) else (said or shown, None)


async def until_stopped(starts: Sequence[Callable[[asyncio.Event], Awaitable[None]]]) -> None:
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
