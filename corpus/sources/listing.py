"""Lists of articles elsewhere: feeds, sitemaps, OPML, and the feeds that a page names.

They are read in a process of its own, which is ended where a hostile one takes too long or too much memory.
"""

import json
import multiprocessing
import re
import threading
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from corpus.article import MAX_FIELD, MAX_URL, BadArticle, line
from corpus.sources.web import unpacked

MAX_LISTING = 20_000_000  # bytes, unpacked
MAX_ENTRIES = 50_000  # of one list: as many as a sitemap may have
MAX_ENTRY = 500_000  # characters of an entry's own text
LONGEST = 4.0  # seconds that reading one may take
MEMORY = 2_000_000_000  # bytes that reading one may take
START = 60.0  # seconds for the process to start, on a busy machine

Kind = Literal["feed", "sitemap", "index", "opml", "page"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a list says of one article; of one feed or sitemap, in OPML, on a page and in an index."""

    url: str = ""  # http or https; "" where it names none
    title: str = ""
    text: str = ""  # its own, plain
    published: str = ""  # ISO 8601; "" where it does not say
    authors: tuple[str, ...] = ()
    changed: str = ""  # as it was given: once it is another, the page has changed
    id: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    kind: Kind
    title: str = ""
    entries: tuple[Entry, ...] = ()
    left_out: int = 0  # entries beyond MAX_ENTRIES


class NoListing(BadArticle):
    """What was found is neither a list nor a page."""


def read(data: bytes, url: str, kind: str = "") -> Listing:
    """`kind` is the Content-Type. Takes as long as it takes: see `Reader`. Raises NoListing, and whatever the parsers
    raise.
    """
    from corpus.sources import feeds, opml, sitemaps

    if data.startswith(b"\x1f\x8b"):
        data = _gunzipped(data)
    root = root_of(data)
    if root in ("urlset", "sitemapindex"):
        return sitemaps.read(data, url)
    if root == "opml":
        return opml.read(data)
    if root == "html" and not kind.startswith("application/rss"):
        return sitemaps.page(data, url, kind)
    return feeds.read_json(data, url) if root == "{" else feeds.read(data, url, kind)


def _gunzipped(data: bytes) -> bytes:
    whole = bytearray()
    for piece in unpacked([data], "gzip"):
        whole += piece
        if len(whole) > MAX_LISTING:
            raise NoListing(f"The list has more than {MAX_LISTING:,} bytes unpacked. Give a part of it.")
    return bytes(whole)


_BEFORE_ROOT = re.compile(
    r"\s*(?:<\?.{0,2000}?\?>|<!--.{0,20000}?-->|<!DOCTYPE[^<>\[]{0,2000}(?:\[.{0,20000}?\])?\s*>)", re.S | re.I
)
_ROOT = re.compile(r"\s*<(?:[\w.-]{1,40}:)?([\w.-]{1,40})")


def root_of(data: bytes) -> str:
    """The name of the first element, lower-case and without its prefix; "{" for JSON, "" for anything else."""
    head = data[:50_000]
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if wide else "utf-8", "replace").lstrip("\ufeff \t\r\n\0")
    if text.startswith("{"):
        return "{"
    html = re.match(r"<!DOCTYPE\s+html\b", text, re.I) is not None
    while found := _BEFORE_ROOT.match(text):
        text = text[found.end() :]
    named = _ROOT.match(text)
    root = named[1].lower() if named else ""
    return "html" if html or root in ("head", "body") else root


# What the parsers share

_AS_BROWSERS = str.maketrans({"\t": "", "\r": "", "\n": "", " ": "%20"})


def web_address(said: object, base: str = "") -> str:
    """Absolute, http or https, without what is behind "#"; "" for anything else."""
    if not isinstance(said, str) or not said.strip():
        return ""
    try:
        url = urljoin(base, said.strip().translate(_AS_BROWSERS))
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ""
    url = parts._replace(fragment="").geturl() if known else ""
    return url if len(url.encode("utf-8", "replace")) <= MAX_URL else ""


def short(said: object) -> str:
    """A title or a name, on one line; cut where it is longer than any."""
    return line(said[: 4 * MAX_FIELD])[: MAX_FIELD // 2] if isinstance(said, str) else ""


# In a process of its own


class Reader:
    """Reads lists one at a time; the process behind it starts with the first one."""

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def read(self, data: bytes, url: str, kind: str = "") -> Listing:
        """Raises NoListing: nothing that can be read, or nothing that can be read in time."""
        with self._lock:
            pipe = self._pipe or self._started()
            try:
                pipe.send_bytes(json.dumps([url, kind]).encode() + b"\n" + data)
                answer = pipe.recv_bytes() if pipe.poll(self._longest) else b""
            except (OSError, EOFError):
                self._end()
                raise NoListing("Reading the list took too much memory or failed. Give another address.") from None
            if not answer:
                self._end()
                raise NoListing(f"Reading the list took more than {self._longest:g} seconds. Give another address.")
        return _listing(answer)

    def close(self) -> None:
        with self._lock:
            self._end()

    def _started(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True, name="pullquote lists")
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START):
            self._end()
            raise NoListing("The process that reads lists does not start. Look at the machine's memory.")
        self._pipe.recv_bytes()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._pipe = None


def _listing(answer: bytes) -> Listing:
    said: dict[str, Any] = json.loads(answer)
    if said.get("problem"):
        raise NoListing(said["problem"])
    entries = tuple(Entry(**{**one, "authors": tuple(one["authors"])}) for one in said["entries"])
    return Listing(said["kind"], said["title"], entries, said["left_out"])


def _serve(pipe: Connection) -> None:
    """Until the other end is closed."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the program, which ends this
    _limit_memory()
    from corpus.sources import feeds, opml, sitemaps  # noqa: F401 - so that the first list takes no longer

    pipe.send_bytes(b"ready")
    while True:
        try:
            asked = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        head, _, data = asked.partition(b"\n")
        url, kind = json.loads(head)
        pipe.send_bytes(json.dumps(_told(data, url, kind)).encode())


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _told(data: bytes, url: str, kind: str) -> dict[str, Any]:
    try:
        return asdict(read(data, url, kind))
    except BadArticle as error:
        return {"problem": str(error)}
    except Exception as error:  # noqa: BLE001 - parsers of hostile input: what they raise is not documented
        return {"problem": f"The list cannot be read ({type(error).__name__}). Give another address."}
