"""The desk on real indexes: proven answers, reasoned refusals, nothing stale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from corpus.archive import open_archive
from retrieval.answer import Answer, Found, Reason, to_json
from retrieval.citation import FalseQuote, cite
from retrieval.crossencoder import CrossEncoder
from retrieval.desk import Desk
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.question import Question, read_question
from retrieval.reader import Choice, Reading, load_reader
from retrieval.scope import Scope
from retrieval.search import Search
from retrieval.vectors import Vectors
from tests.words import WordEncoder, an_article, put

TODAY = date(2025, 5, 26)
TALKS = an_article(
    1,
    "The delegations met in Istanbul on Friday. Russia demanded a withdrawal from four regions. "
    "Ukraine called for a ceasefire of 30 days.\n\nThe talks lasted two hours.",
    title="Russia and Ukraine talk in Istanbul",
)
STORM = an_article(2, "The storm tore roofs from forty houses. Nobody was hurt.", day=20, outlet="Herald")
FILLER = [an_article(n, f"The council of town {n} met and voted on budget item {n * 7}.") for n in range(10, 30)]


class House:
    def __init__(self, folder: Path, crossencoder: CrossEncoder) -> None:
        self.encoder = WordEncoder()
        self.archive = open_archive(folder / "archive.sqlite")
        vectors, keywords = Vectors(folder / "vectors"), Keywords(folder / "keywords")
        model = Model("words", self.encoder.dimension)
        self.index = Index(self.archive, vectors, keywords, model, lambda: self.encoder)
        self.search = Search(self.archive, vectors, keywords, lambda: self.encoder)
        reader = load_reader(lambda: crossencoder, 0.0)
        self.sure = Desk(self.search, reader, self.archive)

    def ask(self, text: str, scope: Scope = Scope(), desk: Desk | None = None) -> Answer:  # noqa: B008 - frozen
        return (desk or self.sure).ask(read_question(text, today=TODAY, scope=scope))


@pytest.fixture
def house(tmp_path: Path, crossencoder: CrossEncoder) -> Iterator[House]:
    house = House(tmp_path, crossencoder)
    put(house.archive, TALKS, STORM, *FILLER)
    house.index.catch_up()
    yield house
    house.archive.close()


def test_an_answer_is_the_sentence_that_answers_at_its_offsets(house: House) -> None:
    answer = house.ask("what did Russia demand?")
    first = answer.citations[0]
    assert answer.answered
    assert "Russia demanded a withdrawal from four regions." in first.quote
    assert TALKS.text[first.start : first.end] == first.quote
    assert answer.text == "\n".join(one.quote for one in answer.citations)
    assert answer.retrieved[0].stored.revision.article.url == TALKS.url


def test_citations_are_of_different_articles_and_no_more_than_asked_for(house: House) -> None:
    wide = house.ask("which town council voted on a budget item?")
    urls = [one.article.url for one in wide.citations]
    assert len(urls) == len(set(urls)) <= 3
    one = house.sure.ask(replace(wide.question, citations=1))
    assert [citation.quote for citation in one.citations] == [wide.citations[0].quote]


def test_a_refusal_has_a_reason_and_headlines_and_no_citation(house: House) -> None:
    answer = house.ask("what did Russia demand?", desk=Desk(house.search, Doubter(guesses=False), house.archive))
    assert (answer.answered, answer.text, answer.citations) == (False, "", ())
    assert answer.reason == Reason.SILENT
    assert answer.nearest[0].article.title == "Russia and Ukraine talk in Istanbul"
    row = to_json(answer, 7)
    assert (row["id"], row["answered"], row["citations"], row["reason"]) == (7, False, [], Reason.SILENT.value)


def test_nothing_within_the_dates_is_said_with_what_stands_outside_them(house: House) -> None:
    answer = house.ask("what did Russia demand?", Scope(since=date(2025, 6, 1)))
    assert (answer.answered, answer.citations, answer.retrieved) == (False, (), ())
    assert answer.reason == Reason.DATES
    assert answer.nearest[0].article.url == TALKS.url


def test_nothing_by_the_outlet_is_said(house: House) -> None:
    answer = house.ask("what did Russia demand?", Scope(outlets=("The Nowhere Times",)))
    assert (answer.answered, answer.reason) == (False, Reason.OUTLETS)


def test_an_empty_archive_says_so_without_an_index(tmp_path: Path, crossencoder: CrossEncoder) -> None:
    answer = House(tmp_path, crossencoder).ask("what did Russia demand?")
    assert (answer.answered, answer.reason, answer.nearest) == (False, Reason.EMPTY, ())


def test_time_words_that_ask_for_reports_are_a_filter(house: House) -> None:
    answer = house.ask("what was reported this week about the storm?")
    assert answer.question.read_as == "this week"
    assert (answer.question.scope.since, answer.question.scope.until) == (date(2025, 5, 19), None)  # it goes on
    assert {found.stored.revision.article.url for found in answer.retrieved} == {STORM.url}


def test_a_slip_of_typing_is_put_right_and_kept_as_it_was_said(house: House) -> None:
    right, typed = house.ask("what did Russia demand?"), house.ask("what did Rusisa demand?")
    assert typed.citations == right.citations
    assert (typed.question.text, typed.question.said) == ("what did Russia demand?", "what did Rusisa demand?")
    assert (typed.question.completed, right.question.completed) == (True, False)
    assert house.ask("what did Rusisa demand?").question == typed.question
    rows = [to_json(one) for one in (right, typed)]
    assert [(row["question"], row["understood"]) for row in rows] == [
        ("what did Russia demand?", ""),
        ("what did Rusisa demand?", "what did Russia demand?"),
    ]


def test_a_slip_is_put_right_by_what_the_archive_has_when_it_is_asked(house: House) -> None:
    before = house.ask("what did Councillor Okojno say?")
    put(house.archive, an_article(3, "Councillor Okonjo said that nobody knows the price of steel."))
    house.index.catch_up()
    after = house.ask("what did Councillor Okojno say?")
    assert [one.question.text for one in (before, after)] == [
        "what did Councillor Okojno say?",
        "what did Councillor Okonjo say?",
    ]


def test_as_of_answers_from_the_revision_of_that_day(house: House) -> None:
    later = datetime(2025, 6, 20, tzinfo=UTC)
    put(house.archive, replace(TALKS, text=TALKS.text.replace("four regions", "five regions"), retrieved=later))
    house.index.catch_up()
    now = house.ask("what did Russia demand?")
    then = house.ask("what did Russia demand?", Scope(as_of=date(2025, 5, 31)))
    assert "five regions" in now.citations[0].quote
    assert "four regions" in then.citations[0].quote
    assert (now.citations[0].number, then.citations[0].number) == (2, 1)


def test_the_same_question_is_answered_from_memory_until_something_changes(house: House) -> None:
    first = house.ask("what did Russia demand?")
    encoded = house.encoder.encoded
    again = house.ask("what did Russia demand?")
    assert house.encoder.encoded == encoded
    assert replace(again, seconds=0.0) == replace(first, seconds=0.0)
    put(house.archive, an_article(99, "Russia demanded a second meeting in Istanbul."))
    house.index.catch_up()
    changed = house.ask("what did Russia demand?")
    assert house.encoder.encoded > encoded
    assert "https://example.org/99" in {found.stored.revision.article.url for found in changed.retrieved}


def test_a_forgotten_article_is_not_quoted_even_while_the_index_still_has_it(house: House) -> None:
    assert house.ask("what did Russia demand?").citations[0].article.url == TALKS.url
    house.archive.forget(TALKS.url)
    answer = house.ask("what did Russia demand?")
    assert TALKS.url not in {one.article.url for one in answer.citations}
    assert TALKS.url not in {found.stored.revision.article.url for found in answer.retrieved}


class Liar:
    """A reader whose spans are right but whose articles are not what the archive holds."""

    def __init__(self, change: dict[str, str]) -> None:
        self.change = change

    def read(self, question: Question, found: Sequence[Found]) -> Reading:
        revision = found[0].stored.revision
        article = replace(revision.article, **self.change)  # type: ignore[arg-type]
        return Reading(True, 0.99, (Choice(replace(revision, article=article), (0, 20), 0.99),), tuple(found))


@dataclass(frozen=True)
class Doubter:
    """A reader that takes the first sentence of the best passage for what may be meant, or nothing."""

    near: bool = True
    guesses: bool = True
    change: dict[str, str] = field(default_factory=dict)  # of its article, from what the archive holds

    def read(self, question: Question, found: Sequence[Found]) -> Reading:
        if not found:
            return Reading(False, 0.0, (), (), near=False)
        stored = found[0].stored
        start, end = stored.passage.sentences[0]
        other = replace(stored.revision, article=replace(stored.revision.article, **self.change))  # type: ignore[arg-type]
        meant = Choice(other, (start, end), 0.4, answer=(start, start + 3))
        return Reading(
            False, 0.4, (), tuple(found), perhaps=meant if self.near and self.guesses else None, near=self.near
        )


def test_what_may_be_meant_is_one_proven_passage_and_no_answer(house: House) -> None:
    answer = house.ask("what did Russia demand?", desk=Desk(house.search, Doubter(), house.archive))
    [revision] = house.archive.revisions(TALKS.url)
    assert (answer.answered, answer.text, answer.citations, answer.nearest) == (False, "", (), ())
    assert (answer.reason, answer.confidence, answer.differing) == (Reason.UNSURE, 0.4, ())
    assert answer.perhaps == cite(revision, (0, len("The delegations met in Istanbul on Friday.")))
    row: dict[str, Any] = to_json(answer, 7)
    assert (row["answered"], row["answer"], row["citations"], row["nearest"]) == (False, "", [], [])
    assert row["reason"] == "Not sure that the closest passage says it."
    sure: dict[str, Any] = to_json(house.ask("what did Russia demand?"))
    assert sure["perhaps"] is None
    assert row["perhaps"].keys() == sure["citations"][0].keys()
    assert [row["perhaps"][name] for name in ("quote", "words", "start", "url", "also")] == [
        *("The delegations met in Istanbul on Friday.", "", 0, TALKS.url, [])
    ]


def test_what_may_be_meant_names_the_copies_that_have_it(house: House) -> None:
    put(house.archive, replace(TALKS, url="https://example.org/copy", outlet="Herald"))
    house.index.catch_up()
    answer = house.ask("what did Russia demand?", desk=Desk(house.search, Doubter(), house.archive))
    assert answer.perhaps
    other = {"Courier": "Herald", "Herald": "Courier"}[answer.perhaps.article.outlet]
    assert [one.article.outlet for one in answer.carried(answer.perhaps)] == [other]


def test_what_may_be_meant_within_the_filters_wins_over_what_stands_outside_them(house: House) -> None:
    answer = house.ask(
        "what did the storm tear?", Scope(outlets=("Courier",)), Desk(house.search, Doubter(), house.archive)
    )
    assert answer.perhaps
    assert answer.perhaps.article.outlet == "Courier"


@pytest.mark.parametrize("change", [{"text": TALKS.text.replace("delegations", "armies")}, {"outlet": "Pravda"}])
def test_what_may_be_meant_and_cannot_be_proven_is_a_plain_refusal(house: House, change: dict[str, str]) -> None:
    answer = house.ask("what did Russia demand?", desk=Desk(house.search, Doubter(change=change), house.archive))
    assert (answer.answered, answer.reason, answer.perhaps) == (False, Reason.SILENT, None)
    assert answer.nearest[0].article.url == TALKS.url


def test_a_forgotten_article_is_not_what_may_be_meant_either(house: House) -> None:
    desk = Desk(house.search, Doubter(), house.archive)
    meant = house.ask("what did Russia demand?", desk=desk)
    assert replace(house.ask("what did Russia demand?", desk=desk), seconds=0.0) == replace(meant, seconds=0.0)
    house.archive.forget(TALKS.url)
    after = house.ask("what did Russia demand?", desk=desk)
    assert after.perhaps is None or after.perhaps.article.url != TALKS.url
    assert TALKS.url not in {one.article.url for one in after.nearest}


def test_where_the_matter_is_not_there_nothing_is_offered(house: House) -> None:
    desk = Desk(house.search, Doubter(near=False), house.archive)
    plain, narrow = (
        house.ask("what did Russia demand?", scope, desk) for scope in (Scope(), Scope(outlets=("Herald",)))
    )
    assert (plain.reason, plain.nearest, plain.perhaps) == (Reason.NOTHING, (), None)
    assert (narrow.reason, narrow.nearest, narrow.perhaps) == (Reason.OUTLETS, (), None)


@pytest.mark.parametrize("change", [{"text": TALKS.text.replace("delegations", "armies")}, {"outlet": "Pravda"}])
def test_what_cannot_be_proven_is_refused_whatever_the_reader_says(house: House, change: dict[str, str]) -> None:
    desk = Desk(house.search, Liar(change), house.archive)
    answer = desk.ask(Question("what did the delegations in Istanbul do?", TODAY))
    assert (answer.answered, answer.reason, answer.citations) == (False, Reason.UNPROVEN, ())


def test_a_citation_that_is_opened_again_is_checked_again(house: House) -> None:
    citation = house.ask("what did Russia demand?").citations[0]
    assert house.sure.proven(citation) is citation
    house.archive.forget(TALKS.url)
    with pytest.raises(FalseQuote):
        house.sure.proven(citation)
