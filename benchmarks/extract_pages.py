"""How much of saved pages is kept, and how much that is not the article is left out.

    python -m benchmarks.extract_pages FOLDER

FOLDER holds pages.tar.gz and expected.json: for each page its url and segments that are wanted and unwanted.
"""

import json
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from corpus.article import BadArticle
from corpus.extract import extract


def pages(folder: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(folder / "pages.tar.gz") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                yield member.name, stream.read()


def words(name: str, data: bytes, url: str) -> str:
    """The page's text on one line; "" where no article is found."""
    try:
        return " ".join(extract(data, name=name, url=url).text.split())
    except BadArticle as error:
        print(f"{name}: {error}")
        return ""


def main(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    kept: list[bool] = []
    left_out: list[bool] = []
    started = time.perf_counter()
    for name, data in pages(folder):
        text = words(name, data, expected[name]["url"])
        kept += [" ".join(part.split()) in text for part in expected[name]["wanted"]]
        left_out += [" ".join(part.split()) not in text for part in expected[name]["unwanted"]]
    seconds = time.perf_counter() - started
    print(f"wanted kept        {sum(kept):4} of {len(kept):4}  {sum(kept) / len(kept):.1%}")
    print(f"unwanted left out  {sum(left_out):4} of {len(left_out):4}  {sum(left_out) / len(left_out):.1%}")
    print(f"{len(expected)} pages in {seconds:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
