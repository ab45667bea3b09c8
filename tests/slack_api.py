"""A Slack on loopback that refuses what Slack refuses and remembers what each person was shown.

`async with serving() as slack:` and point a bot at `slack.url`. Tests speak for the people (`say`, `press`, `ask` ...)
and read what they would see (`shown`, `whispers`, `homes` ...). It tells the bot of every message in its channels, its
own among them, by Socket Mode or, once `slack.events` is set, by signed requests.
"""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

T = TypeVar("T")
Json = dict[str, Any]

LONGEST = 12_000  # characters of a message's text and blocks
HOOKS = 5  # uses of a response_url


class Refusal(Exception):
    def __init__(self, error: str, status: int = 200, after: int = 0) -> None:
        super().__init__(error)
        self.status, self.after = status, after


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands in its channel now."""

    channel: str
    ts: str
    text: str
    user: str
    thread: str = ""
    blocks: tuple[Json, ...] = ()
    whispered_to: str = ""  # who alone sees it
    when: float = field(default_factory=time.monotonic, compare=False)

    @property
    def plain(self) -> str:
        """What a person reads, a line for each line."""
        return "\n".join(filter(None, map(readable, self.blocks))) or unescaped(self.text)

    @property
    def quote(self) -> str:
        return "".join(
            part.get("text", "") for one in _found(self.blocks, "rich_text_quote") for part in one["elements"]
        )

    @property
    def bold(self) -> list[str]:
        return [one["text"] for one in _found(self.blocks, "text") if (one.get("style") or {}).get("bold")]

    @property
    def links(self) -> list[tuple[str, str]]:
        """Label and address of each link below the answer."""
        texts = [one["text"] for one in _found(self.blocks, "mrkdwn")]
        return [(unescaped(b), unescaped(a)) for text in texts for a, b in re.findall(r"<(http[^|>]*)\|([^>]*)>", text)]

    @property
    def labels(self) -> list[str]:
        return [one["text"]["text"] for one in _found(self.blocks, "button")]


def unescaped(text: str) -> str:
    """mrkdwn as it is read: a link is its label."""
    text = re.sub(r"<[^|>]*\|([^>]*)>", r"\1", text).replace("\u200b", "")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def readable(block: Json) -> str:
    if block["type"] == "rich_text":
        return "\n".join("".join(part.get("text", "") for part in one["elements"]) for one in block["elements"])
    if block["type"] == "context":
        return "\n".join(unescaped(one["text"]) for one in block["elements"])
    return str(block["text"]["text"]) if block["type"] == "header" else ""


def _found(tree: Any, kind: str) -> Iterator[Json]:
    """Every object of this type, wherever it stands."""
    if isinstance(tree, dict):
        if tree.get("type") == kind:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        for one in tree:
            yield from _found(one, kind)


# What Slack refuses


def check(text: str, blocks: list[Json], most: int = 50) -> None:
    """Raises Refusal as Slack does for a message, or for the blocks of a view."""
    try:
        parsed = [one.to_dict() for one in Block.parse_all(blocks)]
    except SlackObjectFormationError as error:
        raise Refusal(f"invalid_blocks: {error}") from error
    if len(parsed) != len(blocks) or not 0 < len(blocks) <= most:
        raise Refusal("invalid_blocks: their number")
    for block in blocks:
        _check_block(block)
    if len(text) + sum(map(len, _texts(blocks))) > LONGEST:
        raise Refusal("msg_too_long")
    json.dumps([text, blocks], ensure_ascii=False).encode()  # half of a pair is no text


def _check_block(block: Json) -> None:
    kind = block["type"]
    if kind == "rich_text":
        for one in block["elements"]:
            _need(one["type"] in ("rich_text_section", "rich_text_quote", "rich_text_preformatted"), one["type"])
            _need(bool(one["elements"]), "an empty element")
            for part in one["elements"]:
                _need(part["type"] in ("text", "user", "link"), part["type"])
                _need(part["type"] != "text" or bool(part["text"]), "an empty text")
    elif kind == "context":
        _need(0 < len(block["elements"]) <= 10, "elements of context")
        for one in block["elements"]:
            _need(one["type"] == "mrkdwn" and 0 < len(one["text"]) <= 3_000, "a text of context")
    elif kind in ("actions", "context_actions"):
        _need(0 < len(block["elements"]) <= (25 if kind == "actions" else 5), "elements of actions")
        ids = [one["action_id"] for one in block["elements"]]
        _need(len(set(ids)) == len(ids), "an action_id twice")
        for one in block["elements"]:
            _check_button(one)
    else:
        _need(kind == "header" and 0 < len(block["text"]["text"]) <= 150, kind)


def _check_button(one: Json) -> None:
    if one["type"] == "button":
        _need(0 < len(one["text"]["text"]) <= 75 and len(one["value"]) <= 2_000, "a button")
    elif one["type"] == "static_select":
        _need(0 < len(one["placeholder"]["text"]) <= 150, "a placeholder")
        for option in one["options"]:
            _need(0 < len(option["text"]["text"]) <= 75 and 0 < len(option["value"]) <= 150, "an option")
    else:
        _need(one["type"] == "feedback_buttons", one["type"])
        for button in (one["positive_button"], one["negative_button"]):
            _need(0 < len(button["text"]["text"]) <= 75 and len(button["value"]) <= 2_000, "a feedback button")


def _need(right: bool, what: str) -> None:
    if not right:
        raise Refusal(f"invalid_blocks: {what}")


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == "text" and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)
    elif isinstance(tree, list):
        for one in tree:
            yield from _texts(one)


def pings(text: str, blocks: list[Json]) -> list[str]:
    """Everything that would call somebody or somewhere: what Slack makes of <!channel>, <@U1>, <#C1>."""
    read = [text, *(one["text"] for one in _found(blocks, "mrkdwn"))]
    called = [found for one in read for found in re.findall(r"<[!@#][^>]*>", one)]
    kinds = ("user", "usergroup", "broadcast", "channel")
    return called + [json.dumps(one) for kind in kinds for one in _found(blocks, kind)]


