"""The bot in Discord: the real library against a server on loopback that refuses what Discord refuses."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from bot import messages
from bot.channels.discord import serve
from bot.cli import cli
from bot.conversation import Office, Rules
from bot.settings import BadSettings, Settings
from bot.store import Store
from retrieval.answer import Answer, Reason
from retrieval.question import Question
from tests.bot.test_slack import DEMAND, QUOTE, REFUSED, SECOND, TALKS, Desk, archive, office, store  # noqa: F401
from tests.discord_api import ME, OTHER_BOT, ROOM, Discord, alone
from tests.slack_api import until

MENTION = f"<@{ME}>"
ADA, BORIS, CHIEF = 1, 2, 9
ALONE = alone(ADA)


@pytest.fixture
def addresses() -> Iterator[None]:
    """The library's addresses are of the whole process."""
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    yield
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


@pytest.fixture
async def server(addresses: None) -> AsyncIterator[Discord]:
    async with Discord().serving() as serving:
        yield serving


def settings(server: Discord, **given: Any) -> Settings:
    return Settings(**{"discord_api": server.url, "discord_token": SecretStr(server.token), **given})


@asynccontextmanager
async def running(server: Discord, office: Office) -> AsyncIterator[None]:  # noqa: F811
    stop, before = asyncio.Event(), server.connected
    task = asyncio.create_task(serve(office, settings(server), stop))
    await until(lambda: server.connected > before or task.done(), 40)
    if task.done():
        await task
    try:
        yield
    finally:
        stop.set()
        await task


async def test_a_mention_is_answered_as_a_reply(server: Discord, office: Office, store: Store) -> None:  # noqa: F811
    async with running(server, office):
        question = server.say(ROOM, ADA, f"{MENTION} {DEMAND}")
        [answer] = await until(lambda: server.shown(ROOM))
        server.say(ROOM, ADA, DEMAND)
        server.say(ROOM, OTHER_BOT, f"{MENTION} {DEMAND}")
        await until(lambda: store.message(f"discord:{ROOM}:{answer.id}"))
        follow_up = await server.ask(ROOM, BORIS, "and Ukraine?", answer)
        refused = await server.ask(ROOM, ADA, f"{MENTION} {REFUSED}")
    assert answer.reply_to == question.id
    assert answer.seen.plain.splitlines()[0] == QUOTE
    assert QUOTE in answer.seen.bold
    assert QUOTE in answer.seen.quote
    assert answer.seen.links[0][1].startswith("https://n.example/1?a=1&b=2#:~:text=Russia")
    assert f"The Harbour Courier · {TALKS.title} · 2025-05-16 · Mira Halvorsen" in answer.seen.plain
    assert "Understood as: what did Ukraine demand?" in follow_up.seen.plain
    assert refused.seen.plain.startswith(Reason.SILENT)
    assert len(server.shown(ROOM)) == 3
    assert server.refusals == []


async def test_a_direct_message_and_a_command_of_ones_own(server: Discord, office: Office) -> None:  # noqa: F811
    async with running(server, office):
        await server.ask(ALONE, ADA, DEMAND)
        follow_up = await server.ask(ALONE, ADA, "and Ukraine?")
        held = await server.ask(ALONE, ADA, "sources")
        asked = await server.command(ROOM, BORIS, DEMAND)
    assert "Understood as: what did Ukraine demand?" in follow_up.seen.plain
    assert held.seen.plain.startswith("2 articles")
    assert [one["name"] for one in server.commands] == ["ask"]
    assert asked.alone
    assert QUOTE in asked.seen.bold


async def test_buttons_work_after_a_restart(server: Discord, office: Office, store: Store) -> None:  # noqa: F811
    async with running(server, office):
        answer = await server.ask(ROOM, ADA, f"{MENTION} {DEMAND}")
    narrow = answer.seen
    async with running(server, office):
        server.press(answer, "More context", ADA)
        await until(lambda: len(answer.seen.quote) > len(narrow.quote))
        server.press(answer, "More context", ADA)
        full = await until(lambda: next((one for one in server.shown(ROOM) if one.alone), None))
        del server.posts[full.id]
        server.press(answer, "Next source", ADA)
        await until(lambda: SECOND in answer.seen.bold)
        server.press(answer, "Wrong quote", BORIS)
        thanks = await until(lambda: next((one for one in server.shown(ROOM) if one.alone), None))
    assert answer.labels == ["Next source", "More context", "Right", "Wrong answer", "Wrong quote", "Out of date"]
    assert full.seen.plain == messages.NO_ROOM
    assert thanks.seen.plain == messages.THANKS
    assert [(one.person, one.reason) for one in store.votes(9)] == [(f"discord:{BORIS}", "q")]


