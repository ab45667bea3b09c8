"""What can be seen of a passage, or of a run of sentences, for a question: the numbers that the reader weighs.

Each function returns one row of features an object, in the order of its NAMES. They are computed from stems,
vectors and offsets; nothing here is fitted.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corpus.archive import NEVER_DATED
from corpus.article import Span
from retrieval.answer import Found
from retrieval.crossencoder import Judged
from retrieval.keywords import asked, stems
from retrieval.models import Matrix
from retrieval.nations import with_nations

MOST_WORDS = 60  # of a quote, unless one sentence alone is longer
MOST_SENTENCES = 3
THIS_WEEK = 8  # days
UNDATED_AGE = 3_650  # days: an article without a date counts as an old one

KINDS = ("person", "place", "number", "date", "reason", "quotation", "thing")
_ASKS = {
    "person": r"\bwho(m|se)?\b|\b(which|what) (\w+ ){0,3}?(person|man|woman|president|minister|leader|senator|actor"
    r"|actress|singer|star|player|athlete|coach|author|official|spokes\w+|politician|judge|celebrity|ceo|rapper|director)\b",
    "place": r"\bwhere\b|\b(which|what|in which|to which) (\w+ ){0,2}?(country|countries|nation|city|cities|state"
    r"|states|continent|place|town|region|county|island|province|capital|river|airport|location|venue)\b",
    "number": r"\bhow (many|much|old|long|far|big|tall|high|large|often|fast|heavy)\b|\b(what|which) (\w+ ){0,2}?"
    r"(percent\w*|number|share|amount|age|price|cost|score|rate|sum|proportion|magnitude|figure)\b",
    "date": r"\bwhen\b|\b(what|which) (\w+ ){0,1}?(year|date|day|month|week|time|decade|century)\b",
    "reason": r"\bwhy\b|\bwhat (was|is|were) (the |one )?(\w+ )?(reason|cause|motive)|\bwhat caused\b|\bhow come\b",
    "quotation": r"\b(did|does|has|have) [\w .'’-]+? (say|said|tell|told|call|called|describe|described|demand|demanded"
    r"|claim|claimed|warn|warned|argue|promise|announce|respond|reply|comment|react|think|want)\b|\bwhat .*\bsaid\b",
}
_ASKS_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _ASKS.items()}

_NUMBER = re.compile(
    r"\d[\d,.]*|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?"
    r"|millions?|billions?|trillions?|half|third|quarter|percent|first|second|twice)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan\.|Feb\.|Aug\."
    r"|Sept\.|Oct\.|Nov\.|Dec\.|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b|\b(?:19|20)\d\d\b"
)
_REASON = re.compile(r"\b(?:because|due to|after|caused?|so that|in order to|reasons?|as a result|thanks to|over)\b")
_QUOTED = re.compile('[“"].{8,}?[”"]')
_SAID = re.compile(r"\b(?:said|says|told|demand\w*|called|according to|announced|warned|added|claimed|described)\b")
_NAME = re.compile(r"(?<![.!?“\"] )(?<!^)\b[A-Z][\w’'-]+")
_ENDS = re.compile(r"[.!?…:;][”\"’'»)\]]*\s*$|[”\"»]\s*$")
_PRONOUN = re.compile(r"^[“\"]?(?:he|she|it|they|this|that|these|those|but|and|his|her|their|its)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, taken apart once."""

    text: str
    weights: Mapping[str, float]  # stem -> inverse document frequency
    pairs: frozenset[tuple[str, str]]  # of stems that stand together
    names: frozenset[str]  # stems of capitalised words but the first
    kinds: tuple[float, ...]  # in the order of KINDS, 0 or 1
    today: date  # the day on which it is asked

    @property
    def total(self) -> float:
        return sum(self.weights.values()) or 1.0


def take_apart(question: str, weights: Mapping[str, float], today: date) -> Asked:
    """`weights` must hold the stems of `asked(question)`."""
    words = asked(question)
    kinds = [float(bool(pattern.search(question))) for pattern in _ASKS_PATTERNS.values()]
    return Asked(
        question,
        {word: weights[word] for word in words},
        frozenset(pairwise(words)),
        names_in(question) & frozenset(words),
        (*kinds, float(not any(kinds))),
        today,
    )


def names_in(text: str) -> frozenset[str]:
    """Stems of the capitalised words but the first of a sentence."""
    return frozenset(stem for name in _NAME.findall(text) for stem in stems(name))


def coverage(asked: Asked, words: frozenset[str]) -> float:
    """Share of the question's weight that stands in `words`."""
    return sum(weight for word, weight in asked.weights.items() if word in words) / asked.total


