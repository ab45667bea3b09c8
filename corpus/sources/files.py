"""Files, folders and standard input, as articles: one document or row in memory at a time."""

import gzip
import json
import os
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from corpus import extract
from corpus.article import Article, BadArticle

MAX_DOCUMENT = 20_000_000  # bytes
MAX_ROW = 20_000_000  # bytes of one line of JSON
ROW_SUFFIXES = (".jsonl", ".jsonl.gz")
SUFFIXES = (*extract.SUFFIXES, *ROW_SUFFIXES)
_CHUNK = 1_000_000  # bytes of an over-long line dropped at a time


class Lines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One article, or why there is none."""

    where: str  # for a person: the path, or "path:12" for line 12; printable whatever the name
    article: Article | None
    problem: str = ""  # a full sentence; "" where there is an article


def read(paths: Sequence[str], stdin: Lines | None = None) -> Iterator[Item]:
    """The articles at `paths`: files, folders with all that is below, "-" for JSON lines on standard input.

    Never raises for what it finds there: a bad file or row is an Item with its problem, and the next one follows.
    """
    for path in paths:
        if path == "-":
            yield from _rows(stdin or sys.stdin.buffer, "standard input")
        else:
            yield from _at(path)


def _at(path: str) -> Iterator[Item]:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a name that no file system has
        yield Item(_printable(path), None, f"There is nothing to read here: {_reason(error)}. Check the path.")
        return
    if stat.S_ISDIR(mode):
        yield from _folder(path)
    elif not path.lower().endswith(SUFFIXES):
        yield Item(
            _printable(path), None, f"The file has none of the suffixes {', '.join(SUFFIXES)}. Convert it to one."
        )
    else:
        yield from _file(path)


def _folder(path: str) -> Iterator[Item]:
    empty = True
    for item in _below(path):
        empty = False
        yield item
    if empty:
        kinds = ", ".join(SUFFIXES)
        yield Item(_printable(path), None, f"The folder has no files with the suffixes {kinds}. Name another one.")


def _below(folder: str) -> Iterator[Item]:
    """Every readable file in the folder, in order of names; links to folders are not followed, so none is met twice."""
    closed: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield from _file(os.path.join(where, name))
    for error in closed:
        problem = f"The folder cannot be opened: {_reason(error)}. Check its permissions."
        yield Item(_printable(str(error.filename)), None, problem)


def _file(path: str) -> Iterator[Item]:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            yield Item(
                _printable(path), None, "This is a pipe or a device, not a file. Pipe JSON lines into - instead."
            )
        elif path.lower().endswith(ROW_SUFFIXES):
            with open(path, "rb") as stream:
                yield from _rows(_unzipped(stream, path), _printable(path))
        else:
            yield _document(path, found.st_size)
    except (OSError, ValueError) as error:
        yield Item(_printable(path), None, f"The file cannot be read: {_reason(error)}. Check its permissions.")


def _document(path: str, size: int) -> Item:
    data = b""
    if size <= MAX_DOCUMENT:
        with open(path, "rb") as stream:
            data = stream.read(MAX_DOCUMENT + 1)  # it may have grown since
    if max(size, len(data)) > MAX_DOCUMENT:
        problem = f"The file has {max(size, len(data)):,} bytes; the limit is {MAX_DOCUMENT:,}. Split it into articles."
        return Item(_printable(path), None, problem)
    try:
        article = extract.extract(data, name=os.path.basename(path), url=Path(os.path.abspath(path)).as_uri())
    except BadArticle as error:
        return Item(_printable(path), None, str(error))
    return Item(_printable(path), article)


def _unzipped(stream: BinaryIO, path: str) -> Lines:
    return gzip.GzipFile(fileobj=stream) if path.lower().endswith(".gz") else stream


def _rows(stream: Lines, where: str) -> Iterator[Item]:
    number = 0
    try:
        for number, raw in enumerate(_lines(stream), 1):
            if raw is None:
                problem = f"The line has more than {MAX_ROW:,} bytes. Split the article in two."
                yield Item(f"{where}:{number}", None, problem)
            elif raw.strip(b" \t\r\n\xef\xbb\xbf"):
                yield _row(raw, f"{where}:{number}")
    except (OSError, EOFError, zlib.error):
        problem = "The file ends early or is damaged here. What came before is kept; fetch the file again."
        yield Item(f"{where}:{number + 1}", None, problem)


def _lines(stream: Lines) -> Iterator[bytes | None]:
    """Lines of at most MAX_ROW bytes; None in place of a longer one, which is dropped piece by piece."""
    while raw := stream.readline(MAX_ROW + 1):
        if len(raw) <= MAX_ROW or raw.endswith(b"\n"):
            yield raw
            continue
        while (rest := stream.readline(_CHUNK)) and not rest.endswith(b"\n"):
            pass
        yield None


def _row(raw: bytes, where: str) -> Item:
    try:
        return Item(where, extract.from_row(json.loads(raw.decode("utf-8-sig"))))
    except BadArticle as error:
        return Item(where, None, str(error))
    except UnicodeDecodeError as error:
        return Item(where, None, f"The line is not UTF-8 at byte {error.start + 1:,}. Save the file as UTF-8.")
    except (ValueError, RecursionError):  # ValueError: also a number of 5,000 digits
        return Item(where, None, "The line is not JSON. Put one whole object on each line.")


def _reason(error: Exception) -> str:
    """What the system says, in its words, without the path; a name that cannot be a path has none."""
    return (isinstance(error, OSError) and error.strerror) or "no file can have this name"


def _printable(path: str) -> str:
    """A path as a person can see it: control characters and bytes that are no text stand as escapes."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in path)
