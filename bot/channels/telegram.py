"""Telegram: messages in its HTML, buttons, groups and topics, inline mode. The only file that imports telegram."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from telegram import (
    Bot,
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQuery,
    InlineQueryResultArticle,
    InputTextMessageContent,
    LinkPreviewOptions,
    ReplyParameters,
    Update,
    User,
)
from telegram import Message as Post
from telegram.constants import ChatAction, ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.ext import AIORateLimiter, Application, ApplicationBuilder, BaseUpdateProcessor, TypeHandler
from telegram.helpers import create_deep_linked_url
from telegram.request import HTTPXRequest

from bot import messages
from bot.conversation import (
    WRONG,
    End,
    Export,
    Office,
    Person,
    Reply,
    Shown,
    Sources,
    Stored,
    Verified,
    above,
    known_of,
    notes,
    opening,
    refusal,
    reports,
    told_of,
)
from bot.length import FIELD, around, cut, on_the_web, units
from bot.notices import Later, Unpostable, watch
from bot.reception import Asked, Seats, Turns, answered, noted, pressed, until_stopped
from bot.settings import BadSettings, Settings
from bot.store import Store
from bot.watchlist import Place
from corpus.archive import Revision
from corpus.article import Span, line
from corpus.sources.files import MAX_DOCUMENT
from retrieval.answer import Answer
from retrieval.citation import Citation, link

LONGEST = 4_096  # UTF-16 units of a message, markup aside
PATIENCE = 0.5  # seconds after which a person sees that the bot is typing
LONG_LINE = 10  # people before each seat, who take longer than PATIENCE together
TYPING = 4.5  # seconds that this is seen
WAITING = 4_096  # updates taken from Telegram before they are answered
CONNECTIONS = 16  # to Telegram
PAUSES = (1, 2, 4, 8, 16, 30)  # seconds between tries while Telegram cannot be reached
HASTY = {"answerInlineQuery", "answerCallbackQuery"}  # worth nothing later
HARMLESS = (  # refusals after which there is nothing left to do: said as it was, deleted meanwhile, answered too late
    "message is not modified",
    "message to edit not found",
    "message can't be edited",
    "query is too old",
)
INLINE = 5  # results
INLINE_LEAST = 8  # characters of an inline question; it comes with every key
PREVIEW = LinkPreviewOptions(is_disabled=True)
UPDATES = [Update.MESSAGE, Update.EDITED_MESSAGE, Update.CALLBACK_QUERY, Update.INLINE_QUERY]
COMMANDS = {
    "ask": messages.COMMAND_ASK,
    "new": messages.COMMAND_NEW,
    "since": messages.COMMAND_SINCE,
    "until": messages.COMMAND_UNTIL,
    "outlet": messages.COMMAND_OUTLET,
    "sources": messages.COMMAND_SOURCES,
    "verify": messages.COMMAND_VERIFY,
    "export": messages.COMMAND_EXPORT,
    "follow": messages.COMMAND_FOLLOW,
    "following": messages.COMMAND_FOLLOWING,
    "unfollow": messages.COMMAND_UNFOLLOW,
    "notices": messages.COMMAND_NOTICES,
    "help": messages.COMMAND_HELP,
}
OURS = {*COMMANDS, "start", "add", "forget", "status", "feedback", "invite"}
log = logging.getLogger("pullquote.telegram")

NO_JOIN = "\u200b"  # no width; keeps "@" and a name behind it from calling somebody
T = TypeVar("T")
App = Application[Any, Any, Any, Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """Text in Telegram's HTML, with the buttons below it."""

    html: str
    buttons: InlineKeyboardMarkup | None = None


# From Telegram


def to_question(post: Post, me: User) -> Asked | None:
    """What the message asks of this bot; None: it is not for us. In a group: a mention, a reply, a command of ours."""
    text = post.text or post.caption or ""
    if post.from_user is None or post.from_user.is_bot or post.via_bot or not text.strip():
        return None
    replied = post.reply_to_message if post.reply_to_message and not post.reply_to_message.forum_topic_created else None
    to_us = bool(replied and replied.from_user and replied.from_user.id == me.id)
    private = post.chat.type == "private"
    words, named = _unmentioned(post, text, f"@{me.username}".lower())
    if words.startswith("/"):
        command, _, rest = words.partition(" ")
        name, _, target = command[1:].partition("@")
        if (target and target.lower() != me.username.lower()) or not (private or name.lower() in OURS):  # type: ignore[union-attr]
            return None
        words = f"/{name} {rest}".strip()
    elif not (private or named or to_us):
        return None
    context = "" if to_us else _replied_to(post, replied)
    return Asked(line(words), str(replied.message_id) if replied and to_us else "", context) if line(words) else None


