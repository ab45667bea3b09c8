"""What an address that somebody gave is: a page, a feed, a sitemap, or a site that has feeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from corpus.article import Article, BadArticle
from corpus.sources.listing import Listing, NoListing, Reader, root_of
from corpus.sources.register import Sort
from corpus.sources.visitor import Visitor
from corpus.sources.web import Got, Inside, Known, Unreached, article, page

# Where sites put what they do not name, likeliest first.
USUAL = ("/feed", "/rss.xml", "/rss", "/atom.xml", "/feed.xml", "/index.xml", "/feed.json", "/news-sitemap.xml")
LAST = "/sitemap.xml"  # which names old pages too
OFFERED = 20


@dataclass(frozen=True, slots=True)
class Offer:
    """A feed or a sitemap that a site has."""

    url: str
    kind: Sort
    title: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One of the three, or neither: a page that has not changed since it was stored."""

    article: Article | None = None
    listing: Listing | None = None
    offers: tuple[Offer, ...] = ()
    known: Known = Known()  # noqa: RUF009 - frozen


NO_SOURCE = "There is no article here, and the site names no feed and has none in the usual places. Give its address."


def find(url: str, visitor: Visitor, reader: Reader, known: Known = Known()) -> Found:  # noqa: B008 - frozen
    """`known`: what its server said when its page was stored. Raises BadArticle."""
    got = visitor.visit(url, known, asked=True)
    if got.status == 304:
        return Found(known=known)
    listing = _listing(got, reader)
    if listing and listing.kind != "page":
        return Found(listing=listing, known=got.known)
    front = listing is not None and _front(got.url)
    try:
        found = None if front else article(page(got))
    except BadArticle as error:
        if listing is None:
            raise
        problem = error
    else:
        if found:
            return Found(article=found, known=got.known)
    offers = tuple(Offer(one.url, "feed", one.title) for one in listing.entries) if listing else ()
    offers = offers or (tuple(_usual(got.url, visitor, reader)) if front else ())
    if offers:
        return Found(offers=offers[:OFFERED])
    if not front:
        raise problem
    try:
        return Found(article=article(page(got)), known=got.known)
    except BadArticle as error:
        raise BadArticle(NO_SOURCE) from error


def _listing(got: Got, reader: Reader) -> Listing | None:
    """None where it is a document of another kind."""
    root = root_of(got.data)
    kind = got.kind.lower()
    if root == "{" and "json" not in kind:
        return None
    if not root and not got.data.startswith(b"\x1f\x8b") and not ("xml" in kind and "word" not in kind):
        return None
    try:
        return reader.read(got.data, got.url, got.kind)
    except NoListing:
        if root in ("", "{") or "xml" in kind:
            raise
        return None


def _front(url: str) -> bool:
    """Whether it is where a site begins."""
    parts = urlsplit(url)
    return parts.path.lower() in ("", "/", "/index.html", "/index.php") and not parts.query


def _usual(url: str, visitor: Visitor, reader: Reader) -> Iterator[Offer]:
    """The first that is there, besides the sitemaps that robots.txt names."""
    named = visitor.sitemaps(url)
    for one in dict.fromkeys(urljoin(url, path) for path in (*USUAL, *named[:5], LAST)):
        try:
            got = visitor.visit(one)
            listing = reader.read(got.data, got.url, got.kind)
        except Inside:
            continue
        except Unreached:
            return
        except BadArticle:
            continue
        if listing.kind in ("feed", "sitemap", "index"):
            yield Offer(one, listing.kind, listing.title)
            return
