"""Passage vectors in Chroma, embedded or behind `chroma run`. The only file that imports chromadb.

Chroma keeps ids, vectors and the fields that filters need; texts stay in the archive. Beside it lies a snapshot
of the same rows, a matrix that is mapped rather than read: a cold question then needs no Chroma at all (its import
and opening take 0.8 s), and a date filter costs milliseconds instead of a third of a second, because masked rows
are compared exactly. Above EXACT_ROWS passages an unfiltered question goes to Chroma's HNSW graph.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from retrieval.models import Matrix
from retrieval.scope import FIELD_NAMES, Entry, Fields, Scope, as_fields

EXACT_ROWS = 300_000  # an exact scan of so many takes about 50 ms on two cores
_PAGE = 5_000  # Chroma takes at most 5,461 rows a call
COLLECTION = "passages"
ROOM = 20_000_000  # bytes free; with less, an index that fails to write has most likely run out of disk


class WrongIndex(RuntimeError):
    """An index that cannot be used as it is; the message names the command that mends it."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an index holds: how far it has followed the archive, and for which model and splitting rules."""

    position: int
    model: str
    dimension: int
    rules: int


class Vectors:
    """Opens Chroma only to write, to make the snapshot anew, and for archives above `exact_rows`."""

    def __init__(
        self, folder: Path, *, url: str = "", collection: str = COLLECTION, exact_rows: int = EXACT_ROWS
    ) -> None:
        self._folder = folder
        self._url = url
        self._name = collection  # archives that share a Chroma server need different ones
        self._exact_rows = exact_rows
        self._client: Any = None
        self._collection: Any = None
        self._snapshot: tuple[Stamp, Fields, Matrix] | None = None

    def close(self) -> None:
        """Lets go of Chroma; the next use opens it again."""
        client, self._client, self._collection = self._client, None, None
        if client is not None:
            client.close()

    # What is there

    def stamp(self) -> Stamp | None:
        """What the snapshot holds, or None where there is none; does not open Chroma."""
        note = read_json(self._folder / "snapshot.json")
        return Stamp(**note["stamp"]) if note else None

    def stored_stamp(self) -> Stamp | None:
        """What Chroma holds, which an intake that was cut short may have left ahead of the snapshot."""
        with self._explained():
            known = self._open().metadata or {}
        names = Stamp.__dataclass_fields__
        return Stamp(**{name: known[name] for name in names}) if all(name in known for name in names) else None

    def count(self) -> int:
        with self._explained():
            return int(self._open().count())

    # Writing

    def apply(self, entries: Sequence[Entry], rows: Matrix, revisions: Iterable[int], stamp: Stamp) -> None:
        """Puts these rows in the place of whatever these revisions had; then, and only then, moves the stamp."""
        with self._explained():
            collection = self._open()
            for page in _pages(sorted(set(revisions))):
                collection.delete(where={"revision": {"$in": page}})
            for start in range(0, len(entries), _PAGE):
                page_entries = entries[start : start + _PAGE]
                collection.upsert(
                    ids=[str(one.id) for one in page_entries],
                    embeddings=rows[start : start + _PAGE],
                    metadatas=[dict(zip(FIELD_NAMES[1:], one.fields[1:], strict=True)) for one in page_entries],
                )
            collection.modify(metadata=asdict(stamp))

    def clear(self) -> None:
        """Forgets everything: the collection and the snapshot."""
        self._snapshot = None
        (self._folder / "snapshot.json").unlink(missing_ok=True)
        with self._explained():
            self._open()
            self._client.delete_collection(self._name)
        self._collection = None

    def take_snapshot(self) -> None:
        """Writes the snapshot from what Chroma holds; rows that it already had are not fetched again."""
        stamp = self.stored_stamp()
        if stamp is None or stamp == self.stamp():
            return
        with self._explained():
            fields = self._stored_fields()
            matrix = self._stored_rows(fields["id"], stamp.dimension)
        try:
            self._write_snapshot(stamp, fields, matrix)
        except OSError as error:  # numpy's, on a full disk, has neither number nor reason
            raise WrongIndex(failure("vector", self._folder, error)) from error

    # Asking

    def nearest(self, vector: Matrix, k: int, scope: Scope) -> list[tuple[int, float]]:
        """(passage id, cosine) of the k nearest passages within the scope, best first; empty when none are."""
        _, fields, matrix = self._mapped()
        if len(matrix) > self._exact_rows and not scope.narrow:
            return self._approximate(vector, k, fields)
        inside = scope.mask(fields)
        rows = np.flatnonzero(inside)
        # Gathering rows costs more than passing over them once most of them are wanted.
        scores = matrix[rows] @ vector if len(rows) < len(matrix) // 4 else (matrix @ vector)[rows]
        best = _largest(scores, k)
        return [(int(fields["id"][rows[n]]), float(scores[n])) for n in best]

    def cosines(self, vector: Matrix, ids: Sequence[int]) -> dict[int, float]:
        """Cosine of the question with each of these passages; ids that are unknown are missing."""
        _, fields, matrix = self._mapped()
        at = np.searchsorted(fields["id"], ids)
        known = [(one, row) for one, row in zip(ids, at, strict=True) if row < len(fields) and fields["id"][row] == one]
        scores: Matrix = matrix[[row for _, row in known]] @ vector
        return {one: float(score) for (one, _), score in zip(known, scores, strict=True)}

    def _approximate(self, vector: Matrix, k: int, fields: Fields) -> list[tuple[int, float]]:
        """From the HNSW graph, without a filter in Chroma, which is slow: superseded rows are passed over here."""
        with self._explained():
            found = self._open().query(
                query_embeddings=[vector], n_results=min(2 * k + 20, len(fields)), include=["distances"]
            )
        standing = set(fields["id"][Scope().mask(fields)].tolist())
        pairs = [(int(one), 1.0 - float(far)) for one, far in zip(found["ids"][0], found["distances"][0], strict=True)]
        return [pair for pair in pairs if pair[0] in standing][:k]

    # Chroma

    def _open(self) -> Any:
        if self._collection is None:
            self._client = _connect(self._url) if self._url else _open_embedded(self._folder / "chroma")
            self._collection = self._client.get_or_create_collection(
                self._name,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "ef_search": 100}},
            )
        return self._collection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What Chroma raises comes out as WrongIndex: its errors have no common base, a server's are `Exception`."""
        try:
            yield
        except (WrongIndex, OSError):
            raise
        except Exception as error:
            self.close()  # the next use starts afresh: the collection may have been made anew by another process
            if self._url:
                raise WrongIndex(
                    f"The Chroma server at {_shown(self._url)} failed ({type(error).__name__}). Check that it runs and "
                    "has space on its disk; then run the command again."
                ) from error
            raise WrongIndex(failure("vector", self._folder, error)) from error

    def _stored_fields(self) -> Fields:
        pages = _fetched(self._open(), self.count(), "metadatas")
        rows = [
            (int(one), *(meta[name] for name in FIELD_NAMES[1:]))
            for page in pages
            for one, meta in zip(page["ids"], page["metadatas"], strict=True)
        ]
        return np.sort(as_fields(rows), order="id")

    def _stored_rows(self, ids: Any, dimension: int) -> Matrix:
        """Vectors by id. A passage's vector never changes under its id, so the old snapshot's rows are good."""
        matrix = np.empty((len(ids), dimension), np.float32)
        missing = np.ones(len(ids), bool)
        if self.stamp() is not None and self._mapped()[2].shape[1] == dimension:
            _, fields, old = self._mapped()
            at = np.minimum(np.searchsorted(fields["id"], ids), max(len(fields) - 1, 0))
            if len(fields):
                missing = fields["id"][at] != ids
                matrix[~missing] = old[at[~missing]]
        wanted = np.flatnonzero(missing)
        for start in range(0, len(wanted), _PAGE):
            rows = wanted[start : start + _PAGE]
            got = self._open().get(ids=[str(one) for one in ids[rows]], include=["embeddings"])
            place = {int(one): n for n, one in enumerate(got["ids"])}
            matrix[rows] = np.asarray(got["embeddings"], np.float32)[[place[int(one)] for one in ids[rows]]]
        return matrix

    # The snapshot

    def _mapped(self) -> tuple[Stamp, Fields, Matrix]:
        note = read_json(self._folder / "snapshot.json")
        if note is None:
            raise WrongIndex("There is no vector index yet. Make it with: pullquote reindex")
        stamp = Stamp(**note["stamp"])
        mapped = self._snapshot  # another thread may put it away meanwhile
        if mapped is None or mapped[0] != stamp:
            folder = self._folder / note["folder"]
            fields = np.load(folder / "fields.npy", allow_pickle=False)
            self._snapshot = mapped = stamp, fields, np.load(folder / "vectors.npy", mmap_mode="r")
        return mapped

    def _write_snapshot(self, stamp: Stamp, fields: Fields, matrix: Matrix) -> None:
        """A new folder, then the note that points to it: a reader has either the old rows or the new ones."""
        old = read_json(self._folder / "snapshot.json")
        folder = self._folder / f"snapshot-{stamp.position}-{os.getpid()}"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "fields.npy", fields)
        np.save(folder / "vectors.npy", matrix)
        write_json(self._folder / "snapshot.json", {"folder": folder.name, "stamp": asdict(stamp)})
        self._snapshot = None
        for stale in self._folder.glob("snapshot-*"):
            # The one before stays: a process that has just read the note may still be opening it.
            if stale.is_dir() and stale.name not in {folder.name, old and old["folder"]}:
                shutil.rmtree(stale, ignore_errors=True)


