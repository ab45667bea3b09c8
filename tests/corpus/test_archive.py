import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.archive import (
    FOREVER,
    MIGRATIONS,
    NEVER_DATED,
    Archive,
    NoSuchArticle,
    Revision,
    Status,
    Stored,
    StoredPassage,
    open_archive,
)
from corpus.article import Article, line, make_article, normalise
from corpus.database import DatabaseError, engine_at, migrate
from corpus.extract import from_row
from corpus.passages import passages

REPO = Path(__file__).resolve().parents[2]
NAUGHTY = REPO.parent / "shared" / "bench" / "hostile" / "naughty_strings.json"
URL = "https://x.test/bridge"
COPY = "https://x.test/bridge?from=rss"
TEXT = "The bridge opened on Friday. It cost 12 million.\n\n“It holds,” the mayor said."
LONG = "\n\n".join(["The council met on the matter and the talks went on for hours." * 4] * 8)  # several passages


def day(number: int) -> datetime:
    return datetime(2025, 5, number, 12, tzinfo=UTC)


BRIDGE = make_article(
    url=URL,
    title="Bridge opens",
    text=TEXT,
    published=datetime(2025, 5, 2, 23, 30, tzinfo=timezone(timedelta(hours=-4))),
    outlet="The Courier",
    authors=["Ann Lee", "Bo Öz"],
    retrieved=day(3),
)
TRAM = make_article(url="https://x.test/tram", title="Tram approved", text=LONG, outlet="The Ledger", retrieved=day(4))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path / "archive.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path / "new house" / "archive.sqlite")
    yield opened
    opened.close()


def store(archive: Archive, *articles: Article, dry: bool = False) -> list[Stored]:
    return archive.store([(article, passages(article)) for article in articles], dry=dry)


def take_back(archive: Archive, rows: Sequence[dict[str, object]]) -> list[Stored]:
    """As an intake of the JSON lines does."""
    return store(archive, *(from_row(json.loads(json.dumps(row))) for row in rows))


def days(archive: Archive, name: str = URL) -> list[tuple[str, date, date]]:
    return [(revision.article.text, revision.since, revision.until) for revision in archive.revisions(name)]


def count(archive_file: Path, table: str) -> int:
    with sqlite3.connect(archive_file) as connection:
        number: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return number


# Storing and reading back


def test_an_article_is_read_back_as_it_was_stored(archive: Archive) -> None:
    assert store(archive, BRIDGE) == [Stored("added", URL, 1)]
    revision = Revision(1, 1, BRIDGE, date(2025, 5, 2), FOREVER)
    assert archive.revisions(URL) == [revision]
    assert list(archive.current()) == [(1, revision)]
    assert archive.revision(1) == revision
    assert archive.revision(2) is None
    assert (revision.current, revision.day) == (True, date(2025, 5, 2))  # the day where it was printed, not in UTC


def test_passages_are_read_back_with_their_article(archive: Archive) -> None:
    store(archive, BRIDGE, TRAM)
    bridge, tram = archive.revisions(URL)[0], archive.revisions(TRAM.url)[0]
    cut = [(bridge, one) for one in passages(BRIDGE)] + [(tram, one) for one in passages(TRAM)]
    expected = [StoredPassage(number, revision, one) for number, (revision, one) in enumerate(cut, 1)]
    assert len(expected) == 3
    assert archive.passages_of([1, 2]) == expected
    assert archive.passages([3, 1, 999]) == {1: expected[0], 3: expected[2]}
    assert archive.neighbours(expected[2]) == tuple(expected[1:])
    assert archive.passages_of([]) == []


def test_the_same_again_is_unchanged(archive: Archive) -> None:
    store(archive, BRIDGE)
    before = archive.position()
    assert store(archive, BRIDGE, replace(BRIDGE, retrieved=day(9))) == [Stored("unchanged", URL, 1)] * 2
    assert (len(archive.revisions(URL)), archive.position()) == (1, before)


