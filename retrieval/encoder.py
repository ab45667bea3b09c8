"""Text to vectors. The only file that imports sentence_transformers.

sentence_transformers loads any model, which takes seconds, so it does that once: the model is exported to ONNX,
compared with the original, and from then on run from there; a GPU is used through sentence_transformers.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from retrieval.models import (
    DEFAULT_MODEL,
    BadModel,
    Engine,
    Matrix,
    Run,
    batches,
    default_folder,
    has_gpu,
    load_tokenizer,
    loaded,
    made_whole,
    onnxruntime_run,
    padded,
    run_export,
    seconds_of,
    to_onnx,
    write,
)

BATCH_TOKENS = 1_000  # large padded batches are slower: few tokens, texts of like length
FEW = 64  # texts, as of one question: sentences differ so much in length that padding costs more than calls
FEW_TOKENS = 120
REMEMBERED = 8  # questions' vectors: one question is encoded by the search, by the reader, again without filters
EXPORT_VERSION = 1  # changes when an export of the same model would come out differently


class Encoder(Protocol):
    """Anything that turns texts into rows of a float32 matrix of unit length, one row a text."""

    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix: ...


@dataclass(frozen=True, slots=True)
class Exported:
    """What is known of an exported model without opening it (`encoder.json` beside `model.onnx`)."""

    name: str
    dimension: int
    max_tokens: int
    pad: int
    inputs: tuple[str, ...]
    question_prompt: str
    passage_prompt: str
    version: int


class Remembering:
    """An encoder that knows the vectors of the last few questions."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.dimension = encoder.name, encoder.dimension
        self._question = lru_cache(REMEMBERED)(lambda text: encoder.encode([text], question=True)[0])

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        if not question or not texts:
            return self._encoder.encode(texts, question=question)
        return np.stack([self._question(one) for one in texts])


class OnnxEncoder:
    """An exported model under onnxruntime or OpenVINO."""

    def __init__(self, folder: Path, exported: Exported, run: Run) -> None:
        self._exported = exported
        self._run = run
        self._tokenizer = load_tokenizer(folder / "tokenizer.json")
        self._tokenizer.enable_truncation(exported.max_tokens)

    @property
    def name(self) -> str:
        return self._exported.name

    @property
    def dimension(self) -> int:
        return self._exported.dimension

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        """(len(texts), dimension), unit length, in the order of `texts`; longer texts are cut at the model's limit."""
        prompt = self._exported.question_prompt if question else self._exported.passage_prompt
        tokens = [e.ids for e in self._tokenizer.encode_batch([prompt + text for text in texts])]
        out = np.empty((len(texts), self.dimension), np.float32)
        cap = FEW_TOKENS if len(texts) <= FEW else BATCH_TOKENS
        for rows in batches([len(ids) for ids in tokens], cap):
            mine = [tokens[row] for row in rows]
            segments, model = [[0] * len(ids) for ids in mine], self._exported
            out[rows] = self._run(padded(mine, segments, model.pad, model.inputs, model.max_tokens))
        return out


class TorchEncoder:
    """A model as sentence_transformers runs it: for a GPU, and for models that cannot be exported."""

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._model = model
        self.dimension = int(model.get_embedding_dimension())

    def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
        encode = self._model.encode_query if question else self._model.encode_document
        rows = encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, np.float32).reshape(len(texts), self.dimension)


def load_encoder(name: str, cache: Path, *, engine: Engine = "auto", bulk: bool = False, at_once: int = 1) -> Encoder:
    """The encoder for a model name or folder, exported into `cache` on its first use.

    `bulk` says that much is coming, thousands of passages or question after question: "auto" then takes a GPU, or
    OpenVINO where it is installed and quicker here. A single question goes to onnxruntime, which starts first.
    `at_once` threads may encode at the same time; they share the cores. Raises BadModel.
    """
    if engine == "torch" or (engine == "auto" and bulk and has_gpu()):
        return TorchEncoder(name, _load_original(name))
    folder = export_folder(name, cache)
    if not (folder / "encoder.json").exists():
        _export(name, folder)
    exported = _read_exported(folder)

    def seconds(run: Run) -> float:
        return _seconds(folder, exported, run)

    return OnnxEncoder(folder, exported, run_export(folder, engine, seconds if bulk else None, at_once))


