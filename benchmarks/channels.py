"""Telegram, Slack and Matrix in one process, `pullquote run`: its memory, and how it ends.

    python -m benchmarks.channels DATA QUESTIONS.jsonl [--questions 600]

DATA is a data folder that `pullquote ingest` filled; it is only read, what the bot remembers goes elsewhere. The
servers are those of the tests: Telegram's and Slack's stand-ins and a real Synapse. In each chat two people ask one
question after another, all six at the same time. Memory is read after each fifth of the questions: all that is
resident, and what of it is no mapped file. Then SIGTERM, and how long the end takes. Needs the extra `dev`; Linux.
"""

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.ingest import PULLQUOTE, machine, table
from benchmarks.load import lend, memory, questions
from bot.channels import matrix
from tests import slack_api, synapse, telegram_api
from tests.drivers import Driver, InMatrix, InSlack, InTelegram

CHATS, PEOPLE = 3, 2  # so many in each chat
PARTS = 5
Row = tuple[str, ...]


def resident(process: asyncio.subprocess.Process) -> tuple[str, str]:
    everything, own = memory(process)
    return f"{everything:.0f}", f"{own:.0f}"


async def ask(talk: Driver, chosen: Sequence[str]) -> list[float]:
    """Seconds from each question to its answer."""
    waits = []
    for question in chosen:
        begun = time.monotonic()
        assert await talk.send(question), question
        waits.append(time.monotonic() - begun)
    return waits


@dataclass
class Servers:
    """The three servers, and how people ask there."""

    telegram: telegram_api.Telegram
    slack: slack_api.Slack
    matrix: synapse.Synapse
    bot: synapse.Person
    people: AsyncExitStack

    @property
    def settings(self) -> dict[str, str]:
        return {
            "TELEGRAM_TOKEN": self.telegram.token,
            "TELEGRAM_API": self.telegram.url,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API": self.slack.url,
            "MATRIX_HOMESERVER": self.matrix.url,
            "MATRIX_USER": self.bot.id,
            "MATRIX_PASSWORD": "pass",
            **{f"{who}_{span}": "100000" for who in ("PERSON", "CHAT") for span in ("MINUTE", "DAY")},
        }

    def talks(self) -> list[Driver]:
        """Of everybody, the first of each chat first."""
        every: list[Driver] = []
        for n in range(1, PEOPLE + 1):
            every.append(InTelegram(self.telegram, telegram_api.Chat(n), telegram_api.Person(n)))
            every.append(InSlack(self.slack, f"U{n}"))
            every.append(InMatrix(self.matrix, self.bot, f"person{n}", self.people))
        return every

    def listening(self, data: Path) -> bool:
        return self.telegram.polled and self.slack.listened and (data / matrix.BOOKMARK).exists()


@asynccontextmanager
async def running(data: Path, settings: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    given = {f"PULLQUOTE_{name}": value for name, value in {**settings, "DATA": str(data)}.items()}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(PULLQUOTE, "run", env={**os.environ, **given}, stderr=quiet)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def measure(data: Path, chosen: Iterator[str], many: int, server: synapse.Synapse) -> list[Row]:
    async with AsyncExitStack() as stack:
        in_telegram = await stack.enter_async_context(telegram_api.serving())
        in_slack = await stack.enter_async_context(slack_api.serving())
        bot = await stack.enter_async_context(server.person("pullquote"))
        servers = Servers(in_telegram, in_slack, server, bot, stack)
        process = await stack.enter_async_context(running(data, servers.settings))
        await slack_api.until(lambda: servers.listening(data), 120)
        talks = servers.talks()
        for talk in talks[:CHATS]:
            await ask(talk, [next(chosen)])
        rows: list[Row] = [("after a question in each", "", "", *resident(process))]
        for part in range(1, PARTS + 1):
            work = [ask(talk, [next(chosen) for _ in range(many // PARTS // len(talks))]) for talk in talks]
            waits = np.concatenate(await asyncio.gather(*work))
            in_telegram.calls.clear()
            in_slack.calls.clear()
            middle, late = np.percentile(waits, (50, 95))
            rows.append((f"{part * len(waits)} questions", f"{middle:.2f}", f"{late:.2f}", *resident(process)))
        return [*rows, await ended(process)]


async def ended(process: asyncio.subprocess.Process) -> Row:
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = await asyncio.wait_for(process.wait(), 60)
    return f"SIGTERM: ended with {code} after {time.monotonic() - begun:.1f} s", "", "", "", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder with an archive")
    parser.add_argument("questions_file", type=Path, metavar="QUESTIONS", help="JSON lines")
    parser.add_argument("--questions", type=int, default=600, metavar="N")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, home = lend(asked.data, Path(folder)), Path(folder) / "synapse"
        with synapse.serving(synapse.installed(print), home) as server:
            found = asyncio.run(measure(data, cycle(questions(asked.questions_file)), asked.questions, server))
    print(machine())
    print(table(("", "p50 s", "p95 s", "resident MiB", "own MiB"), found))


if __name__ == "__main__":
    main()
