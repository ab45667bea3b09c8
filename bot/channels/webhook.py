"""Mattermost, Zulip and Rocket.Chat over one address that speaks as Slack's outgoing webhooks do: POST /hooks/ask."""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from bot import messages
from bot.conversation import Office, Person, Reply, Shown, opening
from bot.listening import GRACE, listening
from bot.markdown import MATTERMOST, ROCKETCHAT, ZULIP, Dialect, render
from bot.reception import LABELS, Asked, Press, Seats, Turns, answered, button, command, pressed, read_press
from bot.settings import Settings
from corpus.article import line

BODY = 64_000  # bytes of a request
READING = 10.0  # seconds for a request to come in
REMEMBERED = 10_000  # requests, so that one that comes twice is answered once
REPEATS = 600.0  # seconds in which it may
OWN = 1_000  # texts of ours that are known again
DIRECT = "__"  # in the name of a direct channel in Mattermost
log = logging.getLogger("pullquote.webhook")

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Platform:
    """One kind of server that calls."""

    dialect: Dialect
    window: float  # seconds that it waits for a reply, and some to spare
    trigger: bool = True  # whether the text begins with the trigger word


PLATFORMS = {
    "mattermost": Platform(MATTERMOST, 20),
    "zulip": Platform(ZULIP, 8, trigger=False),
    "rocketchat": Platform(ROCKETCHAT, 12),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A request: who asks what, and where a reply may go later."""

    who: Person
    asked: Asked
    platform: Platform
    later: str = ""  # address for a reply that took too long
    alone: bool = False  # a slash command: only who asked sees the reply


# From the platform


def to_question(name: str, fields: Fields) -> Heard | None:
    """None: nobody asked; a bot wrote, or nothing was said."""
    if fields.get("bot", "").lower() not in ("", "false", "null", "none") or fields.get("bot_id"):
        return None
    if not fields.get("user_id") or not fields.get("channel_id"):
        return None
    slash = bool(fields.get("command"))
    words = line(_unmentioned(name, fields))
    asked = Asked(command(words) if words else "/ask" if slash else "/help")
    return Heard(person(name, fields), asked, PLATFORMS[name], fields.get("response_url", ""), slash)


def _unmentioned(name: str, fields: Fields) -> str:
    """The text without the word, or the mention, that made the platform call."""
    text, trigger = fields.get("text", "").strip(), fields.get("trigger_word", "").strip()
    if PLATFORMS[name].trigger:
        return text.removeprefix(trigger) if trigger else text
    before, mention, rest = text.partition("@**")
    called, closed, after = rest.partition("**")
    return f"{before}{after}" if mention and closed and called.split("|")[0] else text


def person(name: str, fields: Fields) -> Person:
    """A conversation for each thread, or for each person in a channel. Ids are written "zulip:U8" in the settings."""
    user, channel = fields["user_id"], fields["channel_id"]
    direct = name == "mattermost" and DIRECT in fields.get("channel_name", "")
    thread = fields.get("thread_ts") or fields.get("tmid") or fields.get("root_id") or ("" if direct else user)
    chat = user if direct else channel
    return Person(f"hook:{name}:{user}", f"hook:{name}:{chat}", thread, line(fields.get("user_name", "")) or user)


# At work


class Desk:
    """Answers every platform whose token is known."""

    def __init__(self, office: Office, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._office, self._store, self._session = office, office.store, session
        self._tokens = tokens(settings)
        self._origins = frozenset(filter(None, (one.strip().rstrip("/") for one in settings.hook_answers.split(","))))
        self._seats, self._turns = Seats(office.seats), Turns()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._own: OrderedDict[str, None] = OrderedDict()
        self._late: set[asyncio.Task[None]] = set()

    async def on_post(self, request: web.Request) -> web.Response:
        fields = await read(request)
        name = self._platform_of(fields.get("token", ""))
        if name is None:
            return web.json_response({"text": messages.HOOK_TOKEN}, status=401)
        heard, key = to_question(name, fields), _digest(json.dumps({**fields, "token": name}, sort_keys=True))
        if heard is None or self._is_own(heard) or not self._first(key):
            return web.json_response({})
        task = asyncio.create_task(self._reply(heard))
        done, _ = await asyncio.wait([task], timeout=heard.platform.window)
        if not done:
            return web.json_response(self._message(self._when_done(task, heard), heard))
        if request.transport is None or request.transport.is_closing():  # it did not wait: it may ask again
            self._seen.pop(key, None)
        return web.json_response(self._message(task.result(), heard))

    async def finish(self) -> None:
        """Waits for what is in hand, but not for ever."""
        if self._late:
            await asyncio.wait(self._late, timeout=GRACE)

    def _platform_of(self, token: str) -> str | None:
        """Every known token is compared, whichever matches, so that time tells nothing."""
        found = [name for name, known in self._tokens if hmac.compare_digest(known.encode(), token.encode())]
        return found[0] if found else None

    def _first(self, key: str) -> bool:
        now = time.monotonic()
        while self._seen and (len(self._seen) >= REMEMBERED or next(iter(self._seen.values())) < now - REPEATS):
            self._seen.popitem(last=False)
        return self._seen.setdefault(key, now) == now

    def _is_own(self, heard: Heard) -> bool:
        """Whether it is a text of ours that comes back: two bots would never end."""
        return _digest(heard.asked.text) in self._own

    async def _reply(self, heard: Heard) -> str:
        """One sentence with an id for what nobody foresaw; the trace stands in the log."""
        who, asked = heard.who, heard.asked
        try:
            async with self._turns.turn(f"user {who.id}", f"place {who.place}"):
                return await self._seats.work(lambda: self._said(heard), asked.text)
        except Exception as error:
            name = secrets.token_hex(4)
            log.error("error %s", name, exc_info=error)
            return render(messages.say(messages.WENT_WRONG, id=name), heard.platform.dialect)

    def _said(self, heard: Heard) -> str:
        """The reply as the platform reads it. A button's name is as good as a button, which none of them has here."""
        who, asked, dialect = heard.who, heard.asked, heard.platform.dialect
        if press := self._pressed(who, asked.text):
            said, shown = pressed(self._office, who, *press)
            if said or not shown:
                return render(said or messages.UNKNOWN_ANSWER, dialect)
            return self._written(who, shown, shown.answer, dialect)
        reply, answer, strange = answered(self._office, who, asked, "")
        if strange:
            log.info("%s", messages.say(messages.STRANGER_NOTE, name=who.name, id=who.id.partition(":")[2]))
        helped = asked.text.lower() in ("/help", "/start")
        return self._written(who, reply or "", answer, dialect) + (f"\n\n{messages.HOOK_HELP}" if helped else "")

    def _written(self, who: Person, reply: Reply, answer: str, dialect: Dialect) -> str:
        """What is shown is noted, for "next source" and the like."""
        shown, below = opening(reply, answer), ""
        if answer and isinstance(shown, Shown):
            self._store.note_message(_last(who), answer, Press(answer, shown.number, shown.widened).value)
            below = messages.HOOK_BUTTONS
        return render(shown, dialect, answer, below)

    def _pressed(self, who: Person, words: str) -> Press | None:
        label = next((one for one in LABELS if one.lower() == words.lower().rstrip(".!")), "")
        noted = self._store.message(_last(who)) if label else None
        at = read_press(noted[1]) if noted else None
        given = self._store.given(at.answer) if at else None
        if at is None or given is None or not given.marks:
            return None
        return button(label, at, len(given.marks))

    def _when_done(self, task: asyncio.Task[str], heard: Heard) -> str:
        """What is said meanwhile."""
        allowed = _origin(heard.later) in self._origins
        later = asyncio.create_task(self._deliver(task, heard, heard.later if allowed else ""))
        self._late.add(later)
        later.add_done_callback(self._late.discard)
        return render(messages.HOOK_LATER if allowed else messages.HOOK_AGAIN, heard.platform.dialect)

    async def _deliver(self, task: asyncio.Task[str], heard: Heard, url: str) -> None:
        text = await task
        if not url:
            return
        try:
            async with self._session.post(url, json=self._message(text, heard), allow_redirects=False) as sent:
                if sent.status != 200:
                    log.warning("A late reply was not taken: %d", sent.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("A late reply could not be sent: %s", error)

    def _message(self, text: str, heard: Heard) -> dict[str, str]:
        """Mattermost puts a comment below the message; Zulip and Rocket.Chat read the text alone."""
        self._own[_digest(line(text))] = None
        if len(self._own) > OWN:
            self._own.popitem(last=False)
        return {"text": text, "response_type": "ephemeral" if heard.alone else "comment"}


def _last(who: Person) -> str:
    return f"{who.place}:shown to {who.id}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://[": an address in name only
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.hostname and "@" not in parts.netloc else ""


def tokens(settings: Settings) -> list[tuple[str, str]]:
    """(platform, token) of each that may ask."""
    given = settings.hook_tokens.get_secret_value() if settings.hook_tokens else ""
    pairs = (one.strip().partition(":") for one in given.split(","))
    return [(name, token.strip()) for name, _, token in pairs]


async def read(request: web.Request) -> dict[str, str]:
    """Its fields, as texts. Raises web.HTTPException with a sentence."""
    try:
        async with asyncio.timeout(READING):
            body = await request.json() if request.content_type == "application/json" else await request.post()
        if not isinstance(body, Mapping):
            raise ValueError("no fields")
        return {str(name): _text(value) for name, value in body.items()}
    except web.HTTPRequestEntityTooLarge:
        raise _refusal(web.HTTPRequestEntityTooLarge(BODY, BODY), messages.HOOK_TOO_LARGE) from None
    except TimeoutError:
        raise _refusal(web.HTTPRequestTimeout(), messages.HOOK_TOO_SLOW) from None
    except (ValueError, RecursionError):
        raise _refusal(web.HTTPBadRequest(), messages.HOOK_UNREADABLE) from None


def _text(value: Any) -> str:
    plain = value if isinstance(value, str) else json.dumps(value)
    return plain.encode("utf-8", "replace").decode()


def _refusal(error: web.HTTPException, sentence: str) -> web.HTTPException:
    error.text, error.content_type = json.dumps({"text": sentence}), "application/json"
    return error


async def serve(office: Office, settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop` is set; what is in hand then is finished. Raises BadSettings."""
    office = replace(office, posts=False)  # a webhook only replies
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        desk, app = Desk(office, settings, session), web.Application(client_max_size=BODY)
        app.add_routes([web.post("/hooks/ask", desk.on_post), web.get("/healthz", _on_health)])
        async with listening(app, settings.hook_listen, "PULLQUOTE_HOOK_LISTEN"):
            await stop.wait()
        await desk.finish()


async def _on_health(_request: web.Request) -> web.Response:
    return web.json_response({"ok": True})
