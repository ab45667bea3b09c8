"""Both ways into LangChain programs, with LangChain's own suite for retrievers."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from corpus.archive import Archive, open_archive
from retrieval.encoder import Encoder, load_encoder
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.langchain import LangChainEncoder, PullquoteEmbeddings, PullquoteRetriever
from retrieval.models import DEFAULT_MODEL
from retrieval.question import BadQuestion
from retrieval.scope import Scope
from retrieval.search import Search
from retrieval.vectors import Vectors
from tests.words import WordEncoder, an_article, put

ARTICLES = [
    an_article(1, "Russia demanded a withdrawal from four regions.\n\nKyiv rejected the demand.", title="Talks end"),
    an_article(2, "The storm tore roofs from forty houses.", day=20, outlet="Herald"),
    an_article(3, "The council voted for the tram line.", day=24),
    an_article(4, "A dairy won the national cheese prize.", day=25),
    an_article(5, "Seagrass grows back along the coast.", day=26),
]


def indexed(folder: Path, encoder: Encoder) -> tuple[Archive, Search]:
    archive = open_archive(folder / "archive.sqlite")
    vectors, keywords = Vectors(folder / "vectors"), Keywords(folder / "keywords")
    put(archive, *ARTICLES)
    Index(archive, vectors, keywords, Model(encoder.name, encoder.dimension), lambda: encoder).catch_up()
    return archive, Search(archive, vectors, keywords, lambda: encoder)


class TestPullquoteRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _archive(self, tmp_path: Path) -> Iterator[None]:
        self.archive, self.search = indexed(tmp_path, WordEncoder())
        yield
        self.archive.close()

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return PullquoteRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"search": self.search}

    @property
    def retriever_query_example(self) -> str:
        return "what did Russia demand?"

    def test_a_slip_of_typing_finds_the_same(self, retriever: BaseRetriever) -> None:
        assert retriever.invoke("what did Rusisa demand?") == retriever.invoke("what did Russia demand?")

    def test_a_document_holds_what_a_citation_is_made_of(self, retriever: BaseRetriever) -> None:
        [document] = retriever.invoke("what did Russia demand?", k=1)
        assert document == Document(
            id=document.id,
            page_content=ARTICLES[0].text,
            metadata={
                "url": "https://example.org/1",
                "title": "Talks end",
                "outlet": "Courier",
                "published": datetime(2025, 5, 16, 9, tzinfo=UTC).isoformat(),
                "authors": [],
                "revision": 1,
                "start": 0,
                "end": len(ARTICLES[0].text),
                "score": document.metadata["score"],
            },
        )
        stored = self.archive.revision(document.metadata["revision"])
        assert stored
        start, end = document.metadata["start"], document.metadata["end"]
        assert stored.article.text[start:end] == document.page_content

    def test_the_best_come_first_and_by_default_four(self, retriever: BaseRetriever) -> None:
        documents = retriever.invoke("what did Russia demand?")
        scores = [document.metadata["score"] for document in documents]
        assert len(documents) == 4
        assert scores == sorted(scores, reverse=True)

    def test_a_scope_and_time_words_filter(self, retriever: BaseRetriever) -> None:
        narrow = PullquoteRetriever(search=self.search, scope=Scope(since=date(2025, 5, 20), outlets=("herald",)))
        assert [document.metadata["title"] for document in narrow.invoke("report")] == ["Report 2"]
        assert retriever.invoke("reports from May 2021 about Russia") == []

    def test_a_question_that_asks_nothing_is_refused(self, retriever: BaseRetriever) -> None:
        with pytest.raises(BadQuestion, match="The question is empty"):
            retriever.invoke("?")


def test_our_encoder_as_langchain_embeddings(models: Path) -> None:
    encoder = load_encoder(DEFAULT_MODEL, models, engine="onnxruntime")
    embeddings = PullquoteEmbeddings(encoder)
    texts = [article.text for article in ARTICLES]
    rows = embeddings.embed_documents(texts)
    np.testing.assert_allclose(rows, encoder.encode(texts), atol=1e-6)
    np.testing.assert_allclose(embeddings.embed_query("Who?"), encoder.encode(["Who?"], question=True)[0], atol=1e-6)
    assert embeddings.embed_documents([]) == []
    assert {type(rows), type(rows[0]), type(rows[0][0])} == {list, float}


def test_langchain_embeddings_as_our_encoder(tmp_path: Path) -> None:
    """These give every text a vector of its own, far from unit length: only the same text is near."""
    encoder = LangChainEncoder(DeterministicFakeEmbedding(size=48), "fake")
    assert (encoder.name, encoder.dimension) == ("fake", 48)
    rows = encoder.encode(["one", "two", "one"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows[0], rows[2])
    np.testing.assert_array_equal(encoder.encode(["one"], question=True)[0], rows[0])
    assert encoder.encode([]).shape == (0, 48)
    assert rows.dtype == np.float32

    archive, search = indexed(tmp_path, encoder)
    first = "Report 3 (24 May 2025)\nThe council voted for the tram line."
    [(best, cosine), *_] = search._vectors.nearest(encoder.encode([first], question=True)[0], 5, Scope())
    assert archive.passages([best])[best].revision.article.title == "Report 3"
    assert cosine == pytest.approx(1, abs=1e-5)
    found = PullquoteRetriever(search=search, k=1).invoke("which tram line?")
    assert [document.metadata["title"] for document in found] == ["Report 3"]
    archive.close()


def test_embeddings_of_no_length_stay_as_they_are() -> None:
    class Nothing(DeterministicFakeEmbedding):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[0.0] * self.size for _ in texts]

    np.testing.assert_array_equal(LangChainEncoder(Nothing(size=3), "nothing").encode(["a"]), np.zeros((1, 3)))