def _replied_to(post: Post, replied: Post | None) -> str:
    """The words that the message replies to: the part of them that was marked, where that is so."""
    marked = post.quote.text if post.quote else ""
    return line(marked or (replied and (replied.text or replied.caption)) or "")


def _unmentioned(post: Post, text: str, me: str) -> tuple[str, bool]:
    """The text without mentions of the bot, and whether there were any."""
    entities = post.parse_entities(["mention"]) or post.parse_caption_entities(["mention"])
    ours = [one for one, mention in entities.items() if mention.lower() == me]
    units = text.encode("utf-16-le")
    for one in sorted(ours, key=lambda entity: -entity.offset):
        units = units[: one.offset * 2] + units[(one.offset + one.length) * 2 :]
    return " ".join(units.decode("utf-16-le", "replace").split()), bool(ours)


def person(user: User | None, chat: int, topic: int | None = None) -> Person:
    if user is None:
        return Person(chat=f"telegram:{chat}", topic=str(topic or ""))
    language = user.language_code or ""
    return Person(f"telegram:{user.id}", f"telegram:{chat}", str(topic or ""), line(user.full_name), language)


# To Telegram


def render(reply: Reply, language: str = "", answer: str = "", bot: str = "") -> Message:
    """`answer` is the id under which an Answer is stored, for its buttons; `bot` the user name, for links to it."""
    reply = opening(reply, answer)
    if isinstance(reply, Answer):
        return _refusal(reply, language)
    if isinstance(reply, Shown):
        return _shown(reply, language)
    if isinstance(reply, Verified):
        return _verified(reply, language)
    if isinstance(reply, Sources):
        return Message("\n".join(_headline(one) for one in reply.revisions))
    if isinstance(reply, Export):
        return _exported(reply, language, bot)
    return Message("" if isinstance(reply, End) else escape(cut(_apart(reply), LONGEST), quote=False))


def _shown(shown: Shown, language: str) -> Message:
    """What was understood, the answer, the passage around it, where that stands."""
    head = above(shown, language)
    foot = [cut(one, FIELD) for one in notes(shown, language)]
    if shown.count > 1:
        foot.append(messages.say(messages.SOURCE_OF, language, number=shown.number, count=shown.count))
    foot += [messages.say(messages.DIFFER, language)] if shown.differing else []
    tail = [(cut(line, FIELD), url) for line, url in reports(shown, language)]
    html = _cited(shown.citation, language, head, foot, tail, front=shown.sure)
    return Message(html, buttons(shown, language) if shown.answer else None)


def _verified(verified: Verified, language: str) -> Message:
    said = messages.say(messages.VERIFY_EXACT if verified.exact else messages.VERIFY_NEAR, language)
    head = [said, *filter(None, [cut(verified.differences, 1_500)])]
    foot = [cut(one, FIELD) for one in told_of(verified.citation, language)]
    return Message(_cited(verified.citation, language, head, foot))


def _refusal(answer: Answer, language: str) -> Message:
    lines = [_escaped(one) for one in refusal(answer, language)]
    if answer.nearest:
        lines += ["", _escaped(messages.say(messages.CLOSEST, language)), *map(_headline, answer.nearest)]
    return Message("\n".join(lines))


def _exported(export: Export, language: str, bot: str) -> Message:
    """To be copied at a touch; with a link that opens it in a chat with the bot."""
    link = create_deep_linked_url(bot, export.code) if bot and export.code else ""
    opens = f"\n{messages.say(messages.DEEP_LINK, language, link=link)}" if link else ""
    text = escape(cut(export.text, LONGEST - units(opens)), quote=False)
    return Message(f"<pre>{text}</pre>{escape(opens, quote=False)}")


