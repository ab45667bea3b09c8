"""Matrix: rooms, threads, mentions, reactions, in its HTML. The only file that imports nio."""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from html import escape
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote as quoted_path
from urllib.parse import unquote, urlsplit

import aiohttp
import nio

from bot import messages
from bot.conversation import (
    RIGHT,
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
from bot.reception import Asked, Seats, Turns, answered, noted, pressed
from bot.settings import BadSettings, Settings
from bot.watchlist import Place
from corpus.archive import Revision
from corpus.article import BadArticle, Span, line
from corpus.sources.files import MAX_DOCUMENT
from retrieval.answer import Answer
from retrieval.citation import Citation, link

LONGEST = 12_000  # units of a message with everything in it
HEAVIEST = 28_000  # bytes of its text and HTML; an edit holds both twice, and an event takes 65,536 with everything
LINK = 2_100  # characters of an address; a longer one is left out
PATIENCE = 0.5  # seconds after which a person sees that the bot is typing
TYPING = 30_000  # milliseconds that this is seen, if nothing is said
RECENT = 6 * 3_600  # seconds; what came while the bot was away and is older is not answered
TIMELINE = 50  # events of a room in one sync; what is missing is fetched
PAGES = 20  # of 100 events, fetched of what is missing
WAIT = 30_000  # milliseconds that the server may wait with a sync for something new
PAUSES = (1, 2, 4, 8, 16, 30)  # seconds between tries while the server cannot serve
GRACE = 20  # seconds to finish what is in hand
NO_ROOM = 600  # seconds until it is looked again whether somebody has invited the bot
QUIET = 3_600  # seconds without offered reactions after the server said that there is too much
BOOKMARK = "matrix.json"  # in the data folder: the device and how far it has read
NEXT, MORE, GOOD, BAD = "➡️", "➕", "👍", "👎"
VOTES = {GOOD: RIGHT, BAD: "a"}
SHOWN = "pullquote.shown"  # in an answer of ours: which citation it shows, and how much around it
OURS = frozenset(
    "ask new since until outlet sources verify export follow following unfollow notices help start add forget status"
    " feedback invite".split()
)
ALONE = ("help", "new", "sources", "export", "following")  # words that are commands where nobody else can be meant
HARMLESS = {"M_FORBIDDEN", "M_NOT_FOUND"}  # there is nothing left to do: put out, may not write, is gone
FILTER: dict[str, Any] = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "timeline": {"limit": TIMELINE, "lazy_load_members": True},
        "state": {"types": ["m.room.member", "m.room.encryption"], "lazy_load_members": True},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
    },
}
log = logging.getLogger("pullquote.matrix")

T = TypeVar("T")
Json = Mapping[str, Any]
Work = Callable[[], Awaitable[object]]
_PILL = re.compile(r"""href\s*=\s*["']https://matrix\.to/#/((?:@|%40)[^"'?]+)""", re.IGNORECASE)
_COMMAND = re.compile(r"([!/])(\w+)(?: (.*))?")
_TONES = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")  # how an emoji is drawn


@dataclass(frozen=True, slots=True)
class Me:
    """The bot's account."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Post:
    """A message, or what one became when it was edited."""

    id: str
    room: str
    sender: str
    kind: str  # "m.text", "m.file", ...
    body: str
    direct: bool  # nobody else is in the room
    thread: str = ""  # id of the message that its thread is below
    replied: str = ""  # id of the message that it replies to
    named: frozenset[str] = frozenset()  # whom it mentions, the bot too
    edits: str = ""  # id of the message that it takes the place of
    url: str = ""  # of a file

    @property
    def root(self) -> str:
        """What an answer's thread is below."""
        return self.thread or self.id

    @property
    def topic(self) -> str:
        """The conversation that it is in."""
        return self.thread or ("" if self.direct else self.id)


@dataclass(frozen=True, slots=True)
class Message:
    """The same in plain text and in Matrix's HTML."""

    text: str
    html: str
    shown: str = ""

    @property
    def weight(self) -> int:
        """Bytes, as they are sent."""
        return len(json.dumps([self.text, self.html], ensure_ascii=False).encode())

    def content(self) -> dict[str, Any]:
        """Says that nobody is mentioned, or some apps would look for names in the text."""
        said: dict[str, Any] = {"msgtype": "m.notice", "body": self.text, "format": "org.matrix.custom.html"}
        said |= {"formatted_body": self.html, "m.mentions": {}}
        return said | ({SHOWN: self.shown} if self.shown else {})


# From Matrix


def read(event: Json, room: str, direct: bool, me: Me) -> Post | None:
    """A message of somebody else. None where it is none, or where it is a bot's: those send notices."""
    content = event.get("content")
    if event.get("type") != "m.room.message" or event.get("sender") == me.id or not isinstance(content, Mapping):
        return None
    relates = _at(content, "m.relates_to")
    edited = _at(relates, "rel_type") == "m.replace"
    content = _at(content, "m.new_content") if edited else content
    kind, body = _text(_at(content, "msgtype")), _text(_at(content, "body"))
    if kind not in ("m.text", "m.file"):
        return None
    target, reply = _text(_at(relates, "event_id")), _text(_at(relates, "m.in_reply_to", "event_id"))
    threaded = _at(relates, "rel_type") == "m.thread"
    return Post(
        id=_text(event.get("event_id")),
        room=room,
        sender=_text(event.get("sender")),
        kind=kind,
        body=_without_fallback(body) if reply else body,
        direct=direct,
        thread=target if threaded else "",
        replied="" if threaded and _at(relates, "is_falling_back") is True else reply,
        named=_named(content, me),
        edits=target if edited else "",
        url=_text(_at(content, "url")),
    )


