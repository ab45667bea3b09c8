"""The cross-encoder: reads a question and a whole passage together and judges each of its sentences.

One transformer, that of the default encoder, with one linear layer on top (five numbers a token, see pairs.py). What
training changed of the public weights comes with the package (`crossencoder.npz`, made by benchmarks/train_reader; its
card is reader_card.md); the two are added up and exported to ONNX once.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from corpus.article import Span
from retrieval.models import (
    DEFAULT_SHA256,
    BadModel,
    Engine,
    Matrix,
    Run,
    batches,
    check_weights,
    default_folder,
    load_bert,
    load_tokenizer,
    made_whole,
    onnxruntime_run,
    padded,
    run_export,
    seconds_of,
    to_onnx,
    torch_run,
    write,
)
from retrieval.pairs import BESIDE, COLUMNS, END, EVIDENCE, MOST_TOKENS, RELEVANCE, START, Tokenizer, Tokens

CHANGES = "crossencoder.npz"
CHANGES_SHA256 = "3b5f3c5f5c305e73947e560f3e3383471b77cf949cba197a7e7f1d028b9b2e19"
EXPORT_VERSION = 2  # changes when an export of the same weights would come out differently
BATCH_TOKENS = 1_200  # of a padded batch
ANSWER_TOKENS = 20  # of the words that answer, at most
CUT_OFF = -20.0  # the score of a sentence past what the model reads of a passage
INPUTS = ("input_ids", "attention_mask", "token_type_ids")

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """What the model makes of one passage. Its sentences' log odds compare with those of every passage that was read
    for the same question, and with 0, which stands for "none of them".
    """

    relevance: float  # log odds that the passage answers the question
    beside: float  # what the passage as a whole adds to the log odds of each of its sentences
    nothing: float  # the score of the span that stands for "no answer"
    places: Sequence[Span]  # of each token, in characters of the passage
    start: Vector  # (tokens,) that the answer starts here
    end: Vector
    evidence: Vector  # (tokens,) their mean over a sentence: what it adds itself

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        return np.array([place[0] for place in self.places], np.int64)

    def of_sentence(self, span: Span) -> float:
        """Log odds that the sentence at `span` of the passage answers; very low where it was cut off."""
        first, last = self._tokens(span)
        return float(self.evidence[first:last].mean()) + self.beside if last > first else CUT_OFF

    def answer(self, span: Span) -> tuple[float, Span]:
        """(score above that of "no answer", characters of the passage) of the likeliest words within a sentence."""
        first, last = self._tokens(span)
        if last <= first:
            return CUT_OFF, (span[0], span[0])
        both = self.start[first:last, None] + self.end[None, first:last]
        both = np.where(np.triu(np.tri(last - first, k=ANSWER_TOKENS - 1)) > 0, both, -np.inf)
        one, other = np.unravel_index(int(np.argmax(both)), both.shape)
        words = self.places[first + int(one)][0], self.places[first + int(other)][1]
        return float(both[one, other]) - self.nothing, words

    def _tokens(self, span: Span) -> tuple[int, int]:
        first, last = np.searchsorted(self.starts, span)
        return int(first), int(last)


class CrossEncoder(Protocol):
    """Anything that judges passages, given as (head, text; see pairs.head), for a question."""

    def judge(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Judged]: ...


class OnnxCrossEncoder:
    """The exported model."""

    def __init__(self, folder: Path, run: Run) -> None:
        tokenizer = load_tokenizer(folder / "tokenizer.json")
        self._tokenize = Tokenizer(tokenizer)
        self._pad = tokenizer.token_to_id("[PAD]")
        self._run = run

    def judge(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Judged]:
        every = self._tokenize(question, passages)
        out: list[Judged | None] = [None] * len(every)
        for rows in batches([len(one.ids) for one in every], BATCH_TOKENS):
            mine = [every[row] for row in rows]
            ids, segments = [one.ids for one in mine], [one.segments for one in mine]
            scores = self._run(padded(ids, segments, self._pad, INPUTS, MOST_TOKENS))
            for row, tokens, score in zip(rows, mine, scores, strict=True):
                out[row] = judged(tokens, score)
        return [one for one in out if one is not None]


def judged(tokens: Tokens, scores: Matrix) -> Judged:
    """`scores` (tokens, COLUMNS) are the model's."""
    own = scores[tokens.first : tokens.first + len(tokens.places)]
    return Judged(
        relevance=float(scores[0, RELEVANCE]),
        beside=float(scores[0, BESIDE]),
        nothing=float(scores[0, START] + scores[0, END]),
        places=tokens.places,
        start=own[:, START],
        end=own[:, END],
        evidence=own[:, EVIDENCE],
    )


