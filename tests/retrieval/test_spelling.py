"""Slips of typing: put right where the archive has one word that is clearly meant, else left alone."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.spelling import Vocabulary, meant, respelled

COUNTS = {"alabama": 40, "governor": 900, "voted": 300, "dalton": 12, "trial": 500, "trail": 80, "hobbs": 60, "kemp": 3}
NEWS = frozenset({"brain", "county"})


def vocabulary(counts: Mapping[str, int] = COUNTS, passages: int = 2_000, form: bool = True) -> Vocabulary:
    return Vocabulary(passages, lambda words: [counts.get(one, 0) for one in words], lambda _: form, NEWS.__contains__)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Alabmaa", "Alabama"),
        ("Laabama", "Alabama"),
        ("oHbbs", "Hobbs"),
        ("GOVERNRO", "GOVERNOR"),
        ("govenror", "governor"),
        ("governr", "governr"),  # a letter left out
        ("Dalston", "Dalston"),  # somebody else's name
        ("trial", "trial"),
        ("brian", "brian"),  # only news at large has what could be meant
        ("Kmep", "Kemp"),
    ],
)
def test_two_exchanged_letters_are_put_right_and_nothing_else(typed: str, read: str) -> None:
    assert meant(typed, vocabulary()) == read


def test_a_word_that_news_at_large_has_is_no_slip() -> None:
    assert meant("brain", vocabulary({"brian": 900})) == "brain"


def test_of_two_readings_neither_is_taken_unless_one_is_far_more_frequent() -> None:
    assert meant("abdc", vocabulary({"badc": 90, "abcd": 50})) == "abdc"
    assert meant("abdc", vocabulary({"badc": 2, "abcd": 50})) == "abcd"


def test_what_hardly_any_passage_has_is_no_reading() -> None:
    counts = {"freiburg": 0, "frieburg": 1}
    assert meant("Freiburg", vocabulary(counts, passages=48_000)) == "Freiburg"
    assert meant("Freiburg", vocabulary(counts, passages=10)) == "Frieburg"


def test_a_slip_of_the_archive_s_own_gives_way_to_what_far_more_passages_have() -> None:
    assert meant("vidoe", vocabulary({"vidoe": 1, "video": 400})) == "video"
    assert meant("vidoe", vocabulary({"vidoe": 5, "video": 1_900})) == "vidoe"


def test_a_word_made_by_the_stemmer_alone_is_not_shown() -> None:
    assert meant("Alabmaa", vocabulary(form=False)) == "Alabmaa"


@pytest.mark.parametrize(
    "text",
    [
        "who wrote “Alabmaa rising”?",
        'who said "the govenror votde"?',
        "what did @govenror post on alabmaa.example/govenror?",
        "govenror7 and the_govenror",
        "что сказал губренатор?",
    ],
)
def test_quotations_addresses_and_other_scripts_are_left(text: str) -> None:
    assert respelled(text, vocabulary()) == text


@given(st.lists(st.sampled_from([*COUNTS, *NEWS, "of", "?", "—", "3.5"])))
def test_known_words_are_never_touched(words: list[str]) -> None:
    text = " ".join(words)
    assert respelled(text, vocabulary()) == text


@given(st.text(st.sampled_from("Alabmgovenrr İß“\".,-'é3@\u0301"), max_size=60))
def test_what_stands_between_words_stays_and_so_do_the_letters_of_each(text: str) -> None:
    read = respelled(text, vocabulary())
    assert re.sub(r"[A-Za-z]", "x", read) == re.sub(r"[A-Za-z]", "x", text)
    assert [sorted(one) for one in read.lower().split()] == [sorted(one) for one in text.lower().split()]
    assert respelled(read, vocabulary()) == read
