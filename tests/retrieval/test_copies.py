"""Copies of one story in answers: whose is shown, who else carries it, and that a difference stays to be seen."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import also, carried_by
from bot.messages import LANGUAGES
from corpus.archive import open_archive
from corpus.article import Article, make_article
from retrieval.answer import Answer, to_json
from retrieval.copies import changed_words
from retrieval.crossencoder import CrossEncoder
from retrieval.desk import Desk
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.question import read_question
from retrieval.reader import load_reader
from retrieval.scope import Scope
from retrieval.search import WIDTH, Search
from retrieval.vectors import Vectors
from tests.words import WordEncoder, an_article, put

TODAY = date(2025, 5, 26)
FIRE = (
    "A wildfire driven by strong winds destroyed 31,000 homes in the hills of Norland, the regional governor said.",
    "Fire brigades from four neighbouring regions worked through the night to hold the front at the river.",
    "“We have never seen a fire move this quickly,” Governor Ingrid Solheim told reporters at the town hall.",
    "Schools near the river stay closed until the air is clean, and trains run on one track to the coast.",
    "Investigators blamed a fallen power line near the village of Holm for the fire.",
)
POWER = an_article(
    90, "Norland Power will inspect its lines in the hills. The work takes six months, a spokesman said.", day=20
)
FILLER = [an_article(n, f"The council of town {n} met and voted on budget item {n * 7}.") for n in range(60, 80)]
CAUSE = "near which village had the power line fallen?"
HOMES = "how many homes did the wildfire destroy in Norland?"


def told(outlet: str, *sentences: str, hour: int = 9) -> Article:
    return make_article(
        url=f"https://{outlet.lower().replace(' ', '')}.test/fire",
        title=f"Fire in Norland, by {outlet}",
        text="\n\n".join(sentences),
        outlet=outlet,
        published=datetime(2025, 5, 16, hour, tzinfo=UTC),
        retrieved=datetime(2025, 6, 1, tzinfo=UTC),
    )


WIRE = told("Reuters", *FIRE, hour=11)
HERALD = told("Herald", *reversed(FIRE), "Sign up for our morning letter.", hour=8)
CUT = told("Cutter", *FIRE[:3], hour=7)
CHANGED = told("Post", FIRE[0].replace("31,000", "46,000"), *FIRE[1:], hour=12)


class House:
    def __init__(self, folder: Path, crossencoder: CrossEncoder) -> None:
        self.archive = open_archive(folder / "archive.sqlite")
        encoder, self.vectors, keywords = WordEncoder(), Vectors(folder / "vectors"), Keywords(folder / "keywords")
        model = Model("words", encoder.dimension)
        self._index = Index(self.archive, self.vectors, keywords, model, lambda: encoder)
        self.search = Search(self.archive, self.vectors, keywords, lambda: encoder)
        self._desk = Desk(self.search, load_reader(lambda: crossencoder, 0.0), self.archive)

    def hold(self, *articles: Article) -> None:
        put(self.archive, *articles)
        self._index.catch_up()

    def forget(self, article: Article) -> None:
        self.archive.forget(article.url)
        self._index.catch_up()

    def ask(self, text: str, scope: Scope = Scope()) -> Answer:  # noqa: B008 - frozen
        return self._desk.ask(read_question(text, today=TODAY, scope=scope))


@pytest.fixture
def house(tmp_path: Path, crossencoder: CrossEncoder) -> Iterator[House]:
    house = House(tmp_path, crossencoder)
    house.hold(*FILLER, POWER)
    yield house
    house.archive.close()
    house.vectors.close()


def outlets(answer: Answer) -> list[str]:
    return [one.article.outlet for one in answer.citations]


def test_the_agencys_own_is_shown_and_the_others_are_named(house: House) -> None:
    house.hold(HERALD, CUT, WIRE)
    answer = house.ask(CAUSE)
    assert outlets(answer)[0] == "Reuters"
    assert not {"Herald", "Cutter"} & set(outlets(answer))
    assert carried_by(answer, answer.citations[0]) == ("Herald",)  # the cut copy has not these words
    row = to_json(answer)
    assert isinstance(row["citations"], list)
    assert row["citations"][0]["also"] == [
        {"outlet": "Herald", "title": HERALD.title, "url": HERALD.url, "published": "2025-05-16"}
    ]
    fire = [one for one in answer.retrieved if one.stored.revision.article.text.count("Norland, the regional")]
    assert [one.stored.revision.article.outlet for one in fire] == ["Reuters"]


def test_the_earliest_is_shown_where_no_agency_is_known(house: House) -> None:
    house.hold(told("Later", *FIRE, hour=10), HERALD)
    answer = house.ask(CAUSE)
    assert (outlets(answer)[0], carried_by(answer, answer.citations[0])) == ("Herald", ("Later",))


def test_a_cut_copy_never_hides_what_only_the_whole_one_has(house: House) -> None:
    house.hold(told("Reuters", *FIRE[:4], hour=7), HERALD)
    answer = house.ask(CAUSE)
    assert outlets(answer)[0] == "Herald"
    assert "fallen power line" in answer.citations[0].quote


@pytest.mark.parametrize("outlet", ["Herald", "Post", "reuters"])
def test_the_one_copy_that_passes_the_filter_is_shown(house: House, outlet: str) -> None:
    house.hold(WIRE, HERALD, CHANGED)
    answer = house.ask(CAUSE, Scope(outlets=(outlet,)))
    assert {one.lower() for one in outlets(answer)} == {outlet.lower()}
    assert len(carried_by(answer, answer.citations[0])) == 2


def test_dates_decide_which_copy_is_shown(house: House) -> None:
    late = replace(told("Late", HERALD.text), published=datetime(2025, 5, 18, tzinfo=UTC))
    house.hold(WIRE, late)
    assert outlets(house.ask(CAUSE, Scope(since=date(2025, 5, 17), until=date(2025, 5, 19)))) == ["Late"]
    assert outlets(house.ask(CAUSE, Scope(until=date(2025, 5, 17)))) == ["Reuters"]


def test_the_next_copy_is_shown_once_the_first_is_forgotten(house: House) -> None:
    house.hold(WIRE, HERALD, CUT)
    house.forget(WIRE)
    answer = house.ask(CAUSE)
    assert (outlets(answer)[0], carried_by(answer, answer.citations[0])) == ("Herald", ())
    house.forget(HERALD)
    assert "Herald" not in outlets(house.ask(CAUSE))


def test_copies_with_different_figures_stand_side_by_side_and_not_as_each_others_copies(house: House) -> None:
    house.hold(WIRE, HERALD, CHANGED)
    answer = house.ask(HOMES)
    named = {(one.words, one.citation.article.outlet) for one in answer.differing}
    assert {words for words, _ in named} == {"31,000 homes", "46,000 homes"}
    assert ("46,000 homes", "Post") in named
    shown = answer.citations[0]
    same = carried_by(answer, shown)
    assert ("Post" in same) is False
    assert len({one for one in outlets(answer) if one in ("Reuters", "Herald", "Post")}) == 1


def test_a_figure_or_quotation_that_a_copy_changed_is_told_whatever_was_asked(house: House) -> None:
    other = told("Post", *(one.replace("never seen a fire", "often seen a fire") for one in FIRE), hour=12)
    house.hold(WIRE, other)
    answer = house.ask("what did Governor Ingrid Solheim tell reporters at the town hall?")
    assert {one.words for one in answer.differing} == {
        "We have never seen a fire move this quickly,",
        "We have often seen a fire move this quickly,",
    }
    assert answer.differing[0].citation.article.outlet == "Post"  # newest first
    assert carried_by(answer, answer.citations[0]) == ()


def test_many_copies_leave_room_for_other_stories(house: House) -> None:
    house.hold(WIRE, *(told(f"Paper {n}", *FIRE, hour=n % 20) for n in range(130)))
    found = house.search(read_question(CAUSE, today=TODAY))
    of_fire = [one for one in found if one.stored.revision.article.title.startswith("Fire in")]
    assert {one.stored.revision.article.outlet for one in of_fire} == {"Reuters"}
    assert POWER.url in {one.stored.revision.article.url for one in found}
    assert 10 <= len(found) <= WIDTH
    answer = house.ask(CAUSE)
    assert len(carried_by(answer, answer.citations[0])) == 100  # of those that are looked at


def test_as_of_a_day_only_copies_of_that_day_are_named(house: House) -> None:
    late = replace(told("Late", HERALD.text), published=datetime(2025, 5, 18, tzinfo=UTC))
    house.hold(WIRE, late, HERALD)
    then = house.ask(CAUSE, Scope(as_of=date(2025, 5, 17)))
    now = house.ask(CAUSE)
    assert carried_by(then, then.citations[0]) == ("Herald",)
    assert carried_by(now, now.citations[0]) == ("Herald", "Late")


def test_three_outlets_are_named_and_more_are_counted() -> None:
    assert also(("A", "B", "C")) == "Also carried by A, B, C"
    assert also(("A", "B", "C", "D", "E")) == "Also in 5 outlets: A, B, C and others"
    assert all("D" not in also(tuple("ABCDE"), language).split(":")[1] for language in LANGUAGES)


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_change_is_seen_from_both_sides(one: str, other: str) -> None:
    there, back = changed_words(one, other), changed_words(other, one)
    assert there == (back and back[::-1])
    assert changed_words(one, one) is None
    if there:
        assert there[0] in one
        assert there[1] in other
