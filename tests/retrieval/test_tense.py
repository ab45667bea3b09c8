"""Time words that ask for reports of some days, those that say when something was, and questions of the present."""

from datetime import date

import pytest

from retrieval.question import Question, read_question
from retrieval.scope import Scope
from retrieval.tense import is_current
from retrieval.when import Window

TODAY = date(2025, 11, 19)  # a Wednesday


@pytest.mark.parametrize(
    ("question", "searched", "read_as"),
    [
        ("reports from May 2025", "reports", "from May 2025"),
        ("articles published last week", "articles published", "last week"),
        ("news of last week", "news", "last week"),
        ("headlines of yesterday", "headlines", "yesterday"),
        ("coverage since Monday", "coverage", "since Monday"),
        ("tram coverage since May", "tram coverage", "since May"),
        ("Show me the latest news about Gaza from last week", "Show me the latest news about Gaza", "from last week"),
        ("any Gaza news this week?", "any Gaza news?", "this week"),
        ("this week’s news about the tram", "news about the tram", "this week"),
        ("what was reported in March?", "what was reported?", "in March"),
        ("What was written in March about the tram?", "What was written about the tram?", "in March"),
        ("In March, what was reported about the tram?", "what was reported about the tram?", "In March"),
        ("What do articles of last week say about Gaza?", "What do articles say about Gaza?", "last week"),
        ("What happened last week?", "What happened?", "last week"),
        ("what's new since Monday?", "what's new?", "since Monday"),
        ("yesterday?", "yesterday?", "yesterday"),
    ],
)
def test_asked_for_what_was_published_the_days_are_a_filter(question: str, searched: str, read_as: str) -> None:
    asked = read_question(question, today=TODAY)
    assert (asked.text, asked.read_as, asked.meant) == (searched, read_as, None)
    assert asked.scope.since


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who won in 2019?", "in 2019"),
        ("Who resigned a week ago today?", "a week ago today"),
        ("Who was president before 2025?", "before 2025"),
        ("What happened in Gaza last week?", "last week"),
        ("What did Russia demand in May 2025?", "in May 2025"),
        ("How many cases were reported in March?", "in March"),
        ("Who broke the news on Sunday?", "on Sunday"),
        ("What did the news anchor say in March?", "in March"),
        ("Which news agency closed in 2019?", "in 2019"),
        ("Which novel was published in 2019?", "in 2019"),
    ],
)
def test_otherwise_they_are_searched_for_and_the_days_are_only_meant(question: str, words: str) -> None:
    asked = read_question(question, today=TODAY)
    assert (asked.text, asked.read_as, asked.scope) == (question, "", Scope())
    assert asked.meant
    assert asked.meant.words == words


def test_days_that_were_given_outright_win_over_words() -> None:
    given = Scope(since=date(2025, 5, 1))
    asked = read_question("news of last week", today=TODAY, scope=given)
    assert asked == Question("news of last week", TODAY, given, said="news of last week")


@pytest.mark.parametrize(
    "question",
    [
        "who is the president of Torvik?",
        "Who leads Hungary?",
        "how many people live in Torvik?",
        "How many people have died since May 2025?",
        "is the bridge open?",
        "What's the price of gas?",
        "Did he still say it?",
        "latest on the strike",
        "What did he say this week?",
        "this week’s news",
    ],
)
def test_what_asks_how_things_stand(question: str) -> None:
    assert is_current(question)
    assert read_question(question, today=TODAY).current


@pytest.mark.parametrize(
    "question",
    [
        "Who was president?",
        "Who killed the man who is dead?",
        "who said that it is open?",
        "ferry fares",
        "How many died?",
        "Who resigned a week ago today?",
    ],
)
def test_what_asks_for_the_past_or_for_no_time(question: str) -> None:
    assert not is_current(question)


def test_the_present_tense_of_a_past_time_is_the_past() -> None:
    asked = read_question("Who is president in 2019?", today=TODAY)
    assert not asked.current
    assert asked.meant == Window(date(2019, 1, 1), date(2020, 1, 31), "in 2019")
