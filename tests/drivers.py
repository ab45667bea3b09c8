"""One way to talk to the bot in every chat: a driver sends what a person types or presses, and says what arrived.

A new channel needs a class with `send` and `press`, and a line in DRIVERS: an async context manager that starts it.
"""

import asyncio
import io
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import aiohttp
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr
from rich.console import Console

from bot import messages
from bot.channels import discord, matrix, mattermost, slack, telegram, terminal, webhook
from bot.conversation import Conversation, Office
from bot.settings import Settings
from tests import discord_api, hooks, mattermost_api, slack_api, synapse, telegram_api
from tests.markdown import Read
from tests.slack_api import until


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a person sees after what they did: a message, a changed message, or a note that only they see."""

    plain: str
    quote: str = ""
    links: tuple[str, ...] = ()  # addresses, decoded

    @property
    def lines(self) -> str:
        """Where lines break is the chat's own affair."""
        return " ".join(self.plain.split())


class Driver(Protocol):
    """One person's talk with the bot, from its beginning."""

    async def send(self, text: str) -> Arrived | None:
        """What came for it; None: this chat has no such command."""
        ...

    async def press(self, label: str) -> Arrived | None:
        """Below the last answer."""
        ...


Talk = Callable[[int], Driver]  # a new person's, by number
Starts = Callable[[Office], AbstractAsyncContextManager[Talk]]


def arrived(plain: str, quote: str = "", links: list[str] | tuple[str, ...] = ()) -> Arrived:
    return Arrived(plain.replace("\u200b", ""), quote.replace("\u200b", ""), tuple(map(unquote, links)))


# The terminal


@dataclass
class InTerminal:
    conversation: Conversation

    async def send(self, text: str) -> Arrived | None:
        if text.startswith("/") and text.split()[0] not in ("/since", "/until", "/outlet", "/new", "/next", "/more"):
            return None
        limits, screen = terminal.Limits(), io.StringIO()
        reply = await asyncio.to_thread(self.conversation.reply, terminal.to_question(text) or "")
        terminal.write(terminal.render(reply, limits), Console(file=screen, width=10_000), limits)
        lines = screen.getvalue().splitlines()
        quote = "\n".join(one.partition("> ")[2] for one in lines if "> " in one[:8])
        return arrived("\n".join(lines), quote, [one.strip() for one in lines if "://" in one])

    async def press(self, label: str) -> Arrived | None:
        """A button goes on from the last source to the first; a command says that it was the last."""
        commands = {messages.BUTTON_NEXT: "/next", messages.BUTTON_MORE: "/more"}
        got = await self.send(commands[label]) if label in commands else None
        last = messages.LAST_CITATION.split("{")[0]
        return None if got and got.plain.startswith(last) else got


@asynccontextmanager
async def in_terminal(office: Office) -> AsyncIterator[Talk]:
    yield lambda _: InTerminal(Conversation(office.desk, citations=office.citations))


# Telegram


@dataclass
class InTelegram:
    server: telegram_api.Telegram
    chat: telegram_api.Chat
    person: telegram_api.Person
    last: telegram_api.Message | None = None

    async def send(self, text: str) -> Arrived:
        self.last = await self.server.ask(self.chat, self.person, text)
        return _of_telegram(self.last)

    async def press(self, label: str) -> Arrived:
        assert self.last
        if label not in (messages.BUTTON_NEXT, messages.BUTTON_MORE):
            self.server.press(self.last, messages.BUTTON_WRONG)
            self.last = await self.server.wait_edit(self.last)
        before = self.server.now(self.last)
        said = await self.server.wait_answer(self.server.press(self.last, label))
        self.last = self.server.now(self.last)
        if said.get("text") or self.last == before:
            return arrived(said.get("text", ""))
        return _of_telegram(self.last)


def _of_telegram(message: telegram_api.Message) -> Arrived:
    return arrived(
        message.plain, "".join(message.text.all("expandable_blockquote")), [url for _, url in message.text.links]
    )


@asynccontextmanager
async def in_telegram(office: Office) -> AsyncIterator[Talk]:
    async with telegram_api.serving() as server:
        settings = Settings(telegram_token=SecretStr(server.token), telegram_api=server.url)
        async with _running(telegram.serve, office, settings, lambda: server.polled):
            yield lambda n: InTelegram(server, telegram_api.Chat(n), telegram_api.Person(n))


