"""kill -9 while the bot speaks unasked: nothing is lost; nothing comes twice where the server knows a message again.

The server is one with transaction ids, as Matrix has them: it takes a message with the same key once. Telegram has
none; there, what was being sent at the kill may come twice.
"""

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from bot.conversation import Person
from bot.conversation import Shown as Answered
from bot.notices import Notices
from bot.reception import Seats
from bot.watchlist import Place
from tests import telegram_api
from tests.bot.test_notices import STORM, Desks, article, report
from tests.telegram_api import Chat, Telegram, until
from tests.telegram_api import Person as User

REPO = Path(__file__).resolve().parents[1]
KILLS = 12
CHATS = 12  # whose answer changes between two kills
BOT = "import sys; from tests.test_kill_notices import run; run(*sys.argv[1:])"


class Post:
    """A postbox that hands the key on."""

    channel = "telegram"

    def __init__(self, url: str) -> None:
        self._url = url

    async def person(self, person: str, place: Place) -> Person:
        return Person(person, place.chat, place.topic)

    async def post(self, place: Place, what: Answered | str, language: str, key: str, again: bool) -> str:
        text = what if isinstance(what, str) else what.citation.quote
        body = json.dumps({"chat": place.chat, "text": text, "again": again}).encode()
        return await asyncio.to_thread(self._put, key, body)

    def _put(self, key: str, body: bytes) -> str:
        with urlopen(Request(f"{self._url}/{key}", body, method="PUT")) as answer:
            return str(answer.read().decode())


def run(folder: str, url: str) -> None:
    """The bot as a process of its own, round after round."""
    bot = Desks(Path(folder))
    notices = Notices(bot.office, Post(url), Seats(1))
    print("ready", flush=True)  # noqa: T201 - read by the test

    async def rounds() -> None:
        while True:
            await notices.round()
            await asyncio.sleep(0.005)

    asyncio.run(rounds())


class Server:
    """What it took, by key, and every call."""

    def __init__(self) -> None:
        self.posts: dict[str, tuple[str, str]] = {}
        self.calls: list[tuple[str, bool]] = []
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator["Server"]:
        server, chance = self, random.Random(1)

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(chance.random() / 50)
                key = self.path.strip("/")
                server.calls.append((key, body["again"]))
                server.posts.setdefault(key, (body["chat"], body["text"]))
                time.sleep(chance.random() / 50)
                try:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(key.encode())
                except ConnectionError:
                    pass  # it was killed

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            self.url = f"http://127.0.0.1:{http.server_port}"
            thread = threading.Thread(target=http.serve_forever, daemon=True)
            thread.start()
            yield self
            http.shutdown()


