"""Pullquote in LangChain programs, and LangChain's embeddings in Pullquote. The only file that imports LangChain."""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever

from retrieval.answer import Found
from retrieval.encoder import Encoder
from retrieval.models import Matrix
from retrieval.question import Question, read_question
from retrieval.scope import Scope


class PullquoteRetriever(BaseRetriever):
    """Passages of the archive as LangChain documents, best first.

    `search` is a `retrieval.search.Search`. A document's metadata hold what a citation is made of: `start` and
    `end` in the stored text of `revision`, with url, title, outlet, published and authors.
    """

    search: Callable[[Question], Sequence[Found]]
    k: int = 4
    scope: Scope = Scope()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        question = read_question(query, today=date.today(), scope=self.scope)
        return [as_document(found) for found in self.search(question)[: k or self.k]]


def as_document(found: Found) -> Document:
    revision, passage = found.stored.revision, found.stored.passage
    article = revision.article
    return Document(
        id=str(found.stored.id),
        page_content=passage.text,
        metadata={
            "url": article.url,
            "title": article.title,
            "outlet": article.outlet,
            "published": article.published.isoformat() if article.published else None,
            "authors": list(article.authors),
            "revision": revision.id,
            "start": passage.start,
            "end": passage.end,
            "score": found.score,
        },
    )


class PullquoteEmbeddings(Embeddings):
    """Our encoder, wherever LangChain wants embeddings."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(x) for x in row] for row in self._encoder.encode(texts)]

    def embed_query(self, text: str) -> list[float]:
        return [float(x) for x in self._encoder.encode([text], question=True)[0]]


class LangChainEncoder:
    """Any LangChain embeddings as our encoder: rows are brought to unit length, as cosines want them."""

    def __init__(self, embeddings: Embeddings, name: str) -> None:
        self.name = name
        self._embeddings = embeddings
        self.dimension = len(embeddings.embed_query("dimension"))

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        if question:
            rows = [self._embeddings.embed_query(text) for text in texts]
        else:
            rows = self._embeddings.embed_documents(list(texts))
        matrix = np.array(rows, np.float32).reshape(len(texts), self.dimension)
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        return np.asarray(matrix / np.where(lengths == 0, 1, lengths), np.float32)
