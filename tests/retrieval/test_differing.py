"""Which reports give another figure or day for the same thing, which only seem to, and how they are labelled."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from corpus.archive import FOREVER, Revision, open_archive
from corpus.article import Article
from retrieval.answer import Answer, to_json
from retrieval.asked import take_apart
from retrieval.citation import cite
from retrieval.crossencoder import CrossEncoder
from retrieval.desk import Desk
from retrieval.differing import Statement, differing, side_by_side
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.question import read_question
from retrieval.reader import load_reader
from retrieval.search import Search
from retrieval.vectors import Vectors
from tests.words import WordEncoder, an_article, put

TODAY = date(2025, 5, 30)
HOMES = "How many homes did the fire in Valencia destroy?"
KILLED = "How many people were killed in the Valencia fire?"
BEGAN = "When did the strike in Lyon begin?"


def statement(
    text: str, number: int = 1, *, day: int = 16, title: str = "Fire in Valencia, strike in Lyon"
) -> Statement:
    article = an_article(number, text, day=day, title=title)
    revision = Revision(number, 1, article, date(2025, 5, day), FOREVER)
    return Statement(revision, (0, len(article.text)), f"{article.title}\n{article.text}")


def words(question: str, own: str, other: str, *, days: tuple[int, int] = (16, 16)) -> list[str]:
    """What is shown of two reports, the first of which is the answer's."""
    apart = take_apart(question)
    one, two = statement(own, 1, day=days[0]), statement(other, 2, day=days[1])
    return [found.words for found in differing(apart, [one], [two])]


@pytest.mark.parametrize(
    ("question", "own", "other", "expected"),
    [
        (
            HOMES,
            "The fire in Valencia destroyed 31,000 homes.",
            "The fire destroyed nearly 46,000 homes, officials said.",
            ["31,000 homes", "nearly 46,000 homes"],
        ),
        (
            HOMES,
            "The fire destroyed 31,000 homes in Valencia.",
            "Some 20,000 houses were destroyed by the fire.",
            ["31,000 homes", "Some 20,000 houses"],
        ),
        (
            HOMES,
            "The fire in Lyon destroyed 31,000 homes.",  # the fire stands in both headlines
            "More than 50,000 homes were destroyed.",
            ["31,000 homes", "More than 50,000 homes"],
        ),
        (
            KILLED,
            "At least 12 people were killed in the fire.",
            "The fire killed at least 15 people and injured 40.",
            ["At least 12 people", "at least 15 people"],
        ),
        (
            KILLED,
            "The fire killed 12 people and injured 30.",
            "The death toll of the fire rose from 12 to 17.",
            ["12 people", "17"],
        ),
        (
            "How many people were injured in the Valencia fire?",
            "The fire killed 12 people and injured 30 people in Valencia.",
            "The fire killed 12 people and injured 41 others.",
            [],  # others than whom?
        ),
        (
            "What was the magnitude of the Valencia earthquake?",
            "A magnitude 6.2 earthquake shook Valencia.",
            "The 6.4-magnitude earthquake shook the coast.",
            ["6.2", "6.4-magnitude"],
        ),
        (
            "How much did the Lyon bridge cost?",
            "The bridge in Lyon cost $40 million to build.",
            "The bridge cost $55 million.",
            ["$40 million", "$55 million"],
        ),
        (
            BEGAN,
            "The strike in Lyon began on 3 May.",
            "The strike began on 5 May, the union said.",
            ["3 May", "5 May"],
        ),
        (
            "When will the Lyon festival open?",
            "The festival will open on 3 June.",
            "The Lyon festival will open on 10 June.",
            ["3 June", "10 June"],
        ),
    ],
)
def test_another_figure_for_the_same_thing_is_shown(question: str, own: str, other: str, expected: list[str]) -> None:
    assert words(question, own, other) == expected


