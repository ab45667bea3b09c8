"""A Discord on loopback, REST and gateway, that refuses what Discord refuses and keeps what people see."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from tests.markdown import Read, read
from tests.slack_api import until

Json = dict[str, Any]
LONGEST = 2_000
ME, OTHER_BOT, CHIEF, GUILD, ROOM = 700, 701, 9, 900, 901
ROLES = [
    {"id": str(one), "name": f"r{one}", "permissions": "0", "position": 1, "color": 0, "hoist": False, "managed": False}
    | {"mentionable": False, "flags": 0}
    for one in (GUILD, 77)
]
NOW = "2026-01-01T00:00:00.000000+00:00"


def alone(user: int) -> int:
    """The direct channel of this person."""
    return user + 10_000


@dataclass
class Post:
    """A message as it stands in its channel now."""

    id: int
    channel: int
    user: int
    content: str
    reply_to: int = 0
    buttons: list[Json] = field(default_factory=list)
    alone: bool = False

    @property
    def seen(self) -> Read:
        return read("discord", self.content)

    @property
    def labels(self) -> list[str]:
        return [one["label"] for one in self.buttons]


class Discord:
    token = "tests-only.tests-only.tests-only"

    def __init__(self) -> None:
        self.url = ""
        self.posts: dict[int, Post] = {}
        self.refusals: list[str] = []
        self.commands: list[Json] = []
        self.connected = 0
        self.typed = 0
        self.limited = 0
        self.duplicated = False
        self.roles: dict[int, list[str]] = {2: ["77"]}  # by user
        self.left: set[int] = set()  # who is no longer in the server
        self._nonces: dict[str, Post] = {}
        self._interactions: dict[str, Post] = {}
        self._links: dict[web.WebSocketResponse, Any] = {}
        self._ids = count(1_000)
        self._sequence = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    # What people do

    def say(self, channel: int, user: int, text: str, reply_to: Post | None = None, **more: Any) -> Post:
        post = Post(next(self._ids), channel, user, text, reply_to.id if reply_to else 0)
        self.posts[post.id] = post
        self._tell("MESSAGE_CREATE", {**self._message(post), **more})
        return post

    async def ask(self, channel: int, user: int, text: str, reply_to: Post | None = None) -> Post:
        before = set(self.posts)
        self.say(channel, user, text, reply_to)
        return await until(lambda: next((one for one in self.shown(channel) if one.id not in before), None))

    def edit(self, post: Post, text: str) -> None:
        post.content = text
        self._tell("MESSAGE_UPDATE", {**self._message(post), "edited_timestamp": NOW})

    def delete(self, post: Post) -> None:
        del self.posts[post.id]
        self._tell("MESSAGE_DELETE", {"id": str(post.id), "channel_id": str(post.channel)})

    async def command(self, channel: int, user: int, question: str) -> Post:
        option = {"name": "question", "type": 3, "value": question}
        data = {"id": "5", "name": "ask", "type": 1, "options": [option]}
        before = set(self.posts)
        self._interact(channel, user, 2, data)
        return await until(lambda: next((one for one in self.shown(channel) if one.id not in before), None))

    def press(self, post: Post, label: str, user: int) -> None:
        [button] = [one for one in post.buttons if one["label"] == label]
        data = {"custom_id": button["custom_id"], "component_type": 2}
        self._interact(post.channel, user, 3, data, post)

    def shown(self, channel: int) -> list[Post]:
        return [one for one in self.posts.values() if one.channel == channel and one.user == ME]

    # The server

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Discord"]:
        app = web.Application()
        app.add_routes([web.get("/gateway", self._on_link), web.get("/gateway/", self._on_link)])
        app.add_routes([web.route("*", "/api/v10/{path:.*}", self._on_call)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            for link in list(self._links):
                await link.close()
            await runner.cleanup()
            await asyncio.sleep(0.05)  # what was closed is let go in the loop's next rounds

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].split("/")
        if path[0] not in ("interactions", "webhooks") and request.headers.get("Authorization") != f"Bot {self.token}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        if self.limited and path[0] == "channels":
            self.limited -= 1
            limit = {"message": "You are being rate limited.", "retry_after": 1.0, "global": False}
            return _json(limit, status=429, headers={"Retry-After": "1", "Via": "1.1 tests"})
        body = await request.json() if request.can_read_body else {}
        try:
            made = self._done(request.method, path, body)
        except (ValueError, KeyError) as error:
            self.refusals.append(repr(error))
            return _json({"message": repr(error), "code": 50035}, status=400)
        return web.Response(status=204) if made is None else _json(made)

    def _done(self, method: str, path: list[str], body: Any) -> Any:
        match method, path:
            case "GET", ["users", "@me"]:
                return self._user(ME)
            case "GET", ["users", user]:
                return self._user(int(user))
            case "GET", ["guilds", _, "members", user] if int(user) not in self.left:
                return self._member(int(user))
            case "GET", ["oauth2", "applications", "@me"]:
                known: Json = {
                    "id": str(ME),
                    "name": "p",
                    "description": "",
                    "flags": 0,
                    "verify_key": "x",
                    "icon": None,
                }
                return {**known, "bot_public": True, "bot_require_code_grant": False, "owner": self._user(CHIEF)}
            case "PUT", ["applications", _, "commands"]:
                self.commands = body
                known = {"application_id": str(ME), "version": "1", "default_member_permissions": None}
                return [{**one, **known, "id": str(number)} for number, one in enumerate(body, 5)]
            case "POST", ["users", "@me", "channels"]:
                other = int(body["recipient_id"])
                return {"id": str(alone(other)), "type": 1, "recipients": [self._user(other)], "last_message_id": None}
            case "POST", ["channels", channel, "messages"]:
                return self._message(self._created(int(channel), body))
            case "PATCH", ["channels", _, "messages", message]:
                return self._message(self._changed(self._own(int(message)), body))
            case "DELETE", ["channels", _, "messages", message]:
                del self.posts[self._own(int(message)).id]
                return None
            case "POST", ["channels", _, "typing"]:
                self.typed += 1
                return None
            case "POST", ["interactions", number, token, "callback"] if token in self._interactions:
                return {"interaction": {"id": number, "type": body["type"], "response_message_loading": True}}
            case "POST", ["webhooks", _, token]:
                there = self._interactions[token]
                text, buttons = self._checked(body)
                post = Post(next(self._ids), there.channel, ME, text, buttons=buttons, alone=bool(body["flags"] & 64))
                self.posts[post.id] = post
                return self._message(post)
            case "PATCH", ["webhooks", _, token, "messages", "@original"]:
                return self._message(self._changed(self._interactions[token], body))
        raise ValueError(f"no such call: {method} {path}")

    def _created(self, channel: int, body: Json) -> Post:
        nonce = str(body.get("nonce") or next(self._ids))
        if nonce not in self._nonces or not body.get("enforce_nonce"):
            text, buttons = self._checked(body)
            reply = int((body.get("message_reference") or {}).get("message_id") or 0)
            post = Post(next(self._ids), channel, ME, text, reply, buttons)
            self.posts[post.id] = self._nonces[nonce] = post
            self._tell("MESSAGE_CREATE", self._message(post))
        return self._nonces[nonce]

    def _changed(self, post: Post, body: Json) -> Post:
        post.content, post.buttons = self._checked(body)
        return post

    def _checked(self, body: Json) -> tuple[str, list[Json]]:
        text = body["content"]
        if not text.strip() or len(text) > LONGEST:
            raise ValueError("Must be between 1 and 2000 in length.")
        if (body.get("allowed_mentions") or {}).get("parse") != []:
            raise ValueError("tests refuse: it may mention somebody")
        buttons = [one for row in body.get("components") or [] for one in row["components"]]
        for row in body.get("components") or []:
            if len(row["components"]) > 5 or any(len(one["custom_id"]) > 100 for one in row["components"]):
                raise ValueError("Invalid components.")
        return text, buttons

    def _own(self, message: int) -> Post:
        if self.posts[message].user != ME:
            raise ValueError("Cannot edit a message authored by another user")
        return self.posts[message]

    async def _on_link(self, request: web.Request) -> web.WebSocketResponse:
        link = web.WebSocketResponse()
        await link.prepare(request)
        packed = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._links[link] = packed
        await self._send(link, {"op": 10, "d": {"heartbeat_interval": 45_000}, "s": None, "t": None})
        async for one in link:
            asked = json.loads(one.data)
            if asked["op"] == 1:
                await self._send(link, {"op": 11, "d": None, "s": None, "t": None})
            elif asked["op"] == 2:
                if asked["d"]["token"] != self.token:
                    await link.close(code=4004)
                    break
                await self._ready(link)
        self._links.pop(link, None)
        return link

    async def _ready(self, link: web.WebSocketResponse) -> None:
        ready: Json = {
            "v": 10,
            "user": self._user(ME),
            "guilds": [{"id": str(GUILD), "unavailable": True}],
            "session_id": "s",
        }
        ready |= {
            "resume_gateway_url": f"ws{self.url.removeprefix('http')}/gateway",
            "application": {"id": str(ME), "flags": 0},
        }
        await self._send(link, {"op": 0, "t": "READY", "s": next(self._sequence), "d": ready})
        room: Json = {
            "id": str(ROOM),
            "type": 0,
            "name": "desk",
            "position": 0,
            "permission_overwrites": [],
            "nsfw": False,
        }
        guild: Json = {
            "id": str(GUILD),
            "name": "news",
            "channels": [room],
            "members": [],
            "roles": ROLES,
            "emojis": [],
            "features": [],
        }
        guild |= {
            "threads": [],
            "presences": [],
            "voice_states": [],
            "member_count": 2,
            "large": False,
            "owner_id": "1",
        }
        guild |= {
            "verification_level": 0,
            "explicit_content_filter": 0,
            "default_message_notifications": 0,
            "mfa_level": 0,
        }
        guild |= {"premium_tier": 0, "nsfw_level": 0, "system_channel_flags": 0, "afk_timeout": 60, "stickers": []}
        await self._send(link, {"op": 0, "t": "GUILD_CREATE", "s": next(self._sequence), "d": guild})
        self.connected += 1

    def _interact(self, channel: int, user: int, kind: int, data: Json, post: Post | None = None) -> None:
        number = next(self._ids)
        self._interactions[f"token{number}"] = post or Post(0, channel, user, "")
        place: Json = {"user": self._user(user), "channel": {"id": str(channel), "type": 1}}
        if channel == ROOM:
            place = {"member": self._member(user), "guild_id": str(GUILD), "channel": {"id": str(channel), "type": 0}}
        event: Json = {
            "id": str(number),
            "application_id": str(ME),
            "type": kind,
            "token": f"token{number}",
            "version": 1,
        }
        event |= {
            "data": data,
            "channel_id": str(channel),
            "locale": "en-US",
            "entitlements": [],
            "attachment_size_limit": 9,
        }
        event |= {"message": self._message(post)} if post else {}
        self._tell("INTERACTION_CREATE", {**event, **place, "authorizing_integration_owners": {}})

    def _tell(self, kind: str, data: Json) -> None:
        async def send() -> None:
            for link in list(self._links)[-1:]:
                for _ in range(2 if self.duplicated else 1):
                    await self._send(link, {"op": 0, "t": kind, "s": next(self._sequence), "d": data})

        task = asyncio.get_running_loop().create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, link: web.WebSocketResponse, frame: Json) -> None:
        packed = self._links[link]
        if packed is None:
            await link.send_json(frame)
        else:
            await link.send_bytes(packed.compress(json.dumps(frame).encode()) + packed.flush(zlib.Z_SYNC_FLUSH))

    def _message(self, post: Post) -> Json:
        mentions = [self._user(ME)] if f"<@{ME}>" in post.content else []
        known: Json = {
            "id": str(post.id),
            "channel_id": str(post.channel),
            "author": self._user(post.user),
            "content": post.content,
        }
        known |= {
            "timestamp": NOW,
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": mentions,
        }
        known |= {
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": 19 if post.reply_to else 0,
        }
        known |= {"guild_id": str(GUILD), "member": self._member(post.user)} if post.channel == ROOM else {}
        known |= {"components": [{"type": 1, "components": post.buttons}] if post.buttons else [], "flags": 0}
        if post.reply_to:
            known["message_reference"] = {"message_id": str(post.reply_to), "channel_id": str(post.channel)}
            if post.reply_to in self.posts:
                known["referenced_message"] = self._message(self.posts[post.reply_to])
        return known

    def _user(self, user: int) -> Json:
        known = {"id": str(user), "username": f"user{user}", "discriminator": "0", "global_name": None, "avatar": None}
        return {**known, "bot": user in (ME, OTHER_BOT)}

    def _member(self, user: int) -> Json:
        return {
            "user": self._user(user),
            "roles": self.roles.get(user, []),
            "joined_at": NOW,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "permissions": "0",
        }


def _json(made: Any, status: int = 200, headers: Json | None = None) -> web.Response:
    """The library looks for this type, and nothing behind it."""
    typed = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=json.dumps(made).encode(), status=status, headers=typed)