@pytest.mark.parametrize(
    "changed",
    [
        {"text": TEXT + " It rained."},
        {"title": "Bridge opens at last"},
        {"published": datetime(2025, 5, 2, tzinfo=UTC)},
        {"published": None},
        {"outlet": "The Sunday Courier"},
        {"authors": ("Ann Lee",)},
    ],
)
def test_every_changed_field_makes_a_new_revision(archive: Archive, changed: dict[str, object]) -> None:
    store(archive, BRIDGE)
    later = replace(BRIDGE, retrieved=day(9), **changed)  # type: ignore[arg-type]
    assert store(archive, later) == [Stored("revised", URL, 2)]
    assert archive.revisions(URL) == [
        Revision(1, 1, BRIDGE, date(2025, 5, 2), date(2025, 5, 9)),
        Revision(2, 2, later, date(2025, 5, 9), FOREVER),
    ]
    assert [revision for _, revision in archive.current()] == archive.revisions(URL)[1:]


def test_a_revision_stands_from_the_day_it_was_seen_to_the_next(archive: Archive) -> None:
    store(archive, *(replace(BRIDGE, text=f"Text {number}.", retrieved=day(number)) for number in (3, 7, 7, 12)))
    assert days(archive) == [
        ("Text 3.", date(2025, 5, 2), date(2025, 5, 7)),
        ("Text 7.", date(2025, 5, 7), date(2025, 5, 12)),
        ("Text 12.", date(2025, 5, 12), FOREVER),
    ]


def test_of_two_revisions_on_one_day_the_later_one_stands(archive: Archive) -> None:
    morning, noon = day(5) - timedelta(hours=4), day(5)
    store(archive, BRIDGE, replace(BRIDGE, text="A.", retrieved=morning), replace(BRIDGE, text="B.", retrieved=noon))
    assert days(archive)[1:] == [("A.", date(2025, 5, 5), date(2025, 5, 5)), ("B.", date(2025, 5, 5), FOREVER)]


def test_an_undated_article_stands_from_the_day_it_was_seen(archive: Archive) -> None:
    store(archive, TRAM)
    [revision] = archive.revisions(TRAM.url)
    assert (revision.since, revision.day) == (date(2025, 5, 4), NEVER_DATED)


def test_a_page_that_goes_back_to_its_old_text_has_three_revisions(archive: Archive) -> None:
    texts = [(3, "A."), (5, "B."), (8, "A.")]
    outcomes = store(archive, *(replace(BRIDGE, text=text, retrieved=day(at)) for at, text in texts))
    assert [(one.outcome, one.number) for one in outcomes] == [("added", 1), ("revised", 2), ("revised", 3)]
    assert [text for text, *_ in days(archive)] == ["A.", "B.", "A."]


def test_history_that_comes_late_takes_its_place_in_time(archive: Archive) -> None:
    store(archive, replace(BRIDGE, text="New.", retrieved=day(20)))
    assert store(archive, replace(BRIDGE, text="Old.", retrieved=day(3))) == [Stored("revised", URL, 2, alike=False)]
    assert days(archive) == [("Old.", date(2025, 5, 2), date(2025, 5, 20)), ("New.", date(2025, 5, 20), FOREVER)]
    assert archive.changed(1, 10) == [(2, 1), (3, 2)]  # the days of the first changed too: the indexes look again


def test_moments_are_compared_across_time_zones(archive: Archive) -> None:
    east = timezone(timedelta(hours=9))
    first = datetime(2025, 5, 4, 1, 0, tzinfo=east)  # 16:00 UTC the day before
    store(archive, replace(BRIDGE, text="A.", retrieved=first))
    store(archive, replace(BRIDGE, text="B.", retrieved=first + timedelta(microseconds=1)))
    assert store(archive, replace(BRIDGE, text="A.", retrieved=first))[0].outcome == "unchanged"
    assert [text for text, *_ in days(archive)] == ["A.", "B."]


def test_a_wholly_different_text_is_told(archive: Archive) -> None:
    store(archive, BRIDGE)
    new = replace(BRIDGE, text="Nothing whatsoever here resembles.", retrieved=day(9))
    assert store(archive, new) == [Stored("revised", URL, 2, alike=False)]


def test_a_second_address_is_noted_and_followed(archive: Archive) -> None:
    store(archive, BRIDGE)
    copy = replace(BRIDGE, url=COPY, retrieved=day(4))
    assert store(archive, copy) == [Stored("same as", URL, 1)]
    assert archive.status().articles == 1
    assert (archive.addresses(URL), archive.addresses(COPY)) == ([COPY], [URL])
    assert archive.revisions(COPY) == archive.revisions(URL)
    assert store(archive, replace(copy, text="More.", retrieved=day(5)))[0] == Stored("revised", URL, 2, alike=False)


