import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import cli
from bot.settings import (
    DEFAULT_MODEL,
    JUDGED,
    BadSettings,
    Setting,
    in_force,
    load_settings,
    unknown_variables,
    without_password,
)
from retrieval import models, reader

pytestmark = pytest.mark.usefixtures("bare")


def setting(name: str) -> Setting:
    return next(one for one in in_force(load_settings()) if one.name == name)


def test_the_defaults_that_are_written_twice_agree() -> None:
    assert DEFAULT_MODEL == models.DEFAULT_MODEL
    assert JUDGED == reader.JUDGED


def test_defaults_need_no_environment() -> None:
    settings = load_settings()
    assert (settings.archive, settings.chroma, settings.models, settings.threshold) == (None, None, None, None)
    assert (settings.model, settings.engine, settings.citations) == (DEFAULT_MODEL, "auto", 3)
    assert settings.data.name == "pullquote"
    assert {one.origin for one in in_force(settings)} == {"default"}


def test_the_environment_wins_over_the_file(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / ".env").write_text("PULLQUOTE_CITATIONS=1\nPULLQUOTE_ENGINE=torch\nTELEGRAM_TOKEN=1\n")
    monkeypatch.setenv("PULLQUOTE_CITATIONS", "2")
    assert (load_settings().citations, load_settings().engine) == (2, "torch")
    assert (setting("citations").value, setting("citations").origin) == ("2", "environment")
    assert (setting("engine").value, setting("engine").origin) == ("torch", ".env")


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_THRESHOLD", "")
    assert load_settings().threshold is None
    assert setting("threshold").origin == "default"


def test_a_folder_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_DATA", "~/news")
    assert load_settings().data == Path.home() / "news"


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("THRESHOLD", "high", "PULLQUOTE_THRESHOLD cannot be 'high'. Give it a number from 0 to 1."),
        ("THRESHOLD", "1.5", "PULLQUOTE_THRESHOLD cannot be '1.5'. Give it a number from 0 to 1."),
        ("THRESHOLD", "nan", "PULLQUOTE_THRESHOLD cannot be 'nan'. Give it a number from 0 to 1."),
        ("CITATIONS", "4", "PULLQUOTE_CITATIONS cannot be '4'. Give it 1, 2 or 3."),
        (
            "ENGINE",
            "cuda\x1b[31m",
            "PULLQUOTE_ENGINE cannot be 'cuda\\x1b[31m'. Give it auto, onnxruntime, openvino or torch.",
        ),
        (
            "ARCHIVE",
            "me:secret@host/db",
            "PULLQUOTE_ARCHIVE is wrong. "
            "Give it a database URL such as postgresql+psycopg://user:password@host/pullquote.",
        ),
        (
            "COLLECTION",
            "a b",
            "PULLQUOTE_COLLECTION cannot be 'a b'. Give it 3 to 512 letters, digits, dots, hyphens or underscores.",
        ),
        (
            "CHROMA",
            "localhost",
            "PULLQUOTE_CHROMA is wrong. Give it the address of a Chroma server such as http://localhost:8000.",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PULLQUOTE_{variable}", value)
    with pytest.raises(BadSettings) as raised:
        load_settings()
    assert str(raised.value).replace("\\\\", "\\") == sentence
    result = CliRunner().invoke(cli, ["settings"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{raised.value}\n")


def test_a_file_that_is_no_text_is_one_sentence(bare: Path) -> None:
    (bare / ".env").write_bytes(b"PULLQUOTE_MODEL=\xff\xfe\n")
    with pytest.raises(BadSettings, match=r"The file \.env cannot be read"):
        load_settings()


def test_unknown_variables_are_named_with_the_nearest_known(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_MODLE", "x")
    (bare / ".env").write_text("PULLQUOTE_COLOUR=red\n")
    assert list(unknown_variables()) == [
        "PULLQUOTE_COLOUR is not a setting and changes nothing. See what there is with: pullquote settings",
        "PULLQUOTE_MODLE is not a setting and changes nothing. Did you mean PULLQUOTE_MODEL?",
    ]
    assert "PULLQUOTE_MODLE" in CliRunner().invoke(cli, ["settings"]).stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:secret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://me:p@ss/word@host/db", "postgresql://me:***@host/db"),
        (
            "postgresql://host/db?user=me&password=secret&sslmode=on",
            "postgresql://host/db?user=me&password=***&sslmode=on",
        ),
        ("https://chroma.example:8000", "https://chroma.example:8000"),
        ("sqlite:////data/archive.sqlite", "sqlite:////data/archive.sqlite"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_the_command_prints_what_is_in_force_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_ARCHIVE", "postgresql://me:hunter2@host/db")
    result = CliRunner().invoke(cli, ["settings", "--json"])
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["archive"] == {
        "name": "archive",
        "variable": "PULLQUOTE_ARCHIVE",
        "value": "postgresql://me:***@host/db",
        "origin": "environment",
        "meaning": "database of the articles",
    }
    assert "hunter2" not in CliRunner().invoke(cli, ["settings"]).output + repr(load_settings())


def test_what_is_not_imported_here_says_the_same_there() -> None:
    from retrieval.models import DEFAULT_MODEL
    from retrieval.question import OLD_AFTER

    assert (load_settings().model, load_settings().old_after) == (DEFAULT_MODEL, OLD_AFTER)
