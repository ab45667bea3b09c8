"""Questions with the passages that are read for each, from the sets in a folder, to train the reader on.

Every group is one question with passages that answer it, or none that does: other passages of the same article, the
nearest first, and what a keyword search finds for the question elsewhere. Answer strings of RealTimeQA 2023 are looked
for in the articles of that year (distant labels): a sentence that holds the string and shares too little with the
question is neither right nor wrong.
"""

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from corpus import passages as cutting
from corpus.article import Article, Span
from retrieval.background import coverage, weights
from retrieval.keywords import asked, stems
from retrieval.measure import holds

SHARES = 0.25  # of the question's weight, below which a sentence with the answer's string may hold it by chance
HELD_OUT = 10  # of so many articles of asked/ one is kept from training: what stands around the model is fitted on it
OWN = 6  # passages of its own article that a question keeps, the nearest
LONGEST = 20_000  # characters of a context: a few of NewsQA and TimeQA are longer


@dataclass(frozen=True, slots=True)
class Passage:
    title: str
    day: str
    text: str
    sentences: tuple[Span, ...]  # in characters of `text`
    labels: tuple[int, ...]  # a sentence: 1 answers, 0 does not, -1 unknown
    answer: Span | None = None  # the words of `text` that answer

    @property
    def right(self) -> bool:
        return 1 in self.labels

    @property
    def unknown(self) -> bool:
        """Whether it may answer and may not."""
        return -1 in self.labels and not self.right

    def wrong(self) -> "Passage":
        return replace(self, labels=(0,) * len(self.labels), answer=None)


@dataclass(frozen=True, slots=True)
class Group:
    """A question; the passages of its own article first, the nearest to it first, then those of other articles."""

    question: str
    own: tuple[Passage, ...]
    others: tuple[Passage, ...] = ()

    @property
    def answerable(self) -> bool:
        return any(passage.right for passage in (*self.own, *self.others))


def rows(file: Path) -> list[dict[str, Any]]:
    whole = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in whole.decode().split("\n") if line.strip()]


def cut_up(title: str, day: str | None, text: str) -> list[Passage]:
    """An article's passages as the archive has them, none of them labelled; `Passage.text` is a slice of `text`."""
    article = Article("https://news.example/", title, text, None, "", (), datetime(2023, 1, 1, tzinfo=UTC))
    return [
        Passage(
            title=title,
            day=(day or "")[:10],
            text=text[run.start : run.end],
            sentences=tuple((a - run.start, b - run.start) for a, b in run.sentences),
            labels=(0,) * len(run.sentences),
        )
        for run in cutting.passages(article)
    ]


def nearest(questions: Sequence[str], texts: Sequence[str], k: int) -> np.ndarray[Any, Any]:
    """(questions, k) places of the texts that share most with each question, best first, by TF-IDF."""
    vectorizer = TfidfVectorizer(analyzer=stems, sublinear_tf=True, dtype=np.float32)
    matrix = vectorizer.fit_transform(texts).T.tocsr()
    found = []
    for start in range(0, len(questions), 250):
        some = vectorizer.transform([" ".join(asked(one)) for one in questions[start : start + 250]])
        scores = (some @ matrix).toarray()
        top = np.argpartition(-scores, k, axis=1)[:, :k]
        found.append(np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1))
    return np.concatenate(found)


def with_others(groups: Sequence[Group], pool: Sequence[Passage], k: int, depth: int = 24) -> Iterator[Group]:
    """Each group with the `k` nearest passages of other articles that do not hold its answer."""
    near = nearest([group.question for group in groups], [f"{one.title} {one.text}" for one in pool], depth)
    for group, places in zip(groups, near, strict=True):
        mine = {(one.title, one.day) for one in group.own}
        texts = {one.text for one in group.own}
        answers = [one.text[slice(*one.answer)] for one in group.own if one.answer]
        other = [pool[place] for place in places]
        other = [
            one.wrong()
            for one in other
            if one.text not in texts
            and ((one.title, one.day) not in mine or not one.title)
            and not (answers and holds(one.text, answers))
        ]
        yield replace(group, others=(*group.others, *other[:k]))


def _sorted(question: str, own: Sequence[Passage]) -> tuple[Passage, ...]:
    """Those that answer, and of the others the nearest first."""
    words = weights(asked(question))
    near = sorted(own, key=lambda one: -coverage(words, frozenset(stems(one.text))))
    right = [one for one in near if one.right]
    return (*right[:3], *[one for one in near if not one.right][:OWN])


# The sets


def held_out(url: str) -> bool:
    return sha256(url.encode()).digest()[0] % HELD_OUT == 0


