"""Manners: robots.txt, one request a host at a time, what a server asks for. A real server, a clock of our own."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from corpus.article import BadArticle
from corpus.sources.visitor import LONGEST, RETRIED, SLOWEST, Visitor, host
from corpus.sources.web import Inside, Known, Unreached, Web
from tests.clock import FakeClock
from tests.web_server import Server, serving

HERE = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def visitor(clock: FakeClock) -> Iterator[Visitor]:
    with Web(HERE, seconds=5) as web:
        yield Visitor(web, pace=2.0, clock=clock)


def rules(server: Server, text: str) -> None:
    server.gives["/robots.txt"] = lambda request: request.give(text.encode(), "text/plain")


def test_a_host_is_asked_once_in_a_pace_and_its_rules_once_a_day(
    server: Server, clock: FakeClock, visitor: Visitor
) -> None:
    begun, url = clock.now(), server.page("/a")
    for _ in range(3):
        visitor.visit(url)
    assert server.asked == ["/robots.txt", "/a", "/a", "/a"]
    assert clock.now() - begun == 6.0
    assert visitor.free_at(url) - begun == 8.0
    clock.sleep(90_000)
    visitor.visit(url)
    assert server.asked[4:] == ["/robots.txt", "/a"]


def test_what_the_rules_forbid_is_not_asked_unless_by_hand(server: Server, visitor: Visitor) -> None:
    rules(server, "User-agent: *\nDisallow: /\n\nUser-agent: Pullquote\nDisallow: /in*de\nAllow: /inside/ok$\n")
    with pytest.raises(BadArticle, match=r"robots\.txt asks programs not to fetch this"):
        visitor.visit(server.page("/inside"))
    assert visitor.visit(server.page("/out")).status == 200
    assert visitor.visit(server.page("/inside/ok")).status == 200
    assert server.asked == ["/robots.txt", "/out", "/inside/ok"]
    assert visitor.visit(f"{server.url}/inside", asked=True).status == 200


def test_the_rules_of_where_a_redirect_leads_count(server: Server, visitor: Visitor) -> None:
    with serving("127.0.0.2") as other:
        rules(other, "User-agent: *\nDisallow: /no")
        server.gives["/a"] = lambda request: request.lead(f"{other.url}/no")
        with pytest.raises(BadArticle, match=r"robots\.txt asks"):
            visitor.visit(f"{server.url}/a")
        assert other.asked == ["/robots.txt"]


def test_a_host_that_wants_to_go_slowly_is_asked_slowly(server: Server, clock: FakeClock, visitor: Visitor) -> None:
    rules(server, "User-agent: *\nCrawl-delay: 1000\nSitemap: https://n.example/map.xml\n")
    url = server.page("/a")
    visitor.visit(url)
    begun = clock.now()
    visitor.visit(url)
    visitor.visit(url)
    assert clock.now() - begun == 2 * SLOWEST
    assert visitor.sitemaps(url) == ["https://n.example/map.xml"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_site_without_rules_may_be_asked(server: Server, visitor: Visitor, status: int) -> None:
    server.gives["/robots.txt"] = lambda request: request.give(b"", status=status)
    assert visitor.visit(server.page("/a")).status == 200


def test_a_site_whose_rules_cannot_be_had_is_left_until_they_can(
    server: Server, clock: FakeClock, visitor: Visitor
) -> None:
    server.gives["/robots.txt"] = lambda request: request.give(b"", status=503)
    url = server.page("/a")
    for _ in range(2):
        with pytest.raises(Unreached, match=r"robots\.txt is answered with 503"):
            visitor.visit(url)
    assert server.asked == ["/robots.txt"]
    clock.sleep(RETRIED)
    rules(server, "")
    assert visitor.visit(url).status == 200


@pytest.mark.parametrize(("said", "seconds"), [("100", 100.0), ("1000000", LONGEST)])
def test_a_host_that_asks_to_be_left_alone_is(
    server: Server, clock: FakeClock, visitor: Visitor, said: str, seconds: float
) -> None:
    server.gives["/a"] = lambda request: request.give(b"", status=429, Retry_After=said)
    with pytest.raises(Unreached) as refused:
        visitor.visit(f"{server.url}/a")
    assert refused.value.wait == float(said)
    assert visitor.free_at(f"{server.url}/b") - clock.now() == seconds


def test_what_has_not_changed_is_not_sent_again(server: Server, visitor: Visitor) -> None:
    url = server.file("/a", "<rss/>")
    first = visitor.visit(url)
    assert visitor.visit(url, first.known).status == 304
    assert server.unchanged == ["/a"]
    assert visitor.visit(url, Known(f"{server.url}/other", first.known.etag)).status == 200  # not said of this one


def test_nobody_inside_is_asked_for_rules(server: Server) -> None:
    with Web(seconds=5) as web:
        visitor = Visitor(web, clock=FakeClock())
        for url in (f"{server.url}/a", "http://169.254.169.254/latest/", f"http://[::ffff:127.0.0.1]:{server.port}/"):
            with pytest.raises(Inside):
                visitor.visit(url)
            with pytest.raises(Inside):
                visitor.visit(url, asked=True)
    assert server.asked == []


def test_rules_that_lead_inside_are_none(server: Server, clock: FakeClock) -> None:
    server.gives["/robots.txt"] = lambda request: request.lead("http://10.0.0.1/robots.txt")
    with Web(HERE, seconds=5) as web:
        assert Visitor(web, clock=clock).visit(server.page("/a")).status == 200


WORDS = st.sampled_from(["User-agent: *", "User-agent: pullquote", "Disallow: /", "Allow: /a*", "Crawl-delay: x", "\0"])


@given(st.lists(st.one_of(st.text(max_size=40), WORDS), max_size=30), st.text(max_size=60))
def test_any_rules_are_read(lines: list[str], path: str) -> None:
    """Of a library, but its input is hostile."""
    robots = Protego.parse("\n".join(lines))
    assert robots.can_fetch(f"http://n.example/{path}", "pullquote") in (True, False)
    assert float(robots.crawl_delay("pullquote") or 0.0) >= 0.0
    assert list(robots.sitemaps) is not None


@given(st.text(max_size=60))
def test_a_host_is_found_in_anything(url: str) -> None:
    assert isinstance(host(url), str)
