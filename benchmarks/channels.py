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
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.ingest import PULLQUOTE, machine, table
from benchmarks.load import lend, memory, questions
from bot.channels import matrix
from tests import slack_api, synapse, telegram_api
from tests.drivers import Driver, InMatrix, InSlack, InTelegram

PEOPLE = 2  # in each chat
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


async def measure(data: Path, chosen: Iterator[str], many: int, server: synapse.Synapse) -> list[Row]:
    async with AsyncExitStack() as stack:
        in_telegram = await stack.enter_async_context(telegram_api.serving())
        in_slack = await stack.enter_async_context(slack_api.serving())
        bot = await stack.enter_async_context(server.person("pullquote"))
        given = {
            "DATA": str(data),
            "TELEGRAM_TOKEN": in_telegram.token,
            "TELEGRAM_API": in_telegram.url,
            "SLACK_BOT_TOKEN": in_slack.bot_token,
            "SLACK_APP_TOKEN": in_slack.app_token,
            "SLACK_API": in_slack.url,
            "MATRIX_HOMESERVER": server.url,
            "MATRIX_USER": bot.id,
            "MATRIX_PASSWORD": "pass",
            **{f"{who}_{span}": "100000" for who in ("PERSON", "CHAT") for span in ("MINUTE", "DAY")},
        }
        environment = {**os.environ, **{f"PULLQUOTE_{name}": value for name, value in given.items()}}
        process = await asyncio.create_subprocess_exec(
            PULLQUOTE, "run", env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await slack_api.until(
                lambda: in_telegram.polled and in_slack.listened and (data / matrix.BOOKMARK).exists(), 120
            )
            talks: dict[str, list[Driver]] = {
                "Telegram": [
                    InTelegram(in_telegram, telegram_api.Chat(n + 1), telegram_api.Person(n + 1)) for n in range(PEOPLE)
                ],
                "Slack": [InSlack(in_slack, f"U{n}") for n in range(PEOPLE)],
                "Matrix": [InMatrix(server, bot, f"person{n}", stack) for n in range(PEOPLE)],
            }
            for people in talks.values():
                await ask(people[0], [next(chosen)])
            rows: list[Row] = [("after a question in each", "", "", *resident(process))]
            each = many // PARTS // PEOPLE // len(talks)
            for part in range(1, PARTS + 1):
                work = [ask(talk, [next(chosen) for _ in range(each)]) for people in talks.values() for talk in people]
                waits = np.concatenate(await asyncio.gather(*work))
                in_telegram.calls.clear()
                in_slack.calls.clear()
                middle, late = np.percentile(waits, (50, 95))
                rows.append((f"{part * len(waits)} questions", f"{middle:.2f}", f"{late:.2f}", *resident(process)))
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(process.wait(), 60)
            rows.append((f"SIGTERM: ended with {code} after {time.monotonic() - begun:.1f} s", "", "", "", ""))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return rows


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
