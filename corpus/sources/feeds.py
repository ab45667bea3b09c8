"""RSS of every version, RDF, Atom, CDF and JSON Feed, as lists of entries."""

import io
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from corpus.article import line
from corpus.sources.listing import MAX_ENTRIES, MAX_ENTRY, Entry, Listing, NoListing, short, web_address
from corpus.sources.sitemaps import plain

NO_FEED = "There is no feed here. Give the address of a feed, a sitemap, or a site's home page."
_MARKUP = ("text/html", "application/xhtml+xml")


def read(data: bytes, url: str, kind: str = "") -> Listing:
    """Whatever feedparser can make of it, which cleans it too. Raises NoListing."""
    import feedparser

    said = {"content-type": kind} if "charset" in kind.lower() else {}  # not where: ids would be made addresses with it
    # As a stream: bytes that are a file's name would be opened.
    found = feedparser.parse(io.BytesIO(data), response_headers=said)
    if not (found.entries or found.get("version")):
        raise NoListing(NO_FEED)
    entries = found.entries[:MAX_ENTRIES]
    title = short(_words(dict(found.feed), "title"))
    return Listing("feed", title, tuple(_entry(one, url) for one in entries), len(found.entries) - len(entries))


def _entry(one: Mapping[str, Any], base: str) -> Entry:
    said = dict(one)  # feedparser's own mapping has keys stand in for others
    name = said.get("id") if isinstance(said.get("id"), str) else ""
    named = (web_address(said.get("feedburner_origlink"), base), *_links(said, base), web_address(name))
    return Entry(
        url=next(filter(None, named), ""),
        title=short(_words(said, "title")),
        text=_text(said)[:MAX_ENTRY],
        published=_day(said, "published") or _day(said, "created") or _day(said, "updated"),
        authors=_authors(said),
        changed=line(str(said.get("updated") or said.get("published") or ""))[:100],
        id=line(str(name or ""))[:500],
    )


def _links(said: Mapping[str, Any], base: str) -> Iterator[str]:
    """Without what is only its name, which is an address as it is or none."""
    yield "" if said.get("guidislink") else web_address(said.get("link"), base)
    links = said.get("links")
    for one in links if isinstance(links, Sequence) else ():
        if one.get("rel", "alternate") == "alternate":
            yield web_address(one.get("href"), base)


def _words(said: Mapping[str, Any], field: str) -> str:
    """A field as plain text."""
    detail = said.get(f"{field}_detail")
    value = said.get(field)
    if not isinstance(value, str):
        return ""
    marked_up = isinstance(detail, Mapping) and detail.get("type") in _MARKUP
    return plain(value) if marked_up else value


def _text(said: Mapping[str, Any]) -> str:
    """The longest of what the entry says: some feeds have a summary, some the whole article, some both."""
    listed = said.get("content")
    contents = [one for one in (listed if isinstance(listed, Sequence) else ()) if isinstance(one.get("value"), str)]
    parts = [plain(one["value"]) if one.get("type") in _MARKUP else one["value"] for one in contents]
    if said.get("summary") not in [one["value"] for one in contents]:  # else it is one of them, its type forgotten
        parts.append(_words(said, "summary"))
    return max(parts, key=len)


def _day(said: Mapping[str, Any], field: str) -> str:
    """With the offset that the feed gives, where the date is written in one of the two usual ways; else in UTC."""
    value = said.get(field)
    read = "" if isinstance(value, str) and value.strip().isdecimal() else _from_struct(said.get(f"{field}_parsed"))
    when = _iso(value) or read
    return "" if when == _NO_DAY else when


def _iso(value: object) -> str:
    if not isinstance(value, str) or len(value) > 100:
        return ""
    for parse in (parsedate_to_datetime, datetime.fromisoformat, _since_1970):
        try:
            when = parse(value.strip())
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat()
        except (ValueError, OverflowError, TypeError):
            continue
    return ""


_NO_DAY = "1970-01-01T00:00:00+00:00"  # what programs write that know none


def _since_1970(value: str) -> datetime:
    """Of seconds or milliseconds. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{10}(?:[0-9]{3})?", value):
        raise ValueError(value)
    return datetime.fromtimestamp(int(value[:10]), UTC)


def _from_struct(value: object) -> str:
    if not isinstance(value, time.struct_time):
        return ""
    try:
        return datetime(*value[:6], tzinfo=UTC).isoformat()
    except ValueError:
        return ""


_ADDRESSED = re.compile(r"\s*\S{1,100}@\S{1,100}\s+\(([^()]{1,200})\)\s*")  # as RSS wants an author


def _authors(said: Mapping[str, Any]) -> tuple[str, ...]:
    addressed = _ADDRESSED.fullmatch(str(said.get("author") or "")[:500])
    if addressed:
        return tuple(filter(None, [short(addressed[1])]))
    listed = said.get("authors")
    names = [one.get("name") for one in listed if isinstance(one, Mapping)] if isinstance(listed, Sequence) else []
    detail = said.get("author_detail")
    names = names or [detail.get("name") if isinstance(detail, Mapping) else said.get("author")]
    return tuple(dict.fromkeys(filter(None, map(short, names[:50]))))


# JSON Feed


def read_json(data: bytes, url: str) -> Listing:
    """Raises NoListing."""
    try:
        said = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NoListing(NO_FEED) from error
    items = said.get("items") if isinstance(said, dict) else None
    if not isinstance(items, list) or "jsonfeed.org" not in str(said.get("version")):
        raise NoListing(NO_FEED)
    found = [one for one in items if isinstance(one, dict)]
    entries = tuple(_item(one, url, _names(said)) for one in found[:MAX_ENTRIES])
    return Listing("feed", short(said.get("title")), entries, max(len(found) - MAX_ENTRIES, 0))


def _item(one: Mapping[str, Any], base: str, authors: tuple[str, ...]) -> Entry:
    name = one.get("id")
    name = str(name) if isinstance(name, str | int) else ""
    text, markup = one.get("content_text"), one.get("content_html")
    bodies = [text if isinstance(text, str) else "", plain(markup) if isinstance(markup, str) else ""]
    summary = one.get("summary")
    return Entry(
        url=web_address(one.get("url"), base) or web_address(name),
        title=short(one.get("title")),
        text=(max(bodies, key=len) or (summary if isinstance(summary, str) else ""))[:MAX_ENTRY],
        published=_iso(one.get("date_published")),
        authors=_names(one) or authors,
        changed=line(str(one.get("date_modified") or one.get("date_published") or ""))[:100],
        id=line(name)[:500],
    )


def _names(said: Mapping[str, Any]) -> tuple[str, ...]:
    listed = said.get("authors")
    listed = listed if isinstance(listed, list) else [said.get("author")]
    names = (one.get("name") for one in listed[:50] if isinstance(one, dict))
    return tuple(dict.fromkeys(filter(None, map(short, names))))
