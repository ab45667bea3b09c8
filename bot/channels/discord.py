"""Discord: mentions, replies, threads, direct messages, /ask, buttons. The only file that imports discord."""

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import aiohttp
import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot import messages
from bot.conversation import Office, Person, Reply, Shown, opening
from bot.markdown import DISCORD, render
from bot.porter import Away, Heard, Porter, TooLate, Work
from bot.reception import VOTES, Asked, buttons, command, read_press
from bot.settings import BadSettings, Settings
from bot.watchlist import Place
from corpus.article import line

BY = "by "  # in front of who asks in a channel, where each person has a conversation of their own
OURS = "pq:"  # in front of what our buttons keep
QUIET = discord.AllowedMentions.none()
NONCE = 25  # characters, at most, of what tells two messages of ours apart
REVOKED = 4004  # the gateway's code for a token that it does not know
log = logging.getLogger("pullquote.discord")

T = TypeVar("T")
Json = Mapping[str, Any]


# From Discord


def to_question(message: discord.Message, me: int) -> Asked | None:
    """What the message asks of this bot; None: it is not for us, or comes from a bot."""
    if (
        message.author.bot
        or message.webhook_id
        or message.type not in (discord.MessageType.default, discord.MessageType.reply)
    ):
        return None
    replied = message.reference.resolved if message.reference else None
    to_us = isinstance(replied, discord.Message) and replied.author.id == me
    if not (message.guild is None or to_us or any(one.id == me for one in message.mentions)):
        return None
    words = line(message.content.replace(f"<@{me}>", " ").replace(f"<@!{me}>", " "))
    return (
        Asked(command(words), str(replied.id) if isinstance(replied, discord.Message) and to_us else "")
        if words
        else None
    )


def person(user: discord.User | discord.Member, channel: int, alone: bool, topic: str) -> Person:
    """`alone`: in a direct message, which is one conversation. Roles may be listed too."""
    chat, topic = (user.id, "") if alone else (channel, topic)
    roles = frozenset(str(one.id) for one in getattr(user, "roles", ()))
    return Person(f"discord:{user.id}", f"discord:{chat}", topic, line(user.name), groups=roles)


# To Discord


def content(reply: Reply, answer: str = "") -> tuple[str, discord.ui.View | None]:
    """The text, and the buttons below it."""
    shown = opening(reply, answer)
    text = render(reply, DISCORD, answer)
    return text, view(shown) if isinstance(shown, Shown) and shown.answer else None


def view(shown: Shown) -> discord.ui.View:
    """It keeps what its buttons ask for in themselves, so that they outlive this program."""
    made = discord.ui.View(timeout=None)
    for label, press in buttons(shown).items():
        style = discord.ButtonStyle.secondary if label in VOTES else discord.ButtonStyle.primary
        made.add_item(
            discord.ui.Button(label=label, custom_id=f"{OURS}{press.value}", style=style, row=int(label in VOTES))
        )
    made.stop()  # so that the library does not remember it: `on_interaction` hears all
    return made


# At work


