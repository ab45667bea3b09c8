"""Pages of the web: a real server on loopback that fails in every way, and addresses that must not be asked."""

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address, ip_network
from itertools import cycle
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.article import BadArticle
from corpus.sources.files import MAX_DOCUMENT
from corpus.sources.web import PIECE, REDIRECTS, Unreached, Web, fetch, is_public, pages, unpacked
from tests.web_server import PAGE, Handler, Server, reset, serving

HERE = (ip_network("127.0.0.1/32"),)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


def problem(url: str, seconds: float = 5) -> str:
    with pytest.raises(BadArticle) as refused:
        fetch(url, HERE, seconds=seconds)
    return str(refused.value)


def test_a_page_becomes_an_article(server: Server) -> None:
    [item] = pages([server.page("/cheese?id=1")], HERE)
    assert item.article, item.problem
    assert item.article.url == f"{server.url}/cheese?id=1"
    assert item.article.title == "Dairy wins cheese prize"
    assert item.article.outlet == "The Ledger"
    assert item.article.authors == ("Mira Halvorsen",)
    assert item.article.published == datetime(2025, 5, 16, 8, tzinfo=UTC)
    assert item.article.text.startswith("A dairy in Larkhaven won the national cheese prize on Sunday.")


def test_one_bad_address_stops_no_other(server: Server) -> None:
    found = list(pages(["https://", server.page("/cheese"), " "], HERE))
    assert [bool(one.article) for one in found] == [False, True, False]
    assert found[0].problem.endswith("Give the page's address.")


def test_redirects_are_followed_and_the_last_address_is_kept(server: Server) -> None:
    server.page("/cheese")
    server.gives["/old"] = lambda request: request.lead("/cheese")
    [item] = pages([f"{server.url}/old"], HERE)
    assert item.article
    assert item.article.url == f"{server.url}/cheese"


@pytest.mark.parametrize(
    ("canonical", "kept"),
    [("http://127.0.0.1/cheese", "http://127.0.0.1/cheese"), ("https://bank.example/news", "{here}/cheese")],
)
def test_a_page_may_name_its_address_on_its_own_site_only(server: Server, canonical: str, kept: str) -> None:
    url = server.page("/cheese", f'<link rel="canonical" href="{canonical}">')
    [item] = pages([url], HERE)
    assert item.article
    assert item.article.url == kept.format(here=server.url)


def test_the_servers_word_on_the_encoding_counts(server: Server) -> None:
    body = PAGE.format(head='<meta charset="utf-8">').replace("jury", "Jürÿ").encode("latin-1")
    server.gives["/latin"] = lambda request: request.give(body, "text/html; charset=iso-8859-1")
    [item] = pages([f"{server.url}/latin"], HERE)
    assert item.article
    assert "The Jürÿ praised" in item.article.text


def raw(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "br": brotli.compress,
    "deflate": zlib.compress,
}


@pytest.mark.parametrize("coding", PACKERS)
def test_packed_pages_are_unpacked(server: Server, coding: str) -> None:
    data = PAGE.format(head="").encode()
    server.gives["/x"] = lambda request: request.give(PACKERS[coding](data), Content_Encoding=coding)
    assert fetch(f"{server.url}/x", HERE).data == data


@given(st.binary(max_size=300_000), st.sampled_from([*PACKERS.items(), ("deflate", raw)]), st.integers(1, 5_000))
def test_what_is_packed_is_unpacked_in_small_pieces(data: bytes, how: tuple[str, Any], step: int) -> None:
    coding, pack = how
    packed = pack(data)
    pieces = list(unpacked((packed[at : at + step] for at in range(0, len(packed), step)), coding))
    assert b"".join(pieces) == data
    assert max(map(len, pieces), default=0) <= PIECE


@given(st.binary(max_size=500), st.sampled_from(["gzip", "br", "deflate"]))
def test_what_is_not_packed_is_refused_or_read(data: bytes, coding: str) -> None:
    said = ""
    try:
        assert len(b"".join(unpacked([data], coding))) <= 1_000_000
    except ValueError as error:
        said = str(error)
    assert said in ("", "it is not packed as it says", "what is packed breaks off")


