"""The exported model is the model, whatever runs it."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.encoder import Encoder, Remembering, TorchEncoder, _load_original, export_folder, load_encoder
from retrieval.models import DEFAULT_MODEL, DEFAULT_PACKAGE, BadModel, Matrix, batches, check_weights, padded
from tests.words import WordEncoder

REPO = Path(__file__).resolve().parents[2]
SENTENCES = [
    "Russia demanded the withdrawal of Ukrainian troops from four regions.",
    "The storm tore roofs from forty houses, but nobody was hurt!",
    "Цены на газ выросли на 3,5 процента.",
    "谈判开始了。",
    "“We will not,” she said — “never”.",
]
TEXTS = [
    "",
    " ",
    "?",
    "Who?",
    "x" * 5_000,
    "👩‍🚀",
    *(
        " ".join((SENTENCES * 40)[start : start + length])
        for start, length in enumerate([1, 1, 2, 3, 5, 8, 13, 40, 200])
    ),
    "Who?",
]


@lru_cache(maxsize=1)
def model() -> Any:
    return _load_original(DEFAULT_MODEL)


@pytest.fixture
def encoder(models: Path) -> Encoder:
    return load_encoder(DEFAULT_MODEL, models, engine="onnxruntime")


def cosines(one: Matrix, other: Matrix) -> Matrix:
    """Row by row; both are of unit length."""
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    return np.asarray(np.sum(one * other, axis=1), np.float32)


@pytest.mark.parametrize("question", [True, False])
def test_the_export_is_the_model(encoder: Encoder, question: bool) -> None:
    ours = encoder.encode(TEXTS, question=question)
    expected = np.asarray(model().encode(TEXTS, normalize_embeddings=True, show_progress_bar=False), np.float32)
    assert (encoder.name, encoder.dimension, ours.shape) == (DEFAULT_MODEL, 384, (len(TEXTS), 384))
    assert cosines(ours, expected).min() > 0.9999
    np.testing.assert_allclose(ours[3], ours[-1], atol=1e-5)  # the same text, in whatever batch


def test_rows_come_in_the_order_of_the_texts(encoder: Encoder) -> None:
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    assert cosines(encoder.encode(TEXTS), backwards).min() > 0.99999


def test_no_texts_are_no_rows(encoder: Encoder) -> None:
    for one in (encoder, TorchEncoder("m", model())):
        assert one.encode([]).shape == (0, 384)
        assert one.encode([]).dtype == np.float32


def test_a_question_is_encoded_once_and_passages_each_time() -> None:
    class Counting(WordEncoder):
        calls: ClassVar[list[tuple[list[str], bool]]] = []

        def encode(self, texts: Sequence[str], *, question: bool = False) -> Matrix:
            self.calls.append((list(texts), question))
            return super().encode(texts, question=question)

    encoder = Remembering(Counting())
    assert (encoder.name, encoder.dimension) == ("words", 256)
    first = encoder.encode(["Who?"], question=True)
    again = encoder.encode(["Who?", "Where?"], question=True)
    np.testing.assert_array_equal(again, WordEncoder().encode(["Who?", "Where?"]))
    np.testing.assert_array_equal(first, again[:1])
    assert encoder.encode([], question=True).shape == (0, 256)
    encoder.encode(["Who?"])
    encoder.encode(["Who?"])
    assert Counting.calls == [(["Who?"], True), (["Where?"], True), ([], True), (["Who?"], False), (["Who?"], False)]


def test_torch_gives_the_same_rows(encoder: Encoder, models: Path) -> None:
    torch = load_encoder(DEFAULT_MODEL, models, engine="torch")
    assert isinstance(torch, TorchEncoder)
    assert (torch.name, torch.dimension) == (encoder.name, encoder.dimension)
    for question in (True, False):
        rows = torch.encode(TEXTS, question=question)
        assert cosines(rows, encoder.encode(TEXTS, question=question)).min() > 0.9999


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="NOT TESTED: openvino is not installed.")
def test_openvino_gives_nearly_the_same_rows(encoder: Encoder, models: Path) -> None:
    """On a processor with bf16 it rounds."""
    rows = load_encoder(DEFAULT_MODEL, models, engine="openvino").encode(TEXTS)
    assert cosines(rows, encoder.encode(TEXTS)).min() > 0.999


WATCHED = """
import sys
def told(event, args):
    if event in ("os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "socket.getaddrinfo"):
        print(event, args, flush=True)
sys.addaudithook(told)
from pathlib import Path
from retrieval.encoder import load_encoder
load_encoder(sys.argv[1], Path(sys.argv[2]), engine="openvino").encode(["Who?"])
"""


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="NOT TESTED: openvino is not installed.")
def test_openvino_starts_no_process_and_calls_nobody(encoder: Encoder, models: Path) -> None:
    command = [sys.executable, "-c", WATCHED, encoder.name, str(models)]
    assert subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True, timeout=120).stdout == ""


@pytest.mark.skipif(importlib.util.find_spec("openvino") is not None, reason="openvino is installed")
def test_openvino_that_is_missing_is_named(models: Path) -> None:
    with pytest.raises(BadModel, match=r"pip install 'pullquote\[fast\]'"):
        load_encoder(DEFAULT_MODEL, models, engine="openvino")


def test_the_quicker_engine_is_measured_once(models: Path) -> None:
    many = load_encoder(DEFAULT_MODEL, models, bulk=True)
    note = export_folder(DEFAULT_MODEL, models) / "engine.json"
    assert note.exists() == (importlib.util.find_spec("openvino") is not None)
    if note.exists():
        written = note.stat().st_mtime_ns
        load_encoder(DEFAULT_MODEL, models, bulk=True)
        assert note.stat().st_mtime_ns == written
    assert cosines(many.encode(TEXTS), load_encoder(DEFAULT_MODEL, models).encode(TEXTS)).min() > 0.999


# Batches


@given(st.lists(st.integers(1, 600), max_size=80), st.integers(1, 3_000))
def test_every_row_is_in_one_batch_and_no_batch_is_larger_than_the_cap(lengths: Sequence[int], cap: int) -> None:
    made = list(batches(lengths, cap))
    assert sorted(row for rows in made for row in rows) == list(range(len(lengths)))
    for rows in made:
        assert rows
        assert len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= cap
    widths = [lengths[row] for rows in made for row in rows]
    assert widths == sorted(widths, reverse=True)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=40), min_size=1, max_size=5), st.integers(40, 50))
def test_what_is_padded_is_all_there_in_few_widths(tokens: list[list[int]], longest: int) -> None:
    arrays = padded(tokens, tokens, 0, ("input_ids", "attention_mask", "token_type_ids"), longest)
    width = arrays["input_ids"].shape[1]
    assert width % 16 == 0 or width == longest
    assert width - max(map(len, tokens)) < 16
    for row, one in enumerate(tokens):
        for name in ("input_ids", "token_type_ids"):
            assert arrays[name][row].tolist() == one + [0] * (width - len(one))
        assert arrays["attention_mask"][row].tolist() == [1] * len(one) + [0] * (width - len(one))


# What is refused


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    digest = "9f7c6d9f9d5d4bd8ea15c7fe0c8e5c1b"
    with pytest.raises(BadModel) as refused:
        check_weights(file, digest)
    assert str(refused.value).startswith("model.safetensors has the SHA-256 ")
    assert f"not the published {digest}. Its package was altered or damaged" in str(refused.value)


def test_the_published_weights_are_there() -> None:
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "model"
    check_weights(folder / "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")


def test_an_unknown_model_is_one_sentence_and_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At once: the hub's client would try for over a minute where there is no network."""
    with pytest.raises(BadModel) as refused:
        load_encoder("nobody-of-that-name/no-such-model", tmp_path)
    said = str(refused.value)
    assert said.startswith("The model 'nobody-of-that-name/no-such-model' cannot be loaded: ")
    assert said.endswith(". Give PULLQUOTE_MODEL a folder or a model name that this machine can reach.")
    assert ".." not in said
    assert "\n" not in said
    assert "Retry" not in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["nothing in it", "no type", "half the weights"])