@pytest.mark.parametrize("changed", [{"outlet": "The Echo"}, {"title": "Bridge!"}, {"published": day(9)}])
def test_a_copy_elsewhere_is_an_article_of_its_own(archive: Archive, changed: dict[str, object]) -> None:
    store(archive, BRIDGE)
    copy = replace(BRIDGE, url="https://echo.test/1", **changed)  # type: ignore[arg-type]
    assert store(archive, copy) == [Stored("added", "https://echo.test/1", 1)]
    assert archive.addresses(URL) == []


@pytest.mark.parametrize("unknown", [{"title": ""}, {"outlet": "", "published": None}])
def test_the_same_words_with_little_known_are_not_one_article(archive: Archive, unknown: dict[str, object]) -> None:
    bare = replace(BRIDGE, **unknown)  # type: ignore[arg-type]
    copy = replace(bare, url="https://echo.test/1")
    assert store(archive, bare, copy) == [Stored("added", URL, 1), Stored("added", copy.url, 1)]


def test_a_dry_run_tells_and_stores_nothing(archive: Archive) -> None:
    store(archive, BRIDGE)
    before = (archive.status(), archive.position())
    wanted = [replace(BRIDGE, text=TEXT + " More.", retrieved=day(9)), TRAM, replace(TRAM, url="https://x.test/2")]
    outcomes = [Stored("revised", URL, 2), Stored("added", TRAM.url, 1), Stored("same as", TRAM.url, 1)]
    assert store(archive, *wanted, dry=True) == outcomes
    assert (archive.status(), archive.position()) == before
    assert store(archive, *wanted) == outcomes


# Addresses that are one

VARIANTS = [
    "https://m.x.test/bridge",
    "http://www.x.test/bridge/?utm_source=rss",
    "https://x.test/bridge#comments",
    "https://x.test/bridge?outputType=amp",
]


@pytest.mark.parametrize("url", VARIANTS)
def test_a_changed_text_at_a_variant_of_the_address_is_a_revision(archive: Archive, url: str) -> None:
    store(archive, BRIDGE)
    later = replace(BRIDGE, url=url, text=TEXT + " It rained.", retrieved=day(9))
    assert store(archive, later, later) == [Stored("revised", URL, 2), Stored("unchanged", URL, 2)]
    assert archive.revisions(URL) == archive.revisions(url) == archive.revisions(f"{URL}?gclid=1")
    assert [one.article.url for one in archive.revisions(URL)] == [URL, URL]
    assert (archive.addresses(URL), archive.status().articles) == ([url], 1)


def test_the_same_text_at_a_variant_of_the_address_is_noted_once(archive: Archive) -> None:
    store(archive, BRIDGE)
    again = replace(BRIDGE, url=VARIANTS[0], retrieved=day(4))
    assert store(archive, again, again) == [Stored("same as", URL, 1), Stored("unchanged", URL, 1)]


def test_addresses_that_differ_in_more_are_articles_of_their_own(archive: Archive) -> None:
    urls = [f"https://x.test/story?id={n}" for n in (1, 2)] + [f"https://x.test/?p={n}" for n in (1, 2)]
    articles = [replace(BRIDGE, url=url, title=url) for url in urls]
    assert [one.outcome for one in store(archive, *articles)] == ["added"] * 4


def test_another_outlet_at_the_same_address_is_told(archive: Archive) -> None:
    store(archive, BRIDGE)
    [stored] = store(archive, replace(BRIDGE, text=TEXT + " Buy.", outlet="Pills", retrieved=day(9)))
    assert (stored.outcome, stored.outlet) == ("revised", "The Courier")


# What the source says besides

DESCRIBED = replace(
    BRIDGE,
    modified=datetime(2025, 5, 2, 23, 50, tzinfo=timezone(timedelta(hours=-4))),
    section="Region",
    language="en",
    kind="opinion",
    paywalled=True,
    dated_by="file",
)


def test_what_the_source_says_besides_is_kept_and_moves(archive: Archive, other: Archive) -> None:
    store(archive, DESCRIBED, replace(TRAM, paywalled=False))
    assert [one.article for _, one in archive.current()] == [DESCRIBED, replace(TRAM, paywalled=False)]
    rows = list(archive.export())
    assert {name: rows[0][name] for name in list(rows[0])[8:]} == {
        "modified": "2025-05-02T23:50:00-04:00",
        "section": "Region",
        "language": "en",
        "kind": "opinion",
        "paywalled": True,
        "dated_by": "file",
    }
    take_back(other, rows)
    assert list(other.export()) == rows
    assert {one.outcome for one in take_back(archive, rows)} == {"unchanged"}
    assert list(archive.export()) == rows


