"""Replies as Markdown, for the chats that read some dialect of it.

Text from outside shows every character as it stands: none of it becomes markup, calls anybody, or is a link.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot import messages
from bot.conversation import (
    End,
    Export,
    Reply,
    Shown,
    Sources,
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
from corpus.article import line
from retrieval.answer import Answer
from retrieval.citation import Citation, link

NO_JOIN = "\u200b"  # no width; keeps characters from being read together
FIELDS = (FIELD, FIELD // 4, FIELD // 16)  # units of a title, a name ...: shorter only where all else is too long
_LINE_START = re.compile(
    r"^(?=[-+=#>~|/*:!]|[^\S\n]|\d+[\\.)]|\[)", re.MULTILINE
)  # begins a list, a heading, a command
_UNSAFE = re.compile(r"[^A-Za-z0-9\-._~:/?#@!$&+,;=%]|%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one chat reads Markdown."""

    longest: int  # units of a message
    escaped: Callable[[str], str]  # a text, so that the chat shows it as it is; line starts are seen to here
    bold: str = "**"  # stands on either side
    labels: bool = True  # False: nothing can be escaped in the words of a link, nor in bold


@dataclass(frozen=True, slots=True)
class _Page:
    """What stands in one message, top to bottom."""

    citation: Citation
    url: str  # opens its article at the quote
    head: Sequence[str]
    foot: Sequence[str]
    reports: Sequence[tuple[str, str]] = ()  # words and address
    answers: bool = False  # whether the quote stands in front too, as an answer, its words that answer in bold


def render(reply: Reply, dialect: Dialect, answer: str = "", below: str = "") -> str:
    """`answer` is the id under which an Answer is stored; `below`, a line of ours below a citation."""
    reply = opening(reply, answer)
    if isinstance(reply, Shown):
        return _shown(reply, dialect, below)
    if isinstance(reply, Verified):
        return _verified(reply, dialect)
    if isinstance(reply, Answer):
        lines = refusal(reply)
        nearest = [(one.article.title, one.article.url) for one in reply.nearest]
        return _listed([*lines, *([messages.CLOSEST] if nearest else [])], nearest, dialect)
    if isinstance(reply, Sources):
        return _listed([], [(one.article.title, one.article.url) for one in reply.revisions], dialect)
    said = "" if isinstance(reply, End) else reply.text if isinstance(reply, Export) else reply
    return _fitted(lambda room: plain(cut(said, room), dialect), dialect.longest)


def plain(text: str, dialect: Dialect) -> str:
    """Text from outside, of any number of lines, that shows as it stands."""
    return _LINE_START.sub(NO_JOIN, dialect.escaped(text))


def _shown(shown: Shown, dialect: Dialect, below: str) -> str:
    foot = notes(shown)
    if shown.count > 1:
        foot.append(messages.say(messages.SOURCE_OF, number=shown.number, count=shown.count))
    foot += [messages.DIFFER] if shown.differing else []
    page = _Page(shown.citation, link(shown.citation), above(shown), foot, reports(shown), answers=shown.sure)
    ours = f"\n{plain(below, dialect)}" if below else ""
    return _page(page, dialect, dialect.longest - units(ours)) + ours


def _verified(verified: Verified, dialect: Dialect) -> str:
    said = messages.VERIFY_EXACT if verified.exact else messages.say(messages.VERIFY_NEAR)
    head = [said, *filter(None, [verified.differences])]
    return _page(
        _Page(verified.citation, link(verified.citation), head, told_of(verified.citation)), dialect, dialect.longest
    )


def _page(page: _Page, dialect: Dialect, longest: int) -> str:
    """Where it is too long, the answer in front is left out, then the context is cut, then the quote, then fields."""
    if page.answers:
        whole = _written(page, dialect, FIELD, units(page.citation.quote) + FIELD)
        if units(whole) <= longest:
            return _fitted(partial(_written, page, dialect, FIELD), longest)
    alone = replace(page, answers=False)
    for field in FIELDS:
        if units(_written(alone, dialect, field, min(units(page.citation.quote), FIELD))) <= longest:
            return _fitted(partial(_written, alone, dialect, field), longest)
    bare = _Page(page.citation, page.url, [], [])
    return _fitted(partial(_written, bare, dialect, FIELDS[-1]), longest)


def _fitted(written: Callable[[int], str], longest: int) -> str:
    """What is written with nearly the most room that a message of `longest` units leaves."""
    if units(whole := written(longest)) <= longest:
        return whole
    least, most = 0, longest  # the first fits, the second does not
    while most - least > longest // 100:
        middle = (least + most) // 2
        least, most = (middle, most) if units(written(middle)) <= longest else (least, middle)
    return written(least)