def window(
    asked: Asked, sets: Sequence[frozenset[str]], spans: Sequence[Span], most: int, only: Span | None = None
) -> Span:
    """The run [first, last] of sentences of at most `most` characters that shares most with the question.

    `sets` are the sentences' stems and `spans` their places in the text. Among equals the longest run wins, then
    the first: more context costs nothing within the limit. One sentence alone may be longer. `only` limits it to
    sentences [first, last].
    """
    low, high = only or (0, len(spans) - 1)
    weights = asked.weights
    best, key = (low, low), (-1.0, 0)
    for first in range(low, high + 1):
        words: set[str] = set()
        for last in range(first, high + 1):
            length = spans[last][1] - spans[first][0]
            if length > most and last > first:
                break
            words |= sets[last] & weights.keys()
            found = sum(weights[word] for word in words)
            if (found, length) > key:
                best, key = (first, last), (found, length)
    return best


class Seen:
    """One found passage with its words, each sentence's words, and its article's headline: cut up once."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.passage = found.stored.passage
        self.sentences = [self.passage.article.text[start:end] for start, end in self.passage.sentences]
        self.lists = [stems(sentence) for sentence in self.sentences]
        self.sets = [with_nations(words) for words in self.lists]

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset().union(*self.sets)

    @cached_property
    def title(self) -> frozenset[str]:
        return with_nations(stems(self.passage.article.title))


PASSAGE_NAMES = (
    "cosine", "cosine_gap", "bm25_share", "bm25_full", "bm25_gap", "rank_meaning", "rank_keywords", "coverage",
    "coverage_title", "coverage_both", "coverage_sentence", "coverage_two", "pairs", "names", "names_both",
    "article_best", "article_count", "beginning", "place", "kind_number", "kind_date", "kind_name", "length",
    "missing", "in_both", "age", "this_week",
)  # fmt: skip


def passage_features(asked: Asked, seen: Sequence[Seen]) -> Matrix:
    """(len(seen), len(PASSAGE_NAMES)); relative ones refer to the passages given."""
    if not seen:
        return np.zeros((0, len(PASSAGE_NAMES)), np.float32)
    most_bm25 = max(one.found.bm25 for one in seen) or 1.0
    most_cosine = max(one.found.cosine for one in seen)
    by_article: dict[int, list[float]] = {}
    for one in seen:
        by_article.setdefault(one.found.stored.revision.id, []).append(one.found.score)
    rows = [_passage_row(asked, one, most_bm25, most_cosine, by_article) for one in seen]
    return np.array(rows, np.float32)


def _passage_row(
    asked: Asked, one: Seen, most_bm25: float, most_cosine: float, by_article: Mapping[int, list[float]]
) -> list[float]:
    found, text = one.found, one.passage.text
    scores = sorted(by_article[found.stored.revision.id], reverse=True)
    others = scores[1:] if scores[0] == found.score else scores
    two = max((coverage(asked, a | b) for a, b in pairwise(one.sets)), default=0.0)
    best = max((coverage(asked, words) for words in one.sets), default=0.0)
    names = len(asked.names) or 1
    return [
        found.cosine,
        most_cosine - found.cosine,
        found.bm25 / most_bm25,
        found.bm25 / (2.2 * asked.total),
        (most_bm25 - found.bm25) / (2.2 * asked.total),
        _reciprocal(found.by_meaning),
        _reciprocal(found.by_keywords),
        coverage(asked, one.words),
        coverage(asked, one.title),
        coverage(asked, one.words | one.title),
        best,
        max(two, best),
        _pairs(asked, one.lists),
        len(asked.names & one.words) / names,
        len(asked.names & (one.words | one.title)) / names,
        others[0] if others else 0.0,
        min(len(scores), 5) / 5,
        float(one.passage.start == 0),
        one.passage.start / len(one.passage.article.text),
        *_kinds_met(asked, text),
        len(text) / 1_000,
        float(max((w for word, w in asked.weights.items() if word not in one.words | one.title), default=0.0)) / 10,
        float(found.by_meaning is not None and found.by_keywords is not None),
        *_age(asked, found),
    ]


def _age(asked: Asked, found: Found) -> tuple[float, float]:
    """How old the report is on the day of asking, as a logarithm, and whether it is of the last days."""
    day = found.stored.revision.day
    days = abs((asked.today - day).days) if day > NEVER_DATED else UNDATED_AGE
    return math.log1p(days / 3), float(days <= THIS_WEEK)


@dataclass(frozen=True)
class Window:
    """The part of a passage that the cross-encoder has read, and what it makes of it."""

    seen: Seen
    first: int  # sentences of the passage, both within
    last: int
    judged: Judged

    @property
    def start(self) -> int:
        """In characters of the article."""
        return self.seen.passage.sentences[self.first][0]

    def place(self, sentence: int) -> Span:
        """Of one of its sentences, in characters of the window."""
        start, end = self.seen.passage.sentences[sentence]
        return start - self.start, end - self.start

    @cached_property
    def evidence(self) -> list[float]:
        """Log odds that each of its sentences holds the answer."""
        return [self.judged.of_sentence(self.place(n)) for n in range(self.first, self.last + 1)]

    @cached_property
    def answers(self) -> list[tuple[float, Span]]:
        """The likeliest words of each of its sentences: their score above "no answer", and where they stand in it."""
        return [self.judged.answer(self.place(n)) for n in range(self.first, self.last + 1)]

    def words(self, span: Span) -> Span:
        """A span of the window in characters of the article."""
        return self.start + span[0], self.start + span[1]

    def said(self, sentence: int) -> str:
        """The likeliest words of one of its sentences."""
        return self.seen.passage.article.text[slice(*self.words(self.answers[sentence - self.first][1]))]


_JUDGED = ("relevance", "evidence", "answer")
RANK_NAMES = (*PASSAGE_NAMES, *_JUDGED)


def rank_features(rows: Matrix, windows: Sequence[Window]) -> Matrix:
    """(len(windows), len(RANK_NAMES)); `rows` are the PASSAGE_NAMES of the windows' passages."""
    judged = [[one.judged.relevance, max(one.evidence), max(score for score, _ in one.answers)] for one in windows]
    return np.concatenate([rows, np.array(judged, np.float32).reshape(len(windows), len(_JUDGED))], axis=1)


