"""Rounds over real servers on loopback, with a clock of our own: nothing lost, nothing doubled, nothing asked twice."""

import gzip
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest

from corpus.archive import Archive, open_archive
from corpus.article import Article
from corpus.rounds import EXTRACT, Round, Rounds
from corpus.sources.listing import Reader
from corpus.sources.register import DAY, HOUR, NEVER, Register, Sort, Source, open_register
from corpus.sources.visitor import Visitor
from corpus.sources.web import Web
from tests.clock import FakeClock
from tests.web_server import HTML, Handler, Server, reset, serving

HERE = (ip_network("127.0.0.0/8"),)
STORY = """<!doctype html><html lang="en"><head><title>{title}</title>
<meta property="og:site_name" content="The Ledger">{head}</head><body><article><h1>{title}</h1>
<p>{text} The council of Larkhaven met in the morning and decided on it after a long debate.</p>
<p>The next meeting takes place in three weeks, and everybody is welcome to it.</p></article></body></html>"""
SUMMARY = "What happened is told here at some length, so that it can stand alone."


def story(title: str, text: str = "It happened.", head: str = "") -> str:
    return STORY.format(title=title, text=text, head=head)


def item(url: str, title: str, summary: str = SUMMARY, when: float = 0.0, more: str = "") -> str:
    day = f"<pubDate>{formatdate(when)}</pubDate>" if when else ""
    link = f"<link>{url}</link>" if url else ""
    return f"<item><title>{title}</title>{link}<description>{summary}</description>{day}{more}</item>"


def feed(*items: str, title: str = "Ledger news") -> str:
    return f'<rss version="2.0"><channel><title>{title}</title>{"".join(items)}</channel></rss>'


@dataclass
class Town:
    """An archive that follows a server's feeds."""

    server: Server
    clock: FakeClock
    register: Register
    archive: Archive
    rounds: Rounds
    indexed: list[float] = field(default_factory=list)  # when the indexes had to follow

    def source(self, url: str, kind: Sort = "feed", *, withdraw: bool = False) -> Source:
        self.register.add(url, kind, "", self.clock.now(), withdraw=withdraw)
        return self.register.source(url)

    def go(self, *, everything: bool = False, most: int | None = None) -> Round:
        due = self.register.due(self.clock.now(), everything=everything)
        return self.rounds.go(self.register.sources(), due, most=most)

    def articles(self) -> dict[str, Article]:
        return {one.article.url: one.article for _, one in self.archive.current()}

    def titles(self) -> list[str]:
        return sorted(one.title for one in self.articles().values())


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.close()


@pytest.fixture
def town(tmp_path: Path, reader: Reader) -> Iterator[Town]:
    with serving() as server, settled(tmp_path, reader, server, FakeClock(), seconds=5) as made:
        yield made


@contextmanager
def settled(folder: Path, reader: Reader, server: Server, clock: FakeClock, seconds: float) -> Iterator[Town]:
    register, archive = open_register(folder / "sources.sqlite"), open_archive(folder / "archive.sqlite")
    indexed: list[float] = []
    with Web(HERE, seconds=seconds) as web:
        rounds = Rounds(
            register,
            archive,
            Visitor(web, pace=1.0, clock=clock),
            reader,
            alone=nullcontext,
            catch_up=lambda: indexed.append(clock.now()),
            interval=900.0,
            clock=clock,
        )
        yield Town(server, clock, register, archive, rounds, indexed)
    archive.close()
    register.close()


def test_what_a_feed_names_is_taken_in_once(town: Town) -> None:
    url = town.server.file("/a", story("First"), HTML)
    town.server.file("/b", story("Second"), HTML)
    now = town.clock.now()
    source = town.source(town.server.file("/feed", feed(item(url, "x", when=now - DAY), item("/b", "y"))))
    done = town.go()
    assert (done.taken.counts, done.taken.problems, done.visited) == (Counter(added=2), [], 1)
    assert town.titles() == ["First", "Second"]
    assert town.articles()[url].published is not None  # the page gives no date, the feed does
    assert town.register.source(source.url).title == "Ledger news"
    assert len(town.indexed) == 1
    again = town.go(everything=True)
    assert (again.taken.counts, again.unchanged, again.visited) == (Counter(), 2, 1)
    assert sorted(town.server.unchanged) == ["/a", "/b", "/feed"]
    assert len(town.indexed) == 1  # nothing had to follow
    assert town.server.asked.count("/robots.txt") == 1


