"""The reader: sentences of all passages against each other and "none", runs of them, what it is sure of."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.archive import FOREVER, Revision, StoredPassage
from corpus.passages import passages
from retrieval.answer import Found
from retrieval.asked import take_apart
from retrieval.crossencoder import CUT_OFF, Judged
from retrieval.decision import FEATURES, Decision, features, from_json, load_decision, to_json
from retrieval.question import Question
from retrieval.reader import MOST_WORDS, JointReader, Read, Run, answering, quotable, without
from tests.words import an_article

TODAY = date(2025, 5, 26)
PLAIN = Decision(
    weights=(1.0, *[0.0] * (len(FEATURES) - 1)),
    base=0.0,
    calibration=(1.0, 0.0, 0.0, 0.0),
    sure=0.5,
    perhaps=0.2,
    further=0.5,
    bold=3.0,
    matter=0.5,
)


def found(text: str, number: int = 1, title: str = "Report", outlet: str = "Courier") -> list[Found]:
    article = an_article(number, text, title=title, outlet=outlet)
    revision = Revision(number, 1, article, date(2025, 5, 16), FOREVER)
    stored = [StoredPassage(100 * number + n, revision, one) for n, one in enumerate(passages(article))]
    return [Found(one, 1.0, 0.5, 1.0, 0, 0) for one in stored]


class Marks:
    """A cross-encoder for which each word of the form {3} in a text says the log odds of what stands around it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def judge(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Judged]:
        self.asked += passages
        return [_marked(text) for _, text in passages]


def _marked(text: str) -> Judged:
    """One token a sentence, at its beginning; sentences end with ". " here."""
    parts, at = text.split(". "), 0
    places, odds = [], []
    for part in parts:
        places.append((at, at + len(part)))
        odds.append(float(part.split("{")[1].split("}")[0]) if "{" in part else -9.0)
        at += len(part) + 2
    values = np.array(odds, np.float32)
    half = np.array(values / 2, np.float32)
    return Judged(max(odds), 0.0, 0.0, places, half, half, values)


def read(question: str, *each: list[Found], decision: Decision = PLAIN, threshold: float | None = None):  # type: ignore[no-untyped-def]
    reader = JointReader(decision, Marks, threshold)
    return reader.read(Question(question, TODAY), [one for some in each for one in some])


def quoted(reading) -> list[str]:  # type: ignore[no-untyped-def]
    return [one.revision.article.text[slice(*one.span)] for one in reading.choices]


# Which sentence


def test_the_best_sentence_of_all_passages_is_the_answer() -> None:
    reading = read(
        "who left?",
        found("The talks ended {-2}. Nobody spoke {-3}.", 1),
        found("It rained {-4}. Ada left {4}. The bus came {-4}.", 2),
    )
    assert reading.sure
    assert quoted(reading) == ["Ada left {4}."]
    assert [one.stored.revision.id for one in reading.ranked] == [2, 1]
    assert reading.choices[0].chance == pytest.approx(np.exp(4) / (1 + np.exp(4) + np.exp(-2)), rel=0.01)


def test_two_that_answer_alike_share_the_chance_and_one_that_stands_beside_is_quoted_along() -> None:
    reading = read("what was demanded?", found("Russia wants land {4}. It wants money too {3.5}. It rained {-4}."))
    assert quoted(reading) == ["Russia wants land {4}. It wants money too {3.5}."]


def test_none_of_them_is_an_answer_too() -> None:
    reading = read("who left?", found("The talks ended {-2}. Nobody spoke {-3}."))
    assert (reading.sure, reading.choices, reading.perhaps) == (False, (), None)
    assert reading.confidence == pytest.approx(1 - 1 / (1 + np.exp(-2) + np.exp(-3)), rel=0.01)


