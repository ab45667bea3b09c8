"""Sources from the command line and in `run`, with real servers, archive, indexes and processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot import messages
from bot.build import House
from bot.cli import cli
from bot.conversation import Person, Shown, Stored, first, notes, refusal
from bot.keeper import office, rules
from bot.newsroom import Newsroom
from bot.settings import Settings
from bot.store import NAME, open_store
from bot.watchlist import Place
from corpus.archive import open_archive
from corpus.article import make_article
from corpus.intake import Busy, only_one, take_in
from corpus.rounds import Round
from corpus.sources.files import Item
from corpus.sources.listing import Entry
from retrieval.answer import Answer, Reason
from tests.bot.test_notices import Desks
from tests.clock import FakeClock
from tests.stored import state
from tests.web_server import HTML, Handler, Server, serving

REPO = Path(__file__).resolve().parents[2]
STORY = """<!doctype html><html><head><title>{0}</title><meta property="og:site_name" content="The Ledger">
<meta property="article:published_time" content="2025-05-16T08:00:00+00:00"></head><body><article><h1>{0}</h1>
<p>{0} is what the council of Larkhaven decided in the morning, after a debate that had taken all night.</p>
<p>The next meeting takes place in three weeks, and everybody is welcome to it.</p></article></body></html>"""


def feed(server: Server, path: str, *stories: str) -> str:
    """A feed of stories, each with its page; its address."""
    items = []
    for story in stories:
        url = server.file(f"/{story.lower()}", STORY.format(story), HTML)
        items.append(f"<item><title>{story}</title><link>{url}</link></item>")
    return server.file(path, f'<rss version="2.0"><channel><title>Ledger [red]</title>{"".join(items)}</channel></rss>')


def run(*args: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(cli, args, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows(*args: str) -> list[Any]:
    return [json.loads(line) for line in run(*args, "--json").stdout.splitlines()]


def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_FETCH_PRIVATE", "127.0.0.0/8")
    monkeypatch.setenv("PULLQUOTE_FETCH_RATE", "20")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    here(monkeypatch)
    with serving() as started:
        yield started


def test_a_feed_is_added_listed_refreshed_and_removed(place: Path, server: Server) -> None:
    url = feed(server, "/feed", "Alpha", "Beta")
    assert "no sources" in run("feeds").stdout
    added = run("add", url)
    assert (added.exit_code, added.stdout) == (
        0,
        f"Added: feed “Ledger [red]” {url}\n1 source visited.\nArticles: 2 added, 0 revised, 0 unchanged.\n",
    )
    [listed] = rows("feeds")
    assert (listed["url"], listed["title"], listed["articles"]) == (url, "Ledger [red]", 2)
    assert (listed["failures"], listed["silent"], listed["waiting"]) == (0, False, 0)
    assert listed["newest_article"] is None  # the feed has no days, and its pages are old
    assert "  unknown  " in run("feeds").stdout
    table = run("feeds").stdout.splitlines()
    assert [table[0].index(word) for word in ("number", "source", "state")] == [
        table[1].index(word) for word in ("1", "Ledger [red]", "ok")
    ]
    assert "current to" in run("status").stdout
    assert rows("status")[0]["sources"] == 1
    again = run("refresh", "--all")
    assert (again.exit_code, again.stdout) == (0, "1 source visited, 2 pages unchanged.\n")
    server.gives["/feed"] = lambda request: request.give(b"", status=404)
    failed = run("refresh")
    assert failed.exit_code == 1
    assert f"{url}: The address answers 404" in failed.stderr
    table = run("feeds").stdout.splitlines()
    assert table[1].endswith("  failed")
    assert table[-1] == "1 Ledger [red] failed: The address answers 404, not with a page. Open it in a browser."
    assert run("feeds", "remove", "ledger").stdout == (
        f"No longer visited: Ledger [red] ({url}). Its articles stay in the archive.\n"
    )
    assert rows("feeds") == []
    assert rows("status")[0]["articles"] == 2
    assert run("feeds", "remove", "1").stderr.startswith("No source has the number, the address or the title '1'.")


def test_a_site_offers_its_feeds_and_nothing_is_added_silently(place: Path, server: Server) -> None:
    url = feed(server, "/news.xml", "Alpha")
    link = '<link rel="alternate" type="application/rss+xml" title="All \x1b[31mnews" href="/news.xml">'
    home = server.file("/", f"<html><head><title>Ledger</title>{link}</head><body><p>Welcome.</p></body></html>", HTML)
    offered = run("add", home)
    assert (offered.exit_code, offered.stdout) == (1, "")
    assert url in offered.stderr
    assert f"pullquote add {url}" in offered.stderr
    assert "\x1b" not in offered.stderr
    assert rows("feeds") == []
    assert run("add", home, "--yes", "--dry-run").stdout == f"Would be added: feed “All [31mnews” {url}\n"
    assert rows("feeds") == []
    assert run("add", home, "--yes").exit_code == 0
    assert [one["url"] for one in rows("feeds")] == [url]


def test_a_site_that_names_no_feed_is_looked_through(place: Path, server: Server) -> None:
    home = server.file("/", "<html><head><title>Ledger</title></head><body><p>Welcome.</p></body></html>", HTML)
    nothing = run("add", home)
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "has none in the usual places" in nothing.stderr
    url = feed(server, "/rss.xml", "Alpha")
    offered = rows("add", home)[0]["offered"]
    assert offered == [{"at": home, "feeds": [{"url": url, "kind": "feed", "title": "Ledger [red]"}]}]


def test_sources_move_house_as_opml(place: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [feed(server, "/a", "Alpha"), feed(server, "/b", "Beta")]
    run("add", *urls)
    file = place.parent / "feeds.opml"
    assert run("feeds", "export", str(file)).exit_code == 0
    assert run("feeds", "export").stdout_bytes.count(b"<outline") == 2
    monkeypatch.setenv("PULLQUOTE_DATA", str(place.parent / "elsewhere"))
    assert run("add", str(file)).exit_code == 0
    assert [one["url"] for one in rows("feeds")] == urls
    assert rows("status")[0]["articles"] == 2
    (place.parent / "bad.opml").write_text("<opml/>")
    assert "names no feed" in run("add", str(place.parent / "bad.opml")).stderr


def test_a_page_that_was_added_is_asked_for_changes_only(place: Path, server: Server) -> None:
    url = server.file("/alpha", STORY.format("Alpha"), HTML)
    assert run("add", url).stdout == "Articles: 1 added, 0 revised, 0 unchanged.\n"
    assert run("add", url).stdout == "Nothing new: 1 article is already stored as it is.\n"
    assert server.unchanged == ["/alpha"]


def test_a_watched_folder(place: Path, server: Server) -> None:
    folder = place.parent / "desk"
    folder.mkdir()
    (folder / "a.txt").write_text("The council decided on the bridge, after a debate that took all day.")
    os.utime(folder / "a.txt", (0, 0))
    assert run("watch", str(folder), "--once").stdout == (
        "1 source visited.\nArticles: 1 added, 0 revised, 0 unchanged.\n"
    )
    assert [(one["kind"], one["withdraw"]) for one in rows("feeds")] == [("folder", False)]
    (folder / "a.txt").unlink()
    assert "1 file gone; what they held stays in the archive" in run("refresh").stdout
    assert rows("status")[0]["articles"] == 1
    (folder / "b.txt").write_text("The council decided on the harbour, after a debate that took all day.")
    os.utime(folder / "b.txt", (0, 0))
    run("watch", str(folder), "--once", "--withdraw")
    (folder / "b.txt").unlink()
    looked = run("watch", str(folder), "--once", "--withdraw").stdout
    assert "1 article withdrawn, whose file or page is gone." in looked
    assert rows("status")[0]["articles"] == 1
    assert run("watch", str(folder / "none"), "--once").stderr.startswith("There is no folder")
    assert run("feeds", "export").stdout_bytes.count(b"<outline") == 0


def test_two_rounds_at_once_do_not_ask_twice(place: Path, server: Server) -> None:
    run("add", feed(server, "/feed", "Alpha"))
    house = House(Settings(data=place))
    newsroom = Newsroom(house, wait=0.1)
    with only_one(place, what="visits"), pytest.raises(Busy, match="Another pullquote is visiting the sources"):
        newsroom.refresh(Round())
    newsroom.close()
    house.close()


def test_a_source_that_goes_silent_is_told_once(place: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    clock = FakeClock(time.time())
    house = House(Settings(data=place, fetch_private="127.0.0.0/8", fetch_rate=20))
    newsroom = Newsroom(house, clock=clock, catch_up=lambda: None, tell=told.extend)
    house.register.add(feed(server, "/feed"), "feed", "", clock.now())
    for story in ("Alpha", "Beta", "Gamma", "Delta", "Epsilon"):
        clock.sleep(3_600)
        feed(server, "/feed", *(one.title() for one in server.stories), story)
        server.stories.append(story)
        newsroom.turn()
    assert told == []
    for _ in range(3):
        clock.sleep(86_400)
        newsroom.turn()
    newsroom.close()
    house.close()
    [sentence] = told
    assert sentence.startswith("The source Ledger [red] has gone silent: its newest article is of ")
    assert sentence.endswith(", the usual gap is 60 min.")


def test_an_answer_of_days_that_the_index_does_not_reach_says_so(place: Path, server: Server) -> None:
    run("add", feed(server, "/feed", "Alpha"))
    house, now = House(Settings(data=place)), time.time()
    asked = ("ask", "what did the council of Larkhaven decide?")
    recent, long_ago = "--since=2025-05-01", "--until=2025-06-01"
    assert "Index current" not in run(*asked, recent).stdout
    house.register.note_round(now - 30 * 3_600)
    said = f"Index current to {messages.moment(now - 30 * 3_600)}; 0 of 1 sources silent."
    assert run(*asked, recent).stdout.splitlines()[-1] == said
    assert said in run(*asked, f"--since={date.today()}").stdout  # a refusal
    assert [one["outdated"] for one in rows(*asked, recent)] == [
        {
            "current": datetime.fromtimestamp(now - 30 * 3_600, UTC).isoformat(timespec="seconds"),
            "sources": 1,
            "silent": 0,
        }
    ]
    for narrowed in ((), (long_ago,), ("--as-of=2025-06-01", recent), ("--outlet=The Ledger",)):
        assert "Index current" not in run(*asked, *narrowed).stdout
        assert rows(*asked, *narrowed)[0]["outdated"] is None
    shared = office(house, store := open_store(place / NAME), rules(Settings()))
    chat = Stored(shared, Person("telegram:1", "telegram:1", language="de"))
    answer = chat.reply("news since May 2025 of what the council of Larkhaven decided")
    assert isinstance(answer, Answer)
    german = f"Der Index ist auf dem Stand von {messages.moment(now - 30 * 3_600)}"
    again = chat.opened(chat.answer_id)
    assert isinstance(again, Shown)
    for shown in (first(answer), again):
        assert notes(shown, "de")[-1].startswith(german)
    assert any(one.startswith(german) for one in refusal(replace(answer, answered=False, reason=Reason.DATES), "de"))
    store.close()
    house.close()


def test_what_was_forgotten_does_not_come_back_unless_by_hand(place: Path, server: Server) -> None:
    """Neither while it is being fetched, nor with a later change, nor with its feed."""
    url, alpha = feed(server, "/feed", "Alpha", "Beta"), f"{server.url}/alpha"
    run("add", url)
    house = House(Settings(data=place, fetch_private="127.0.0.0/8", fetch_rate=20))
    newsroom = Newsroom(house, catch_up=lambda: None)
    server.file("/beta", STORY.format("Beta, corrected,"), HTML)
    server.file("/alpha", STORY.format("Alpha, corrected,"), HTML)

    def forget() -> None:
        if server.asked[-1:] == ["/alpha"] and house.archive.status().articles == 2:
            house.forget(alpha)

    server.told = forget
    newsroom.refresh(Round(), everything=True)
    server.told = lambda: None
    titles = [one.article.title for _, one in house.archive.current()]
    assert titles == ["Beta, corrected,"]
    item = f"<item><title>Alpha</title><link>{alpha}</link><pubDate>Mon, 02 Jun 2025 10:00:00 GMT</pubDate></item>"
    server.file("/feed", f'<rss version="2.0"><channel><title>Ledger</title>{item}</channel></rss>')
    newsroom.refresh(Round(), everything=True)
    newsroom.close()
    house.close()
    run("feeds", "remove", "1")
    run("add", url)
    assert rows("status")[0]["articles"] == 1
    assert run("add", alpha).stdout == "Articles: 1 added, 0 revised, 0 unchanged.\n"
    assert run("forget", alpha, "--yes").exit_code == 0
    run("refresh", "--all")
    assert rows("status")[0]["articles"] == 1


@pytest.mark.parametrize("visit", [lambda one: one.turn(), lambda one: one.refresh(Round())], ids=["run", "refresh"])
def test_who_was_shown_a_page_hears_that_it_was_withdrawn(
    place: Path, server: Server, visit: Callable[[Newsroom], object]
) -> None:
    clock = FakeClock(time.time())
    house = House(Settings(data=place, fetch_private="127.0.0.0/8", fetch_rate=20))
    newsroom = Newsroom(house, clock=clock, catch_up=lambda: None)
    house.register.add(feed(server, "/feed", "Alpha", "Beta"), "feed", "", clock.now())
    visit(newsroom)
    bot = Desks(place)
    bot.ask("what did the council of Larkhaven decide?")
    bot.round()
    assert bot.postbox.posts == {}
    for story in ("/alpha", "/beta"):
        server.gives[story] = lambda request: request.give(b"", status=410)
    clock.sleep(2 * 3_600)
    visit(newsroom)
    for _ in range(2):
        bot.round()
        bot.restart()
    newsroom.close()
    house.close()
    bot.close()
    [(where, told)] = bot.postbox.posts.values()
    assert where == Place("telegram:1", "", "1")
    assert isinstance(told, str)
    assert told.startswith("A correction to what I quoted on “what did the council of Larkhaven decide?”:\n\n")
    assert "Larkhaven decided in the morning" not in told


# As a process of its own


def start(*args: str, **more: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(REPO), **more}
    command = [sys.executable, "-m", "bot.cli", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def hang(request: Handler) -> None:
    request.server.closing.wait(60)


def until(process: "subprocess.Popen[str]", holds: Any) -> None:
    for _ in range(600):
        if holds():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("it did not come about within a minute")


def test_run_keeps_up_with_sources_and_folders_and_ends_cleanly(place: Path, server: Server) -> None:
    """Also while a server hangs."""
    run("add", feed(server, "/feed", "Alpha"))
    folder = place.parent / "desk"
    folder.mkdir()
    run("watch", str(folder), "--once")
    house = House(Settings(data=place))
    source = house.register.source("ledger")
    house.register.note_success(source, time.time(), 0.0)  # due
    feed(server, "/feed", "Alpha", "Beta")
    (folder / "a.txt").write_text("The council decided on the bridge, after a debate that took all day.")
    process = start("run")
    try:
        until(process, lambda: house.archive.status().articles == 3 and house.behind() == 0)
        server.gives["/feed"] = hang
        house.register.note_success(source, time.time(), 0.0)
        asked = len(server.asked)
        until(process, lambda: len(server.asked) > asked)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        house.close()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    feed(server, "/feed", "Alpha", "Beta", "Gamma")
    assert run("refresh").exit_code == 0
    assert rows("status")[0]["articles"] == 4


def test_run_keeps_up_with_sources_while_its_only_chat_is_out_of_order(place: Path, server: Server) -> None:
    address = feed(server, "/feed", "Alpha")
    run("add", address)
    feed(server, "/feed", "Alpha", "Beta")
    house = House(Settings(data=place))
    house.register.note_success(house.register.source("ledger"), time.time(), 0.0)  # due
    revoked = b'{"id": "api.context.session_expired.app_error", "message": "Invalid session", "status_code": 401}'
    server.gives["/api/v4/users/me"] = lambda request: request.give(revoked, "application/json", status=401)
    given = {"PULLQUOTE_MATTERMOST_TOKEN": "x" * 26, "PULLQUOTE_MATTERMOST_URL": address.removesuffix("/feed")}
    process = start("run", **given)
    try:
        until(process, lambda: house.archive.status().articles == 2 and house.behind() == 0)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        house.close()
    assert process.returncode == 0, err
    assert "mattermost is NOT RUNNING" in err
    assert "Traceback" not in err


def test_run_tells_administrators_of_a_silent_source_once(place: Path, server: Server) -> None:
    house, now = House(Settings(data=place)), time.time()
    house.register.add(feed(server, "/feed"), "feed", "", now)
    source = house.register.source("1")
    days = [datetime.fromtimestamp(now - (10 + number) * 86_400, UTC).isoformat() for number in range(5)]
    old = [Entry(f"{server.url}/{number}", "Old", published=day) for number, day in enumerate(days)]
    store, watchers = (
        open_store(place / NAME),
        {"PULLQUOTE_TELEGRAM_ADMINS": "9", "PULLQUOTE_MATRIX_ADMINS": "@a:n.org"},
    )
    for _ in range(2):
        house.register.note_success(source, now, 0.0, entries=old, title="Ledger")  # due
        asked = len(server.asked)
        process = start("run", **watchers)
        try:
            until(process, lambda: len(server.asked) > asked + 1 and store.watchlist.to_say("matrix"))  # noqa: B023
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 0, err
    told = [one for channel in ("telegram", "matrix") for one in store.watchlist.to_say(channel)]
    assert [one.chat for one in told] == ["telegram:9", "matrix:@a:n.org"]
    assert told[0].text.startswith("The source Ledger has gone silent: its newest article is of ")
    store.close()
    house.close()


def test_kill_during_a_refresh_loses_nothing_and_repeats_nothing(place: Path, server: Server) -> None:
    stories = [f"Story{number}" for number in range(40)]
    run("add", feed(server, "/feed", *stories[:2]))
    feed(server, "/feed", *stories)
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance, before, cut_short = random.Random(seed), state(place), 0
    for most in (8, 15, 22, 29, 36, 43):  # the first one is cut short in any case
        process, asked = start("refresh"), len(server.asked) + chance.randrange(1, most)
        while process.poll() is None and len(server.asked) < asked:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        process.communicate()
        cut_short += process.returncode == -signal.SIGKILL
        after = state(place)
        assert before.urls <= after.urls
        assert after.indexed <= after.archive
        before = after
    assert cut_short
    done = start("refresh")
    _, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    final = state(place)
    assert final.urls == {f"{server.url}/{story.lower()}" for story in stories}
    assert final.agrees
    assert rows("status")[0]["revisions"] == len(stories)
    asked = len(server.asked)
    assert run("refresh", "--all").stdout == f"1 source visited, {len(stories)} pages unchanged.\n"
    assert sorted(server.unchanged[-len(stories) - 1 :]) == sorted(set(server.asked[asked:]) - {"/robots.txt"})


def test_a_refresh_indexes_what_one_that_was_killed_had_stored(place: Path, server: Server) -> None:
    run("add", feed(server, "/feed", "Alpha"))
    with closing(open_archive(place / "archive.sqlite")) as archive:
        take_in([Item("b", make_article(url="https://x.test/b", title="Beta", text="Beta is done."))], archive)
    assert not state(place).agrees
    assert run("refresh").exit_code == 0
    assert state(place).agrees


def test_sentences_of_time() -> None:
    assert [messages.span(one) for one in (None, 10, 3_600, 86_400, 900_000)] == [
        "",
        "1 min",
        "60 min",
        "24 h",
        "10 days",
    ]
    assert messages.moment(None) == "never"
