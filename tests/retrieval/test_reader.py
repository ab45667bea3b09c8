"""The parts of the reader: trees, runs of sentences, chances."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.fit_reader import as_trees
from corpus.archive import FOREVER, Revision, StoredPassage
from corpus.article import Span
from corpus.passages import passages
from retrieval.answer import Found
from retrieval.crossencoder import Judged
from retrieval.features import (
    CONFIDENCE_NAMES,
    MOST_WORDS,
    PASSAGE_NAMES,
    RANK_NAMES,
    SENTENCE_NAMES,
    Asked,
    Seen,
    Window,
    coverage,
    passage_features,
    runs,
    take_apart,
    window,
)
from retrieval.keywords import asked
from retrieval.people import goes_by_name
from retrieval.reader import (
    Run,
    answering,
    fitted_from_json,
    load_fitted,
    logistic,
    of_quotation,
    shown,
    spoken_by,
    with_name,
)
from retrieval.roles import asked_to_speak
from tests.words import an_article

TODAY = date(2025, 5, 26)


def seen(text: str, score: float = 1.0, number: int = 1) -> list[Seen]:
    article = an_article(number, text)
    revision = Revision(number, 1, article, date(2025, 5, 16), FOREVER)
    stored = [StoredPassage(n, revision, one) for n, one in enumerate(passages(article))]
    return [Seen(Found(one, score, score, score, 0, 0)) for one in stored]


def apart(question: str) -> Asked:
    return take_apart(question, dict.fromkeys(asked(question), 1.0), TODAY)


def test_the_trees_say_what_scikit_learn_says() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(600, 5)).astype(np.float32)
    model = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8, early_stopping=False, random_state=1)
    model.fit(rows, rows[:, 0] * rows[:, 1] > rows[:, 2])
    np.testing.assert_allclose(as_trees(model)(rows), model.decision_function(rows), rtol=1e-6)


def test_the_fitted_numbers_are_for_these_features() -> None:
    fitted = load_fitted()
    assert fitted.passage.shape == (len(PASSAGE_NAMES),)
    assert fitted.rank.shape == (len(RANK_NAMES),)
    assert fitted.confidence.shape == (len(CONFIDENCE_NAMES) + 1,)
    assert fitted.trees.feature.max() < len(SENTENCE_NAMES)
    assert 0 < fitted.threshold < 1
    with pytest.raises(ValueError, match="fit_reader"):
        fitted_from_json({**fitted.to_json(), "names": [["other"], [], [], []]})


def test_a_run_is_one_to_three_sentences_within_sixty_words() -> None:
    twenty = "Word " * 19 + "end."
    [one] = seen(" ".join([twenty, twenty, twenty, "Short one."]))
    assert runs(one) == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("text", "quote", "whole"),
    [
        ("Ada Lovelace led the talks. She left at noon. It rained.", (1, 1), (0, 1)),
        ("Ada Lovelace led the talks. But her side left. It rained.", (1, 2), (0, 2)),
        ("Ada Lovelace led the talks. The talks ended. She left.", (1, 2), (1, 2)),
        ("She left at noon. It rained.", (0, 0), (0, 0)),
        ("One. Two. She left. It rained.", (2, 2), (1, 2)),
        ("The talks are over.\n\nShe left at noon, as the whole of the town could see.", (1, 1), (1, 1)),
        ("Word " * 57 + "end. She left.", (1, 1), (0, 1)),
        ("Word " * 58 + "end. She left.", (1, 1), (1, 1)),
        ("Anna Lovelace led the talks. “We are done here,” she said. “I am tired.”", (2, 2), (1, 2)),
        ("Anna Lovelace led the talks. “We are done here,” she said. “I am tired.”", (1, 1), (1, 1)),
        ("“We are done here.” It was over. Ada Lovelace said: “I am tired.”", (2, 2), (2, 2)),
        ("Sheila left. Theory won. Hermann came.", (1, 2), (1, 2)),
    ],
)
def test_a_quote_takes_the_sentence_along_that_names_who_speaks_or_acts(text: str, quote: Span, whole: Span) -> None:
    [one] = seen(text)
    assert with_name(one, *quote) == whole


def test_a_caption_is_quoted_alone_or_as_the_headline_of_what_follows() -> None:
    [one] = seen("The bridge fell.\n\nThe bridge at Larkhaven, before it fell\n\n“Nobody was hurt.” It was late.")
    assert runs(one) == [(0, 0), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]


def test_a_long_sentence_is_quoted_whole() -> None:
    [one] = seen("Word " * 80 + "end. Short one.")
    assert runs(one) == [(0, 0), (1, 1)]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_every_run_keeps_the_bounds_and_every_sentence_is_one(lengths: list[int]) -> None:
    for one in seen(" ".join("Word " * (n - 1) + "end." for n in lengths)):
        found = runs(one)
        assert {(n, n) for n in range(len(one.sentences))} <= set(found)
        for first, last in found:
            words = sum(len(sentence.split()) for sentence in one.sentences[first : last + 1])
            assert last - first < 3
            assert first == last or words <= MOST_WORDS


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6), st.text(min_size=1))
def test_features_are_finite_for_any_text(texts: list[str], question: str) -> None:
    read = [one for n, text in enumerate(texts) for one in seen("x " + text, number=n + 1)]
    rows = passage_features(apart(question), read)
    assert rows.shape == (len(read), len(PASSAGE_NAMES))
    assert np.isfinite(rows).all()


def test_coverage_is_the_share_of_the_questions_weight() -> None:
    question = take_apart("what did Russia demand?", {"russia": 3.0, "demand": 1.0}, TODAY)
    assert coverage(question, frozenset({"russia"})) == 0.75
    assert coverage(question, frozenset({"demand", "russia"})) == 1.0
    assert coverage(question, frozenset()) == 0.0


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("who led the delegation?", "person"),
        ("which country hosted the talks?", "place"),
        ("how many prisoners will be exchanged?", "number"),
        ("when did the talks begin?", "date"),
        ("why did the talks fail?", "reason"),
        ("what did Russia demand?", "quotation"),
        ("what is seagrass?", "thing"),
    ],
)
def test_the_kind_of_answer_that_is_asked_for_is_seen(question: str, kind: str) -> None:
    from retrieval.features import KINDS

    assert [name for name, met in zip(KINDS, apart(question).kinds, strict=True) if met] == [kind]


@pytest.mark.parametrize(
    ("most", "expected"),
    [(10, (7, 7)), (110, (6, 7)), (170, (5, 7)), (10_000, (0, 11))],
)
def test_the_window_is_the_run_that_shares_most_with_the_question(most: int, expected: Span) -> None:
    fillers = [f"The committee number {n} met in the town hall again." for n in range(11)]
    text = " ".join([*fillers[:7], "Russia demanded a withdrawal.", *fillers[7:]])
    [one] = seen(text)
    first, last = window(apart("what did Russia demand?"), one.sets, one.passage.sentences, most)
    assert (first, last) == expected


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("what did Russia demand?", "Sources described the new Russian demands as extreme."),
        ("what did the Russian delegation want?", "Russia wants four regions, the delegation said."),
        ("what did the Netherlands propose?", "The Dutch proposal was withdrawn."),
    ],
)
def test_a_nation_is_meant_by_what_is_its_own(question: str, sentence: str) -> None:
    text = f"The committee met in the town hall again. {sentence} Trump wants to meet the president of Russia."
    [one] = seen(text)
    assert window(apart(question), one.sets, one.passage.sentences, len(sentence)) == (1, 1)
    assert coverage(apart(question), one.sets[1]) == 1


def test_words_in_quotation_marks_are_looked_for_where_it_is_asked_who_said_them() -> None:
    [one] = seen("The match was long. “It was never a red card, and all saw it,” Hale said. It was a card.")
    picked = [(0, 0), (0, 1), (0, 2)]
    assert of_quotation("who said 'It was never a red card.'?", [one], picked).tolist() == [0, 1, 0]
    assert of_quotation("who said “It was ever a red card”?", [one], picked).tolist() == [0, 0, 0]
    assert of_quotation("who said it was never a red card?", [one], picked).tolist() == [0, 0, 0]
    assert of_quotation("why was “it was never a red card” wrong?", [one], picked).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("question", "words"), [("who replaced Boris Johnson?", ""), ("who is the prime minister?", "Boris Johnson")]
)
def test_words_of_the_question_are_not_its_answer(question: str, words: str) -> None:
    text = "Boris Johnson left."
    [one] = seen(text)
    places, best = [(0, 5), (6, 13), (14, 18)], np.array([5, 0, 0], np.float32)
    read = Window(one, 0, 0, Judged(0.0, 0.0, places, best, best[[1, 0, 2]], best))
    span = answering(apart(question), read, Run(1.0, 0, 0, 0))
    assert (text[slice(*span)] if span else "") == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("President Joe Biden told Ukraine that he would help.", ""),
        ("President Joe Biden met Ukraine's president, Volodymyr Zelensky, on Friday.", "Volodymyr Zelensky"),
    ],
)
def test_the_holder_of_the_office_asked_for_is_bold_and_no_other(text: str, words: str) -> None:
    [one] = seen(text)
    places, best = [(10, 13), (14, 19), (20, 24)], np.array([5, 0, 0], np.float32)  # sure of "Joe Biden"
    read = Window(one, 0, 0, Judged(0.0, 0.0, places, best, best[[1, 0, 2]], best))
    span = answering(apart("Who is the president of Ukraine?"), read, Run(1.0, 0, 0, 0))
    assert (text[slice(*span)] if span else "") == words


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(1, 900), st.data())
def test_a_window_keeps_its_bounds(lengths: list[int], most: int, data: st.DataObject) -> None:
    [one] = seen(" ".join("Word " * n + "end." for n in lengths))[:1]
    spans = one.passage.sentences
    low = data.draw(st.integers(0, len(spans) - 1))
    high = data.draw(st.integers(low, len(spans) - 1))
    first, last = window(apart("what did Russia demand?"), one.sets, spans, most, (low, high))
    assert low <= first <= last <= high
    assert first == last or spans[last][1] - spans[first][0] <= most


def test_odds_become_chances() -> None:
    assert logistic(0.0) == 0.5
    assert logistic(-1e9) == 0.0
    assert logistic(1e9) == 1.0


@pytest.mark.parametrize(
    ("question", "text", "spoken", "shows"),
    [
        ("what did Brunner say?", "Mayor Ada Brunner said that the bridge is safe.", 1, True),
        ("what did ada brunner say?", "“The bridge is safe,” Ms. Brunner said.", 1, True),
        ("what did Ada Brunner say?", "“Brunner is wrong,” said Mayor Tom Park.", -1, False),
        ("what did Ada Brunner say?", "Mayor Tom Park said that the bridge is safe.", -1, False),
        ("what did Anna Brunner say?", "Tom Brunner said that the bridge is safe.", -1, True),  # her brother
        ("what did Ada Brunner say?", "Ada Brunner told him that it is safe, Tom Park said.", 0, True),
        ("what did Ada Brunner say?", "Ada Brunner opened the bridge.", 0, True),
        ("what did Ada Brunner say?", "Tom Park met with Ada Brunner.", 0, False),
        ("what did Ukraine say?", "“It is over,” said President Volodymyr Zelensky.", 0, False),  # he may speak for it
        ("what did the mayor say?", "“It is safe,” said Ada Brunner.", 0, False),  # she may be the mayor
        ("who opened the bridge?", "“It is safe,” said Ada Brunner.", 0, False),
    ],
)
def test_another_persons_words_are_told_from_those_asked_for(
    question: str, text: str, spoken: int, shows: bool
) -> None:
    [one] = seen(text)
    who = asked_to_speak(question)
    person = goes_by_name(who, [text, "Mayor Ada Brunner"])
    assert spoken_by(who, person, [one], [(0, 0)]).tolist() == [spoken]
    assert not person or shown(who, [one], [(0, 0)]).tolist() == [shows]


def test_he_is_the_person_of_the_sentence_before() -> None:
    [one] = seen("Tom Park opened the bridge on Friday. He praised those who built it.\n\nThe bridge is long.")
    assert shown(("Tom", "Park"), [one], [(0, 0), (0, 1), (0, 2)]).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("who", "is_person"),
    [
        (("Putin",), True),
        (("putin",), True),
        (("Tom", "Reed"), True),
        (("Ukraine",), False),
        (("White", "House"), False),
        (("Norway",), False),
        (("foreign", "minister"), False),
        ((), False),
    ],
)
def test_a_person_goes_by_a_first_name_or_a_title(who: tuple[str, ...], is_person: bool) -> None:
    texts = ["Will Norway join?", "Then President Vladimir Putin spoke.", "The White House and Ukraine said no."]
    assert goes_by_name(who, texts) is is_person