def test_a_page_that_changes_is_a_revision_and_is_looked_at_early_then_rarely(town: Town) -> None:
    url = town.server.file("/a", story("First"), HTML)
    town.source(town.server.file("/feed", feed(item(url, "First"))))
    town.go()
    town.clock.sleep(HOUR)
    town.server.file("/a", story("First", "It happened twice, as it turns out."), HTML)
    assert town.go().taken.counts == Counter(revised=1)
    for _ in range(8):
        town.clock.sleep(8 * DAY)
        town.go()
    asked = len(town.server.asked)
    town.clock.sleep(8 * DAY)
    town.go()
    assert [path for path in town.server.asked[asked:] if path == "/a"] == []
    address = town.register.address(url)
    assert address
    assert address.next == NEVER
    later = "<updated xmlns='http://www.w3.org/2005/Atom'>2026-01-01T00:00:00Z</updated>"
    town.server.file("/a", story("First", "It happened three times in all."), HTML)
    town.server.file("/feed", feed(item(url, "First", more=later)))
    assert town.go().taken.counts == Counter(revised=1)  # the feed says that it has changed


def test_what_has_no_page_is_taken_from_the_feed(town: Town) -> None:
    """An entry without a link is an article; one whose page cannot be had is an extract until it can."""
    server = town.server
    server.gives["/paid"] = lambda request: request.give(b"", status=403)
    url = f"{server.url}/paid"
    town.source(
        server.file("/feed", feed(item("", "A note", SUMMARY), item("/paid", "Paid"), item("/gone", "Gone", "x")))
    )
    done = town.go()
    assert town.titles() == ["A note", f"Paid{EXTRACT}"]
    assert town.articles()[url].outlet == "Ledger news"
    assert sorted(one.where for one in done.taken.problems) == [f"{server.url}/gone", url]
    assert "marked as an extract" in next(one.reason for one in done.taken.problems if one.where == url)
    server.file("/paid", story("Paid for"), HTML)
    town.clock.sleep(2 * HOUR)
    assert town.go().taken.counts == Counter(revised=1)
    assert town.titles() == ["A note", "Paid for"]


def test_a_page_that_stands_elsewhere_takes_the_place_of_its_extract(town: Town) -> None:
    server = town.server
    server.gives["/link"] = lambda request: request.give(b"", status=404)
    town.source(server.file("/feed", feed(item("/link", "Here"))))
    town.go()
    assert town.titles() == [f"Here{EXTRACT}"]
    server.gives["/link"] = lambda request: request.lead("/page")
    url = server.file("/page", story("There"), HTML)
    town.clock.sleep(2 * HOUR)
    town.go()
    assert list(town.articles()) == [url]


def gone(request: Handler) -> None:
    request.give(b"", status=410)


def test_a_page_that_its_site_took_back_takes_its_article_along(town: Town) -> None:
    server = town.server
    for name in ("a", "b", "c"):
        server.file(f"/{name}", story(name.upper(), f"Of {name}."), HTML)
    town.source(server.file("/feed", feed(*(item(f"/{name}", name.upper()) for name in ("a", "b", "c")))))
    town.go()
    server.gives["/a"] = gone
    server.gives["/b"] = lambda request: request.give(b"", status=404)
    server.gives["/c"] = lambda request: request.lead("/taken-down")
    server.gives["/taken-down"] = gone
    town.clock.sleep(2 * HOUR)
    done = town.go()
    assert (done.withdrawn, town.titles()) == (2, ["B"])
    assert [one.where for one in done.taken.problems] == [f"{server.url}/b"]
    assert town.indexed[-1] >= town.clock.now() - HOUR
    server.file("/feed", feed(item("/a", "A", when=town.clock.now()), item("/b", "B")))
    town.clock.sleep(HOUR)
    again = town.go()  # the feed still tells of it; what it tells was withdrawn too
    assert (again.withdrawn, town.titles()) == (0, ["B"])
    server.file("/a", story("A", "Back again."), HTML)
    town.clock.sleep(8 * HOUR)
    assert town.go().taken.counts == Counter(added=1)
    assert town.titles() == ["A", "B"]


