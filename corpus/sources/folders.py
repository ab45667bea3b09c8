"""Watched folders: which files are new, changed, moved or gone since they were looked at last.

By looking again and again, not by the system's notices: these do not reach network drives and containers' mounts, and
what happened while nobody watched has to be found by looking anyway.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from corpus.article import BadArticle
from corpus.sources.files import SUFFIXES
from corpus.sources.register import Kept

SETTLED = 2.0  # seconds since its last change after which a file is taken for wholly written
FEW = 3  # files that may all vanish at once without a doubt


@dataclass(frozen=True, slots=True)
class Changes:
    """`articles` of those that came are not known yet."""

    came: tuple[Kept, ...]  # new, changed or moved here
    moved: Mapping[str, str]  # new path -> old path, which is also gone
    gone: tuple[Kept, ...]
    unsettled: int  # files that are being written


def changes(folder: str, kept: Mapping[str, Kept], now: float) -> Changes:
    """Raises BadArticle where the folder cannot be read, or stands suspiciously empty: as an unmounted drive does."""
    there = dict(_files(folder))
    if not there and len(kept) > FEW:
        raise BadArticle(f"The folder is empty, where there were {len(kept):,} files. Nothing was changed; mount it.")
    settled = {path: one for path, one in there.items() if abs(now - one.mtime / 1e9) >= SETTLED}
    same = {path for path, one in there.items() if path in kept and _stamp(one) == _stamp(kept[path])}
    came = [_digested(one) for path, one in settled.items() if path not in same]
    gone = {one.digest: one for path, one in kept.items() if path not in there}
    moved = {one.path: gone[one.digest].path for one in came if one.digest in gone and one.path not in kept}
    # A file that was only touched is no news, but its new stamp is to be kept.
    return Changes(
        tuple(came), moved, tuple(kept[path] for path in kept if path not in there), len(there) - len(settled)
    )


def _files(folder: str) -> Iterable[tuple[str, Kept]]:
    closed: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(where, name)
            if not name.startswith(".") and name.lower().endswith(SUFFIXES) and os.path.isfile(path):
                try:
                    found = os.stat(path)
                except OSError:  # gone meanwhile
                    continue
                yield path, Kept(path, found.st_size, found.st_mtime_ns, "")
    if closed:
        why = closed[0].strerror or type(closed[0]).__name__
        raise BadArticle(
            f"The folder {Path(folder).name!r} cannot be read wholly: {why}. Check it and its permissions."
        )


def _stamp(one: Kept) -> tuple[int, int]:
    return one.size, one.mtime


def _digested(one: Kept) -> Kept:
    """ "" where it cannot be read, which taking it in will say."""
    try:
        with open(one.path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        digest = ""
    return Kept(one.path, one.size, one.mtime, digest)