def _cited(
    citation: Citation,
    language: str,
    head: Sequence[str],
    foot: Sequence[str],
    tail: Sequence[tuple[str, str]] = (),
    front: bool = False,
) -> str:
    """Head, in front the quote with the words that answer in bold, the quote in its context, the source, links to
    reports that differ; where that is too long, the one in front is left out, then the context is cut, then the quote.
    """
    title, known = cut(citation.article.title, FIELD), known_of(citation.article, language)
    besides = (*head, title, *known, *foot, *(text for text, _ in tail))
    room, once = LONGEST - sum(_length(one) + 3 for one in besides) - 8, _length(citation.quote)
    front = front and 2 * once <= room
    lines = [*map(_escaped, head), *([_bold(citation.quote, citation.words)] if front else [])]
    lines.append(f"<blockquote expandable>{_passage(citation, room - once if front else room)}</blockquote>")
    outlet, *rest = (_escaped(one) for one in known)
    lines.append(" · ".join(filter(None, (outlet, _linked(title, link(citation)), *rest))))
    lines += [_escaped(one) for one in foot]
    return "\n".join([*lines, *(f"• {_linked(text, url)}" for text, url in tail)])


def _bold(quote: str, words: Span | None) -> str:
    """The quote, in bold the words that answer."""
    first, last = words or (0, 0)
    before, bold, after = (_escaped(part) for part in (quote[:first], quote[first:last], quote[last:]))
    return f"{before}<b>{bold}</b>{after}" if bold else after


def _passage(citation: Citation, room: int) -> str:
    parts = around(citation.before, citation.quote, citation.after, room)
    if longer := sum(_length(one) - units(one) for one in parts):
        parts = around(citation.before, citation.quote, citation.after, room - longer)
    before, quote, after = map(_escaped, parts)
    return f"{before}<b>{quote}</b>{after}"


def _described(shown: Shown, language: str) -> str:
    """Below the headline, in a list to choose from."""
    known = " · ".join(filter(None, known_of(shown.citation.article, language)))
    return known if shown.sure else f"{messages.say(messages.PERHAPS, language)} {known}"


def _escaped(text: str) -> str:
    """Text from outside, in which nobody is called: Telegram makes a mention of each name behind an "@"."""
    return escape(_apart(text), quote=False)


def _apart(text: str) -> str:
    return text.replace("@", f"@{NO_JOIN}")


def _length(text: str) -> int:
    return units(_apart(text))


def _headline(revision: Revision) -> str:
    article = revision.article
    return f"• {_linked(cut(article.title, FIELD), article.url)}"


def _linked(title: str, url: str) -> str:
    """A link where the address is one of the web; Telegram opens no other."""
    shown = _escaped(title)
    return f'<a href="{escape(url)}">{shown}</a>' if on_the_web(url) else shown


def buttons(shown: Shown, language: str) -> InlineKeyboardMarkup:
    at = f"{shown.answer}:{shown.number}"
    row = [_button(messages.BUTTON_NEXT, f"o:{shown.answer}:{shown.number % shown.count + 1}:0", language)]
    row = row if shown.count > 1 else []
    row.append(_button(messages.BUTTON_MORE, f"o:{at}:{shown.widened + 1}", language))
    return InlineKeyboardMarkup([row, [_button(messages.BUTTON_WRONG, f"w:{at}:{shown.widened}", language)]])


def _reasons(at: str, widened: str, language: str) -> InlineKeyboardMarkup:
    rows = [[_button(sentence, f"v:{at}:{reason}", language)] for reason, sentence in WRONG.items()]
    return InlineKeyboardMarkup([*rows, [_button(messages.BUTTON_BACK, f"b:{at}:{widened}", language)]])


