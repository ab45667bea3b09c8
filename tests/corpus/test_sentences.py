import gzip
import json
import time
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sentences import CASES, expected, ours
from corpus.article import normalise
from corpus.sentences import MAX_QUOTED_WORDS, sentences

REPO = Path(__file__).resolve().parents[2]
NEWS = REPO.parent / "shared" / "bench" / "realtimeqa-small" / "articles.jsonl.gz"

KNOWN_WRONG = {
    "Sen. Lisa Murkowski voted no. ¦Rep. Al Green and Gov. Kay Ivey did not.",
    "(He left. She too.) ¦Then it ended.",
}
NEWS_WORDS = ("U.S.", "said", "Biden", "he", "No.", "10", "3.5", "...", "1.", "a.m.", "Tuesday", "г.", "\n\n", "  ")
NEWS_PARTS = st.sampled_from([*NEWS_WORDS, *".?!…“”\"'’‘«»„,:;()-—• \n"])
TEXTS = st.one_of(st.text(), st.lists(NEWS_PARTS, max_size=60).map("".join))


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def assert_sound(text: str) -> None:
    spans = sentences(text)
    assert sentences(text) == spans
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    assert [text[start:end].strip() for start, end in spans] == split(text)
    assert all(start < end and "\n" not in text[start:end] for start, end in spans)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    assert "".join(text[end:start] for end, start in zip(edges[::2], edges[1::2], strict=True)).strip() == ""


@pytest.mark.parametrize(("language", "case"), [case for case in CASES if case[1] not in KNOWN_WRONG])
def test_the_cases_of_the_benchmark(language: str, case: str) -> None:
    assert ours(language, normalise(case.replace("¦", ""))) == expected(case)


@pytest.mark.parametrize("case", sorted(KNOWN_WRONG))
def test_known_weaknesses_join_and_never_break(case: str) -> None:
    whole = case.replace("¦", "")
    assert split(whole) == [whole]


def test_spans_are_offsets_into_the_text() -> None:
    assert sentences("One. Two 😀 here.\n\nThree") == ((0, 4), (5, 16), (18, 23))
    assert sentences("") == ()


def test_a_lone_number_belongs_to_its_neighbour() -> None:
    assert split("1. January 6 was dark. It rained. 2") == ["1. January 6 was dark.", "It rained. 2"]
    assert split("1") == ["1"]


def test_an_unbalanced_quotation_claims_nothing() -> None:
    text = "“We go. He left here. Then they came. It rained all day."
    assert split(text) == ["“We go.", "He left here.", "Then they came.", "It rained all day."]


@pytest.mark.parametrize("mark", ['"', "“", "«"])
def test_a_quotation_that_nothing_closes_begins_with_its_mark(mark: str) -> None:
    text = f"It makes sense, Hynd said. {mark}We are squeezed from both ends. The state has gone."
    ends = [text[start:end] for start, end in sentences(text)]
    assert ends == ["It makes sense, Hynd said.", f"{mark}We are squeezed from both ends.", "The state has gone."]


@pytest.mark.parametrize("marks", ["“”", '""', "«»"])
def test_a_long_quotation_is_split_at_its_inner_ends(marks: str) -> None:
    part = "We go on and on."
    short = MAX_QUOTED_WORDS // 5 - 1
    for count, wanted in ((short, 1), (short + 20, short + 20)):
        text = f"{marks[0]}{' '.join([part] * count)}{marks[1]} He left."
        assert len(split(text)) == wanted + 1
        assert split(text)[-1] == "He left."


def test_a_hostile_line_takes_linear_time() -> None:
    start = time.perf_counter()
    for part in ('"a. B ', "“a. B ", "'A. b ", "‘A. b ", "(a. B ", "1. A ", "U.S. ", "a", ". ", "x\n\n", "“”", "« "):
        sentences(part * 20_000)
    assert time.perf_counter() - start < 30


@given(TEXTS)
def test_any_text_is_covered_in_order(text: str) -> None:
    assert_sound(text)
    assert_sound(normalise(text))


def test_real_news_is_covered_in_order() -> None:
    if not NEWS.exists():
        pytest.skip(f"no real news here: {NEWS} is missing")
    with gzip.open(NEWS, "rt", encoding="utf-8") as file:
        texts = [normalise(json.loads(record)["text"]) for record in islice(file, 50)]
    for text in texts:
        assert_sound(text)
    lengths = [end - start for text in texts for start, end in sentences(text)]
    assert 60 < sum(lengths) / len(lengths) < 180  # characters of an average sentence of news
    assert max(lengths) < 3_000