def _written(page: _Page, dialect: Dialect, field: int, room: int) -> str:
    citation = page.citation
    outlet, *rest = known_of(citation.article)
    source = [plain(cut(one, field), dialect) for one in (outlet, *rest)]
    source.insert(1, _linked(citation.article.title, page.url, dialect, field))
    lines = [plain(cut(one, 4 * field), dialect) for one in page.head]
    if page.answers:
        lines += [_bold(citation.quote, citation.words or (0, 0), dialect)]
    lines += [_quoted(citation, dialect, room), "", " · ".join(filter(None, source))]
    lines += [plain(cut(one, field), dialect) for one in page.foot]
    return "\n".join([*lines, *(f"• {_linked(text, url, dialect, field)}" for text, url in page.reports)])


def _quoted(citation: Citation, dialect: Dialect, room: int) -> str:
    """The quote in bold in its context, each line a line of a quotation."""
    before, quote, after = around(citation.before, citation.quote, citation.after, room)
    shown = _bold(f"{before}{quote}{after}", (len(before), len(before) + len(quote)), dialect)
    return "\n".join(f"> {one}" if one else ">" for one in shown.split("\n"))


def _bold(text: str, span: tuple[int, int], dialect: Dialect) -> str:
    """The text, a part of it in bold, line by line: no dialect takes bold over a line's end."""
    lines, at = [], 0
    for one in text.split("\n"):
        first, last = (min(max(edge - at, 0), len(one)) for edge in span)
        lines.append(_bold_line(one, first, last, dialect))
        at += len(one) + 1
    return "\n".join(lines)


def _bold_line(text: str, first: int, last: int, dialect: Dialect) -> str:
    words = text[first:last]
    first += len(words) - len(words.lstrip())
    before, words, after = text[:first], words.strip(), text[first + len(words.strip()) :]
    shown = dialect.escaped(words)
    if not dialect.labels:  # but an address is no link there either
        shown = shown.replace("\\.", ".")
    if not words or (not dialect.labels and "\\" in shown):
        return plain(text, dialect)
    made = f"{dialect.escaped(before)}{dialect.bold}{shown}{dialect.bold}{dialect.escaped(after)}"
    return _LINE_START.sub(NO_JOIN, made) if before else made


def _listed(lines: Sequence[str], headlines: Sequence[tuple[str, str]], dialect: Dialect) -> str:
    def written(field: int) -> str:
        said = [plain(cut(one, 2 * field), dialect) for one in lines]
        return "\n".join([*said, *(f"• {_linked(title, url, dialect, field)}" for title, url in headlines)])

    return next((one for one in map(written, FIELDS) if units(one) <= dialect.longest), written(FIELDS[-1]))


def _linked(title: str, url: str, dialect: Dialect, field: int = FIELD) -> str:
    """A link where the address is one of the web and not too long for this message."""
    shown, longest = plain(cut(line(title), field), dialect), min(2_100, dialect.longest // 4)
    safe = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)
    if len(safe) > longest and ":~:" in url:
        return _linked(title, url.partition("#")[0], dialect, field)
    if not on_the_web(url) or len(safe) > longest or field < FIELDS[1]:
        return shown
    named = dialect.labels and shown.strip() and not set("[]") & set(title)
    return f"[{shown}]({safe})" if named else f"{shown} ([{messages.OPEN}]({safe}))"


# What each chat reads as markup, and how it is kept from that


def _escape(*rules: tuple[str, Callable[[str], str]]) -> Callable[[str], str]:
    """Every place that one of the patterns finds is written as the function beside it says."""
    pattern = re.compile("|".join(f"({one})" for one, _ in rules))
    return lambda text: pattern.sub(lambda found: rules[(found.lastindex or 1) - 1][1](found[0]), text)


def _backslash(mark: str) -> str:
    return f"\\{mark}"


def _apart(mark: str) -> str:
    return f"{mark}{NO_JOIN}"


def _entity(mark: str) -> str:
    return f"&#{ord(mark)};"


_ENTITY = r"&(?=#?\w+;)"
MATTERMOST = Dialect(  # its fork of marked: a backslash before another backslash counts only where no letter follows
    16_383,
    _escape(
        (r"[*_`\[\]>|]|\.(?=\S)", _backslash),
        (rf"[@#~<]|[:;](?=\S)|{_ENTITY}", _apart),
        (r"\\", lambda mark: f"\\{mark}{NO_JOIN}"),
        (r"\$(?!\w)", _entity),
    ),
)
ZULIP = Dialect(  # knows no backslash, but entities, which it reads before emphasis and after all else
    10_000, _escape((rf"[*_`~\[\]()<>#@$|\\!]|[:;.](?=\S)|{_ENTITY}", _entity))
)
ROCKETCHAT = Dialect(
    5_000,
    _escape((r"[*_~`#]|\.(?=\w)", _backslash), (r"[@<|\]$\\]|[:;](?=\S)|\+(?=\d)", _apart)),
    bold="*",
    labels=False,
)
DISCORD = Dialect(2_000, _escape((r"[*_`~|<>\[\]@#\\]|:(?=\S)", _backslash)))