def test_a_folder_that_holds_no_model_is_one_sentence(
    tmp_path: Path, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if damage == "no type":
        (folder / "config.json").write_text("{}")
    if damage == "half the weights":
        spec = importlib.util.find_spec(DEFAULT_PACKAGE)
        assert spec
        assert spec.submodule_search_locations
        for file in (Path(spec.submodule_search_locations[0]) / "model").rglob("*.*"):
            if file.is_file():
                place = folder / file.relative_to(Path(spec.submodule_search_locations[0]) / "model")
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(file.read_bytes()[:1_000_000])
    with pytest.raises(BadModel, match=r"^The model '.*/model' cannot be loaded: [^\n]*[^.]\. Give PULLQUOTE_MODEL"):
        load_encoder(str(folder), tmp_path / "cache")
    assert capfd.readouterr() == ("", "")


def test_preparing_the_model_prints_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from retrieval.encoder import load_encoder; from retrieval.models import DEFAULT_MODEL\n"
        "load_encoder(DEFAULT_MODEL, Path(sys.argv[1])).encode(['Who?'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=REPO, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [one.name for one in tmp_path.iterdir()] == [export_folder(DEFAULT_MODEL, tmp_path).name]


def test_a_model_folder_that_changed_is_exported_anew(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    first = export_folder(str(folder), tmp_path)
    (folder / "weights.bin").write_bytes(b"new")
    assert export_folder(str(folder), tmp_path) != first
    assert first.name.startswith("model-")
