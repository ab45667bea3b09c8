"""The questions under benchmarks/sets are what they say: each evidence stands in its article, each answer in it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.asked.slips import slipped
from corpus.sources.files import read

SETS = Path(__file__).resolve().parents[1] / "benchmarks" / "sets"
LANGUAGES = ("german", "french", "spanish", "ukrainian", "russian")
FIELDS = {"id", "question", "type", "answerable", "url", "evidence", "answer"}

Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (SETS / name).read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", ["istanbul.jsonl", *(f"languages/{one}.jsonl" for one in LANGUAGES)])
def test_twenty_questions_have_an_answer_and_ten_say_what_is_missing(name: str) -> None:
    questions = rows(name)
    assert Counter(one["answerable"] for one in questions) == {True: 20, False: 10}
    assert len({one["id"] for one in questions}) == len({one["question"] for one in questions}) == 30
    assert all(set(one) == FIELDS | (set() if one["answerable"] else {"why"}) for one in questions)
    assert all(bool(one["evidence"]) == one["answerable"] == (not one.get("why")) for one in questions)


def test_the_first_question_about_istanbul_is_the_one_that_was_asked_first() -> None:
    assert rows("istanbul.jsonl")[0]["question"] == "what did Russia demand?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_evidence_stands_in_its_article_and_the_answer_in_it(language: str) -> None:
    items = list(read([str(SETS / "languages" / f"{language}.articles.jsonl")]))
    texts = {one.article.url: one.article.text for one in items if one.article}
    assert len(texts) == len(items) == 8
    for question in rows(f"languages/{language}.jsonl"):
        text, evidence = texts[question["url"]], question["evidence"]
        assert [one for one in evidence if one not in text] == [], question["id"]
        assert question["answer"] in " ".join(evidence), question["id"]
        assert text.count(question["answer"]) == 1 or not question["answer"], question["id"]


def test_a_slip_exchanges_two_letters_of_a_long_word_or_a_name() -> None:
    assert slipped("who is he", "any") == "who is he"
    assert slipped("who is Otto", "any") == "who is Otot"
    assert {slipped("is it early", seed) for seed in map(str, range(30))} == {
        "is it eraly",
        "is it ealry",
        "is it earyl",
    }