def test_a_kept_client_asks_again_only_for_what_has_changed(server: Server) -> None:
    url = server.file("/x", "one", "text/plain")
    server.gives["/old"] = lambda request: request.lead("/x")
    with Web(HERE) as web:
        first = web.get(f"{server.url}/old")
        again = web.get(f"{server.url}/old", first.known)
        assert (first.status, first.data, first.known.url) == (200, b"one", url)
        assert (again.status, again.data) == (304, b"")
        server.file("/x", "two", "text/plain")
        assert web.get(url, first.known).data == b"two"
    assert server.connections == 1


def test_no_cookie_is_kept(server: Server) -> None:
    sent = []

    def give(request: Handler) -> None:
        sent.append(request.headers.get("Cookie"))
        request.give(b"x", Set_Cookie="id=1; Path=/")

    server.gives["/x"] = give
    with Web(HERE) as web:
        assert [web.get(f"{server.url}/x").status for _ in range(2)] == [200, 200]
    assert sent == [None, None]


def test_a_halted_client_lets_go_of_what_hangs(server: Server) -> None:
    asked = threading.Event()

    def hang(request: Handler) -> None:
        asked.set()
        server.closing.wait(30)

    server.gives["/x"] = hang
    with Web(HERE) as web:
        waiting = threading.Thread(target=halt_after, args=(web, asked))
        waiting.start()
        begun = time.monotonic()
        with pytest.raises(Unreached):
            web.get(f"{server.url}/x")
        assert time.monotonic() - begun < 8
        with pytest.raises(Unreached):
            web.get(f"{server.url}/y")
        waiting.join()


def halt_after(web: Web, asked: threading.Event) -> None:
    asked.wait(10)
    web.halt()


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("", 0), ("soon", 0), ("-3", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)]
)
def test_how_long_a_server_wants_to_be_left_alone(server: Server, said: str, seconds: float) -> None:
    server.gives["/x"] = lambda request: request.give(b"", status=503, Retry_After=said)
    with Web(HERE) as web:
        assert web.get(f"{server.url}/x").wait == seconds