def _button(sentence: str, data: str, language: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(messages.say(sentence, language), callback_data=data)


# At work


class Inbox(asyncio.Queue[object]):
    """Updates on their way to the desk. Each is on disk before Telegram learns that it arrived, so that a crash loses
    none; one that Telegram sends again is let go.
    """

    def __init__(self, store: Store, bot: str) -> None:
        super().__init__()
        self._store, self._bot = store, f"telegram/{bot}/"

    async def put(self, item: object) -> None:
        # Written here, not in a thread: a hundred that come together would each wait for the threads that answer.
        if not isinstance(item, Update) or self._store.arrived(f"{self._bot}{item.update_id}", item.to_json()):
            await super().put(item)

    async def dealt_with(self, update: Update) -> None:
        await asyncio.to_thread(self._store.dealt_with, f"{self._bot}{update.update_id}")

    async def resume(self, bot: Bot) -> None:
        """What came before the program was stopped is answered first."""
        for body in await asyncio.to_thread(self._store.unfinished, self._bot):
            await super().put(Update.de_json(json.loads(body), bot))


class Patient(AIORateLimiter):
    """Waits while Telegram says so, and tries again while it cannot be reached.

    Where the connection broke after a message was sent, that message may come twice: better than never.
    """

    async def process_request(
        self, callback: Any, args: Any, kwargs: Any, endpoint: str, data: Any, rate_limit_args: Any
    ) -> Any:
        if endpoint == "sendChatAction":  # is no message, and must not make one wait
            return await callback(*args, **kwargs)
        for pause in (0,) if endpoint in HASTY else (*PAUSES, 0):
            try:
                return await super().process_request(callback, args, kwargs, endpoint, data, rate_limit_args)
            except NetworkError as error:
                if not pause or isinstance(error, BadRequest):
                    raise
                log.warning("%s failed (%s); next try in %d s", endpoint, error, pause)
                await asyncio.sleep(pause)


class Polling(HTTPXRequest):
    """How updates are fetched. The library ends that in silence where the token was revoked; this knows of it."""

    def __init__(self) -> None:
        super().__init__(connection_pool_size=1)
        self.revoked = asyncio.Event()

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        status, body = await super().do_request(*args, **kwargs)
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            self.revoked.set()
        return status, body


class Order(BaseUpdateProcessor):
    """Updates beside one another, but one at a time for each person and for each chat, in their order.

    Who sends many waits behind himself only. An inline query that was typed over while it waited is let go.
    """

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(WAITING)
        self._turns = Turns()
        self._typed: dict[int, str] = {}  # person: the newest inline query
        self._inbox = inbox

    async def do_process_update(self, update: object, coroutine: Coroutine[Any, Any, Any]) -> None:  # type: ignore[override]
        if not isinstance(update, Update):
            await coroutine
            return
        query = update.inline_query
        if query:
            self._typed[query.from_user.id] = query.id
        async with self._turn(update):
            if query and self._typed.get(query.from_user.id) != query.id:
                coroutine.close()
                await self._inbox.dealt_with(update)
                return
            if query:
                del self._typed[query.from_user.id]
            await coroutine

    @asynccontextmanager
    async def _turn(self, update: Update) -> AsyncIterator[None]:
        user, post = update.effective_user, update.effective_message
        place = f"no chat {update.update_id}"
        if post:  # what is said in the new chat waits until the old one has moved there
            place = f"chat {post.migrate_to_chat_id or post.chat_id} {post.message_thread_id}"
        async with self._turns.turn(f"user {user.id if user else update.update_id}", place):
            yield

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to put away."""


class Outgoing:
    """What the bot says unasked; a `bot.notices.Postbox`. Telegram cannot tell whether something was posted before."""

    channel = "telegram"

    def __init__(self, bot: Bot, store: Store) -> None:
        self._bot, self._store = bot, store

    async def person(self, person: str, place: Place) -> Person:
        return Person(person, place.chat, place.topic)

    async def post(self, place: Place, what: Shown | str, language: str, key: str, again: bool) -> str:
        message = render(what, language)
        reply = ReplyParameters(int(place.message), allow_sending_without_reply=True) if place.message else None
        try:
            sent = await self._bot.send_message(
                int(place.id),
                message.html,
                ParseMode.HTML,
                reply_markup=message.buttons,
                link_preview_options=PREVIEW,
                reply_parameters=reply,
                message_thread_id=int(place.topic) if place.topic else None,
            )
        except ChatMigrated as error:
            moved = f"telegram:{error.new_chat_id}"
            await asyncio.to_thread(self._store.move, f"{place.chat}:", f"{moved}:")
            return await self.post(Place(moved, place.topic), what, language, key, again)
        except (Forbidden, BadRequest) as error:
            raise Unpostable(str(error)) from error
        except RetryAfter as error:
            wait = error.retry_after
            raise Later(str(error), wait if isinstance(wait, int) else wait.total_seconds()) from error
        except TelegramError as error:
            raise Later(str(error)) from error
        return str(sent.message_id)


class Desk:
    """Answers the updates of one bot."""

    def __init__(self, app: App, office: Office, inbox: Inbox, seats: Seats) -> None:
        self._app, self._office, self._store, self._inbox = app, office, office.store, inbox
        self._seats = seats
        self._unheard = 0  # who is about to see that the bot is typing

    async def on_update(self, update: Update, _context: object) -> None:
        if update.message:
            await self._on_message(update.message)
        elif update.edited_message:
            await self._on_edited(update.edited_message)
        elif update.callback_query:
            await self._on_button(update.callback_query)
        elif update.inline_query:
            await self._on_inline(update.inline_query)
        await self._inbox.dealt_with(update)

    async def on_error(self, update: object, context: Any) -> None:
        """One sentence with an id, which stands in the log with the trace. Who blocked the bot is told nothing.

        An update whose answer could not be sent stays in the inbox for the next start.
        """
        error = context.error
        name = secrets.token_hex(4)
        if isinstance(error, Forbidden):
            log.info("%s", error)
        else:
            log.error("error %s", name, exc_info=error)
        if not isinstance(update, Update) or (isinstance(error, NetworkError) and not isinstance(error, BadRequest)):
            return
        post = update.effective_message
        if post and not isinstance(error, Forbidden):
            language = (update.effective_user.language_code if update.effective_user else "") or ""
            with suppress(TelegramError):
                await self._send(post, Message(messages.say(messages.WENT_WRONG, language, id=name)))
        await self._inbox.dealt_with(update)

    async def _on_message(self, post: Post) -> None:
        if post.migrate_to_chat_id:
            old, new = f"telegram:{post.chat_id}:", f"telegram:{post.migrate_to_chat_id}:"
            await asyncio.to_thread(self._store.move, old, new)
        elif post.document and post.chat.type == "private":
            await self._on_document(post)
        elif asked := to_question(post, self._app.bot.bot):
            await self._on_asked(post, asked)

    async def _on_asked(self, post: Post, asked: Asked, instead: int = 0) -> None:
        """`instead`: the id of an answer of ours that the new one takes the place of."""
        who = person(post.from_user, post.chat_id, post.message_thread_id if post.is_topic_message else None)
        said = f"telegram:{post.chat_id}:{post.message_id}"
        async with self._typing(post):
            reply, answer, strange = await self._work(
                lambda: answered(self._office, who, asked, "" if instead else said), asked.text
            )
        if reply is None:
            return
        message = render(reply, who.language, answer, self._app.bot.username)
        sent = await (self._edit(post, instead, message) if instead else self._send(post, message))
        await asyncio.to_thread(self._store.note_message, said, answer, str(sent))
        if answer:
            await asyncio.to_thread(self._store.note_message, f"telegram:{post.chat_id}:{sent}", answer)
            await asyncio.to_thread(noted, self._office, who, Place(who.chat, who.topic, str(sent)), answer)
        if strange:
            await self._note(who)

    async def _note(self, who: Person) -> None:
        """To the administrators, those who ever wrote to the bot."""
        note = messages.say(messages.STRANGER_NOTE, name=cut(who.name, FIELD), id=who.id.partition(":")[2])
        for admin in self._office.rules.admins:
            with suppress(Forbidden, BadRequest):
                await self._app.bot.send_message(int(admin), _escaped(note), parse_mode=ParseMode.HTML)

    async def _on_edited(self, post: Post) -> None:
        """An edited question gets its answer edited; one that was not answered yet, or not meant for us, a new one."""
        noted = await asyncio.to_thread(self._store.message, f"telegram:{post.chat_id}:{post.message_id}")
        if asked := to_question(post, self._app.bot.bot):
            await self._on_asked(post, asked, int(noted[1]) if noted and noted[1] else 0)

    async def _on_document(self, post: Post) -> None:
        who, document = person(post.from_user, post.chat_id), post.document
        conversation = await asyncio.to_thread(Stored, self._office, who)
        if not conversation.admin or document is None:
            await self._send(post, Message(messages.say(messages.ADMINS_ONLY, who.language)))
            return
        if (document.file_size or 0) > MAX_DOCUMENT:
            large = messages.say(messages.TOO_LARGE, who.language, size=MAX_DOCUMENT // 1_000_000)
            await self._send(post, Message(large))
            return
        async with self._typing(post):
            data = bytes(await (await document.get_file()).download_as_bytearray())
            said = await asyncio.to_thread(conversation.add_document, data, line(document.file_name or ""))
        await self._send(post, render(said))

    async def _on_button(self, query: CallbackQuery) -> None:
        post = query.message
        kind, answer, number, rest = [*(query.data or "").split(":"), "", "", "", ""][:4]
        if not isinstance(post, Post) or not number.isdigit():
            await self._told(query)
            return
        who = person(query.from_user, post.chat_id, post.message_thread_id if post.is_topic_message else None)
        if kind == "w":
            await self._relabel(post, _reasons(f"{answer}:{number}", rest, who.language))
            await self._told(query, messages.say(messages.WHY_WRONG, who.language))
            return
        widened = int(rest) if rest.isdigit() else 0
        reason = rest or "?" if kind == "v" else ""
        said, shown = await self._work(lambda: pressed(self._office, who, answer, int(number), widened, reason))
        if shown and kind == "o":
            await self._edit(post, post.message_id, render(shown, who.language))
        elif shown:
            await self._relabel(post, buttons(shown, who.language))
        await self._told(query, said, alert=kind == "o")

    async def _on_inline(self, query: InlineQuery) -> None:
        who = person(query.from_user, query.from_user.id)
        found: list[Shown] = []
        if len(query.query.strip()) >= INLINE_LEAST:
            found = await self._work(lambda: Stored(self._office, who).offered(line(query.query), INLINE))
        results = [
            InlineQueryResultArticle(
                id=str(number),
                title=cut(one.citation.article.title, FIELD),
                description=_described(one, who.language),
                input_message_content=InputTextMessageContent(
                    render(replace(one, count=1), who.language).html, ParseMode.HTML, link_preview_options=PREVIEW
                ),
            )
            for number, one in enumerate(found)
        ]
        with _harmless():
            await query.answer(results, cache_time=30, is_personal=True)

    async def _told(self, query: CallbackQuery, said: str = "", *, alert: bool = False) -> None:
        with _harmless():
            await query.answer(cut(said, 200) or None, show_alert=bool(said) and alert)

    async def _work(self, job: Callable[[], T], text: str = "") -> T:
        return await self._seats.work(job, text, self._heard)

    async def _heard(self) -> None:
        """Half a second at most, in which the others see that they were heard."""
        for _ in range(50):
            if self._unheard < CONNECTIONS // 2:
                break
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def _typing(self, post: Post) -> AsyncIterator[None]:
        """While this lasts longer than PATIENCE, the person sees that the bot is typing; at once in a LONG_LINE."""

        async def type_on() -> None:
            if self._seats.waiting < LONG_LINE * self._office.seats:
                await asyncio.sleep(PATIENCE)
            with suppress(TelegramError):  # a courtesy; the answer matters
                self._unheard += 1
                try:
                    await post.reply_chat_action(ChatAction.TYPING)
                finally:
                    self._unheard -= 1
                while True:
                    await asyncio.sleep(TYPING)
                    await post.reply_chat_action(ChatAction.TYPING)

        task = asyncio.create_task(type_on())
        try:
            yield
        finally:
            task.cancel()

    async def _send(self, post: Post, message: Message, chat: int = 0) -> int:
        try:
            sent = await self._app.bot.send_message(
                chat or post.chat_id,
                message.html,
                ParseMode.HTML,
                reply_markup=message.buttons,
                link_preview_options=PREVIEW,
                reply_parameters=ReplyParameters(post.message_id, allow_sending_without_reply=True),
                message_thread_id=post.message_thread_id if post.is_topic_message and not chat else None,
            )
        except ChatMigrated as error:
            old, new = f"telegram:{post.chat_id}:", f"telegram:{error.new_chat_id}:"
            await asyncio.to_thread(self._store.move, old, new)
            return await self._send(post, message, error.new_chat_id)
        return int(sent.message_id)

    async def _edit(self, post: Post, number: int, message: Message) -> int:
        with _harmless():
            await self._app.bot.edit_message_text(
                message.html,
                post.chat_id,
                number,
                parse_mode=ParseMode.HTML,
                reply_markup=message.buttons,
                link_preview_options=PREVIEW,
            )
        return number

    async def _relabel(self, post: Post, keys: InlineKeyboardMarkup) -> None:
        with _harmless():
            await self._app.bot.edit_message_reply_markup(post.chat_id, post.message_id, reply_markup=keys)


@contextmanager
def _harmless() -> Iterator[None]:
    """Refusals that are no error pass in silence."""
    try:
        yield
    except BadRequest as error:
        if not any(one in str(error).lower() for one in HARMLESS):
            raise


def application(
    office: Office, token: str, api: str = "", *, watching: bool = False, polling: Polling | None = None
) -> App:
    """The bot, ready to be run. `api`: the address of another Bot API server, without /bot. `watching`: it speaks
    unasked too, from `post_init` to `post_stop`, or to `post_shutdown` where it could not start.
    """
    inbox, seats = Inbox(office.store, token.partition(":")[0]), Seats(office.seats)
    tasks: list[asyncio.Task[None]] = []
    builder = ApplicationBuilder().token(token).rate_limiter(Patient(max_retries=3)).job_queue(None)
    if polling:
        builder = builder.get_updates_request(polling)
    if api:
        builder = builder.base_url(f"{api.rstrip('/')}/bot").base_file_url(f"{api.rstrip('/')}/file/bot")

    async def begin(app: App) -> None:
        await _introduce(app)
        await inbox.resume(app.bot)
        if watching:
            tasks.append(asyncio.create_task(watch(office, Outgoing(app.bot, office.store), seats)))

    async def end(_: App) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tasks.clear()

    # A few connections, and time to wait for one: two hundred handshakes at once take longer than the messages.
    builder = builder.connection_pool_size(CONNECTIONS).pool_timeout(60)
    builder = builder.update_queue(inbox).concurrent_updates(Order(inbox))
    app = builder.post_init(begin).post_stop(end).post_shutdown(end).build()
    desk = Desk(app, office, inbox, seats)
    app.add_handler(TypeHandler(Update, desk.on_update))
    app.add_error_handler(desk.on_error)
    return app


async def _introduce(app: App) -> None:
    """The list of commands that Telegram shows, in every language."""
    for language in ("", *messages.LANGUAGES):
        listed = [BotCommand(name, messages.say(sentence, language)) for name, sentence in COMMANDS.items()]
        await app.bot.set_my_commands(listed, language_code=language or None)


def run(office: Office, settings: Settings, webhook: str = "", port: int = 8443) -> None:
    """Until it is stopped. Raises BadSettings where Telegram does not know the token or cannot be reached."""
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold the token
    if not webhook:
        asyncio.run(until_stopped([partial(serve, office, settings)]))
        return
    token = settings.telegram_token.get_secret_value() if settings.telegram_token else ""
    app, path = application(office, token, settings.telegram_api, watching=True), urlsplit(webhook).path.lstrip("/")
    secret = secrets.token_urlsafe(32)
    with _foreseen(webhook):
        app.run_webhook("0.0.0.0", port, path, webhook_url=webhook, secret_token=secret, allowed_updates=UPDATES)


async def serve(office: Office, settings: Settings, stop: asyncio.Event) -> None:
    """By polling, until `stop` is set; what came before is answered first. Raises BadSettings as `run` does."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold the token
    token = settings.telegram_token.get_secret_value() if settings.telegram_token else ""
    polling = Polling()
    app = application(office, token, settings.telegram_api, watching=True, polling=polling)
    with _foreseen():
        async with app, AsyncExitStack() as ends:
            if app.post_stop:
                ends.push_async_callback(app.post_stop, app)
            if app.post_init:
                await app.post_init(app)
            await app.start()
            ends.push_async_callback(app.stop)
            if app.updater:
                await app.updater.start_polling(allowed_updates=UPDATES, bootstrap_retries=3)
                ends.push_async_callback(app.updater.stop)  # raises InvalidToken where that ended it
            ending = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(polling.revoked.wait())]
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            for one in ending:
                one.cancel()


@contextmanager
def _foreseen(webhook: str = "") -> Iterator[None]:
    """What may go wrong at the start, as BadSettings."""
    try:
        yield
    except InvalidToken as error:
        raise BadSettings(messages.BAD_TOKEN) from error
    except BadRequest as error:
        raise BadSettings(messages.bad_webhook(webhook, line(str(error)))) from error
    except NetworkError as error:
        raise BadSettings(messages.NO_TELEGRAM) from error