def test_what_may_be_meant_is_shown_as_a_guess_without_its_words() -> None:
    reading = read("who left?", found("Ada left {-0.5}. Nobody spoke {-3}."))
    assert (reading.sure, reading.choices) == (False, ())
    assert reading.perhaps is not None
    assert reading.perhaps.answer is None
    article = reading.perhaps.revision.article
    assert article.text[slice(*reading.perhaps.span)] == "Ada left {-0.5}."


def test_a_threshold_that_is_set_decides_what_is_an_answer() -> None:
    one = found("Ada left {1}. Nobody spoke {-3}.")
    assert read("who left?", one, threshold=0.5).sure
    assert not read("who left?", one, threshold=0.9).sure
    assert read("who left?", one, threshold=0.9).perhaps is not None


def test_nothing_found_is_nothing_read() -> None:
    reading = read("who left?")
    assert (reading.sure, reading.confidence, reading.ranked, reading.near) == (False, 0.0, (), False)


def test_only_the_first_passages_are_read_and_the_others_stay_behind_them() -> None:
    marks = Marks()
    every = [one for n in range(1, 6) for one in found(f"Report {n} says so {{-{n}}}.", n)]
    reading = JointReader(PLAIN, lambda: marks, None, judged=3).read(Question("who left?", TODAY), every)
    assert [text for _, text in marks.asked] == [one.stored.passage.text for one in every[:3]]
    assert marks.asked[0][0] == "Report (2025-05-16). "
    assert [one.stored.revision.id for one in reading.ranked] == [1, 2, 3, 4, 5]


# Further citations


def test_a_further_citation_would_be_an_answer_by_itself() -> None:
    reading = read(
        "who left?",
        found("Ada Lovelace left {6}. It rained {-4}.", 1),
        found("The minister went home early {2}. It rained {-4}.", 2),
        found("The bus came late {-1}. It rained {-4}.", 3),
        found("A report of who was there {0} is here. It rained {-4}.", 4),
    )
    assert quoted(reading) == ["Ada Lovelace left {6}.", "The minister went home early {2}."]


def test_a_further_citation_says_something_new() -> None:
    same = "Ada Lovelace left the talks in Istanbul {6}. It rained {-4}."
    reading = read("who left?", found(same, 1), found(same.replace("talks in", "talks at").replace("6", "5"), 2))
    assert len(reading.choices) == 1


# What a quote may be


def test_a_run_is_one_to_three_sentences_within_sixty_words() -> None:
    twenty = "Word " * 19 + "end."
    expected = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]
    assert quotable([twenty, twenty, twenty, "Short one."]) == expected


def test_a_caption_is_quoted_alone_or_as_the_headline_of_what_follows() -> None:
    parts = ["The bridge fell.", "The bridge at Larkhaven, before it fell", "“Nobody was hurt.”", "It was late."]
    assert quotable(parts) == [(0, 0), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]


def test_a_long_sentence_is_quoted_whole() -> None:
    assert quotable(["Word " * 80 + "end.", "Short one."]) == [(0, 0), (1, 1)]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_every_run_keeps_the_bounds_and_every_sentence_is_one(lengths: list[int]) -> None:
    parts = ["Word " * (n - 1) + "end." for n in lengths]
    runs = quotable(parts)
    assert {(n, n) for n in range(len(parts))} <= set(runs)
    for first, last in runs:
        words = sum(len(part.split()) for part in parts[first : last + 1])
        assert last - first < 3
        assert first == last or words <= MOST_WORDS


# Words that answer


@pytest.mark.parametrize(
    ("question", "words"), [("who replaced Boris Johnson?", ""), ("who is the prime minister?", "Boris Johnson")]
)
def test_words_of_the_question_are_not_its_answer(question: str, words: str) -> None:
    text = "Boris Johnson left."
    [one] = found(text)
    places, best = [(0, 5), (6, 13), (14, 18)], np.array([5, 0, 0], np.float32)
    whole = Read(one, Judged(0.0, 0.0, 0.0, places, best, best[[1, 0, 2]], best))
    span = answering(take_apart(question), whole, Run(1.0, 0, 0, 0), bold=3.0)
    assert (text[slice(*span)] if span else "") == words