def test_an_extract_is_withdrawn_with_its_page_and_a_new_page_that_is_gone_is_not_taken_in(town: Town) -> None:
    server = town.server
    server.gives["/a"] = lambda request: request.give(b"", status=403)
    server.gives["/b"] = gone
    town.source(server.file("/feed", feed(item("/a", "A"), item("/b", "B"))))
    town.go()
    assert town.titles() == [f"A{EXTRACT}"]
    server.gives["/a"] = gone
    town.clock.sleep(2 * HOUR)
    assert (town.go().withdrawn, town.titles()) == (1, [])


def test_a_site_that_says_of_everything_that_it_is_gone_withdraws_nothing(town: Town) -> None:
    """Nor does another address of an article whose own still stands."""
    server = town.server
    own = f'<link rel="canonical" href="{server.url}/a">'
    server.file("/a", story("A", "Of a.", own), HTML)
    server.file("/amp/a", story("A", "Of a.", own), HTML)
    server.file("/b", story("B", "Of b."), HTML)
    town.source(server.file("/feed", feed(item("/amp/a", "A"), item("/b", "B"))))
    town.go()
    server.gives["/amp/a"] = gone
    town.clock.sleep(2 * HOUR)
    assert (town.go().withdrawn, town.titles()) == (0, ["A", "B"])
    server.gives["/b"] = server.gives["/"] = gone
    town.clock.sleep(4 * HOUR)
    done = town.go()
    assert (done.withdrawn, town.titles()) == (0, ["A", "B"])
    assert f"{server.url}/b" in [one.where for one in done.taken.problems]


def test_entries_that_share_an_address_are_articles_of_their_own(town: Town) -> None:
    home = town.server.file("/", story("Home"), HTML)
    guid = "<guid isPermaLink='false'>{}</guid>".format
    text = "Something else was said on this day, and it takes a sentence to say it."
    town.source(town.server.file("/feed", feed(item(home, "One", more=guid(1)), item(home, "Two", text, more=guid(2)))))
    town.go()
    assert town.titles() == ["One", "Two"]
    town.clock.sleep(HOUR)
    assert town.go(everything=True).taken.counts == Counter()


def test_two_feeds_that_name_the_same_page_have_it_fetched_once(town: Town) -> None:
    url = town.server.file("/a", story("First"), HTML)
    for path in ("/f", "/g"):
        town.source(town.server.file(path, feed(item(url, path))))
    assert town.go().taken.counts == Counter(added=1)
    assert town.server.asked.count("/a") == 1
    assert [one.articles for one in town.register.sources()] == [1, 1]


def test_a_sitemap_and_an_index_of_them(town: Town) -> None:
    pages = [town.server.file(f"/{n}", story(f"Page {n}"), HTML) for n in range(4)]
    locs = [f"<url><loc>{url}</loc><lastmod>2025-05-{n + 1:02}</lastmod></url>" for n, url in enumerate(pages)]
    new = town.server.file("/new.xml.gz", gzip.compress(f"<urlset>{locs[2]}{locs[3]}</urlset>".encode()))
    old = town.server.file("/old.xml", f"<urlset>{locs[0]}{locs[1]}</urlset>")
    index = "".join(
        f"<sitemap><loc>{url}</loc>{mod}</sitemap>" for url, mod in ((new, ""), (old, "<lastmod>2025</lastmod>"))
    )
    source = town.source(town.server.file("/map.xml", f"<sitemapindex>{index}</sitemapindex>"), "index")
    assert town.go(most=1).waiting == 2
    assert town.titles() == ["Page 1", "Page 3"]  # the newest of each
    assert town.go().taken.counts == Counter(added=2)
    assert town.register.source(source.url).articles == 4
    town.clock.sleep(900)
    asked = len(town.server.asked)
    town.go()
    assert "/old.xml" not in town.server.asked[asked:]  # it has not changed, says the index
    assert "/new.xml.gz" in town.server.asked[asked:]


@pytest.mark.parametrize("body", ["<html><body><p>Error</p></body></html>", "", "{}"])
def test_a_source_that_is_none_any_more_is_named_and_rested(town: Town, body: str) -> None:
    source = town.source(town.server.file("/feed", body))
    for failures in (1, 2, 3):
        done = town.go()
        assert [one.where for one in done.taken.problems] == [source.url]
        found = town.register.source(source.url)
        assert found.failures == failures
        assert found.next - town.clock.now() == 900 * 2 ** (failures - 1)
        assert found.reason.endswith(".")
    town.server.file("/feed", feed())
    assert town.go().taken.problems == []
    assert town.register.source(source.url).failures == 0