@pytest.mark.parametrize(
    ("question", "own", "other"),
    [
        pytest.param(HOMES, "The fire destroyed 31,000 homes.", "The fire destroyed 31,000 homes.", id="the same"),
        pytest.param(HOMES, "The fire destroyed 31,000 homes.", "The fire destroyed nearly 31,000 homes.", id="nearly"),
        pytest.param(HOMES, "The fire destroyed 31,000 homes.", "The fire destroyed over 30,000 homes.", id="over"),
        pytest.param(HOMES, "The fire destroyed 31,240 homes.", "The fire destroyed 31,000 homes.", id="rounded"),
        pytest.param(HOMES, "The fire destroyed 31,000 homes.", "The fire destroyed 120 shops.", id="another unit"),
        pytest.param(
            HOMES, "The fire destroyed 31,000 homes.", "The fire spared 46,000 homes.", id="another thing happened"
        ),
        pytest.param(
            HOMES, "The fire destroyed 31,000 homes.", "The fire destroyed 900 homes in Alzira.", id="another place"
        ),
        pytest.param(
            HOMES, "The fire destroyed 31,000 homes.", "The fire of 1994 destroyed 900 homes.", id="another year"
        ),
        pytest.param(
            HOMES, "The fire destroyed 31,000 homes.", "The fire could destroy 46,000 homes.", id="feared, not known"
        ),
        pytest.param(
            HOMES,
            "The fire destroyed 31,000 homes on Thursday.",
            "The fire destroyed 900 homes on Wednesday.",
            id="another day",
        ),
        pytest.param(
            KILLED, "The fire killed 12 people.", "The fire injured 30 people, as people were killed.", id="hurt"
        ),
        pytest.param(KILLED, "The fire killed 12 people.", "The fire killed three children.", id="a part of them"),
        pytest.param(
            KILLED, "The fire killed 12 people.", "The fire killed another 3 people on its way.", id="more of them"
        ),
        pytest.param(
            "What percentage of voters backed the Lyon mayor in the poll?",
            "In the poll 40% of voters backed the mayor.",
            "A poll found that 46% of voters backed the mayor.",
            id="two polls",
        ),
        pytest.param("Who led the fire brigade?", "Ana Ruiz led 30 people.", "Eva Gil led 40 people.", id="no figure"),
        pytest.param(
            BEGAN, "The strike began on Thursday.", "The strike began on 16 May.", id="a day off, by the time zone"
        ),
        pytest.param(BEGAN, "The strike began on 3 May.", "The strike, which began on May 3, goes on.", id="same day"),
        pytest.param(
            BEGAN, "The strike began on 3 May.", "The strike will begin on Friday.", id="a weekday ahead is not read"
        ),
    ],
)
def test_what_is_no_difference_is_not_shown(question: str, own: str, other: str) -> None:
    assert words(question, own, other) == words(question, other, own) == []


def test_reports_that_are_far_apart_are_of_two_stories() -> None:
    own, other = "The fire destroyed 31,000 homes.", "The fire destroyed 46,000 homes."
    assert words(HOMES, own, other, days=(1, 30)) == ["31,000 homes", "46,000 homes"]
    far = replace(statement(other, 2).revision.article, published=datetime(2024, 5, 16, tzinfo=UTC))
    apart = take_apart(HOMES)
    late = replace(statement(other, 2), revision=Revision(2, 1, far, date(2024, 5, 16), FOREVER))
    assert differing(apart, [statement(own)], [late]) == ()


def test_an_event_after_the_earlier_report_is_another_event() -> None:
    assert words(BEGAN, "The strike began on 3 May.", "The strike began on 20 May.", days=(6, 22)) == []


def test_a_report_must_know_the_names_that_are_asked_for() -> None:
    apart = take_apart(HOMES)
    other = statement("The fire destroyed 46,000 homes.", 2, title="A fire in Murcia")
    assert differing(apart, [statement("The fire destroyed 31,000 homes.")], [other]) == ()


def test_a_question_without_a_name_wants_more_in_common() -> None:
    question = "How many people were killed in the fire?"
    own = "In the port of Sagunt near Valencia the fire killed 12 people."
    assert words(question, own, "In Sagunt, north of Valencia, the fire killed 15 people.") == [
        "12 people",
        "15 people",
    ]
    apart = take_apart(question)
    other = statement("The fire near Valencia killed 15 people.", 2, title="Fire")
    assert differing(apart, [statement(own, title="A fire")], [other]) == ()


# Names

HELD = "Where will the talks between Russia and Ukraine be held?"
HOST = "Which city will host the talks between Russia and Ukraine?"
PRESIDENT = "Who is the president of Ukraine?"
LEADS = "Who leads the Russian delegation at the talks?"
WON = "Who won the French Open in Lyon?"