def start(folder: Path, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", BOT, str(folder), url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )


def killed(folder: Path, url: str, seconds: float) -> None:
    """Runs the bot so long, from when it is at work."""
    process = start(folder, url)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    process.kill()
    process.communicate(timeout=60)


def test_no_notice_is_lost_or_doubled_over_many_kills(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance, bot = random.Random(seed), Desks(tmp_path)
    bot.set(notices=1_000)
    with Server().serving() as server:
        for kill in range(KILLS):
            number = kill + 1
            bot.put(report(f"The storm left {number},000 homes without power.", number))
            for chat in range(CHATS):
                bot.ask(f"{STORM} {chat}", Person(f"telegram:{kill}-{chat}", f"telegram:{kill}-{chat}"))
            follower = Person(f"telegram:f{kill}", f"telegram:f{kill}")
            assert bot.say("/follow how many tunnels were flooded?", follower).startswith("Followed")
            news = f"By now {number} tunnels were flooded."
            bot.put(article(1_000 + number, news), article(number, "Nothing of it, says the mayor.", seen=20))
            killed(tmp_path, server.url, chance.uniform(0, 0.7))
        process = start(tmp_path, server.url)
        deadline = time.monotonic() + 120
        while waiting(bot) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()
        process.communicate(timeout=60)
        assert not waiting(bot)
    bot.close()
    corrections = Counter(chat for chat, text in server.posts.values() if text.startswith("A correction"))
    answers = Counter(chat for chat, text in server.posts.values() if text.endswith("tunnels were flooded."))
    print(len(server.calls), len(server.posts))  # noqa: T201 - as above
    assert corrections == Counter(f"telegram:{kill}-{chat}" for kill in range(KILLS) for chat in range(CHATS))
    assert answers == Counter(f"telegram:f{kill}" for kill in range(KILLS))
    for key, count in Counter(key for key, _ in server.calls).items():
        assert [again for one, again in server.calls if one == key] == [False, *[True] * (count - 1)]


def waiting(bot: Desks) -> bool:
    due = bot.store.watchlist.due("telegram", bot.now, bot.archive.newest(), (), 1_000)
    return bool(due or bot.store.watchlist.to_look_at("telegram", (), 1))


QUESTION = "what number of homes were left without power in Pinewick?"
PEOPLE = [User(100 + number, f"P{number}") for number in range(8)]
TELEGRAM_KILLS = 4


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with telegram_api.serving() as server:
        yield server


async def pullquote(place: Path, *args: str, **given: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.cli", *args),
        cwd=place.parent,
        env={**os.environ, "PYTHONPATH": str(REPO), **given},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def ingest(place: Path, homes: str, seen: str) -> None:
    """By another program than the bot."""
    after = "\n\nThe mayor thanked the crews." * 60
    row = {
        "url": "https://n.example/storm",
        "title": "Storm leaves homes in Pinewick without power",
        "text": f"A storm crossed Pinewick. It left {homes} homes in Pinewick without power, the company said.{after}",
        "published": "2025-05-18",
        "retrieved": seen,
        "outlet": "Pinewick Ledger",
    }
    (place.parent / "storm.jsonl").write_text(json.dumps(row))
    process = await pullquote(place, "ingest", "storm.jsonl")
    assert await process.wait() == 0


@asynccontextmanager
async def at_work(telegram: Telegram, place: Path) -> AsyncIterator[None]:
    """`pullquote telegram`, from when it listens until it is killed."""
    telegram.polled = False
    given = {"PULLQUOTE_TELEGRAM_TOKEN": telegram.token, "PULLQUOTE_TELEGRAM_API": telegram.url}
    process = await pullquote(place, "telegram", **given)
    try:
        await until(lambda: telegram.polled or process.returncode is not None, 60)
        assert process.returncode is None
        yield
    finally:
        process.kill()
        await process.wait()


def noted(place: Path) -> int:
    """Citations that the bot knows to have shown."""
    with closing(sqlite3.connect(place / "conversations.sqlite")) as store:
        return int(store.execute("SELECT count(*) FROM shown").fetchone()[0])


def told(telegram: Telegram) -> list[int]:
    """The chats of all corrections."""
    shown = [(one.id, message) for one in PEOPLE for message in telegram.shown(Chat(one.id))]
    return [chat for chat, message in shown if message.plain.startswith("A correction")]


async def test_a_killed_telegram_bot_loses_no_notice(telegram: Telegram, place: Path) -> None:
    chance = random.Random()
    await ingest(place, "31,000", "2026-11-01T00:00:00+00:00")
    async with at_work(telegram, place):
        for person in PEOPLE:
            answer = await telegram.ask(Chat(person.id), person, QUESTION)
            assert "31,000" in answer.plain
        await until(lambda: noted(place) == len(PEOPLE))  # what was not would be answered again
    await ingest(place, "28,000", "2026-11-20T00:00:00+00:00")
    for _ in range(TELEGRAM_KILLS):
        async with at_work(telegram, place):
            await asyncio.sleep(chance.uniform(0, 0.2))
    async with at_work(telegram, place):
        await until(lambda: set(told(telegram)) == {one.id for one in PEOPLE}, 60)
        await asyncio.sleep(1)
    async with at_work(telegram, place):
        await asyncio.sleep(1)
    print(len(told(telegram)))  # noqa: T201 - shown where the test fails
    assert len(told(telegram)) <= len(PEOPLE) + TELEGRAM_KILLS