def _at(value: Any, *keys: str) -> Any:
    """What stands below these keys; None where anything is missing or of another shape."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _without_fallback(body: str) -> str:
    """Without the lines that older apps put in front of a reply: the message that it replies to."""
    if not body.startswith("> "):
        return body
    lines = body.split("\n")
    own = next((number for number, one in enumerate(lines) if not one.startswith(">")), len(lines))
    return "\n".join(lines[own:]).strip()


def _named(content: Any, me: Me) -> frozenset[str]:
    """Ids of who is mentioned: as the app says, or for an app that does not say, whom the text links."""
    said = _at(content, "m.mentions")
    if isinstance(said, Mapping):
        listed = said.get("user_ids")
        return frozenset(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else frozenset()
    linked = {unquote(one) for one in _PILL.findall(_text(_at(content, "formatted_body"))[:20_000])}
    return frozenset(linked | ({me.id} if me.id in _text(_at(content, "body")) else set()))


def to_question(post: Post, me: Me) -> Asked | None:
    """What the message asks of this bot; None: it is not for us.

    A message in a thread that mentions nobody is a question if the thread is one of ours: see `addressed`.
    """
    if not addressed(post, me) and (not post.thread or post.named - {post.sender}):
        return None
    words = _unnamed(line(post.body), me, me.id in post.named)
    return Asked(_command(words, post.direct), post.replied) if words else None


def addressed(post: Post, me: Me) -> bool:
    """Whether the message is to this bot: it mentions it, begins with its name or !ask, or nobody else can read it."""
    words = line(post.body)
    begins = _unnamed(words, me, False) != words or re.match(r"!ask\b", words, re.IGNORECASE)
    return post.direct or me.id in post.named or bool(begins)


def _unnamed(words: str, me: Me, mentioned: bool) -> str:
    """A line without the bot's name in front; where it is mentioned, also without its id, and its name at the end."""
    name = f"(?:@?{re.escape(me.name)}|{re.escape(me.id.partition(':')[0])})"
    front = rf"^(?:{re.escape(me.id)}[:,]?(?!\S)|{name}{'[:,]?' if mentioned else '[:,]'}(?!\S)) ?"
    words = re.sub(front, "", words, count=1, flags=re.IGNORECASE)
    if mentioned:
        words = re.sub(rf",? (?:{re.escape(me.id)}|{name}) ?([?!.]*)$", r"\1", words, count=1, flags=re.IGNORECASE)
        words = words.replace(me.id, "")
    return line(words)


def _command(words: str, direct: bool) -> str:
    """`!ask` may have a command behind it; apps keep `/` for themselves, so `!` does too."""
    found = _COMMAND.fullmatch(words)
    asked = found and found[2].lower() == "ask" and found[3]
    if asked:
        words, found = asked, _COMMAND.fullmatch(asked)
    if (direct or asked) and (words.lower() in ALONE or re.fullmatch(r"start [\w-]{11}", words, re.IGNORECASE)):
        return f"/{words}"
    known = found and found[2].lower() in OURS
    return f"/{found[2].lower()} {found[3] or ''}".strip() if found and known else words


def person(user: str, room: str, topic: str = "") -> Person:
    """Listed may be the person, the room, or the person's server."""
    return Person(f"matrix:{user}", f"matrix:{room}", topic, user, groups=frozenset({user.partition(":")[2]}))


# To Matrix