def export_folder(name: str, cache: Path) -> Path:
    """Where the export of a model stands; a model folder that changed on disk gets another one."""
    source = Path(name)
    changed = max((f.stat().st_mtime_ns for f in source.rglob("*")), default=0) if source.is_dir() else 0
    digest = hashlib.sha256(f"{name}\n{changed}\n{EXPORT_VERSION}".encode()).hexdigest()[:12]
    return cache / f"{source.name}-{digest}"


def _read_exported(folder: Path) -> Exported:
    fields = json.loads((folder / "encoder.json").read_text("utf-8"))
    return Exported(**{**fields, "inputs": tuple(fields["inputs"])})


def _seconds(folder: Path, exported: Exported, run: Run) -> float:
    texts = ["The minister told reporters on Friday that talks would go on. " * n for n in range(4, 16)]
    encoder = OnnxEncoder(folder, exported, run)
    return seconds_of(lambda: encoder.encode(texts))


def _load_original(name: str) -> Any:
    """The model in sentence_transformers. The default one comes from its package, its weights checked first."""
    from sentence_transformers import SentenceTransformer

    source = str(default_folder()) if name == DEFAULT_MODEL else name
    return loaded(source, lambda alone: SentenceTransformer(source, local_files_only=alone), "PULLQUOTE_MODEL")


def load_reranker(name: str) -> Callable[[Sequence[tuple[str, str]]], Matrix]:
    """A cross-encoder by name: (question, text) pairs to (pairs,) scores, higher is nearer. Raises BadModel."""
    from sentence_transformers import CrossEncoder

    model = loaded(name, lambda alone: CrossEncoder(name, local_files_only=alone), "PULLQUOTE_RERANKER")
    if model.num_labels != 1:
        raise BadModel(f"The model {name!r} gives {model.num_labels} scores a pair; PULLQUOTE_RERANKER needs one.")

    def rank(pairs: Sequence[tuple[str, str]]) -> Matrix:
        return np.asarray(model.predict(list(pairs), show_progress_bar=False), np.float32)

    return rank


def _export(name: str, folder: Path) -> None:
    """Exports, compares, and only then puts the folder in its place: a killed export leaves nothing behind."""
    model = _load_original(name).to("cpu").float().eval()
    with made_whole(folder) as made:
        exported = _write_export(name, model, made)
        _compare(model, OnnxEncoder(made, exported, onnxruntime_run(made)))
        write(made / "encoder.json", json.dumps(asdict(exported), indent=1))


def _write_export(name: str, model: Any, folder: Path) -> Exported:
    tokens = model.tokenizer(["A question?", "A passage of some more words."], padding=True, return_tensors="np")
    inputs = tuple(n for n in ("input_ids", "attention_mask", "token_type_ids") if n in tokens)

    def forward(*values: Any) -> Any:
        """Transformer, pooling and what else the model has."""
        vectors = model(dict(zip(inputs, values, strict=True)))["sentence_embedding"]
        return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)

    to_onnx(model, forward, {name: tokens[name].astype(np.int64) for name in inputs}, folder / "model.onnx")
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise BadModel(f"The model {name!r} has no fast tokenizer. Set PULLQUOTE_ENGINE=torch to use it unexported.")
    backend.save(str(folder / "tokenizer.json"))
    prompts = {"query": "", "document": "", **{k: v or "" for k, v in (model.prompts or {}).items()}}
    return Exported(
        name=name,
        dimension=int(model.get_embedding_dimension()),
        max_tokens=int(model.max_seq_length or 512),
        pad=int(model.tokenizer.pad_token_id or 0),
        inputs=inputs,
        question_prompt=prompts["query"],
        passage_prompt=prompts["document"],
        version=EXPORT_VERSION,
    )


def _compare(model: Any, ours: Encoder) -> None:
    """An export that differs from its model would quietly spoil every search: refuse it."""
    texts = [
        "Who?",
        "What did the minister say about gas prices on Friday?",
        "A long passage of news. " * 200,
    ]
    for question in (True, False):
        expected = TorchEncoder(ours.name, model).encode(texts, question=question)
        cosine = np.sum(expected * ours.encode(texts, question=question), axis=1)
        if cosine.min() < 0.9999:
            raise BadModel(
                f"The export of {ours.name!r} differs from the model (cosine {cosine.min():.4f}). "
                "Set PULLQUOTE_ENGINE=torch to use it unexported."
            )