def people_ask(folder: Path, *, held: bool) -> Iterator[Group]:
    """Questions as people ask them, near misses among them; of what the writer had seen of each article."""
    articles = {row["url"]: row for row in rows(folder / "train.articles.jsonl.gz")}
    cut = {
        url: (row["text"][: row["seen"]], cut_up(row["title"], row["published"], row["text"][: row["seen"]]))
        for url, row in articles.items()
    }
    for row in rows(folder / "train.jsonl.gz"):
        if held_out(row["url"]) is not held:
            continue
        text, own = cut[row["url"]]
        if row["answerable"]:
            places = [(at, at + len(one)) for one in row["evidence"] if (at := text.find(one)) >= 0]
            own = list(_labelled(text, own, places, row.get("answer") or ""))
            if not any(one.right for one in own):
                continue
        yield Group(row["question"], _sorted(row["question"], own))


def _labelled(text: str, own: Iterable[Passage], evidence: Sequence[Span], answer: str) -> Iterator[Passage]:
    """Sentences that share most with a piece of evidence answer."""
    at = 0
    for one in own:
        at = text.index(one.text, at)
        labels = tuple(int(any(_shared((at + a, at + b), span) for span in evidence)) for a, b in one.sentences)
        words = None
        for (a, b), label in zip(one.sentences, labels, strict=True):
            if label and answer and words is None and (found := one.text.find(answer, a, b)) >= 0:
                words = found, found + len(answer)
        yield replace(one, labels=labels, answer=words)