SENTENCE_NAMES = (
    "evidence", "evidence_gap", "evidence_rank", "answer", "answer_gap", "relevance", "relevance_gap",
    "coverage", "coverage_gap", "coverage_before", "coverage_around",
    "pairs", "names", "kind_number", "kind_date", "kind_name", "kind_reason", "kind_quote", "new_words", "words",
    "asks", "pronoun", "first", "place", "in_article", "passage_gap", "passage_rank",
)  # fmt: skip


def sentence_features(
    asked: Asked, windows: Sequence[Window], scores: Sequence[float], picked: Sequence[tuple[int, int]]
) -> Matrix:
    """(len(picked), len(SENTENCE_NAMES)) for sentences given as (window, sentence) places; `scores` are the windows'.

    Gaps are to the best of the picked ones.
    """
    if not picked:
        return np.zeros((0, len(SENTENCE_NAMES)), np.float32)
    rows = [
        [
            *_model_row(windows[p], s),
            *_sentence_row(asked, windows[p].seen, s),
            *(float(max(scores) - scores[p]), 1 / (1 + p)),
        ]
        for p, s in picked
    ]
    out = np.array(rows, np.float32)
    for name in ("evidence", "answer", "relevance", "coverage"):
        own = out[:, SENTENCE_NAMES.index(name)]
        out[:, SENTENCE_NAMES.index(f"{name}_gap")] = own.max() - own
    order = np.argsort(np.argsort(-out[:, SENTENCE_NAMES.index("evidence")]))
    out[:, SENTENCE_NAMES.index("evidence_rank")] = 1 / (1 + order)
    return out


def _model_row(window: Window, s: int) -> list[float]:
    evidence, (answer, _) = window.evidence[s - window.first], window.answers[s - window.first]
    return [evidence, 0.0, 0.0, answer, 0.0, window.judged.relevance, 0.0]


def _sentence_row(asked: Asked, one: Seen, s: int) -> list[float]:
    text, words = one.sentences[s], one.sets[s]
    before = one.sets[s - 1] if s else one.title
    after = one.sets[s + 1] if s + 1 < len(one.sets) else frozenset[str]()
    number, date, name = _kinds_met(asked, text)
    start, _ = one.passage.sentences[s]
    return [
        coverage(asked, words),
        0.0,
        coverage(asked, words | before),
        coverage(asked, words | before | after | one.title),
        _pairs(asked, [one.lists[s]]),
        len(asked.names & words) / (len(asked.names) or 1),
        number,
        date,
        name,
        asked.kinds[KINDS.index("reason")] * float(bool(_REASON.search(text))),
        asked.kinds[KINDS.index("quotation")] * float(bool(_QUOTED.search(text) or _SAID.search(text))),
        min(len(words - asked.weights.keys()), 40) / 40,
        min(len(one.lists[s]), 60) / 60,
        float(text.rstrip("”\"' ").endswith("?")),
        float(bool(_PRONOUN.search(text))),
        float(s == 0),
        s / len(one.sets),
        start / len(one.passage.article.text),
    ]