def endless(request: Handler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    for _ in cycle([0]):
        request.wfile.write(b"<p>and so on</p>" * 10_000)


def short(request: Handler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.send_header("Content-Length", "1000")
    request.close_connection = True
    request.end_headers()
    request.wfile.write(b"<p>no more")


BAD: dict[str, tuple[Any, str]] = {
    "missing": (lambda request: request.give(b"", status=404), "answers 404"),
    "broken": (lambda request: request.give(b"", status=500), "answers 500"),
    "picture": (lambda request: request.give(b"\x89PNG", "image/png"), "gives 'image/png'"),
    "loop": (lambda request: request.lead(request.path), f"leads on more than {REDIRECTS} times"),
    "elsewhere": (lambda request: request.lead("ftp://n.example/"), "does not start with http"),
    "nowhere": (lambda request: request.lead("http://["), "cannot be fetched"),
    "inside": (lambda request: request.lead(f"http://127.0.0.2:{request.server.port}/x"), "127.0.0.2 is 127.0.0.2"),
    "password": (lambda request: request.lead(f"http://me:pw@127.0.0.1:{request.server.port}/ok"), "holds a name"),
    "reset": (reset, "cannot be fetched"),
    "short": (short, "cannot be fetched"),
    "brotli bomb": (
        lambda request: request.give(brotli.compress(bytes(50 * MAX_DOCUMENT), quality=1), Content_Encoding="br"),
        f"more than {MAX_DOCUMENT:,} bytes",
    ),
    "broken off gzip": (
        lambda request: request.give(gzip.compress(PAGE.encode())[:-9], Content_Encoding="gzip"),
        "what is packed breaks off",
    ),
    "odd packing": (lambda request: request.give(b"x", Content_Encoding="zip"), "it is packed as 'zip'"),
    "bad brotli": (lambda request: request.give(b"not packed", Content_Encoding="br"), "not packed as it says"),
    "bad gzip": (lambda request: request.give(b"not packed", Content_Encoding="gzip"), "cannot be fetched"),
    "endless": (endless, f"more than {MAX_DOCUMENT:,} bytes"),
    "bomb": (
        lambda request: request.give(gzip.compress(bytes(2 * MAX_DOCUMENT)), Content_Encoding="gzip"),
        f"more than {MAX_DOCUMENT:,} bytes",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_page_is_one_sentence(server: Server, name: str) -> None:
    give, why = BAD[name]
    server.gives["/x"] = give
    server.page("/ok")
    said = problem(f"{server.url}/x", 20)
    assert why in said
    assert said.endswith(".")
    assert "pw" not in said


def test_a_server_that_trickles_is_left(server: Server) -> None:
    def trickle(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        while not server.closing.wait(0.05):
            request.wfile.write(b" ")

    server.gives["/x"] = trickle
    assert "took more than" in problem(f"{server.url}/x", 0.5)


INSIDE = [
    *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://127.1:{port}/", "http://0x7f000001:{port}/"),
    *("http://2130706433:{port}/", "http://0:{port}/", "http://0.0.0.0:{port}/", "http://[::1]:{port}/"),
    *("http://[::ffff:127.0.0.1]:{port}/", "http://[::7f00:1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/"),
    *("http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/"),
    *("http://100.64.0.1/", "http://224.0.0.1/", "http://255.255.255.255/", "http://[fe80::1]/", "http://[fc00::1]/"),
    *("http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://[ff02::1]/", "http://[::]/"),
    *("file:///etc/passwd", "gopher://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http:///", "http://[", ""),
    *("unix:/var/run/docker.sock", "http://me:pw@127.0.0.1:{port}/", "javascript:alert(1)"),
]


@pytest.mark.parametrize("url", INSIDE)
def test_nothing_is_asked_of_an_address_that_is_not_public(server: Server, url: str) -> None:
    [item] = pages([url.format(port=server.port)])
    assert item.article is None
    assert item.problem
    assert server.asked == []


@pytest.mark.parametrize("others", [1, 9])
def test_a_name_with_one_address_inside_is_not_asked_at_all(server: Server, others: int) -> None:
    def lookup(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        every = (*(f"127.0.0.{number}" for number in range(1, others + 1)), "10.0.0.1")
        return [(0, 0, 0, "", (one, port)) for one in every]

    with pytest.raises(BadArticle, match=r"n\.example is 10\.0\.0\.1"):
        fetch(f"http://n.example:{server.port}/", (ip_network("127.0.0.0/8"),), lookup=lookup)
    assert server.asked == []


def test_what_was_checked_is_what_is_connected_to(server: Server) -> None:
    """A name server that changes its answer is asked once for each connection."""
    answers = iter(["127.0.0.1", "10.0.0.1"])
    asked: list[str] = []

    def lookup(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", (next(answers), port))]

    server.page("/cheese")
    url = f"http://n.example:{server.port}/cheese"
    assert fetch(url, HERE, lookup=lookup).url == url
    assert asked == ["n.example"]
    server.gives["/on"] = lambda request: request.lead(f"http://m.example:{server.port}/cheese")
    answers = iter(["127.0.0.1", "10.0.0.1"])
    with pytest.raises(BadArticle, match=r"m\.example is 10\.0\.0\.1"):
        fetch(f"http://n.example:{server.port}/on", HERE, lookup=lookup)
    assert server.asked == ["/cheese", "/on"]


def test_the_next_address_is_tried_where_one_does_not_answer(server: Server) -> None:
    def lookup(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(0, 0, 0, "", (one, port)) for one in ("127.0.0.3", "127.0.0.1")]

    server.page("/cheese")
    url = f"http://n.example:{server.port}/cheese"
    assert fetch(url, (ip_network("127.0.0.0/8"),), lookup=lookup).url == url


@given(st.ip_addresses(v=4))
def test_an_address_of_version_4_is_public_in_no_disguise(address: IPv4Address) -> None:
    plain = int(address)
    for disguise in (plain, 0xFFFF << 32 | plain, 0x64FF9B << 96 | plain, 0x2002 << 112 | plain << 80):
        assert not is_public(ip_address(disguise.to_bytes(16)))


@pytest.mark.parametrize("address", ["8.8.8.8", "151.101.1.69", "2606:4700::1111", "2a00:1450:4001:81b::200e"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))