def test_what_the_source_had_not_said_is_learned_without_a_revision(archive: Archive, other: Archive) -> None:
    store(archive, BRIDGE)
    later = replace(DESCRIBED, dated_by="", retrieved=day(9))
    assert store(archive, later) == [Stored("unchanged", URL, 1)]
    assert [one.article for one in archive.revisions(URL)] == [replace(later, retrieved=BRIDGE.retrieved)]
    store(archive, replace(later, kind="news", section="", retrieved=day(10)))  # what it said stays
    assert archive.revisions(URL)[0].article.kind == "opinion"
    rows = list(archive.export())
    take_back(other, rows)
    assert list(other.export()) == rows


@pytest.mark.parametrize(
    "odd", [{"kind": "story"}, {"language": "English"}, {"modified": "soon"}, {"section": ["A"]}, {"paywalled": "no"}]
)
def test_what_others_mean_by_these_fields_is_ignored(odd: dict[str, object]) -> None:
    row = {"url": URL, "text": TEXT, "retrieved": "2025-05-03T12:00:00+00:00"}
    assert from_row({**row, **odd}) == from_row(row)


# Moving house


def test_an_export_moves_house(archive: Archive, other: Archive) -> None:
    texts = [(3, "A."), (5, "B."), (8, "A.")]
    store(archive, *(replace(BRIDGE, text=text, retrieved=day(at)) for at, text in texts), TRAM)
    store(archive, replace(TRAM, url="https://x.test/tram/print"))
    rows = list(archive.export())
    take_back(other, rows)
    assert list(other.export()) == rows
    assert list(other.current()) == list(archive.current())
    assert other.revisions(URL) == archive.revisions(URL)
    assert other.addresses(TRAM.url) == ["https://x.test/tram/print"]


def test_an_exported_row_has_all_fields(archive: Archive) -> None:
    store(archive, BRIDGE, replace(BRIDGE, url=COPY))
    row = {
        "url": URL,
        "title": "Bridge opens",
        "text": TEXT,
        "published": "2025-05-02T23:30:00-04:00",
        "authors": ["Ann Lee", "Bo Öz"],
        "outlet": "The Courier",
        "retrieved": "2025-05-03T12:00:00+00:00",
        "revision": 1,
    }
    assert list(archive.export()) == [row, {**row, "url": COPY, "same_as": URL}]


def test_an_export_taken_back_into_its_own_archive_changes_nothing(archive: Archive) -> None:
    texts = [(3, "A."), (5, "B."), (8, "A.")]
    store(archive, *(replace(BRIDGE, text=text, retrieved=day(at)) for at, text in texts), TRAM)
    store(archive, replace(TRAM, url="https://x.test/tram/print"))
    rows, position = list(archive.export()), archive.position()
    assert {one.outcome for one in take_back(archive, rows)} == {"unchanged"}
    assert (list(archive.export()), archive.position()) == (rows, position)


def test_articles_that_became_alike_stay_apart_when_they_move(archive: Archive, other: Archive) -> None:
    twin = replace(BRIDGE, url="https://x.test/twin", text="The bridge is late.")
    store(archive, twin, BRIDGE, replace(twin, text=TEXT, retrieved=day(9)))
    take_back(other, list(archive.export()))
    assert list(other.export()) == list(archive.export())


# Forgetting


def test_what_is_forgotten_is_gone_and_the_indexes_are_told(tmp_path: Path, archive: Archive) -> None:
    store(archive, BRIDGE, replace(BRIDGE, url=COPY), replace(BRIDGE, text="Second.", retrieved=day(9)), TRAM)
    before = archive.position()
    kept = archive.passages_of([3])
    newest = archive.revisions(URL)[-1].article
    assert archive.forget(COPY) == newest
    assert [revision for _, revision in archive.changed(before, 10)] == [1, 2]
    assert archive.passages_of([1, 2, 3]) == kept
    assert (archive.revision(1), archive.addresses(TRAM.url)) == (None, [])
    assert [row["url"] for row in archive.export()] == [TRAM.url]
    file = tmp_path / "archive.sqlite"
    assert [count(file, table) for table in ("articles", "addresses", "revisions")] == [1, 1, 1]
    with pytest.raises(NoSuchArticle):
        archive.forget(URL)
    assert store(archive, BRIDGE) == [Stored("added", URL, 1)]
    assert archive.revisions(URL)[0].id == 4  # no number is used twice: an index can hold the old one


