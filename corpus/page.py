"""What a page says of itself beside its text: dates, section, language, kind, paywall.

From JSON-LD, meta tags (OpenGraph, Dublin Core and what publishing systems use) and microdata. Only what is stated
counts; nothing is guessed from the prose.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from corpus.address import canonical
from corpus.article import Kind, line

MAX_JSON = 2_000_000  # characters of one JSON-LD script
MAX_NODES = 2_000  # objects in the JSON-LD of a page
_ARTICLE = ("Article", "BlogPosting", "Report", "LiveBlogPosting", "NewsItem")
_KINDS: dict[str, Kind] = {
    "OpinionNewsArticle": "opinion",
    "ReviewNewsArticle": "opinion",
    "LiveBlogPosting": "live",
    "ReportageNewsArticle": "news",
    "AnalysisNewsArticle": "news",
    "BackgroundNewsArticle": "news",
    "NewsArticle": "news",
}
_PUBLISHED = (
    *("article:published_time", "og:article:published_time", "article:published", "og:published_time", "datepublished"),
    *("parsely-pub-date", "sailthru.date", "cxenseparse:recs:publishtime", "dc.date.issued", "dcterms.issued"),
    *("dc.issued", "prism.publicationdate", "citation_publication_date", "citation_online_date", "citation_date"),
    *("publication_date", "publish-date", "publishdate", "publish_date", "published", "pubdate", "pub_date"),
    *("zdf:publicationdate", "ptime", "dcterms.date", "dc.date", "dcterms.created", "dc.date.created", "date"),
)
_MODIFIED = (
    *("article:modified_time", "og:article:modified_time", "article:modified", "og:updated_time", "og:modified_time"),
    *("datemodified", "dcterms.modified", "dc.date.modified", "dc.modified", "zdf:modificationdate", "lastmod"),
    *("last-modified", "modified"),
)
_SECTION = ("article:section", "og:article:section", "parsely-section", "cse_sectionname", "prism.section")
_LANGUAGE = ("og:locale", "content-language", "dc.language", "dcterms.language", "citation_language", "language")

Read = Callable[[object], datetime | None]  # a date in any usual spelling; None for what is none
Metas = dict[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """ "" and None where the page does not say."""

    published: datetime | None
    modified: datetime | None
    section: str
    language: str
    kind: Kind
    paywalled: bool | None


def said(page: str, url: str, title: str, read: Read, found: str = "") -> Said:
    """What the page at `url` with this headline says. Pages that lxml cannot read say nothing.

    `found` is a day that a heuristic found (YYYY-MM-DD): it counts where the address or a place for dates has it.
    """
    root = _root(page)
    if root is None:
        return Said(None, None, "", "", "", None)
    metas = _metas(root)
    nodes = list(_nodes(root))
    article = _main(nodes, url, title)
    webpage: dict[str, Any] = next((node for node in nodes if "WebPage" in _types(node)), {})
    published = _date(read, *_values((article,), "datePublished"), *_of(metas, _PUBLISHED)) or _date(
        read, *_values((webpage,), "datePublished"), *_values((article,), "dateCreated", "uploadDate")
    )
    if published is None and found and _is_shown(root, url, found):
        published = read(found)
    modified = _date(read, *_values((article, webpage), "dateModified"), *_of(metas, _MODIFIED))
    return Said(
        published=published,
        modified=modified if modified and not (published and modified < published) else None,
        section=next(filter(None, map(_text, (*_values((article,), "articleSection"), *_of(metas, _SECTION)))), ""),
        language=_language(root, article, metas),
        kind=_kind(article, metas),
        paywalled=_paywalled((article, webpage), metas),
    )


def _root(page: str) -> Any:
    from lxml import etree, html  # here: only pages need it

    try:
        return html.fromstring(page.encode(), parser=html.HTMLParser(encoding="utf-8"))
    except (etree.LxmlError, ValueError, AssertionError):  # lxml asserts on documents that hold only comments
        return None


# Tags


def _metas(root: Any) -> Metas:
    """Content of the meta tags by name, in small letters; the first one counts."""
    found: Metas = {}
    for tag in root.iter("meta"):
        for attribute in ("property", "name", "http-equiv"):
            name, content = tag.get(attribute), tag.get("content")
            if name and content and content.strip():
                found.setdefault(name.strip().lower(), content.strip())
    for name, content in _microdata(root):
        found.setdefault(name, content)
    return found


def _microdata(root: Any) -> Iterator[tuple[str, str]]:
    """Dates of the article itself, not those of comments or videos on its page."""
    for tag in root.xpath("//*[@itemprop='datePublished' or @itemprop='dateModified' or @itemprop='datepublished']"):
        scope = next((one for one in tag.iterancestors() if one.get("itemscope") is not None), None)
        kind = "" if scope is None else scope.get("itemtype") or ""
        value = tag.get("content") or tag.get("datetime")
        if value and (scope is None or kind.rstrip("/").endswith((*_ARTICLE, "WebPage"))):
            yield tag.get("itemprop").lower(), value


def _of(metas: Metas, names: Iterable[str]) -> list[str]:
    return [metas[name] for name in names if name in metas]


_FOR_DATES = re.compile(r"date|datum|time|publi|meta|byline|info|stand\b|fecha|posted", re.IGNORECASE)
_NOT_ITS_OWN = re.compile(r"comment|kommentar|review|related|teaser|sidebar|footer|widget", re.IGNORECASE)
_YEARS, _DAYS = set(range(1900, 2200)), set(range(1, 32))
_TIME_OF_DAY = re.compile(r"(?a:\d{1,2}:\d{2}(?::\d{2})?(?:[+-]\d{2}:\d{2})?)")
LONGEST_DATE = 80  # characters of an element that says when


def _is_shown(root: Any, url: str, day: str) -> bool:
    """Whether a day stands in the address, or where the page says when it was published, in any spelling: the first
    such place that names a day. Those below it may be of other articles.
    """
    year, month, number = day.split("-")
    if re.search(rf"{year}[-/_]?{month}[-/_]?{number}", url):
        return True
    wanted = {int(year), int(number)}
    for element in root.iter("time", "abbr", "span", "p", "div", "li", "dd", "small", "h2", "h6", "meta"):
        looks = element.tag in ("time", "abbr") or _FOR_DATES.search(_names(element))
        text = _TIME_OF_DAY.sub(" ", _short_text(element)) if looks else ""
        numbers = {int(one) for one in re.findall(r"(?a:\d{1,4})", text)}
        if numbers & _YEARS and numbers & _DAYS:
            around = (element, *islice(element.iterancestors(), 5))
            if not any(_NOT_ITS_OWN.search(_names(one)) for one in around if one.tag not in ("body", "html")):
                return wanted <= numbers
    return False


def _names(element: Any) -> str:
    return f"{element.get('class') or ''} {element.get('id') or ''} {element.get('itemprop') or ''}"


def _short_text(element: Any) -> str:
    text = "".join(islice(element.itertext(), 20)) + f" {element.get('datetime') or ''}"
    return text if len(text) <= 4 * LONGEST_DATE and len(" ".join(text.split())) <= LONGEST_DATE else ""


# JSON-LD


def _nodes(root: Any) -> Iterator[dict[str, Any]]:
    """The objects at the top of the page's JSON-LD, its graphs and main entities; not those they only mention."""
    waiting: list[object] = []
    for script in root.iter("script"):
        if "ld+json" in (script.get("type") or "").lower() and len(script.text or "") <= MAX_JSON:
            try:
                waiting.append(json.loads(script.text or "", strict=False))
            except (ValueError, RecursionError):
                continue  # a broken script says nothing
    count = 0
    while waiting and count < MAX_NODES:
        node, count = waiting.pop(0), count + 1
        if isinstance(node, list):
            waiting[:0] = node[:MAX_NODES]
        elif isinstance(node, dict):
            yield node
            waiting[:0] = [node[name] for name in ("@graph", "mainEntity") if name in node]


