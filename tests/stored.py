"""What lies in a data folder, read past our own code where that is possible."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tantivy

from retrieval.keywords import Keywords
from retrieval.vectors import Vectors


@dataclass(frozen=True)
class State:
    """The articles, and the passages that each part holds."""

    urls: frozenset[str]
    archive: frozenset[int]  # ids of passages, here and below
    chroma: frozenset[int]
    snapshot: frozenset[int]
    tantivy: frozenset[int]

    @property
    def indexed(self) -> frozenset[int]:
        return self.chroma | self.snapshot | self.tantivy

    @property
    def agrees(self) -> bool:
        return self.archive == self.chroma == self.snapshot == self.tantivy


def state(data: Path) -> State:
    with sqlite3.connect(data / "archive.sqlite") as archive:
        tables = {name for (name,) in archive.execute("SELECT name FROM sqlite_master")}
        urls = [one for (one,) in archive.execute("SELECT url FROM articles")] if "articles" in tables else []
        ids = [one for (one,) in archive.execute("SELECT id FROM passages")] if "passages" in tables else []
        assert archive.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    archive.close()
    return State(frozenset(urls), frozenset(ids), *_vector_ids(data / "vectors"), _keyword_ids(data / "keywords"))


def _vector_ids(folder: Path) -> tuple[frozenset[int], frozenset[int]]:
    vectors = Vectors(folder)
    try:
        chroma = vectors._open().get(include=[])["ids"] if (folder / "chroma").exists() else []
        snapshot = vectors._mapped()[1]["id"].tolist() if vectors.stamp() else []
    finally:
        vectors.close()
    return frozenset(map(int, chroma)), frozenset(snapshot)


def _keyword_ids(folder: Path) -> frozenset[int]:
    if Keywords(folder).stamp() is None:
        return frozenset()
    searcher = tantivy.Index.open(str(folder)).searcher()
    hits = searcher.search(tantivy.Query.all_query(), max(searcher.num_docs, 1)).hits
    ids: list[Any] = searcher.fast_field_values("id", [address for _, address in hits])
    assert len(set(ids)) == len(ids)
    return frozenset(map(int, ids))