def render(reply: Reply, answer: str = "") -> Message:
    """`answer` is the id under which an Answer is stored: one that is has reactions."""
    reply = opening(reply, answer)
    if isinstance(reply, Answer):
        return _refused(reply)
    if isinstance(reply, Shown):
        return _shown(reply)
    if isinstance(reply, Verified):
        return _verified(reply)
    if isinstance(reply, Sources):
        return _list([_headline(one) for one in reply.revisions])
    if isinstance(reply, Export):
        text = cut(reply.text, LONGEST // 2)
        return Message(text, f"<pre><code>{escape(text, quote=False)}</code></pre>")
    return _said([] if isinstance(reply, End) else cut(reply, LONGEST // 2).split("\n"))


@dataclass(frozen=True, slots=True)
class _Line:
    """A line below a quote: text, or text with an address."""

    text: str
    url: str = ""

    @property
    def plain(self) -> str:
        return f"{self.text}\n{self.url}" if self.url else self.text

    @property
    def html(self) -> str:
        shown = escape(self.text, quote=False)
        return f'<a href="{escape(self.url)}">{shown}</a>' if self.url else shown


def _shown(shown: Shown) -> Message:
    """What was understood, the answer, the passage around it, where that stands, what to know of it."""
    foot = [cut(one, FIELD) for one in notes(shown)]
    if shown.count > 1:
        foot.append(messages.say(messages.SOURCE_OF, number=shown.number, count=shown.count))
    foot += [messages.DIFFER] if shown.differing else []
    tail = [_Line(cut(text, FIELD), _address(url)) for text, url in reports(shown)]
    at = f"{shown.number}:{shown.widened}" if shown.answer else ""
    return replace(_cited(shown.citation, above(shown), foot, tail, front=shown.sure), shown=at)


def _verified(verified: Verified) -> Message:
    said = messages.VERIFY_EXACT if verified.exact else messages.say(messages.VERIFY_NEAR)
    head = [said, *filter(None, [cut(verified.differences, 1_500)])]
    return _cited(verified.citation, head, [cut(one, FIELD) for one in told_of(verified.citation)])


def _refused(answer: Answer) -> Message:
    said = _said(refusal(answer))
    if not answer.nearest:
        return said
    closest, listed = _said([messages.CLOSEST]), _list([_headline(one) for one in answer.nearest])
    return Message(f"{said.text}\n\n{closest.text}\n{listed.text}", said.html + closest.html + listed.html)


def _cited(
    citation: Citation, head: Sequence[str], foot: Sequence[str], tail: Sequence[_Line] = (), front: bool = False
) -> Message:
    """Head, in front the answer with the words that answer in bold, the quote in its context, the source, what is
    below it. What is too heavy for an event loses context, then the end of the quote; the source stays.
    """
    besides = sum(map(units, (*head, *foot, *(one.plain for one in tail)))) + 8 * FIELD
    room = LONGEST - besides
    while True:
        message = _fitted(citation, head, foot, tail, room, front)
        if message.weight <= HEAVIEST or room <= 0:
            return message
        room = room * 3 // 4 - 1


def _fitted(
    citation: Citation, head: Sequence[str], foot: Sequence[str], tail: Sequence[_Line], room: int, front: bool
) -> Message:
    quote = citation.quote
    twice = 2 * units(quote) <= room
    answer, words = (quote, citation.words) if twice else (cut(quote, FIELD), None)
    before, passage, after = around(citation.before, quote, citation.after, room - (units(answer) if front else 0))
    said = _said(head) if head else Message("", "")
    lines, html = [said.text] if head else [], said.html
    if front:
        lines, html = [*lines, answer], f"{html}<p>{_bold(answer, words)}</p>"
    whole = f"{before}{passage}{after}"
    plain = whole if front else f"{before}**{passage}**{after}"  # marked where it does not stand above
    lines += [f"> {one}".rstrip() for one in plain.split("\n")]
    html += f"<blockquote>{_bold(whole, (len(before), len(before) + len(passage)))}</blockquote>"
    source, address = _source(citation)
    lines += [source, *filter(None, [address]), *foot, *(f"• {one.plain}" for one in tail)]
    html += "<p>" + "<br>".join([_linked_source(citation), *(escape(one, quote=False) for one in foot)]) + "</p>"
    return Message("\n".join(lines), html + (_list(tail).html if tail else ""))


def _source(citation: Citation) -> tuple[str, str]:
    outlet, day, authors = known_of(citation.article)
    known = (outlet, cut(citation.article.title, FIELD), day, authors)
    return " · ".join(filter(None, known)), _address(link(citation))


def _linked_source(citation: Citation) -> str:
    outlet, day, authors = (escape(one, quote=False) for one in known_of(citation.article))
    title = _Line(cut(citation.article.title, FIELD), _address(link(citation))).html
    return " · ".join(filter(None, (outlet, title, day, authors)))


def _bold(text: str, bold: Span | None) -> str:
    first, last = bold or (0, 0)
    before, strong, after = (_breaks(part) for part in (text[:first], text[first:last], text[last:]))
    return f"{before}<strong>{strong}</strong>{after}" if strong else before + after


def _breaks(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")


def _said(lines: Sequence[str]) -> Message:
    return Message("\n".join(lines), "<p>" + "<br>".join(escape(one, quote=False) for one in lines) + "</p>")


def _list(lines: Sequence[_Line]) -> Message:
    items = "".join(f"<li>{one.html}</li>" for one in lines)
    return Message("\n".join(f"• {one.plain}" for one in lines), f"<ul>{items}</ul>")


def _headline(revision: Revision) -> _Line:
    return _Line(cut(revision.article.title, FIELD), _address(revision.article.url))


def _address(url: str) -> str:
    """Where an app opens the address and there is room for it; "": nowhere. A matrix.to link would become a person."""
    safe = re.sub(r"[\s<>\"\x00-\x1f\x7f]", lambda found: quoted_path(found[0], safe=""), url)
    if len(safe) > LINK and ":~:" in safe:
        safe = safe.partition("#")[0]
    return safe if on_the_web(safe) and len(safe) <= LINK and urlsplit(safe).hostname != "matrix.to" else ""


# At work


class Refused(RuntimeError):
    """The server did not do it."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"{status} {code}")
        self.code, self.status = code, status


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Of one account: its device, and how far it has read."""

    server: str = ""
    user: str = ""
    device: str = ""
    since: str = ""  # "": nothing yet


def open_bookmark(path: Path, server: str) -> Bookmark:
    """What was kept for an account on this server; an empty one where that was another or cannot be read."""
    try:
        found = Bookmark(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Bookmark(server)
    except (ValueError, TypeError):
        log.warning("%s is damaged and is made anew: nothing is answered that came before now.", path)
        return Bookmark(server)
    return found if found.server == server else Bookmark(server)


def keep_bookmark(path: Path, mark: Bookmark) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(asdict(mark)), "utf-8")
    part.replace(path)


class Desk:
    """Answers what comes to one account, and says unasked what is to be said: a `bot.notices.Postbox`."""

    channel = "matrix"

    def __init__(
        self, office: Office, client: nio.AsyncClient, me: Me, bookmark: Path, mark: Bookmark, now: Callable[[], float]
    ) -> None:
        self._office, self._store, self._client, self._me = office, office.store, client, me
        self._bookmark, self._mark, self._kept, self._now = bookmark, mark, Bookmark(), now
        self._prefix = f"matrix/{me.id}/"
        self._seats, self._turns = Seats(office.seats), Turns()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slowed = float("-inf")  # when the server said that there is too much
        client.add_response_callback(self._on_slowed, nio.ErrorResponse)

    async def listen(self) -> None:
        """Until it is cancelled. What came before the program was stopped is answered first. Raises BadSettings."""
        now = await self._sync(whole=True)  # who is in which room
        await self._resume()  # not later: nothing new is kept yet
        self._take_invitations(now)
        await self._read_on(self._mark.since or now.next_batch)  # what was said before a first start is no question
        while True:
            since, found = self._mark.since, await self._sync()
            self._take_invitations(found)
            await self._take_messages(found, since)
            await self._read_on(found.next_batch)

    async def _read_on(self, since: str) -> None:
        mark = replace(self._mark, since=since)
        if mark != self._kept:
            await asyncio.to_thread(keep_bookmark, self._bookmark, mark)
            self._mark = self._kept = mark

    async def finish(self) -> None:
        """Waits for what is in hand, but not for ever: the rest is for the next start."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=GRACE)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _sync(self, whole: bool = False) -> nio.SyncResponse:
        """What is new, once something is; `whole`: how things stand."""
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            # How things stand is told at once, whatever the wait; for minutes Synapse tells the same again to who asks
            # the very same.
            wait, since = (WAIT + secrets.randbelow(WAIT), None) if whole else (WAIT, self._mark.since)
            try:
                found = await self._client.sync(wait, FILTER, since)
            except aiohttp.ClientError as error:
                log.warning("The Matrix server could not be reached: %s", error)
            except Exception:  # what is in a room must not stop the bot; the library has gone past it
                log.exception("what the server sent could not be read, and is left out")
                self._mark = replace(self._mark, since=self._client.next_batch or self._mark.since)
            else:
                if isinstance(found, nio.SyncResponse):
                    return found
                self._check(found)
            await asyncio.sleep(pause)
        raise AssertionError("not reached")

    def _check(self, refused: nio.SyncError) -> None:
        """Raises BadSettings where it is of no use to ask again."""
        if refused.status_code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"):
            raise BadSettings(messages.MATRIX_LOGGED_OUT)
        log.warning("The Matrix server refused a sync: %s", line(str(refused)))
        if _status(refused) == 400:  # it does not know how far the bot has read: it was made anew
            self._mark = replace(self._mark, since=self._client.next_batch)

    def _take_invitations(self, found: nio.SyncResponse) -> None:
        for room, info in found.rooms.invite.items():
            for event in info.invite_state:
                if isinstance(event, nio.InviteMemberEvent) and event.state_key == self._me.id:
                    body = {"type": "invitation", "sender": event.sender}
                    self._take(f"invitation {room} {found.next_batch}", room, False, body)

    async def _take_messages(self, found: nio.SyncResponse, since: str) -> None:
        for name, info in found.rooms.join.items():
            room = self._client.rooms.get(name)
            if room and room.encrypted:
                self._regret(name)
                continue
            for source in [*await self._missed(name, info.timeline, since), *_sources(info.timeline.events)]:
                self._take(_text(source.get("event_id")), name, bool(room and room.member_count == 2), source)

    async def _missed(self, room: str, timeline: nio.Timeline, since: str) -> list[Json]:
        """What lies between the last sync and this one, oldest first, as far as it is recent; not of a room that the
        bot has just come into.
        """
        missed: list[Json] = []
        start = timeline.prev_batch if timeline.limited and not self._joins(timeline) else None
        for _ in range(PAGES):
            if not start:
                break
            page = await self._client.room_messages(room, start, end=since, limit=100)
            if not isinstance(page, nio.RoomMessagesResponse):
                log.warning("What was missed in %s could not be fetched: %s", room, line(str(page)))
                break
            missed += _sources(page.chunk)
            start = page.end if page.chunk and self._recent(page.chunk[-1].source) else None
        return missed[::-1]

    def _joins(self, timeline: nio.Timeline) -> bool:
        return any(
            one.get("type") == "m.room.member" and one.get("state_key") == self._me.id
            for one in _sources(timeline.events)
        )

    def _recent(self, source: Json) -> bool:
        sent = source.get("origin_server_ts")
        return isinstance(sent, int) and self._now() - sent / 1_000 < RECENT

    def _take(self, name: str, room: str, direct: bool, event: Json) -> None:
        """It is on disk before the bot has read on, so that a crash loses nothing; what comes again is let go."""
        body = {"name": name, "room": room, "direct": direct, "event": event}
        work = self._work_of(body)
        if work and self._store.arrived(f"{self._prefix}{name}", json.dumps(body)):
            self._begin(body, work)

    async def _resume(self) -> None:
        for text in await asyncio.to_thread(self._store.unfinished, self._prefix):
            body = json.loads(text)
            if work := self._work_of(body, again=True):
                self._begin(body, work)

    def _work_of(self, body: Json, again: bool = False) -> Work | None:
        """What is to be done for it; None: it is not for us."""
        event, room = body["event"], body["room"]
        kind = event.get("type")
        if kind == "invitation":
            return partial(self._on_invitation, room, event["sender"])
        if event.get("sender") == self._me.id or not body["name"] or not (again or self._recent(event)):
            return None
        if kind == "m.room.redaction":
            gone = _text(event.get("redacts")) or _text(_at(event, "content", "redacts"))
            return partial(self._on_redaction, room, gone, body["name"]) if gone else None
        if kind == "m.reaction":
            return self._work_of_reaction(room, event)
        post = read(event, room, body["direct"], self._me)
        return self._work_of_post(post) if post else None

    def _work_of_reaction(self, room: str, event: Json) -> Work | None:
        relates = _at(event, "content", "m.relates_to")
        target, key = _text(_at(relates, "event_id")), _plain_emoji(_text(_at(relates, "key")))
        offered = next((one for one in (NEXT, MORE, *VOTES) if _plain_emoji(one) == key), "")
        noted = self._store.message(f"matrix:{room}:{target}") if offered else None
        if not noted or not noted[0] or noted[1]:
            return None
        return partial(self._on_reaction, room, event["sender"], target, noted[0], offered, event["event_id"])

    def _work_of_post(self, post: Post) -> Work | None:
        if post.edits:
            return partial(self._on_edited, post)
        if post.kind == "m.file":
            return partial(self._on_file, post) if addressed(post, self._me) else None
        if to_question(post, self._me) is None or not self._followed(post):
            return None
        if addressed(post, self._me):  # at once: what is said there next may come before the answer
            self._enter(post)
        return partial(self._on_message, post, post.id)

    def _followed(self, post: Post) -> bool:
        """Whether the message is to this bot, or in a thread that it is in."""
        thread = f"matrix:{post.room}:thread {post.thread}"
        return addressed(post, self._me) or self._store.message(thread) is not None

    def _enter(self, post: Post) -> None:
        self._store.note_message(f"matrix:{post.room}:thread {post.root}", "")

    def _begin(self, body: Json, work: Work) -> None:
        task = asyncio.create_task(self._deal(body, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deal(self, body: Json, work: Work) -> None:
        """One sentence with an id for what nobody foresaw; the trace stands in the log.

        What could not be said to the server stays in the inbox for the next start.
        """
        try:
            await work()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("The Matrix server could not be reached: %s", error)
            return
        except Refused as error:
            if error.status >= 500:
                log.warning("The Matrix server could not serve: %s", error)
                return
            if error.code in HARMLESS:
                log.info("%s", error)
            else:
                await self._apologise(body, error)
        except Exception as error:  # noqa: BLE001 - logged there, and said
            await self._apologise(body, error)
        await asyncio.to_thread(self._store.dealt_with, f"{self._prefix}{body['name']}")

    async def _apologise(self, body: Json, error: Exception) -> None:
        name = secrets.token_hex(4)
        log.error("error %s", name, exc_info=error)
        post = read(body["event"], body["room"], body["direct"], self._me)
        if post and not post.edits:
            with suppress(Refused, aiohttp.ClientError, TimeoutError):
                await self._answer(post, render(messages.say(messages.WENT_WRONG, id=name)), name)

    async def _on_message(self, post: Post, said_by: str) -> None:
        """`said_by`: the event that said it, which is another than the message where that was edited: then the answer
        is edited, or one that was not answered yet gets a new one.
        """
        asked, said = to_question(post, self._me), f"matrix:{post.room}:{post.id}"
        who = person(post.sender, post.room, post.topic)
        async with self._turns.turn(f"user {post.sender}", f"place {who.place}", f"message {said}"):
            if asked is None or not (addressed(post, self._me) or await self._may_ask(who)):
                return
            noted = await asyncio.to_thread(self._store.message, said) if said_by != post.id else None
            instead = noted[1] if noted else ""
            async with self._typing(post.room):
                asked = await self._with_context(asked, post)
                reply, answer, strange = await self._seats.work(
                    lambda: answered(self._office, who, asked, "" if instead else said), asked.text
                )
            if reply is None:
                return
            message = _with_help(render(reply, answer), asked)
            if not message.text:
                return
            if instead:
                sent = await self._edit(post.room, instead, message, said_by)
            else:
                sent = await self._answer(post, message, said_by)
            await asyncio.to_thread(self._note, who, post, answer, sent)
        if strange:
            await self._tell_admins(who, post.id)
        if answer and not instead and isinstance(reply, Answer) and reply.quoted:
            await self._offer(post.room, sent, len(reply.quoted))

    async def _with_context(self, asked: Asked, post: Post) -> Asked:
        """The words of somebody else's message that it replies to, which an answer of ours is not."""
        if not asked.replied or self._store.message(f"matrix:{post.room}:{asked.replied}"):
            return asked
        found = None
        with suppress(Refused):  # it is gone, or from before the bot came
            found = read(await self._fetch(post.room, asked.replied), post.room, post.direct, self._me)
        return replace(asked, replied="", context=line(found.body) if found else "")

    def _note(self, who: Person, post: Post, answer: str, sent: str) -> None:
        """Which message answers which, and that the bot is in this thread."""
        self._enter(post)
        self._store.note_message(f"matrix:{post.room}:{post.id}", answer, sent)
        if answer:
            self._store.note_message(f"matrix:{post.room}:{sent}", answer)
            noted(self._office, who, Place(who.chat, post.root, sent), answer)
        if not post.topic:  # what is asked in its thread leans on it
            self._store.set_turn(replace(who, topic=post.root).place, *self._store.turn(who.place))

    async def person(self, person: str, place: Place) -> Person:
        """Listed may also be their server."""
        return Person(person, place.chat, place.topic, groups=frozenset({person.partition(":")[2].partition(":")[2]}))

    async def post(self, place: Place, what: Shown | str, language: str, key: str, again: bool) -> str:
        """The server keeps one of two messages with the same key. A person's place is a room with the bot alone."""
        if place.id.startswith("@"):
            alone = next(self._alone_with({place.id}), "")
            if not alone:
                raise Later("there is no room with the bot and this person alone", NO_ROOM)
            place = replace(place, chat=f"matrix:{alone}")
        message = render(what)
        root = place.topic or place.message
        content = _threaded(message, place.message or root, root) if root else message.content()
        try:
            sent = await self._send(place.id, "m.room.message", content, key)
        except Refused as error:
            raise (Later if error.status >= 500 else Unpostable)(str(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Later(str(error)) from error
        if isinstance(what, Shown):
            with suppress(Refused, aiohttp.ClientError, TimeoutError):  # reactions are a courtesy
                await self._offer(place.id, sent, what.count)
        return sent

    async def watch(self) -> None:
        await watch(self._office, self, self._seats)

    async def _on_edited(self, edit: Post) -> None:
        """Only who said it may edit it, which a server need not see to."""
        before = read(await self._fetch(edit.room, edit.edits), edit.room, edit.direct, self._me)
        if before is None or before.sender != edit.sender or before.body == edit.body:
            return
        post = replace(before, body=edit.body, named=edit.named, kind=edit.kind)
        if post.kind != "m.text" or to_question(post, self._me) is None or not self._followed(post):
            return
        await self._on_message(post, edit.id)

    async def _on_redaction(self, room: str, gone: str, redaction: str) -> None:
        """The answer goes with its question, which is answered no more if it waits for that."""
        said = f"matrix:{room}:{gone}"
        async with self._turns.turn(f"message {said}"):
            noted = await asyncio.to_thread(self._store.message, said)
            if noted and noted[1]:
                await self._call(lambda: self._client.room_redact(room, noted[1], tx_id=_key(redaction)))
                await asyncio.to_thread(self._store.watchlist.hide, *noted)
            await asyncio.to_thread(self._store.note_message, said, "", "")

    async def _on_reaction(self, room: str, user: str, target: str, answer: str, key: str, reaction: str) -> None:
        """Votes are taken in silence: the reaction itself is seen."""
        who = person(user, room)
        if not await self._may_ask(who):
            return
        async with self._turns.turn(f"message matrix:{room}:{target}"):
            number, widened = await self._state(room, target)
            number, widened = (number + 1, 0) if key == NEXT else (number, widened + 1)
            reason = VOTES.get(key, "")
            if reason:
                number, widened = 1, 0
            said, shown = await self._seats.work(lambda: pressed(self._office, who, answer, number, widened, reason))
            if shown and not reason:
                await self._edit(room, target, render(shown), reaction)
            elif said and not reason:
                ours = _at(await self._fetch(room, target), "content", "m.relates_to", "event_id")
                content = _threaded(render(said), target, _text(ours) or target)
                await self._send(room, "m.room.message", content, reaction)

    async def _state(self, room: str, target: str) -> tuple[int, int]:
        """Which citation our answer shows, and how much around it: it says so itself."""
        event = await self._fetch(room, target)
        edited = _at(event, "unsigned", "m.relations", "m.replace", "content", "m.new_content", SHOWN)
        found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", _text(edited) or _text(_at(event, "content", SHOWN)))
        return (int(found[1]), int(found[2])) if found else (1, 0)

    async def _on_invitation(self, room: str, user: str) -> None:
        """Of a stranger: declined without a word."""
        if await self._may_ask(person(user, room)):
            await self._call(lambda: self._client.join(room))
        else:
            log.info("An invitation of %s is declined.", line(user)[:FIELD])
            await self._call(lambda: self._client.room_leave(room))

    async def _on_file(self, post: Post) -> None:
        """Taken in, where an administrator sends it."""
        who = person(post.sender, post.room, post.topic)
        async with self._turns.turn(
            f"user {post.sender}", f"place {who.place}", f"message matrix:{post.room}:{post.id}"
        ):
            conversation = await asyncio.to_thread(Stored, self._office, who)
            if not conversation.admin:
                said = messages.ADMINS_ONLY
            else:
                async with self._typing(post.room):
                    try:
                        data = await self._download(post.url)
                        said = await asyncio.to_thread(conversation.add_document, data, line(post.body)[:FIELD])
                    except BadArticle as error:
                        said = str(error)
            await self._answer(post, render(said), post.id)

    def _regret(self, room: str) -> None:
        """Once in each encrypted room: that nothing can be read there."""
        if self._store.first_time(f"{self._prefix}encrypted {room}"):
            body = {"type": "m.room.encryption", "event_id": "encrypted"}
            said = render(messages.MATRIX_ENCRYPTED).content()
            work = partial(self._send, room, "m.room.message", said, f"encrypted {room}")
            self._begin({"name": f"encrypted {room}", "room": room, "direct": False, "event": body}, work)

    async def _may_ask(self, who: Person) -> bool:
        """What is not even said to the bot is no reason to turn somebody away in front of others."""
        return await asyncio.to_thread(lambda: Stored(self._office, who).allowed())

    async def _tell_admins(self, who: Person, event: str) -> None:
        """In rooms that the bot has with one of them alone."""
        note = render(messages.say(messages.STRANGER_NOTE, name=cut(who.name, FIELD), id=who.id.partition(":")[2]))
        for name in self._alone_with(self._office.rules.admins):
            with suppress(Refused):
                await self._send(name, "m.room.message", note.content(), f"{event} {name}")

    def _alone_with(self, people: Collection[str]) -> Iterator[str]:
        """Rooms in which the bot is with one of these people and nobody else, and can be read."""
        for name, room in list(self._client.rooms.items()):
            known = {*room.users, *((room.summary and room.summary.heroes) or ())} - {self._me.id}
            if room.member_count == 2 and not room.encrypted and known and all(one in people for one in known):
                yield name

    @asynccontextmanager
    async def _typing(self, room: str) -> AsyncIterator[None]:
        """While this lasts longer than PATIENCE, the room sees that the bot is typing."""

        async def say_so() -> None:
            await asyncio.sleep(PATIENCE)
            with suppress(aiohttp.ClientError, TimeoutError):  # a courtesy; the answer matters
                await self._client.room_typing(room, True, TYPING)

        task = asyncio.create_task(say_so())
        try:
            yield
        finally:
            if task.done():  # or the room would see it for TYPING more
                with suppress(aiohttp.ClientError, TimeoutError):
                    await self._client.room_typing(room, False)
            task.cancel()

    async def _offer(self, room: str, sent: str, sources: int) -> None:
        """The reactions that do something, to touch; none where the server's rate is needed for answers."""
        for key in (*([NEXT] if sources > 1 else []), MORE, GOOD, BAD):
            if time.monotonic() - self._slowed < QUIET:
                return
            content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": sent, "key": key}}
            await self._send(room, "m.reaction", content, f"{sent} {key}")

    async def _on_slowed(self, response: nio.ErrorResponse) -> None:
        if response.status_code == "M_LIMIT_EXCEEDED" or _status(response) == 429:
            self._slowed = time.monotonic()

    async def _answer(self, post: Post, message: Message, said_by: str) -> str:
        return await self._send(post.room, "m.room.message", _threaded(message, post.id, post.root), said_by)

    async def _edit(self, room: str, target: str, message: Message, said_by: str) -> str:
        await self._send(room, "m.room.message", instead_of(target, message), said_by)
        return target

    async def _send(self, room: str, kind: str, content: dict[str, Any], cause: str) -> str:
        """Sent for one cause it comes once, also where the bot was stopped before it heard that it did."""
        sent = await self._call(lambda: self._client.room_send(room, kind, content, tx_id=_key(cause)))
        return str(sent.event_id)

    async def _fetch(self, room: str, event: str) -> dict[str, Any]:
        found = await self._call(lambda: self._client.room_get_event(room, event))
        return dict(found.event.source)

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What the server answers; the library waits where it says that there is too much. Raises Refused."""
        for pause in (*PAUSES, 0):
            found = await call()
            if not isinstance(found, nio.ErrorResponse):
                return found
            status = _status(found)
            if status < 500 or not pause:
                raise Refused(line(found.status_code or found.message)[:FIELD], status)
            log.warning("The Matrix server could not serve (%d); next try in %d s", status, pause)
            await asyncio.sleep(pause)

    async def _download(self, url: str) -> bytes:
        """A file that was sent, however large the sender says it is. Raises BadArticle."""
        found = re.fullmatch(r"mxc://([^/?#]+)/([A-Za-z0-9_-]+)", url)
        if not found:
            raise BadArticle(messages.MATRIX_NO_FILE)
        path = f"/_matrix/client/v1/media/download/{quoted_path(found[1], safe='')}/{found[2]}"
        answer = await self._client.send("GET", path, headers={"Authorization": f"Bearer {self._client.access_token}"})
        async with answer:
            if answer.status != 200:
                raise BadArticle(messages.MATRIX_NO_FILE)
            data = bytearray()
            async for part in answer.content.iter_chunked(65_536):
                data += part
                if len(data) > MAX_DOCUMENT:
                    raise BadArticle(messages.say(messages.TOO_LARGE, size=MAX_DOCUMENT // 1_000_000))
        return bytes(data)


def _sources(events: Sequence[Any]) -> list[Json]:
    return [one.source for one in events if not isinstance(one, nio.BadEvent | nio.UnknownBadEvent)]


def _plain_emoji(key: str) -> str:
    return _TONES.sub("", key[:16])


def _key(cause: str) -> str:
    return f"pullquote {cause}"


def _status(response: Any) -> int:
    """Of HTTP; 0 where there was none."""
    return int(getattr(response.transport_response, "status", 0) or 0)


def instead_of(target: str, message: Message) -> dict[str, Any]:
    """The edit of a message of ours. Apps that know no edits show another message."""
    new = message.content()
    shown = {"body": f"* {message.text}", "formatted_body": f"* {message.html}", "m.new_content": new}
    return new | shown | {"m.relates_to": {"rel_type": "m.replace", "event_id": target}}


def _threaded(message: Message, replied: str, root: str) -> dict[str, Any]:
    """In the thread below `root`. Apps without threads show a reply."""
    relates = {"rel_type": "m.thread", "event_id": root, "is_falling_back": root == replied}
    return message.content() | {"m.relates_to": {**relates, "m.in_reply_to": {"event_id": replied}}}


def _with_help(message: Message, asked: Asked) -> Message:
    """Where commands are listed: how they are written here."""
    if asked.text.lower() not in ("/help", "/start"):
        return message
    more = _said([messages.MATRIX_COMMANDS])
    return Message(f"{message.text}\n\n{more.text}", message.html + more.html)


@asynccontextmanager
async def opened(office: Office, settings: Settings, now: Callable[[], float] = time.time) -> AsyncIterator[Desk]:
    """Who answers, logged in, not listening yet. Raises BadSettings."""
    logging.getLogger("nio").setLevel(logging.WARNING)  # it tells of every room, and of every refusal
    logging.getLogger("nio.responses").setLevel(logging.ERROR)
    server, path = settings.matrix_homeserver.rstrip("/"), settings.data / BOOKMARK
    mark = open_bookmark(path, server)
    config = nio.AsyncClientConfig(encryption_enabled=False, store=None, max_timeouts=0, request_timeout=30)
    client = nio.AsyncClient(server, settings.matrix_user, mark.device or None, config=config)
    try:
        try:
            await _log_in(client, settings)
            named = await client.get_displayname(client.user_id)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BadSettings(messages.no_matrix(server)) from error
        if (mark.user, mark.device) != (client.user_id, client.device_id):
            mark = Bookmark(server, client.user_id, client.device_id, mark.since if mark.user == client.user_id else "")
        client.config = replace(config, max_timeouts=None)  # from now on it waits for the server
        me = Me(client.user_id, line(_text(getattr(named, "displayname", ""))) or client.user_id[1:].partition(":")[0])
        yield Desk(office, client, me, path, mark, now)
    finally:
        await client.close()


async def _log_in(client: nio.AsyncClient, settings: Settings) -> None:
    """Raises BadSettings."""
    flows = await client.login_info()
    if not isinstance(flows, nio.LoginInfoResponse):
        raise BadSettings(messages.no_homeserver(client.homeserver))
    if settings.matrix_token:
        client.access_token = settings.matrix_token.get_secret_value()
        owner = await client.whoami()
        if not isinstance(owner, nio.WhoamiResponse):
            raise BadSettings(messages.BAD_MATRIX_TOKEN)
        if settings.matrix_user and settings.matrix_user.lstrip("@") not in (owner.user_id[1:], _local(owner.user_id)):
            raise BadSettings(messages.other_matrix_user(settings.matrix_user, owner.user_id))
    elif settings.matrix_password and settings.matrix_user:
        if "m.login.password" not in flows.flows:
            raise BadSettings(messages.no_matrix_password(client.homeserver))
        done = await client.login(settings.matrix_password.get_secret_value(), device_name="Pullquote")
        if not isinstance(done, nio.LoginResponse):
            raise BadSettings(messages.BAD_MATRIX_PASSWORD)
    else:
        raise BadSettings(messages.NO_MATRIX_WAY)


def _local(user: str) -> str:
    return user[1:].partition(":")[0]


async def serve(office: Office, settings: Settings, stop: asyncio.Event, now: Callable[[], float] = time.time) -> None:
    """Until `stop` is set; what is in hand then is finished. Raises BadSettings."""
    async with opened(office, settings, now) as desk:
        listening, stopping = asyncio.ensure_future(desk.listen()), asyncio.ensure_future(stop.wait())
        watching = asyncio.ensure_future(desk.watch())
        await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (listening, stopping, watching):
            task.cancel()
        await asyncio.gather(stopping, watching, return_exceptions=True)
        await desk.finish()
        with suppress(asyncio.CancelledError):
            await listening
