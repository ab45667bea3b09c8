"""The reader: which sentences of the passages found answer the question, how sure that is, or that none does.

The cross-encoder judges a window of each of the best passages. Around it stand four small fitted parts (`reader.json`,
made by benchmarks/fit_reader.py): a linear ranking of the passages found, another one of those judged, gradient-boosted
trees (Friedman, Annals of Statistics 2001) that score their sentences, and a logistic regression whose output is the
confidence: the chance that the archive supports the answer.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from corpus.archive import Revision
from corpus.article import Span
from corpus.changes import stands
from retrieval.answer import Found
from retrieval.crossencoder import CrossEncoder
from retrieval.differing import Reported, Statement, differing
from retrieval.features import (
    CONFIDENCE_NAMES,
    PASSAGE_NAMES,
    RANK_NAMES,
    SENTENCE_NAMES,
    Asked,
    Seen,
    Window,
    confidence_features,
    coverage,
    passage_features,
    rank_features,
    runs,
    sentence_features,
    take_apart,
    window,
)
from retrieval.keywords import asked as asked_words
from retrieval.keywords import stems
from retrieval.models import Matrix
from retrieval.names import asks_for_office, office_holder
from retrieval.people import goes_by_name, sex
from retrieval.question import Question
from retrieval.roles import (
    Roles,
    asked_to_speak,
    done_to_another,
    is_speaker,
    of_another_nation,
    roles,
    turned_round,
)
from retrieval.speaker import attribution, leads, quotations, speaks

JUDGED = 12  # passages that the cross-encoder reads a window of: most of what a warm question costs
WINDOW = 360  # characters of it: about 75 tokens
PASSAGES = 8  # whose sentences are weighed
LENGTH_COST = 0.03  # of chance, for each further sentence of a quote: a quote is as short as it can be
BELONGS = 0.3  # a quote's first and last sentence each need this share of its best one's chance
AS_GOOD = 0.5  # a sentence that differs from the answer's needs this share of its chance
AS_FULL = 0.8  # and, with its headline, this share of the question's words that it covers
ADDS = 0.3  # a further citation needs this share of the first one's chance
REPEATS = 0.6  # and at most this share of its words in common with one already chosen
_WORDS_TELL = 0.5  # log odds on top of the trees, whose quiz questions share few words with answers
_SPEAKS = 1.5  # log odds on top of a sentence that has the words of the one whose words are asked for
_TURNED = 6.0  # log odds off a sentence in which the one asked about is not the one who acts
_PERSON = re.compile(r"[“\"'‘]?(?:But |And |Yet |So )?(?:he|she|they|his|her|their)\b", re.IGNORECASE)
_WHO_SAID = re.compile(r"\bwho (?:\w+ )?(?:said|says|told|claimed|warned|called|announced|promised)\b", re.IGNORECASE)
_BOLD = 0.0  # words that answer are told where they score so far above "no answer"

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """A quote that answers: consecutive sentences of one passage."""

    revision: Revision
    span: Span  # in characters of the article's text
    chance: float  # 0..1 that it holds the answer, if the archive does
    answer: Span | None = None  # the words in it that answer, in characters of the article's text


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of the passages found."""

    sure: bool
    confidence: float  # 0..1: the chance that the archive supports the answer
    choices: tuple[Choice, ...]  # from different articles, best first
    ranked: tuple[Found, ...]  # the passages, best first
    differing: tuple[Reported, ...] = ()  # the first choice's figure, then those that other articles give
    explained: Mapping[str, object] = field(default_factory=dict)
    perhaps: Choice | None = None  # what may be meant, where it is not sure
    near: bool = True  # whether the matter is in the archive at all


class Reader(Protocol):
    """Anything that picks quotes from passages."""

    def read(self, question: Question, found: Sequence[Found]) -> Reading: ...


class Weigh(Protocol):
    """Inverse document frequencies of stems."""

    def __call__(self, words: list[str]) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Fitted:
    """The numbers of `reader.json`."""

    passage: Vector  # one weight for each of PASSAGE_NAMES
    rank: Vector  # one weight for each of RANK_NAMES
    trees: "Trees"
    confidence: Vector  # one weight for each of CONFIDENCE_NAMES, then the intercept
    threshold: float  # below this confidence there is no answer

    def to_json(self) -> dict[str, Any]:
        return {
            "names": [PASSAGE_NAMES, RANK_NAMES, SENTENCE_NAMES, CONFIDENCE_NAMES],
            "passage": self.passage.tolist(),
            "rank": self.rank.tolist(),
            "trees": self.trees.to_json(),
            "confidence": self.confidence.tolist(),
            "threshold": self.threshold,
        }