def test_what_may_pass_is_tried_again_in_the_same_round(town: Town) -> None:
    answers = iter([503, 500])

    def give(request: Handler) -> None:
        status = next(answers, 200)
        request.give(story("First").encode() if status == 200 else b"", status=status, Retry_After="30")

    town.server.gives["/a"] = give
    town.source(town.server.file("/feed", feed(item("/a", "x"))))
    begun = town.clock.now()
    assert town.go().taken.counts == Counter(added=1)
    assert town.clock.now() - begun >= 60


INSIDE = [
    "http://169.254.169.254/latest/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://10.1.2.3/",
    "http://0/",
]


@pytest.mark.parametrize("how", ["entry", "redirect", "sitemap", "index", "source"])
def test_nothing_inside_is_asked_for_a_source(town: Town, how: str) -> None:
    """127.0.0.1 is let through for the tests; an inner server on 127.0.0.2 and addresses elsewhere are not."""
    with serving("127.0.0.2") as inner, Web((ip_network("127.0.0.1/32"),), seconds=5) as web:
        inner.page("/x")
        visitor = Visitor(web, pace=0.001, clock=town.clock)
        reader = town.rounds._reader
        rounds = Rounds(
            town.register, town.archive, visitor, reader, alone=nullcontext, catch_up=lambda: None, interval=1.0,
            clock=town.clock,
        )  # fmt: skip
        urls = [f"{inner.url}/x", f"http://127.2:{inner.port}/x", f"http://0x7f000002:{inner.port}/x", *INSIDE]
        for n, url in enumerate(urls):
            town.server.gives[f"/to/{n}"] = partial(Handler.lead, to=url)
        redirected = [f"{town.server.url}/to/{n}" for n in range(len(urls))]
        locs = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
        maps = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
        bodies = {
            "entry": feed(*(item(url, url) for url in urls)),
            "redirect": feed(*(item(url, url) for url in redirected)),
            "sitemap": f"<urlset>{locs}</urlset>",
            "index": f"<sitemapindex>{maps}</sitemapindex>",
        }
        for url in urls if how == "source" else [town.server.file("/feed", bodies[how])]:
            town.source(url, "index" if how == "index" else "feed")
        done = rounds.go(town.register.sources())
        assert inner.asked == []
        assert len(done.taken.problems) >= len(urls)
        assert all("Only public addresses are fetched." in one.reason for one in done.taken.problems)
        assert town.titles() == []


def test_a_name_whose_address_changes_is_asked_at_the_one_that_was_checked(town: Town) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"] * 20)

    def lookup(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (next(answers) if host == "n.example" else host, port))]

    town.server.gives["/a"] = lambda request: request.lead(f"http://m.example:{town.server.port}/a")
    with Web(HERE, seconds=5, lookup=lookup) as web:
        visitor = Visitor(web, clock=town.clock)
        rounds = Rounds(
            town.register, town.archive, visitor, town.rounds._reader, alone=nullcontext, catch_up=lambda: None,
            interval=1.0, clock=town.clock,
        )  # fmt: skip
        town.server.file("/feed", feed(item("/b", "x")))
        town.server.file("/b", story("First"), HTML)
        town.source(f"http://n.example:{town.server.port}/feed")
        rounds.go(town.register.sources())
    assert town.titles() == ["First"]
    assert next(answers) == "10.0.0.1"  # one connection, one look-up


# Folders


def note(path: Path, text: str, age: float, clock: FakeClock) -> None:
    path.write_text(f"{text} is what the council decided on, after a debate that took all day.")
    os.utime(path, (clock.now() - age, clock.now() - age))