def names(question: str, *reports: str, days: tuple[int, int] = (16, 16)) -> list[str]:
    """What is shown of two reports in which the words that answer stand between asterisks."""
    apart = take_apart(question)
    own, other = (
        replace(
            statement(report.replace("*", ""), number, day=day, title="Talks on Russia and Ukraine, tennis in Lyon"),
            answer=(report.index("*"), report.rindex("*") - 1),
        )
        for number, (report, day) in enumerate(zip(reports, days, strict=True), 1)
    )
    return [found.words for found in differing(apart, [own], [other])]


@pytest.mark.parametrize(
    ("question", "own", "other", "expected"),
    [
        (
            HELD,
            "The talks will be held *in Istanbul*.",
            "The talks will take place in *Ankara*.",
            ["Istanbul", "Ankara"],
        ),
        (HOST, "*Istanbul* will host the talks.", "*Ankara* will host the talks.", ["Istanbul", "Ankara"]),
        (
            LEADS,
            "*Vladimir Medinsky* leads the Russian delegation.",
            "The Russian delegation is led by *Foreign Minister Sergei Lavrov*.",
            ["Vladimir Medinsky", "Sergei Lavrov"],
        ),
        (
            WON,
            "*Carlos Alcaraz* won the French Open.",
            "*Jannik Sinner* won the French Open.",
            ["Carlos Alcaraz", "Jannik Sinner"],
        ),
        (
            WON,
            "*Carlos Alcaraz* won the French Open.",
            "*Jannik Sinner* won the French Open, the first report said.",
            ["Carlos Alcaraz", "Jannik Sinner"],
        ),
        (
            PRESIDENT,
            "*Petro Poroshenko*, the president of Ukraine, left.",
            "Ukrainian President *Volodymyr Zelensky* left.",
            ["Petro Poroshenko", "Volodymyr Zelensky"],
        ),
    ],
)
def test_another_name_for_what_only_one_can_be_is_shown(
    question: str, own: str, other: str, expected: list[str]
) -> None:
    assert names(question, own, other) == expected
    assert names(question, other, own) == expected[::-1]


@pytest.mark.parametrize(
    ("question", "own", "other"),
    [
        pytest.param(WON, "*Carlos Alcaraz* won the French Open.", "*Alcaraz* won the Open.", id="the same"),
        pytest.param(WON, "*Carlos Alcaraz* won the French Open.", "*Spain* won the Open.", id="his country"),
        pytest.param(WON, "*Alcaraz* won the French Open.", "*Sinner* won the Australian Open.", id="another open"),
        pytest.param(WON, "*Alcaraz* won the French Open.", "*Sinner* could win the Open.", id="not yet"),
        pytest.param(
            WON, "*Alcaraz* beat Sinner and won the French Open.", "*Sinner* won the Open.", id="knows the other"
        ),
        pytest.param(WON, "*Alcaraz* won the French Open.", "*Sinner and Nadal* won the Open.", id="two names"),
        pytest.param(
            HELD, "The talks will be held in *Istanbul*.", "The talks will be held in *Turkey*.", id="a city of it"
        ),
        pytest.param(
            HELD, "The talks will be held in *Turkey*.", "The talks will be held in *Türkiye*.", id="its own name"
        ),
        pytest.param(
            HELD, "The talks will be held in *Istanbul*.", "The talks will be held at *Dolmabahce*.", id="a house in it"
        ),
        pytest.param(
            HELD,
            "The talks will be held in *Istanbul*.",
            "The talks will be held in *Fatih, Istanbul*.",
            id="a part of it",
        ),
        pytest.param(
            PRESIDENT,
            "Ukrainian President *Volodymyr Zelensky* left.",
            "President *Joe Biden* said that Ukraine would win.",
            id="of another country",
        ),
        pytest.param(
            PRESIDENT,
            "Ukrainian President *Volodymyr Zelensky* left.",
            "Former Ukrainian president *Petro Poroshenko* left.",
            id="a former one",
        ),
        pytest.param(
            "Who said that the talks would fail?",
            "*Sergei Lavrov* said that the talks would fail.",
            "*Kaja Kallas* said the talks would fail.",
            id="many may say so",
        ),
    ],
)
def test_names_that_may_both_be_right_are_not_shown(question: str, own: str, other: str) -> None:
    assert names(question, own, other) == names(question, other, own) == []


