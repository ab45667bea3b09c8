"""Text as Telegram shows it: parsed and cleaned by TDLib, the library that Telegram's own Bot API server runs on."""

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import tdjson

Json = dict[str, Any]

# What TDLib calls differently from the Bot API; the others differ by their spelling only.
_KINDS = {
    "text_url": "text_link",
    "email_address": "email",
    "block_quote": "blockquote",
    "mention_name": "text_mention",
}
_KINDS |= {"expandable_block_quote": "expandable_blockquote", "pre_code": "pre"}


class Refused(ValueError):
    """TDLib does not take the text; the message is its own."""


@dataclass(frozen=True, slots=True)
class Entity:
    kind: str  # as the Bot API calls it
    offset: int  # in UTF-16 units, as Telegram counts
    length: int
    text: str  # what it covers
    url: str = ""

    def to_dict(self) -> Json:
        known = {"type": self.kind, "offset": self.offset, "length": self.length}
        return {**known, "url": self.url} if self.url else known


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads, without markup."""

    plain: str
    entities: tuple[Entity, ...] = ()

    def all(self, kind: str) -> list[str]:
        """The texts of one kind of entity: "bold", "expandable_blockquote" ..."""
        return [one.text for one in self.entities if one.kind == kind]

    @property
    def links(self) -> list[tuple[str, str]]:
        return [(one.text, one.url) for one in self.entities if one.kind == "text_link"]


def units(text: str) -> int:
    """The length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def parse(html: str) -> Text:
    """Markup as sent. Raises Refused."""
    return _text(_execute("parseTextEntities", text=html, parse_mode={"@type": "textParseModeHTML"}))


def detect(plain: str) -> Text:
    """Mentions, commands and addresses as Telegram finds them in what a person typed."""
    return _text({"text": plain, **_execute("getTextEntities", text=plain)})


def shown(text: Text) -> Text:
    """Without the characters that Telegram deletes from a message, and without white space at its edges."""
    cuts = sorted({0, units(text.plain), *(edge for one in text.entities for edge in (one.offset, _end(one)))})
    pieces = [_cleaned(_cut(text.plain, first, last)) for first, last in pairwise(cuts)]
    pieces = _stripped(pieces)
    moved = {cut: sum(map(units, pieces[:number])) for number, cut in enumerate(cuts)}
    plain = "".join(pieces)
    kept = [(one, moved[one.offset], moved[_end(one)]) for one in text.entities]
    return Text(
        plain, tuple(_entity(one.kind, first, last, plain, one.url) for one, first, last in kept if first < last)
    )


def _stripped(pieces: list[str]) -> list[str]:
    left, right = len("".join(pieces)) - len("".join(pieces).lstrip()), len("".join(pieces).rstrip())
    ends = [len("".join(pieces[: number + 1])) for number in range(len(pieces))]
    return [
        piece[max(0, left - end + len(piece)) : max(0, right - end + len(piece))]
        for piece, end in zip(pieces, ends, strict=True)
    ]


def _cleaned(plain: str) -> str:
    # A static call that cleans its text as sending does, and changes nothing else where there is no entity; between
    # two letters, for it drops white space that stands alone.
    text = {"@type": "formattedText", "text": f"x{plain}x", "entities": []}
    return str(_execute("getMarkdownText", text=text)["text"])[1:-1]


def _text(found: Json) -> Text:
    plain, entities = found["text"], found["entities"]
    return Text(plain, tuple(_read(one, plain) for one in entities))


def _read(one: Json, plain: str) -> Entity:
    name = re.sub("(?<!^)(?=[A-Z])", "_", one["type"]["@type"].removeprefix("textEntityType")).lower()
    first, last = one["offset"], one["offset"] + one["length"]
    return _entity(_KINDS.get(name, name), first, last, plain, one["type"].get("url", ""))


def _entity(kind: str, first: int, last: int, plain: str, url: str) -> Entity:
    return Entity(kind, first, last - first, _cut(plain, first, last), url)


def _end(entity: Entity) -> int:
    return entity.offset + entity.length


def _cut(plain: str, first: int, last: int) -> str:
    return plain.encode("utf-16-le")[2 * first : 2 * last].decode("utf-16-le")


def _execute(call: str, **fields: object) -> Json:
    _quiet()
    answer = tdjson.td_execute(json.dumps({"@type": call, **fields}).encode())
    found: Json = json.loads(answer or b"{}")
    if found.get("@type") == "error":
        raise Refused(found["message"])
    return found


@cache
def _quiet() -> None:
    """TDLib logs every call unless it is told otherwise."""
    tdjson.td_execute(b'{"@type": "setLogVerbosityLevel", "new_verbosity_level": 0}')
