"""Fusion and collapsing, for any scores and any passages; and the search whole, on real indexes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.archive import FOREVER, Revision, StoredPassage, open_archive
from corpus.article import Passage
from retrieval.answer import Found
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.question import read_question
from retrieval.scope import Scope
from retrieval.search import ALIKE, MEANING, Search, _triples, collapse, fuse
from retrieval.vectors import Vectors
from tests.words import WordEncoder, an_article, put

TODAY = date(2025, 5, 26)
IDS = st.integers(1, 12)
COSINES = st.dictionaries(IDS, st.floats(-1, 1), max_size=12)
BM25 = st.dictionaries(IDS, st.floats(0, 60, allow_subnormal=False), max_size=12)
NEARLY = 1e-9


@given(COSINES, BM25)
def test_every_passage_of_either_list_has_a_score_within_bounds(
    cosines: Mapping[int, float], bm25: Mapping[int, float]
) -> None:
    scores = fuse(cosines, bm25)
    assert scores.keys() == cosines.keys() | bm25.keys()
    assert all(-MEANING - NEARLY <= score <= 1 + NEARLY for score in scores.values())


@given(COSINES, BM25, IDS, st.floats(0, 1), st.floats(0, 60))
def test_more_of_either_part_is_never_worse(
    cosines: Mapping[int, float], bm25: Mapping[int, float], one: int, nearer: float, more: float
) -> None:
    before = fuse({one: 0.0, **cosines}, bm25)
    after = fuse({**cosines, one: cosines.get(one, 0.0) + nearer}, bm25)
    assert after[one] >= before[one] - NEARLY
    assert {**after, one: 0} == {**before, one: 0}  # the others stay as they are
    assert fuse({one: 0.0, **cosines}, {**bm25, one: bm25.get(one, 0.0) + more})[one] >= before[one] - NEARLY


@given(COSINES, BM25, IDS, IDS)
def test_what_is_better_in_both_parts_is_better(
    cosines: Mapping[int, float], bm25: Mapping[int, float], one: int, other: int
) -> None:
    scores = {one: 0.0, other: 0.0, **fuse(cosines, bm25)}
    if cosines.get(one, 0.0) >= cosines.get(other, 0.0) and bm25.get(one, 0.0) >= bm25.get(other, 0.0):
        assert scores[one] >= scores[other] - NEARLY


# Collapsing


def found(number: int, text: str) -> Found:
    article = an_article(number, text)
    revision = Revision(number, 1, article, date(2025, 5, 16), FOREVER)
    passage = Passage(article, 0, len(article.text), ((0, len(article.text)),))
    return Found(StoredPassage(number, revision, passage), 1 / number, 0.5, 0.5, number, number)


WORDS = st.lists(st.sampled_from("talks storm river vote tram".split()), min_size=1, max_size=14)
TEXTS = st.lists(WORDS.map(" ".join), max_size=9)


def lists(texts: Sequence[str]) -> list[Found]:
    return [found(number, text) for number, text in enumerate(texts, 1)]


@given(TEXTS)
def test_collapsing_loses_nothing_and_keeps_the_order_and_the_best(texts: Sequence[str]) -> None:
    given_ = lists(texts)
    kept = collapse(given_)
    ids = [one.stored.id for one in kept]
    assert ids == sorted(ids)
    assert sorted([*ids, *(copy.id for one in kept for copy in one.copies)]) == [one.stored.id for one in given_]
    for one in kept:
        assert all(copy.id > one.stored.id for copy in one.copies)
        for copy in one.copies:
            mine, its = _triples(one.stored), _triples(copy)
            assert len(mine & its) >= ALIKE * len(mine | its)


@given(TEXTS)
def test_collapsing_twice_is_collapsing_once(texts: Sequence[str]) -> None:
    once = collapse(lists(texts))
    assert collapse(once) == once


@given(TEXTS, st.data())
def test_the_same_text_again_is_always_a_copy(texts: Sequence[str], data: st.DataObject) -> None:
    if texts:
        again = data.draw(st.sampled_from(texts))
        assert len(collapse(lists([*texts, again]))) == len(collapse(lists(texts)))


def test_a_report_that_several_outlets_carry_counts_once() -> None:
    report = "Officials of both countries met in Istanbul on Friday and agreed to meet again, the ministry said. " * 4
    changed = report.replace("agreed", "promised", 1)
    other = "The storm tore roofs from forty houses in the valley, and the river rose by two metres. " * 4
    kept = collapse(lists([report, other, changed, report]))
    assert [(one.stored.id, [copy.id for copy in one.copies]) for one in kept] == [(1, [3, 4]), (2, [])]


def test_a_copy_with_another_figure_is_a_report_of_its_own() -> None:
    report = (
        "The fire in the hills burnt 31,000 homes and the brigades went home when the wind had fallen at night. " * 2
    )
    rest = "Schools near the river stay closed until the water is clean, and trains run on one track to the coast. " * 4
    copied, changed = f"{report}{rest}", f"{report}{rest}".replace("31,000", "46,000")
    shorter = copied.replace("31,000", "many", 1)
    kept = collapse(lists([copied, changed, copied, changed, shorter]))
    assert [(one.stored.id, [copy.id for copy in one.copies]) for one in kept] == [(1, [3, 5]), (2, [4])]


# The whole


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    encoder, archive = WordEncoder(), open_archive(tmp_path / "archive.sqlite")
    vectors, keywords = Vectors(tmp_path / "vectors"), Keywords(tmp_path / "keywords")
    talks = "Russia demanded a withdrawal from four regions at the talks in Istanbul on Friday."
    put(
        archive,
        an_article(1, talks, title="Talks"),
        an_article(2, talks, title="Talks, as others have it", outlet="Herald"),
        an_article(3, "The storm tore roofs from forty houses.", day=20),
        an_article(4, "The council voted for the tram line.", day=24),
    )
    Index(archive, vectors, keywords, Model("words", encoder.dimension), lambda: encoder).catch_up()
    yield Search(archive, vectors, keywords, lambda: encoder)
    archive.close()
    vectors.close()


def test_what_is_found_says_how_it_was_found(search: Search) -> None:
    best, *others = search(read_question("which regions did Russia demand?", today=TODAY))
    assert best.stored.revision.article.title.startswith("Talks")
    assert len(best.copies) == 1
    assert (best.by_meaning, best.by_keywords) in {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert best.score == pytest.approx(MEANING * best.cosine + (1 - MEANING), abs=1e-6)
    assert [one.score for one in others] == sorted((one.score for one in others), reverse=True)
    assert all(one.by_keywords is None and one.bm25 == 0 for one in others)


def test_what_is_gone_from_the_archive_is_not_found(search: Search) -> None:
    search._archive.forget("https://example.org/3")
    titles = [one.stored.revision.article.title for one in search(read_question("storm roofs", today=TODAY))]
    assert "Report 3" not in titles
    assert "Report 4" in titles


def test_nothing_is_found_where_nothing_is_within_the_scope(search: Search) -> None:
    assert search(read_question("reports from May 2021 about Russia", today=TODAY)) == []


def test_a_search_can_be_kept_to_articles(search: Search) -> None:
    asked = read_question("did Russia demand a tram line?", today=TODAY)
    ids = {one.stored.revision.id for one in search(asked)}
    assert len(ids) == 3
    for kept in ids:
        found = search(replace(asked, scope=Scope(revisions=(kept,))))
        assert {one.stored.revision.id for one in found} == {kept}
        assert found[0].by_meaning == 0


def test_an_index_that_moved_on_is_another_state(search: Search) -> None:
    assert search.state() == search.state()
    before = search.state()
    put(search._archive, an_article(5, "Another report."))
    encoder = WordEncoder()
    model = Model("words", encoder.dimension)
    Index(search._archive, search._vectors, search._keywords, model, lambda: encoder).catch_up()
    assert search.state() != before
