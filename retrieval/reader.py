"""The reader: which sentence of the passages found answers the question, how sure that is, or that none does.

One model reads the question with each whole passage. The sentences of all of them, and "none of them", compete in one
softmax; on top of what the model says of a sentence stand a few numbers in a linear layer (decision.py). The quote is
the run of sentences that holds most of the chance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from corpus.archive import Revision
from corpus.article import Span
from corpus.sentences import language
from retrieval.answer import Found
from retrieval.asked import Asked, take_apart
from retrieval.crossencoder import CrossEncoder, Judged
from retrieval.decision import FEATURES, Decision, Matrix, Vector, features, load_decision, share, shortened
from retrieval.differing import Reported, Statement, differing
from retrieval.keywords import stems
from retrieval.pairs import head
from retrieval.question import Question
from retrieval.roles import Roles, done_to_another, of_another_nation, roles, turned_round

JUDGED = 12  # passages that the model reads: most of what a warm question costs
MOST_WORDS = 60  # of a quote, unless one sentence alone is longer
MOST_SENTENCES = 3
TURNED = (
    6.0  # log odds off a sentence that tells of another than the one asked about: the model still takes some of them
)
LENGTH_COST = 0.15  # of the best sentence's chance, for each further sentence: a quote is as short as it can be
REPEATS = 0.6  # of its words that a further citation may have in common with one already chosen, at most
AS_GOOD = 0.5  # a sentence that differs from the answer's needs this share of its odds
AS_FULL = 0.8  # and, with its headline, this share of the question's words that it covers
_ENDS = ".!?…:;”\"’')»"  # the last character of a sentence; a headline, a caption or a link has another


@dataclass(frozen=True, slots=True)
class Choice:
    """A quote that answers: consecutive sentences of one passage."""

    revision: Revision
    span: Span  # in characters of the article's text
    chance: float  # 0..1 that it answers
    answer: Span | None = None  # the words in it that answer, in characters of the article's text


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of the passages found."""

    sure: bool
    confidence: float  # 0..1: the chance that the first quote answers
    choices: tuple[Choice, ...]  # from different articles, best first
    ranked: tuple[Found, ...]  # the passages, best first
    differing: tuple[Reported, ...] = ()  # the first choice's figure, then those that other articles give
    explained: Mapping[str, object] = field(default_factory=dict)
    perhaps: Choice | None = None  # where it is not sure and something may be meant
    near: bool = True  # whether the matter is in the archive at all


class Reader(Protocol):
    """Anything that picks quotes from passages."""

    def read(self, question: Question, found: Sequence[Found]) -> Reading: ...


class Read:
    """One passage that the model has read: its sentences, their words, what the model says of each."""

    def __init__(self, found: Found, judged: Judged) -> None:
        self.found, self.judged = found, judged
        self.passage = found.stored.passage
        self.article = self.passage.article
        self.sentences = [self.article.text[start:end] for start, end in self.passage.sentences]
        self.odds = [judged.of_sentence(self.place(n)) for n in range(len(self.sentences))]
        self.answers = [judged.answer(self.place(n)) for n in range(len(self.sentences))]

    @cached_property
    def sets(self) -> list[frozenset[str]]:
        """Stems of each sentence."""
        return [frozenset(stems(sentence)) for sentence in self.sentences]

    @cached_property
    def title(self) -> frozenset[str]:
        return frozenset(stems(self.article.title))

    @property
    def source(self) -> object:
        return self.found.source

    @cached_property
    def english(self) -> bool:
        return language(self.article.text) == "en"

    def covers(self, asked: Asked) -> float:
        """Share of the question that it has with its headline; where not in English, by the beginnings of words."""
        if self.english:
            return asked.covered(self.title.union(*self.sets))
        return share(shortened(asked.text), shortened(f"{self.article.title}\n{self.passage.text}"))

    def place(self, n: int) -> Span:
        """Of a sentence, in characters of the passage."""
        start, end = self.passage.sentences[n]
        return start - self.passage.start, end - self.passage.start

    def span(self, first: int, last: int) -> Span:
        """Of a run of sentences, in characters of the article."""
        return self.passage.sentences[first][0], self.passage.sentences[last][1]

    def words(self, span: Span) -> Span:
        """A span of the passage in characters of the article."""
        return self.passage.start + span[0], self.passage.start + span[1]