def test_a_successor_is_shown_although_the_later_report_knows_both() -> None:
    before = "*Liz Truss*, the prime minister of Ukraine, spoke in Lyon."
    after = "*Rishi Sunak*, the prime minister of Ukraine, followed Liz Truss."
    question = "Who is the prime minister of Ukraine?"
    assert names(question, after, before, days=(26, 3)) == ["Rishi Sunak", "Liz Truss"]
    assert names(question, after, before, days=(3, 26)) == []


def test_words_that_the_model_is_not_sure_of_are_no_name() -> None:
    apart = take_apart(WON)
    assert differing(apart, [statement("Alcaraz won the French Open.")], [statement("Sinner won the Open.", 2)]) == ()


# Labels and order


def shown(*reports: tuple[str, str, int | None]) -> list[tuple[str, str, bool]]:
    """(outlet, words, update) of what (outlet, words, day) gives."""
    apart, made = take_apart(HOMES), []
    for number, (outlet, homes, day) in enumerate(reports, 1):
        one = statement(f"The fire destroyed {homes}.", number, day=day or 1)
        article = replace(one.revision.article, outlet=outlet)
        article = article if day else replace(article, published=None)
        made.append(replace(one, revision=replace(one.revision, article=article)))
    found = [(one, cite(one.revision, one.statement.span)) for one in differing(apart, made[:1], made[1:])]
    return [(one.citation.article.outlet, one.words, one.update) for one in side_by_side(found)]


def test_the_newest_is_first_and_the_undated_last() -> None:
    assert shown(("Courier", "31,000 homes", 16), ("Wire", "40,000 homes", None), ("Herald", "46,000 homes", 18)) == [
        ("Herald", "46,000 homes", False),
        ("Courier", "31,000 homes", False),
        ("Wire", "40,000 homes", False),
    ]


def test_a_later_figure_of_the_same_outlet_is_an_update() -> None:
    assert shown(("Courier", "31,000 homes", 16), ("Herald", "50,000 homes", 19), ("Courier", "46,000 homes", 18)) == [
        ("Herald", "50,000 homes", False),
        ("Courier", "46,000 homes", True),
        ("Courier", "31,000 homes", False),
    ]


def test_an_outlet_that_says_the_same_again_is_shown_once() -> None:
    assert shown(("Courier", "31,000 homes", 16), ("Wire", "46,000 homes", 17), ("Wire", "46,100 homes", 18)) == [
        ("Wire", "46,100 homes", False),
        ("Courier", "31,000 homes", False),
    ]


def test_no_outlet_and_no_date_make_no_update() -> None:
    assert not any(update for *_, update in shown(("", "31,000 homes", 16), ("", "46,000 homes", 18)))
    assert not any(update for *_, update in shown(("Wire", "31,000 homes", 16), ("Wire", "46,000 homes", None)))
    assert not any(update for *_, update in shown(("Wire", "31,000 homes", 16), ("Wire", "46,000 homes", 16)))


def test_what_is_left_must_still_differ() -> None:
    apart = take_apart(HOMES)
    made = [statement(f"The fire destroyed {n} homes.", k) for k, n in enumerate(("31,000", "46,000", "46,200"))]
    found = [(one, cite(one.revision, one.statement.span)) for one in differing(apart, made[:1], made[1:])]
    assert [one.words for one in side_by_side(found[:2])] == ["31,000 homes", "46,000 homes"]
    assert side_by_side(found[:1]) == side_by_side([]) == ()
    assert side_by_side(found[1:]) == ()  # 46,200 may be what 46,000 rounds


# The whole, on real indexes


REST = (  # so long that two such reports are alike
    "The wind fell at night and the brigades from three provinces went home in the morning. Schools near the river "
    "stay closed until the water is clean again, and the trains to the coast run on one track. The mayor thanked all "
    "who had brought food and blankets to the sports hall, where many had slept on the floor."
)


def fire(number: int, homes: str, day: int, outlet: str) -> Article:
    text = f"The fire in Valencia destroyed {homes} before it was put out. {REST}"
    return an_article(number, text, day=day, outlet=outlet, title="Fire in Valencia")


