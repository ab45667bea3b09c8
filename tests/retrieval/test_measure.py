"""The figures of `pullquote measure`, against hand-counted ones and against scikit-learn."""

import math
from collections.abc import Mapping, Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from corpus.archive import FOREVER, Revision, StoredPassage
from corpus.passages import passages
from retrieval.answer import Answer, Found
from retrieval.citation import cite
from retrieval.measure import auc, calibration_error, holds, measure, plain
from retrieval.question import Question
from tests.unsure import perhaps
from tests.words import an_article

DAY = date(2025, 5, 16)


def answer(texts: Sequence[str], *, confidence: float = 0.9) -> Answer:
    """An answer whose passages are these texts, best first, and whose quote is the first of them."""
    found = [a_find(n, text) for n, text in enumerate(texts, 1)]
    revision = found[0].stored.revision
    citation = cite(revision, (0, len(revision.article.text)))
    return Answer(Question("q?", DAY), True, confidence, citation.quote, (citation,), tuple(found), 0.5)


def a_find(number: int, text: str) -> Found:
    article = an_article(number, text)
    revision = Revision(number, 1, article, DAY, FOREVER)
    return Found(StoredPassage(number, revision, passages(article)[0]), 1.0, 1.0, 1.0, 0, 0)


def test_the_figures_are_those_counted_by_hand() -> None:
    rows: list[tuple[Mapping[str, object], Answer]] = [
        ({"answers": ["four regions"]}, answer(["They asked for four regions.", "Nothing."])),
        ({"answers": ["1000", "a thousand"]}, answer(["Nothing.", "Some.", "They freed 1,000 men."])),
        ({"answers": ["Paris"]}, perhaps(answer(["It is in Paris."], confidence=0.2))),
        ({"answers": []}, perhaps(answer(["Nothing."], confidence=0.1))),
        ({"answers": []}, answer(["Nothing."], confidence=0.6)),
    ]
    figures = {one.name: (round(one.value, 4), one.count) for one in measure(rows)}
    assert figures == {
        "hit@1": (0.6667, 3),
        "hit@3": (1.0, 3),
        "hit@5": (1.0, 3),
        "hit@10": (1.0, 3),
        "mrr@10": (0.7778, 3),
        "answer holds gold": (0.3333, 3),
        "first quote holds gold": (0.3333, 3),
        "answered when possible": (0.6667, 3),
        "abstained when impossible": (0.5, 2),
        "perhaps holds gold": (1.0, 1),
        "perhaps when impossible": (0.5, 2),
        "answerable AUC": (0.8333, 5),
        "calibration error (ECE)": (0.34, 5),
        "seconds p50": (0.5, 5),
        "seconds p95": (0.5, 5),
    }


def test_an_answer_is_held_as_whole_words_without_case_accents_and_punctuation() -> None:
    assert holds("They freed 1,000 men, “Café Noir” said.", ["1000"])
    assert holds("… in SAO PAULO.", ["São Paulo"])
    assert not holds("He is Japanese.", ["Japan"])
    assert not holds("anything", ["", "—"])
    assert plain("L’Été — 2,5 %!") == "l ete 2 5"


def test_a_row_without_accepted_answers_is_an_error() -> None:
    with pytest.raises(ValueError, match="Question 7 has no list"):
        measure([({"id": 7}, answer(["x"]))])


scores = st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=20)


@given(scores, scores)
def test_the_auc_is_scikit_learns(positive: list[float], negative: list[float]) -> None:
    labels = [1] * len(positive) + [0] * len(negative)
    assert math.isclose(auc(positive, negative), roc_auc_score(labels, [*positive, *negative]))


def test_a_confidence_that_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]) == pytest.approx(0.0)
    assert calibration_error([1.0, 1.0], [True, False]) == pytest.approx(0.5)