def test_changes_are_listed_from_a_position(archive: Archive) -> None:
    assert (archive.position(), archive.changed(0, 10), archive.count_passages_of_changes(0)) == (0, [], 0)
    store(archive, BRIDGE, TRAM)
    assert archive.changed(0, 1) == [(1, 1)]
    assert archive.changed(1, 10) == [(2, 2)]
    assert archive.position() == 2
    assert archive.count_passages_of_changes(1) == len(passages(TRAM))


# Finding


@pytest.mark.parametrize("name", ["1", URL, COPY, "Bridge opens", "bridge", "GE OP"])
def test_an_article_is_found_by_number_address_or_headline(archive: Archive, name: str) -> None:
    store(archive, BRIDGE, TRAM, replace(BRIDGE, url=COPY))
    assert [revision.article for revision in archive.revisions(name)] == [BRIDGE]


def test_headlines_and_outlets_are_found_without_case_in_every_alphabet(archive: Archive) -> None:
    store(archive, replace(BRIDGE, title="МОСТ открыт: 100%_fertig", outlet="ÄRZTE Zeitung"))
    assert len(archive.revisions("мост ОТКРЫТ")) == len(archive.revisions("100%_F")) == 1
    assert [found.number for _, found in archive.current(outlet="ärzte zeitung")] == [1]
    assert archive.articles_on(None, None, "Ärzte Zeitung") == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("e", "More than one headline holds 'e'. See the numbers with: pullquote list"),
        *(
            (
                name,
                f"No article has the number, the address or the headline {name!r}. "
                "See the numbers with: pullquote list",
            )
            for name in ("7", "nothing", "", " ", "_", "%", "9" * 30, "²")
        ),
    ],
)
def test_a_name_that_fits_none_or_several_is_told(archive: Archive, name: str, sentence: str) -> None:
    store(archive, BRIDGE, TRAM)
    with pytest.raises(NoSuchArticle) as caught:
        archive.revisions(name)
    assert str(caught.value) == sentence


def test_a_headline_that_was_replaced_no_longer_leads_to_the_article(archive: Archive) -> None:
    store(archive, BRIDGE, replace(BRIDGE, title="Crossing opens", retrieved=day(9)))
    with pytest.raises(NoSuchArticle):
        archive.revisions("Bridge")


def test_current_articles_are_listed_newest_first(archive: Archive) -> None:
    store(archive, TRAM, BRIDGE, replace(BRIDGE, url="https://x.test/3", title="C", published=day(9), outlet=""))
    assert [article_id for article_id, _ in archive.current()] == [3, 2, 1]
    assert [article_id for article_id, _ in archive.current(limit=1)] == [3]
    assert [article_id for article_id, _ in archive.current(outlet="the courier")] == [2]


def test_articles_are_counted_by_day_and_outlet(archive: Archive) -> None:
    store(archive, TRAM, BRIDGE)  # TRAM is undated
    second = date(2025, 5, 2)
    assert archive.articles_on(None, None) == 2
    assert archive.articles_on(None, second) == archive.articles_on(second, None) == 1
    assert archive.articles_on(date(2025, 5, 3), None) == 0
    assert archive.articles_on(second, second, "the courier") == 1
    assert archive.articles_on(second, second, "The Ledger") == 0


def test_the_status_counts_everything(archive: Archive) -> None:
    assert archive.status() == Status(0, 0, 0, 0, None, None, (), None, {})
    begun = datetime.now(UTC)
    store(archive, BRIDGE, replace(BRIDGE, text="B.", retrieved=day(9)), TRAM, replace(TRAM, url=COPY, title="T"))
    archive.note_intake({"added": 1})
    archive.note_intake({"added": 3, "failed": 2})
    status = archive.status()
    assert status.last_intake is not None
    assert begun <= status.last_intake <= datetime.now(UTC)
    assert replace(status, last_intake=None) == Status(
        articles=3,
        revisions=4,
        passages=2 + 2 * len(passages(TRAM)),
        undated=2,
        first=date(2025, 5, 2),
        last=date(2025, 5, 2),
        outlets=(("The Ledger", 2), ("The Courier", 1)),
        last_intake=None,
        last_counts={"added": 3, "failed": 2},
    )