@dataclass(frozen=True)
class Trees:
    """Regression trees as arrays (trees, nodes): go left where the feature is at most the threshold."""

    feature: NDArray[np.intp]  # -1 in a leaf
    threshold: Vector
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    value: Vector
    start: float  # the sum begins here

    @cached_property
    def depth(self) -> int:
        return -(-int(self.feature.shape[1]) // 2)  # of a binary tree with so many nodes, at most

    def __call__(self, rows: Matrix) -> Vector:
        """Log odds, one a row."""
        tree = np.arange(self.feature.shape[0])[None, :]
        node = np.zeros((len(rows), self.feature.shape[0]), np.intp)
        for _ in range(self.depth):
            feature = self.feature[tree, node]
            if (feature < 0).all():
                break
            goes_left = np.take_along_axis(rows, np.maximum(feature, 0), 1) <= self.threshold[tree, node]
            following = np.where(goes_left, self.left[tree, node], self.right[tree, node])
            node = np.where(feature < 0, node, following)
        return np.asarray(self.start + self.value[tree, node].sum(axis=1))

    def to_json(self) -> dict[str, Any]:
        names = ("feature", "threshold", "left", "right", "value")
        return {**{name: getattr(self, name).tolist() for name in names}, "start": self.start}


def load_fitted() -> Fitted:
    """The fitted numbers that come with the package."""
    return fitted_from_json(json.loads((files("retrieval") / "reader.json").read_text("utf-8")))


def fitted_from_json(row: Mapping[str, Any]) -> Fitted:
    names = [list(PASSAGE_NAMES), list(RANK_NAMES), list(SENTENCE_NAMES), list(CONFIDENCE_NAMES)]
    if row["names"] != names:
        raise ValueError("reader.json was fitted for other features. Run: python -m benchmarks.fit_reader")
    tree = row["trees"]
    trees = Trees(
        feature=np.array(tree["feature"], np.intp),
        threshold=np.array(tree["threshold"], np.float64),
        left=np.array(tree["left"], np.intp),
        right=np.array(tree["right"], np.intp),
        value=np.array(tree["value"], np.float64),
        start=tree["start"],
    )
    return Fitted(np.array(row["passage"]), np.array(row["rank"]), trees, np.array(row["confidence"]), row["threshold"])


@dataclass(frozen=True)
class Looked:
    """The passages found for one question, those judged first; nothing later needs a model."""

    asked: Asked
    seen: list[Seen]  # best first, by what was found of them
    rows: Matrix  # (passages, PASSAGE_NAMES)
    windows: list[Window]  # of the first of them


@dataclass(frozen=True)
class Evidence:
    """All that is looked at for one question; what the parts are fitted on."""

    asked: Asked
    ranked: list[Found]
    passage_rows: Matrix  # (passages, PASSAGE_NAMES), ranked
    rank_rows: Matrix  # (judged, RANK_NAMES), ranked
    windows: list[Window]  # the first PASSAGES of them
    picked: list[tuple[int, int]]  # (window, sentence of its passage)
    sentence_rows: Matrix  # (picked, SENTENCE_NAMES)
    turned: Vector  # (picked,) 1 where it tells of the one asked about as the other party, or of another nation's
    spoken: Vector  # (picked,) 1 where it has the words of the one asked about, or those asked about; -1: another's
    shows: Vector  # (picked,) 1 where it shows the person whose words are asked for to speak or act; or none is

    @property
    def seen(self) -> list[Seen]:
        return [one.seen for one in self.windows]


class FittedReader:
    """The default reader."""

    def __init__(
        self,
        fitted: Fitted,
        weigh: Weigh,
        crossencoder: Callable[[], CrossEncoder],
        threshold: float | None,
        judged: int = JUDGED,
    ) -> None:
        self._fitted = fitted
        self._weigh = weigh
        self._crossencoder = crossencoder
        self._threshold = fitted.threshold if threshold is None else threshold
        self._judged = judged

    def read(self, question: Question, found: Sequence[Found]) -> Reading:
        if not found:
            return Reading(False, 0.0, (), ())
        evidence = arrange(self._fitted.rank, self.look(question, found))
        odds = sentence_odds(self._fitted.trees, evidence)
        chances = run_chances(evidence, odds)
        confidence = logistic(self._confidence_odds(evidence, odds, chances))
        return Reading(
            sure=confidence >= self._threshold and bool(chances),
            confidence=confidence,
            choices=tuple(choose(evidence, chances)),
            ranked=tuple(evidence.ranked),
            differing=differ(evidence, odds, chances[0]) if chances else (),
            explained=_explained(evidence, odds, self._threshold),
        )

    def look(self, question: Question, found: Sequence[Found]) -> Looked:
        """Ranks by what was found and has the best passages judged."""
        asked = take_apart(question.text, self._weigh(asked_words(question.text)), question.today)
        seen = [Seen(one) for one in found]
        rows = passage_features(asked, seen)
        order = np.argsort(-(rows @ self._fitted.passage), kind="stable")
        seen = [seen[n] for n in order]
        return Looked(asked, seen, rows[order], self._judge(asked, seen[: self._judged]))

    def _judge(self, asked: Asked, seen: Sequence[Seen]) -> list[Window]:
        who = asked_to_speak(asked.text)
        runs = [window(asked, one.sets, one.passage.sentences, WINDOW, _from_their_words(who, one)) for one in seen]
        parts = [
            (one.passage.article.title, one.passage.article.text[slice(*_span(one, run))])
            for one, run in zip(seen, runs, strict=True)
        ]
        judged = self._crossencoder().judge(asked.text, parts)
        return [Window(one, *run, what) for one, run, what in zip(seen, runs, judged, strict=True)]

    def _confidence_odds(self, evidence: Evidence, odds: Vector, chances: Sequence["Run"]) -> float:
        if not chances:
            return -math.inf
        row = confidence_row(evidence, odds, chances, self._fitted.passage)
        known = float(row @ self._fitted.confidence[:-1] + self._fitted.confidence[-1])
        spoken = float(said(evidence)[int(np.argmax(odds))])  # what somebody says has no few words that answer
        return known + spoken - _TURNED * misled(evidence, odds)


def _from_their_words(who: Sequence[str], one: Seen) -> Span | None:
    """The sentences from the first that has the words of the one whose words are asked for; None where none has."""
    text, places = one.passage.article.text, one.passage.sentences
    if not any(any(word in sentence for word in who[-1:]) for sentence in one.sentences):
        return None
    for n, place in enumerate(places):
        if (said := attribution(text, place)) is not None and is_speaker(who, said.speaker):
            return n, len(places) - 1
    return None


def arrange(weights: Vector, looked: Looked) -> Evidence:
    """Ranks the judged passages anew, the others stay behind them, and lines up the sentences of the best."""
    judged = len(looked.windows)
    rank_rows = rank_features(looked.rows[:judged], looked.windows)
    scores = rank_rows @ weights
    first = np.argsort(-scores, kind="stable")
    order = [*first.tolist(), *range(judged, len(looked.seen))]
    windows = [looked.windows[n] for n in first[:PASSAGES]]
    picked = [(p, s) for p, one in enumerate(windows) for s in range(one.first, one.last + 1)]
    wanted, seen = roles(looked.asked.text), [one.seen for one in windows]
    who = asked_to_speak(looked.asked.text)
    person = goes_by_name(who, [one.passage.text for one in looked.seen])
    spoken = np.maximum(spoken_by(who, person, seen, picked), of_quotation(looked.asked.text, seen, picked))
    spoken = np.maximum(spoken, in_office(looked.asked.text, seen, picked))
    return Evidence(
        asked=looked.asked,
        ranked=[looked.seen[n].found for n in order],
        passage_rows=looked.rows[order],
        rank_rows=rank_rows[first],
        windows=windows,
        picked=picked,
        sentence_rows=sentence_features(looked.asked, windows, scores[first[:PASSAGES]].tolist(), picked),
        turned=np.array([_other_party(looked.asked.text, wanted, seen[p].sentences[s]) for p, s in picked], np.float64),
        spoken=spoken,
        shows=np.maximum(spoken, shown(who, seen, picked)) if person else np.ones(len(picked)),
    )


def _other_party(question: str, wanted: Roles | None, sentence: str) -> bool:
    return (
        turned_round(wanted, sentence) or of_another_nation(question, sentence) or done_to_another(question, sentence)
    )


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive sentences of one passage and the chance that one of them holds the answer, less their cost."""

    chance: float
    passage: int
    first: int
    last: int


def sentence_odds(trees: Trees, evidence: Evidence) -> Vector:
    """Log odds that each sentence holds the answer."""
    rows = evidence.sentence_rows
    told = trees(rows) + _WORDS_TELL * (rows[:, SENTENCE_NAMES.index("coverage")] - 0.3)
    return np.asarray(told + said(evidence) - _TURNED * evidence.turned, np.float64)


def said(evidence: Evidence) -> Vector:
    """(picked,) log odds on top of a sentence, or off it, for who speaks in it."""
    return np.where(evidence.spoken < 0, _TURNED, _SPEAKS) * evidence.spoken


def spoken_by(who: Sequence[str], person: bool, seen: Sequence[Seen], picked: Sequence[tuple[int, int]]) -> Vector:
    """(picked,) 1 where the article names the one asked about as the speaker of the sentence.

    -1 where it names another, and a person was asked about, who says nothing in it. For a country or a company anybody
    may speak.
    """
    is_theirs = is_person if person else is_speaker
    spoken = np.zeros(len(picked))
    for n, (p, s) in enumerate(picked if who else ()):
        text, place = seen[p].passage.article.text, seen[p].passage.sentences[s]
        found = attribution(text, place)
        if found is not None and is_theirs(who, found.speaker):
            spoken[n] = 1
        elif found is not None and person:
            spoken[n] = -1 * (not any(is_person(who, one) for one in speaks(text, place)))
    return spoken


def of_quotation(question: str, seen: Sequence[Seen], picked: Sequence[tuple[int, int]]) -> Vector:
    """(picked,) 1 where a sentence has the words of which a question asks, in quotation marks, who said them."""
    asked = quotations(question) if _WHO_SAID.search(question) else []
    return np.array([any(stands(one, seen[p].sentences[s]) for one in asked) for p, s in picked], np.float64)


def in_office(question: str, seen: Sequence[Seen], picked: Sequence[tuple[int, int]]) -> Vector:
    """(picked,) 1 where a sentence gives the office of which a question asks who holds it to somebody by name."""
    asks = asks_for_office(question)
    return np.array([asks and office_holder(question, seen[p].sentences[s]) is not None for p, s in picked], np.float64)


def is_person(who: Sequence[str], speaker: str) -> bool:
    """Whether the article's words are for a person: by surname, but Melania Trump is not Donald Trump."""
    sexes = {sex(name, (0, len(name))) for name in (" ".join(who), speaker)} - {""}
    return is_speaker(who[-1:], speaker) and len(sexes) < 2


def shown(who: Sequence[str], seen: Sequence[Seen], picked: Sequence[tuple[int, int]]) -> Vector:
    """(picked,) 1 where a person may be the subject of a sentence, by name or as the "he" that it begins with."""
    name = who[-1:]
    has = [
        [leads(one.passage.article.text, place, lambda word: is_speaker(name, word)) for place in one.passage.sentences]
        for one in seen
    ]
    return np.array(
        [has[p][s] or (s > 0 and has[p][s - 1] and bool(_PERSON.match(seen[p].sentences[s]))) for p, s in picked],
        np.float64,
    )


def misled(evidence: Evidence, odds: Vector) -> bool:
    """Whether what shares most words with the question tells of the one asked about as the other party."""
    shared = evidence.sentence_rows[:, SENTENCE_NAMES.index("coverage")]
    return bool((evidence.turned * shared).max() > shared[int(np.argmax(odds))])


def run_chances(evidence: Evidence, odds: Vector) -> list[Run]:
    """Every possible quote, best first. Sentences are taken as independent, so that more of them hold more.

    Which sentences belong to one is told by what they hold: who speaks picks a quote and does not cut it short. Where
    a person's words are asked for, one that only mentions them, or does not, is none.
    """
    chance = {place: logistic(float(one)) for place, one in zip(evidence.picked, odds, strict=True)}
    holds = odds - _SPEAKS * np.maximum(evidence.spoken, 0)
    shows = {place for place, one in zip(evidence.picked, evidence.shows, strict=True) if one > 0}
    alone = {place: logistic(float(one)) for place, one in zip(evidence.picked, holds, strict=True)}
    found = []
    for p, one in enumerate(evidence.seen):
        for first, last in runs(one):
            parts = [chance.get((p, s), 0.0) for s in range(first, last + 1)]
            each = [alone.get((p, s), 0.0) for s in range(first, last + 1)]
            theirs = any((p, s) in shows for s in range(first, last + 1))
            if theirs and min(each[0], each[-1]) > BELONGS * max(each) * (last > first):
                missed = math.prod(1 - part for part in parts)
                found.append(Run(1 - missed - LENGTH_COST * (last - first), p, first, last))
    return sorted(found, key=lambda run: -run.chance)


def choose(evidence: Evidence, chances: Sequence[Run], most: int = 3) -> list[Choice]:
    """The best quote, and those of other articles, no copies of it, that add something to it."""
    chosen: list[tuple[Run, frozenset[str]]] = []
    for run in chances:
        one = evidence.seen[run.passage]
        words = frozenset().union(*one.sets[run.first : run.last + 1])
        if not chosen or (_adds(run, words, chosen) and _source(evidence, run) not in _sources(evidence, chosen)):
            chosen.append((run, words))
        if len(chosen) == most:
            break
    return [_choice(evidence, run) for run, _ in chosen]


def _adds(run: Run, words: frozenset[str], chosen: Sequence[tuple[Run, frozenset[str]]]) -> bool:
    if run.chance < ADDS * chosen[0][0].chance:
        return False
    return all(len(words & other) <= REPEATS * min(len(words), len(other)) for _, other in chosen)


def _sources(evidence: Evidence, chosen: Sequence[tuple[Run, frozenset[str]]]) -> set[object]:
    return {_source(evidence, run) for run, _ in chosen}


def _source(evidence: Evidence, run: Run) -> object:
    return evidence.seen[run.passage].found.source


def _article(evidence: Evidence, run: Run) -> str:
    return evidence.seen[run.passage].passage.article.url


def _choice(evidence: Evidence, run: Run) -> Choice:
    one = evidence.seen[run.passage]
    if _WHO_SAID.search(evidence.asked.text):
        run = _told_by_one(evidence.asked, one, run)
    span = _span(one, with_name(one, run.first, run.last))
    return Choice(
        one.found.stored.revision, span, run.chance, answering(evidence.asked, evidence.windows[run.passage], run)
    )


def _told_by_one(asked: Asked, one: Seen, run: Run) -> Run:
    """For "who said ...?": of sentences that together name no speaker, the one nearest the question that does."""
    text, places = one.passage.article.text, one.passage.sentences
    if attribution(text, _span(one, (run.first, run.last))) is not None:
        return run
    named = [n for n in range(run.first, run.last + 1) if attribution(text, places[n]) is not None]
    best = max(named, key=lambda n: coverage(asked, one.sets[n]), default=None)
    return run if best is None else replace(run, first=best, last=best)


def answering(asked: Asked, window: Window, run: Run) -> Span | None:
    """The words of a quote that answer, where the model tells them from "no answer" and they are not the question's."""
    first, last = max(run.first, window.first), min(run.last, window.last)
    score, words = window.judged.answer((window.place(first)[0], window.place(last)[1]))
    place = window.words(words)
    text = window.seen.passage.article.text[slice(*place)]
    if asks_for_office(asked.text):
        holder = _office_holder(asked.text, window.seen, run)
        if holder or asked.names:  # whose office it is: of another's president the model is as sure
            return holder
    return place if score > _BOLD and not asked.weights.keys() >= set(stems(text)) else None


def _office_holder(question: str, one: Seen, run: Run) -> Span | None:
    start, end = _span(one, (run.first, run.last))
    found = office_holder(question, one.passage.article.text[start:end])
    return (start + found[0], start + found[1]) if found else None


def with_name(one: Seen, first: int, last: int) -> Span:
    """A quote takes a neighbouring sentence along where that names who speaks, or whom "he" or "they" stands for."""
    for wider in ((first - 1, last), (first, last + 1)):
        if wider in runs(one) and _names_who(one, (first, last), wider) and _same_paragraph(one, *wider):
            return wider
    return first, last


def _names_who(one: Seen, run: Span, wider: Span) -> bool:
    """Whether the sentence that `wider` adds holds the words for the speaker, or stands before a pronoun."""
    if wider[0] < run[0] and _PERSON.match(one.sentences[run[0]]):
        return True
    said = attribution(one.passage.article.text, _span(one, run))
    if said is None:
        return False
    start, end = _span(one, run)
    first, last = _span(one, wider)
    return first <= said.mention[0] < last and not start <= said.mention[0] < end


def _span(one: Seen, run: Span) -> Span:
    return one.passage.sentences[run[0]][0], one.passage.sentences[run[1]][1]


def _same_paragraph(one: Seen, first: int, last: int) -> bool:
    return "\n" not in one.passage.article.text[slice(*_span(one, (first, last)))]


def differ(evidence: Evidence, odds: Vector, best: Run) -> tuple[Reported, ...]:
    """What the best quote gives, and what other articles give whose sentences answer as well."""
    places = [evidence.picked[n] for n in np.argsort(-odds, kind="stable")]
    chance = {place: logistic(float(one)) for place, one in zip(evidence.picked, odds, strict=True)}
    own = [(p, s) for p, s in places if p == best.passage and best.first <= s <= best.last]
    enough = AS_GOOD * max(chance[one] for one in own), AS_FULL * max(_covered(evidence, one) for one in own)
    others = [
        one
        for one in places
        if evidence.seen[one[0]].passage.article.url != _article(evidence, best)
        and chance[one] >= enough[0]
        and _covered(evidence, one) >= enough[1]
    ]
    return differing(
        evidence.asked, (_statement(evidence, one) for one in own), (_statement(evidence, one) for one in others)
    )


def _covered(evidence: Evidence, place: tuple[int, int]) -> float:
    one = evidence.seen[place[0]]
    return coverage(evidence.asked, one.sets[place[1]] | one.title)


def _statement(evidence: Evidence, place: tuple[int, int]) -> Statement:
    window = evidence.windows[place[0]]
    one, span = window.seen, window.seen.passage.sentences[place[1]]
    score, words = window.answers[place[1] - window.first]
    start, end = window.words(words)
    return Statement(
        revision=one.found.stored.revision,
        span=span,
        around=f"{one.passage.article.title}\n{one.passage.text}",
        answer=(start - span[0], end - span[0]) if score > _BOLD else None,
    )


def confidence_row(evidence: Evidence, odds: Vector, chances: Sequence[Run], weights: Vector) -> Vector:
    """The CONFIDENCE_NAMES of one question."""
    best = chances[0]
    other = next((run for run in chances if _source(evidence, run) != _source(evidence, best)), None)
    return confidence_features(
        passage_rows=evidence.passage_rows,
        weights=weights,
        rank_rows=evidence.rank_rows,
        sentence_row=evidence.sentence_rows[int(np.argmax(odds))],
        odds=float(odds.max()),
        chances=(best.chance, other.chance if other else 0.0),
        chosen=best.passage,
    )


def logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0


def load_reader(
    weigh: Weigh, crossencoder: Callable[[], CrossEncoder], threshold: float | None = None, judged: int = JUDGED
) -> Reader:
    """The default reader. `threshold` is the confidence below which it refuses; None is the fitted one."""
    return FittedReader(load_fitted(), weigh, crossencoder, threshold, judged)


def _explained(evidence: Evidence, odds: Vector, threshold: float) -> dict[str, object]:
    rows = [
        {
            "rank": rank,
            "score": found.score,
            "cosine": found.cosine,
            "bm25": found.bm25,
            "by_meaning": found.by_meaning,
            "by_keywords": found.by_keywords,
            "copies": len(found.copies),
            "relevance": float(evidence.rank_rows[rank - 1, RANK_NAMES.index("relevance")])
            if rank <= len(evidence.rank_rows)
            else None,
            "title": found.stored.revision.article.title,
            "text": found.stored.passage.text,
        }
        for rank, found in enumerate(evidence.ranked[:10], 1)
    ]
    sentences = [
        {
            "text": evidence.seen[p].sentences[s],
            "score": logistic(float(odds[n])),
            "words": evidence.windows[p].said(s),
            "features": dict(zip(SENTENCE_NAMES, map(float, evidence.sentence_rows[n]), strict=True)),
        }
        for n, (p, s) in enumerate(evidence.picked)
    ]
    best = sorted(sentences, key=lambda row: -float(str(row["score"])))[:8]
    return {"found": rows, "sentences": best, "threshold": threshold}
