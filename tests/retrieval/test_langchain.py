"""The LangChain edge, held to LangChain's own test suite for retrievers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from corpus.archive import open_archive
from retrieval.encoder import DEFAULT_MODEL, Encoder, load_encoder
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.langchain import LangChainEncoder, PullquoteEmbeddings, PullquoteRetriever
from retrieval.search import Search
from retrieval.vectors import Vectors
from tests.words import WordEncoder, an_article, put

ARTICLES = [an_article(n, f"Storm number {n} tore roofs from {n * 10} houses in town {n}.") for n in range(1, 9)]


def searching(folder: Path, encoder: Encoder) -> Search:
    archive = open_archive(folder / "archive.sqlite")
    put(archive, *ARTICLES)
    vectors, keywords = Vectors(folder / "vectors"), Keywords(folder / "keywords")
    Index(archive, vectors, keywords, Model(encoder.name, encoder.dimension), lambda: encoder).catch_up()
    return Search(archive, vectors, keywords, lambda: encoder)


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:
    found = searching(tmp_path_factory.mktemp("langchain"), WordEncoder())
    yield found
    found._archive.close()


class TestPullquoteRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _with(self, search: Search) -> None:
        self.search = search

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return PullquoteRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, object]:
        return {"search": self.search}

    @property
    def retriever_query_example(self) -> str:
        return "which storm tore roofs from houses?"


def test_a_document_carries_what_a_citation_is_made_of(search: Search) -> None:
    [document] = PullquoteRetriever(search=search, k=1).invoke("storm number 3 in town 3")
    meta = document.metadata
    text = ARTICLES[2].text
    assert document.page_content == text[meta["start"] : meta["end"]]
    assert {name: meta[name] for name in ("url", "title", "outlet", "published", "authors", "revision")} == {
        "url": "https://example.org/3",
        "title": "Report 3",
        "outlet": "Courier",
        "published": "2025-05-16T09:00:00+00:00",
        "authors": [],
        "revision": 3,
    }


def test_our_encoder_serves_as_langchain_embeddings(models: Path) -> None:
    encoder = load_encoder(DEFAULT_MODEL, models)
    embeddings = PullquoteEmbeddings(encoder)
    texts = ["The storm tore roofs.", "Russia demanded a withdrawal."]
    np.testing.assert_allclose(embeddings.embed_documents(texts), encoder.encode(texts), atol=1e-6)
    np.testing.assert_allclose(embeddings.embed_query(texts[0]), encoder.encode(texts[:1], question=True)[0], atol=1e-6)


def test_langchain_embeddings_serve_as_our_encoder(tmp_path: Path) -> None:
    encoder = LangChainEncoder(DeterministicFakeEmbedding(size=32), "fake")
    rows = encoder.encode(["one", "two", "one"])
    assert rows.shape == (3, 32)
    assert (encoder.name, encoder.dimension) == ("fake", 32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(rows[0], rows[2])
    search = searching(tmp_path, encoder)
    [document] = PullquoteRetriever(search=search, k=1).invoke("storm number 5 in town 5")
    assert document.metadata["url"] == "https://example.org/5"
    search._archive.close()
