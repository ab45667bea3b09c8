"""No quote is shown that does not stand in the archive, character for character."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.archive import Archive, Revision, open_archive
from corpus.article import make_article
from corpus.passages import passages
from retrieval.citation import CONTEXT, FalseQuote, age, check, cite, link
from retrieval.question import Question

TEXT = (
    "Russia demanded the immediate withdrawal of Ukrainian forces from the Donbas, Kremlin spokesman Dmitry Peskov "
    "said. Kyiv rejected the demand."
)
FIRST = (0, TEXT.index(" Kyiv"))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = open_archive(tmp_path / "archive.sqlite")
    yield archive
    archive.close()


def stored(archive: Archive, text: str, url: str = "https://example.org/talks") -> Revision:
    article = make_article(
        url=url, title="Talks", text=text, outlet="Courier", published=datetime(2025, 5, 16, tzinfo=UTC)
    )
    archive.store([(article, passages(article))])
    return archive.revisions(url)[-1]


def test_a_citation_is_the_words_at_its_offsets(archive: Archive) -> None:
    citation = cite(stored(archive, TEXT), FIRST)
    assert check(citation, archive) is citation
    assert (citation.quote, citation.before, citation.after) == (TEXT[: FIRST[1]], "", " Kyiv rejected the demand.")
    assert citation.context == TEXT
    assert (citation.speaker, citation.cue) == ("Kremlin spokesman Dmitry Peskov", "said")
    assert cite(stored(archive, "It rained all day."), (0, 18)).speaker == ""


@pytest.mark.parametrize(
    ("today", "months"),
    [(date(2025, 5, 16), None), (date(2025, 7, 15), None), (date(2025, 7, 16), 2), (date(2026, 5, 16), 12)],
)
def test_a_report_is_old_after_so_many_days(archive: Archive, today: date, months: int | None) -> None:
    citation = cite(stored(archive, TEXT), FIRST)
    assert age(citation, Question("who?", today, old_after=60)) == months
    undated = replace(citation, article=replace(citation.article, published=None))
    assert age(undated, Question("who?", today, old_after=60)) is None


# Each of these passed the matcher of a well-known tool that compares quotes approximately.
@pytest.mark.parametrize(
    "false",
    [
        "Russia demanded the immediate withdrawal of NATO forces from Poland",
        "Russia demanded the immediate release of all prisoners of war",
        "Kyiv accepted the demand.",
        "Russia did not demand the immediate withdrawal of Ukrainian forces from the Donbas",
    ],
)
def test_a_false_quote_is_refused(archive: Archive, false: str) -> None:
    revision = stored(archive, TEXT)
    for start in range(len(TEXT)):
        citation = replace(cite(revision, FIRST), quote=false, start=start, end=start + len(false), before="", after="")
        with pytest.raises(FalseQuote):
            check(citation, archive)


def test_words_that_answer_stand_in_the_quote(archive: Archive) -> None:
    revision = stored(archive, TEXT)
    start, end = FIRST
    citation = cite(revision, FIRST, (start, start + 6))
    assert citation.words == (0, 6)
    assert check(citation, archive) == citation
    for words in ((0, 0), (3, 2), (-1, 4), (0, end - start + 1)):
        with pytest.raises(FalseQuote, match="The words that answer"):
            check(replace(citation, words=words), archive)


@pytest.mark.parametrize(
    "change",
    [
        {"quote": TEXT[: FIRST[1]].replace("Ukrainian", "Russian")},
        {"quote": TEXT[: FIRST[1]].upper()},
        {"quote": ""},
        {"start": 1},
        {"end": FIRST[1] - 1},
        {"start": -len(TEXT)},
        {"end": 10_000},
        {"before": "It is not true that "},
        {"after": " Kyiv accepted the demand."},
        {"number": 2},
        {"speaker": ""},
        {"speaker": "Dmitry Peskov"},
        {"cue": "denied"},
        {"revision": 999},
    ],
)
def test_whatever_is_altered_is_noticed(archive: Archive, change: dict[str, object]) -> None:
    citation = cite(stored(archive, TEXT), FIRST)
    with pytest.raises(FalseQuote):
        check(replace(citation, **change), archive)  # type: ignore[arg-type]


def test_words_of_one_article_are_not_those_of_another(archive: Archive) -> None:
    ours, other = stored(archive, TEXT), stored(archive, TEXT + " More.", "https://example.org/other")
    citation = replace(cite(ours, FIRST), article=other.article)
    with pytest.raises(FalseQuote, match="attribution"):
        check(citation, archive)


def test_another_outlet_date_or_author_is_noticed(archive: Archive) -> None:
    citation = cite(stored(archive, TEXT), FIRST)
    for change in ({"outlet": "Herald"}, {"published": None}, {"authors": ("Nobody",)}, {"title": "Peace"}):
        with pytest.raises(FalseQuote, match="attribution"):
            check(replace(citation, article=replace(citation.article, **change)), archive)


def test_a_quote_of_a_forgotten_article_is_refused(archive: Archive) -> None:
    citation = cite(stored(archive, TEXT), FIRST)
    archive.forget("https://example.org/talks")
    with pytest.raises(FalseQuote, match="no longer in the archive"):
        check(citation, archive)


def test_a_quote_of_an_earlier_revision_is_still_proven(archive: Archive) -> None:
    citation = cite(stored(archive, TEXT), FIRST)
    later = stored(archive, TEXT.replace("rejected", "weighed"))
    assert check(citation, archive) is citation
    assert cite(later, FIRST).revision != citation.revision


def test_the_context_stays_in_the_paragraph_and_is_bounded(archive: Archive) -> None:
    long = "word " * 200 + "The answer stands here. " + "more " * 200
    text = "A first paragraph.\n\n" + long.strip() + "\n\nA last paragraph."
    revision = stored(archive, text)
    start = text.index("The answer")
    citation = cite(revision, (start, start + len("The answer stands here.")))
    assert "paragraph" not in citation.context
    assert CONTEXT <= len(citation.before) <= CONTEXT + 10
    assert CONTEXT <= len(citation.after) <= CONTEXT + 10
    assert check(citation, archive) is citation


def test_the_link_marks_the_quote(archive: Archive) -> None:
    citation = cite(stored(archive, TEXT), (TEXT.index("Kyiv"), len(TEXT)))
    assert link(citation) == "https://example.org/talks#:~:text=Kyiv%20rejected%20the%20demand."


@given(st.text(min_size=1), st.data())
def test_any_span_of_any_text_is_cited_and_any_other_words_are_not(text: str, data: st.DataObject) -> None:
    article = make_article(url="https://example.org/", title="T", text="x" + text)
    source = Single(article.text, article.title)
    start = data.draw(st.integers(0, len(article.text) - 1))
    end = data.draw(st.integers(start + 1, len(article.text)))
    citation = cite(source.only, (start, end))
    assert citation.quote == article.text[start:end]
    assert check(citation, source) is citation
    other = data.draw(st.text(min_size=1).filter(lambda words: words != citation.quote))
    with pytest.raises(FalseQuote):
        check(replace(citation, quote=other), source)


class Single:
    """An archive of one revision."""

    def __init__(self, text: str, title: str) -> None:
        article = make_article(url="https://example.org/", title=title, text=text)
        day = datetime(2025, 5, 16, tzinfo=UTC).date()
        self.only = Revision(7, 1, article, day, day)

    def revision(self, revision_id: int) -> Revision | None:
        return self.only if revision_id == 7 else None
