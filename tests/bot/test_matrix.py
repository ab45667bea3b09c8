"""The bot in Matrix: the real library against a real homeserver, whose state is what is asserted on.

The archive is real, the desk is a small one that cites the sentences which share words with the question.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.channels.matrix import BOOKMARK, GOOD, MORE, NEXT, serve
from bot.conversation import Office, Rules
from bot.settings import Settings
from bot.store import Store, open_store
from corpus.archive import Archive, StoredPassage, open_archive
from corpus.passages import passages
from tests import synapse
from tests.bot.test_slack import DEMAND, PAPER, QUOTE, TALKS, Desk, Keeper
from tests.synapse import Person, Said, Synapse, until

REQUIRED = "REQUIRE_SYNAPSE"  # where this is set, as CI does, a homeserver that cannot be had is an error


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)  # noqa: T201 - whoever waits wants to know for what

    try:
        python = synapse.installed(say)
    except synapse.Unavailable as error:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(f"{error}: THE MATRIX CHANNEL IS NOT TESTED")
    with synapse.serving(python, tmp_path_factory.mktemp("synapse")) as started:
        yield started


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path / "archive.sqlite")
    opened.store([(one, passages(one)) for one in (TALKS, PAPER)])
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "conversations.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def office(archive: Archive, store: Store) -> Office:
    def alike(text: str) -> list[StoredPassage]:
        return archive.passages_of([one.id for _, one in archive.current()])

    return Office(Desk(archive), archive, alike, store, Keeper(), Rules(), today=lambda: date(2025, 5, 20))


@pytest.fixture
async def bot(server: Synapse) -> AsyncIterator[Person]:
    async with server.person("pullquote") as one:
        yield one


@pytest.fixture
async def ada(server: Synapse) -> AsyncIterator[Person]:
    async with server.person("ada") as one:
        yield one


@pytest.fixture
async def bo(server: Synapse) -> AsyncIterator[Person]:
    async with server.person("bo") as one:
        yield one


def settings(server: Synapse, bot: Person, folder: Path, **given: Any) -> Settings:
    account = {"matrix_homeserver": server.url, "matrix_user": bot.id, "matrix_password": SecretStr("pass")}
    return Settings(**{"data": folder, **account, **given})


@asynccontextmanager
async def running(
    server: Synapse, office: Office, bot: Person, folder: Path, /, later: float = 0.0, **given: Any
) -> AsyncIterator[None]:
    """The bot, listening. `later`: seconds that its clock is ahead."""
    import time

    stop = asyncio.Event()
    mark = folder / BOOKMARK
    before = mark.stat().st_mtime_ns if mark.exists() else 0
    started = settings(server, bot, folder, **given)
    task = asyncio.create_task(serve(office, started, stop, lambda: time.time() + later))
    await until(lambda: task.done() or (mark.exists() and mark.stat().st_mtime_ns != before))
    if task.done():
        await task
    try:
        yield
    finally:
        stop.set()
        await task


async def hall(ada: Person, bot: Person, *others: Person) -> str:
    """A room with the bot in it, and with somebody else at least."""
    room = await ada.room(bot.id, *(one.id for one in others))
    for one in others:
        await one.join(room)
    await joined(ada, room, bot)
    return room


async def joined(ada: Person, room: str, bot: Person) -> None:
    async def member() -> bool:
        return bool((await ada.state(room, "m.room.member", bot.id))["membership"] == "join")

    await until(member)


async def answered(person: Person, room: str, root: str, count: int = 1) -> list[Said]:
    """What stands in the thread below `root`, once it is `count` notices."""

    async def enough() -> list[Said]:
        found = [one for one in await person.thread(room, root) if one.content["msgtype"] == "m.notice"]
        return found if len(found) >= count else []

    found: list[Said] = await until(enough)
    return found


async def test_a_mention_is_answered_in_its_thread_with_the_quote_and_its_source(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.say(room, f"{bot.name}: {DEMAND}", bot.id)
        [answer] = await answered(ada, room, question)
        offered = await until(lambda: _offered(ada, room, answer.id, 4))
    assert answer.sender == bot.id
    assert answer.relates == {
        **{"rel_type": "m.thread", "event_id": question, "is_falling_back": True},
        "m.in_reply_to": {"event_id": question},
    }
    assert answer.body.splitlines()[0] == QUOTE
    url = "https://n.example/1?a=1&b=2#:~:text=Russia"
    assert f"The Harbour Courier · {TALKS.title} · 2025-05-16 · Mira Halvorsen\n{url}" in answer.body
    assert answer.body.endswith("Speaker: Russia (“demanded”)\nSource 1 of 2")
    assert f"<strong>{QUOTE}</strong>" in answer.html.partition("<blockquote>")[2].partition("</blockquote>")[0]
    assert '<a href="https://n.example/1?a=1&amp;b=2#:~:text=Russia' in answer.html
    assert answer.content["m.mentions"] == {}
    assert offered == [NEXT, MORE, GOOD, "👎"]


async def _offered(person: Person, room: str, answer: str, count: int) -> list[str]:
    found = [one["content"]["m.relates_to"]["key"] for one in await person.relations(room, answer, "m.annotation")]
    return found if len(found) >= count else []