# Schema


def test_the_file_is_in_wal_mode(tmp_path: Path, archive: Archive) -> None:
    with sqlite3.connect(tmp_path / "archive.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


ADD_COLUMN = ("ALTER TABLE articles ADD COLUMN kind TEXT NOT NULL DEFAULT 'news'", "CREATE TABLE votes (id INTEGER)")


def schema(file: Path) -> tuple[int, list[str], list[str]]:
    """Version, tables, columns of articles."""
    engine = engine_at(file)
    with engine.connect() as connection:
        found = sa.inspect(connection)
        version: int = connection.exec_driver_sql("SELECT version FROM schema").scalar_one()
        state = version, found.get_table_names(), [column["name"] for column in found.get_columns("articles")]
    engine.dispose()
    return state


def migrated(file: Path, migrations: Sequence[Sequence[str]]) -> None:
    engine = engine_at(file)
    try:
        migrate(engine, sa.MetaData(), migrations)
    finally:
        engine.dispose()


def test_a_migration_takes_an_archive_to_the_next_version(tmp_path: Path, archive: Archive) -> None:
    file = tmp_path / "archive.sqlite"
    store(archive, BRIDGE)
    version, tables, columns = schema(file)
    migrated(file, (*MIGRATIONS, ADD_COLUMN))
    assert schema(file) == (version + 1, sorted([*tables, "votes"]), [*columns, "kind"])
    assert [revision.article for revision in archive.revisions(URL)] == [BRIDGE]
    migrated(file, (*MIGRATIONS, ADD_COLUMN))  # done already
    migrated(file, (*MIGRATIONS, ADD_COLUMN, ("DROP TABLE votes",)))
    assert schema(file) == (version + 2, tables, [*columns, "kind"])


FIRST_SCHEMA = """
CREATE TABLE schema (version INTEGER NOT NULL);
INSERT INTO schema VALUES (1);
CREATE TABLE articles (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL, UNIQUE (url));
CREATE TABLE addresses (url TEXT NOT NULL, article_id INTEGER NOT NULL, PRIMARY KEY (url),
    FOREIGN KEY(article_id) REFERENCES articles (id) ON DELETE CASCADE);
CREATE INDEX ix_addresses_article_id ON addresses (article_id);
CREATE TABLE revisions (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, article_id INTEGER NOT NULL,
    number INTEGER NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL, outlet TEXT NOT NULL, authors TEXT NOT NULL,
    published TEXT, published_day DATE NOT NULL, retrieved TEXT NOT NULL, since DATE NOT NULL, until DATE NOT NULL,
    digest TEXT NOT NULL, body_digest TEXT NOT NULL, UNIQUE (article_id, number),
    FOREIGN KEY(article_id) REFERENCES articles (id) ON DELETE CASCADE);
CREATE TABLE passages (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, revision_id INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, sentences TEXT NOT NULL,
    FOREIGN KEY(revision_id) REFERENCES revisions (id) ON DELETE CASCADE);
CREATE TABLE changes (position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, revision_id INTEGER NOT NULL);
CREATE TABLE intakes (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, finished TEXT NOT NULL, counts TEXT NOT NULL);
"""


def test_an_archive_of_the_first_schema_is_taken_over(tmp_path: Path, archive: Archive) -> None:
    store(archive, BRIDGE, replace(BRIDGE, url=COPY), replace(BRIDGE, text="Second.", retrieved=day(9)), TRAM)
    old = tmp_path / "old.sqlite"
    with sqlite3.connect(old) as connection:
        connection.executescript(FIRST_SCHEMA)
        connection.execute("ATTACH ? AS new", (str(tmp_path / "archive.sqlite"),))
        for table in ("articles", "addresses", "revisions", "passages", "changes"):
            names = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"INSERT INTO main.{table} SELECT {names} FROM new.{table}")
    connection.close()
    taken_over = open_archive(old)
    assert list(taken_over.export()) == list(archive.export())
    assert taken_over.passages_of([1, 2, 3]) == archive.passages_of([1, 2, 3])
    assert store(taken_over, replace(DESCRIBED, url="https://m.x.test/bridge/", retrieved=day(20))) == [
        Stored("revised", URL, 3, alike=False)
    ]
    taken_over.close()
    again = open_archive(old)
    assert [one.article.kind for one in again.revisions(URL)] == ["", "", "opinion"]
    again.close()