@dataclass(frozen=True)
class Evidence:
    """All sentences that were read for one question; nothing later needs a model."""

    question: Question
    asked: Asked
    read: list[Read]  # in the search's order
    picked: list[tuple[int, int]]  # (passage, sentence of it)
    rows: Matrix  # (picked, FEATURES)

    @property
    def turned(self) -> Vector:
        """(picked,) 1 where a sentence tells of the one asked about as the other party, or of another nation's."""
        wanted = roles(self.question.text)
        return np.array(
            [_of_another(self.question.text, wanted, self.read[p].sentences[s]) for p, s in self.picked], float
        )


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive sentences of one passage."""

    chance: float  # that one of them answers, of all that was read and "none"
    passage: int
    first: int
    last: int


class JointReader:
    """The default reader."""

    def __init__(
        self,
        decision: Decision,
        crossencoder: Callable[[], CrossEncoder],
        threshold: float | None,
        judged: int = JUDGED,
    ) -> None:
        self._decision = decision
        self._crossencoder = crossencoder
        self._threshold = decision.sure if threshold is None else threshold
        self._judged = judged

    def read(self, question: Question, found: Sequence[Found]) -> Reading:
        if not found:
            return Reading(False, 0.0, (), (), near=False)
        evidence = self.look(question, found)
        odds = without(self._decision.odds(evidence.rows), evidence.turned)
        best = [run for run in runs(evidence, odds) if run.chance > 0]
        confidence = confident(self._decision, evidence, odds, best[0]) if best else 0.0
        sure = confidence >= self._threshold and bool(best)
        unsure = not sure and confidence >= self._decision.perhaps and bool(best)
        return Reading(
            sure=sure,
            confidence=confidence,
            choices=tuple(choices(self._decision, evidence, odds)) if sure else (),
            ranked=ranked(evidence, odds, found),
            differing=differ(evidence, odds, best[0]) if sure else (),
            explained=_explained(evidence, odds, self._threshold),
            perhaps=_choice(evidence, best[0], None) if unsure else None,
            near=max(one.covers(evidence.asked) for one in evidence.read) >= self._decision.matter,
        )

    def look(self, question: Question, found: Sequence[Found]) -> Evidence:
        """Has the first passages read."""
        asked = take_apart(question.text)
        parts = [(head(one.stored.passage.article.title, _day(one)), one.stored.passage.text) for one in found]
        judged = self._crossencoder().judge(question.text, parts[: self._judged])
        read = [Read(*pair) for pair in zip(found, judged, strict=False)]
        picked = [(p, s) for p, one in enumerate(read) for s in range(len(one.sentences))]
        return Evidence(question, asked, read, picked, features(question, read, picked))


def without(odds: Vector, turned: Vector) -> Vector:
    """Odds less those that tell of another. What chance these had goes to "none", not to the sentences beside them."""
    left = odds - TURNED * turned
    return np.asarray(left - np.log1p((np.exp(odds) - np.exp(left)).sum()), np.float64)


def confident(decision: Decision, evidence: Evidence, odds: Vector, run: Run) -> float:
    return decision.confidence(odds, run.chance, float(not evidence.read[run.passage].english))


def choices(decision: Decision, evidence: Evidence, odds: Vector, most: int = 3) -> list[Choice]:
    """The best quote, and of other articles, no copies of it, what would be an answer were the first not there."""
    chosen: list[Run] = []
    rest = odds
    while len(chosen) < most:
        adds = [run for run in runs(evidence, rest) if run.chance > 0 and _is_new(evidence, run, chosen)]
        if not adds or (chosen and confident(decision, evidence, rest, adds[0]) < decision.further):
            break
        chosen.append(adds[0])
        sources = {evidence.read[run.passage].source for run in chosen}
        rest = np.where([evidence.read[p].source in sources for p, _ in evidence.picked], -np.inf, odds)
    return [_choice(evidence, run, decision.bold) for run in chosen]


def _of_another(question: str, wanted: Roles | None, sentence: str) -> bool:
    return (
        turned_round(wanted, sentence) or of_another_nation(question, sentence) or done_to_another(question, sentence)
    )


def runs(evidence: Evidence, odds: Vector) -> list[Run]:
    """Every possible quote, best first: by its chance, less what its length costs."""
    every = np.exp(odds - np.logaddexp.reduce([0.0, *odds]))
    chance = dict(zip(evidence.picked, every.tolist(), strict=True))
    found = []
    for p, one in enumerate(evidence.read):
        for first, last in quotable(one.sentences):
            parts = [chance[p, s] for s in range(first, last + 1)]
            worth = sum(parts) - LENGTH_COST * max(parts) * (last - first)
            found.append((worth, Run(sum(parts), p, first, last)))
    return [run for _, run in sorted(found, key=lambda pair: -pair[0])]


def quotable(sentences: Sequence[str]) -> list[tuple[int, int]]:
    """Runs [first, last] of one to three sentences that a quote may be: 60 words, or one long sentence.

    A headline, a caption or a link may open one, as the headline of what follows, but stands in none.
    """
    lengths = [len(sentence.split()) for sentence in sentences]
    ends = [sentence.endswith(tuple(_ENDS)) for sentence in sentences]
    return [
        (first, last)
        for first in range(len(lengths))
        for last in range(first, min(first + MOST_SENTENCES, len(lengths)))
        if last == first or (all(ends[first + 1 : last + 1]) and sum(lengths[first : last + 1]) <= MOST_WORDS)
    ]


def ranked(evidence: Evidence, odds: Vector, found: Sequence[Found]) -> tuple[Found, ...]:
    """The passages by their best sentence, then those that were not read."""
    best = np.full(len(evidence.read), -np.inf)
    np.maximum.at(best, [p for p, _ in evidence.picked], odds)
    order = np.argsort(-best, kind="stable")
    return (*(evidence.read[n].found for n in order), *found[len(evidence.read) :])


def _is_new(evidence: Evidence, run: Run, chosen: Sequence[Run]) -> bool:
    own = _words(evidence, run)
    return all(
        len(own & other) <= REPEATS * min(len(own), len(other))
        for other in (_words(evidence, earlier) for earlier in chosen)
    )


def _words(evidence: Evidence, run: Run) -> frozenset[str]:
    return frozenset().union(*evidence.read[run.passage].sets[run.first : run.last + 1])


def _choice(evidence: Evidence, run: Run, bold: float | None) -> Choice:
    one = evidence.read[run.passage]
    answer = None if bold is None else answering(evidence.asked, one, run, bold)
    return Choice(one.found.stored.revision, one.span(run.first, run.last), run.chance, answer)


def answering(asked: Asked, one: Read, run: Run, bold: float) -> Span | None:
    """The words of a quote that answer, where the model is all but certain and they are not the question's."""
    score, words = one.judged.answer((one.place(run.first)[0], one.place(run.last)[1]))
    place = one.words(words)
    known = asked.weights.keys() >= set(stems(one.article.text[slice(*place)]))
    return place if score > bold and not known else None


