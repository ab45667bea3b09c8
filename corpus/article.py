"""What was published: an article, its passages, and the one normalisation that every offset refers to."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NewType, get_args

MAX_TEXT = 2_000_000  # characters of one article; the longest in a news archive are books' worth of live blog
MAX_FIELD = 1_000  # characters of a title, an outlet or an author
MAX_URL = 2_000  # bytes; PostgreSQL indexes no value of more than 2,700

MAX_SECTION = 200  # characters

Kind = Literal["", "news", "opinion", "live", "wire", "press release", "correction"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Span = tuple[int, int]  # [start, end) in characters of one text
Normal = NewType("Normal", str)  # text that went through `normalise`


class BadArticle(ValueError):
    """One article that cannot be taken in. The message is a full sentence: the thing, the value, the next step."""


@dataclass(frozen=True, slots=True)
class Article:
    """An article as stored. `text` is normalised and never changes: offsets of quotes refer to it."""

    url: str
    title: str
    text: str
    published: datetime | None  # timezone-aware; None where the source does not say
    outlet: str  # "" where the source does not say
    authors: tuple[str, ...]
    retrieved: datetime  # timezone-aware: when we, or the archive that exported it, took it in
    # What the source may say besides; empty where it does not.
    modified: datetime | None = None  # timezone-aware: when the outlet last changed it
    section: str = ""
    language: str = ""  # ISO 639: "en", "uk"
    kind: Kind = ""
    paywalled: bool | None = None
    dated_by: Literal["", "file"] = ""  # "file": `published` is the day that a PDF or DOCX says it was made on


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of whole sentences: `article.text[start:end]`, always."""

    article: Article
    start: int
    end: int
    sentences: tuple[Span, ...]  # in characters of article.text; the first starts at start, the last ends at end

    @property
    def text(self) -> str:
        return self.article.text[self.start : self.end]


# Invisible format characters that change how text looks or matches but not what it says: soft hyphen, zero-width
# space, word joiner, byte order mark, directional controls (they can make a quote read backwards), tags.
# The Arabic number signs are format characters too, but visible: they stay.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# Joiners shape Persian, Indic scripts and emoji; between anything else they only hide.
_STRAY_JOINER = re.compile("(?<![\u0590-\U0010ffff])[\u200c\u200d]+|[\u200c\u200d]+(?![\u0590-\U0010ffff])")
_LINE_END = re.compile("\r\n|[\r\u0085\u2028\u2029\v\f]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_EDGE = re.compile(" *\n *")
_BLANK_LINES = re.compile("\n{3,}")


def normalise(text: str) -> Normal:
    """`text` as it is stored: NFC, `\\n` line ends, plain single spaces, at most one blank line, nothing invisible.

    Idempotent. Done once, before storing; nothing alters a text afterwards.
    """
    # Taking a character away can bring two others together that compose: repeat until nothing moves (two rounds).
    while (cleaner := _cleaned(text)) != text:
        text = cleaner
    return Normal(text)


def _cleaned(text: str) -> str:
    text = _LINE_END.sub("\n", text)
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub("", _INVISIBLE.sub("", text)))
    text = _LINE_EDGE.sub("\n", _SPACES.sub(" ", unicodedata.normalize("NFC", text)))
    return _BLANK_LINES.sub("\n\n", _STRAY_JOINER.sub("", text)).strip()


def line(text: str) -> str:
    """A title, a name or an outlet: normalised, on one line."""
    return " ".join(normalise(text).split())


def make_article(
    *,
    url: str,
    title: str,
    text: str,
    published: datetime | None = None,
    outlet: str = "",
    authors: Iterable[str] = (),
    retrieved: datetime | None = None,
    modified: datetime | None = None,
    section: str = "",
    language: str = "",
    kind: Kind = "",
    paywalled: bool | None = None,
    dated_by: Literal["", "file"] = "",
) -> Article:
    """The only way to an Article: normalised and within bounds, or BadArticle."""
    body = normalise(text)
    if not body:
        raise BadArticle("The article has no text. Check that the source holds more than its headline.")
    if len(body) > MAX_TEXT:
        raise BadArticle(f"The text has {len(body):,} characters; the limit is {MAX_TEXT:,}. Split it into articles.")
    url = "".join(line(url).split(" "))
    if not url or len(url.encode()) > MAX_URL:
        raise BadArticle(f"The URL is empty or longer than {MAX_URL:,} bytes. Give each article its address.")
    names = tuple(dict.fromkeys(name for name in map(line, authors) if name))
    headline = line(title) or _first_words(body)
    for field, value in (
        ("title", headline),
        ("outlet", line(outlet)),
        *(("author", name) for name in names),
    ):
        if len(value) > MAX_FIELD:
            raise BadArticle(f"The {field} has {len(value):,} characters; the limit is {MAX_FIELD:,}. Shorten it.")
    for when in (published, retrieved, modified):
        if when is not None and when.tzinfo is None:
            raise BadArticle(f"The date {when.isoformat()} has no time zone. Add one, for example +00:00.")
    return Article(
        url=url,
        title=headline,
        text=body,
        published=published,
        outlet=line(outlet),
        authors=names,
        retrieved=retrieved or datetime.now(UTC),
        modified=modified,
        section=line(section)[:MAX_SECTION].strip(),
        language=_language(language),
        kind=kind,
        paywalled=paywalled,
        dated_by=dated_by if published else "",
    )


def _language(tag: str) -> str:
    """ "en-GB" and "EN" are "en"; what is no language tag is ""."""
    found = re.fullmatch(r"([a-z]{2,3})(?:[-_][\w-]{1,30})?", line(tag).lower(), re.ASCII)
    return found[1] if found else ""


def _first_words(text: str, limit: int = 80) -> str:
    first = text.split("\n", 1)[0]
    return first if len(first) <= limit else first[:limit].rsplit(" ", 1)[0] + " …"
