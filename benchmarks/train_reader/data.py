"""Groups of (question, window of a text) pairs to train the cross-encoder on, from the sets in a folder.

Every group is one question with windows that answer it and windows that do not: other parts of the same text, the
text without its answering sentence, and what a keyword search finds for the question elsewhere. Answer strings of
RealTimeQA 2023 are looked for in the articles of that year (distant labels): a sentence that holds the string and
shares too little with the question is neither right nor wrong.
"""

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from corpus.article import Article, Span
from corpus.passages import passages
from corpus.sentences import sentences
from retrieval.features import Asked, coverage, take_apart, window
from retrieval.keywords import asked, stems
from retrieval.measure import holds

SMALL, LARGE = 220, 620  # characters of a window: the reader's are of about 350, a paragraph has 700
LONG, LONGEST = 0.06, 1_200  # a few are longer, so that a whole paragraph can be read
SHARES = 0.25  # of the question's weight, below which a sentence with the answer's string may hold it by chance
TODAY = date(2023, 1, 1)


@dataclass(frozen=True, slots=True)
class Pair:
    question: str
    title: str
    text: str
    sentences: tuple[Span, ...]  # in characters of `text`
    labels: tuple[int, ...]  # a sentence: 1 answers, 0 does not, -1 unknown
    relevant: bool
    span: Span | None = None  # the answer's words in `text`; None in a relevant pair: unknown


Group = tuple[Pair, ...]


@dataclass(frozen=True)
class Text:
    """A text cut up once."""

    title: str
    text: str
    spans: tuple[Span, ...]
    sets: tuple[frozenset[str], ...]

    def window(self, question: Asked, most: int, only: Span | None = None) -> Span:
        return window(question, self.sets, self.spans, most, only)

    def pair(self, question: str, run: Span, labels: Sequence[int], answer: Span | None, *, relevant: bool) -> Pair:
        start, end = self.spans[run[0]][0], self.spans[run[1]][1]
        return Pair(
            question=question,
            title=self.title,
            text=self.text[start:end],
            sentences=tuple((a - start, b - start) for a, b in self.spans[run[0] : run[1] + 1]),
            labels=tuple(labels[run[0] : run[1] + 1]),
            relevant=relevant,
            span=(answer[0] - start, answer[1] - start) if answer else None,
        )


def cut(title: str, text: str, spans: Iterable[Span] | None = None) -> Text:
    spans = tuple(sentences(text) if spans is None else spans)
    return Text(title, text, spans, tuple(frozenset(stems(text[a:b])) for a, b in spans))