def test_an_interrupted_migration_leaves_the_old_version(tmp_path: Path, archive: Archive) -> None:
    file = tmp_path / "archive.sqlite"
    store(archive, BRIDGE)
    before = schema(file)
    with pytest.raises(DatabaseError, match=r"^The database archive.sqlite refused: near \"NOT\": syntax error\."):
        migrated(file, (*MIGRATIONS, ADD_COLUMN, ("NOT SQL",)))
    assert schema(file) == before
    assert [revision.article for revision in archive.revisions(URL)] == [BRIDGE]


def test_a_newer_schema_is_refused(tmp_path: Path, archive: Archive) -> None:
    file = tmp_path / "archive.sqlite"
    open_archive(file).close()
    newest = 1 + len(MIGRATIONS)
    migrated(file, (*MIGRATIONS, ("CREATE TABLE votes (id INTEGER)",)))
    with pytest.raises(DatabaseError) as caught:
        open_archive(file)
    assert str(caught.value) == (
        f"The database archive.sqlite has schema version {newest + 1}; this program knows {newest}. "
        "Install a newer pullquote."
    )


def test_several_programs_can_make_and_fill_one_archive_at_once(tmp_path: Path) -> None:
    def fill(program: int) -> None:
        opened = open_archive(tmp_path / "archive.sqlite")
        for number in range(5):
            store(opened, replace(BRIDGE, url=f"https://x.test/{program}/{number}", title=f"{program} {number}"))
        opened.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(fill, range(6)))
    opened = open_archive(tmp_path / "archive.sqlite")
    assert opened.status().articles == 30
    opened.close()


# What can go wrong with the file


def test_a_file_that_is_no_archive_is_told(tmp_path: Path) -> None:
    file = tmp_path / "archive.sqlite"
    file.write_bytes(b"\x00\x01 not a database \xff" * 400)
    with pytest.raises(DatabaseError) as caught:
        open_archive(file)
    assert str(caught.value) == (
        "The database archive.sqlite refused: file is not a database. "
        "The file is something else: give PULLQUOTE_DATA another folder."
    )
    assert file.read_bytes() == b"\x00\x01 not a database \xff" * 400


def test_a_damaged_archive_is_told(tmp_path: Path, archive: Archive) -> None:
    store(archive, BRIDGE, TRAM)
    archive.close()  # the last one writes the log back into the file
    file = tmp_path / "archive.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))
    with pytest.raises(DatabaseError, match="The file is damaged: put a backup in its place"):
        list(open_archive(file).export())


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"unable to open database file\. It cannot be opened"):
        open_archive(tmp_path)


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(DatabaseError, match=r"^The folder '.*data' cannot be made: File exists\. Give PULLQUOTE_DATA"):
        open_archive(tmp_path / "data" / "archive.sqlite")


@pytest.mark.parametrize("address", ["nonsense", "postgres://me:secret@h/db", "oracle://me:secret@h/db"])
def test_a_database_address_that_cannot_be_used_is_told_without_its_password(address: str) -> None:
    with pytest.raises(
        DatabaseError, match=r"^The database address cannot be used: \w+\. Write PULLQUOTE_ARCHIVE"
    ) as caught:
        open_archive(address)
    assert "secret" not in str(caught.value)


def test_an_archive_that_must_not_be_written_can_still_be_read(tmp_path: Path, archive: Archive) -> None:
    store(archive, BRIDGE)
    closed = open_archive(f"sqlite:///file:{tmp_path / 'archive.sqlite'}?mode=ro&uri=true")
    with pytest.raises(DatabaseError) as caught:
        store(closed, TRAM)
    assert str(caught.value) == (
        "The database archive.sqlite refused: attempt to write a readonly database. "
        "It cannot be written: check the folder's "
        "permissions."
    )
    assert [revision.article for revision in closed.revisions(URL)] == [BRIDGE]
    closed.close()


def big_articles() -> list[Article]:
    """More than a small disk holds: 15 of 100 kB."""
    return [replace(TRAM, url=f"https://x.test/{n}", text=f"Number {n}." + " A sentence." * 8_000) for n in range(15)]