async def test_an_edited_question_edits_its_answer_and_a_deleted_one_takes_it_along(
    server: Discord,
    office: Office,  # noqa: F811
) -> None:
    async with running(server, office):
        question = server.say(ROOM, ADA, f"{MENTION} {REFUSED}")
        [answer] = await until(lambda: server.shown(ROOM))
        server.edit(question, f"{MENTION} {DEMAND}")
        await until(lambda: QUOTE in answer.content)
        watchlist = office.store.watchlist
        await until(lambda: watchlist.to_look_at("discord", (), 9))
        server.delete(question)
        await until(lambda: not server.shown(ROOM))
        await until(lambda: not watchlist.to_look_at("discord", (), 9))
    assert server.refusals == []


async def test_what_comes_twice_is_answered_once_and_limits_are_waited_out(server: Discord, office: Office) -> None:  # noqa: F811
    server.duplicated = True
    async with running(server, office):
        server.limited, begun = 1, time.monotonic()
        await server.ask(ROOM, ADA, f"{MENTION} {DEMAND}")
        waited = time.monotonic() - begun
        await server.ask(ROOM, ADA, f"{MENTION} sources")
    assert waited >= 1
    assert len(server.shown(ROOM)) == 2


@pytest.mark.parametrize(("allowed", "heard"), [({"1"}, [ADA]), ({"77"}, [BORIS]), ({str(ROOM)}, [ADA, BORIS])])
async def test_people_roles_and_channels_may_be_listed(
    server: Discord,
    office: Office,  # noqa: F811
    allowed: set[str],
    heard: list[int],
) -> None:
    """Boris has the role 77."""
    rules = Rules(admins=frozenset({"9"}), allowed=frozenset(allowed), access="list")
    async with running(server, replace(office, rules=rules)):
        said = {user: await server.ask(ROOM, user, f"{MENTION} {DEMAND}") for user in (ADA, BORIS)}
        if len(heard) < 2:
            await until(lambda: server.shown(alone(CHIEF)))
    assert [user for user, one in said.items() if QUOTE in one.content] == heard
    assert {one.seen.plain for one in said.values() if QUOTE not in one.content} <= {messages.STRANGER}


async def test_an_unexpected_error_is_one_sentence_with_an_id(
    server: Discord,
    office: Office,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Desk):
        def ask(self, question: Question) -> Answer:
            raise RuntimeError("secret path")

    async with running(server, replace(office, desk=Broken(office.archive))):
        said = [await server.ask(ROOM, ADA, f"{MENTION} {DEMAND}"), await server.command(ROOM, ADA, DEMAND)]
    for one in said:
        code = one.seen.plain.split("noted as ")[1].split(".")[0]
        assert "secret" not in one.content
        assert [record.exc_info is not None for record in caplog.records if code in record.getMessage()] == [True]


async def test_a_wrong_token_is_one_sentence(server: Discord, office: Office) -> None:  # noqa: F811
    wrong = settings(server, discord_token=SecretStr("wrong.wrong.wrong.wrong"))
    with pytest.raises(BadSettings, match=messages.BAD_DISCORD_TOKEN):
        await serve(office, wrong, asyncio.Event())


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, messages.NO_DISCORD_TOKEN),
        ({"TOKEN": "secret"}, f"_TOKEN is wrong. {messages.SETTING_NEEDS['discord_token']}."),
        ({"ADMINS": "ada"}, f"_ADMINS cannot be 'ada'. {messages.SETTING_NEEDS['discord_admins']}."),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in given.items():
        monkeypatch.setenv(f"PULLQUOTE_DISCORD_{variable}", value)
    result = CliRunner().invoke(cli, ["discord"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip().endswith(sentence)
