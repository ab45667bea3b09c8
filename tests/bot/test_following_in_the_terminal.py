"""`pullquote follow`, `following` and `unfollow`, with the real models and an intake by another program."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import cli

QUESTION = "how many homes lost power in Pinewick?"
FILLER = "\n\nThe mayor thanked the crews." * 60


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


def take_in(folder: Path, number: int, said: str, day: int) -> None:
    row = {
        "url": f"https://n.example/{number}",
        "title": "Storm in Pinewick",
        "text": f"A storm crossed Pinewick in the night. {said} Trees fell on lines.{FILLER}",
        "published": f"2025-05-{day}",
        "outlet": f"Courier {number}",
    }
    (folder / "one.jsonl").write_text(json.dumps(row))
    assert run("ingest", str(folder / "one.jsonl")).exit_code == 0


@pytest.mark.usefixtures("place")
def test_what_is_new_is_printed_once(tmp_path: Path) -> None:
    assert run("following").output.startswith("No question is followed.")
    take_in(tmp_path, 1, "The company said 31,000 homes in Pinewick lost power.", 18)
    followed = run("follow", *QUESTION.split())
    assert followed.output.splitlines()[0] == f"Followed as number 1: {QUESTION}"
    assert run("following", "--new").output == "Nothing new.\n"
    take_in(tmp_path, 2, "By noon 42,000 homes in Pinewick had lost power, the company said.", 19)
    first, again = run("following", "--new", "--json"), run("following", "--new")
    [line] = first.stdout.splitlines()
    told = json.loads(line)
    assert (told["id"], told["question"], told["answered"]) == (1, QUESTION, True)
    assert [one["url"] for one in told["citations"]] == ["https://n.example/2"]
    assert again.output == "Nothing new.\n"
    take_in(tmp_path, 3, "By noon 42,000 homes in Pinewick had lost power, the company said.", 20)
    assert run("following", "--new").output == "Nothing new.\n"
    assert json.loads(run("following", "--json").stdout) == [{"number": 1, "question": QUESTION}]


@pytest.mark.usefixtures("place")
def test_a_question_is_followed_no_longer() -> None:
    assert run("follow", "???").stderr.startswith("The question is empty.")
    run("follow", "who won?")
    refused = run("unfollow", "7")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "No question is followed as number 7. See the numbers with: pullquote following\n",
    )
    assert run("unfollow", "1").output == "No longer followed: who won?\n"
    assert json.loads(run("following", "--json").stdout) == []


@pytest.mark.usefixtures("place")
def test_the_limit_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULLQUOTE_FOLLOWS", "1")
    run("follow", "who won?")
    assert "(PULLQUOTE_FOLLOWS)" in run("follow", "who lost?").stderr
