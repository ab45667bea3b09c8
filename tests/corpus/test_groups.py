"""Groups of copies in a real archive: what is one story, whose it is, and that nothing but the articles decides."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.copies import copies, measure, store
from corpus.archive import Archive, open_archive
from corpus.article import Article, make_article
from corpus.duplicates import Print, precedence, same_story, wire
from corpus.passages import passages

WORDS = (
    "harbour council storm bridge railway minister vote farmers river budget strike hospital teachers border treaty "
    "court evidence witness market prices engine factory workers island ferry forest drought reservoir election party "
    "museum painting orchestra stadium coach season injury record satellite launch orbit laboratory vaccine trial "
    "patients leader"
).split()
VERBS = "said approved rejected closed opened repaired delayed counted promised warned denied reported".split()


def written(seed: int, *, outlet: str = "Courier", sentences: int = 40, hour: int = 0) -> Article:
    """An article of random sentences: no two seeds share a run of five words but by chance."""
    chance = random.Random(seed)
    lines = [
        f"The {' '.join(chance.sample(WORDS, 5))} {chance.choice(VERBS)} {chance.randint(2, 9_000)} "
        f"{' '.join(chance.sample(WORDS, 4))} on day {chance.randint(1, 300)}."
        for _ in range(sentences)
    ]
    return make_article(
        url=f"https://{outlet.lower().replace(' ', '')}.test/{seed}",
        title=f"The {' '.join(chance.sample(WORDS, 4))}",
        text="\n\n".join(" ".join(lines[start : start + 4]) for start in range(0, sentences, 4)),
        outlet=outlet,
        published=datetime(2025, 5, 2, tzinfo=UTC) + timedelta(hours=hour),
        retrieved=datetime(2025, 6, 1, tzinfo=UTC),
    )


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path / "archive.sqlite")
    yield opened
    opened.close()


def by(outlet: str, article: Article, text: str = "", *, days: int = 0) -> Article:
    assert article.published
    published = article.published + timedelta(days=days)
    url = f"https://{outlet.lower().replace(' ', '')}.test/copy"
    return replace(article, url=url, outlet=outlet, text=text or article.text, published=published)


def together(archive: Archive) -> set[frozenset[str]]:
    """The groups, as addresses."""
    revisions = {one.id: one.article.url for _, one in archive.current()}
    stories = archive.stories(revisions)
    return {frozenset(revisions[one] for one in stories if stories[one] == story) for story in stories.values()}


def also(archive: Archive, article: Article) -> list[str]:
    return [one.article.outlet for one in archive.copies(archive.revisions(article.url)[-1].id)]


WIRE = written(1, outlet="Reuters")
PARTS = WIRE.text.split("\n\n")
CUT = by("Herald", WIRE, "\n\n".join(PARTS[:5]))
TAIL = by("Ledger", WIRE, "\n\n".join(PARTS[5:]))


def test_copies_are_found_and_different_articles_are_not(archive: Archive) -> None:
    """The benchmark, small."""
    chance = random.Random(7)
    articles = [written(seed) for seed in range(40)]
    mixed = [*articles, *(copy for one in articles for copy in copies(one, chance))]
    chance.shuffle(mixed)
    store(archive, mixed)
    result = measure(articles, archive)
    assert (result.copies, result.originals, result.wrong) == (200, 40, 0)
    assert result.found >= 196


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("\n\n".join(PARTS[:6]), True),
        ("\n\n".join(reversed(PARTS)), True),
        (WIRE.text.replace(" said ", " stated "), True),
        (f"Subscribe to our letter. {WIRE.text} All rights reserved by this paper and by its owners.", True),
        ("\n\n".join([*PARTS[:1], *written(2).text.split("\n\n")]), False),
        (written(2).text, False),
    ],
)
def test_what_an_editor_does_leaves_a_copy(text: str, one: bool) -> None:
    copy = by("Herald", WIRE, text)
    assert same_story(Print(WIRE), Print(copy)) is same_story(Print(copy), Print(WIRE)) is one


def test_copies_are_of_about_the_same_day_but_an_undated_one_may_be_one() -> None:
    assert same_story(Print(WIRE), Print(by("Herald", WIRE, days=14)))
    assert not same_story(Print(WIRE), Print(by("Herald", WIRE, days=15)))
    assert same_story(Print(WIRE), Print(replace(by("Herald", WIRE, days=15), published=None)))


def test_what_one_outlet_says_below_every_headline_makes_no_copies() -> None:
    unread = [by("Herald", replace(WIRE, title=title)) for title in ("Nobel prize awarded", "Volcano erupts again")]
    assert not same_story(*map(Print, unread))
    told = [by("Herald", WIRE, text) for text in (WIRE.text, f"{WIRE.text} Sign up here.")]
    headed = [replace(one, title=" ".join(WIRE.text.split()[1:5])) for one in told]
    assert same_story(*map(Print, headed))


def test_short_texts_are_copies_only_where_they_are_the_same() -> None:
    short = replace(WIRE, text="The council of the town met and voted on budget item 7, the mayor said.")
    assert same_story(Print(short), Print(by("Herald", short)))
    assert not same_story(Print(short), Print(by("Herald", short, short.text.replace("7", "14"))))
    assert same_story(Print(replace(WIRE, text="!")), Print(by("Herald", WIRE, "!")))


def test_a_text_without_spaces_is_told_by_its_characters() -> None:
    text = "".join(chr(0x4E00 + 7 * n) for n in range(200))
    assert same_story(Print(replace(WIRE, text=text)), Print(by("Herald", WIRE, text[:120])))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(9)), st.integers(1, 9))
def test_the_order_of_arrival_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, order: Sequence[int], batch: int
) -> None:
    other = written(2)
    every = [WIRE, CUT, TAIL, other, by("Post", other, other.text.replace("said", "stated")), written(3), written(4)]
    every += [by("Star", WIRE), by("Star Two", other, "\n\n".join(reversed(other.text.split("\n\n"))))]
    archive = open_archive(tmp_path_factory.mktemp("order") / "archive.sqlite")
    for start in range(0, len(order), batch):
        store(archive, [every[n] for n in order[start : start + batch]])
    assert together(archive) == {
        frozenset(one.url for one in (WIRE, CUT, TAIL, every[7])),
        frozenset(one.url for one in (other, every[4], every[8])),
    }
    archive.close()


def test_what_only_one_article_held_together_falls_apart_without_it(archive: Archive) -> None:
    store(archive, [CUT, TAIL])
    assert together(archive) == set()
    store(archive, [WIRE])
    assert together(archive) == {frozenset({CUT.url, TAIL.url, WIRE.url})}
    archive.forget(WIRE.url)
    assert together(archive) == set()


def test_a_revised_copy_may_leave_its_group_and_come_back(archive: Archive) -> None:
    store(archive, [WIRE, CUT])
    later = replace(CUT, text=written(5).text, retrieved=CUT.retrieved + timedelta(days=1))
    store(archive, [later])
    assert together(archive) == set()
    store(archive, [replace(CUT, retrieved=CUT.retrieved + timedelta(days=2))])
    assert together(archive) == {frozenset({WIRE.url, CUT.url})}
    store(archive, [replace(CUT, text=written(6).text, retrieved=CUT.retrieved - timedelta(days=2))])  # history
    assert together(archive) == {frozenset({WIRE.url, CUT.url})}


def test_what_is_forgotten_leaves_nothing_of_its_sketch(tmp_path: Path, archive: Archive) -> None:
    store(archive, [WIRE, replace(CUT, retrieved=CUT.retrieved - timedelta(days=9)), CUT])
    for url in (WIRE.url, CUT.url):
        archive.forget(url)
    with sqlite3.connect(tmp_path / "archive.sqlite") as file:
        left = [file.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("sketches", "stories")]
    file.close()
    assert left == [(0,), (0,)]


def test_a_dry_run_places_nothing(archive: Archive) -> None:
    archive.store([(WIRE, passages(WIRE))], dry=True)
    store(archive, [CUT])
    assert together(archive) == set()


def test_an_archive_from_before_is_grouped_in_parts(tmp_path: Path, archive: Archive) -> None:
    store(archive, [WIRE, CUT, written(2)])
    with sqlite3.connect(tmp_path / "archive.sqlite") as file:
        file.executescript("DELETE FROM sketches; DELETE FROM stories")
    file.close()
    assert together(archive) == set()
    assert [archive.group(2), archive.group(2), archive.group(2)] == [2, 1, 0]
    assert together(archive) == {frozenset({WIRE.url, CUT.url})}


def test_the_copies_of_a_day_are_those_that_stood_on_it(archive: Archive) -> None:
    store(archive, [WIRE, by("Herald", WIRE, days=5)])
    wire = archive.revisions(WIRE.url)[0].id
    assert [len(archive.copies(wire, WIRE.published.date() + timedelta(days=n))) for n in (1, 5)] == [0, 1]  # type: ignore[union-attr]
    assert archive.copies(9_999) == []


# Whose it is


@pytest.mark.parametrize(
    ("outlet", "authors", "text", "expected"),
    [
        ("Reuters", [], "Text.", "Reuters"),
        ("AP News", [], "Text.", "AP"),
        ("Daily Herald", ["Jane Roe, Associated Press"], "Text.", "AP"),
        ("Daily Herald", ["Jane Roe"], "LONDON, May 2 (Reuters) - The bridge opened.", "Reuters"),
        ("Daily Herald", [], "Berlin (dpa) – The bridge opened.", "dpa"),
        ("Daily Herald", [], "PARIS (AFP) — The bridge opened.", "AFP"),
        ("Daily Herald", ["Al Apman"], "The rating (AA) and the app (AP) were new.", ""),
        ("The AP Herald", [], "The mayor told Reuters that it holds.", ""),
        ("", [], "x" * 300 + " (Reuters) - late", ""),
    ],
)
def test_the_agency_is_told_by_outlet_byline_or_dateline(
    outlet: str, authors: list[str], text: str, expected: str
) -> None:
    article = make_article(url="https://x.test", title="T", text=text, outlet=outlet, authors=authors)
    assert wire(article) == expected


@given(st.text(max_size=300))
def test_any_text_has_a_print_and_a_precedence(text: str) -> None:
    article = replace(WIRE, text=text or "x", outlet=text[:30], authors=(text[:60],))
    assert 1 <= len(Print(article).sketch) <= 32
    assert len(precedence(article)) == 4
    assert same_story(Print(replace(article, title="x", outlet="")), Print(replace(article, title="y", outlet="")))


def test_the_agencys_own_comes_first_then_who_names_it_then_the_earliest(archive: Archive) -> None:
    early = by("Early Post", WIRE, days=-1)
    credited = by("Herald", WIRE, f"OSLO (Reuters) - {WIRE.text}", days=1)
    undated = replace(by("Undated", WIRE), published=None)
    later = by("Later Post", WIRE, days=2)
    store(archive, [undated, later, credited, early, WIRE])
    assert also(archive, later) == ["Reuters", "Herald", "Early Post", "Undated"]
    archive.forget(WIRE.url)
    assert also(archive, later) == ["Herald", "Early Post", "Undated"]