def load_crossencoder(cache: Path, *, engine: Engine = "auto", bulk: bool = False, at_once: int = 1) -> CrossEncoder:
    """The model that comes with the package, exported into `cache` on its first use. The rest as for the encoder."""
    folder = crossencoder_folder(cache)
    if not (folder / "crossencoder.json").exists():
        export(folder, Path(str(files("retrieval") / CHANGES)), CHANGES_SHA256)
    engine = "auto" if engine == "torch" else engine
    return OnnxCrossEncoder(folder, run_export(folder, engine, _seconds(folder) if bulk else None, at_once))


def crossencoder_folder(cache: Path) -> Path:
    digest = hashlib.sha256(f"{DEFAULT_SHA256}\n{CHANGES_SHA256}\n{EXPORT_VERSION}".encode()).hexdigest()[:12]
    return cache / f"crossencoder-{digest}"


def _seconds(folder: Path) -> Callable[[Run], float]:
    passages = [("Talks go on. ", "The minister told reporters on Friday that talks would go on. " * 14)] * 8
    return lambda run: seconds_of(lambda: OnnxCrossEncoder(folder, run).judge("Who will go on?", passages))


def export(folder: Path, changes: Path, published: str) -> None:
    """Adds the changes to the public weights, exports and compares."""
    check_weights(changes, published)
    base = default_folder()
    with np.load(changes) as stored:
        body, head = split_head(restored(stored))
    with made_whole(folder) as made:
        model = load_bert(base, body)

        def forward(ids: Any, mask: Any, segments: Any) -> Any:
            hidden = model(input_ids=ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
            return hidden @ hidden.new_tensor(head[0].T.tolist()) + hidden.new_tensor(head[1].tolist())

        (made / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
        to_onnx(model, forward, dict.fromkeys(INPUTS, np.ones((2, 9), np.int64)), made / "model.onnx")
        _compare(OnnxCrossEncoder(made, torch_run(forward)), OnnxCrossEncoder(made, onnxruntime_run(made)))
        write(made / "crossencoder.json", json.dumps({"changes": published, "version": EXPORT_VERSION}))


def _compare(original: CrossEncoder, ours: CrossEncoder) -> None:
    """An export that differs from its model would quietly spoil every answer: refuse it."""
    passages = [("", "Yes."), ("Talks go on. ", "The minister said on Friday that they would. " * 12)]
    pairs = zip(original.judge("Who will go on?", passages), ours.judge("Who will go on?", passages), strict=True)
    for one, other in pairs:
        if not all(
            np.allclose(getattr(one, name), getattr(other, name), atol=0.01)
            for name in ("relevance", "beside", "nothing", "start", "end", "evidence")
        ):
            raise BadModel(
                f"The export of the cross-encoder differs from the model: {one.relevance}, {other.relevance}."
            )


# The changes as they are stored


def stored(changes: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Matrices as whole numbers of -127..127 with a scale a row (their changes are small: the rounding is a hundredth
    of them), all else as half-precision numbers.
    """
    out: dict[str, NDArray[Any]] = {}
    for name, values in changes.items():
        if values.ndim == 2 and min(values.shape) > COLUMNS:
            scale = np.abs(values).max(axis=1, keepdims=True) / 127 + 1e-12
            out[name] = np.rint(values / scale).astype(np.int8)
            out[name + SCALE] = scale.astype(np.float32)
        else:
            out[name] = values.astype(np.float16 if values.ndim == 1 else np.float32)
    return out


SCALE = "/scale"


def restored(stored: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    return {
        name: stored[name].astype(np.float32) * stored.get(name + SCALE, 1)
        for name in stored
        if not name.endswith(SCALE)
    }


def split_head(
    changes: dict[str, NDArray[np.float32]],
) -> tuple[dict[str, NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The transformer's changes, and the linear layer's (COLUMNS, width) weights and (COLUMNS,) bias."""
    body = {name.removeprefix("body."): one for name, one in changes.items() if name.startswith("body.")}
    return body, (changes["head.weight"], changes["head.bias"])
