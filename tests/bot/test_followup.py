"""Follow-up questions made whole, and questions that need nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.followup import MAX_QUESTION, complete, is_followup, points_back

TALKS = "what did Russia demand at the Istanbul talks?"
DEMAND = "what did Russia demand?"
OIL = "What did Putin say about oil?"


@pytest.mark.parametrize(
    ("question", "previous", "whole"),
    [
        ("and what did Ukraine say?", TALKS, "what did Ukraine say at the Istanbul talks?"),
        ("and what did ukraine say?", TALKS, "what did ukraine say at the Istanbul talks?"),
        ("and what did Ukraine say?", DEMAND, "what did Ukraine say?"),
        ("and Ukraine?", DEMAND, "what did Ukraine demand?"),
        ("And Ukraine?", TALKS, "what did Ukraine demand at the Istanbul talks?"),
        ("and ukraine?", "what did russia demand?", "what did ukraine demand?"),
        ("what about France?", DEMAND, "what did France demand?"),
        ("How about the EU?", DEMAND, "what did the EU demand?"),
        ("and Poland?", "who leads Hungary?", "who leads Poland?"),
        ("and Poland?", "who won the election?", "who won the election Poland?"),
        ("and Macron?", "What did Putin say to Trump?", "What did Macron say to Trump?"),
        ("and about gas?", OIL, "What did Putin say about gas?"),
        ("And what about gas?", OIL, "What did Putin say about gas?"),
        ("and for children?", OIL, "What did Putin say about oil for children?"),
        ("in Kyiv?", "How many died in Odesa?", "How many died in Kyiv?"),
        ("when was that?", TALKS, "when did Russia demand at the Istanbul talks?"),
        ("when did it happen?", TALKS, "when did Russia demand at the Istanbul talks?"),
        ("who said it?", TALKS, "who said Russia demand at the Istanbul talks?"),
        ("why?", TALKS, "why did Russia demand at the Istanbul talks?"),
        ("Where?", TALKS, "Where did Russia demand at the Istanbul talks?"),
        ("but why?", "Did Russia withdraw?", "why Did Russia withdraw?"),
        ("how many?", "Were people killed in Kyiv?", "how many people killed in Kyiv?"),
        ("how many were killed?", "What happened in Kyiv?", "how many were killed in Kyiv?"),
        ("did it happen in Kyiv?", "Who killed Parubiy?", "did killed Parubiy happen in Kyiv?"),
        ("and in 2024?", DEMAND, "what did Russia demand in 2024?"),
        ("and in 2024?", "what did Russia demand in May 2025?", "what did Russia demand in 2024?"),
        ("And in May?", "What did Russia demand last week?", "What did Russia demand in May?"),
        ("and last week?", DEMAND, "what did Russia demand last week?"),
        ("What about yesterday?", DEMAND, "what did Russia demand yesterday?"),
        ("what did he say about gas?", OIL, "what did Putin say about gas?"),
        ("what did he say about gas?", "what did putin say about oil?", "what did putin say about gas?"),
        ("What did he say to Trump?", "Where is Putin?", "What did Putin say to Trump?"),
        ("what is his role?", OIL, "what is Putin’s role?"),
        ("why did they refuse?", TALKS, "why did Russia refuse?"),
        ("where?", "how many homes lost power?", "where homes lost power?"),
        ("and Ada Lee?", "what did the mayor say about the tram?", "what did Ada Lee say about the tram?"),
        ("and the governor?", "what did the mayor say about the tram?", "what did the governor say about the tram?"),
        ("who else?", "Who voted against the bill in Ohio?", "who voted against the bill in Ohio?"),
    ],
)
def test_a_followup_is_made_whole(question: str, previous: str, whole: str) -> None:
    assert is_followup(question)
    assert complete(question, previous) == whole


def test_it_is_not_the_person_whom_the_answer_names() -> None:
    whole = complete("how much will it cost?", "who spoke about the tram?", "“It is done,” said Mayor Ada Lee.")
    assert whole == "how much will it cost about the tram?"


def test_a_pronoun_without_a_name_in_the_question_takes_it_from_the_answer() -> None:
    answer = "Vladimir Medinsky led the delegation."
    assert (
        complete("what did he say about gas?", "Who leads the talks?", answer)
        == "what did Vladimir Medinsky say about gas?"
    )


@pytest.mark.parametrize(
    "question", ["who said it?", "when was that?", "Where?", "and why?", "who scored?", "did he agree?"]
)
def test_some_ask_about_the_same_article(question: str) -> None:
    assert points_back(question)


@pytest.mark.parametrize(
    "question",
    ["and Ukraine?", "what about gas?", "what did Ukraine say?", "and in 2024?", "who is zelensky?", "thanks"],
)
def test_others_ask_about_something_else(question: str) -> None:
    assert not points_back(question)


STANDING = [
    "Who won the Nobel Prize in 2022?",
    "what did putin say about his mother?",
    "What did the EU decide about its budget?",
    "who is zelensky?",
    "what did russia demand?",
    "What happened in Gaza last week?",
    "which countries refused grain exports?",
    "Ukraine ceasefire terms",
    "In which country was Parubiy shot?",
    "Thanks",
]


@pytest.mark.parametrize("question", STANDING)
def test_a_question_that_stands_alone_comes_back_unchanged(question: str) -> None:
    assert not is_followup(question)
    assert complete(question, TALKS, "Russia demanded a withdrawal.") == question


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("And who won the Nobel Prize in 2022?", "who won the Nobel Prize in 2022?"),
        ("And who leads Hungary?", "who leads Hungary?"),
        ("But what happened in Gaza last week?", "what happened in Gaza last week?"),
    ],
)
def test_a_question_that_stands_alone_loses_only_its_and(question: str, whole: str) -> None:
    assert not is_followup(question)
    assert complete(question, TALKS) == whole


@pytest.mark.parametrize("question", ["why?", "when was that?", "what did he say?"])
def test_without_a_turn_before_nothing_is_added(question: str) -> None:
    assert complete(question, "") == question


_VOCABULARY = """
and but what about who when why how many did it that he his they Ukraine russia Putin's the talks in 2024 last week
May at gas said ? . , is happen \\1 (
"""
_WORDS = st.sampled_from(_VOCABULARY.split())
_TEXT = st.text() | st.lists(_WORDS, max_size=9).map(" ".join)


@settings(deadline=None)
@given(_TEXT, _TEXT, _TEXT)
def test_any_text_gives_a_bounded_question(question: str, previous: str, answer: str) -> None:
    whole = complete(question, previous, answer)
    assert len(whole) <= MAX_QUESTION
    assert bool(whole.strip()) == bool(question.strip())


@settings(deadline=None)
@given(st.sampled_from(STANDING), _TEXT, _TEXT)
def test_no_turn_before_changes_a_question_that_stands_alone(question: str, previous: str, answer: str) -> None:
    assert complete(question, previous, answer) == question
