"""What a bot remembers, and which words an article has."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from bot import messages
from bot.cli import cli
from bot.settings import in_force, load_settings
from bot.store import TRIES, Given, Mark, Told, open_store
from bot.verify import exact, match, quoted
from bot.watchlist import MIGRATION, TABLES
from corpus.archive import FOREVER, Revision, StoredPassage
from corpus.article import Passage, make_article, normalise
from corpus.database import DatabaseError
from retrieval.scope import Scope


def test_a_limit_that_is_used_up_counts_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "c.sqlite")
    limits = [("ada", 60, 2), ("group", 60, 3)]
    assert [store.spend(limits, 0.0) for _ in range(3)] == [None, None, (60, 2)]
    assert store.spend([("boris", 60, 2), ("group", 60, 3)], 1.0) is None
    assert store.spend([("boris", 60, 2), ("group", 60, 3)], 1.0) == (60, 3)
    assert store.spend(limits, 60.0) is None
    store.close()


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path / "c.sqlite")
    code = store.invite()
    store.set_turn("telegram:1:", "abc", Scope(outlets=("Courier",)))
    assert store.first_time("update/1")
    store.close()
    again = open_store(tmp_path / "c.sqlite")
    assert again.turn("telegram:1:") == ("abc", Scope(outlets=("Courier",)))
    assert not again.first_time("update/1")
    assert (again.redeem(code, "telegram:1"), again.redeem(code, "telegram:2")) == (True, False)
    assert (again.invited("telegram:1"), again.invited("telegram:2")) == (True, False)
    again.move("telegram:1:", "telegram:-100:")
    assert again.turn("telegram:-100:")[0] == "abc"
    again.close()


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DatabaseError, match=r"c\.sqlite refused: file is not a database"):
        open_store(tmp_path / "c.sqlite")


def test_exact_means_whole_words_in_order() -> None:
    text = "He said:\n“We will  not leave.” Nobody’s home."
    assert exact(quoted('"We will not leave."'), text) == (10, 29)
    assert exact("nobody's home", text) is None
    assert exact("ill not leave", text) is None


@pytest.mark.usefixtures("place")
def test_without_a_token_the_command_says_what_to_do() -> None:
    result = CliRunner().invoke(cli, ["telegram"])
    assert (result.exit_code, result.stderr) == (1, f"{messages.NO_TOKEN}\n")


@pytest.mark.usefixtures("bare")
def test_the_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_TELEGRAM_TOKEN", "123:secret")
    [shown] = [one.value for one in in_force(load_settings()) if one.name == "telegram_token"]
    assert shown == "***"
    monkeypatch.setenv("PULLQUOTE_TELEGRAM_TOKEN", "secret")
    assert "secret" not in CliRunner().invoke(cli, ["settings"]).output


OF_VERSION_1 = """
CREATE TABLE schema (version INTEGER NOT NULL);
INSERT INTO schema VALUES (1);
CREATE TABLE answers (id TEXT PRIMARY KEY, place TEXT NOT NULL, question TEXT NOT NULL, said TEXT NOT NULL,
    confidence FLOAT NOT NULL, marks TEXT NOT NULL, retrieved TEXT NOT NULL, position INTEGER NOT NULL,
    given TEXT NOT NULL);
INSERT INTO answers VALUES ('abc', 'telegram:1:', 'who won?', 'who won?', 0.5,
    '[{"url": "u", "revision": 1, "start": 0, "end": 4, "digest": "d"}]', '[["u", 1.0]]', 3,
    '2026-11-01T00:00:00+00:00');
