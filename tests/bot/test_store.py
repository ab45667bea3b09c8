"""What a bot remembers, and which words an article has."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bot import messages
from bot.cli import cli
from bot.settings import in_force, load_settings
from bot.store import open_store
from bot.verify import exact, quoted
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
