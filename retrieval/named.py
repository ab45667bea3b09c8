"""Other models in the place of parts of ours, by name: a cross-encoder that ranks, one that points at words."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from corpus.article import Span
from retrieval.crossencoder import CrossEncoder, Judged
from retrieval.models import Matrix

Rank = Callable[[Sequence[tuple[str, str]]], Matrix]  # (question, text) pairs to a score each


# For a question and texts, a text: the tokens' places, (tokens, 2) scores of start and end, that of "no answer"
Point = Callable[[str, Sequence[str]], Sequence[tuple[Sequence[Span], Matrix, float]]]


class Ranked:
    """Another model's order of the passages, on the scale of ours: what was fitted after it expects that scale."""

    def __init__(self, ours: CrossEncoder, rank: Rank) -> None:
        self._ours, self._rank = ours, rank

    def judge(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Judged]:
        judged = self._ours.judge(question, passages)
        if not judged:
            return []
        own = np.array([one.relevance for one in judged])
        theirs = np.asarray(self._rank([(question, head + text) for head, text in passages]), np.float64)
        scaled = own.mean() + own.std() * (theirs - theirs.mean()) / (theirs.std() + 1e-9)
        return [_moved(one, float(score)) for one, score in zip(judged, scaled, strict=True)]


def _moved(judged: Judged, relevance: float) -> Judged:
    return replace(judged, relevance=relevance, beside=judged.beside + relevance - judged.relevance)


class Pointing:
    """Another model's words; whether a sentence holds the answer is still judged by ours."""

    def __init__(self, ours: CrossEncoder, point: Point) -> None:
        self._ours, self._point = ours, point

    def judge(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Judged]:
        pointed = self._point(question, [text for _, text in passages]) if passages else []
        return [_merged(*pair) for pair in zip(self._ours.judge(question, passages), pointed, strict=True)]


def _merged(ours: Judged, theirs: tuple[Sequence[Span], Matrix, float]) -> Judged:
    places, scores, nothing = theirs
    starts = [place[0] for place in places]
    token = np.clip(np.searchsorted(ours.starts, starts, side="right") - 1, 0, max(len(ours.places) - 1, 0))
    evidence = ours.evidence[token] if len(ours.places) else np.full(len(starts), -20.0, np.float32)
    return Judged(ours.relevance, ours.beside, nothing, places, scores[:, 0], scores[:, 1], evidence)
