"""The bot in Telegram under load: `pullquote telegram` in a process of its own, against the Bot API of the tests.

    python -m benchmarks.telegram DATA QUESTIONS.jsonl [--memory 5000] [--seed 1]

DATA is a data folder that `pullquote ingest` filled; it is only read, what the bot remembers goes elsewhere. Each
person asks in a private chat. Waits run from the moment a question is said to the moment the bot's answer arrives, the
rate limiter's pauses included. Parts: 200 questions at random moments of a minute; 200 at one moment; one person with
60 at one moment and ten others with one each right behind; inline queries, one after another; with --memory so many
more questions, and the bot's own memory (mapped files left out) at the beginning and at the end. Needs the extra
`dev`; Linux.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, cycle
from pathlib import Path

import numpy as np

from benchmarks.ingest import PULLQUOTE, machine, table
from benchmarks.load import lend, memory, questions
from tests.telegram_api import Chat, Person, Telegram, serving, until

MANY, MINUTE = 200, 60.0
FLOOD, OTHERS = 60, 10
INLINE = 50
SLOW = 2.0  # seconds after which a person must have seen that the bot is typing
AT_ONCE = 50  # people in the part that measures memory
HEAD = ("", "questions", "lost", "doubled", "p50 s", "p95 s", "max s", "waited in silence")
Row = tuple[str, ...]
Said = tuple[Chat, int, float]  # chat, the question's message, when


class Crowd:
    """People who ask the bot, each something else."""

    def __init__(self, telegram: Telegram, questions: Sequence[str]) -> None:
        self._telegram, self._questions, self._ids = telegram, cycle(questions), count(1_000)

    def newcomer(self) -> Person:
        number = next(self._ids)
        return Person(number, f"Person {number}")

    def say(self, person: Person) -> Said:
        chat = Chat(person.id)
        message = self._telegram.say(chat, person, next(self._questions))
        return chat, message.id, time.monotonic()

    async def spread(self, many: int, seconds: float, seed: int) -> list[Said]:
        chance, begun, said = random.Random(seed), time.monotonic(), []
        for moment in sorted(chance.uniform(0, seconds) for _ in range(many)):
            await asyncio.sleep(max(begun + moment - time.monotonic(), 0))
            said.append(self.say(self.newcomer()))
        return said

    async def answered(self, said: Sequence[Said], patience: float = 300) -> dict[tuple[int, int], list[float]]:
        """When each question was answered, once all were; earlier where patience ends."""
        chats = {chat.id: chat for chat, _, _ in said}

        def answers() -> dict[tuple[int, int], list[float]]:
            found: dict[tuple[int, int], list[float]] = {(chat.id, one): [] for chat, one, _ in said}
            for chat in chats.values():
                for message in self._telegram.shown(chat):
                    if (key := (chat.id, message.reply_to or 0)) in found:
                        found[key].append(message.when)
            return found

        deadline = time.monotonic() + patience
        while not all(answers().values()) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        await asyncio.sleep(2)  # for what comes twice
        return answers()

    async def row(self, name: str, said: Sequence[Said]) -> Row:
        found = await self.answered(said)
        waits, silent = [], 0
        for chat, one, when in said:
            if answers := found[chat.id, one]:
                waits.append(answers[0] - when)
                typed = any(when <= seen < when + SLOW for seen in self._telegram.typed(chat))
                silent += waits[-1] > SLOW and not typed
        lost = sum(not one for one in found.values())
        doubled = sum(len(one) > 1 for one in found.values())
        return name, str(len(said)), str(lost), str(doubled), *_spread(waits), str(silent)

    async def inline(self, many: int) -> Row:
        waits = []
        for _ in range(many):
            begun = time.monotonic()
            await self._telegram.wait_results(self._telegram.inline(self.newcomer(), next(self._questions)), 60)
            waits.append(time.monotonic() - begun)
        return "inline, one after another", str(many), "0", "0", *_spread(waits), ""


def _spread(waits: Sequence[float]) -> Row:
    return tuple(f"{one:.2f}" for one in (*np.percentile(waits, (50, 95)), max(waits)))


@asynccontextmanager
async def bot(telegram: Telegram, data: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    variables = {"PULLQUOTE_TELEGRAM_TOKEN": telegram.token, "PULLQUOTE_TELEGRAM_API": telegram.url}
    variables |= {"PULLQUOTE_DATA": str(data), "PULLQUOTE_PERSON_MINUTE": "100000", "PULLQUOTE_PERSON_DAY": "100000"}
    process = await asyncio.create_subprocess_exec(
        PULLQUOTE, "telegram", env={**os.environ, **variables}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def remember(crowd: Crowd, telegram: Telegram, process: asyncio.subprocess.Process, many: int) -> list[Row]:
    """Memory after each fifth of the questions."""
    rows: list[Row] = []
    for part in range(5):
        people = [crowd.newcomer() for _ in range(AT_ONCE)]
        for _ in range(many // 5 // AT_ONCE):
            await crowd.answered([crowd.say(one) for one in people])
            telegram.calls.clear()
        rows.append((f"memory after {(part + 1) * many // 5:,} questions", f"{memory(process)[1]:.0f} MiB"))
    return rows


async def measure(data: Path, chosen: Sequence[str], more: int, seed: int) -> tuple[list[Row], list[Row]]:
    async with serving() as telegram, bot(telegram, data) as process:
        await until(lambda: telegram.polled or process.returncode is not None, 120)
        if process.returncode is not None:
            raise SystemExit("pullquote telegram did not start. Run it by hand with this data folder to see why.")
        crowd = Crowd(telegram, chosen)
        warm = crowd.newcomer()
        for _ in range(5):
            await crowd.answered([crowd.say(warm)])
        rows = [await crowd.row("spread over a minute", await crowd.spread(MANY, MINUTE, seed))]
        rows.append(await crowd.row("all at one moment", [crowd.say(crowd.newcomer()) for _ in range(MANY)]))
        greedy = crowd.newcomer()
        flood = [crowd.say(greedy) for _ in range(FLOOD)]
        behind = [crowd.say(crowd.newcomer()) for _ in range(OTHERS)]
        rows.append(await crowd.row("one person's flood", flood))
        rows.append(await crowd.row("others behind it", behind))
        rows.append(await crowd.inline(INLINE))
        own: list[Row] = [("memory before", f"{memory(process)[1]:.0f} MiB")]
        own += await remember(crowd, telegram, process, more) if more else []
        refused = Counter(f"{one.method}: {one.refusal}" for one in telegram.refusals)
    own += [(f"refused by Telegram, {what}", str(number)) for what, number in refused.items()]
    return rows, own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder with an archive")
    parser.add_argument("questions", type=Path, metavar="QUESTIONS", help="JSON lines")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="so many more questions, for the memory")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, chosen = lend(asked.data, Path(folder)), questions(asked.questions)
        rows, own = asyncio.run(measure(data, chosen, asked.memory, asked.seed))
    print(machine())
    print(table(HEAD, rows))
    print(table(("", ""), own))


if __name__ == "__main__":
    main()
