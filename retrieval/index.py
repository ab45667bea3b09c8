"""Both indexes kept in step with the archive: they follow its changes, or are made anew from it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from corpus.archive import Archive, StoredPassage
from corpus.passages import PASSAGES_VERSION
from retrieval.encoder import Encoder
from retrieval.keywords import Keywords
from retrieval.scope import entry
from retrieval.vectors import Stamp, Vectors, WrongIndex

BATCH = 2_048  # passages encoded, stored and stamped at a time; about 15 s of work is lost to a kill at most
_CHANGES = 2_000  # changes looked at at a time
RULES = 1_000 * PASSAGES_VERSION + 1  # and what `for_encoder` gives the encoder: count it up when that changes


class Progress(Protocol):
    """Told how many more passages are done."""

    def __call__(self, done: int) -> object: ...


@dataclass(frozen=True, slots=True)
class Model:
    """What an index must have been made with to be used."""

    name: str
    dimension: int


class Index:
    """Vectors and keywords of one archive. `encoder` is called only when there is something to encode."""

    def __init__(
        self, archive: Archive, vectors: Vectors, keywords: Keywords, model: Model, encoder: Callable[[], Encoder]
    ) -> None:
        self._archive = archive
        self._vectors = vectors
        self._keywords = keywords
        self._model = model
        self._encoder = encoder

    def check(self) -> None:
        """Raises WrongIndex where an index was made with another model or by other rules."""
        for stamp in (self._vectors.stamp(), self._keywords.stamp()):
            if stamp is not None:
                self._check(stamp)

    def behind(self) -> int:
        """Changes of the archive that one of the indexes has not followed; 0 when both agree with it."""
        return behind(self._archive, self._vectors, self._keywords)

    def waiting(self) -> int:
        """Passages that `catch_up` would encode, for a progress bar."""
        stored = self._vectors.stored_stamp()
        return self._archive.count_passages_of_changes(stored.position if stored else 0)

    def catch_up(self, progress: Progress = lambda done: None) -> None:
        """Follows the archive to where it stands now. Safe to kill: what was stamped is not done again."""
        self._catch_up_vectors(progress)
        self._catch_up_keywords()
        self._vectors.take_snapshot()

    def rebuild(self, progress: Progress = lambda done: None) -> None:
        """Makes both indexes anew from the archive, whose articles are all in their groups of copies then."""
        while self._archive.group():
            pass
        self._vectors.clear()
        self._keywords.clear()
        self.catch_up(progress)

    def _catch_up_vectors(self, progress: Progress) -> None:
        stored = self._vectors.stored_stamp()
        if stored is not None:
            self._check(stored)
        for position, revisions, passages in self._changes(stored.position if stored else 0):
            rows = self._encoder().encode([for_encoder(one) for one in passages])
            self._vectors.apply([entry(one) for one in passages], rows, revisions, self._stamp(position))
            progress(len(passages))
        if stored is None and self._archive.position() == 0:
            self._vectors.apply([], self._encoder().encode([]), [], self._stamp(0))

    def _catch_up_keywords(self) -> None:
        stamp = self._keywords.stamp()
        if stamp is None or stamp != self._stamp(stamp.position):
            self._keywords.clear()  # also what a kill left half written or half deleted
            stamp = None
        for position, revisions, passages in self._changes(stamp.position if stamp else 0, batch=20 * BATCH):
            self._keywords.apply([entry(one) for one in passages], revisions, self._stamp(position))
        if stamp is None and self._archive.position() == 0:
            self._keywords.apply([], [], self._stamp(0))

    def _changes(self, after: int, batch: int = BATCH) -> Iterator[tuple[int, list[int], list[StoredPassage]]]:
        """(position reached, revisions to replace, their passages) in batches of about `batch` passages."""
        while changes := self._archive.changed(after, _CHANGES):
            yield from _parts(changes, self._archive, batch)
            after = changes[-1][0]

    def _stamp(self, position: int) -> Stamp:
        return Stamp(position, self._model.name, self._model.dimension, RULES)

    def _check(self, stamp: Stamp) -> None:
        if (stamp.model, stamp.dimension) != (self._model.name, self._model.dimension):
            raise WrongIndex(
                f"The index was made with {stamp.model} ({stamp.dimension} dimensions); the settings name "
                f"{self._model.name} ({self._model.dimension}). Run: pullquote reindex"
            )
        if stamp.rules != RULES:
            raise WrongIndex("The index was made by an older version of pullquote. Run: pullquote reindex")


def behind(archive: Archive, vectors: Vectors, keywords: Keywords) -> int:
    """Changes that one of the indexes has yet to follow. Reads two small files; no model, no Chroma."""
    stamps = (vectors.stamp(), keywords.stamp())
    return archive.position() - min((stamp.position if stamp else 0) for stamp in stamps)


def _parts(
    changes: Sequence[tuple[int, int]], archive: Archive, batch: int
) -> Iterable[tuple[int, list[int], list[StoredPassage]]]:
    revisions: list[int] = []
    passages: list[StoredPassage] = []
    for start in range(0, len(changes), 100):
        hundred = changes[start : start + 100]
        of_revision: dict[int, list[StoredPassage]] = {revision: [] for _, revision in hundred}
        for one in archive.passages_of(of_revision):
            of_revision[one.revision.id].append(one)
        for position, revision in hundred:
            if revision not in revisions:
                revisions.append(revision)
                passages += of_revision[revision]
            if len(passages) >= batch:
                yield position, revisions, passages
                revisions, passages = [], []
    if revisions:
        yield changes[-1][0], revisions, passages


def for_encoder(stored: StoredPassage) -> str:
    """What the encoder reads of a passage: the headline and the date say what "he" and "on Friday" leave out."""
    article = stored.passage.article
    day = f" ({article.published:%d %B %Y})" if article.published else ""
    return f"{article.title}{day}\n{stored.passage.text}"
