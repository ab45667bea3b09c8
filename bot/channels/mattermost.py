"""Mattermost: its WebSocket and REST API, threads, buttons or reactions."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from bot import messages
from bot.conversation import Office, Person, Reply, Shown, opening
from bot.listening import listening
from bot.markdown import MATTERMOST, render
from bot.porter import Away, Heard, Porter, TooLate, Work
from bot.reception import Asked, Press, buttons, command, read_press
from bot.settings import BadSettings, Settings
from bot.watchlist import Place
from corpus.article import line
from corpus.sources.files import MAX_DOCUMENT

TRIES = 5  # of a call that is refused for its rate, or cannot be served
SOON = 1.0  # seconds in which an answer that was posted is noted
PAUSES = (1, 2, 4, 8, 16, 30)  # seconds between tries to connect
LONGEST_WAIT = 60  # seconds that a rate limit is waited out at a time
EVENT = 1_000_000  # bytes
BODY = 64_000  # bytes of what a button sends
REACTIONS = {
    **dict.fromkeys(["+1", "thumbsup"], messages.RIGHT),
    **dict.fromkeys(["-1", "thumbsdown"], messages.WRONG_ANSWER),
    "arrow_right": messages.BUTTON_NEXT,
    "arrow_down": messages.BUTTON_MORE,
}
log = logging.getLogger("pullquote.mattermost")

Json = Mapping[str, Any]


# From Mattermost


def to_question(post: Json, me: Json, direct: bool) -> Asked | None:
    """What the message asks of this bot; None: it is not for us, or comes from a bot.

    A message in a thread that mentions nobody is a question if the thread is one of ours.
    """
    props, text = post.get("props") or {}, post.get("message") or ""
    if post.get("type") or post["user_id"] == me["id"] or props.get("from_bot") or props.get("from_webhook"):
        return None
    if not (direct or named(text, me)) and (not post.get("root_id") or "@" in text):
        return None
    words = line(text if direct else text.replace(f"@{me['username']}", ""))
    return Asked(command(words)) if words else None


def named(text: str, me: Json) -> bool:
    """Whether the text mentions this bot: its name, and no longer one."""
    names = (one.strip("@.,:;!?()\"'").lower() for one in text.split() if "@" in one)
    return str(me["username"]).lower() in names


def person(user: str, channel: str, topic: str, direct: bool, name: str = "") -> Person:
    """In a direct channel the person is the chat, so that limits count once."""
    return Person(f"mattermost:{user}", f"mattermost:{user if direct else channel}", topic, line(name) or user)


# To Mattermost


def message(reply: Reply, answer: str, sign: "Signer | None") -> dict[str, Any]:
    """The text, and buttons where they can reach us."""
    props: dict[str, Any] = {"attachments": []}
    shown, below = opening(reply, answer), ""
    if answer and isinstance(shown, Shown):
        props["attachments"] = [{"actions": sign.actions(shown)}] if sign else []
        below = "" if sign else messages.MATTERMOST_REACTIONS
    return {"message": render(reply, MATTERMOST, answer, below), "props": props}


class Signer:
    """Makes buttons that call us, and knows them again. What a button holds, nobody but the server can see."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._key = f"{url.rstrip('/')}/mattermost/buttons", hashlib.sha256(token.encode()).digest()

    def actions(self, shown: Shown) -> list[dict[str, Any]]:
        return [
            self._action(f"b{number}", label, press) for number, (label, press) in enumerate(buttons(shown).items())
        ]

    def press_of(self, context: Json) -> Press | None:
        """None: this button is none of ours."""
        value, secret = str(context.get("value", "")), str(context.get("secret", ""))
        known = hmac.compare_digest(self._secret(value).encode(), secret.encode("utf-8", "replace"))
        return read_press(value) if known else None

    def _action(self, name: str, label: str, press: Press) -> dict[str, Any]:
        context = {"value": press.value, "secret": self._secret(press.value)}
        return {"id": name, "name": label, "type": "button", "integration": {"url": self._url, "context": context}}

    def _secret(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()


# At work


class Client:
    """Calls the REST API: waits while it says so, and tries again while it cannot be reached."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session, self.url, self._headers = session, url.rstrip("/"), {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Raises Away, or TooLate where Mattermost refuses for good."""
        for pause in (*PAUSES[: TRIES - 1], 0):
            try:
                async with self._request(method, path, body) as answer:
                    if answer.status == 429 and pause:
                        pause = _reset(answer.headers.get("X-Ratelimit-Reset", ""))
                    elif answer.status < 500:
                        return await self._read(answer)
                    elif not pause:
                        raise Away(f"{method} {path}: {answer.status}")
            except (aiohttp.ClientError, TimeoutError) as error:
                if not pause:
                    raise Away(f"{method} {path}: {error}") from error
            await asyncio.sleep(pause)
        raise Away(f"{method} {path}")

    async def download(self, file: str) -> bytes:
        data = bytearray()
        async with self._request("GET", f"files/{file}") as answer:
            async for chunk in answer.content.iter_chunked(1 << 16):
                data += chunk
                if len(data) > MAX_DOCUMENT:
                    raise TooLate(f"{file} is larger than the server said")
        return bytes(data)

    def socket(self) -> Any:
        address = f"ws{self.url.removeprefix('http')}/api/v4/websocket"
        return self._session.ws_connect(address, heartbeat=30, max_msg_size=EVENT)

    def _request(self, method: str, path: str, body: object = None) -> Any:
        return self._session.request(method, f"{self.url}/api/v4/{path}", json=body, headers=self._headers)

    async def _read(self, answer: aiohttp.ClientResponse) -> Any:
        if answer.status >= 400:
            raise TooLate(f"{answer.status} {(await answer.text())[:200]}")
        return await answer.json()


def _reset(seconds: str) -> int:
    return min(max(int(seconds), 1), LONGEST_WAIT) if seconds.isdigit() else 1


class Desk:
    """Answers on one server. A Platform."""

    def __init__(self, office: Office, client: Client, me: Json, sign: Signer | None) -> None:
        self._client, self._me, self._sign = client, me, sign
        self.porter = Porter(office, self, f"mattermost/{me['id']}/")

    def work_of(self, event: Json) -> Work | None:
        kind, data = event.get("event"), event.get("data") or {}
        if kind == "reaction_added":
            reaction = json.loads(data["reaction"])
            known = reaction["emoji_name"] in REACTIONS and reaction["user_id"] != self._me["id"]
            return partial(self._on_reaction, reaction, _channel(event)) if known else None
        if kind not in ("posted", "post_edited", "post_deleted"):
            return None
        post = json.loads(data["post"])
        heard = self._heard(post, data.get("channel_type", ""), data.get("sender_name", ""))
        if kind == "post_deleted":
            return partial(self.porter.withdraw, heard)
        if kind == "posted" and post.get("file_ids") and heard.asked is None and self.porter.is_admin(heard.who):
            return partial(self._on_files, post, heard) if post["user_id"] != self._me["id"] else None
        if heard.asked is None or not (heard.addressed or self.porter.in_thread(heard.chat, heard.thread)):
            return None
        self.porter.enter(heard)  # at once: what is said there next may come before the answer
        return partial(self.porter.hear, heard, edited=kind == "post_edited")

    def _heard(self, post: Json, channel_type: str, sender: str) -> Heard:
        user, channel, root = post["user_id"], post["channel_id"], post.get("root_id") or ""
        direct = channel_type == "D" or self._is_direct(channel)
        who = person(user, channel, "" if direct else root or post["id"], direct, sender.removeprefix("@"))
        thread = root or ("" if direct else post["id"])
        asked, addressed = to_question(post, self._me, direct), direct or named(post.get("message") or "", self._me)
        return Heard(who, f"mattermost:{channel}", post["id"], asked, thread, addressed, channel)

    def _is_direct(self, channel: str) -> bool:
        """An edit does not tell the kind of its channel: a direct one was noted."""
        return self.porter.in_thread(f"mattermost:{channel}", "direct")

    async def post(self, heard: Heard, reply: Reply, answer: str) -> str:
        """The server lets a second post with the same pending id go, where the first one's answer was lost."""
        if heard.who.chat == heard.who.id:
            self.porter.enter(replace(heard, thread="direct"))
        body = {
            "channel_id": heard.place,
            "root_id": heard.thread,
            "pending_post_id": f"{self._me['id']}:{heard.once}",
        }
        sent = await self._client.call("POST", "posts", {**body, **message(reply, answer, self._sign)})
        return str(sent["id"])

    async def edit(self, heard: Heard, message_id: str, reply: Reply, answer: str) -> None:
        await self._client.call("PUT", f"posts/{message_id}/patch", message(reply, answer, self._sign))

    async def delete(self, heard: Heard, message_id: str) -> None:
        await self._client.call("DELETE", f"posts/{message_id}")

    async def show_working(self, heard: Heard) -> None:
        body = {"channel_id": heard.place, "parent_id": heard.thread}
        await self._client.call("POST", "users/me/typing", body)

    async def groups(self, person: str, place: Place) -> frozenset[str]:
        """The settings name none here."""
        return frozenset()

    async def tell_admin(self, admin: str, note: str) -> None:
        channel = await self._client.call("POST", "channels/direct", [self._me["id"], admin])
        await self._client.call("POST", "posts", {"channel_id": channel["id"], **message(note, "", None)})

    async def _on_files(self, post: Json, heard: Heard) -> None:
        for number, file in enumerate(post["file_ids"]):
            info = await self._client.call("GET", f"files/{file}/info")
            said = messages.say(messages.TOO_LARGE, size=MAX_DOCUMENT // 1_000_000)
            if int(info["size"]) <= MAX_DOCUMENT:
                said = await self.porter.document(heard, await self._client.download(file), line(info["name"]))
            await self.post(replace(heard, message=f"{heard.message}{number}"), said, "")

    async def _on_reaction(self, reaction: Json, channel: str) -> None:
        chat, post = f"mattermost:{channel}", reaction["post_id"]
        press = self.porter.pressed_on(chat, post, REACTIONS[reaction["emoji_name"]])
        if press is None:  # below a message that is none of ours, or one so new that it is not noted yet
            await asyncio.sleep(SOON)
            press = self.porter.pressed_on(chat, post, REACTIONS[reaction["emoji_name"]])
        if press is None:
            return
        who = person(reaction["user_id"], channel, "", self._is_direct(channel))
        _, shown = await self.porter.press(who, press)
        if shown and not press.reason:
            await self._client.call("PUT", f"posts/{post}/patch", message(shown, shown.answer, self._sign))
            self.porter.note_shown(chat, post, shown, shown.answer)

    async def on_button(self, request: web.Request) -> web.Response:
        """What the server sends when a button is pressed; whoever else calls does not know its secret."""
        try:
            body = await request.json()
            press = self._sign.press_of(body["context"]) if self._sign else None
            user, channel, post = str(body["user_id"]), str(body["channel_id"]), str(body["post_id"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": {"message": messages.HOOK_UNREADABLE}}, status=400)
        if press is None:
            return web.json_response({"error": {"message": messages.BUTTON_UNKNOWN}}, status=401)
        said, shown = await self.porter.press(person(user, channel, "", self._is_direct(channel)), press)
        reply: dict[str, Any] = {"ephemeral_text": render(said, MATTERMOST)} if said else {}
        if shown and not press.reason:
            reply["update"] = message(shown, shown.answer, self._sign)
            self.porter.note_shown(f"mattermost:{channel}", post, shown, shown.answer)
        return web.json_response(reply)

    async def listen(self, token: str) -> None:
        """Hears what happens, for ever; comes back with patience where the connection breaks.

        Raises BadSettings where the token was revoked, of which the server says nothing but that it hangs up.
        """
        failed = 0
        while True:
            try:
                async with self._client.socket() as socket:
                    await socket.send_json({"seq": 1, "action": "authentication_challenge", "data": {"token": token}})
                    async for one in socket:
                        failed = 0
                        self._on_event(one)
                log.info("The server closed the connection.")
                await self._client.call("GET", "users/me")
            except (aiohttp.ClientError, TimeoutError, Away) as error:
                log.warning("The connection broke: %s", error)
            except TooLate as error:
                raise BadSettings(messages.BAD_MATTERMOST_TOKEN) from error
            await asyncio.sleep(PAUSES[min(failed, len(PAUSES) - 1)])
            failed += 1

    def _on_event(self, one: aiohttp.WSMessage) -> None:
        try:
            event = json.loads(one.data) if one.type == aiohttp.WSMsgType.TEXT else {}
            if event.get("event"):
                self.porter.take(_key(event), event)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # must not end the others
            log.warning("An event could not be read: %r", error)


def _key(event: Json) -> str:
    """An event may come again after a new connection, under another number."""
    data = event.get("data") or {}
    post, reaction = json.loads(data.get("post") or "{}"), json.loads(data.get("reaction") or "{}")
    when = post.get("delete_at") or post.get("edit_at") or reaction.get("create_at") or ""
    return ":".join(
        map(
            str,
            (
                event["event"],
                post.get("id"),
                reaction.get("post_id"),
                reaction.get("user_id"),
                reaction.get("emoji_name"),
                when,
            ),
        )
    )


def _channel(event: Json) -> str:
    return str((event.get("broadcast") or {}).get("channel_id", ""))


@asynccontextmanager
async def _opened(office: Office, settings: Settings) -> AsyncIterator[tuple[Desk, str]]:
    token = settings.mattermost_token.get_secret_value() if settings.mattermost_token else ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        client = Client(session, settings.mattermost_url, token)
        try:
            me = await client.call("GET", "users/me")
        except TooLate as error:
            raise BadSettings(messages.BAD_MATTERMOST_TOKEN) from error
        except Away as error:
            raise BadSettings(messages.NO_MATTERMOST) from error
        sign = Signer(settings.mattermost_buttons, token) if settings.mattermost_buttons else None
        yield Desk(office, client, me, sign), token


@asynccontextmanager
async def _buttons(desk: Desk, settings: Settings) -> AsyncIterator[None]:
    """Listens for buttons where there are any."""
    if not settings.mattermost_buttons:
        yield
        return
    app = web.Application(client_max_size=BODY)
    app.add_routes([web.post("/mattermost/buttons", desk.on_button)])
    async with listening(app, settings.mattermost_listen, "PULLQUOTE_MATTERMOST_LISTEN"):
        yield


async def serve(office: Office, settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop` is set; what is in hand then is finished. Raises BadSettings."""
    async with _opened(office, settings) as (desk, token), _buttons(desk, settings):
        await desk.porter.resume()  # before anything new can come, or that would be taken for a rest too
        listening_on = asyncio.create_task(desk.listen(token))
        watching = asyncio.create_task(desk.porter.watch())
        try:
            await asyncio.wait(
                [listening_on, stopping := asyncio.ensure_future(stop.wait())], return_when="FIRST_COMPLETED"
            )
            stopping.cancel()
            if listening_on.done():
                await listening_on  # raises what nobody foresaw
        finally:
            watching.cancel()
            listening_on.cancel()
            await desk.porter.finish()
