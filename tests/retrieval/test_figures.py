"""Figures: what is read as a quantity, what is not, and which two may be one quantity rounded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.figures import agree, changed, figures


def read(text: str) -> list[tuple[str, str, str]]:
    return [(f"{one.value.normalize():f}", one.unit, text[slice(*one.span)]) for one in figures(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nearly 31,000 homes were burnt.", [("31000", "home", "Nearly 31,000 homes")]),
        ("The fire burnt 31,000 brick houses.", [("31000", "home", "31,000 brick houses")]),
        ("About 3.5 million people fled.", [("3500000", "people", "About 3.5 million people")]),
        ("The bridge cost 1.2bn euros.", [("1200000000", "€", "1.2bn euros")]),
        ("A $40 million deal was signed.", [("40000000", "$", "$40 million")]),
        ("Tickets are US$40.", [("40", "$", "US$40")]),
        ("Turnout was 40% of voters.", [("40", "%", "40%")]),
        ("Turnout was 40 per cent.", [("40", "%", "40 per cent")]),
        ("Prices rose to 7.5 percent.", [("7.5", "%", "7.5 percent")]),
        ("A dozen people were hurt.", [("12", "people", "A dozen people")]),
        ("They freed twenty-two soldiers.", [("22", "soldier", "twenty-two soldiers")]),
        ("Two hundred and five sheep ran.", [("205", "", "Two hundred and five")]),
        ("It took 2 000 buses.", [("2000", "buse", "2 000 buses")]),
        ("The ship held 1.234,5 tonnes.", [("1234.5", "tonn", "1.234,5 tonnes")]),
        ("Rains displaced 5 lakh families.", [("500000", "famili", "5 lakh families")]),
        ("A 30-day ceasefire began.", [("30", "day", "30-day")]),
        ("A magnitude 6.2 quake struck.", [("6.2", "magnitud", "6.2")]),
        ("A 6.2-magnitude quake struck.", [("6.2", "magnitud", "6.2-magnitude")]),
        ("One person was killed.", [("1", "people", "One person")]),
        ("At least 12 were killed.", [("12", "people", "At least 12 were killed")]),
        ("The death toll rose to 15.", [("15", "people", "15")]),
        ("The toll rose from 12 to 15 people.", [("15", "people", "15 people")]),
        ("It killed 12 and injured 30.", [("12", "people", "12"), ("30", "people", "30")]),
        ("Power failed in 31,000 homes and businesses.", [("31000", "home and busi", "31,000 homes")]),
        ("The lake covers 12 square miles.", [("12", "square mile", "12 square miles")]),
    ],
)
def test_a_quantity_is_read_with_what_is_counted(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It happened in 2025.",
        "It was signed on 3 May and on May 4.",
        "Doors open at 10:30, close at 10 pm.",
        "They won 3–2, then 3-1.",
        "The 42-year-old was aged 41 then.",
        "She finished in the 12th place.",
        "Covid-19, G7, F-16 and MI5 were named.",
        "Call 020 7946 0958 or +44 20 7946 0958.",
        "They boarded Flight 370 and Apollo 11.",
        "He plays for the Big Ten.",
        "Between 10 and 15 people came, or 10 to 15.",
        "1 in 5 people agree; three out of four do not.",
        "3 of them left and one of us stayed.",
        "Another 12 people came, 12 more people followed.",
        "The weight is 1.234 or 12,5.",
        "Half a million people fled.",
        "Hundreds of people came, dozens stayed.",
        "It is open 24/7 since 9/11.",
    ],
)
def test_what_may_be_no_quantity_is_not_read(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("31,000 homes", "31 thousand homes", True),
        ("nearly 31,000 homes", "31,000 homes", True),
        ("about 31,000 homes", "30,412 homes", True),
        ("more than 30,000 homes", "31,000 homes", True),
        ("31,000 homes", "31,240 homes", True),
        ("$3.5 million", "$3,480,000", True),
        ("40% said so", "39.8% said so", True),
        ("a dozen people", "14 people", True),
        ("31,000 homes", "35,000 homes", False),
        ("about 31,000 homes", "46,000 homes", False),
        ("more than 30,000 homes", "29,000 homes", False),
        ("at least 12 people", "15 people", False),
        ("12 people", "13 people", False),
        ("30 people", "31 people", False),
        ("40% said so", "41% said so", False),
        ("a magnitude of 6.2", "a magnitude of 6.3", False),
    ],
)
def test_roundings_agree_and_other_figures_do_not(one: str, other: str, expected: bool) -> None:
    [mine], [its] = figures(one), figures(other)
    assert agree(mine, its) is agree(its, mine) is expected


def test_words_that_were_left_out_change_no_figure() -> None:
    assert changed("It burnt 31,000 homes.", "It burnt 46,000 homes.")
    assert not changed("It burnt 31,000 homes.", "It burnt 31 thousand houses.")
    assert not changed("It burnt 31,000 homes and hurt 12 people.", "It burnt 31,000 homes.")


PIECES = st.sampled_from(
    "12 3.5 31,000 2 000 $ € % million bn a dozen twenty two hundred and homes people killed 3–2 May 2025 - – . , "
    "from to at least nearly more than of Flight 42-year-old 0".split(" ")
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=14).map(" ".join), st.lists(PIECES, max_size=9).map("".join)))
def test_any_text_is_read_and_every_figure_stands_in_it(text: str) -> None:
    end = 0
    for one in figures(text):
        assert end <= one.span[0] < one.span[1] <= len(text)
        assert one.value >= 0
        assert one.room[0] <= one.value <= one.room[1]
        assert agree(one, one)
        end = one.span[0] + 1


@given(st.integers(1, 10**12))
def test_thousand_separators_change_no_value(number: int) -> None:
    with_commas, with_spaces = f"{number:,}", f"{number:,}".replace(",", " ")
    for written in (with_commas, with_spaces):
        assert [one.value for one in figures(f"They counted {written} birds there.")] == [Decimal(number)]


@given(st.integers(1, 999), st.sampled_from([("thousand", 3), ("million", 6), ("billion", 9)]))
def test_a_scale_is_so_many_noughts(number: int, scale: tuple[str, int]) -> None:
    [short], [long] = figures(f"about {number} {scale[0]} birds"), figures(f"about {number * 10 ** scale[1]:,} birds")
    assert (short.value, short.unit) == (long.value, long.unit)
