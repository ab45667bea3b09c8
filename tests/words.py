"""A fake encoder with meaning: vectors follow the words, so texts that share words are near."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from corpus.archive import Archive
from corpus.article import Article, make_article
from corpus.passages import passages
from retrieval.keywords import stems
from retrieval.models import Matrix


class WordEncoder:
    name = "words"

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.encoded = 0  # texts so far

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        self.encoded += len(texts)
        rows = np.full((len(texts), self.dimension), 1e-6, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in stems(text):
                row[int.from_bytes(hashlib.md5(word.encode()).digest()[:4]) % self.dimension] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def an_article(number: int, text: str, *, day: int = 16, outlet: str = "Courier", title: str = "") -> Article:
    return make_article(
        url=f"https://example.org/{number}",
        title=title or f"Report {number}",
        text=text,
        outlet=outlet,
        published=datetime(2025, 5, day, 9, tzinfo=UTC),
        retrieved=datetime(2025, 6, 1, tzinfo=UTC),
    )


def put(archive: Archive, *articles: Article) -> None:
    archive.store([(article, passages(article)) for article in articles])
