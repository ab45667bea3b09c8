"""From a question to passages: meaning and keywords, filtered, fused; copies and near-identical ones as one."""

import heapq
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from corpus.archive import Archive, StoredPassage
from retrieval import background
from retrieval.answer import Found
from retrieval.copies import gather
from retrieval.encoder import Encoder
from retrieval.figures import changed
from retrieval.keywords import Keywords, asked, stems
from retrieval.models import Matrix
from retrieval.question import Question
from retrieval.scope import Scope
from retrieval.spelling import Vocabulary, respelled
from retrieval.vectors import Vectors

DEPTH = 100  # passages asked of each index; the right one is among them for 88-91 % of news questions
DEEPEST = 1_600  # where copies of one story fill the lists
WIDTH = 40  # passages handed on
MEANING = 0.5  # weight of the cosine; the rest is BM25 as a share of the best
ALIKE = 0.8  # Jaccard similarity of word triples from which two passages count as one
LOOKED_THROUGH = 24  # passages at most, for an article with a word in the form in which it would be shown
SKETCH = 12  # of a passage's triples, the first by alphabet: two that are alike share one of them all but surely

Triples = frozenset[tuple[str, ...]]


class Search:
    """Passages near a question, best first; empty when nothing is within its scope."""

    def __init__(self, archive: Archive, vectors: Vectors, keywords: Keywords, encoder: Callable[[], Encoder]) -> None:
        self._archive = archive
        self._vectors = vectors
        self._keywords = keywords
        self._encoder = encoder

    def __call__(self, question: Question, width: int = WIDTH) -> list[Found]:
        question = self.spelled(question)  # again: a program may search without a desk
        vector = self._encoder().encode([question.text], question=True)[0]
        depth, wide = DEPTH, width + width // 2
        found = self._look(question, vector, depth, wide)
        gathered = self._gathered(question, found)
        while len(gathered) < width and len(found) == wide and _folded(gathered) and depth < DEEPEST:
            depth, wide = 4 * depth, 4 * wide
            found = self._look(question, vector, depth, wide)
            gathered = self._gathered(question, found)
        return gathered[:width]

    def _gathered(self, question: Question, found: Sequence[Found]) -> list[Found]:
        """Copies as one: what they have in common is said by one of those that are within the question's scope."""
        stories = self._archive.stories({one.stored.revision.id for one in found})
        known = [replace(one, story=stories.get(one.stored.revision.id)) for one in found]
        passages = cache(lambda revision: self._archive.passages_of([revision]))
        return collapse(gather(known, asked(question.text), passages) if stories else known)

    def _look(self, question: Question, vector: Matrix, depth: int, width: int) -> list[Found]:
        """The first passages as the two indexes rank them together."""
        meaning = dict(self._vectors.nearest(vector, depth, question.scope))
        keywords = dict(self._keywords.search(question.text, depth, question.scope))
        cosines = self._vectors.cosines(vector, sorted({*meaning, *keywords}))
        scores = fuse(cosines, keywords)
        best = sorted(scores, key=lambda one: (-scores[one], one))[:width]
        stored = self._archive.passages(best)
        return [
            Found(
                stored=stored[one],
                score=scores[one],
                cosine=cosines.get(one, 0.0),
                bm25=keywords.get(one, 0.0),
                by_meaning=_rank(one, meaning),
                by_keywords=_rank(one, keywords),
            )
            for one in best
            if one in stored  # gone from the archive since the index last looked
        ]

    def spelled(self, question: Question) -> Question:
        """The question with its slips of typing put right; `said` keeps them."""
        words = Vocabulary(self._keywords.passages(), self._keywords.holding, self._written, _common)
        text = respelled(question.text, words)
        return question if text == question.text else replace(question, text=text, said=question.shown)

    def _written(self, word: str) -> bool:
        """Whether one of the articles that have most of its stem has this very word."""
        first = [one for one, _ in self._keywords.search(word, LOOKED_THROUGH, Scope())]
        alone = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
        stored = (self._archive.passages([one]).get(one) for one in first)  # one by one: mostly the first will do
        articles = (one.revision.article for one in stored if one)
        return any(alone.search(article.title) or alone.search(article.text) for article in articles)

    def state(self) -> object:
        """Changes whenever the index does."""
        return self._vectors.stamp(), self._keywords.stamp()


def fuse(cosines: Mapping[int, float], bm25: Mapping[int, float]) -> dict[int, float]:
    """Cosine and BM25 as a share of the question's best, weighted.

    Ranks alone (reciprocal rank fusion) lose how much better the first is than the second: on the development
    questions hit@1 is .51 by ranks and .55 by scores.
    """
    most = max(bm25.values(), default=0.0) or 1.0
    return {
        one: MEANING * cosines.get(one, 0.0) + (1 - MEANING) * bm25.get(one, 0.0) / most for one in {*cosines, *bm25}
    }


def _common(word: str) -> bool:
    """Whether the table of news at large has it; what that lacks weighs as much there as what was seen once."""
    weights = background.weights([*stems(word), ""])
    unseen = weights.pop("")
    return all(weight < unseen for weight in weights.values())


def _folded(found: Sequence[Found]) -> bool:
    """Whether copies of a story were left out."""
    return any(one.copies and one.story is not None for one in found)


def _rank(one: int, ranked: Mapping[int, float]) -> int | None:
    return list(ranked).index(one) if one in ranked else None


def collapse(found: Sequence[Found]) -> list[Found]:
    """Near-identical passages (a report that several outlets carry) as one: the best stays and names its copies.

    A copy in which a figure was changed is a report of its own.
    """
    kept: list[tuple[Found, Triples]] = []
    owners: dict[tuple[str, ...], list[int]] = {}  # a triple -> places of the kept passages with it in their sketch
    for one in found:
        triples = _triples(one.stored)
        sketch = heapq.nsmallest(SKETCH, triples)
        rivals = {place for triple in sketch for place in owners.get(triple, ())}
        twin = next((n for n in sorted(rivals) if _alike(triples, kept[n][1]) and _agree(one, kept[n][0])), None)
        if twin is None:
            for triple in sketch:
                owners.setdefault(triple, []).append(len(kept))
            kept.append((one, triples))
        else:
            first, words = kept[twin]
            kept[twin] = replace(first, copies=(*first.copies, one.stored, *one.copies)), words
    return [one for one, _ in kept]


def _triples(stored: StoredPassage) -> Triples:
    words = stored.passage.text.lower().split()
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset({tuple(words)})


def _alike(one: Triples, other: Triples) -> bool:
    return len(one & other) >= ALIKE * len(one | other)


def _agree(one: Found, other: Found) -> bool:
    mine, its = one.stored.passage.text, other.stored.passage.text
    return mine == its or not changed(mine, its)
