"""The cross-encoder: what it is given, what it says, how it is stored; other models in its place."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.article import Span
from retrieval.crossencoder import (
    CHANGES_SHA256,
    CrossEncoder,
    Judged,
    crossencoder_folder,
    export,
    judged,
    load_crossencoder,
    restored,
    stored,
)
from retrieval.encoder import load_reranker
from retrieval.models import BadModel, default_folder, load_pointer, load_tokenizer
from retrieval.named import Pointing, Ranked
from retrieval.pairs import COLUMNS, MOST_TOKENS, Tokenizer, Tokens, head

PASSAGES = [
    (
        "Russia and Ukraine talk in Istanbul. ",
        "The delegations met on Friday. Russia demanded a withdrawal from four regions.",
    ),
    ("Storm in the north. ", "The storm tore roofs from forty houses. Nobody was hurt."),
    ("", "Bananas are rich in potassium. They grow in clusters."),
]
QUESTION = "What did Russia demand?"


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer(load_tokenizer(default_folder() / "tokenizer.json"))


# What it is given


def test_a_pair_is_question_headline_and_text() -> None:
    [one] = tokenizer()("Who left?", [(head("Talks end", ""), "Ada left.")])
    [bare] = tokenizer()("Who left?", [("", "Ada left.")])
    text = [[*"Ada left."][slice(*place)] for place in one.places]
    assert ["".join(part) for part in text] == ["Ada", "left", "."]
    assert len(one.ids) == len(one.segments) == one.first + 3 + 1
    assert one.segments == [0] * 5 + [1] * (len(one.ids) - 5)
    assert len(one.ids) - len(bare.ids) == 3
    assert one.of((4, 8)) == range(one.first + 1, one.first + 2)
    assert one.of((3, 4)) == range(0)


def test_a_headline_goes_with_its_day() -> None:
    assert head("Talks end", "2025-05-16") == "Talks end (2025-05-16). "
    assert head("Talks end", "") == "Talks end. "
    assert head("", "") == ""


@given(st.text(max_size=900), st.text(max_size=300), st.text(max_size=3_000))
def test_any_text_is_cut_to_fit_and_its_places_are_in_order(question: str, title: str, text: str) -> None:
    [one] = tokenizer()(question, [(title, text)])
    assert len(one.ids) == len(one.segments) <= MOST_TOKENS
    assert one.first + len(one.places) + 1 == len(one.ids)
    assert all(0 <= start <= end <= len(text) for start, end in one.places)
    assert all(left[0] <= right[0] for left, right in pairwise(one.places))


# What it says


def a_judgement(start: Sequence[float], end: Sequence[float], nothing: float = 0.0) -> Judged:
    places = [(4 * n, 4 * n + 3) for n in range(len(start))]
    evidence = np.arange(len(start), dtype=np.float32)
    return Judged(0.0, -1.0, nothing, places, np.array(start, np.float32), np.array(end, np.float32), evidence)


def test_the_words_that_answer_are_the_best_span_within_the_sentence() -> None:
    one = a_judgement([0, 6, 0, 12, 0, 0], [9, 0, 4, 0, 1, 0], nothing=2.0)
    assert one.answer((0, 12)) == (8.0, (4, 11))  # not backwards, and not what stands outside
    assert one.answer((0, 24)) == (11.0, (12, 19))
    assert one.answer((100, 120))[0] == -20.0
    assert one.of_sentence((4, 12)) == 0.5  # the mean of 1 and 2, and what the passage adds
    assert one.of_sentence((100, 120)) == -20.0


def test_an_answer_is_no_longer_than_twenty_tokens() -> None:
    one = a_judgement([9.0] + [0.0] * 29, [0.0] * 29 + [9.0])
    score, (first, last) = one.answer((0, 200))
    assert score == 9.0
    assert last - first <= 20 * 4


def test_scores_of_padding_question_and_headline_are_left_out() -> None:
    tokens = Tokens([101, 7, 102, 8, 102, 9, 10, 102], [0] * 8, 5, [(0, 2), (3, 5)])
    scores = np.arange(50, dtype=np.float32).reshape(10, COLUMNS)
    one = judged(tokens, scores)
    assert (one.relevance, one.beside, one.nothing) == (4.0, 3.0, 1.0)
    assert one.start.tolist() == [25.0, 30.0]
    assert one.evidence.tolist() == [27.0, 32.0]


def test_the_passage_and_the_sentence_that_answer_are_told(crossencoder: CrossEncoder) -> None:
    told = crossencoder.judge(QUESTION, PASSAGES)
    assert max(told, key=lambda one: one.relevance) is told[0]
    text = PASSAGES[0][1]
    first, second = (0, text.index(" Russia")), (text.index("Russia"), len(text))
    assert told[0].of_sentence(second) > told[0].of_sentence(first)
    score, words = told[0].answer(second)
    assert score > 0
    assert "withdrawal" in text[slice(*words)]
    assert all(one.answer((0, len(text)))[0] < score for one, (_, text) in zip(told[1:], PASSAGES[1:], strict=True))


def test_a_passage_is_judged_alike_alone_and_among_others(crossencoder: CrossEncoder) -> None:
    together = crossencoder.judge(QUESTION, PASSAGES * 4)
    [alone] = crossencoder.judge(QUESTION, PASSAGES[:1])
    assert together[0].relevance == pytest.approx(alone.relevance, abs=1e-3)
    np.testing.assert_allclose(together[9 + 1].start, together[1].start, atol=1e-3)
    assert crossencoder.judge(QUESTION, []) == []


def test_openvino_says_nearly_the_same(crossencoder: CrossEncoder, models: Path) -> None:
    pytest.importorskip("openvino", reason="NOT TESTED: openvino is not installed.")
    other = load_crossencoder(models, engine="openvino").judge(QUESTION, PASSAGES)
    for one, two in zip(crossencoder.judge(QUESTION, PASSAGES), other, strict=True):
        assert one.relevance == pytest.approx(two.relevance, abs=0.2)  # on a processor with bf16 it rounds


# How it is stored


def test_what_training_changed_comes_back_but_for_the_rounding() -> None:
    rng = np.random.default_rng(1)
    changes: dict[str, Any] = {
        "body.matrix": rng.normal(size=(40, 30)).astype(np.float32) * 0.01,
        "body.bias": rng.normal(size=30).astype(np.float32) * 0.01,
        "head.weight": rng.normal(size=(COLUMNS, 30)).astype(np.float32),
    }
    back = restored(stored(changes))
    assert back.keys() == changes.keys()
    assert stored(changes)["body.matrix"].dtype == np.int8
    for name, values in changes.items():
        assert np.abs(back[name] - values).max() <= np.abs(values).max() / 200
    np.testing.assert_array_equal(back["head.weight"], changes["head.weight"])


def test_changes_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    (tmp_path / "crossencoder.npz").write_bytes(b"other")
    with pytest.raises(BadModel, match=r"crossencoder\.npz has the SHA-256 [0-9a-f]{64}, not the published"):
        export(tmp_path / "out", tmp_path / "crossencoder.npz", CHANGES_SHA256)
    assert not (tmp_path / "out").exists()


def test_the_export_is_made_once(models: Path) -> None:
    file = crossencoder_folder(models) / "model.onnx"
    written = file.stat().st_mtime_ns
    load_crossencoder(models)
    assert file.stat().st_mtime_ns == written


# Others in its place


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models with random weights, as the libraries write them: one that ranks, one that points."""
    import torch
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertForQuestionAnswering,
        BertForSequenceClassification,
    )

    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(default_folder())
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    out = {}
    for name, kind, labels in (
        ("rank", BertForSequenceClassification, 1),
        ("three", BertForSequenceClassification, 3),
        ("point", BertForQuestionAnswering, 2),
    ):
        out[name] = tmp_path_factory.mktemp(name)
        config.num_labels = labels
        kind(config).save_pretrained(out[name])
        tokenizer.save_pretrained(out[name])
    return out