def _largest(scores: Any, k: int) -> list[int]:
    """Places of the k largest scores, largest first."""
    if len(scores) > k:
        top = np.argpartition(-scores, k)[:k]
        return [int(n) for n in top[np.argsort(-scores[top], kind="stable")]]
    return [int(n) for n in np.argsort(-scores, kind="stable")]


def _pages(items: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(items)
    while page := list(islice(rest, 500)):
        yield page


def _fetched(collection: Any, total: int, include: str) -> Iterator[Any]:
    for offset in range(0, total, _PAGE):
        yield collection.get(include=[include], limit=_PAGE, offset=offset)


def failure(which: str, folder: Path, error: Exception) -> str:
    """Why an index failed, for a person. The libraries do not say when the disk is full, so that is looked up."""
    free = shutil.disk_usage(folder).free if folder.exists() else ROOM
    if free < ROOM:
        return (
            f"The disk is full: the {which} index at {folder} cannot be written. Free some space and run the command "
            "again; the archive is intact."
        )
    cause = " ".join(str(error).split())[:200] or type(error).__name__
    return f"The {which} index at {folder} failed: {cause}. If it does so again, run: pullquote reindex"


def _shown(url: str) -> str:
    """Without a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _open_embedded(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    folder.mkdir(parents=True, exist_ok=True)
    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def _connect(url: str) -> Any:
    import chromadb
    from chromadb.config import Settings

    parts, port = urlsplit(url), None
    with suppress(ValueError):  # a port that is no number
        port = urlsplit(url).port or (443 if parts.scheme == "https" else 8000)
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
        raise WrongIndex(f"PULLQUOTE_CHROMA is {_shown(url)!r}. Give it an address such as http://localhost:8000.")
    try:
        return chromadb.HttpClient(
            parts.hostname,
            port,
            ssl=parts.scheme == "https",
            # Nothing is kept open between requests, which are few: Chroma's client never closes what it keeps.
            settings=Settings(anonymized_telemetry=False, chroma_http_max_keepalive_connections=0),
        )
    except ValueError as error:
        raise WrongIndex(
            f"No Chroma server answers at {_shown(url)}. Start it with: chroma run --port {port}"
        ) from error


def read_json(file: Path) -> Any:
    with suppress(FileNotFoundError):
        return json.loads(file.read_text("utf-8"))
    return None


def write_json(file: Path, value: object) -> None:
    """Whole or not at all, also when the power goes."""
    part = file.with_name(file.name + ".part")
    with part.open("w", encoding="utf-8") as stream:
        json.dump(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
