"""Which one name answers who or where, and who holds the office that is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.names import WHERE, WHO, name_in, unit_asked


@pytest.mark.parametrize(
    ("question", "unit"),
    [
        ("Who won the French Open?", WHO),
        ("Which country has won the World Cup?", WHO),
        ("who leads the delegation?", WHO),
        ("Who was recently elected mayor of Lyon?", WHO),
        ("Who is the president of Ukraine?", WHO),
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


@given(st.text(alphabet="Aa .,’'é1\n", max_size=80), st.integers(0, 80), st.integers(0, 80))
def test_a_name_stands_in_its_text(text: str, start: int, end: int) -> None:
    for unit in (WHO, WHERE):
        name = name_in(unit, text, (start, end))
        assert name is None or (start <= name.span[0] < name.span[1] <= end and text[name.span[0]].isupper())