FILLER = [an_article(n, f"The council of town {n} met and voted on budget item {n * 7}.") for n in range(10, 30)]


class House:
    def __init__(self, folder: Path, crossencoder: CrossEncoder, *articles: Article) -> None:
        encoder = WordEncoder()
        self.archive = open_archive(folder / "archive.sqlite")
        put(self.archive, *articles, *FILLER)
        vectors, keywords = Vectors(folder / "vectors"), Keywords(folder / "keywords")
        self.index = Index(self.archive, vectors, keywords, Model("words", encoder.dimension), lambda: encoder)
        self.index.catch_up()
        search = Search(self.archive, vectors, keywords, lambda: encoder)
        self.desk = Desk(search, load_reader(lambda: crossencoder, 0.0), self.archive)

    def ask(self, question: str = HOMES) -> Answer:
        return self.desk.ask(read_question(question, today=TODAY))


def told(answer: Answer) -> list[tuple[str, str, bool]]:
    return [(one.citation.article.outlet, one.words, one.update) for one in answer.differing]


@pytest.fixture
def house(tmp_path: Path, crossencoder: CrossEncoder) -> Iterator[House]:
    house = House(
        tmp_path,
        crossencoder,
        fire(1, "31,000 homes", 16, "Courier"),
        fire(2, "nearly 31,000 homes", 17, "Herald"),
        fire(3, "46,000 homes", 18, "Wire"),
        fire(4, "52,000 homes", 20, "Courier"),
    )
    yield house
    house.archive.close()


def test_outlets_stand_side_by_side_newest_first_with_proven_citations(house: House) -> None:
    answer = house.ask()
    assert told(answer) == [
        ("Courier", "52,000 homes", True),
        ("Wire", "46,000 homes", False),
        ("Courier", "31,000 homes", False),  # of which the Herald's is a copy
    ]
    assert answer.citations[0].article.url in {one.citation.article.url for one in answer.differing}
    for one in answer.differing:
        assert one.words in one.citation.quote
        assert house.desk.proven(one.citation) == one.citation


def test_json_has_the_figure_and_its_citation(house: House) -> None:
    rows = to_json(house.ask())["differing"]
    assert isinstance(rows, list)
    sentence = "The fire in Valencia destroyed 52,000 homes before it was put out."
    assert {name: value for name, value in rows[0].items() if name not in ("link", "update")} == {
        "words": "52,000 homes",
        "url": "https://example.org/4",
        "title": "Fire in Valencia",
        "outlet": "Courier",
        "published": "2025-05-20",
        "quote": sentence,
        "start": 0,
        "end": len(sentence),
    }
    assert rows[0]["link"].startswith("https://example.org/4#:~:text=")


def test_an_older_revision_is_no_other_report(tmp_path: Path, crossencoder: CrossEncoder) -> None:
    first = fire(1, "31,000 homes", 16, "Courier")
    house = House(tmp_path, crossencoder, first)
    later = datetime(2025, 6, 20, tzinfo=UTC)
    put(house.archive, replace(first, text=first.text.replace("31,000", "46,000"), retrieved=later))
    house.index.catch_up()
    assert "46,000" in house.ask().citations[0].quote
    assert house.ask().differing == ()


def test_what_was_forgotten_is_shown_no_more(house: House) -> None:
    assert "https://example.org/3" in {one.citation.article.url for one in house.ask().differing}
    house.archive.forget("https://example.org/3")
    assert "https://example.org/3" not in {one.citation.article.url for one in house.ask().differing}


def test_a_question_for_no_figure_has_no_differing_reports_but_those_of_copies(
    tmp_path: Path, crossencoder: CrossEncoder, house: House
) -> None:
    where = "Where did the fire destroy homes?"
    own = "A fire near Valencia destroyed 46,000 homes, the region said. Roads to the coast were closed for a day."
    alone = House(
        tmp_path / "alone",
        crossencoder,
        fire(1, "31,000 homes", 16, "Courier"),
        an_article(2, own, day=18, title="Fire in Valencia"),
    )
    answer = alone.ask(where)
    assert (answer.answered, answer.differing, to_json(answer)["differing"]) == (True, (), [])
    alone.archive.close()
    told = [one.citation.article.outlet for one in house.ask(where).differing]
    assert told == ["Courier", "Wire", "Courier"]  # of which the Herald's is a copy
