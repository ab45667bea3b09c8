"""Several chats in one process: what happens to the others where one fails, at the start or later."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from bot import messages
from bot.channels import discord, mattermost, slack, telegram
from bot.conversation import Office
from bot.reception import going_on, until_stopped
from bot.settings import BadSettings, Settings
from tests import discord_api, mattermost_api, slack_api, telegram_api
from tests.bot.test_slack import DEMAND, QUOTE, archive, office, store  # noqa: F401
from tests.slack_api import until


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat whose operator takes the bot's token away."""

    serving: Callable[[], AbstractAsyncContextManager[Any]]
    serve: Callable[..., Any]
    settings: Callable[[Any], dict[str, Any]]
    connected: Callable[[Any], object]
    revoke: Callable[[Any], Awaitable[None]]
    sentence: str


async def _revoked_in_telegram(server: telegram_api.Telegram) -> None:
    server.token = "8000000002:another"
    server._wake()


async def _revoked_in_slack(server: slack_api.Slack) -> None:
    server.bot_token = "xoxb-another"


async def _revoked_in_mattermost(server: mattermost_api.Mattermost) -> None:
    server.token = "u" * 26
    await server.drop()


async def _revoked_in_discord(server: discord_api.Discord) -> None:
    for link in list(server._links):
        await link.close(code=4004)


CHATS = {
    "telegram": Chat(
        telegram_api.serving,
        telegram.serve,
        lambda server: {"telegram_token": SecretStr(server.token), "telegram_api": server.url},
        lambda server: server.polled,
        _revoked_in_telegram,
        messages.BAD_TOKEN,
    ),
    "slack": Chat(
        slack_api.serving,
        partial(slack.serve, check=0.05),
        lambda server: {
            "slack_bot_token": SecretStr(server.bot_token),
            "slack_app_token": SecretStr(server.app_token),
            "slack_api": server.url,
        },
        lambda server: server.listened,
        _revoked_in_slack,
        messages.BAD_SLACK_TOKEN,
    ),
    "mattermost": Chat(
        lambda: mattermost_api.Mattermost().serving(),
        mattermost.serve,
        lambda server: {"mattermost_token": SecretStr(server.token), "mattermost_url": server.url},
        lambda server: server.connected,
        _revoked_in_mattermost,
        messages.BAD_MATTERMOST_TOKEN,
    ),
    "discord": Chat(
        lambda: discord_api.Discord().serving(),
        discord.serve,
        lambda server: {"discord_token": SecretStr(server.token), "discord_api": server.url},
        lambda server: server.connected,
        _revoked_in_discord,
        messages.BAD_DISCORD_TOKEN,
    ),
}


@pytest.fixture(autouse=True)
async def addresses() -> AsyncIterator[None]:
    """Discord's library keeps them for the whole process."""
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    yield
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


@pytest.mark.parametrize("name", CHATS)
async def test_a_token_that_is_revoked_later_is_one_sentence(office: Office, name: str) -> None:  # noqa: F811
    chat = CHATS[name]
    async with chat.serving() as server:
        running = asyncio.create_task(chat.serve(office, Settings(**chat.settings(server)), asyncio.Event()))
        await until(lambda: chat.connected(server))
        await chat.revoke(server)
        with pytest.raises(BadSettings) as raised:
            await asyncio.wait_for(running, 30)
    assert str(raised.value) == chat.sentence


async def test_the_others_go_on_and_it_comes_back(
    office: Office,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with telegram_api.serving() as there, slack_api.serving() as here:
        given = CHATS["telegram"].settings(there) | CHATS["slack"].settings(here)
        right, here.bot_token = here.bot_token, "xoxb-another"  # wrong from the start
        served = {"telegram": telegram.serve, "slack": CHATS["slack"].serve}
        starts = [going_on(name, partial(one, office, Settings(**given)), (0.05, 0.1)) for name, one in served.items()]
        running = asyncio.create_task(until_stopped(starts))
        await until(lambda: there.polled and "slack is NOT RUNNING" in caplog.text)
        assert QUOTE in (await there.ask(telegram_api.Chat(1), telegram_api.Person(1), DEMAND)).plain
        here.bot_token = right
        await until(lambda: here.listened)
        answered = await here.ask("DU1", "U1", DEMAND)
        here.bot_token = "xoxb-another"  # and later
        begun = len(caplog.records)
        await until(lambda: any("NOT RUNNING" in one.getMessage() for one in caplog.records[begun:]))
        assert QUOTE in (await there.ask(telegram_api.Chat(1), telegram_api.Person(1), DEMAND)).plain
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert answered.bold == [QUOTE]
    said = [one for one in caplog.records if "NOT RUNNING" in one.getMessage()]
    assert {one.getMessage().partition(" Next try")[0] for one in said} == {
        f"slack is NOT RUNNING: {messages.BAD_SLACK_TOKEN}"
    }
    assert {one.exc_info for one in said} == {None}


async def test_a_chat_that_fails_for_no_known_reason_leaves_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()

    async def broken(stop: asyncio.Event) -> None:
        raise RuntimeError("what nobody foresaw")

    running = asyncio.ensure_future(going_on("matrix", broken, (0.01, 0.01))(stop))
    await until(lambda: len(caplog.records) > 2)
    stop.set()
    await running
    assert f"matrix is NOT RUNNING: {messages.UNFORESEEN}" in caplog.text
    assert "RuntimeError: what nobody foresaw" in caplog.text


async def test_the_program_names_the_one_that_fails_and_ends_cleanly(place: Path) -> None:
    async with telegram_api.serving() as there, slack_api.serving() as here:
        given = {"TELEGRAM_TOKEN": there.token, "TELEGRAM_API": there.url, "SLACK_API": here.url}
        given |= {"SLACK_BOT_TOKEN": "xoxb-wrong", "SLACK_APP_TOKEN": here.app_token}
        environment = os.environ | {f"PULLQUOTE_{name}": value for name, value in given.items()}
        command = [sys.executable, "-m", "bot.cli", "run", "--sample"]
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
        try:
            await until(lambda: there.polled or process.returncode is not None, 120)
            answered = await there.ask(telegram_api.Chat(1), telegram_api.Person(1), DEMAND)
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert "Russia demanded that Ukraine withdraw completely from four regions" in answered.plain
    assert messages.not_running("slack", messages.BAD_SLACK_TOKEN, 30) in said.decode()
    assert "Traceback" not in said.decode()
    assert process.returncode == 0
