"""A Bot API server on loopback that refuses what Telegram refuses and remembers what each chat was shown.

`async with serving() as telegram:` and point a bot at `telegram.url` with `telegram.token`. Tests speak for the people
(`say`, `press`, `inline` ...) and read what they would see (`shown`, `wait_for` ...). It delivers every group message,
as to a bot whose privacy mode is off: the harder case for a bot that must answer only what is meant for it.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from tests.tdlib import Refused, Text, detect, parse, shown, units

T = TypeVar("T")
Json = dict[str, Any]
Key = tuple[int, int] | str  # chat and message, or the id of a message that was sent in inline mode

LONGEST_TEXT, LONGEST_CAPTION = 4096, 1024  # UTF-16 units after parsing
LARGEST_DOWNLOAD = 20_000_000  # bytes
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content"
    " and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
_JSON = {"reply_markup", "reply_parameters", "results", "commands", "allowed_updates", "link_preview_options", "button"}


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str = "Ada"
    language: str = "en"
    username: str = ""

    def to_dict(self) -> Json:
        known = {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}
        return {**known, "username": self.username} if self.username else known


@dataclass(frozen=True, slots=True)
class Chat:
    id: int  # a private chat has the person's; groups are negative
    kind: str = "private"  # private, group or supergroup
    title: str = ""
    topics: tuple[int, ...] = ()  # a supergroup with topics is a forum

    def to_dict(self) -> Json:
        named = {"title": self.title or "Newsroom"} if self.kind != "private" else {"first_name": self.title or "Ada"}
        return {"id": self.id, "type": self.kind, **named, **({"is_forum": True} if self.topics else {})}


@dataclass(frozen=True, slots=True)
class Button:
    text: str
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands in its chat now."""

    chat: Chat
    id: int
    text: Text
    sender: Person | None = None  # None: the bot
    buttons: tuple[tuple[Button, ...], ...] = ()
    reply_to: int | None = None
    topic: int | None = None
    quote: str = ""  # the part that was marked of the message that it replies to
    document: Json | None = None
    service: bool = False  # says what happened to the chat
    inline_id: str = ""
    preview: bool = True  # whether the first link may show its card
    when: float = field(default_factory=time.monotonic, compare=False)

    @property
    def key(self) -> Key:
        return self.inline_id or (self.chat.id, self.id)

    @property
    def plain(self) -> str:
        return self.text.plain

    @property
    def labels(self) -> list[str]:
        return [button.text for row in self.buttons for button in row]


@dataclass(frozen=True, slots=True)
class Result:
    """One row of an inline answer, and the message that choosing it sends."""

    id: str
    title: str
    description: str
    text: Text
    buttons: tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """What the bot asked for, and how it ended."""

    method: str
    params: Json
    status: int
    refusal: str  # "" where it was granted
    when: float  # time.monotonic()


class Refusal(Exception):
    def __init__(self, status: int, why: str, **parameters: int) -> None:
        super().__init__(
            f"{ {400: 'Bad Request', 403: 'Forbidden', 429: 'Too Many Requests'}.get(status, 'Error') }: {why}"
        )
        self.status, self.parameters = status, parameters


@dataclass(slots=True)
class _Update:
    body: Json
    handed_out: bool = False