CREATE TABLE seen (key TEXT PRIMARY KEY, at TEXT NOT NULL);
INSERT INTO seen VALUES ('update/7/1', ''), ('stranger/telegram:2', '');
"""


def test_what_an_older_version_kept_is_taken_along(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as old:
        old.executescript(OF_VERSION_1)
    store = open_store(tmp_path / "c.sqlite")
    given = store.given("abc")
    assert given
    assert (given.searched, given.read_as, given.scope) == ("who won?", "", Scope())
    assert (given.marks, given.differing, given.answered) == ((Mark("u", 1, 0, 4, "d"),), (), True)
    assert store.arrived("telegram/7/1", "{}")
    assert not store.first_time("stranger/telegram:2")
    store.close()


def columns_of(store: sqlite3.Connection, table: str) -> list[str]:
    """Its columns (name, type, not null, primary key), and the columns of each of its indexes."""
    rows = [repr((row[1], row[2], row[3], row[5])) for row in store.execute(f"PRAGMA table_info({table})")]
    for index in store.execute(f"PRAGMA index_list({table})").fetchall():
        columns = [row[2] for row in store.execute(f"PRAGMA index_info({index[1]})")]
        rows.append(f"unique {index[2]}: {columns}")
    return sorted(rows)


def test_tables_that_an_older_store_is_given_are_those_of_a_new_one(tmp_path: Path) -> None:
    open_store(tmp_path / "new.sqlite").close()
    files = [sqlite3.connect(tmp_path / name) for name in ("old.sqlite", "new.sqlite")]
    with closing(files[0]) as old, closing(files[1]) as new:
        for statement in MIGRATION:
            old.execute(statement)
        for table in TABLES.tables:
            assert columns_of(old, table) == columns_of(new, table)


def test_an_answer_is_kept_whole(tmp_path: Path) -> None:
    store = open_store(tmp_path / "c.sqlite")
    scope = Scope(since=date(2025, 5, 1), outlets=("Courier",))
    marks = (Mark("u", 1, 0, 4, "d", ("Herald",), (1, 3)),)
    told = (Told(marks[0], (1, 3), True),)
    asked = ("who won in May", "and in May?", "who won?", "in May")
    given = Given("abc", "telegram:1:", *asked, scope, 0.5, marks, (("u", 0.5),), 3, told, answered=False)
    store.keep(given)
    assert store.given("abc") == given
    store.close()


def test_updates_are_kept_until_they_are_dealt_with(tmp_path: Path) -> None:
    store = open_store(tmp_path / "c.sqlite")
    assert [store.arrived(f"t/7/{one}", f"body {one}") for one in (1, 2, 3, 2)] == [True, True, True, False]
    assert store.arrived("t/8/1", "of another bot")
    store.dealt_with("t/7/1")
    assert not store.arrived("t/7/1", "again")
    for _ in range(TRIES):
        assert store.unfinished("t/7/") == ["body 2", "body 3"]
    assert store.unfinished("t/7/") == []  # it stopped the program each time
    assert store.unfinished("t/8/") == ["of another bot"]
    store.close()


def passage_of(text: str) -> StoredPassage:
    article = make_article(url="https://n.example/1", title="T", text=text)
    revision = Revision(1, 1, article, date(2025, 5, 16), FOREVER)
    return StoredPassage(1, revision, Passage(article, 0, len(article.text), ((0, len(article.text)),)))


@pytest.mark.parametrize(
    ("said", "shown", "differences"),
    [
        ("We will never leave", "We will not leave", "We will [-never-] {+not+} leave"),
        ("we will not leave", "We will not leave", "[-we-] {+We+} will not leave"),
        ("will not, leave now", "We will not leave", "{+We+} will [-not,-] {+not+} leave [-now-]"),
        ("entirely other words than those", "", ""),
    ],
)
def test_a_near_match_marks_every_difference(said: str, shown: str, differences: str) -> None:
    text = "He said: “We will not leave.” Nobody’s home."
    found = match(quoted(said), [passage_of(text)])
    if not shown:
        assert found is None
        return
    assert found
    assert text[slice(*found.span)] == shown
    assert found.differences == differences


@given(st.text(max_size=40), st.text(min_size=1, max_size=60))
def test_whatever_is_looked_for_is_exact_only_where_it_stands(said: str, text: str) -> None:
    assume(normalise(text).strip() and quoted(said))
    stored = passage_of(text)
    found = match(quoted(said), [stored])
    if found and not found.differences:
        assert exact(quoted(said), stored.passage.text) == found.span
