"""Pages of the web, as articles. The only file that connects to addresses that somebody else chose.

Only public addresses: a name is looked up, every address that it has is checked, and the connection goes to what was
checked, for each redirect anew. So no answer of a name server can change between the check and the connection.
"""

import codecs
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from corpus.address import claimed
from corpus.article import Article, BadArticle, line
from corpus.extract import extract
from corpus.sources.files import MAX_DOCUMENT, Item

Network = IPv4Network | IPv6Network
Lookup = Callable[..., Sequence[tuple[Any, ...]]]  # as socket.getaddrinfo
PATIENCE = 10.0  # seconds for each step: a connection, a piece of the answer
DEADLINE = 30.0  # seconds for a page as a whole
REDIRECTS = 5
ADDRESSES = 4  # of a name, tried in turn
NAME = "pullquote"  # as robots.txt calls us
AGENT = f"{NAME}/0.1 (news question answering)"
CONNECTIONS = 64  # open at a time, over all hosts
KEPT = 15.0  # seconds for which a connection is kept for the next request
PIECE = 65_536  # bytes unpacked at a time
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be another the next time
LEADING = (301, 302, 303, 307, 308)
MAX_HEADER = 1_000  # characters kept of a validator
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
# Addresses of IPv6 that stand for one of IPv4, besides those that the library knows: compatible, NAT64.
_EMBEDDED = (ip_network("::/96"), ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))


class NotPublic(Exception):
    """The address leads into a network that is not the internet."""


class Inside(BadArticle):
    """As NotPublic, in a sentence for a person."""


class Withdrawn(BadArticle):
    """Taken back for good by who published it: 410."""

    def __init__(self, said: str, url: str) -> None:
        super().__init__(said)
        self.url = url  # that says so, after redirects


class Unreached(BadArticle):
    """Not to be had this time, which may pass."""

    def __init__(self, said: str, wait: float = 0.0) -> None:
        super().__init__(said)
        self.wait = wait  # seconds that the server asks for; 0: none


@dataclass(frozen=True, slots=True)
class Known:
    """What a server said of an address when it was fetched last, so that it is sent again only when it changed."""

    url: str = ""  # that said it: the one at the end of the redirects
    etag: str = ""
    modified: str = ""  # Last-Modified, as it was given


@dataclass(frozen=True, slots=True)
class Got:
    """What a server answered in the end."""

    url: str  # after redirects
    status: int
    kind: str = ""  # Content-Type as it was given
    data: bytes = b""  # unpacked; only where the status is 200
    known: Known = Known()
    wait: float = 0.0  # Retry-After, in seconds


@dataclass(frozen=True, slots=True)
class Page:
    """What stands at an address of the web."""

    url: str  # after redirects
    data: bytes
    suffix: str  # the kind of document: ".html"


def pages(urls: Iterable[str], private: Sequence[Network] = ()) -> Iterator[Item]:
    """The article at each address. Never raises for what it finds there: that is the problem of its Item."""
    for url in map(str.strip, urls):
        try:
            yield Item(line(url)[:200], article(fetch(url, private)))
        except BadArticle as error:
            yield Item(line(url)[:200], None, str(error))


def article(page: Page) -> Article:
    """The article on a page. Its own idea of its address counts where it can be believed. Raises BadArticle."""
    found = extract(page.data, name=f"page{page.suffix}", url=page.url)
    return replace(found, url=claimed(found.url, page.url), outlet=found.outlet or site(page.url))


def fetch(
    url: str, private: Sequence[Network] = (), *, seconds: float = DEADLINE, lookup: Lookup = socket.getaddrinfo
) -> Page:
    """What stands at the address now, had within so many `seconds`.

    `private` are networks that may be fetched from although they are not public; `lookup` finds a name's addresses.
    Raises BadArticle: no page there, not a document, too large, too slow, not public.
    """
    with Web(private, seconds=seconds, lookup=lookup) as web:
        return page(answered(web.get(url, admit=kind)))