def _shared(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared > 0.5 * min(one[1] - one[0], other[1] - other[0])


def contexts(file: Path) -> Iterator[Group]:
    """Rows of question, context and answers with offsets."""
    for row in rows(file):
        if 0 < len(row["context"]) <= LONGEST and row.get("part") != "held":
            spans = [(a["start"], a["start"] + len(a["text"])) for a in row.get("answers", ()) if a["text"]]
            possible = bool(spans) and not row.get("impossible")
            yield from _of_context(row["question"], row.get("title", ""), row["context"], spans if possible else [])


def _of_context(question: str, title: str, text: str, answers: Sequence[Span]) -> Iterator[Group]:
    own = []
    at = 0
    for one in cut_up(title, "", text):
        at = text.index(one.text, at)
        inside = [(a - at, b - at) for a, b in answers if at <= a < at + len(one.text)]
        labels = tuple(int(any(a <= start < b for start, _ in inside)) for a, b in one.sentences)
        words = (inside[0][0], min(inside[0][1], len(one.text))) if inside and 1 in labels else None
        own.append(replace(one, labels=labels, answer=words))
    if own and (not answers or any(one.right for one in own)):
        yield Group(question, _sorted(question, own))


def squadshifts(folder: Path) -> Iterator[Group]:
    for row in rows(folder / "squadshifts.jsonl.gz"):
        for one in row["questions"]:
            spans = [(start, start + len(words)) for start, words in one["answers"][:1]]
            if spans:
                yield from _of_context(one["question"], "", row["context"], spans)


def squad(folder: Path) -> Iterator[Group]:
    """The articles that are trained on, with questions that have no answer in their paragraph."""
    titles = trained_on(folder)
    texts = {row["url"]: row for row in rows(folder / "articles.jsonl.gz")}
    for row in rows(folder / "questions.jsonl"):
        article = texts[row["gold_urls"][0]]
        if article["title"] in titles:
            found = [(article["text"].find(one), len(one)) for one in row["answers"][:1]]
            spans = [(at, at + length) for at, length in found if at >= 0]
            if bool(spans) == bool(row["answers"]):
                yield from _of_context(row["question"], article["title"], article["text"], spans)


def trained_on(folder: Path) -> frozenset[str]:
    """Titles of the articles of SQuAD that are trained on; the others measure."""
    titles = {row["title"] for row in rows(folder / "articles.jsonl.gz")}
    return frozenset(one for one in titles if sha256(one.encode()).digest()[0] % 2)


def realtimeqa(folder: Path, articles: Sequence[Passage], depth: int = 40) -> Iterator[tuple[str, Group]]:
    """(day, group) of the quiz questions of 2023, by distant labels among `articles`, the evidence given among them."""
    every = [row for row in rows(folder / "realtimeqa-2023-questions.jsonl") if row["answers"]]
    every = [row for row in every if all(len(one) > 1 and one.lower() not in ("yes", "no") for one in row["answers"])]
    near = nearest([row["question"] for row in every], [f"{one.title} {one.text}" for one in articles], depth)
    for row, places in zip(every, near, strict=True):
        right, wrong = [], []
        given = cut_up("", None, row["evidence"]) if row["evidence"] else []
        for one in (*given, *(articles[place] for place in places)):
            if holds(one.text, row["answers"]):
                marked = _distant(row["question"], one, row["answers"])
                right += [marked] if marked.right else []
            elif not holds(one.title, row["answers"]):
                wrong.append(one.wrong())
        if right:
            yield row["date"], Group(row["question"], tuple(right[:3]), tuple(wrong[:8]))


def _distant(question: str, one: Passage, answers: Sequence[str]) -> Passage:
    """With the sentences that hold an answer's string and about as much of the question as the best of them."""
    words, title = weights(asked(question)), frozenset(stems(one.title))
    texts = [one.text[a:b] for a, b in one.sentences]
    sets = [frozenset(stems(text)) for text in texts]
    shares = [coverage(words, own | (sets[k - 1] if k else title)) for k, own in enumerate(sets)]
    holding = [holds(text, answers) for text in texts]
    best = max((share for share, held in zip(shares, holding, strict=True) if held), default=0.0)
    labels = tuple(
        (1 if share >= max(SHARES, 0.7 * best) else -1) if held else 0
        for share, held in zip(shares, holding, strict=True)
    )
    if 1 not in labels:
        return replace(one, labels=labels)
    start, end = one.sentences[labels.index(1)]
    found = [(at, at + len(a)) for a in answers if (at := one.text.lower().find(a.lower(), start, end)) >= 0]
    return replace(one, labels=labels, answer=found[0] if found else None)


def selqa(folder: Path) -> Iterator[Group]:
    for row in rows(folder / "selqa.jsonl.gz"):
        right = set(row["answers"])
        if right:
            text = " ".join(row["candidates"])
            spans, at = [], 0
            for part in row["candidates"]:
                spans.append((at, at + len(part)))
                at += len(part) + 1
            yield Group(row["question"], tuple(_pieces(text, spans, right)))


def _pieces(text: str, spans: Sequence[Span], right: set[int]) -> Iterator[Passage]:
    """A text whose sentences are given, in passages of about the usual length."""
    run: list[int] = []
    for n, (start, end) in enumerate(spans):
        if run and end - spans[run[0]][0] > cutting.LIMIT:
            yield _piece(text, spans, run, right)
            run = []
        run.append(n)
        del start
    if run:
        yield _piece(text, spans, run, right)


def _piece(text: str, spans: Sequence[Span], run: Sequence[int], right: set[int]) -> Passage:
    at = spans[run[0]][0]
    places = tuple((spans[n][0] - at, spans[n][1] - at) for n in run)
    return Passage("", "", text[at : spans[run[-1]][1]], places, tuple(int(n in right) for n in run))


def trecqa(folder: Path) -> Iterator[Group]:
    """Sentences of news, alone: up to three right ones and the wrong ones."""
    for row in rows(folder / "trecqa.jsonl.gz"):
        right = [_alone(one, 1) for one in row["positive"][:3]]
        yield Group(_untokenised(row["question"]), (*right, *(_alone(one, 0) for one in row["negative"][:8])))


def searched(folder: Path) -> Iterator[Group]:
    """Questions of a search engine with the text that answers and one that does not (BoolQ, WikiQA)."""
    for row in rows(folder / "ranking_boolq_wikiqa.jsonl.gz"):
        yes, no = ([cut_up("", None, _untokenised(one)) for one in row[name][:2]] for name in ("positive", "negative"))
        right = [replace(one, labels=(1,) * len(one.labels)) for some in yes for one in some[:1] if len(some) == 1]
        if right:
            yield Group(row["question"], tuple(right), tuple(one for some in no for one in some[:1]))


def _alone(sentence: str, label: int) -> Passage:
    text = _untokenised(sentence)
    return Passage("", "", text, ((0, len(text)),), (label,))


def _untokenised(text: str) -> str:
    for one, other in (("-LRB- ", "("), (" -RRB-", ")"), ("`` ", "“"), (" ''", "”"), (" '", "'"), ("$ ", "$")):
        text = text.replace(one, other)
    for mark in ".,;:?!":
        text = text.replace(f" {mark}", mark)
    return text


def counted(groups: Sequence[Group]) -> Mapping[str, int]:
    return {"groups": len(groups), "answerable": sum(group.answerable for group in groups)}


def sample(groups: Iterable[Group], most: int, rng: random.Random) -> list[Group]:
    every = list(groups)
    rng.shuffle(every)
    return every[:most]
