"""Chats that fail while they run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from bot import messages
from bot.channels import discord, mattermost, slack, telegram
from bot.conversation import Office
from bot.settings import BadSettings, Settings
from tests import discord_api, mattermost_api, slack_api, telegram_api
from tests.bot.test_slack import archive, office, store  # noqa: F401
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