class Weights:
    """Inverse document frequencies over some texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = Counter(stem for text in texts for stem in set(stems(text)))
        self._total = len(texts)

    def __call__(self, question: str) -> Asked:
        found = {one: log(1 + self._total / (1 + self._counts[one])) for one in asked(question)}
        return take_apart(question, found, TODAY)


def rows(file: Path) -> list[dict[str, Any]]:
    whole = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in whole.decode().splitlines()]


def nearest(questions: Sequence[str], texts: Sequence[str], k: int) -> np.ndarray[Any, Any]:
    """(questions, k) places of the texts that share most with each question, best first, by TF-IDF."""
    vectorizer = TfidfVectorizer(analyzer=stems, sublinear_tf=True, dtype=np.float32)
    matrix = vectorizer.fit_transform(texts)
    found = []
    for start in range(0, len(questions), 500):
        scores = (
            vectorizer.transform([" ".join(asked(q)) for q in questions[start : start + 500]]) @ matrix.T
        ).toarray()
        top = np.argpartition(-scores, k, axis=1)[:, :k]
        found.append(np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1))
    return np.concatenate(found)


def _size(rng: random.Random) -> int:
    return rng.randint(LARGE, LONGEST) if rng.random() < LONG else rng.randint(SMALL, LARGE)


def _without(text: Text, question: Asked, gone: set[int], most: int) -> Span | None:
    """The window nearest the question in what is left of a text on one side of the sentences that answer."""
    sides = [(0, min(gone) - 1), (max(gone) + 1, len(text.spans) - 1)] if gone else [(0, len(text.spans) - 1)]
    runs = [text.window(question, most, side) for side in sides if side[0] <= side[1]]
    if not runs:
        return None
    return max(runs, key=lambda run: coverage(question, frozenset().union(*text.sets[run[0] : run[1] + 1])))


def _around(text: Text, question: Asked, sentence: int, most: int, rng: random.Random) -> Span:
    """A window that holds a sentence: the one nearest the question if it does, else any."""
    run = text.window(question, most)
    if run[0] <= sentence <= run[1]:
        return run
    first = last = sentence
    while True:
        wider = [(a, b) for a, b in ((first - 1, last), (first, last + 1)) if a >= 0 and b < len(text.spans)]
        wider = [(a, b) for a, b in wider if text.spans[b][1] - text.spans[a][0] <= most]
        if not wider:
            return first, last
        first, last = rng.choice(wider)


# The sets


def squadshifts(folder: Path, rng: random.Random, others: int = 1) -> Iterator[Group]:
    """Each question with a window that answers it, what is left of its text, and windows of `others` near texts."""
    contexts = rows(folder / "squadshifts.jsonl.gz")
    for domain in sorted({one["domain"] for one in contexts}):
        mine = [one for one in contexts if one["domain"] == domain]
        texts = [cut("", one["context"]) for one in mine]
        weigh = Weights([one.text for one in texts])
        every = [(n, one) for n, row in enumerate(mine) for one in row["questions"]]
        near = nearest([one["question"] for _, one in every], [one.text for one in texts], 8)
        for (n, row), places in zip(every, near, strict=True):
            text, question = texts[n], weigh(row["question"])
            spans = [(start, start + len(answer)) for start, answer in row["answers"] if answer.strip()]
            if not spans or not question.weights:
                continue
            answer = Counter(spans).most_common(1)[0][0]
            right = {k for k, (a, b) in enumerate(text.spans) if any(a < y and x < b for x, y in spans)}
            own = [k for k, (a, b) in enumerate(text.spans) if a <= answer[0] and answer[1] <= b]
            if not own:
                continue
            labels = [int(k in right) for k in range(len(text.spans))]
            run = _around(text, question, own[0], _size(rng), rng)
            group = [text.pair(row["question"], run, labels, answer, relevant=True)]
            if (away := _without(text, question, right, _size(rng))) is not None:
                group.append(text.pair(row["question"], away, labels, None, relevant=False))
            for other in [texts[p] for p in places if p != n][:others]:
                if other.spans:
                    nothing = [0] * len(other.spans)
                    run = other.window(question, _size(rng))
                    group.append(other.pair(row["question"], run, nothing, None, relevant=False))
            yield tuple(group)


def realtimeqa(folder: Path, rng: random.Random, depth: int = 40) -> Iterator[tuple[str, Group]]:
    """(day, group); the answers of yes and no and of a single digit stand everywhere and are left out."""
    texts = article_texts(rows(folder / "realtimeqa-2023-articles.jsonl.gz"))
    questions = [row for row in rows(folder / "realtimeqa-2023-questions.jsonl") if _telling(row["answers"])]
    whole = [f"{title} {text}" for title, text, _ in texts]
    weigh = Weights(whole)
    near = nearest([row["question"] for row in questions], whole, depth)
    for row, places in zip(questions, near, strict=True):
        question = weigh(row["question"])
        group: list[Pair] = []
        if row["evidence"] and holds(row["evidence"], row["answers"]):
            group.append(_labelled(cut("", row["evidence"]), question, row["answers"], _size(rng), rng))
        yield row["date"], (*group, *found(question, row["answers"], [texts[place] for place in places], rng))


def article_texts(articles: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, list[Span]]]:
    """(headline, text, sentences) of every passage."""
    texts = []
    for row in articles:
        for one in passages(_article(row)):
            spans = [(a - one.start, b - one.start) for a, b in one.sentences]
            texts.append((row["title"], row["text"][one.start : one.end], spans))
    return texts


def found(
    question: Asked, answers: Sequence[str], texts: Iterable[tuple[str, str, list[Span]]], rng: random.Random
) -> list[Pair]:
    """Windows of the nearest texts: up to three that hold an answer's string, up to five that do not."""
    group: list[Pair] = []
    right = wrong = 0
    for one in texts:
        text = cut(*one)
        if holds(text.text, answers):
            pair = _labelled(text, question, answers, _size(rng), rng)
            if 1 in pair.labels and right < 3:
                group.append(pair)
                right += 1
        elif wrong < 5 and not holds(text.title, answers):
            run = text.window(question, _size(rng))
            group.append(text.pair(question.text, run, [0] * len(text.spans), None, relevant=False))
            wrong += 1
    return group


def _telling(answers: Sequence[str]) -> bool:
    return all(len(one) > 1 and one.lower() not in ("yes", "no", "true", "false") for one in answers)


def _labelled(text: Text, question: Asked, answers: Sequence[str], most: int, rng: random.Random) -> Pair:
    """A window with the likeliest of the sentences that hold an answer's string."""
    title = frozenset(stems(text.title))
    holding = [k for k, (a, b) in enumerate(text.spans) if holds(text.text[a:b], answers)]
    shares = [coverage(question, text.sets[k] | (text.sets[k - 1] if k else title)) for k in range(len(text.spans))]
    if not holding:  # across sentences
        run = text.window(question, most)
        return text.pair(question.text, run, [-1] * len(text.spans), None, relevant=True)
    best = max(holding, key=lambda k: shares[k])
    labels = [0] * len(text.spans)
    for k in holding:
        labels[k] = 1 if shares[k] >= max(SHARES, 0.7 * shares[best]) else -1
    run = _around(text, question, best, most, rng)
    return text.pair(question.text, run, labels, _place(text, best, answers), relevant=True)


