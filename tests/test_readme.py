"""What the README tells a newcomer to run is what CI and the tests run."""

import re
from pathlib import Path

import pytest

from bot.build import House
from bot.sample import take_in_sample
from bot.settings import Settings

REPO = Path(__file__).resolve().parents[1]
README = (REPO / "README.md").read_text("utf-8")


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    steps = (REPO / ".ci" / "run").read_text("utf-8").splitlines()
    [command] = [step for step in steps if step.startswith("python3 -m venv ")]
    assert command in [line.strip() for line in README.splitlines()]


def test_every_setting_stands_in_the_readme() -> None:
    named = re.findall(r"^\| `(PULLQUOTE_\w+)`", README, re.MULTILINE)
    assert named == [f"PULLQUOTE_{name.upper()}" for name in Settings.model_fields]


def test_every_link_within_the_readme_leads_somewhere() -> None:
    headings = [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in re.findall(r"^#+ (.+)", README, re.M)]
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert links
    assert set(links) <= set(headings)


def test_the_langchain_example_runs(tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    house = House(Settings(data=tmp_path, models=models), sample=True)
    take_in_sample(house, 60.0, lambda: None)
    house.close()
    there = f'House(Settings(data=Path("{tmp_path}"), models=Path("{models}")), sample=True)'
    code = example.replace('House(Settings(data=Path("~/.local/share/pullquote")))', there)
    assert code != example
    exec(code, {})
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_readme_shows_what_the_first_command_prints() -> None:
    assert "Russia demanded that Ukraine withdraw completely from four regions" in README
    assert "The Harbour Courier" in README