def test_another_rerankers_order_counts_on_our_scale(crossencoder: CrossEncoder, small: dict[str, Path]) -> None:
    rank = load_reranker(str(small["rank"]))
    theirs = rank([(QUESTION, head + text) for head, text in PASSAGES])
    ours = [one.relevance for one in crossencoder.judge(QUESTION, PASSAGES)]
    got = [one.relevance for one in Ranked(crossencoder, rank).judge(QUESTION, PASSAGES)]
    assert np.argsort(got).tolist() == np.argsort(theirs).tolist()
    assert (np.mean(got), np.std(got)) == pytest.approx((np.mean(ours), np.std(ours)), rel=1e-3)
    assert Ranked(crossencoder, rank).judge(QUESTION, []) == []


def test_another_readers_words_count(crossencoder: CrossEncoder, small: dict[str, Path]) -> None:
    reader = Pointing(crossencoder, load_pointer(str(small["point"])))
    for one, ours, (_, text) in zip(
        reader.judge(QUESTION, PASSAGES), crossencoder.judge(QUESTION, PASSAGES), PASSAGES, strict=True
    ):
        whole: Span = (0, len(text))
        assert one.relevance == ours.relevance
        assert one.of_sentence(whole) == pytest.approx(ours.of_sentence(whole), abs=0.5)
        _, (first, last) = one.answer(whole)
        assert 0 <= first < last <= len(text)
    assert reader.judge(QUESTION, []) == []


@pytest.mark.parametrize(
    ("load", "kind", "said"),
    [
        (load_reranker, "three", "gives 3 scores a pair; PULLQUOTE_RERANKER needs one"),
        (load_reranker, "", "Give PULLQUOTE_RERANKER a folder or a model name"),
        (load_pointer, "", "Give PULLQUOTE_READER a folder or a model name"),
    ],
)
def test_a_model_that_will_not_do_is_named(
    load: Any, kind: str, said: str, small: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(BadModel, match=said):
        load(str(small[kind] if kind else tmp_path))
