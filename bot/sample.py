"""The sample articles that come with the package, in an archive of their own."""

import hashlib
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

from bot.build import House


def take_in_sample(house: House, wait: float, tell: Callable[[], object]) -> None:
    """Takes the articles in where they are missing or changed; otherwise reads only their bytes."""
    with as_file(files("corpus.sample")) as folder:
        digest, note = _digest(folder), house.folder / "sample.sha256"
        if _noted(note) == digest:
            return
        from corpus.intake import only_one, take_in  # here: mostly there is nothing to take in
        from corpus.sources.files import read

        with only_one(house.folder, wait=wait):
            if _noted(note) == digest:
                return  # another process was quicker
            tell()
            take_in(read([str(folder)]), house.archive)
            house.index().catch_up()
            note.write_text(digest, "utf-8")


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.md")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _noted(note: Path) -> str:
    return note.read_text("utf-8") if note.exists() else ""