class Telegram:
    """The server, and everybody who talks to the bot."""

    token = "7000000001:AAtests-only-tests-only-tests-only-t"

    def __init__(self, username: str = "pullquote_bot") -> None:
        self.username = username
        self.url = ""  # known once it serves
        self.calls: list[Call] = []
        self.history: dict[Key, list[Message]] = {}  # each message as it was and as it was edited, oldest first
        self.deleted: set[Key] = set()
        self.commands: dict[str, list[Json]] = {}  # by language; "" is for everybody else
        self.answered: dict[str, Json] = {}  # by callback query
        self.results: dict[str, list[Result]] = {}  # by inline query
        self.webhook: Json = {"url": ""}
        self.duplicated = False  # True: every update is handed out twice
        self.polled = False  # True: a bot has waited for news
        self._chats: dict[int, Chat] = {}
        self._barred: dict[int, str] = {}
        self._moved: dict[int, int] = {}
        self._files: dict[str, bytes] = {}
        self._queries: set[str] = set()
        self._updates: list[_Update] = []  # not yet confirmed
        self._log: list[Json] = []  # every update so far
        self._held: list[_Update] | None = None
        self._faults: dict[str, list[Refusal | str]] = {}
        self._message_ids: Counter[int] = Counter()
        self._ids = count(1)
        self._news = asyncio.Event()
        self._closing = False

    @property
    def me(self) -> Json:
        return {"id": 7000000001, "is_bot": True, "first_name": "Pullquote", "username": self.username}

    # What people do

    def meet(self, *chats: Chat) -> None:
        """Chats that the bot was in before; the others it meets when somebody says something there."""
        self._chats |= {one.id: one for one in chats}

    def say(
        self,
        chat: Chat,
        person: Person,
        text: str,
        *,
        reply_to: Message | None = None,
        quote: str = "",
        topic: int | None = None,
    ) -> Message:
        reply = reply_to.id if reply_to else None
        message = self._post(Message(chat, 0, detect(text), person, reply_to=reply, quote=quote, topic=topic))
        self._push(message=self._to_dict(message))
        return message

    def edit(self, message: Message, text: str) -> Message:
        edited = self._change(replace(message, text=detect(text)))
        self._push(edited_message={**self._to_dict(edited), "edit_date": int(time.time())})
        return edited

    def send_document(self, chat: Chat, person: Person, name: str, content: bytes, caption: str = "") -> Message:
        file = f"file{next(self._ids)}"
        self._files[file] = content
        document = {"file_id": file, "file_unique_id": file, "file_name": name, "file_size": len(content)}
        message = self._post(Message(chat, 0, detect(caption), person, document=document))
        self._push(message=self._to_dict(message))
        return message

    def press(self, message: Message, label: str, person: Person | None = None) -> str:
        """Presses the button whose text contains the label, on a message however old. The query's id."""
        [button] = [one for row in message.buttons for one in row if label in one.text and one.data]
        query = self._query()
        presser = person or Person(message.chat.id if message.chat.kind == "private" else 1)
        where = {"inline_message_id": message.inline_id} if message.inline_id else {"message": self._to_dict(message)}
        self._push(
            callback_query={"id": query, "from": presser.to_dict(), "chat_instance": "1", "data": button.data, **where}
        )
        return query

    def inline(self, person: Person, text: str, offset: str = "") -> str:
        """The query's id."""
        query = self._query()
        self._push(inline_query={"id": query, "from": person.to_dict(), "query": text, "offset": offset})
        return query

    def choose(self, result: Result, person: Person, chat: Chat, text: str = "") -> Message:
        """Sends an inline result into a chat, where the bot need not be."""
        chosen = Message(chat, 0, result.text, person, result.buttons, inline_id=f"inline{next(self._ids)}")
        message = self._post(chosen)
        inline_id = {"inline_message_id": message.inline_id} if message.buttons else {}
        self._push(chosen_inline_result={"result_id": result.id, "from": person.to_dict(), "query": text, **inline_id})
        return message

    def block(self, chat: Chat, person: Person | None = None) -> None:
        """Blocks the bot, or removes it from a group."""
        private = chat.kind == "private"
        self._barred[chat.id] = (
            "bot was blocked by the user" if private else f"bot was kicked from the {chat.kind} chat"
        )
        self._membership(chat, person, "member", "kicked")

    def unblock(self, chat: Chat, person: Person | None = None) -> None:
        """Unblocks the bot, or puts it into a group."""
        self._barred.pop(chat.id, None)
        self._membership(chat, person, "kicked" if chat.kind == "private" else "left", "member")

    def migrate(self, chat: Chat, topics: tuple[int, ...] = ()) -> Chat:
        """Turns a group into a supergroup with another id."""
        moved = Chat(-1_000_000_000_000 + chat.id, "supergroup", chat.title, topics)
        self._chats[moved.id] = moved
        self._moved[chat.id] = moved.id
        old, new = (self._post(Message(one, 0, Text(""), service=True)) for one in (chat, moved))
        self._push(message={**self._to_dict(old), "migrate_to_chat_id": moved.id})
        self._push(message={**self._to_dict(new), "migrate_from_chat_id": chat.id})
        return moved

    # What the network does

    def lose_connections(self, number: int, method: str = "", *, after: bool = False) -> None:
        """The next calls (of one method) break off: before they did anything, or after, with the answer lost."""
        self._faults.setdefault(method, []).extend(["after" if after else "before"] * number)

    def slow_down(self, number: int, method: str, retry_after: int = 1) -> None:
        refusal = Refusal(429, f"retry after {retry_after}", retry_after=retry_after)
        self._faults.setdefault(method, []).extend([refusal] * number)

    def refuse(self, method: str, why: str) -> None:
        """The next call of this method is a bad request."""
        self._faults.setdefault(method, []).append(Refusal(400, why))

    def hold(self) -> None:
        """Keeps updates back, until they are released together."""
        self._held = []

    def release(self, order: Callable[[list[_Update]], list[_Update]] = list) -> None:
        """In this order: `list`, or `lambda held: held[::-1]`."""
        held, self._held = self._held or [], None
        self._updates += order(held)
        self._wake()

    def deliver_again(self, number: int = 1) -> None:
        """Hands the last updates out once more, with the ids that they had."""
        self._updates += [_Update(one) for one in self._log[-number:]]
        self._wake()

    def expire_queries(self) -> None:
        """From now on every button and inline query up to here is too old to be answered."""
        self._queries.clear()

    # What people see

    def shown(self, chat: Chat) -> list[Message]:
        """The bot's messages of a chat as they stand now, oldest first."""
        latest = [versions[-1] for key, versions in self.history.items() if key not in self.deleted]
        return [one for one in latest if one.chat.id == chat.id and one.sender is None and not one.service]

    def now(self, message: Message) -> Message:
        return self.history[message.key][-1]

    def typed(self, chat: Chat) -> list[float]:
        """When the chat saw that the bot is typing."""
        return [one.when for one in self.of("sendChatAction") if one.params["chat_id"] == str(chat.id)]

    def of(self, method: str) -> list[Call]:
        return [one for one in self.calls if one.method == method and not one.refusal]

    @property
    def refusals(self) -> list[Call]:
        return [one for one in self.calls if one.refusal]

    async def ask(self, chat: Chat, person: Person, text: str, **how: Any) -> Message:
        """Says it and waits for the bot's next message in the chat."""
        before = len(self.shown(chat))
        self.say(chat, person, text, **how)
        return (await self.wait_for(chat, before + 1))[before]

    async def wait_for(self, chat: Chat, number: int, seconds: float = 10) -> list[Message]:
        """The bot's messages of the chat, once there are so many."""
        return await until(lambda: len(found := self.shown(chat)) >= number and found, seconds)

    async def wait_edit(self, message: Message, seconds: float = 10) -> Message:
        """The message, once it differs from what was seen."""
        return await until(lambda: (new := self.now(message)) != message and new, seconds)

    async def wait_answer(self, query: str, seconds: float = 10) -> Json:
        """How the bot answered the press of a button."""
        return await until(lambda: query in self.answered and {**self.answered[query], "id": query}, seconds)

    async def wait_results(self, query: str, seconds: float = 10) -> list[Result]:
        await until(lambda: query in self.results, seconds)
        return self.results[query]

    async def wait_delivered(self, seconds: float = 10) -> None:
        """Until the bot has confirmed every update."""
        await until(lambda: not self._updates, seconds)

    def close(self) -> None:
        self._closing = True
        self._wake()

    # How it is kept

    def _push(self, **event: Json) -> None:
        update = {"update_id": next(self._ids), **event}
        self._log.append(update)
        copies = [_Update(update) for _ in range(2 if self.duplicated else 1)]
        (self._updates if self._held is None else self._held).extend(copies)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _query(self) -> str:
        query = str(next(self._ids))
        self._queries.add(query)
        return query

    def _post(self, message: Message) -> Message:
        self._chats[message.chat.id] = message.chat
        self._message_ids[message.chat.id] += 1
        posted = replace(message, id=self._message_ids[message.chat.id])
        self.history[posted.key] = [posted]
        return posted

    def _change(self, message: Message) -> Message:
        self.history[message.key].append(message)
        return message

    def _membership(self, chat: Chat, person: Person | None, old: str, new: str) -> None:
        self._chats[chat.id] = chat
        known = {
            "chat": chat.to_dict(),
            "from": (person or Person(max(chat.id, 1))).to_dict(),
            "date": int(time.time()),
        }
        until = {"until_date": 0}
        before, after = ({"user": self.me, "status": one, **(until if one == "kicked" else {})} for one in (old, new))
        self._push(my_chat_member={**known, "old_chat_member": before, "new_chat_member": after})

    def _to_dict(self, message: Message, *, deep: bool = True) -> Json:
        sender = message.sender.to_dict() if message.sender else self.me
        known: Json = {
            "message_id": message.id,
            "date": int(time.time()),
            "chat": message.chat.to_dict(),
            "from": sender,
        }
        words, entities = ("caption", "caption_entities") if message.document else ("text", "entities")
        if message.plain:
            known |= {words: message.plain, entities: [one.to_dict() for one in message.text.entities]}
        if message.document:
            known["document"] = message.document
        if message.topic:
            known |= {"message_thread_id": message.topic, "is_topic_message": True}
        if message.buttons:
            known["reply_markup"] = {"inline_keyboard": [[_plain(one) for one in row] for row in message.buttons]}
        if message.quote:
            known["quote"] = {"text": message.quote, "position": 0, "is_manual": True}
        if message.reply_to and deep:
            known["reply_to_message"] = self._to_dict(self.history[message.chat.id, message.reply_to][-1], deep=False)
        return known

    # The Bot API

    async def call(self, request: web.Request) -> web.Response:
        method, params = request.match_info["method"], await _params(request)
        faults = self._faults.get(method) or self._faults.get("") or []
        fault = faults.pop(0) if faults else None
        if fault == "before":
            return _broken(request)
        started, refusal = time.monotonic(), None
        try:
            result = await self._granted(request.match_info["token"], method, params, fault)
        except Refusal as error:
            refusal = error
        status, why = (refusal.status, str(refusal)) if refusal else (200, "")
        self.calls.append(Call(method, params, status, why, started))
        if fault == "after":
            return _broken(request)
        if refusal is None:
            return web.json_response({"ok": True, "result": result})
        told = {"parameters": refusal.parameters} if refusal.parameters else {}
        return web.json_response({"ok": False, "error_code": status, "description": why, **told}, status=status)

    async def _granted(self, token: str, method: str, params: Json, fault: Refusal | str | None) -> Any:
        if isinstance(fault, Refusal):
            raise fault
        if token != self.token:
            raise Refusal(401, "Unauthorized")
        handler: Callable[[Json], Awaitable[Any]] | None = getattr(self, f"_{_snake(method)}", None)
        if method not in METHODS or handler is None:
            raise Refusal(404, "Not Found")
        return await handler(params)

    async def _get_me(self, params: Json) -> Json:
        return {
            **self.me,
            "can_join_groups": True,
            "can_read_all_group_messages": True,
            "supports_inline_queries": True,
        }

    async def _get_updates(self, params: Json) -> list[Json]:
        if self.webhook["url"]:
            raise Refusal(
                409, "can't use getUpdates method while webhook is active; use deleteWebhook to delete it first"
            )
        offset, allowed = int(params.get("offset", 0)), params.get("allowed_updates")
        self._updates = [one for one in self._updates if not (one.handed_out and one.body["update_id"] < offset)]
        deadline = time.monotonic() + float(params.get("timeout", 0))
        while not (found := self._waiting(allowed)) and not self._closing and time.monotonic() < deadline:
            self.polled = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), deadline - time.monotonic())
        for one in found:
            one.handed_out = True
        return [one.body for one in found]

    def _waiting(self, allowed: list[str] | None) -> list[_Update]:
        if allowed:
            self._updates = [one for one in self._updates if one.body.keys() & set(allowed)]
        return self._updates[:100]

    async def _set_webhook(self, params: Json) -> bool:
        self.webhook = {**params}
        self._wake()
        return True

    async def _delete_webhook(self, params: Json) -> bool:
        self.webhook = {"url": ""}
        if params.get("drop_pending_updates") == "true":
            self._updates = []
        return True

    async def _get_webhook_info(self, params: Json) -> Json:
        known = {"has_custom_certificate": False, "pending_update_count": len(self._updates)}
        return {**known, **{key: value for key, value in self.webhook.items() if key != "secret_token"}}

    async def deliver(self) -> None:
        """Sends updates to the webhook while there is one, each until it is accepted."""
        async with aiohttp.ClientSession() as session:
            while not self._closing:
                news = self._news
                if self.webhook["url"] and (waiting := self._waiting(self.webhook.get("allowed_updates"))):
                    if not await self._delivered(session, waiting[0]):
                        await asyncio.sleep(0.05)
                else:
                    await news.wait()

    async def _delivered(self, session: aiohttp.ClientSession, update: _Update) -> bool:
        secret = self.webhook.get("secret_token")
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        try:
            async with session.post(self.webhook["url"], json=update.body, headers=headers) as response:
                wrong = "" if response.ok else f"Wrong response from the webhook: {response.status} {response.reason}"
        except aiohttp.ClientError:
            wrong = "Connection refused"
        if wrong:
            self.webhook |= {"last_error_message": wrong, "last_error_date": int(time.time())}
        elif update in self._updates:
            self._updates.remove(update)
        return not wrong

    async def _send_message(self, params: Json) -> Json:
        chat, text = self._open_chat(params), _checked(params, "text", LONGEST_TEXT)
        if not text.plain:
            raise Refusal(400, "message text is empty")
        preview = not params.get("link_preview_options", {}).get("is_disabled", False)
        return self._to_dict(self._post(replace(self._addressed(chat, params), text=text, preview=preview)))

    async def _send_document(self, params: Json) -> Json:
        chat, caption, sent = self._open_chat(params), _checked(params, "caption", LONGEST_CAPTION), params["document"]
        file = f"file{next(self._ids)}"
        self._files[file] = sent["content"]
        document = {
            "file_id": file,
            "file_unique_id": file,
            "file_name": sent["name"],
            "file_size": len(sent["content"]),
        }
        return self._to_dict(self._post(replace(self._addressed(chat, params), text=caption, document=document)))

    async def _edit_message_text(self, params: Json) -> Json | bool:
        old, text = self._own(params), _checked(params, "text", LONGEST_TEXT)
        if not text.plain:
            raise Refusal(400, "message text is empty")
        return self._edited(old, replace(old, text=text, buttons=_buttons(params)))

    async def _edit_message_reply_markup(self, params: Json) -> Json | bool:
        old = self._own(params)
        return self._edited(old, replace(old, buttons=_buttons(params)))

    def _edited(self, old: Message, new: Message) -> Json | bool:
        if (old.text, old.buttons) == (new.text, new.buttons):
            raise Refusal(400, NOT_MODIFIED)
        self._change(new)
        return True if new.inline_id else self._to_dict(new)

    async def _delete_message(self, params: Json) -> bool:
        key = int(params["chat_id"]), int(params["message_id"])
        if key not in self.history or key in self.deleted:
            raise Refusal(400, "message to delete not found")
        self.deleted.add(key)
        return True

    async def _answer_callback_query(self, params: Json) -> bool:
        self._take_query(params["callback_query_id"])
        if len(params.get("text", "")) > 200:
            raise Refusal(400, "MESSAGE_TOO_LONG")
        self.answered[params["callback_query_id"]] = params
        return True

    async def _answer_inline_query(self, params: Json) -> bool:
        self._take_query(params["inline_query_id"])
        results = params["results"]
        if len(results) > 50:
            raise Refusal(400, "RESULTS_TOO_MUCH")
        if len({one["id"] for one in results}) < len(results):
            raise Refusal(400, "RESULT_ID_DUPLICATE")
        if len(params.get("next_offset", "").encode()) > 64:
            raise Refusal(400, "NEXT_OFFSET_INVALID")
        self.results[params["inline_query_id"]] = [_result(one) for one in results]
        return True

    def _take_query(self, query: str) -> None:
        if query not in self._queries:
            raise Refusal(400, TOO_OLD)
        self._queries.discard(query)

    async def _send_chat_action(self, params: Json) -> bool:
        self._open_chat(params)
        return True

    async def _set_my_commands(self, params: Json) -> bool:
        if len(params["commands"]) > 100:
            raise Refusal(400, "BOT_COMMANDS_TOO_MUCH")
        for one in params["commands"]:
            if not re.fullmatch("[a-z0-9_]{1,32}", one["command"]):
                raise Refusal(400, "BOT_COMMAND_INVALID")
            if not 1 <= len(one["description"]) <= 256:
                raise Refusal(400, "BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[params.get("language_code", "")] = params["commands"]
        return True

    async def _get_file(self, params: Json) -> Json:
        file = params["file_id"]
        if file not in self._files:
            raise Refusal(400, "wrong file_id or the file is temporarily unavailable")
        if len(self._files[file]) > LARGEST_DOWNLOAD:
            raise Refusal(400, "file is too big")
        return {"file_id": file, "file_unique_id": file, "file_path": f"documents/{file}"}

    async def download(self, request: web.Request) -> web.Response:
        content = self._files.get(request.match_info["file"])
        if content is None or request.match_info["token"] != self.token:
            return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        return web.Response(body=content)

    async def _get_chat(self, params: Json) -> Json:
        gifts = dict.fromkeys(["unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription"], True)
        more = {
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": gifts | {"gifts_from_channels": True},
        }
        return {**self._open_chat(params).to_dict(), **more}

    async def _leave_chat(self, params: Json) -> bool:
        chat = self._open_chat(params)
        self._barred[chat.id] = f"bot is not a member of the {chat.kind} chat"
        return True

    def _open_chat(self, params: Json) -> Chat:
        """The chat that is meant, if the bot may write there."""
        number = int(params["chat_id"])
        if number in self._moved:
            why = "group chat was upgraded to a supergroup chat"
            raise Refusal(400, why, migrate_to_chat_id=self._moved[number])
        if number in self._barred:
            raise Refusal(403, self._barred[number])
        if number not in self._chats:
            raise Refusal(400, "chat not found")
        return self._chats[number]

    def _addressed(self, chat: Chat, params: Json) -> Message:
        """An empty message with its place in the chat and its buttons."""
        topic, reply = int(params.get("message_thread_id", 0)) or None, params.get("reply_parameters", {})
        if topic and topic not in chat.topics:
            raise Refusal(400, "message thread not found")
        target = reply.get("message_id")
        if target and ((chat.id, target) not in self.history or (chat.id, target) in self.deleted):
            if not reply.get("allow_sending_without_reply"):
                raise Refusal(400, "message to be replied not found")
            target = None
        return Message(chat, 0, Text(""), None, _buttons(params), target, topic)

    def _own(self, params: Json) -> Message:
        key: Key = params.get("inline_message_id") or (self._open_chat(params).id, int(params["message_id"]))
        if key not in self.history or key in self.deleted:
            raise Refusal(400, "message to edit not found")
        message = self.history[key][-1]
        if message.sender and not message.inline_id:
            raise Refusal(400, "message can't be edited")
        return message


METHODS = {
    *("getMe getUpdates setWebhook deleteWebhook getWebhookInfo sendMessage sendDocument sendChatAction".split()),
    *("editMessageText editMessageReplyMarkup deleteMessage answerCallbackQuery answerInlineQuery".split()),
    *("setMyCommands getFile getChat leaveChat".split()),
}


@asynccontextmanager
async def serving(username: str = "pullquote_bot") -> AsyncIterator[Telegram]:
    """A server on a free port of this machine, in the running event loop."""
    telegram = Telegram(username)
    app = web.Application(client_max_size=60_000_000)
    app.router.add_route("*", "/bot{token}/{method}", telegram.call)
    app.router.add_get("/file/bot{token}/documents/{file}", telegram.download)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    telegram.url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    delivery = asyncio.create_task(telegram.deliver())
    try:
        yield telegram
    finally:
        telegram.close()
        await delivery
        await runner.cleanup()


async def until(condition: Callable[[], T | bool], seconds: float = 10) -> T:
    """What the condition finds, once it finds something. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.005)
    return found  # type: ignore[return-value]


async def _params(request: web.Request) -> Json:
    form = {**request.query, **(await request.post())}
    read: Json = {}
    for name, value in form.items():
        if isinstance(value, web.FileField):
            read[name] = {"name": value.filename, "content": value.file.read()}
        else:
            read[name] = json.loads(str(value)) if name in _JSON else value
    return read


def _broken(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response(status=502)  # nobody reads it


def _checked(params: Json, name: str, longest: int) -> Text:
    """The text as people will see it. Raises Refusal."""
    sent, mode = params.get(name, ""), params.get("parse_mode", "")
    if mode not in ("", "HTML"):
        raise Refusal(400, "unsupported parse_mode")
    try:
        text = shown(parse(sent) if mode else detect(sent))
    except Refused as error:
        raise Refusal(400, str(error)[:1].lower() + str(error)[1:]) from None
    if units(text.plain) > longest:
        raise Refusal(400, "message is too long" if name == "text" else "message caption is too long")
    return text


def _buttons(params: Json) -> tuple[tuple[Button, ...], ...]:
    rows = params.get("reply_markup", {}).get("inline_keyboard", [])
    if sum(map(len, rows)) > 100:
        raise Refusal(400, "REPLY_MARKUP_TOO_LONG")
    for one in (one for row in rows for one in row):
        if not one["text"].strip():
            raise Refusal(400, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
        if "callback_data" in one and not 1 <= len(one["callback_data"].encode()) <= 64:
            raise Refusal(400, "BUTTON_DATA_INVALID")
    return tuple(
        tuple(Button(one["text"], one.get("callback_data", ""), one.get("url", "")) for one in row) for row in rows
    )


def _plain(button: Button) -> Json:
    return {"text": button.text, **({"url": button.url} if button.url else {"callback_data": button.data})}


def _result(one: Json) -> Result:
    if not 1 <= len(one["id"].encode()) <= 64:
        raise Refusal(400, "RESULT_ID_INVALID")
    if not one.get("title", "").strip():
        raise Refusal(400, "ARTICLE_TITLE_EMPTY")
    content = one["input_message_content"]
    text = _checked({**content, "text": content["message_text"]}, "text", LONGEST_TEXT)
    if not text.plain:
        raise Refusal(400, "MESSAGE_EMPTY")
    return Result(one["id"], one["title"], one.get("description", ""), text, _buttons(one))


def _snake(method: str) -> str:
    return re.sub("(?=[A-Z])", "_", method).lower()