def _kinds_met(asked: Asked, text: str) -> tuple[float, float, float]:
    """Whether a text holds a number, a date, a name that the question asks for and does not name itself."""
    number, date = asked.kinds[KINDS.index("number")], asked.kinds[KINDS.index("date")]
    name = max(asked.kinds[KINDS.index("person")], asked.kinds[KINDS.index("place")])
    question = asked.text.lower()
    return (
        number and float(any(found.lower() not in question for found in _NUMBER.findall(text))),
        date and float(any(found.lower() not in question for found in _DATE.findall(text))),
        name and float(any(found.lower() not in question for found in _NAME.findall(text))),
    )


def _pairs(asked: Asked, lists: Sequence[Sequence[str]]) -> float:
    """Share of the question's neighbouring stems that stand within two places of each other here."""
    if not asked.pairs:
        return 0.0
    close = {pair for words in lists for pair in pairwise(words)}
    close |= {pair for words in lists for pair in zip(words, words[2:], strict=False)}
    return len(asked.pairs & close) / len(asked.pairs)


def _reciprocal(rank: int | None) -> float:
    return 0.0 if rank is None else 1 / (1 + rank)


def runs(one: Seen) -> list[Span]:
    """Runs [first, last] of one to three sentences of a passage that a quote may be: 60 words, or one long sentence.

    A headline, a caption or a link may open one, as the headline of what follows, but stands in none.
    """
    lengths = [len(sentence.split()) for sentence in one.sentences]
    ends = [bool(_ENDS.search(sentence)) for sentence in one.sentences]
    return [
        (first, last)
        for first in range(len(lengths))
        for last in range(first, min(first + MOST_SENTENCES, len(lengths)))
        if last == first or (all(ends[first + 1 : last + 1]) and sum(lengths[first : last + 1]) <= MOST_WORDS)
    ]


_OF_PASSAGE = (
    "cosine", "bm25_full", "coverage_both", "coverage_sentence", "coverage_two", "pairs", "names_both", "missing",
)  # fmt: skip
_OF_SENTENCE = ("evidence", "answer", "relevance", "coverage", "coverage_around", "names", "pairs")
CONFIDENCE_NAMES = (
    "chance", "chance_elsewhere", "odds", "score", "score_second",
    "cosine_mean", "bm25_mean", "cosine_peak", "bm25_peak",
    "most_relevance", "most_evidence", "most_answer",
    *(f"first_{name}" for name in _OF_PASSAGE),
    *(f"most_{name}" for name in _OF_PASSAGE),
    *(f"chosen_{name}" for name in _OF_PASSAGE),
    *(f"sentence_{name}" for name in _OF_SENTENCE),
)  # fmt: skip
_AGE = [PASSAGE_NAMES.index("age"), PASSAGE_NAMES.index("this_week")]
_READ = 8  # passages over which a maximum is taken


def confidence_features(
    *,
    passage_rows: Matrix,
    weights: NDArray[np.float64],
    rank_rows: Matrix,
    sentence_row: Matrix,
    odds: float,
    chances: tuple[float, float],
    chosen: int,
) -> NDArray[np.float64]:
    """One row of CONFIDENCE_NAMES. The age of the reports ranks them but says nothing of whether they answer."""
    ageless = np.array(weights)
    ageless[_AGE] = 0
    scores = np.sort(passage_rows @ ageless)[::-1]
    columns = [PASSAGE_NAMES.index(name) for name in _OF_PASSAGE]
    cosine = np.sort(passage_rows[:, PASSAGE_NAMES.index("cosine")])[::-1]
    bm25 = np.sort(passage_rows[:, PASSAGE_NAMES.index("bm25_full")])[::-1]
    return np.concatenate(
        [
            [*chances, odds, scores[0], scores[min(1, len(scores) - 1)]],
            [cosine[:5].mean(), bm25[:5].mean(), cosine[0] - cosine[:10].mean(), bm25[0] - bm25[:10].mean()],
            rank_rows[:, len(PASSAGE_NAMES) :].max(axis=0),
            passage_rows[0, columns],
            passage_rows[:_READ, columns].max(axis=0),
            passage_rows[chosen, columns],
            sentence_row[[SENTENCE_NAMES.index(name) for name in _OF_SENTENCE]],
        ]
    ).astype(np.float64)