# Slack


@dataclass
class InSlack:
    server: slack_api.Slack
    user: str
    last: slack_api.Message | None = None

    async def send(self, text: str) -> Arrived:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self.last = await self.server.ask(f"D{self.user}", self.user, escaped.removeprefix("/"))
        return _of_slack(self.last)

    async def press(self, label: str) -> Arrived:
        assert self.last
        there, whispers = self.server.history[self.last.channel, self.last.ts], len(self.server.whispers)
        before = there[-1]
        self.server.press(before, label, self.user)
        await until(lambda: there[-1] != before or len(self.server.whispers) > whispers)
        return _of_slack(there[-1] if there[-1] != before else self.server.whispers[-1])


def _of_slack(message: slack_api.Message) -> Arrived:
    return arrived(message.plain, message.quote, [url for _, url in message.links])


@asynccontextmanager
async def in_slack(office: Office) -> AsyncIterator[Talk]:
    async with slack_api.serving() as server:
        tokens = {"slack_bot_token": SecretStr(server.bot_token), "slack_app_token": SecretStr(server.app_token)}
        settings = Settings(slack_api=server.url, **tokens)  # type: ignore[arg-type]
        async with _running(slack.serve, office, settings, lambda: server.listened):
            yield lambda n: InSlack(server, f"U{n}")
        assert server.pings == []


# Mattermost


@dataclass
class InMattermost:
    server: mattermost_api.Mattermost
    user: str
    last: mattermost_api.Post | None = None

    async def send(self, text: str) -> Arrived:
        self.last = await self.server.ask(f"d{self.user}"[:26], self.user, text.removeprefix("/"))
        return _of_markdown(self.last.seen)

    async def press(self, label: str) -> Arrived:
        assert self.last
        assert await self.server.press(self.last, label, self.user) == 200
        said = self.server.told[-1].get("ephemeral_text")
        return arrived(said) if said else _of_markdown(self.last.seen)


def _of_markdown(seen: Read) -> Arrived:
    assert seen.markup == ()
    return arrived(seen.plain, seen.quote, [url for _, url in seen.links])


@asynccontextmanager
async def in_mattermost(office: Office) -> AsyncIterator[Talk]:
    async with mattermost_api.Mattermost().serving() as server:
        port = _free_port()
        settings = Settings(
            mattermost_url=server.url,
            mattermost_token=SecretStr(server.token),
            mattermost_buttons=f"http://127.0.0.1:{port}",
            mattermost_listen=f"127.0.0.1:{port}",
        )
        async with _running(mattermost.serve, office, settings, lambda: server.connected):
            yield lambda n: InMattermost(server, mattermost_api.name(f"u{n}x"))


# Discord


@dataclass
class InDiscord:
    server: discord_api.Discord
    user: int
    last: discord_api.Post | None = None

    async def send(self, text: str) -> Arrived:
        self.last = await self.server.ask(discord_api.alone(self.user), self.user, text.removeprefix("/"))
        return _of_markdown(self.last.seen)

    async def press(self, label: str) -> Arrived | None:
        """A message of 2,000 characters may have no room for more context, and then says so."""
        assert self.last
        before, there = self.last.content, set(self.server.posts)
        self.server.press(self.last, label, self.user)
        last = self.last
        await until(lambda: len(self.server.posts) > len(there) or last.content != before)
        told = [one for name, one in self.server.posts.items() if name not in there]
        got = (told or [last])[0].seen
        return None if got.plain == messages.NO_ROOM else _of_markdown(got)


@asynccontextmanager
async def in_discord(office: Office) -> AsyncIterator[Talk]:
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY  # of the whole process
    async with discord_api.Discord().serving() as server:
        settings = Settings(discord_api=server.url, discord_token=SecretStr(server.token))
        async with _running(discord.serve, office, settings, lambda: server.connected):
            yield lambda n: InDiscord(server, n)
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


# Matrix, on a real server