class Slack:
    """The server, and everybody who talks to the bot."""

    bot_token, app_token, secret = "xoxb-tests-only", "xapp-tests-only", "0123456789abcdef"
    team, me = "T1", "UBOT"

    def __init__(self) -> None:
        self.url = ""  # known once it serves
        self.events = ""  # address for signed requests; "": Socket Mode
        self.channels = {"C1", "C2"}  # that the bot is in
        self.groups: dict[str, list[str]] = {}
        self.history: dict[tuple[str, str], list[Message]] = {}  # as it was and as it was edited, oldest first
        self.deleted: set[tuple[str, str]] = set()
        self.whispers: list[Message] = []  # by response_url; one that was replaced stands with what replaced it
        self.homes: dict[str, Json] = {}
        self.prompts: dict[str, Json] = {}
        self.statuses: list[Json] = []
        self.calls: list[tuple[str, Json, str]] = []  # method, what was sent, refusal or ""
        self.pings: list[str] = []
        self.answers: list[tuple[int, float]] = []  # status and seconds of each delivery
        self.listened = False  # True: a bot has connected by Socket Mode
        self.duplicated = False  # True: every event comes twice
        self.acknowledged: set[str] = set()
        self._faults: dict[str, list[Refusal | str]] = {}
        self._hooks: dict[str, tuple[str, str, str, int]] = {}  # channel, user, what it belongs to, uses
        self._links: list[web.WebSocketResponse] = []
        self._envelopes: dict[str, Json] = {}  # not yet acknowledged
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = count(1)

    @property
    def refusals(self) -> list[str]:
        return [why for _, _, why in self.calls if why and why != "ratelimited"]

    # What people do

    def say(self, channel: str, user: str, text: str, thread: str = "") -> Message:
        message = self._put(Message(channel, self._ts(), text, user, thread))
        self._tell(self._event(message))
        if f"<@{self.me}>" in text and not channel.startswith("D"):
            self._tell({**self._event(message), "type": "app_mention"})
        return message

    async def ask(self, channel: str, user: str, text: str, thread: str = "") -> Message:
        """The bot's reply to it, once it is there."""
        before = {one.ts for one in self.shown(channel)}
        self.say(channel, user, text, thread)
        return await until(lambda: next((one for one in self.shown(channel) if one.ts not in before), None))

    def edit(self, message: Message, text: str) -> Message:
        new = self._put(replace(message, text=text))
        self._tell(self._change(message, "message_changed", message=self._event(new)))
        return new

    def delete(self, message: Message) -> None:
        """Below its replies a message stays as a tombstone."""
        self.deleted.add((message.channel, message.ts))
        if any(one[-1].thread == message.ts for one in self.history.values()):
            stone = {
                **self._event(message),
                "subtype": "tombstone",
                "text": "This message was deleted.",
                "user": "USLACKBOT",
            }
            self._tell(self._change(message, "message_changed", message=stone))
        else:
            self._tell(self._change(message, "message_deleted", deleted_ts=message.ts))

    def command(self, channel: str, user: str, text: str, hook: str = "") -> str:
        """/ask; its response_url."""
        url = hook or self._hook(channel, user)
        self._send("slash_commands", self._user_action(channel, user, command="/ask", text=text, response_url=url))
        return url

    async def whisper(self, channel: str, user: str, text: str) -> Message:
        """What /ask answers."""
        before = len(self.whispers)
        self.command(channel, user, text)
        return await until(lambda: self.whispers[before] if len(self.whispers) > before else None)

    def press(self, message: Message, label: str, user: str = "U1") -> None:
        """A button, an entry of the menu, or a feedback button."""
        [action] = [one for one in self._actions(message) if one.pop("label") == label]
        place = {"type": "message", "message_ts": message.ts, "is_ephemeral": bool(message.whispered_to)}
        body = self._user_action(
            message.channel,
            user,
            type="block_actions",
            container=place,
            actions=[action],
            response_url=self._hook(message.channel, user, message.ts),
        )
        if not message.whispered_to:
            body["message"] = {"ts": message.ts, "blocks": list(message.blocks)}
        self._send("interactive", body)

    def check_quotation(self, message: Message, user: str) -> None:
        told = {"ts": message.ts, "text": message.text, "user": message.user}
        body = self._user_action(
            message.channel,
            user,
            type="message_action",
            callback_id="check_quotation",
            message=told,
            response_url=self._hook(message.channel, user),
        )
        self._send("interactive", body)

    def open_home(self, user: str, tab: str) -> None:
        self._tell({"type": "app_home_opened", "user": user, "channel": f"D{user}", "tab": tab, "event_ts": self._ts()})

    def slow_down(self, times: int, method: str, after: int = 1) -> None:
        self._faults.setdefault(method, []).extend([Refusal("ratelimited", 429, after)] * times)

    def refuse(self, method: str, error: str) -> None:
        self._faults.setdefault(method, []).append(Refusal(error))

    def lose_connections(self, times: int, method: str) -> None:
        self._faults.setdefault(method, []).extend(["lost"] * times)

    # What people see

    def shown(self, channel: str) -> list[Message]:
        """The bot's messages that stand there."""
        return [
            one[-1]
            for key, one in self.history.items()
            if key[0] == channel and one[-1].user == self.me and key not in self.deleted
        ]

    async def wait_for(self, channel: str, number: int, seconds: float = 20) -> list[Message]:
        return await until(lambda: self.shown(channel) if len(self.shown(channel)) >= number else None, seconds)

    async def wait_edit(self, message: Message) -> Message:
        """The message, once it is another than this."""
        there = self.history[message.channel, message.ts]
        return await until(lambda: there[-1] if there[-1] != message else None)

    async def settled(self) -> None:
        """Once the bot has acknowledged everything."""
        await until(lambda: not self._envelopes and not self._tasks)

    def deliver_again(self) -> None:
        """As Slack does that heard no acknowledgement."""
        for kind, body in list(self.sent):
            self._send(kind, body, again=True)

    # The server

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Slack"]:
        app = web.Application()
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._on_call),
                web.post("/hooks/{hook}", self._on_hook),
                web.get("/link", self._on_link),
            ]
        )
        self.sent: list[tuple[str, Json]] = []
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            if self._tasks:  # what the bot was told of while it ended
                await asyncio.wait(self._tasks, timeout=5)
            for link in list(self._links):
                await link.close()
            await runner.cleanup()
            await asyncio.sleep(0.05)  # what was closed is let go in the loop's next rounds, and this may be its last

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        body = await request.json() if request.content_type == "application/json" else await request.post()
        sent = {name: _read(value) for name, value in {**request.query, **body}.items()}
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            fault = self._faults[method].pop(0) if self._faults.get(method) else None
            if fault == "lost":
                assert request.transport
                request.transport.close()
                return web.Response()
            if isinstance(fault, Refusal):
                raise fault
            if token != (self.app_token if method == "apps.connections.open" else self.bot_token):
                raise Refusal("invalid_auth")
            answer = self._methods()[method](sent)
        except Refusal as error:
            self.calls.append((method, sent, str(error)))
            headers = {"Retry-After": str(error.after)} if error.after else {}
            refused = {"ok": False, "error": str(error).partition(":")[0]}
            return web.json_response(refused, status=error.status, headers=headers)
        self.calls.append((method, sent, ""))
        return web.json_response({"ok": True, **answer})

    def _methods(self) -> dict[str, Callable[[Json], Json]]:
        return {
            "auth.test": lambda _: {"team_id": self.team, "user_id": self.me, "bot_id": "B1", "team": "t", "user": "p"},
            "apps.connections.open": lambda _: {"url": f"{self.url.replace('http', 'ws')}/link"},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "views.publish": self._publish,
            "assistant.threads.setStatus": self._set_status,
            "assistant.threads.setSuggestedPrompts": self._set_prompts,
            "usergroups.users.list": lambda sent: {"users": self.groups[sent["usergroup"]]},
        }

    def _post(self, sent: Json) -> Json:
        channel, thread = sent["channel"], sent.get("thread_ts", "")
        channel = f"D{channel}" if channel.startswith("U") else channel
        if not channel.startswith("D") and channel not in self.channels:
            raise Refusal("not_in_channel")
        if thread and (channel, thread) not in self.history:
            raise Refusal("thread_not_found")
        self._check(sent)
        if sent.get("unfurl_links") is not False or sent.get("unfurl_media") is not False:
            raise Refusal("tests_refuse: links unfurl")
        message = Message(channel, self._ts(), sent["text"], self.me, thread, tuple(sent["blocks"]))
        self._tell(self._event(self._put(message)))
        return {"channel": channel, "ts": message.ts, "message": {"ts": message.ts}}

    def _update(self, sent: Json) -> Json:
        there = self._own(sent)
        self._check(sent)
        new = self._put(replace(there, text=sent["text"], blocks=tuple(sent["blocks"])))
        self._tell(self._change(there, "message_changed", message=self._event(new)))
        return {"ts": new.ts, "channel": new.channel, "text": new.text}

    def _delete(self, sent: Json) -> Json:
        there = self._own(sent)
        self.deleted.add((there.channel, there.ts))
        self._tell(self._change(there, "message_deleted", deleted_ts=there.ts))
        return {}

    def _own(self, sent: Json) -> Message:
        there = self.history.get((sent["channel"], sent["ts"]))
        if there is None or (sent["channel"], sent["ts"]) in self.deleted:
            raise Refusal("message_not_found")
        if there[-1].user != self.me:
            raise Refusal("cant_update_message")
        return there[-1]

    def _publish(self, sent: Json) -> Json:
        view = sent["view"]
        check("", view["blocks"], 100)
        self.homes[sent["user_id"]] = view
        return {}

    def _set_status(self, sent: Json) -> Json:
        if (sent["channel_id"], sent["thread_ts"]) not in self.history:
            raise Refusal("invalid_thread_ts")
        self.statuses.append(sent)
        return {}

    def _set_prompts(self, sent: Json) -> Json:
        if not 0 < len(sent["prompts"]) <= 4 or not all(one["title"] and one["message"] for one in sent["prompts"]):
            raise Refusal("invalid_arguments")
        if "thread_ts" not in sent:  # else an app with agent_view is not heard
            self.prompts[sent["channel_id"]] = sent
        return {}

    def _check(self, sent: Json) -> None:
        if not sent.get("text"):
            raise Refusal("no_text")
        check(sent["text"], sent["blocks"])
        self.pings += pings(sent["text"], sent["blocks"])

    async def _on_hook(self, request: web.Request) -> web.Response:
        name = request.match_info["hook"]
        channel, user, of, used = self._hooks.get(name, ("", "", "", HOOKS))
        if used >= HOOKS:
            return web.Response(status=404, text="used_url")
        self._hooks[name] = (channel, user, of, used + 1)
        sent = await request.json()
        if sent.get("delete_original"):
            self.whispers = [one for one in self.whispers if one.ts != of]
            return web.Response(text="ok")
        try:
            self._check(sent)
        except Refusal as error:
            self.calls.append(("response_url", sent, str(error)))
            return web.Response(status=400, text=str(error))
        alone = sent.get("response_type") != "in_channel"
        message = Message(
            channel,
            of if sent.get("replace_original") else self._ts(),
            sent["text"],
            self.me,
            "",
            tuple(sent["blocks"]),
        )
        if alone:
            self.whispers.append(replace(message, whispered_to=user))
        else:
            self._put(message)
        return web.Response(text="ok")

    # To the bot

    async def _on_link(self, request: web.Request) -> web.WebSocketResponse:
        link = web.WebSocketResponse()
        await link.prepare(request)
        self._links.append(link)
        await link.send_json({"type": "hello"})
        self.listened = True
        for envelope in list(self._envelopes.values()):
            await link.send_json(envelope)
        async for message in link:
            answered = json.loads(message.data).get("envelope_id", "")
            self.acknowledged.add(answered)
            self._envelopes.pop(answered, None)
        self._links.remove(link)
        return link

    def _tell(self, event: Json) -> None:
        number = next(self._ids)
        body = {
            "type": "event_callback",
            "team_id": self.team,
            "event_id": f"Ev{number}",
            "event": event,
            "token": "old",
        }
        self._send("events_api", body)
        if self.duplicated:
            self._send("events_api", body, again=True)

    def _send(self, kind: str, body: Json, again: bool = False) -> None:
        if not again:
            self.sent.append((kind, body))
        task = asyncio.get_running_loop().create_task(
            self._post_signed(kind, body, again) if self.events else self._send_by_socket(kind, body, again)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_by_socket(self, kind: str, body: Json, again: bool) -> None:
        name = f"envelope{next(self._ids)}"
        self._envelopes[name] = {"type": kind, "envelope_id": name, "payload": body, "retry_attempt": int(again)}
        for link in self._links[-1:]:
            with suppress(ConnectionError):
                await link.send_json(self._envelopes[name])

    async def _post_signed(self, kind: str, body: Json, again: bool) -> None:
        json_body = kind == "events_api"
        fields = body if kind == "slash_commands" else {"payload": json.dumps(body)}
        raw = json.dumps(body) if json_body else urlencode(fields)
        headers = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"} if again else {}
        begun = time.monotonic()
        with suppress(aiohttp.ClientError):  # it has ended
            status = await self.post(raw, headers, json_body=json_body)
            self.answers.append((status, time.monotonic() - begun))

    async def post(
        self, raw: str, headers: Json, *, json_body: bool = True, age: int = 0, secret: str = "", signature: str = ""
    ) -> int:
        """The status with which the bot answers a request that was signed so long ago."""
        stamp = str(int(time.time()) - age)
        digest = hmac.new((secret or self.secret).encode(), f"v0:{stamp}:{raw}".encode(), hashlib.sha256).hexdigest()
        kind = "application/json" if json_body else "application/x-www-form-urlencoded"
        signed = {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature or f"v0={digest}",
            "Content-Type": kind,
        }
        sent = {**headers, **signed}
        async with aiohttp.ClientSession() as session, session.post(self.events, data=raw, headers=sent) as answer:
            await answer.read()
            return answer.status

    def _put(self, message: Message) -> Message:
        self.history.setdefault((message.channel, message.ts), []).append(message)
        return message

    def _ts(self) -> str:
        return f"1700000000.{next(self._ids):06}"

    def _event(self, message: Message) -> Json:
        kind = "im" if message.channel.startswith("D") else "channel"
        event = {"type": "message", "channel": message.channel, "channel_type": kind, "user": message.user}
        event |= {"text": message.text, "ts": message.ts, "event_ts": message.ts}
        event |= {"thread_ts": message.thread} if message.thread else {}
        return event | ({"bot_id": "B1"} if message.user == self.me else {})

    def _change(self, old: Message, subtype: str, **more: Any) -> Json:
        event = {**self._event(old), "subtype": subtype, "previous_message": self._event(old), "ts": self._ts(), **more}
        for name in ("user", "text", "bot_id", "thread_ts"):
            event.pop(name, None)
        return event

    def _user_action(self, channel: str, user: str, **more: Any) -> Json:
        known: Json = {"team": {"id": self.team}, "user": {"id": user}, "channel": {"id": channel}}
        if "command" in more:
            known = {"team_id": self.team, "user_id": user, "channel_id": channel}
        return {**known, "trigger_id": f"trigger{next(self._ids)}", "token": "old", **more}

    def _hook(self, channel: str, user: str, of: str = "") -> str:
        name = f"hook{next(self._ids)}"
        self._hooks[name] = (channel, user, of, 0)
        return f"{self.url}/hooks/{name}"

    def _actions(self, message: Message) -> Iterator[Json]:
        for one in _found(message.blocks, "button"):
            yield {"label": one["text"]["text"], "type": "button", "action_id": one["action_id"], "value": one["value"]}
        for one in _found(message.blocks, "static_select"):
            for option in one["options"]:
                chosen = {"label": option["text"]["text"], "type": "static_select", "action_id": one["action_id"]}
                yield {**chosen, "selected_option": {"value": option["value"]}}
        for one in _found(message.blocks, "feedback_buttons"):
            for button in (one["positive_button"], one["negative_button"]):
                pressed = {"label": button["text"]["text"], "type": "feedback_buttons", "action_id": one["action_id"]}
                yield {**pressed, "value": button["value"]}


def _read(value: Any) -> Any:
    """Form fields hold JSON where they hold a structure."""
    with suppress(ValueError):
        return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value
    return value


@asynccontextmanager
async def serving() -> AsyncIterator[Slack]:
    async with Slack().serving() as slack:
        yield slack


async def until(condition: Callable[[], T | bool | None], seconds: float = 20) -> T:
    """What the condition finds, once it finds something. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.01)
    return found  # type: ignore[return-value]