class Bot(discord.Client):
    """Answers as one bot. A Platform."""

    def __init__(self, office: Office) -> None:
        super().__init__(intents=discord.Intents.default(), allowed_mentions=QUIET)
        self._office, self._tree = office, app_commands.CommandTree(self)
        self.porter = Porter(office, self, "discord/")
        asking: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="ask", description=messages.COMMAND_ASK, callback=self._on_ask
        )
        self._tree.add_command(asking)

    async def setup_hook(self) -> None:
        await self._tree.sync()
        await self.porter.resume()

    async def watch(self) -> None:
        await self.wait_until_ready()
        await self.porter.watch()

    async def on_message(self, message: discord.Message) -> None:
        self._take("said", message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        if payload.message.edited_at:
            self._take("edited", payload.message)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        event = {"kind": "deleted", "channel": payload.channel_id, "message": payload.message_id}
        self.porter.take(f"deleted {payload.message_id}", event)

    def _take(self, kind: str, message: discord.Message) -> None:
        asked = to_question(message, self.user.id if self.user else 0)
        if asked is None:
            return
        topic = "" if isinstance(message.channel, discord.Thread) else f"{BY}{message.author.id}"
        who = person(message.author, message.channel.id, message.guild is None, topic)
        event = {"kind": kind, "channel": message.channel.id, "message": message.id, "text": asked.text}
        event |= {"replied": asked.replied, "who": [who.id, who.chat, who.topic, who.name], "roles": sorted(who.groups)}
        self.porter.take(f"{kind} {message.id} {message.edited_at or ''}", event)

    def work_of(self, event: Json) -> Work | None:
        chat, message = f"discord:{event['channel']}", str(event["message"])
        if event["kind"] == "deleted":
            known = self._office.store.message(f"{chat}:{message}")
            return (
                partial(self.porter.withdraw, Heard(Person(), chat, message, place=event["channel"])) if known else None
            )
        user, where, topic, name = event["who"]
        who = Person(user, where, topic, name, groups=frozenset(event["roles"]))
        heard = Heard(who, chat, message, Asked(event["text"], event["replied"]), place=event["channel"])
        return partial(self.porter.hear, heard, edited=event["kind"] == "edited")

    async def post(self, heard: Heard, reply: Reply, answer: str) -> str:
        """As a reply, which calls nobody; sent twice with the same nonce, Discord keeps one."""
        text, buttons_below = content(reply, answer)
        where = await self._alone_with(heard.thread) if heard.thread.isdecimal() else int(heard.place)
        more: dict[str, Any] = {"view": buttons_below} if buttons_below else {}
        if heard.message:
            more["reference"] = discord.MessageReference(
                message_id=int(heard.message), channel_id=where, fail_if_not_exists=False
            )
        there, once = self.get_partial_messageable(where), heard.once[:NONCE]
        sent = await _foreseen(there.send(text, mention_author=False, suppress_embeds=True, nonce=once, **more))
        return str(sent.id)

    async def _alone_with(self, user: str) -> int:
        """The direct channel of somebody, for what nobody else was shown."""
        return int((await _foreseen((await _foreseen(self.fetch_user(int(user)))).create_dm())).id)

    async def edit(self, heard: Heard, message: str, reply: Reply, answer: str) -> None:
        text, buttons_below = content(reply, answer)
        there = self.get_partial_messageable(heard.place).get_partial_message(int(message))
        await _foreseen(there.edit(content=text, view=buttons_below, allowed_mentions=QUIET))

    async def delete(self, heard: Heard, message: str) -> None:
        await _foreseen(self.get_partial_messageable(heard.place).get_partial_message(int(message)).delete())

    async def show_working(self, heard: Heard) -> None:
        await _foreseen(self.http.send_typing(heard.place))

    async def groups(self, person: str, place: Place) -> frozenset[str]:
        """Roles in the channel's server, asked for where they count: who has left it has none."""
        if self._office.rules.access == "open" or person == place.chat:
            return frozenset()
        try:
            channel = self.get_channel(int(place.id)) or await _foreseen(self.fetch_channel(int(place.id)))
            guild = getattr(channel, "guild", None)
            member = await _foreseen(guild.fetch_member(int(person.partition(":")[2]))) if guild else None
        except TooLate:
            return frozenset()
        return frozenset(str(one.id) for one in member.roles) if member else frozenset()

    async def tell_admin(self, admin: str, note: str) -> None:
        user = await _foreseen(self.fetch_user(int(admin)))
        await _foreseen(user.send(content(note)[0]))

    async def _on_ask(self, interaction: discord.Interaction, question: str) -> None:
        """Seen by who asked alone."""
        with _harmless():
            await _foreseen(interaction.response.defer(ephemeral=True, thinking=True))
            asked = Asked(command(line(question)) or "/ask")
            reply, answer = await self.porter.ask(self._person(interaction), asked, interaction.channel_id)
            text, buttons_below = content(reply, answer)
            more: dict[str, Any] = {"view": buttons_below} if buttons_below else {}
            await _foreseen(interaction.followup.send(text, ephemeral=True, suppress_embeds=True, **more))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        data: Json = interaction.data or {}
        name = str(data.get("custom_id", ""))
        press = read_press(name.removeprefix(OURS)) if name.startswith(OURS) else None
        if interaction.type != discord.InteractionType.component or press is None:
            return
        with _harmless():
            await _foreseen(interaction.response.defer())
            said, shown = await self.porter.press(self._person(interaction), press)
            text, buttons_below = content(shown, shown.answer) if shown else ("", None)
            if text and interaction.message and text == interaction.message.content:
                said = said or messages.NO_ROOM
            elif text and not press.reason:
                await _foreseen(
                    interaction.edit_original_response(content=text, view=buttons_below, allowed_mentions=QUIET)
                )
            if said:
                await _foreseen(interaction.followup.send(content(said)[0], ephemeral=True))

    def _person(self, interaction: discord.Interaction) -> Person:
        """Who asks by a command has a conversation that nobody else sees."""
        alone = interaction.guild_id is None
        return person(interaction.user, interaction.channel_id or 0, alone, str(interaction.user.id))


async def _foreseen(call: Awaitable[T]) -> T:
    """Raises Away where Discord cannot be reached, TooLate where it refuses; the library has tried several times."""
    try:
        return await call
    except discord.DiscordServerError as error:
        raise Away(str(error)) from error
    except discord.HTTPException as error:
        raise TooLate(str(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Away(str(error)) from error


@contextmanager
def _harmless() -> Iterator[None]:
    """A button or a command is worth nothing later."""
    try:
        yield
    except (Away, TooLate) as error:
        log.warning("%s", error)


def point_at(api: str) -> None:
    """Another server than Discord's, for the whole process: the library takes its address from these two places."""
    Route.BASE = f"{api.rstrip('/')}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"ws{api.rstrip('/').removeprefix('http')}/gateway")


async def serve(office: Office, settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop` is set; what is in hand then is finished. Raises BadSettings."""
    if settings.discord_api:
        point_at(settings.discord_api)
    token = settings.discord_token.get_secret_value() if settings.discord_token else ""
    async with Bot(office) as bot:
        try:
            await bot.login(token)
        except discord.LoginFailure as error:
            raise BadSettings(messages.BAD_DISCORD_TOKEN) from error
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise BadSettings(messages.NO_DISCORD) from error
        tasks = [asyncio.create_task(bot.connect()), asyncio.create_task(stop.wait())]
        watching = asyncio.create_task(bot.watch())
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        tasks[1].cancel()
        await bot.porter.finish()
        await bot.close()
        try:
            await tasks[0]  # raises what ended it, where that was not us
        except discord.ConnectionClosed as error:
            raise BadSettings(messages.BAD_DISCORD_TOKEN if error.code == REVOKED else messages.NO_DISCORD) from error
