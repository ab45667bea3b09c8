"""What the reader is trained on stays true when it is changed by rule."""

import random

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.train_reader import foreign
from benchmarks.train_reader.data import Group, Passage, cut_up
from benchmarks.train_reader.made import changed, named

TEXT = "Mayor Ada Brunner opened the Hansa Bridge on Monday. It cost $40 million. Tom Park of Larkhaven was not there."
NAMES = ["Oslo", "Mira Halvorsen", "1,200", "$7 million"]


def a_group(answer: str, question: str) -> Group:
    at = TEXT.index(answer)
    [one] = cut_up("The Hansa Bridge is open", "2025-05-16", TEXT)
    labels = tuple(int(a <= at < b) for a, b in one.sentences)
    right = Passage(one.title, one.day, one.text, one.sentences, labels, (at, at + len(answer)))
    other = Passage("Storm", "", "The storm tore roofs in Larkhaven.", ((0, 34),), (0,))
    return Group(question, (right, other), (other,))


@given(st.integers(0, 10_000), st.sampled_from(["Ada Brunner", "$40 million", "Tom Park", "Monday"]))
def test_an_answer_keeps_its_words_or_goes_with_its_label(seed: int, answer: str) -> None:
    group = a_group(answer, "Who opened the Hansa Bridge of Larkhaven on Monday, with Tom Park?")
    got = changed(group, NAMES, random.Random(seed), in_others=0.0)
    for passage in (*got.own, *got.others):
        assert len(passage.labels) == len(passage.sentences)
        assert all(passage.text[a:b].strip() for a, b in passage.sentences)
        if passage.answer:
            assert passage.text[slice(*passage.answer)] == answer
            assert passage.right
    assert got.answerable == any(passage.answer for passage in got.own)


def test_names_and_numbers_are_seen() -> None:
    assert named(TEXT) == ["Ada Brunner", "Hansa Bridge", "Park of Larkhaven", "$40"]


@given(st.integers(0, 10_000))
def test_in_another_language_the_same_sentence_answers_and_the_same_words_are_alike(seed: int) -> None:
    group = a_group("$40 million", "Who opened the Hansa Bridge of Larkhaven on Monday, with Tom Park?")
    got = foreign.put(group, random.Random(seed))
    [right, other] = got.own
    assert (right.labels, other.labels) == (group.own[0].labels, (0,))
    assert right.answer
    assert right.text[slice(*right.answer)].startswith("$40 м" if "м" in right.text else "$40 mi")
    start, end = right.sentences[right.labels.index(1)]
    assert start <= right.answer[0] < right.answer[1] <= end
    assert not {"opened", "who", "not", "there"} & {*right.text.split(), *got.question.split()}
    if not any("а" <= letter <= "я" for letter in right.text):
        assert all("Larkhaven" in text for text in (got.question, right.text, other.text))


def test_every_word_that_is_known_is_so_in_all_languages() -> None:
    rows = [line.split("|") for line in foreign.WORDS.read_text("utf-8").splitlines()]
    assert {len(row) for row in rows} == {1 + len(foreign.LANGUAGES)}
    assert len({row[0] for row in rows}) == len(rows) > 200
