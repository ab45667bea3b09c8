"""One number for how well the day of a report suits a question."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from retrieval.question import Question, read_question
from retrieval.recency import nearness
from retrieval.when import Window

TODAY = date(2025, 11, 19)
PLAIN = Question("ferry fares", TODAY)
CASES = Path(__file__).resolve().parents[2].parent / "shared/bench/cases/whenq/a.jsonl"


@pytest.mark.parametrize(("days", "near"), [(0, 1), (30, 1 / 2), (90, 1 / 4), (-3, 1)])
def test_the_present_is_told_by_the_newest(days: int, near: float) -> None:
    assert nearness(replace(PLAIN, current=True), TODAY - timedelta(days)) == near


@pytest.mark.parametrize(
    ("since", "until", "published", "near"),
    [
        (date(2019, 1, 1), date(2020, 1, 31), date(2019, 7, 1), 1),
        (date(2019, 1, 1), date(2020, 1, 31), date(2020, 3, 1), 1 / 2),
        (date(2019, 1, 1), date(2020, 1, 31), date(2018, 12, 2), 1 / 2),
        (None, date(2024, 12, 31), date(2001, 1, 1), 1),
        (date(2025, 5, 1), None, date(2025, 4, 1), 1 / 2),
    ],
)
def test_days_that_were_meant_are_near(since: date | None, until: date | None, published: date, near: float) -> None:
    assert nearness(replace(PLAIN, meant=Window(since, until, "then")), published) == near


def test_of_two_preferences_the_lower_counts() -> None:
    both = replace(PLAIN, current=True, meant=Window(date(2025, 1, 1), None, "since January"))
    assert [nearness(both, day) for day in (TODAY, date(2025, 10, 20), date(2024, 11, 19))] == [1, 1 / 2, 30 / 395]


def test_without_a_preference_or_a_day_it_is_nothing() -> None:
    assert nearness(PLAIN, TODAY) == 0
    assert nearness(replace(PLAIN, current=True), None) == 0


@pytest.mark.parametrize(
    ("question", "nearest"),
    [
        ("What did the council do in November last year?", "Council raises ferry fares"),
        ("What did the council do last November?", "Council raises ferry fares"),
        ("What did the council do on Tuesday of last week?", "Council lowers ferry fares"),
        ("What did the council do a week ago today?", "Council lowers ferry fares"),
    ],
)
def test_of_reports_alike_the_one_of_the_days_meant_is_nearest(question: str, nearest: str) -> None:
    if not CASES.exists():
        pytest.skip("NOT TESTED: time words of users. They lie in ../shared/bench/cases/whenq.")
    asked = read_question(question, today=date(2026, 11, 17))
    rows = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    near = {row["title"]: nearness(asked, date.fromisoformat(row["published"])) for row in rows}
    assert [title for title, value in near.items() if value == 1] == [nearest]
