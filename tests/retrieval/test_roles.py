"""Who did it to whom: sentences with the parties the other way round are seen, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.roles import done_to_another, of_another_nation, roles, turned_round

DEMAND = "what did Ukraine demand?"


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (DEMAND, "Russia demanded that Ukraine withdraw completely from four regions."),
        ("what did ukraine demand?", "Moscow, which had the upper hand, demands that Ukrainian troops leave."),
        ("What did Zelensky tell Trump?", "On Friday Trump told Zelensky that he would not come."),
        ("why does the EU accuse Hungary?", "Hungary accuses the EU of blackmail."),
        ("What will Ukraine reject?", "No deal was signed. Russia rejected Ukraine’s offer."),
        ("who did Rovers beat?", "Port Ellery beat the Rovers."),
        ("what did Ukraine say?", "Russia demanded that Ukraine withdraw completely from four regions."),
        (DEMAND, "Russia demanded a withdrawal."),
        (DEMAND, "According to Ukrainian sources, the Russian delegation also asked for recognition."),
        ("what did Biden say about Taiwan?", "Wang Yi warned Biden that Taiwan was no affair of his."),
    ],
)
def test_the_other_way_round(question: str, sentence: str) -> None:
    assert turned_round(roles(question), sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (DEMAND, "Ukraine demanded that Russia withdraw."),
        (DEMAND, "Ukrainian officials demanded that Russia leave Ukraine."),
        (DEMAND, "The withdrawal that Russia rejected was demanded by Ukraine."),
        (DEMAND, "It demanded that Russia leave Ukraine."),  # whoever that is
        (DEMAND, "Russia demanded that Ukraine withdraw, and Ukraine demanded a ceasefire."),
        (DEMAND, "Officials met in Ukraine."),
        ("what was Ukraine’s demand?", "Russia demanded that Ukraine withdraw."),  # not a question of this shape
        ("what did Ukraine say?", "Ukraine urged Russia to agree."),
        ("who demanded a ceasefire?", "Russia demanded that Ukraine withdraw."),
        ("", ""),
    ],
)
def test_not_the_other_way_round(question: str, sentence: str) -> None:
    assert not turned_round(roles(question), sentence)


@pytest.mark.parametrize(
    ("question", "sentence", "another"),
    [
        ("who led the Ukrainian delegation?", "The Russian delegation was led by Vladimir Medinsky.", True),
        ("who led the Turkish delegation?", "Russian delegations were led by Vladimir Medinsky.", True),
        ("who is the German foreign minister?", "French Foreign Minister Catherine Colonna met him.", True),
        ("who led the Danish delegation?", "The Swiss delegation was led by Ann Lee.", True),
        ("who led the French delegation?", "The German delegation met that of France.", False),
        ("who led the Russian delegation?", "The Russian delegation was led by Vladimir Medinsky.", False),
        ("who led the Ukrainian delegation?", "The Russian delegation met that of Ukraine.", False),
        ("who led the Ukrainian delegation?", "The delegation was led by Rustem Umerov.", False),
        ("who led the delegation?", "The Russian delegation was led by Vladimir Medinsky.", False),
        ("who led the Ukrainian delegation?", "Russian officials met the delegation.", False),
        ("who led the ukrainian delegation", "The Russian delegation was led by Vladimir Medinsky.", True),
        ("which European leader resigned?", "The Italian leader resigned.", False),  # Italy is in Europe
        (
            "who was the Japanese prime minister?",
            "The then-Japanese Prime Minister met a British prime minister.",
            False,
        ),
    ],
)
def test_what_is_another_nations(question: str, sentence: str, another: bool) -> None:
    assert of_another_nation(question, sentence) is another


@pytest.mark.parametrize(
    ("question", "sentence", "another"),
    [
        ("Who assassinated Donald Trump?", "Lee Harvey Oswald assassinated President John F. Kennedy.", True),
        ("who assassinated Donald Trump?", "In 1963 John F. Kennedy was assassinated in Dallas.", True),
        ("Who assassinated Donald Trump?", "He had a part in the assassination of John F. Kennedy.", True),
        ("Who assassinated Donald Trump?", "The assassination attempt was prevented.", False),
        ("Who murdered Abe?", "She wrote about the murder of Olof Palme.", True),
        ("Who won the World Cup in 2018?", "They saw the wonders of Rome.", False),
        ("Who won the World Cup in 2018?", "Max Verstappen won the Dutch Grand Prix.", True),
        ("Who shot Shinzo Abe?", "Tetsuya Yamagami shot Abe with a gun that he had made.", False),
        ("Who shot Shinzo Abe?", "The man shot him twice.", False),  # whoever that is
        ("Who shot Shinzo Abe?", "He was shot by a man of 41.", False),
        ("Who shot the man?", "The man shot Shinzo Abe.", False),  # asked of nobody by name
        ("Who was Abe?", "Kishida was Prime Minister.", False),
        ("Who did Abe shoot?", "Yamagami shot Kishida.", False),
    ],
)
def test_what_was_done_to_another(question: str, sentence: str, another: bool) -> None:
    assert done_to_another(question, sentence) is another


@given(st.text(), st.text())
def test_any_text_will_do(question: str, sentence: str) -> None:
    assert done_to_another(f"Who shot {question}?", sentence) in (True, False)
    assert turned_round(roles(question), sentence) in (True, False)
    assert of_another_nation(question, sentence) in (True, False)
    assert not turned_round(None, sentence)