def test_words_are_told_only_where_they_are_all_but_certain() -> None:
    [one] = found("Boris Johnson left.")
    places, best = [(0, 5), (6, 13), (14, 18)], np.array([5, 0, 0], np.float32)
    whole = Read(one, Judged(0.0, 0.0, 0.0, places, best, best[[1, 0, 2]], best))
    assert answering(take_apart("who left?"), whole, Run(1.0, 0, 0, 0), bold=11.0) is None


# What the decision rests on


def test_the_decision_that_comes_along_is_for_these_features() -> None:
    decision = load_decision()
    assert from_json(to_json(decision)) == decision
    assert 0 < decision.perhaps < decision.sure < 1
    with pytest.raises(ValueError, match="fit_reader"):
        from_json({**to_json(decision), "weights": {"other": 1.0}})


def test_one_article_alone_reads_as_it_does_among_others() -> None:
    """What is known of its sentences does not depend on what else is found."""
    one, others = found("Ada left the talks {2}. It rained {-4}.", 1), found("The bus came {-3}.", 2)
    reader = JointReader(PLAIN, Marks, None)
    asked = Question("who left the talks?", TODAY)
    alone, among = reader.look(asked, one).rows, reader.look(asked, [*one, *others]).rows
    np.testing.assert_array_equal(alone, among[: len(alone)])


def test_the_matter_is_there_or_not() -> None:
    one = found("Ada Lovelace left the talks in Istanbul {-6}. It rained {-8}.")
    assert read("when did Ada Lovelace leave Istanbul?", one).near
    assert not read("what do bananas cost in Reykjavik?", one).near


def test_words_of_other_languages_count_by_their_beginnings() -> None:
    text = "Der Bürgermeister von Seefeld hat die Brücken am Montag für den Verkehr und das Fest sperren lassen {2}."
    evidence = JointReader(PLAIN, Marks, None).look(Question("Warum ist die Brücke gesperrt?", TODAY), found(text))
    row = dict(zip(FEATURES, evidence.rows[0].tolist(), strict=True))
    assert row["other"] == 1.0
    assert row["other_covered"] == pytest.approx(6 / 19)  # "Brücke", not "warum" and "gesperrt"
    assert row["other_sentence"] == row["sentence"] == 2.0


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.text(min_size=1))
def test_features_are_finite_for_any_text(texts: list[str], question: str) -> None:
    every = [one for n, text in enumerate(texts) for one in found("x " + text, n + 1)]
    places = [(0, 1)]
    judged = Judged(0.0, 0.0, 0.0, places, *[np.zeros(1, np.float32) for _ in range(3)])
    looked = [Read(one, judged) for one in every]
    picked = [(p, s) for p, one in enumerate(looked) for s in range(len(one.sentences))]
    rows = features(Question(question, TODAY), looked, picked)
    assert rows.shape == (len(picked), len(FEATURES))
    assert np.isfinite(rows).all()


def test_what_the_model_did_not_reach_is_not_chosen() -> None:
    [one] = found("Ada left. It rained.")
    judged = Judged(0.0, 0.0, 0.0, [(0, 3)], *[np.ones(1, np.float32) for _ in range(3)])
    assert Read(one, judged).odds == [1.0, CUT_OFF]
    assert replace(judged, beside=2.0).of_sentence((0, 9)) == 3.0


def test_the_chance_of_what_tells_of_another_goes_to_none() -> None:
    odds, turned = np.array([2.0, 1.0, -1.0]), np.array([1.0, 0.0, 0.0])
    before = np.exp(odds) / (1 + np.exp(odds).sum())
    left = np.exp(without(odds, turned))
    after = left / (1 + left.sum())
    assert after[1:] == pytest.approx(before[1:])
    assert after[0] < before[0] / 100
    assert without(odds, np.zeros(3)) == pytest.approx(odds)
