"""A Mattermost on loopback, REST and WebSocket, that refuses what Mattermost refuses and keeps what people see."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
from aiohttp import web

from tests.markdown import Read, read
from tests.slack_api import until

Json = dict[str, Any]
LONGEST = 16_383


def name(text: str) -> str:
    """An id as Mattermost makes them."""
    return text.lower().ljust(26, "0")


@dataclass
class Post:
    """A message as it stands in its channel now."""

    id: str
    channel: str
    user: str
    message: str
    root: str = ""
    actions: list[Json] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    edits: int = 0

    @property
    def seen(self) -> Read:
        return read("mattermost", self.message)

    @property
    def labels(self) -> list[str]:
        return [one["name"] for one in self.actions]


class Mattermost:
    token, me = "t" * 26, name("bot")

    def __init__(self) -> None:
        self.url = ""
        self.posts: dict[str, Post] = {}
        self.refusals: list[str] = []
        self.connected = 0  # connections that were let in
        self.typed = 0
        self.told: list[Json] = []  # what buttons were answered
        self.limited = 0  # calls that are refused for their rate
        self.broken = 0  # posts whose answer is lost
        self.duplicated = False
        self.contents: dict[str, bytes] = {}
        self._pending: dict[str, Post] = {}
        self._links: list[web.WebSocketResponse] = []
        self._ids = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    # What people do

    def say(self, channel: str, user: str, text: str, root: str = "", files: tuple[str, ...] = (), **more: Any) -> Post:
        post = Post(self._id(), channel, user, text, root, files=list(files))
        self.posts[post.id] = post
        self._tell("posted", post, more)
        return post

    async def ask(self, channel: str, user: str, text: str, root: str = "") -> Post:
        before = set(self.posts)
        self.say(channel, user, text, root)
        return await until(lambda: next((one for one in self.shown(channel) if one.id not in before), None))

    def edit(self, post: Post, text: str) -> None:
        post.message, post.edits = text, post.edits + 1
        self._tell("post_edited", post, {"edit_at": post.edits})

    def delete(self, post: Post) -> None:
        del self.posts[post.id]
        self._tell("post_deleted", post, {"delete_at": 9})

    def react(self, post: Post, user: str, emoji: str) -> None:
        reaction = {"user_id": user, "post_id": post.id, "emoji_name": emoji, "create_at": next(self._ids)}
        self._send(
            {
                "event": "reaction_added",
                "data": {"reaction": json.dumps(reaction)},
                "broadcast": {"channel_id": post.channel},
            }
        )

    async def press(self, post: Post, label: str, user: str, **context: Any) -> int:
        """As the server does it: the context comes from the post, and the update goes into it."""
        [action] = [one for one in post.actions if one["name"] == label]
        integration = action["integration"]
        body: Json = {"user_id": user, "channel_id": post.channel, "post_id": post.id, "type": "button"}
        body["context"] = {**integration["context"], **context}
        async with aiohttp.ClientSession() as session, session.post(integration["url"], json=body) as answer:
            reply = await answer.json()
            if answer.status == 200 and "update" in reply:
                post.message, post.actions = self._checked(reply["update"])
            self.told.append(reply)
            return answer.status

    def shown(self, channel: str) -> list[Post]:
        """The bot's messages that stand there."""
        return [one for one in self.posts.values() if one.channel == channel and one.user == self.me]

    async def drop(self) -> None:
        for link in list(self._links):
            await link.close()

    # The server

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Mattermost"]:
        app = web.Application()
        app.add_routes(
            [web.get("/api/v4/websocket", self._on_link), web.route("*", "/api/v4/{path:.*}", self._on_call)]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await self.drop()
            await runner.cleanup()
            await asyncio.sleep(0.05)  # what was closed is let go in the loop's next rounds

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"message": "Invalid or expired session"}, status=401)
        if self.limited:
            self.limited -= 1
            return web.Response(status=429, headers={"X-Ratelimit-Reset": "1"}, text="limit exceeded")
        match request.method, request.match_info["path"].split("/"):
            case "GET", ["users", "me"]:
                return web.json_response({"id": self.me, "username": "pullquote"})
            case "GET", ["files", file]:
                return web.Response(body=self.contents[file])
            case "GET", ["files", file, "info"]:
                return web.json_response({"id": file, "name": f"{file}.md", "size": len(self.contents[file])})
        body = await request.json() if request.can_read_body else {}
        try:
            return self._changed(request, body)
        except (ValueError, KeyError) as error:
            self.refusals.append(repr(error))
            return web.json_response({"message": str(error)}, status=400)

    def _changed(self, request: web.Request, body: Any) -> web.StreamResponse:
        match request.method, request.match_info["path"].split("/"):
            case "POST", ["posts"]:
                return self._created(request, body)
            case "PUT", ["posts", post, "patch"]:
                there = self._own(post)
                there.message, there.actions = self._checked(body)
                there.edits += 1
                self._tell("post_edited", there, {"edit_at": there.edits})
                return web.json_response({"id": post})
            case "DELETE", ["posts", post]:
                del self.posts[self._own(post).id]
                return web.json_response({"status": "OK"})
            case "POST", ["users", "me", "typing"]:
                self.typed += 1
                return web.json_response({"status": "OK"})
            case "POST", ["channels", "direct"] if body[0] == self.me:
                return web.json_response({"id": f"d{body[1]}"[:26]})
        raise ValueError(f"no such call: {request.path}")

    def _created(self, request: web.Request, body: Json) -> web.StreamResponse:
        pending = body.get("pending_post_id", "")
        if not pending or pending not in self._pending:
            message, actions = self._checked(body)
            root = body.get("root_id", "")
            if root and (root not in self.posts or self.posts[root].root):
                raise ValueError("Invalid RootId parameter.")
            post = Post(self._id(), body["channel_id"], self.me, message, root, actions)
            self.posts[post.id] = self._pending[pending] = post
            self._tell("posted", post, {})
        if self.broken:
            self.broken -= 1
            assert request.transport
            request.transport.close()
        return web.json_response({"id": self._pending[pending].id}, status=201)

    def _checked(self, body: Json) -> tuple[str, list[Json]]:
        message = body["message"]
        if not message.strip() or len(message) > LONGEST:
            raise ValueError("Invalid Message property.")
        message.encode()
        actions = [one for attachment in body["props"]["attachments"] for one in attachment["actions"]]
        for one in actions:
            if not (one["id"].isalnum() and one["name"] and one["type"] == "button" and one["integration"]["url"]):
                raise ValueError("Invalid action.")
        return message, actions

    def _own(self, post: str) -> Post:
        if self.posts[post].user != self.me:
            raise ValueError("You do not have the appropriate permissions.")
        return self.posts[post]

    async def _on_link(self, request: web.Request) -> web.WebSocketResponse:
        link = web.WebSocketResponse()
        await link.prepare(request)
        challenge = json.loads((await link.receive()).data)
        if challenge["action"] != "authentication_challenge" or challenge["data"]["token"] != self.token:
            await link.close()
            return link
        await link.send_json({"status": "OK", "seq_reply": challenge["seq"]})
        await link.send_json({"event": "hello", "data": {}, "seq": 0})
        self._links.append(link)
        self.connected += 1
        async for _ in link:
            pass
        self._links.remove(link)
        return link

    def _tell(self, event: str, post: Post, more: Json) -> None:
        direct = post.channel.startswith("d")
        known: Json = {
            "id": post.id,
            "channel_id": post.channel,
            "user_id": post.user,
            "message": post.message,
            "type": "",
        }
        known |= {
            "root_id": post.root,
            "file_ids": post.files,
            "props": {"from_bot": "true"} if post.user == self.me else {},
        }
        data: Json = {"post": json.dumps({**known, **more})}
        if event == "posted":
            data |= {"channel_type": "D" if direct else "O", "sender_name": f"@{post.user[:3]}"}
        self._send({"event": event, "data": data, "broadcast": {"channel_id": post.channel}})

    def _send(self, event: Json) -> None:
        async def send() -> None:
            for link in self._links[-1:]:
                for _ in range(2 if self.duplicated else 1):
                    await link.send_json({**event, "seq": next(self._ids)})

        task = asyncio.get_running_loop().create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _id(self) -> str:
        return name(f"p{next(self._ids)}x")
