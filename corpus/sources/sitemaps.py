"""Sitemaps, their indexes and Google's news kind; and what a page of HTML names: its feeds. By lxml, entities off."""

import io
import re
from collections.abc import Iterator
from typing import Any

from corpus.article import line
from corpus.sources.listing import MAX_ENTRIES, Entry, Listing, NoListing, short, web_address

MAX_OFFERS = 50  # feeds of one page
FEEDS = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
_BLOCKS = frozenset(
    "address article aside blockquote dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main nav ol "
    "p pre section table td th tr ul".split()
)
_DROPPED = frozenset("script style noscript template iframe object svg math".split())


def read(data: bytes, url: str) -> Listing:
    """A sitemap, newest entries first, or an index of them. Raises NoListing where it is no XML at all."""
    from lxml import etree

    entries: list[Entry] = []
    index, left_out = False, 0
    found = etree.iterparse(
        io.BytesIO(data),
        events=("end",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in found:
            name = _local(element)
            if name not in ("url", "sitemap"):
                continue
            index = index or name == "sitemap"
            one = _entry(element, url)
            _free(element)
            if one.url and len(entries) < MAX_ENTRIES:
                entries.append(one)
            else:
                left_out += bool(one.url)
    except etree.XMLSyntaxError as error:
        if not entries:
            raise NoListing("The sitemap is no XML that can be read. Give another address.") from error
    entries.sort(key=lambda one: one.changed or one.published, reverse=True)
    return Listing("index" if index else "sitemap", "", tuple(entries), left_out)


def _entry(element: Any, base: str) -> Entry:
    """Of <url> or <sitemap>; the news extension says title, day and outlet."""
    said: dict[str, str] = {}
    for one in element.iter():
        name = _local(one)
        if name and one.text and name not in said:
            said[name] = one.text[:10_000]
    return Entry(
        url=web_address(said.get("loc"), base),
        title=short(said.get("title", "")) if "publication_date" in said else "",
        published=line(said.get("publication_date", ""))[:40],
        changed=line(said.get("lastmod", "") or said.get("publication_date", ""))[:40],
    )


def _local(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _free(element: Any) -> None:
    """Of a long sitemap only one entry is in memory at a time."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


# HTML


def page(data: bytes, url: str, kind: str = "") -> Listing:
    """The feeds that a page names in its head."""
    tree = _tree(data, kind)
    if tree is None:
        raise NoListing("The page is empty. Give another address.")
    base = next((web_address(one.get("href"), url) for one in tree.iter("base") if one.get("href")), "") or url
    title = next((short(one.text or "") for one in tree.iter("title")), "")
    entries: dict[str, Entry] = {}
    for one in tree.iter("link"):
        rel, type_ = (line(one.get(name) or "").lower() for name in ("rel", "type"))
        target = web_address(one.get("href"), base)
        if target and "alternate" in rel.split() and type_.split(";")[0].strip() in FEEDS and len(entries) < MAX_OFFERS:
            entries.setdefault(target, Entry(target, short(one.get("title") or "")))
    return Listing("page", title, tuple(entries.values()))


def _tree(data: bytes, kind: str) -> Any:
    from lxml import etree

    charset = re.search(r"charset=[\"']?([\w.:-]{2,30})", kind, re.I)
    for encoding in ([charset[1]] if charset else []) + [None]:  # None: as the page says
        try:
            return etree.fromstring(data, etree.HTMLParser(encoding=encoding, no_network=True, huge_tree=False))
        except LookupError:  # no such encoding
            continue
        except etree.XMLSyntaxError:
            return None
    return None


def plain(markup: str) -> str:
    """The text of a piece of HTML: a blank line between blocks, a line end for <br>."""
    from lxml import etree

    if "<" not in markup and "&" not in markup:
        return markup
    try:
        parser = etree.HTMLParser(
            encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
        )
        tree = etree.fromstring(f"<div>{markup}</div>".encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return ""
    text = "" if tree is None else "".join(_pieces(tree))
    paragraphs = (line(part.replace("\v", "\n")) if "\v" not in part else _lines(part) for part in text.split("\f"))
    return "\n\n".join(filter(None, paragraphs))


def _lines(paragraph: str) -> str:
    return "\n".join(filter(None, map(line, paragraph.split("\v"))))


def _pieces(tree: Any) -> Iterator[str]:
    """Form feeds stand around blocks, vertical tabs for <br>; both are taken out of the text first. No recursion:
    markup may be nested deeply.
    """
    from lxml import etree

    dropped = 0
    for event, one in etree.iterwalk(tree, events=("start", "end")):
        name = one.tag if isinstance(one.tag, str) else ""
        dropped += (event == "start") - (event == "end") if name in _DROPPED else 0
        if name == "br" and event == "start":
            yield "\v"
        if name in _BLOCKS:
            yield "\f"
        said = one.text if event == "start" else one.tail
        if said and not dropped:
            yield re.sub("[\f\v]", " ", said)