def _place(text: Text, sentence: int, answers: Sequence[str]) -> Span | None:
    """Where an answer's string stands in a sentence, letter case aside."""
    start, end = text.spans[sentence]
    for one in answers:
        if (at := text.text.lower().find(one.lower(), start, end)) >= 0:
            return at, at + len(one)
    return None


def selqa(folder: Path, rng: random.Random) -> Iterator[Group]:
    every = [row for row in rows(folder / "selqa.jsonl.gz") if row["answers"]]
    texts = [_joined(row["candidates"]) for row in every]
    weigh = Weights([one.text for one in texts])
    for row, text in zip(every, texts, strict=True):
        question, right = weigh(row["question"]), set(row["answers"])
        if not question.weights:
            continue
        labels = [int(k in right) for k in range(len(text.spans))]
        run = _around(text, question, min(right), _size(rng), rng)
        group = [text.pair(row["question"], run, labels, None, relevant=True)]
        if (away := _without(text, question, right, _size(rng))) is not None:
            group.append(text.pair(row["question"], away, labels, None, relevant=False))
        yield tuple(group)


def _joined(parts: Sequence[str]) -> Text:
    spans, at = [], 0
    for part in parts:
        spans.append((at, at + len(part)))
        at += len(part) + 1
    return cut("", " ".join(parts), spans)


def trecqa(folder: Path, rng: random.Random) -> Iterator[Group]:
    """Sentences of news, alone; several groups of a question, each with one right and some wrong ones."""
    for row in rows(folder / "trecqa.jsonl.gz"):
        wrong = [_untokenised(one) for one in row["negative"]]
        rng.shuffle(wrong)
        for one in row["positive"][:4]:
            group = [_alone(_untokenised(row["question"]), _untokenised(one), 1)]
            yield tuple(group + [_alone(group[0].question, wrong.pop(), 0) for _ in range(min(4, len(wrong)))])


def _alone(question: str, sentence: str, label: int) -> Pair:
    return Pair(question, "", sentence, ((0, len(sentence)),), (label,), bool(label))


def _untokenised(text: str) -> str:
    for one, other in (("-LRB- ", "("), (" -RRB-", ")"), ("`` ", "“"), (" ''", "”"), (" '", "'"), ("$ ", "$")):
        text = text.replace(one, other)
    for mark in ".,;:?!":
        text = text.replace(f" {mark}", mark)
    return text


def squad(folder: Path, rng: random.Random, titles: frozenset[str]) -> Iterator[Group]:
    """The questions on some of the articles, those that have no answer in their paragraph among them."""
    texts = {row["url"]: cut(row["title"], row["text"]) for row in rows(folder / "articles.jsonl.gz")}
    weigh = Weights([one.text for one in texts.values()])
    for row in rows(folder / "questions.jsonl"):
        text = texts[row["gold_urls"][0]]
        question = weigh(row["question"])
        if text.title not in titles or not question.weights:
            continue
        if row["answers"]:
            pair = _labelled(text, question, row["answers"], _size(rng), rng)
            right = {k for k, (a, b) in enumerate(text.spans) if holds(text.text[a:b], row["answers"])}
            away = _without(text, question, right, _size(rng)) if right else None
            nothing = [0] * len(text.spans)
            yield ((pair,) if away is None else (pair, text.pair(row["question"], away, nothing, None, relevant=False)))
        else:
            nothing = [0] * len(text.spans)
            yield (text.pair(row["question"], text.window(question, LARGE), nothing, None, relevant=False),)


def trained_on(folder: Path) -> frozenset[str]:
    """Titles of the articles of SQuAD that are trained on; the others measure."""
    titles = {row["title"] for row in rows(folder / "articles.jsonl.gz")}
    return frozenset(one for one in titles if sha256(one.encode()).digest()[0] % 2)


def counted(groups: Sequence[Group]) -> Mapping[str, int]:
    pairs = [pair for group in groups for pair in group]
    return {"groups": len(groups), "pairs": len(pairs), "relevant": sum(pair.relevant for pair in pairs)}


def _article(row: Mapping[str, Any]) -> Article:
    now = datetime(2023, 1, 1, tzinfo=UTC)
    return Article(row["url"], row["title"], row["text"], published=None, outlet="", authors=(), retrieved=now)
