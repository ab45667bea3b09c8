"""Pages of the web, as articles. The only file that connects to addresses that somebody else chose.

Only public addresses: a name is looked up, every address that it has is checked, and the connection goes to what was
checked, for each redirect anew. So no answer of a name server can change between the check and the connection.
"""

import codecs
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

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
AGENT = "pullquote/0.1 (news question answering; fetches single pages on request)"
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
    return replace(found, url=claimed(found.url, page.url), outlet=found.outlet or _site(page.url))


def fetch(
    url: str, private: Sequence[Network] = (), *, seconds: float = DEADLINE, lookup: Lookup = socket.getaddrinfo
) -> Page:
    """What stands at the address now, had within so many `seconds`.

    `private` are networks that may be fetched from although they are not public; `lookup` finds a name's addresses.
    Raises BadArticle: no page there, not a document, too large, too slow, not public.
    """
    _check(url)
    transport = _Transport(_Public(private, time.monotonic() + seconds, lookup))
    headers = {"User-Agent": AGENT, "Accept": ", ".join(_SUFFIXES)}
    try:
        with (
            httpx.Client(
                transport=transport,
                timeout=PATIENCE,
                follow_redirects=True,
                max_redirects=REDIRECTS,
                headers=headers,
                trust_env=False,
            ) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != 200:
                raise BadArticle(f"The address answers {response.status_code}, not with a page. Open it in a browser.")
            _check(str(response.url))  # a redirect may lead to one that holds a password
            suffix, charset = _kind(response.headers.get("content-type", ""))
            data = _body(response)
            return Page(str(response.url), _as_utf8(data, charset) if suffix != ".pdf" else data, suffix)
    except NotPublic as error:
        raise BadArticle(f"{error} Only public addresses are fetched.") from error
    except httpx.TooManyRedirects as error:
        raise BadArticle(f"The address leads on more than {REDIRECTS} times. Give the one it ends at.") from error
    except (httpx.TimeoutException, httpcore.TimeoutException) as error:
        raise BadArticle(
            f"The server took more than {PATIENCE:g} seconds for a step or {seconds:g} in all. Try again later."
        ) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise BadArticle(_WEB_ONLY) from error
    except (httpx.HTTPError, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        why = line(str(error))[:200] or type(error).__name__
        raise BadArticle(f"The page cannot be fetched: {why}. Check the address and the connection.") from error


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


def _site(url: str) -> str:
    """The host, without the beginnings that stand for the same pages."""
    host = (urlsplit(url).hostname or "").lower()
    for beginning in ("www.", "m.", "amp.", "mobile."):
        host = host.removeprefix(beginning)
    return host


def _kind(content_type: str) -> tuple[str, str]:
    """The suffix for this type, and the encoding it names ("" for none). Raises BadArticle."""
    header = EmailMessage()
    header["Content-Type"] = content_type or "text/html"
    suffix = _SUFFIXES.get(header.get_content_type())
    if suffix is None:
        kinds = "pages (HTML), PDF, DOCX, text and Markdown"
        raise BadArticle(f"The address gives {line(content_type)[:80]!r}. There can be read: {kinds}.")
    return suffix, header.get_content_charset() or ""


def _body(response: httpx.Response) -> bytes:
    """Unpacked. Raises BadArticle where it is too large."""
    data = bytearray()
    for piece in response.iter_bytes():
        data += piece
        if len(data) > MAX_DOCUMENT:
            raise BadArticle(f"The page has more than {MAX_DOCUMENT:,} bytes. Save its article and ingest that.")
    return bytes(data)


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


class _Public(httpcore.NetworkBackend):
    """Connects to public addresses and to those of `private`; whatever it connects to ends at `ends`."""

    def __init__(self, private: Sequence[Network], ends: float, lookup: Lookup) -> None:
        self._private, self._ends, self._lookup = private, ends, lookup
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
            patience = _left(self._ends, timeout)
            try:
                stream = self._system.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:  # the next one may answer
                failed = error
            else:
                return _Timed(stream, self._ends)
        raise failed or httpcore.ConnectError(f"the name {host} has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        """All of them checked: whoever names one that is not public is not to be trusted with the others."""
        try:
            found = self._lookup(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} has no address") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))[:ADDRESSES]
        for one in addresses:
            self._admit(host, one)
        return addresses

    def _admit(self, host: str, address: str) -> None:
        known = ip_address(address.partition("%")[0])
        if not (is_public(known) or any(known in network for network in self._private)):
            raise NotPublic(f"{host} is {address}, which is not an address of the internet.")

    def connect_unix_socket(self, *_args: object, **_kept: object) -> httpcore.NetworkStream:
        raise NotPublic("A socket of this machine is no address.")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _left(ends: float, timeout: float | None) -> float:
    """Seconds for the next step. Raises httpcore.ReadTimeout where none are left."""
    left = ends - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("too slow")
    return min(left, timeout if timeout is not None else left)


class _Timed(httpcore.NetworkStream):
    """A connection that ends, however slowly the other side sends."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream, self._ends = stream, ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._ends, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._ends, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._ends, timeout))
        return _Timed(stream, self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Transport(httpx.BaseTransport):
    """httpx on a pool whose connections the backend makes."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=httpx.create_ssl_context(), network_backend=backend)

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
