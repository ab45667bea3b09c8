"""The bot in Matrix under load: `pullquote matrix` in a process of its own, on a homeserver of its own, Synapse.

    python -m benchmarks.matrix DATA QUESTIONS.jsonl [--questions 500] [--rooms 20] [--seconds 300] [--seed 1]

DATA is a data folder that `pullquote ingest` filled; it is only read, what the bot remembers goes elsewhere. In each
room somebody asks at random moments, mentioning the bot; at a third of the time the homeserver is started anew, at two
thirds the bot. Waits run from the moment the server took a question to the moment it took the bot's answer, by its own
clock; those of questions asked while either was away are shown apart. Needs the extra `dev`.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx
import numpy as np

from benchmarks.ingest import PULLQUOTE, machine, table
from benchmarks.load import lend, questions
from tests.synapse import Person, Synapse, installed, serving, until

PATIENCE = 300.0  # seconds that the last answers may take
AROUND = 5.0  # seconds before and after a restart in which a question counts as asked during it
HEAD = ("", "questions", "p50 s", "p95 s", "max s")
NONE = ("–", "–", "–")
Row = tuple[str, ...]


@dataclass
class Bot:
    """The program, which may be started anew."""

    server: Synapse
    data: Path
    user: str
    token: str
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        variables = {"PULLQUOTE_MATRIX_HOMESERVER": self.server.url, "PULLQUOTE_MATRIX_TOKEN": self.token}
        variables |= {"PULLQUOTE_DATA": str(self.data)}
        limits = [f"PULLQUOTE_{who}_{span}" for who in ("PERSON", "CHAT") for span in ("MINUTE", "DAY")]
        environment = {**os.environ, **variables, **dict.fromkeys(limits, "100000")}
        self.process = await asyncio.create_subprocess_exec(
            PULLQUOTE, "matrix", env=environment, stderr=asyncio.subprocess.DEVNULL
        )

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


@dataclass
class Talk:
    """What is asked in one room."""

    person: Person
    room: str
    asked: dict[str, float] = field(default_factory=dict)  # question's event: when the server took it

    async def ask(self, question: str, bot: str) -> None:
        """Tries again while the server is away, as an app does."""
        while True:
            try:
                event = await self.person.say(self.room, f"{bot}: {question}", bot)
            except (httpx.TransportError, httpx.HTTPStatusError):
                await asyncio.sleep(0.2)
            else:
                self.asked[event] = time.time()
                return


@asynccontextmanager
async def talks(server: Synapse, bot: str, rooms: int) -> AsyncIterator[list[Talk]]:
    async with AsyncExitStack() as people:
        found = []
        for number in range(rooms):
            person = await people.enter_async_context(server.person(f"person{number}"))
            other = await people.enter_async_context(server.person(f"other{number}"))
            room = await person.room(bot, other.id)
            await other.join(room)
            found.append(Talk(person, room))
        yield found


async def came_in(found: Sequence[Talk], bot: str) -> bool:
    states = [(await one.person.state(one.room, "m.room.member", bot))["membership"] for one in found]
    return all(one == "join" for one in states)


async def ask_all(found: Sequence[Talk], chosen: Iterator[str], asked: argparse.Namespace, bot: Bot) -> list[float]:
    """Asks, and starts server and bot anew in between; when that began and ended, twice."""
    chance, begun, seconds = random.Random(asked.seed), time.monotonic(), asked.seconds
    restarts: list[float] = []

    async def at(moment: float) -> None:
        await asyncio.sleep(max(begun + moment - time.monotonic(), 0))

    async def asking(moment: float, talk: Talk, question: str) -> None:
        await at(moment)
        await talk.ask(question, bot.user)

    async def restarting() -> None:
        await at(seconds / 3)
        restarts.append(time.time())
        await asyncio.to_thread(bot.server.restart)
        restarts.append(time.time())
        await at(seconds * 2 / 3)
        restarts.append(time.time())
        await bot.stop()
        await bot.start()
        restarts.append(time.time())

    moments = sorted(chance.uniform(0, seconds) for _ in range(asked.questions))
    work = [asking(moment, chance.choice(found), next(chosen)) for moment in moments]
    await asyncio.gather(*work, restarting())
    return restarts


async def answers(found: Sequence[Talk], bot: str) -> dict[str, list[float]]:
    """When each question was answered, by the server's clock."""
    given: dict[str, list[float]] = {event: [] for talk in found for event in talk.asked}
    for talk in found:
        for said in await talk.person.answers(talk.room, bot):
            given.setdefault(said.thread, []).append(said.when)
    return given


async def measure(data: Path, chosen: Iterator[str], asked: argparse.Namespace, server: Synapse) -> list[Row]:
    user, token = await asyncio.to_thread(server.register, "pullquote")
    bot = Bot(server, data, user, token)
    async with talks(server, user, asked.rooms) as found:
        await bot.start()
        try:
            await until(lambda: came_in(found, user), 180)
            for talk in found[:2]:  # warm
                await talk.ask(next(chosen), user)
            await until(lambda: _all(found, user), PATIENCE)
            for talk in found:
                talk.asked.clear()
            restarts = await ask_all(found, chosen, asked, bot)
            deadline = time.monotonic() + PATIENCE
            while not await _all(found, user) and time.monotonic() < deadline:
                await asyncio.sleep(1)
            await asyncio.sleep(5)  # for what comes twice
            given = await answers(found, user)
        finally:
            await bot.stop()
    return rows({event: when for talk in found for event, when in talk.asked.items()}, given, restarts)


async def _all(found: Sequence[Talk], bot: str) -> bool:
    return all((await answers(found, bot)).values())


def rows(asked: dict[str, float], given: dict[str, list[float]], restarts: Sequence[float]) -> list[Row]:
    waits: dict[bool, list[float]] = {False: [], True: []}
    for event, when in asked.items():
        during = any(a - AROUND <= when <= b + AROUND for a, b in zip(restarts[::2], restarts[1::2], strict=True))
        waits[during] += [min(given[event]) - when] if given[event] else []
    counted = Counter(min(len(given[event]), 2) for event in asked)
    return [
        ("both running", str(len(waits[False])), *_spread(waits[False])),
        (f"within {AROUND:.0f} s of a restart", str(len(waits[True])), *_spread(waits[True])),
        ("lost", str(counted[0]), *NONE),
        ("doubled", str(counted[2]), *NONE),
    ]


def _spread(waits: Sequence[float]) -> Row:
    return tuple(f"{one:.2f}" for one in (*np.percentile(waits, (50, 95)), max(waits))) if waits else NONE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder with an archive")
    parser.add_argument("questions_file", type=Path, metavar="QUESTIONS", help="JSON lines")
    parser.add_argument("--questions", type=int, default=500, metavar="N")
    parser.add_argument("--rooms", type=int, default=20, metavar="N")
    parser.add_argument("--seconds", type=float, default=300.0, metavar="N", help="over which the questions are spread")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, home = lend(asked.data, Path(folder)), Path(folder) / "synapse"
        with serving(installed(print), home) as server:
            found = asyncio.run(measure(data, cycle(questions(asked.questions_file)), asked, server))
    print(machine())
    print(table(HEAD, found))


if __name__ == "__main__":
    main()
