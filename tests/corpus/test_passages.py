import gzip
import json
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.article import Article, Passage, make_article
from corpus.passages import ENOUGH, LIMIT, LONGEST, TAIL, TAIL_LIMIT, passages
from corpus.sentences import sentences

REPO = Path(__file__).resolve().parents[2]
NEWS = REPO.parent / "shared" / "bench" / "realtimeqa-small" / "articles.jsonl.gz"

FILLER = "The council met on the matter and the talks went on for hours."  # 63 characters
PHRASES = ("The minister said", "“We lost.”", '"No."', "He left.", "It rained all day", "according to him", FILLER)
LONG = ("word " * 90, "x" * 700, "x" * 2_500, "г. Москве")
WORDS = st.sampled_from([*PHRASES, *LONG, *'.? \n“”"É', "\n\n"])
TEXTS = st.one_of(st.text(), st.lists(WORDS, max_size=80).map(" ".join))


def article_of(text: str) -> Article:
    return make_article(url="https://x.test/1", title="T", text=text, retrieved=datetime(2026, 1, 1, tzinfo=UTC))


def texts_of(text: str) -> list[str]:
    return [passage.text for passage in passages(article_of(text))]


def size(passage: Passage) -> int:
    return passage.end - passage.start


def assert_sound(article: Article) -> None:
    found = passages(article)
    assert passages(article) == found
    assert all(left.end <= right.start for left, right in pairwise(found))
    assert [article.text[p.start : p.end] for p in found] == [p.text for p in found]
    assert [(p.sentences[0][0], p.sentences[-1][1]) for p in found] == [(p.start, p.end) for p in found]
    spans = [span for passage in found for span in passage.sentences]
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    whole = [span for span in sentences(article.text) if span[1] - span[0] <= LONGEST]
    assert set(whole) <= set(spans)
    covered = "".join(article.text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(article.text.split())
    assert all(size(p) <= (LONGEST if len(p.sentences) == 1 else LIMIT) for p in found[:-1])
    assert all(size(p) <= (LONGEST if len(p.sentences) == 1 else TAIL_LIMIT) for p in found[-1:])


def test_a_short_article_is_one_passage() -> None:
    article = article_of("He came. She left.\n\nIt rained.")
    assert passages(article) == (Passage(article, 0, 30, ((0, 8), (9, 18), (20, 30))),)


def test_a_passage_ends_with_its_paragraph_once_it_is_long_enough() -> None:
    paragraph = " ".join([FILLER] * 15) + " It ended."  # 954 characters, so that a short sentence would still fit
    assert ENOUGH <= len(paragraph) < LIMIT - len("\n\nHe left.")
    assert texts_of("\n\n".join([paragraph, "He left.", paragraph])) == [paragraph, f"He left.\n\n{paragraph}"]


def test_short_paragraphs_share_a_passage() -> None:
    paragraphs = [" ".join([FILLER] * 5)] * 6  # 319 characters each
    three = "\n\n".join(paragraphs[:3])
    assert texts_of("\n\n".join(paragraphs)) == [three] * 2


def test_a_long_paragraph_is_cut_at_the_last_sentence_that_fits() -> None:
    found = passages(article_of(" ".join([FILLER] * 60)))
    assert {len(passage.sentences) for passage in found[:-1]} == {15}
    assert all(LIMIT - len(FILLER) <= size(passage) <= LIMIT for passage in found[:-1])


def test_a_tiny_last_passage_joins_the_one_before() -> None:
    text = " ".join([FILLER] * 15) + "\n\nHe left."
    assert texts_of(text) == [text]
    assert len(FILLER * 4) < TAIL


def test_a_tail_that_would_not_fit_stands_alone() -> None:
    long = "word " * 300 + "end."
    assert texts_of(long + "\n\nHe left.") == [long, "He left."]


@pytest.mark.parametrize(
    ("quote", "attribution"),
    [
        ("“We lost the vote and we will not try again.”", "The minister spoke after the vote."),
        ("The minister was plain when he spoke.", "“We lost the vote and we will not try again.”"),
        ("The minister had this to say:", "“We lost the vote and we will not try again.”"),
        ('"We lost."', "That is according to the minister for the sea."),
    ],
)
def test_a_quotation_stays_with_its_attribution(quote: str, attribution: str) -> None:
    before = " ".join([FILLER] * 15) + " Rain."  # one of the two would fit, both do not
    assert len(f"{before} {quote}") <= LIMIT < len(f"{before} {quote} {attribution}")
    found = texts_of(f"{before} {quote} {attribution} " + " ".join([FILLER] * 8))
    assert [part for part in found if f"{quote} {attribution}" in part]
    assert len(found) == 2


def test_a_sentence_without_end_is_cut_at_words_or_anywhere() -> None:
    words = passages(article_of("word " * 1_000))
    assert [passage.text.split() for passage in words] == [["word"] * 400, ["word"] * 400, ["word"] * 200]
    assert [size(passage) for passage in passages(article_of("x" * 5_000))] == [2_000, 2_000, 1_000]


@given(TEXTS)
def test_any_article_is_covered_in_passages_of_bounded_size(text: str) -> None:
    assert_sound(article_of("." + text))


def test_real_news_is_covered_in_passages_of_the_size_wanted() -> None:
    if not NEWS.exists():
        pytest.skip(f"no real news here: {NEWS} is missing")
    with gzip.open(NEWS, "rt", encoding="utf-8") as file:
        articles = [article_of(json.loads(record)["text"]) for record in islice(file, 50)]
    for article in articles:
        assert_sound(article)
    words = [len(passage.text.split()) for article in articles for passage in passages(article)]
    assert 100 < sum(words) / len(words) < 200
