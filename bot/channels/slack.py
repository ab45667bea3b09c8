"""Slack: messages in its blocks, threads, buttons, /ask, a message shortcut, the Home tab.

The only file that imports slack_bolt and slack_sdk.
"""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextActionsBlock,
    ContextBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    HeaderBlock,
    MarkdownTextObject,
    Option,
    RichTextBlock,
    RichTextElement,
    RichTextElementParts,
    RichTextPreformattedElement,
    RichTextQuoteElement,
    RichTextSectionElement,
    StaticSelectElement,
)
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot import messages
from bot.conversation import (
    RIGHT,
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
from bot.listening import listening
from bot.notices import Later, Unpostable, watch
from bot.reception import Asked, Press, Seats, Turns, answered, buttons, command, noted, pressed, read_press
from bot.settings import BadSettings, Settings
from bot.watchlist import Place
from corpus.archive import Revision
from corpus.article import Span, line
from retrieval.answer import Answer
from retrieval.citation import Citation, link
from retrieval.scope import Scope

LONGEST = 11_000  # units of a message with everything in it; Slack takes 12,000
ELEMENT = 2_900  # characters of one text below an answer, escapes included; Slack takes 3,000
SUMMARY = 600  # characters of what a notification shows
LINK = 2_100  # characters of an address below an answer; a longer one is left out
SHORT_LINK = 300  # of a report that differs, of which there may be five
PATIENCE = 0.5  # seconds after which a person sees that the bot is at work
TRIES = 5  # of a call that Slack refuses for its rate or cannot serve
GRACE = 20  # seconds to finish what is in hand
MEMBERS = 300  # seconds that the members of a user group are remembered
HEADLINES = 5  # on the Home tab
PROMPTS = 4  # suggested; Slack takes no more
PROMPT = 60  # units of a headline in one
PATH = "/slack/events"
SHORTCUT = "check_quotation"
REVOKED = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
CHECK = 300  # seconds between two looks whether the token still counts: of an app that was removed Slack says nothing
LATER = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", *REVOKED}
HARMLESS = {  # refusals after which there is nothing left to do: who was answered is gone, or has put the bot out
    *("not_in_channel", "channel_not_found", "is_archived", "message_not_found", "cant_update_message"),
    *("cant_delete_message", "edit_window_closed", "user_not_found", "restricted_action"),
}
log = logging.getLogger("pullquote.slack")

T = TypeVar("T")
Json = Mapping[str, Any]
Work = Callable[[], Awaitable[None]]
_Text, _Style = RichTextElementParts.Text, RichTextElementParts.TextStyle
_MARKUP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_EMOJI = re.compile(r":(?=[\w+'-]+:)")
NO_JOIN = "\u200b"  # no width; keeps a character from being read as markup


@dataclass(frozen=True, slots=True)
class Message:
    """What Slack shows, and the text of its notification, in mrkdwn."""

    text: str
    blocks: tuple[Block, ...]

    def to_dict(self) -> dict[str, Any]:
        """Raises SlackObjectFormationError where a block has more than Slack takes."""
        quiet = {"unfurl_links": False, "unfurl_media": False}
        return {"text": self.text, "blocks": [one.to_dict() for one in self.blocks], **quiet}


# From Slack


def to_question(event: Json, me: str) -> Asked | None:
    """What the message asks of this bot; None: it is not for us, or comes from a bot.

    A message in a thread that mentions nobody is a question if the thread is one of ours: see `addressed`.
    """
    text = event.get("text") or ""
    if event.get("subtype") not in (None, "thread_broadcast", "file_share") or not event.get("user"):
        return None
    if event.get("bot_id") or event["user"] == me:
        return None
    if not addressed(event, me) and (not event.get("thread_ts") or "<@" in text):
        return None
    words = line(plain(text, me))
    return Asked(command(words) if _direct(event["channel"]) else words) if words else None


def addressed(event: Json, me: str) -> bool:
    """Whether the message is to this bot: it mentions it, or nobody else can read it."""
    return _direct(event["channel"]) or f"<@{me}" in (event.get("text") or "")


def plain(text: str, me: str = "") -> str:
    """The message as a person reads it, without mentions of the bot: Slack marks names and links, and escapes."""

    def shown(found: re.Match[str]) -> str:
        kind, target, label = found[1], found[2], found[3]
        if kind == "@":
            return "" if target == me else f"@{label or target}"
        if kind == "#":
            return f"#{label or target}"
        return label or (f"@{target.partition('^')[0]}" if kind == "!" else target)

    return _MARKUP.sub(shown, text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _direct(channel: str) -> bool:
    return channel.startswith("D")


def person(user: str, channel: str, topic: str = "", groups: frozenset[str] = frozenset()) -> Person:
    """In a direct message the person is the chat, so that limits count once."""
    return Person(f"slack:{user}", f"slack:{user if _direct(channel) else channel}", topic, user, groups=groups)


# To Slack


def render(reply: Reply, answer: str = "", *, alone: bool = False) -> Message:
    """`answer` is the id under which an Answer is stored, for its buttons; `alone`: only who asked sees it."""
    reply = opening(reply, answer)
    if isinstance(reply, Answer):
        return _refused(reply)
    if isinstance(reply, Shown):
        return _shown(reply, alone)
    if isinstance(reply, Verified):
        return _verified(reply)
    if isinstance(reply, Sources):
        return Message(messages.CLOSEST, (_context([_headline(one) for one in reply.revisions]),))
    if isinstance(reply, Export):
        text = cut(reply.text, LONGEST - SUMMARY)
        return Message(_summary(text), (RichTextBlock(elements=[RichTextPreformattedElement(elements=_words(text))]),))
    said = "" if isinstance(reply, End) else cut(reply, LONGEST - SUMMARY)
    return Message(_summary(said), _said([said]) if said else ())


def _shown(shown: Shown, alone: bool) -> Message:
    """What was understood, the answer, the passage around it, where that stands, what to know of it, buttons."""
    foot = notes(shown)
    if shown.count > 1:
        foot.append(messages.say(messages.SOURCE_OF, number=shown.number, count=shown.count))
    foot += [messages.DIFFER] if shown.differing else []
    below = [_escaped(cut(one, FIELD)) for one in foot]
    below += [f"• {_linked(cut(text, FIELD), url, SHORT_LINK)}" for text, url in reports(shown)]
    head = above(shown)
    blocks = _cited(shown.citation, head, below, shown.citation.quote if shown.sure else "")
    return Message(_told(shown), (*blocks, *(_buttons(shown, alone) if shown.answer else ())))


def _verified(verified: Verified) -> Message:
    said = messages.VERIFY_EXACT if verified.exact else messages.say(messages.VERIFY_NEAR)
    head = [said, *filter(None, [cut(verified.differences, 1_500)])]
    below = [_escaped(cut(one, FIELD)) for one in told_of(verified.citation)]
    return Message(_summary(said), _cited(verified.citation, head, below))


def _refused(answer: Answer) -> Message:
    lines = refusal(answer)
    closest = [_escaped(messages.CLOSEST.strip()), *map(_headline, answer.nearest)] if answer.nearest else []
    return Message(_summary(lines[0]), (*_said(lines), *([_context(closest)] if closest else [])))


def _cited(citation: Citation, head: Sequence[str], below: Sequence[str], answer: str = "") -> tuple[Block, ...]:
    """Head, the answer in front, in bold the words that answer, the quote in its context, the source and what is below
    it; where that is too long, the answer in front is left out, then the context is cut, then the quote.
    """
    outlet, day, authors = map(_escaped, known_of(citation.article))
    source = " · ".join(filter(None, (outlet, _linked(citation.article.title, link(citation)), day, authors)))
    room = LONGEST - SUMMARY - len(source) - sum(len(one) + 1 for one in below) - sum(map(units, head)) - 500
    answer = answer if 2 * units(answer) + 4 * FIELD <= room else ""
    passage = _passage(citation, room - units(answer))
    words = [citation.words] if citation.words else []
    front = [RichTextSectionElement(elements=_words(answer, words))] if answer else []
    elements = [*map(_line, filter(None, head)), *front, RichTextQuoteElement(elements=passage)]
    return RichTextBlock(elements=elements), _context([source]), *([_context(below)] if below else [])


def _passage(citation: Citation, room: int) -> list[RichTextElement]:
    before, quote, after = around(citation.before, citation.quote, citation.after, room)
    return [*_words(before), *_words(quote, [(0, len(quote))]), *_words(after)]


def _words(text: str, bold: Sequence[Span] = ()) -> list[RichTextElement]:
    """The text with every character, of which Slack reads none as markup; `bold` are parts of it, in their order."""
    parts: list[RichTextElement] = []
    at = 0
    for start, end in (*bold, (len(text), len(text))):
        parts += [_Text(text=text[at:start])] if at < start else []
        parts += [_Text(text=text[start:end], style=_Style(bold=True))] if start < end else []
        at = end
    return parts


def _line(text: str) -> RichTextElement:
    return RichTextSectionElement(elements=_words(text))


def _said(lines: Sequence[str]) -> tuple[Block, ...]:
    return (RichTextBlock(elements=[_line("\n".join(lines))]),)


def _context(lines: Sequence[str]) -> Block:
    """Small print, in mrkdwn; a line that fits no more begins a new element."""
    texts: list[str] = []
    for one in lines:
        if texts and len(texts[-1]) + len(one) < ELEMENT:
            texts[-1] += f"\n{one}"
        else:
            texts.append(one)
    return ContextBlock(elements=[MarkdownTextObject(text=one, verbatim=True) for one in texts])


def _escaped(text: str, room: int = 2 * FIELD) -> str:
    """Text from outside as mrkdwn that shows it as it is: no mention, link, emoji or style can come of it."""
    shown: list[str] = []
    length = 0
    for letter in _EMOJI.sub(f":{NO_JOIN}", text):
        mark = {"&": "&amp;", "<": "&lt;", ">": f"{NO_JOIN}&gt;"}.get(letter, letter)
        mark = f"{NO_JOIN}{mark}{NO_JOIN}" if letter in "*_~`" else mark
        length += len(mark)
        if length > room:
            return "".join(shown) + "…"
        shown.append(mark)
    return "".join(shown)


def _linked(title: str, url: str, longest: int = LINK) -> str:
    """A link where Slack opens the address and has room for it."""
    shown = _escaped(cut(title, FIELD))
    safe = re.sub(r"[\s<>|\x00-\x1f]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)
    safe = safe.replace("&", "&amp;")
    if len(safe) > longest and ":~:" in url:
        return _linked(title, url.partition("#")[0], longest)
    return f"<{safe}|{shown}>" if on_the_web(url) and len(safe) <= longest else shown


def _headline(revision: Revision) -> str:
    return f"• {_linked(revision.article.title, revision.article.url, 2 * SHORT_LINK)}"


def _told(shown: Shown) -> str:
    """Says before anything else that it is no answer, where it is none: many read no further."""
    article = shown.citation.article
    outlet, day, _ = known_of(article)
    told = " · ".join(filter(None, (cut(shown.citation.quote, FIELD), outlet, article.title, day)))
    return _summary(told if shown.sure else f"{messages.PERHAPS} {told}")


def _summary(text: str) -> str:
    """For the notification, and for who reads with a screen reader; never empty, as Slack asks."""
    return _escaped(text.strip(), SUMMARY - 1) or "…"


def _buttons(shown: Shown, alone: bool) -> list[Block]:
    presses, at = buttons(shown), Press(shown.answer, shown.number, shown.widened)
    onwards, wider = (presses.get(label) for label in (messages.BUTTON_NEXT, messages.BUTTON_MORE))
    wrong = [Option(text=sentence, value=at._replace(reason=reason).value) for reason, sentence in WRONG.items()]
    row = [
        *([ButtonElement(text=messages.BUTTON_NEXT, action_id="next", value=onwards.value)] if onwards else []),
        *([ButtonElement(text=messages.BUTTON_MORE, action_id="more", value=wider.value)] if wider else []),
        *([ButtonElement(text=messages.SLACK_SHARE, action_id="share", value=at.value)] if alone else []),
        StaticSelectElement(placeholder=messages.BUTTON_WRONG, action_id="wrong", options=wrong),
    ]
    feedback = FeedbackButtonsElement(
        action_id="feedback",
        positive_button=FeedbackButtonObject(text=messages.RIGHT, value=at._replace(reason=RIGHT).value),
        negative_button=FeedbackButtonObject(text=messages.BUTTON_WRONG, value=at._replace(reason="a").value),
    )
    return [ActionsBlock(elements=row), ContextActionsBlock(elements=[feedback])]


def home(held: str, newest: Sequence[Revision]) -> View:
    """The Home tab; `held` says what the archive holds."""
    blocks: list[Block] = [HeaderBlock(text=messages.SLACK_HOW), *_said([messages.SLACK_HOW_TO])]
    blocks += [HeaderBlock(text=messages.SLACK_ARCHIVE), *_said([cut(held, ELEMENT)])]
    if newest:
        known = [(_headline(one), *map(_escaped, known_of(one.article)[:2])) for one in newest]
        lines = [" · ".join(filter(None, one)) for one in known]
        blocks += [HeaderBlock(text=messages.SLACK_NEWEST), _context(lines)]
    return View(type="home", blocks=blocks)


def _shared(message: Message, user: str, question: str) -> Message:
    asked = messages.SLACK_SHARED.format(who="", question=cut(question, FIELD))
    named = RichTextSectionElement(elements=[RichTextElementParts.User(user_id=user), _Text(text=asked)])
    return Message(message.text, (RichTextBlock(elements=[named]), *message.blocks))


# At work


class Desk:
    """Answers what comes from one workspace."""

    channel = "slack"

    def __init__(self, office: Office, client: AsyncWebClient, team: str, me: str) -> None:
        self._office, self._store, self._client, self._me = office, office.store, client, me
        self._prefix = f"slack/{team}/"
        self._seats, self._turns = Seats(office.seats), Turns()
        self._members: dict[str, tuple[float, frozenset[str]]] = {}  # of a user group, and when that was known
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, body: dict[str, Any]) -> BoltResponse:
        """What Slack sends comes through here. It is on disk before Slack hears that it arrived, so that a crash loses
        nothing, and what Slack sends again is let go; the work comes after.
        """
        work, key = self._work_of(body), f"{self._prefix}{body.get('event_id') or body.get('trigger_id')}"
        if work and self._store.arrived(key, json.dumps({**body, "token": ""})):
            event = body.get("event", {})
            if event.get("type") == "app_mention":  # at once: what is said there next may come before the answer
                self._enter(event)
            self._begin(key, body, work)
        return BoltResponse(status=200, body="")

    async def resume(self) -> None:
        """What came before the program was stopped is answered first."""
        for text in await asyncio.to_thread(self._store.unfinished, self._prefix):
            body = json.loads(text)
            key = f"{self._prefix}{body.get('event_id') or body.get('trigger_id')}"
            if work := self._work_of(body):
                self._begin(key, body, work)

    async def finish(self) -> None:
        """Waits for what is in hand, but not for ever: the rest is for the next start."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=GRACE)
            for task in left:
                task.cancel()

    def _begin(self, key: str, body: Json, work: Work) -> None:
        task = asyncio.create_task(self._deal(key, body, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deal(self, key: str, body: Json, work: Work) -> None:
        """One sentence with an id for what nobody foresaw; the trace stands in the log.

        What could not be said to Slack stays in the inbox for the next start.
        """
        try:
            await work()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("Slack could not be reached: %s", error)
            return
        except SlackApiError as error:
            if _why(error) in LATER:
                log.warning("Slack could not be reached: %s", _why(error))
                return
            if _why(error) in HARMLESS:
                log.info("%s", _why(error))
            else:
                await self._apologise(body, error)
        except Exception as error:  # noqa: BLE001 - logged there, and said
            await self._apologise(body, error)
        await asyncio.to_thread(self._store.dealt_with, key)

    async def _apologise(self, body: Json, error: Exception) -> None:
        name = secrets.token_hex(4)
        log.error("error %s", name, exc_info=error)
        message, event = render(messages.say(messages.WENT_WRONG, id=name)), body.get("event", {})
        with suppress(SlackClientError, aiohttp.ClientError, TimeoutError):
            if body.get("response_url"):
                await self._whisper(body, message)
            elif event.get("type") in ("message", "app_mention") and not event.get("subtype"):
                await self._post(event["channel"], message, event.get("thread_ts") or event["ts"])

    def _work_of(self, body: Json) -> Work | None:
        """What is to be done for it; None: it is not for us."""
        if body.get("command"):
            return partial(self._on_command, body)
        if body.get("type") == "block_actions" and body.get("actions"):
            return partial(self._on_button, body)
        if body.get("type") == "message_action" and body.get("callback_id") == SHORTCUT:
            return partial(self._on_shortcut, body)
        return self._work_of_event(body["event"]) if body.get("type") == "event_callback" else None

    def _work_of_event(self, event: Json) -> Work | None:
        kind, subtype = event.get("type"), event.get("subtype")
        if kind == "app_home_opened":
            return partial(self._on_home, event)
        if kind == "message" and subtype in ("message_changed", "message_deleted"):
            return self._work_of_change(event)
        if kind == "message" and not _direct(event["channel"]) and addressed(event, self._me):
            return None  # comes as app_mention too
        if kind not in ("message", "app_mention") or to_question(event, self._me) is None:
            return None
        return partial(self._on_message, event) if self._followed(event) else None

    def _work_of_change(self, event: Json) -> Work | None:
        """What is deleted below its replies comes as changed, to a tombstone."""
        new, old = event.get("message") or {}, {**(event.get("previous_message") or {}), "channel": event["channel"]}
        if not old.get("user") or old.get("bot_id") or old["user"] == self._me:
            return None
        if event["subtype"] == "message_deleted" or new.get("subtype") == "tombstone":
            return partial(self._on_deleted, old)
        now = {**new, "channel": event["channel"]}
        if new.get("text") == old.get("text") or to_question(now, self._me) is None:
            return None
        return partial(self._on_message, now, edited=True) if self._followed(now) else None

    def _followed(self, event: Json) -> bool:
        """Whether the message is to this bot, or in a thread that it is in."""
        thread = f"slack:{event['channel']}:thread {event.get('thread_ts')}"
        return addressed(event, self._me) or self._store.message(thread) is not None

    async def _on_message(self, event: Json, edited: bool = False) -> None:
        """An edited question gets its answer edited; one that was not answered yet, a new one."""
        channel, ts, asked = event["channel"], event["ts"], to_question(event, self._me)
        thread, said = event.get("thread_ts") or ts, f"slack:{event['channel']}:{event['ts']}"
        topic = event.get("thread_ts") or ("" if _direct(channel) else ts)
        async with self._turn(event["user"], channel, topic):
            who = await self._person(event["user"], channel, topic)
            if asked is None or not (addressed(event, self._me) or await self._may_ask(who)):
                return
            known = await asyncio.to_thread(self._store.message, said) if edited else None
            instead = known[1] if known else ""
            async with self._thinking(channel, thread):
                reply, answer, strange = await self._work(
                    lambda: answered(self._office, who, asked, "" if instead else said), asked.text
                )
            if reply is None:
                return
            message = _with_help(render(reply, answer), asked)
            sent = await (self._edit(channel, instead, message) if instead else self._post(channel, message, thread))
            await asyncio.to_thread(self._note, who, event, answer, sent)
        if strange:
            await self._tell_admins(who)

    def _note(self, who: Person, event: Json, answer: str, sent: str) -> None:
        """Which message answers which, and that the bot is in this thread."""
        place, thread = f"slack:{event['channel']}", event.get("thread_ts") or event["ts"]
        self._enter(event)
        self._store.note_message(f"{place}:{event['ts']}", answer, sent)
        if answer:
            self._store.note_message(f"{place}:{sent}", answer)
            noted(self._office, who, Place(who.chat, thread, sent), answer)
        if _direct(event["channel"]) and not event.get("thread_ts"):  # what is asked in its thread leans on it
            self._store.set_turn(f"{who.chat}:{thread}", *self._store.turn(who.place))

    def _enter(self, event: Json) -> None:
        thread = event.get("thread_ts") or event["ts"]
        self._store.note_message(f"slack:{event['channel']}:thread {thread}", "")

    async def _on_deleted(self, old: Json) -> None:
        """The answer goes with its question."""
        channel, said = old["channel"], f"slack:{old['channel']}:{old['ts']}"
        topic = old.get("thread_ts") or ("" if _direct(channel) else old["ts"])
        async with self._turn(old["user"], channel, topic):
            known = await asyncio.to_thread(self._store.message, said)
            if known and known[1]:
                await self._client.chat_delete(channel=channel, ts=known[1])
                await asyncio.to_thread(self._store.note_message, said, "", "")
                await asyncio.to_thread(self._store.watchlist.hide, *known)

    async def _on_command(self, body: Json) -> None:
        """/ask: the answer is seen by who asked alone, and so is the conversation."""
        user, channel = body["user_id"], body["channel_id"]
        topic = "" if _direct(channel) else user
        asked = Asked(command(line(plain(body.get("text") or "", self._me))) or "/ask")
        async with self._turn(user, channel, topic):
            who = await self._person(user, channel, topic)
            reply, answer, strange = await self._work(lambda: answered(self._office, who, asked, ""), asked.text)
            if reply is not None:
                await self._whisper(body, _with_help(render(reply, answer, alone=True), asked))
                if answer:
                    await asyncio.to_thread(noted, self._office, who, Place(who.chat, topic), answer)
        if strange:
            await self._tell_admins(who)

    async def _on_shortcut(self, body: Json) -> None:
        """Looks up the words of a message; who asked alone sees what was found."""
        user, channel = body["user"]["id"], body["channel"]["id"]
        asked = Asked(f"/verify {line(plain(body['message'].get('text') or ''))}")
        who = await self._person(user, channel, user)
        reply, _, strange = await self._work(lambda: answered(self._office, who, asked, ""), asked.text)
        if reply is not None:
            await self._whisper(body, render(reply))
        if strange:
            await self._tell_admins(who)

    async def _on_button(self, body: Json) -> None:
        action, channel = body["actions"][0], (body.get("channel") or {}).get("id", "")
        value = action.get("value") or (action.get("selected_option") or {}).get("value") or ""
        press = read_press(value)
        if press is None:
            return
        who = await self._person(body["user"]["id"], channel)
        said, shown = await self._work(lambda: pressed(self._office, who, *press))
        alone = bool((body.get("container") or {}).get("is_ephemeral"))
        if shown and action["action_id"] in ("next", "more"):
            await self._replace(body, render(shown, alone=alone), alone)
        elif shown and action["action_id"] == "share":
            await self._share(body, channel, shown)
        if said:
            await self._whisper(body, render(said), replace_original=False)

    async def _share(self, body: Json, channel: str, shown: Shown) -> None:
        """The answer for everyone in the channel, whether the bot is in it or not."""
        message = _shared(render(shown), body["user"]["id"], shown.question.shown)
        try:
            sent = await self._post(channel, message)
        except SlackApiError as error:
            if _why(error) not in HARMLESS:
                raise
            await self._whisper(body, message, response_type="in_channel", replace_original=False)
        else:
            await asyncio.to_thread(self._store.note_message, f"slack:{channel}:thread {sent}", shown.answer)
            await asyncio.to_thread(self._store.set_turn, f"slack:{channel}:{sent}", shown.answer, Scope())
            who = await self._person(body["user"]["id"], channel)
            await asyncio.to_thread(noted, self._office, who, Place(who.chat, sent, sent), shown.answer)
        await self._whisper(body, None, delete_original=True)

    async def _on_home(self, event: Json) -> None:
        """The Home tab, or suggested questions beside an empty conversation."""
        who = await self._person(event["user"], event["channel"])
        held, newest = await asyncio.to_thread(self._held, who)
        if event.get("tab") == "home":
            await self._client.views_publish(user_id=event["user"], view=home(held, newest).to_dict())
        elif newest:
            prompts = [_prompt(one.article.title) for one in newest[:PROMPTS]]
            # No thread: where one is named, Slack shows nothing to an app with agent_view.
            await self._client.assistant_threads_setSuggestedPrompts(
                channel_id=event["channel"], prompts=prompts, title=messages.SLACK_PROMPTS
            )

    def _held(self, who: Person) -> tuple[str, list[Revision]]:
        """What the archive holds, and its newest articles; neither for a stranger."""
        conversation = Stored(self._office, who)
        if not conversation.allowed():
            return messages.STRANGER, []
        return conversation.sources(), [one for _, one in self._office.archive.current(limit=HEADLINES)]

    async def person(self, one: str, place: Place) -> Person:
        """With this and `post` it is a `bot.notices.Postbox`."""
        return await self._person(one.partition(":")[2], place.id, place.topic)

    async def post(self, place: Place, what: Shown | str, language: str, key: str, again: bool) -> str:
        """What one person alone was shown is followed up in a direct message. Slack cannot tell what it has already."""
        alone = place.topic[:1] in ("U", "W")
        channel, thread = (place.topic, "") if alone else (place.id, place.topic)
        try:
            return await self._post(channel, render(what), thread)
        except SlackApiError as error:
            if _why(error) in LATER:
                raise Later(_why(error)) from error
            raise Unpostable(_why(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Later(str(error)) from error

    async def watch(self) -> None:
        await watch(self._office, self, self._seats)

    async def _may_ask(self, who: Person) -> bool:
        """What is not even said to the bot is no reason to turn somebody away in front of others."""
        return await asyncio.to_thread(lambda: Stored(self._office, who).allowed())

    async def _tell_admins(self, who: Person) -> None:
        note = messages.say(messages.STRANGER_NOTE, name=who.name, id=who.id.partition(":")[2])
        for admin in self._office.rules.admins:
            with suppress(SlackClientError):
                await self._post(admin, render(note))

    @asynccontextmanager
    async def _turn(self, user: str, channel: str, topic: str) -> AsyncIterator[None]:
        async with self._turns.turn(f"user {user}", f"place {person(user, channel, topic).place}"):
            yield

    async def _person(self, user: str, channel: str, topic: str = "") -> Person:
        rules = self._office.rules
        listed = () if rules.access == "open" else [one for one in rules.allowed if one.startswith("S")]
        groups = frozenset([one for one in listed if user in await self._members_of(one)])
        return person(user, channel, topic, groups)

    async def _members_of(self, group: str) -> frozenset[str]:
        known, members = self._members.get(group, (0.0, frozenset()))
        if time.monotonic() - known > MEMBERS or not known:
            try:
                found = await self._client.usergroups_users_list(usergroup=group)
                members = frozenset(found["users"])
            except SlackApiError as error:
                log.warning("The members of %s are not known: %s. Add the scope usergroups:read.", group, _why(error))
            self._members[group] = time.monotonic(), members
        return members

    async def _work(self, job: Callable[[], T], text: str = "") -> T:
        return await self._seats.work(job, text)

    @asynccontextmanager
    async def _thinking(self, channel: str, thread: str) -> AsyncIterator[None]:
        """In a direct message a person sees that the bot is at work; Slack takes that away with the answer."""

        async def say_so() -> None:
            await asyncio.sleep(PATIENCE)
            with suppress(SlackClientError, aiohttp.ClientError, TimeoutError):  # a courtesy; the answer matters
                await self._client.assistant_threads_setStatus(
                    channel_id=channel, thread_ts=thread, status=messages.SLACK_STATUS
                )

        task = asyncio.create_task(say_so()) if _direct(channel) else None
        try:
            yield
        finally:
            if task:
                task.cancel()

    async def _post(self, channel: str, message: Message, thread: str = "") -> str:
        sent = await self._client.chat_postMessage(channel=channel, thread_ts=thread or None, **message.to_dict())
        return str(sent["ts"])

    async def _edit(self, channel: str, ts: str, message: Message) -> str:
        parts = message.to_dict()
        await self._client.chat_update(channel=channel, ts=ts, text=parts["text"], blocks=parts["blocks"])
        return ts

    async def _replace(self, body: Json, message: Message, alone: bool) -> None:
        if alone:
            await self._whisper(body, message, replace_original=True)
        else:
            await self._edit(body["channel"]["id"], body["message"]["ts"], message)

    async def _whisper(
        self,
        body: Json,
        message: Message | None,
        response_type: str = "ephemeral",
        replace_original: bool | None = None,
        delete_original: bool | None = None,
    ) -> None:
        """To who asked alone, by the address that came along; it is good for half an hour."""
        hook = AsyncWebhookClient(
            body["response_url"], session=self._client.session, retry_handlers=retries(), logger=log
        )
        parts = message.to_dict() if message else {}
        sent = await hook.send(
            response_type=response_type, replace_original=replace_original, delete_original=delete_original, **parts
        )
        if sent.status_code != 200:
            log.warning("Slack did not take a reply: %d %s", sent.status_code, sent.body[:100])


def _prompt(title: str) -> dict[str, str]:
    """A suggested question, short to read and whole to ask."""
    return {"title": cut(title, PROMPT), "message": messages.SLACK_PROMPT.format(title=cut(title, FIELD))}


def _with_help(message: Message, asked: Asked) -> Message:
    """Where commands are listed: how they are written here."""
    if asked.text.lower() not in ("/help", "/start"):
        return message
    return Message(message.text, (*message.blocks, *_said([messages.SLACK_COMMANDS])))


def _why(error: SlackApiError) -> str:
    found = getattr(error.response, "data", error.response)
    return str(found.get("error", "")) if isinstance(found, Mapping) else ""


def retries() -> list[AsyncRetryHandler]:
    """Waits while Slack says so, and tries again while it cannot be reached."""
    return [
        AsyncRateLimitErrorRetryHandler(max_retry_count=TRIES),
        AsyncServerErrorRetryHandler(max_retry_count=TRIES),
        AsyncConnectionErrorRetryHandler(max_retry_count=TRIES),
    ]


@asynccontextmanager
async def opened(office: Office, settings: Settings) -> AsyncIterator[tuple[AsyncApp, Desk]]:
    """The app and who answers, not listening yet. Raises BadSettings."""
    token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    api = f"{settings.slack_api.rstrip('/') or 'https://slack.com'}/api/"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        client = AsyncWebClient(token, api, session=session, retry_handlers=retries(), logger=log)
        with_bot = await _foreseen(client.auth_test(), messages.BAD_SLACK_TOKEN)
        desk = Desk(office, client, with_bot["team_id"], with_bot["user_id"])
        # Without a secret nothing may come in over HTTP: a random one is known to nobody.
        app = AsyncApp(client=client, signing_secret=secret or secrets.token_hex(), name="pullquote", logger=log)

        async def take(body: dict[str, Any]) -> BoltResponse:
            return await desk.take(body)

        app.use(take)
        yield app, desk


async def serve(office: Office, settings: Settings, stop: asyncio.Event, check: float = CHECK) -> None:
    """Until `stop` is set; what is in hand then is finished. Raises BadSettings."""
    if not (settings.slack_app_token or settings.slack_signing_secret):
        raise BadSettings(messages.NO_SLACK_WAY)
    async with opened(office, settings) as (app, desk):
        await desk.resume()  # before anything new can come, or that would be taken for a rest too
        watching, stopping = asyncio.create_task(desk.watch()), asyncio.create_task(stop.wait())
        checking = asyncio.create_task(_checked(app.client, check))
        try:
            async with hearing(app, settings):
                await asyncio.wait({stopping, checking}, return_when=asyncio.FIRST_COMPLETED)
        finally:  # also where it could not listen: what is in hand still needs the connection
            for task in (watching, stopping, checking):
                task.cancel()
            await asyncio.gather(watching, stopping, return_exceptions=True)
            await desk.finish()
        with suppress(asyncio.CancelledError):
            await checking


async def _checked(client: AsyncWebClient, seconds: float) -> None:
    """For ever. Raises BadSettings once the token was revoked."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await client.auth_test()
        except SlackApiError as error:
            if _why(error) in REVOKED:
                raise BadSettings(messages.BAD_SLACK_TOKEN) from error
        except (aiohttp.ClientError, TimeoutError):
            log.info("Slack cannot be reached.")


def hearing(app: AsyncApp, settings: Settings) -> AbstractAsyncContextManager[None]:
    """By Socket Mode where there is an app token, otherwise over HTTP. Raises BadSettings."""
    return _socket(app, settings) if settings.slack_app_token else _http(app, settings)


@asynccontextmanager
async def _socket(app: AsyncApp, settings: Settings) -> AsyncIterator[None]:
    token = settings.slack_app_token.get_secret_value() if settings.slack_app_token else ""
    handler = AsyncSocketModeHandler(app, token, logger=log, web_client=app.client)
    try:
        handler.client.wss_uri = await _foreseen(handler.client.issue_new_wss_url(), messages.BAD_SLACK_APP_TOKEN)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _http(app: AsyncApp, settings: Settings) -> AsyncIterator[None]:
    """Requests whose signature is wrong or old are answered 401 by Bolt."""
    async with listening(app.web_app(PATH), settings.slack_listen, "PULLQUOTE_SLACK_LISTEN"):
        yield


async def _foreseen(call: Awaitable[T], refused: str) -> T:
    """What may go wrong at the start, as BadSettings."""
    try:
        return await call
    except SlackApiError as error:
        raise BadSettings(refused) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BadSettings(messages.NO_SLACK) from error