def differ(evidence: Evidence, odds: Vector, best: Run) -> tuple[Reported, ...]:
    """What the best quote gives, and what other articles give whose sentences answer as well."""
    places = [evidence.picked[n] for n in np.argsort(-odds, kind="stable")]
    odd = dict(zip(evidence.picked, odds.tolist(), strict=True))
    own = [(p, s) for p, s in places if p == best.passage and best.first <= s <= best.last]
    enough = max(odd[one] for one in own) + np.log(AS_GOOD), AS_FULL * max(_covered(evidence, one) for one in own)
    others = [
        one
        for one in places
        if evidence.read[one[0]].article.url != evidence.read[best.passage].article.url
        and odd[one] >= enough[0]
        and _covered(evidence, one) >= enough[1]
    ]
    return differing(
        evidence.asked, (_statement(evidence, one) for one in own), (_statement(evidence, one) for one in others)
    )


def _covered(evidence: Evidence, place: tuple[int, int]) -> float:
    one = evidence.read[place[0]]
    return evidence.asked.covered(one.sets[place[1]] | one.title)


def _statement(evidence: Evidence, place: tuple[int, int]) -> Statement:
    one, span = evidence.read[place[0]], evidence.read[place[0]].passage.sentences[place[1]]
    score, words = one.answers[place[1]]
    start, end = one.words(words)
    return Statement(
        revision=one.found.stored.revision,
        span=span,
        around=f"{one.article.title}\n{one.passage.text}",
        answer=(start - span[0], end - span[0]) if score > 0 else None,
    )


def _day(found: Found) -> str:
    published = found.stored.revision.article.published
    return published.date().isoformat() if published else ""


def load_reader(
    crossencoder: Callable[[], CrossEncoder], threshold: float | None = None, judged: int = JUDGED
) -> Reader:
    """The default reader. `threshold` is the confidence below which it refuses; None is the fitted one."""
    return JointReader(load_decision(), crossencoder, threshold, judged)


def _explained(evidence: Evidence, odds: Vector, threshold: float) -> dict[str, object]:
    chances = np.exp(odds - np.logaddexp.reduce([0.0, *odds]))
    best = np.argsort(-odds, kind="stable")[:8]
    rows = [
        {
            "rank": rank,
            "score": one.found.score,
            "cosine": one.found.cosine,
            "bm25": one.found.bm25,
            "by_meaning": one.found.by_meaning,
            "by_keywords": one.found.by_keywords,
            "copies": len(one.found.copies),
            "relevance": one.judged.relevance,
            "title": one.article.title,
            "text": one.passage.text,
        }
        for rank, one in enumerate(evidence.read[:10], 1)
    ]
    sentences = [
        {
            "text": evidence.read[p].sentences[s],
            "score": float(chances[n]),
            "words": evidence.read[p].article.text[slice(*evidence.read[p].words(evidence.read[p].answers[s][1]))],
            "features": dict(zip(FEATURES, map(float, evidence.rows[n]), strict=True)),
        }
        for n, (p, s) in ((int(n), evidence.picked[int(n)]) for n in best)
    ]
    return {"found": rows, "sentences": sentences, "none": float(1 - chances.sum()), "threshold": threshold}