@dataclass
class InMatrix:
    server: synapse.Synapse
    bot: synapse.Person
    user: str
    people: AsyncExitStack
    person: synapse.Person | None = None
    room: str = ""
    last: str = ""
    asked: str = ""

    async def send(self, text: str) -> Arrived:
        if self.person is None:
            self.person = await self.people.enter_async_context(self.server.person(self.user))
            self.room = await self.person.room(self.bot.id, is_direct=True)
            await synapse.until(self._joined)
        self.asked = await self.person.say(self.room, text)
        told: synapse.Said = await synapse.until(self._told)
        self.last = told.id
        return _of_matrix(told)

    async def press(self, label: str) -> Arrived | None:
        """By a reaction. A vote is taken in silence."""
        keys = {messages.BUTTON_NEXT: matrix.NEXT, messages.BUTTON_MORE: matrix.MORE}
        if label not in keys or self.person is None:
            return None
        before = await self._told()
        reaction = await self.person.react(self.room, self.last, keys[label])

        async def changed() -> synapse.Said | None:
            """An edit, or what the bot says where there is no more."""
            after = await self._told()
            return after if after != before else None

        told: synapse.Said = await synapse.until(changed)
        await self.person.redact(self.room, reaction)
        return _of_matrix(told)

    async def _joined(self) -> bool:
        assert self.person
        return bool((await self.person.state(self.room, "m.room.member", self.bot.id))["membership"] == "join")

    async def _told(self) -> synapse.Said | None:
        assert self.person
        said = await self.person.thread(self.room, self.asked)
        return next((one for one in reversed(said) if one.sender == self.bot.id), None)


def _of_matrix(said: synapse.Said) -> Arrived:
    quote = said.html.partition("<blockquote>")[2].partition("</blockquote>")[0]
    lines = re.sub(r"</?strong>", "", quote).replace("<br>", "\n")
    return arrived(said.body, unescape(lines), [unescape(one) for one in re.findall(r'href="([^"]*)"', said.html)])


@asynccontextmanager
async def in_matrix(office: Office) -> AsyncIterator[Talk]:
    with (
        tempfile.TemporaryDirectory() as folder,
        synapse.serving(synapse.installed(), Path(folder) / "server") as server,
    ):
        async with server.person("pullquote") as bot, AsyncExitStack() as people:
            account = {"matrix_homeserver": server.url, "matrix_user": bot.id, "matrix_password": SecretStr("pass")}
            settings, place = Settings(data=Path(folder), **account), Path(folder) / matrix.BOOKMARK  # type: ignore[arg-type]
            async with _running(matrix.serve, office, settings, place.exists):
                yield lambda n: InMatrix(server, bot, f"person{n}", people)


# Outgoing webhooks


@dataclass
class InHook:
    hook: hooks.Hook
    user: str

    async def send(self, text: str) -> Arrived:
        return _of_markdown(await self.hook.ask(text.removeprefix("/"), self.user, f"C{self.user}"))

    async def press(self, label: str) -> Arrived:
        return await self.send(label)


def in_hook(name: str) -> Starts:
    @asynccontextmanager
    async def started(office: Office) -> AsyncIterator[Talk]:
        port, token = _free_port(), SecretStr(f"{name}:{hooks.TOKENS[name]}")
        settings = Settings(hook_tokens=token, hook_listen=f"127.0.0.1:{port}")
        async with (
            aiohttp.ClientSession() as session,
            _running(webhook.serve, office, settings, lambda: _listens(port)),
        ):
            hook = hooks.Hook(name, f"http://127.0.0.1:{port}/hooks/ask", session)
            yield lambda n: InHook(hook, f"U{n}")

    return started


DRIVERS: dict[str, Starts] = {
    "terminal": in_terminal,
    "telegram": in_telegram,
    "slack": in_slack,
    "mattermost": in_mattermost,
    "discord": in_discord,
    "matrix": in_matrix,
    "hook-mattermost": in_hook("mattermost"),
    "hook-zulip": in_hook("zulip"),
    "hook-rocketchat": in_hook("rocketchat"),
}


@asynccontextmanager
async def _running(
    serve: Callable[..., object], office: Office, settings: Settings, ready: Callable[[], object]
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task: asyncio.Task[None] = asyncio.create_task(serve(office, settings, stop))  # type: ignore[arg-type]
    try:
        await until(lambda: bool(ready()) or task.done())
        if task.done():
            await task
        yield
    finally:
        stop.set()
        await task


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
