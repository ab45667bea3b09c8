"""Keyword search on a real tantivy index."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.keywords import Keywords, asked, stems
from retrieval.scope import STANDING, UNDATED, Entry, Scope, outlet_code
from retrieval.vectors import Stamp, WrongIndex

NAUGHTY = Path(__file__).resolve().parents[3] / "shared" / "bench" / "hostile" / "naughty_strings.json"
DAY = date(2025, 5, 16).toordinal()


def entry(number: int, text: str, title: str = "", outlet: str = "Courier", **more: int) -> Entry:
    days = {"day": DAY, "since": DAY, "until": STANDING, **more}
    return Entry(id=number, revision=number, outlet=outlet_code(outlet), title=title, text=text, **days)


ENTRIES = [
    entry(1, "Russia demanded the withdrawal of troops from four regions."),
    entry(2, "The storm tore roofs from forty houses.", title="Floods in the valley", outlet="Herald", day=DAY + 4),
    entry(3, "The council voted for the tram line; floods were not on its list.", day=DAY + 8),
    entry(4, "An old report on the tram line.", until=DAY + 2),
    entry(5, "An undated report on the tram.", day=UNDATED),
]


@pytest.fixture(scope="module")
def keywords(tmp_path_factory: pytest.TempPathFactory) -> Keywords:
    keywords = Keywords(tmp_path_factory.mktemp("keywords"))
    keywords.apply(ENTRIES, [one.revision for one in ENTRIES], Stamp(5, "words", 256, 1))
    return keywords


def ids(keywords: Keywords, question: str, scope: Scope = Scope()) -> list[int]:  # noqa: B008 - frozen
    return [one for one, _ in keywords.search(question, 10, scope)]


# Words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("?!… —", []),
        ("Demanded demands demanding", ["demand", "demand", "demand"]),
        ("The minister’s plan", ["the", "minist", "s", "plan"]),
        ("U.S. 3.5 million", ["u", "s", "3", "5", "million"]),
        ("Россия потребовала", ["россия", "потребовала"]),
        ("x" * 41, []),  # no word; tantivy leaves it out
    ],
)
def test_words_are_lower_case_english_stems(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did Russia demand?", ["russia", "demand"]),
        ("what was the minister's demand for the minister?", ["minist", "demand"]),
        ("Who is who", ["who", "is"]),  # only small words: all of them
        ("?", []),
        ("Who is the WHO chief?", ["who", "chief"]),  # the organisation
        ("Did the US join us?", ["us", "join"]),
        ("How many prisoners, and how much money?", ["prison", "money"]),
        ("WHAT DID THE US DEMAND FROM US?", ["demand"]),  # shouted: who knows
        ("Who attacked whom, and why?", ["attack"]),
    ],
)
def test_a_question_asks_by_the_words_that_its_answer_should_hold(question: str, expected: list[str]) -> None:
    assert asked(question) == expected


@given(st.text())
def test_any_question_has_words_once_each(question: str) -> None:
    words = asked(question)
    assert len(set(words)) == len(words)
    assert set(words) <= set(stems(question.replace("’", "'").replace("'s", " "))) | set(stems(question))


# Searching


def test_the_best_comes_first_with_its_score(keywords: Keywords) -> None:
    hits = keywords.search("Which regions should Russian troops leave? Russia demands it.", 10, Scope())
    assert hits[0][0] == 1
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
    assert all(score > 0 for _, score in hits)
    assert len(keywords.search("report on floods and troops", 1, Scope())) == 1


def test_words_of_the_headline_count_but_less(keywords: Keywords) -> None:
    assert ids(keywords, "floods") == [3, 2]
    assert ids(keywords, "valley") == [2]


def test_no_known_word_finds_nothing(keywords: Keywords) -> None:
    assert ids(keywords, "zebra") == []
    assert ids(keywords, "?") == []
    assert ids(keywords, "") == []


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), {3, 5}),
        (Scope(since=date(2025, 5, 20)), {3}),
        (Scope(until=date(2025, 5, 30)), {3}),  # the undated one is outside any dates
        (Scope(until=date(2025, 5, 30), undated=True), {3, 5}),
        (Scope(until=date(2025, 5, 17)), set()),
        (Scope(as_of=date(2025, 5, 17)), {3, 4, 5}),
        (Scope(as_of=date(2025, 5, 18)), {3, 5}),
        (Scope(as_of=date(2025, 5, 15)), set()),
        (Scope(outlets=("COURIER",)), {3, 5}),
        (Scope(outlets=("Herald", "Nobody")), set()),
    ],
)
def test_filters_keep_what_they_say_and_do_not_score(keywords: Keywords, scope: Scope, expected: set[int]) -> None:
    hits = dict(keywords.search("tram", 10, scope))
    unfiltered = dict(keywords.search("tram", 10, Scope(as_of=date(2025, 5, 17))))
    assert set(hits) == expected
    assert all(score == pytest.approx(unfiltered[one]) for one, score in hits.items())


@pytest.mark.parametrize(
    "question",
    [
        "troops AND NOT russia",
        "text:troops",
        "title:(floods",
        '"troops',
        "troops~2 ^5",
        "id:[1 TO 5]",
        "-troops +storm",
        "troops*",
        "\\",
        "day:>0 || troops",
        "\0troops\n",
        "troops " * 5_000,
    ],
)
def test_nothing_in_a_question_is_syntax(keywords: Keywords, question: str) -> None:
    expected = {1} if "troops" in question else set()
    found = set(ids(keywords, question))
    assert found - {2, 3} == expected
    assert (2 in found) == ("storm" in question or "floods" in question)


def test_hostile_questions_are_words_or_nothing(keywords: Keywords) -> None:
    if not NAUGHTY.exists():
        pytest.skip(f"NOT TESTED: {NAUGHTY} is missing.")
    for question in json.loads(NAUGHTY.read_text("utf-8")):
        assert set(ids(keywords, question)) <= {1, 2, 3, 5}


@given(st.text())
def test_any_question_can_be_asked(keywords: Keywords, question: str) -> None:
    assert set(ids(keywords, question)) <= {1, 2, 3, 5}


# The index on disk


def test_a_revision_that_comes_again_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    keywords = Keywords(tmp_path)
    keywords.apply(ENTRIES, [1, 2, 3, 4, 5], Stamp(5, "words", 256, 1))
    keywords.apply([entry(3, "The council voted for buses.")], [3, 5], Stamp(6, "words", 256, 1))
    assert ids(keywords, "tram") == []
    assert ids(keywords, "buses") == [3]
    assert keywords.stamp() == Stamp(6, "words", 256, 1)


def test_a_damaged_index_is_one_sentence_that_names_reindex(tmp_path: Path) -> None:
    keywords = Keywords(tmp_path)
    keywords.apply(ENTRIES, [1, 2, 3, 4, 5], Stamp(5, "words", 256, 1))
    (tmp_path / "meta.json").write_text("{")
    for use in (
        lambda: Keywords(tmp_path).search("tram", 5, Scope()),
        lambda: Keywords(tmp_path).search("tram", 3, Scope()),
        lambda: Keywords(tmp_path).apply([], [], Stamp(6, "words", 256, 1)),
    ):
        with pytest.raises(WrongIndex, match=r"^The keyword index at .* failed: .*\. .* run: pullquote reindex$"):
            use()
    keywords.clear()
    assert keywords.stamp() is None
    assert not tmp_path.exists()