def _types(node: dict[str, Any]) -> list[str]:
    kinds = node.get("@type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return [kind.rpartition("/")[2] for kind in kinds if isinstance(kind, str)]


def _main(nodes: Iterable[dict[str, Any]], url: str, title: str) -> dict[str, Any]:
    """The article that the page is about: the one with its address or its headline, else the first; {} for none."""
    articles = [node for node in nodes if any(kind.endswith(_ARTICLE) for kind in _types(node))]
    for node in articles:
        if url and canonical(url) in {canonical(one) for one in _addresses(node)}:
            return node
    headed = (node for node in articles if title and line(_text(node.get("headline"))) == line(title))
    return next(headed, articles[0] if articles else {})


def _addresses(node: dict[str, Any]) -> Iterator[str]:
    for name in ("url", "@id", "mainEntityOfPage"):
        value = node.get(name)
        value = value.get("@id") if isinstance(value, dict) else value
        if isinstance(value, str):
            yield value.removesuffix("#article").removesuffix("#webpage")


def _values(nodes: Iterable[dict[str, Any]], *names: str) -> list[object]:
    found: list[object] = []
    for node in nodes:
        for name in names:
            value = node.get(name)
            found += value[:5] if isinstance(value, list) else [value]
    return found


def _text(value: object) -> str:
    return line(value) if isinstance(value, str) else ""


# What it comes to


def _date(read: Read, *values: object) -> datetime | None:
    return next(filter(None, (read(value) for value in values if isinstance(value, str))), None)


def _language(root: Any, article: dict[str, Any], metas: Metas) -> str:
    own = (root.get("lang"), root.get("{http://www.w3.org/XML/1998/namespace}lang"), root.get("xml:lang"))
    candidates = map(_text, (*_values((article,), "inLanguage"), *own, *_of(metas, _LANGUAGE)))
    return next((one.split(",")[0].strip() for one in candidates if 2 <= len(one) <= 20), "")


def _kind(article: dict[str, Any], metas: Metas) -> Kind:
    if metas.get("article:opinion", "").lower() == "true":
        return "opinion"
    types = _types(article)
    return next((kind for name, kind in _KINDS.items() if name in types), "")


def _paywalled(nodes: Iterable[dict[str, Any]], metas: Metas) -> bool | None:
    """Stated as true, "True" or "http://schema.org/False"; a metered article counts as behind a paywall."""
    for value in _values(nodes, "isAccessibleForFree"):
        word = str(value).lower().rpartition("/")[2]
        if word in ("true", "false"):
            return word == "false"
    return {"free": False, "metered": True, "locked": True}.get(metas.get("article:content_tier", "").lower())
