"""Which one name answers who or where, and who holds the office that is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.names import WHERE, WHO, name_in, office_holder, unit_asked

UKRAINE = "Who is the president of Ukraine?"


@pytest.mark.parametrize(
    ("question", "unit"),
    [
        ("Who won the French Open?", WHO),
        ("Which country has won the World Cup?", WHO),
        ("who leads the delegation?", WHO),
        ("Who was recently elected mayor of Lyon?", WHO),
        (UKRAINE, WHO),
        ("Who is the Ukrainian president?", WHO),
        ("Where will the talks be held?", WHERE),
        ("Which city hosts the games?", WHERE),
        ("Who said so?", ""),  # many may
        ("Who attended the funeral?", ""),
        ("Where do penguins live?", ""),
        ("How many won?", ""),
    ],
)
def test_one_name_is_asked_for(question: str, unit: str) -> None:
    assert unit_asked(question) == unit


@pytest.mark.parametrize(
    ("question", "text", "holder"),
    [
        (UKRAINE, "On Monday Ukraine's President Volodymyr Zelensky spoke.", "Volodymyr Zelensky"),
        (UKRAINE, "Volodymyr Zelensky, the Ukrainian president, spoke.", "Volodymyr Zelensky"),
        (UKRAINE, "The president of Ukraine, Volodymyr Zelensky, spoke.", "Volodymyr Zelensky"),
        (UKRAINE, "President Joe Biden told Ukraine that he would help.", None),
        (UKRAINE, "Former Ukrainian president Petro Poroshenko spoke.", None),
        (UKRAINE, "The vice president of Ukraine, Ann Lee, spoke.", None),
        (UKRAINE, "The Ukrainian president spoke.", None),
        ("Who is the CEO of Twitter?", "Elon Musk, who became Twitter’s CEO, spoke.", "Elon Musk"),
        ("Who is the CEO of Twitter?", "On Monday Twitter CEO Parag Agrawal spoke.", "Parag Agrawal"),
        ("who is Prime Minister of the UK?", "British Prime Minister Liz Truss resigned.", "Liz Truss"),
    ],
)
def test_the_holder_of_an_office_is_named(question: str, text: str, holder: str | None) -> None:
    found = office_holder(question, text)
    assert (text[slice(*found)] if found else None) == holder


@given(st.text(alphabet="Aa .,’'é1\n", max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_a_name_stands_in_its_text(text: str, start: int, end: int) -> None:
    for unit in (WHO, WHERE):
        name = name_in(unit, text, (start, end))
        assert name is None or (start <= name.span[0] < name.span[1] <= end and text[name.span[0]].isupper())
    found = office_holder(UKRAINE, f"Ukrainian President {text}")
    assert found is None or found[0] >= len("Ukrainian President ")