def answered(got: Got) -> Got:
    """The same where it is an answer or "not changed". Raises Unreached for what may pass, Withdrawn, or BadArticle."""
    if got.status in (200, 304):
        return got
    if got.status == 410:
        raise Withdrawn("The address answers 410: what stood there was withdrawn for good.", got.url)
    said = f"The address answers {got.status}, not with a page. Open it in a browser."
    raise Unreached(said, got.wait) if got.status in PASSING else BadArticle(said)


def page(got: Got) -> Page:
    """Raises BadArticle where it is no document."""
    suffix, charset = kind(got.kind)
    return Page(got.url, _as_utf8(got.data, charset) if suffix != ".pdf" else got.data, suffix)


class Web:
    """One client for many requests, from any thread: connections are kept, each was checked when it was made."""

    def __init__(
        self,
        private: Sequence[Network] = (),
        *,
        seconds: float = DEADLINE,
        agent: str = AGENT,
        lookup: Lookup = socket.getaddrinfo,
    ) -> None:
        """`seconds` for an address as a whole, its redirects included, the waiting in `before` not."""
        self._seconds, self._halted = seconds, threading.Event()
        self._client = httpx.Client(
            transport=_Transport(_Public(private, self._halted, lookup)),
            timeout=PATIENCE,
            headers={"User-Agent": agent, "Accept-Encoding": ", ".join(_UNPACKERS)},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is kept
            trust_env=False,
        )

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def halt(self) -> None:
        """What is being fetched fails within a second or so, and so does all that is asked for after it."""
        self._halted.set()

    def get(
        self,
        url: str,
        known: Known = Known(),
        *,
        admit: Callable[[str], object] = lambda kind: None,
        before: Callable[[str], object] = lambda url: None,
        limit: int = MAX_DOCUMENT,
    ) -> Got:
        """What the server answers, whatever its status.

        `admit` sees the Content-Type before a body is read, `before` each address before it is asked: both may raise.
        `limit`: bytes of the body, unpacked. Raises Unreached, Inside or BadArticle.
        """
        left = self._seconds
        for _ in range(REDIRECTS + 1):
            _check(url)
            before(url)
            begun = time.monotonic()
            with _sentences(self._seconds), _until(begun + left):
                got = self._ask(url, known, admit, limit)
            left -= time.monotonic() - begun
            if isinstance(got, Got):
                return got
            url = got
        raise BadArticle(f"The address leads on more than {REDIRECTS} times. Give the one it ends at.")

    def _ask(self, url: str, known: Known, admit: Callable[[str], object], limit: int) -> Got | str:
        """The answer, or the address that it leads to."""
        headers = {"Accept": f"{', '.join(_SUFFIXES)}, */*;q=0.5"}
        if url == known.url:
            headers |= {"If-None-Match": known.etag} if known.etag else {}
            headers |= {"If-Modified-Since": known.modified} if known.modified else {}
        with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code != 200:
                _drain(response)
            if response.status_code in LEADING and "location" in response.headers:
                return urljoin(url, response.headers["location"])
            if response.status_code != 200:
                return Got(url, response.status_code, wait=_wait(response.headers.get("retry-after", "")))
            type_ = response.headers.get("content-type", "")
            admit(type_)
            data = _body(response, limit)
            said = (response.headers.get(name, "") for name in ("etag", "last-modified"))
            validators = (one if len(one) <= MAX_HEADER else "" for one in said)
            return Got(str(response.url), 200, type_, data, Known(url, *validators))