def test_a_folder_is_followed(town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    note(folder / "a.txt", "Alpha", 60, town.clock)
    note(folder / "being-written.txt", "Beta", 0, town.clock)
    source = town.source(str(folder), "folder")
    assert town.go().taken.counts == Counter(added=1)
    assert town.go().taken.counts == Counter()
    town.clock.sleep(5)
    assert town.go().taken.counts == Counter(added=1)
    note(folder / "a.txt", "Alpha, corrected,", 1, town.clock)
    town.clock.sleep(5)
    assert town.go().taken.counts == Counter(revised=1)
    (folder / "a.txt").rename(folder / "c.txt")
    moved = town.go()
    assert (moved.taken.counts, moved.missing) == (Counter(added=1), 0)
    assert sorted(town.articles()) == [(folder / name).as_uri() for name in ("being-written.txt", "c.txt")]
    (folder / "c.txt").unlink()
    gone = town.go()
    assert (gone.taken.counts, gone.missing, gone.withdrawn) == (Counter(), 1, 0)
    assert len(town.articles()) == 2
    assert list(town.register.files(source)) == [str(folder / "being-written.txt")]


def test_a_deleted_file_takes_its_articles_along_where_that_is_wished(town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    for name in ("a", "b", "c", "d", "e"):
        note(folder / f"{name}.txt", name.upper(), 60, town.clock)
    town.source(str(folder), "folder", withdraw=True)
    town.go()
    (folder / "a.txt").rename(folder / "moved.txt")
    (folder / "b.txt").unlink()
    done = town.go()
    assert (done.withdrawn, done.missing) == (1, 0)
    assert len(town.articles()) == 4
    for left in folder.glob("*.txt"):
        left.rename(tmp_path / left.name)
    emptied = town.go()  # as when a drive is not mounted
    assert emptied.withdrawn == 0
    assert "The folder is empty, where there were 4 files." in emptied.taken.problems[0].reason
    folder.rmdir()
    assert "cannot be read wholly" in town.go().taken.problems[0].reason
    assert len(town.articles()) == 4


# A day in which everything goes wrong now and then


def stop_slowly(request: Handler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", HTML)
    request.end_headers()
    while not request.server.closing.wait(0.2):
        request.wfile.write(b" ")


def hang(request: Handler) -> None:
    request.server.closing.wait(20)


def endless(request: Handler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", HTML)
    request.end_headers()
    while not request.server.closing.is_set():
        request.wfile.write(b"<p>and so on</p>" * 10_000)


def wrong_length(request: Handler) -> None:
    request.close_connection = True
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"<rss")


FAILURES: Sequence[Callable[[Handler], None]] = (
    lambda request: request.give(b"", status=500),
    lambda request: request.give(b"", status=429, Retry_After="30"),
    lambda request: request.lead(request.path),
    lambda request: request.give(b"no", HTML, Content_Encoding="gzip"),
    lambda request: request.give(b"<html><body>Sorry</body></html>", HTML),
    lambda request: request.give(b"", HTML),
    reset,
    wrong_length,
    hang,
    stop_slowly,
    endless,
)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_in_which_servers_fail_in_every_way_loses_and_doubles_nothing(
    tmp_path: Path, reader: Reader, seed: int
) -> None:
    chance, clock = random.Random(seed), FakeClock()
    published: Counter[str] = Counter()
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(f"127.0.0.{n}")) for n in range(1, 6)]
        with settled(tmp_path, reader, servers[0], clock, seconds=0.4) as town:
            for server in servers:
                town.source(f"{server.url}/feed")
            for _ in range(6):
                for server in servers:
                    for _ in range(chance.randrange(3)):
                        published[publish(server, clock.now())] += 1
                    unreliable(server, chance)
                town.go()
                clock.sleep(HOUR)
        with settled(tmp_path, reader, servers[0], clock, seconds=30) as town:
            for server in servers:
                server.gives |= server.good
            clock.sleep(8 * DAY)
            town.go()
            assert set(town.articles()) == set(published)
            assert all(EXTRACT not in title for title in town.titles())
            assert town.archive.status().articles == len(published)


def publish(server: Server, now: float) -> str:
    """One more story at this server; its address."""
    number = len(server.stories)
    url = server.file(f"/{number}", story(f"Story {number} of {server.url[7:]}", f"Number {number}."), HTML)
    server.stories.append(item(url, f"Story {number}", f"{SUMMARY} {url}", now))
    server.file("/feed", feed(*reversed(server.stories)))
    server.good |= {path: server.gives[path] for path in (f"/{number}", "/feed")}
    return url


def unreliable(server: Server, chance: random.Random) -> None:
    """Each path works or fails for this hour."""
    for path, give in server.good.items():
        server.gives[path] = chance.choice(FAILURES) if chance.random() < 0.3 else give
