"""What tests of several packages share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from retrieval.crossencoder import CrossEncoder

settings.register_profile("patient", deadline=None)  # the machine may be busy with something else
settings.load_profile("patient")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default models, exported once for the whole run."""
    from retrieval.crossencoder import load_crossencoder
    from retrieval.encoder import load_encoder
    from retrieval.models import DEFAULT_MODEL

    folder = tmp_path_factory.mktemp("models")
    load_encoder(DEFAULT_MODEL, folder)
    load_crossencoder(folder)
    return folder


@pytest.fixture(scope="session")
def crossencoder(models: Path) -> "CrossEncoder":
    from retrieval.crossencoder import load_crossencoder

    return load_crossencoder(models)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and no PULLQUOTE_ variable."""
    for name in [name for name in os.environ if name.upper().startswith("PULLQUOTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def place(bare: Path, monkeypatch: pytest.MonkeyPatch, models: Path) -> Path:
    """The data folder of the test, empty; the model stands ready."""
    monkeypatch.setenv("PULLQUOTE_DATA", str(bare / "data"))
    monkeypatch.setenv("PULLQUOTE_MODELS", str(models))
    monkeypatch.setenv("PULLQUOTE_ENGINE", "onnxruntime")
    return bare / "data"
