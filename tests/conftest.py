"""What tests of several packages share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default model, exported once for the whole run."""
    from retrieval.encoder import DEFAULT_MODEL, load_encoder

    folder = tmp_path_factory.mktemp("models")
    load_encoder(DEFAULT_MODEL, folder)
    return folder