def assert_full_disk_is_told_and_harms_nothing(archive: Archive, file: Path) -> None:
    stored = [revision for _, revision in archive.current()]
    rows = list(archive.export())
    with pytest.raises(DatabaseError) as caught:
        store(archive, *big_articles())
    assert str(caught.value) == (
        "The database archive.sqlite refused: database or disk is full. "
        "The disk is full: free some space and run the command again. "
        "What was reported as stored is safe."
    )
    assert [revision for _, revision in archive.current()] == stored
    assert list(archive.export()) == rows
    assert archive.status().passages == len(archive.passages_of(revision.id for revision in stored))
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_full_database_keeps_what_it_has(tmp_path: Path, archive: Archive) -> None:
    store(archive, BRIDGE, TRAM)

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=100")  # 400 kB

    sa.event.listen(sa.Engine, "connect", limit)
    try:
        full = open_archive(tmp_path / "archive.sqlite")
    finally:
        sa.event.remove(sa.Engine, "connect", limit)
    assert_full_disk_is_told_and_harms_nothing(full, tmp_path / "archive.sqlite")
    full.close()
    assert [one.outcome for one in store(archive, *big_articles())] == ["added"] * 15  # space was made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts no tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_what_it_has(small_disk: Path) -> None:
    archive = open_archive(small_disk / "archive.sqlite")
    store(archive, BRIDGE, TRAM)
    assert_full_disk_is_told_and_harms_nothing(archive, small_disk / "archive.sqlite")
    archive.close()


# Hostile and random input


def test_naughty_strings_survive_storing_and_moving(archive: Archive, other: Archive) -> None:
    if not NAUGHTY.exists():
        pytest.skip(f"{NAUGHTY} is missing: naughty strings are NOT tested")
    naughty = {normalise(text): text for text in json.loads(NAUGHTY.read_text("utf-8"))}
    articles = [
        make_article(url=f"https://x.test/{n}", title=s, text=s, outlet=s, authors=[s, s[::-1]], retrieved=day(3))
        for n, (plain, s) in enumerate(naughty.items())
        if plain and len(line(s)) <= 1_000
    ]
    assert len(articles) > 400
    assert {one.outcome for one in store(archive, *articles)} == {"added"}
    assert [revision.article for _, revision in archive.current()] == articles[::-1]
    assert [archive.revisions(article.url)[-1].article for article in articles[:20]] == articles[:20]
    rows = list(archive.export())
    take_back(other, rows)
    assert list(other.export()) == rows


VERSIONS = [
    {"text": "First words."},
    {"text": "Other words here."},
    {"text": LONG},
    {"text": "First words.", "title": "Corrected"},
    {"text": "First words.", "published": None},
]
SEEN = st.tuples(st.integers(0, 2), st.integers(0, len(VERSIONS) - 1), st.integers(1, 28))


@settings(max_examples=60, deadline=None)
@given(st.lists(SEEN, max_size=12), st.booleans())
def test_any_history_keeps_its_order_and_can_move(seen: list[tuple[int, int, int]], in_one_batch: bool) -> None:
    articles = [
        replace(BRIDGE, url=f"https://x.test/{n}", retrieved=day(at), **VERSIONS[version])  # type: ignore[arg-type]
        for n, version, at in seen
    ]
    with tempfile.TemporaryDirectory() as folder:
        archive, other = (open_archive(Path(folder) / name) for name in ("one", "two"))
        for batch in [articles] if in_one_batch else [[article] for article in articles]:
            store(archive, *batch)
        for article_id, current in archive.current():
            revisions = archive.revisions(article_id)
            assert [revision for revision in revisions if revision.current] == [current] == revisions[-1:]
            assert [one.until for one in revisions[:-1]] == [one.since for one in revisions[1:]]
            assert all(left.since <= right.since for left, right in pairwise(revisions))
            assert all(left.article.retrieved <= right.article.retrieved for left, right in pairwise(revisions))
            for revision in revisions:
                found = [one.passage for one in archive.passages_of([revision.id])]
                assert tuple(found) == passages(revision.article)
                assert all(one.text == revision.article.text[one.start : one.end] for one in found)
        rows = list(archive.export())
        take_back(other, rows)
        assert list(other.export()) == rows
        take_back(archive, rows)
        assert list(archive.export()) == rows
        archive.close()
        other.close()