@contextmanager
def _sentences(seconds: float) -> Iterator[None]:
    """What can go wrong between here and a server, as BadArticle."""
    try:
        yield
    except NotPublic as error:
        raise Inside(f"{error} Only public addresses are fetched.") from error
    except (httpx.TimeoutException, httpcore.TimeoutException) as error:
        raise Unreached(
            f"The server took more than {PATIENCE:g} seconds for a step or {seconds:g} in all. Try again later."
        ) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise BadArticle(_WEB_ONLY) from error
    except (httpx.HTTPError, httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
        if isinstance(error, BadArticle):  # what `admit` raised
            raise
        why = line(str(error))[:200] or type(error).__name__
        raise Unreached(f"The page cannot be fetched: {why}. Check the address and the connection.") from error


def _wait(said: str) -> float:
    """Seconds, of Retry-After: a number of them, or a date. 0 where it says neither."""
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        when = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return 0.0
    return max((when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


_WEB_ONLY = "The address does not start with http:// or https:// and a host. Give the page's address."


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise BadArticle(_WEB_ONLY)
    if parts.username or parts.password:
        raise BadArticle("The address holds a name or a password, which would be stored. Leave them out.")


def site(url: str) -> str:
    """The host, without the beginnings that stand for the same pages."""
    host = (urlsplit(url).hostname or "").lower()
    for beginning in ("www.", "m.", "amp.", "mobile."):
        host = host.removeprefix(beginning)
    return host


def kind(content_type: str) -> tuple[str, str]:
    """The suffix for this type, and the encoding it names ("" for none). Raises BadArticle."""
    header = EmailMessage()
    header["Content-Type"] = content_type or "text/html"
    suffix = _SUFFIXES.get(header.get_content_type())
    if suffix is None:
        kinds = "pages (HTML), PDF, DOCX, text and Markdown"
        raise BadArticle(f"The address gives {line(content_type)[:80]!r}. There can be read: {kinds}.")
    return suffix, header.get_content_charset() or ""


def _body(response: httpx.Response, limit: int) -> bytes:
    """Unpacked, never more than the limit at a time. Raises BadArticle where it is too large, ValueError where it
    cannot be unpacked.
    """
    data = bytearray()
    for piece in unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
        data += piece
        if len(data) > limit:
            raise BadArticle(f"The page has more than {limit:,} bytes. Save its article and ingest that.")
    return bytes(data)


def _drain(response: httpx.Response) -> None:
    """Reads a short body that nobody wants, after which the connection can be used again."""
    left = PIECE
    for piece in response.iter_raw():
        left -= len(piece)
        if left < 0:
            return


def unpacked(pieces: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Pieces of at most PIECE bytes, so that no few bytes become gigabytes before anybody counts. Raises ValueError."""
    coding = coding.strip().lower().removeprefix("x-")
    if coding in ("", "identity"):
        yield from pieces
        return
    if coding not in _UNPACKERS:
        raise ValueError(f"it is packed as {line(coding)[:40]!r}")
    yield from _UNPACKERS[coding](pieces)


def _inflated(pieces: Iterable[bytes], bits: int) -> Iterator[bytes]:
    """One stream of zlib's after another; `bits` as zlib takes them."""
    inflate, begun = zlib.decompressobj(bits), False
    try:
        for piece in filter(None, pieces):
            begun, full = True, True
            while piece or full:
                if inflate.eof:
                    inflate = zlib.decompressobj(bits)
                out = inflate.decompress(piece, PIECE)
                yield out
                piece = inflate.unconsumed_tail or inflate.unused_data
                full = len(out) == PIECE and not inflate.eof  # then it may hold more back
    except zlib.error as error:
        raise ValueError("it is not packed as it says") from error
    if begun and not inflate.eof:
        raise ValueError("what is packed breaks off")


def _deflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """With zlib's head, as the standard has it, or without, as some servers have it."""
    rest, head = iter(pieces), b""
    while len(head) < 2 and (more := next(rest, None)) is not None:
        head += more
    headed = len(head) > 1 and head[0] & 15 == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
    yield from _inflated(chain([head], rest), zlib.MAX_WBITS if headed else -zlib.MAX_WBITS)


def _unbrotlied(pieces: Iterable[bytes]) -> Iterator[bytes]:
    import brotli

    decoder, begun = brotli.Decompressor(), False
    try:
        for piece in pieces:
            begun = begun or bool(piece)
            yield decoder.process(piece, output_buffer_limit=PIECE)
            while not decoder.can_accept_more_data():
                yield decoder.process(b"", output_buffer_limit=PIECE)
    except brotli.error as error:
        raise ValueError("it is not packed as it says") from error
    if begun and not decoder.is_finished():
        raise ValueError("what is packed breaks off")


_UNPACKERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": lambda pieces: _inflated(pieces, 16 + zlib.MAX_WBITS),
    "deflate": _deflated,
    "br": _unbrotlied,
}


def _as_utf8(data: bytes, charset: str) -> bytes:
    """What the server says of the encoding counts for more than what the page says, where the bytes agree."""
    try:
        codec = codecs.lookup(charset).name if charset else "utf-8"
        return data if codec == "utf-8" else data.decode(codec).encode()
    except (LookupError, ValueError):  # unknown, not for text, or not of these bytes
        return data


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is one of the internet, for one host, that does not stand for an address of another kind."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped or address.sixtofour or address.teredo or address.is_site_local:
            return False
        if any(address in network for network in _EMBEDDED):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


# When the request that this thread is making must be over, by the monotonic clock.
_ENDS: ContextVar[float] = ContextVar("_ENDS")


@contextmanager
def _until(ends: float) -> Iterator[None]:
    token = _ENDS.set(ends)
    try:
        yield
    finally:
        _ENDS.reset(token)


class _Public(httpcore.NetworkBackend):
    """Connects to public addresses and to those of `private`, until it is halted."""

    def __init__(self, private: Sequence[Network], halted: threading.Event, lookup: Lookup) -> None:
        self._private, self._halted, self._lookup = private, halted, lookup
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in self._addresses(host, port):
            patience = _left(self._halted, timeout)
            try:
                stream = self._system.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:  # the next one may answer
                failed = error
            else:
                return _Timed(stream, self._halted)
        raise failed or httpcore.ConnectError(f"the name {host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        """All of them checked: whoever names one that is not public is not to be trusted with the others."""
        try:
            found = self._lookup(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} has no address") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for one in addresses:
            self._admit(host, one)
        return addresses[:ADDRESSES]

    def _admit(self, host: str, address: str) -> None:
        known = ip_address(address.partition("%")[0])
        if not (is_public(known) or any(known in network for network in self._private)):
            raise NotPublic(f"{host} is {address}, which is not an address of the internet.")

    def connect_unix_socket(self, *_args: object, **_kept: object) -> httpcore.NetworkStream:
        raise NotPublic("A socket of this machine is no address.")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _left(halted: threading.Event, timeout: float | None) -> float:
    """Seconds for the next step. Raises httpcore.ReadTimeout where none are left."""
    left = _ENDS.get() - time.monotonic()
    if left <= 0 or halted.is_set():
        raise httpcore.ReadTimeout("too slow")
    return min(left, timeout if timeout is not None else left)


class _Timed(httpcore.NetworkStream):
    """A connection on which a request ends, however slowly the other side sends."""

    def __init__(self, stream: httpcore.NetworkStream, halted: threading.Event) -> None:
        self._stream, self._halted = stream, halted

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Looks up every second, so that it can be halted."""
        patience = time.monotonic() + _left(self._halted, timeout)
        while True:
            try:
                left = max(patience - time.monotonic(), 0.001)
                return self._stream.read(max_bytes, min(_left(self._halted, left), 1.0))
            except httpcore.ReadTimeout:
                if self._halted.is_set() or time.monotonic() >= patience:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._halted, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._halted, timeout))
        return _Timed(stream, self._halted)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Transport(httpx.BaseTransport):
    """httpx on a pool whose connections the backend makes."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            network_backend=backend,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEPT,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(request.url.scheme)
        sent = httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
        got = self._pool.handle_request(sent)
        return httpx.Response(
            got.status, headers=got.headers, stream=_Stream(got.stream), extensions=got.extensions, request=request
        )

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:  # httpcore types it as what may also be asynchronous
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()
