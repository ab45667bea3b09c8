"""One archive and all that answers from it, built from the settings: the parts that `cli.py` composes."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings import Settings
from corpus.archive import Archive, open_archive
from corpus.article import Article
from corpus.sources.freshness import Freshness, last_round
from retrieval.crossencoder import CrossEncoder, crossencoder_folder, load_crossencoder
from retrieval.encoder import Encoder, Remembering, export_folder, load_encoder, load_reranker
from retrieval.index import Index, Model, behind
from retrieval.keywords import Keywords
from retrieval.models import load_pointer
from retrieval.vectors import Vectors, read_json

if TYPE_CHECKING:
    from corpus.sources.register import Register
    from retrieval.desk import Desk
    from retrieval.question import Question
    from retrieval.search import Search

SOURCES = "sources.sqlite"
LATE = 3 * 3_600.0  # seconds that an archive may be behind its sources before an answer about these hours says so
BULK = 300  # passages from which it pays to start a quicker engine than the one for questions


class House:
    """The parts of one archive; each is made when it is first asked for."""

    def __init__(self, settings: Settings, *, sample: bool = False, stays: bool = False, seats: int = 1) -> None:
        """`stays` says that many questions are coming, for which it pays to start a quicker engine; `seats`, how many
        are answered at a time.
        """
        self.settings = settings
        self.sample = sample
        self.stays, self.seats = stays, seats
        self.folder = settings.data / "sample" if sample else settings.data
        self._warming: tuple[Future[Encoder], Future[CrossEncoder]] | None = None

    @cached_property
    def archive(self) -> Archive:
        url = None if self.sample else self.settings.archive
        return open_archive(url.get_secret_value() if url else self.folder / "archive.sqlite")

    @cached_property
    def register(self) -> "Register":
        """What is known of the sources."""
        from corpus.sources.register import open_register  # here: a question visits none

        return open_register(self.folder / SOURCES)

    def forget(self, name: str) -> Article:
        """Deletes an article for good, and no visit to its page brings it back. Raises NoSuchArticle."""
        url = self.archive.revisions(name)[-1].article.url
        if (self.folder / SOURCES).exists():
            self.register.forget([url, *self.archive.addresses(url)])
        return self.archive.forget(url)

    def outdated(self, question: "Question") -> Freshness | None:
        """How far the archive follows its sources, where that is not to the end of the days that were asked for."""
        scope = question.scope
        if not (scope.since or scope.until) or not (self.folder / SOURCES).exists():
            return None
        last = min(filter(None, (scope.until, scope.as_of, question.today)))
        end = datetime(last.year, last.month, last.day).astimezone() + timedelta(days=1)
        current = last_round(self.folder / SOURCES)
        if current is None or current > min(end.timestamp(), time.time()) - LATE:
            return None
        return self.freshness()

    def freshness(self) -> Freshness | None:
        """How far the archive follows its sources; None where it has none."""
        if not (self.folder / SOURCES).exists():
            return None
        found = self.register.freshness(time.time())
        return found if found.sources else None

    @cached_property
    def vectors(self) -> Vectors:
        """The sample's vectors are never on the Chroma server, where they would mix with the user's."""
        url = None if self.sample else self.settings.chroma
        return Vectors(
            self.folder / "vectors", url=url.get_secret_value() if url else "", collection=self.settings.collection
        )

    @cached_property
    def keywords(self) -> Keywords:
        return Keywords(self.folder / "keywords")

    @cached_property
    def encoder(self) -> Encoder:
        """The one for questions."""
        return self._warming[0].result() if self._warming else self._load_encoder()

    @cached_property
    def crossencoder(self) -> CrossEncoder:
        return self._warming[1].result() if self._warming else self._load_crossencoder()

    def warm_up(self) -> None:
        """Loads the models beside what comes next: it is most of the time that a cold question takes."""
        if self.prepared and "encoder" not in self.__dict__:
            pool = ThreadPoolExecutor(1)
            self._warming = pool.submit(self._load_encoder), pool.submit(self._load_crossencoder)
            pool.shutdown(wait=False)

    def prepare(self) -> None:
        """Exports the models, which takes seconds, where they are not."""
        _ = self.encoder, self.crossencoder

    def _load_encoder(self) -> Encoder:
        model, engine = self.settings.model, self.settings.engine
        return Remembering(load_encoder(model, self.models, engine=engine, bulk=self.stays, at_once=self.seats))

    def _load_crossencoder(self) -> CrossEncoder:
        settings = self.settings
        one = load_crossencoder(self.models, engine=settings.engine, bulk=self.stays, at_once=self.seats)
        if settings.reranker or settings.reader:
            from retrieval import named

            one = named.Ranked(one, load_reranker(settings.reranker)) if settings.reranker else one
            one = named.Pointing(one, load_pointer(settings.reader)) if settings.reader else one
        return one

    @property
    def models(self) -> Path:
        return self.settings.models or self.settings.data / "models"

    @property
    def prepared(self) -> bool:
        """Whether the models need no export, which takes seconds."""
        encoder = self.settings.engine == "torch" or (self._export / "encoder.json").exists()
        return encoder and (crossencoder_folder(self.models) / "crossencoder.json").exists()

    @property
    def _export(self) -> Path:
        return export_folder(self.settings.model, self.models)

    @cached_property
    def _model(self) -> Model:
        known = None if self.settings.engine == "torch" else read_json(self._export / "encoder.json")
        if known:
            return Model(known["name"], known["dimension"])
        return Model(self.encoder.name, self.encoder.dimension)

    def index(self, told: Callable[[Encoder], Encoder] = lambda encoder: encoder) -> Index:
        """The indexes; `told` may wrap the encoder that fills them, to hear of its progress."""
        encoders: list[Encoder] = []

        def encoder() -> Encoder:
            if not encoders:
                encoders.append(told(self._bulk_encoder() if index.waiting() > BULK else self.encoder))
            return encoders[0]

        index = Index(self.archive, self.vectors, self.keywords, self._model, encoder)
        return index

    def behind(self) -> int:
        """Changes that the indexes have yet to follow."""
        return behind(self.archive, self.vectors, self.keywords)

    @property
    def indexed(self) -> bool:
        """Whether there is an index to answer from, in step or not."""
        return self.vectors.stamp() is not None and self.keywords.stamp() is not None

    @cached_property
    def desk(self) -> "Desk":
        from retrieval.desk import Desk  # here: an intake asks nothing
        from retrieval.reader import load_reader

        reader = load_reader(lambda: self.crossencoder, self.settings.threshold, self.settings.passages)
        return Desk(self.search, reader, self.archive, self.settings.old_after, self.outdated)

    @cached_property
    def search(self) -> "Search":
        from retrieval.search import Search

        if self.indexed:
            self.index().check()
        return Search(self.archive, self.vectors, self.keywords, lambda: self.encoder)

    def _bulk_encoder(self) -> Encoder:
        return load_encoder(self.settings.model, self.models, engine=self.settings.engine, bulk=True)

    def close(self) -> None:
        if "vectors" in self.__dict__:
            self.vectors.close()
        for kept in ("archive", "register"):
            if kept in self.__dict__:
                self.__dict__[kept].close()


@contextmanager
def opened(settings: Settings, *, sample: bool = False, stays: bool = False, seats: int = 1) -> Iterator[House]:
    house = House(settings, sample=sample, stays=stays, seats=seats)
    try:
        yield house
    finally:
        house.close()
