"""How well thousands of feeds are read: crashes, hangs, and entries lost against feedparser's own reading.

python -m benchmarks.feeds feeds.tar.gz
"""

import argparse
import io
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from corpus.article import BadArticle
from corpus.sources.listing import LONGEST, Listing, NoListing, Reader

HANG = 5.0  # seconds
CRASHED = ("cannot be read (", "took too much memory or failed")  # what a reader says of a parser that raised or died
TIMED_OUT = "took more than"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("feeds", type=Path)
    args = parser.parse_args()
    found: Counter[str] = Counter()
    slowest = 0.0
    reader = Reader()
    try:
        reader.read(b"<rss version='2.0'><channel/></rss>", "https://n.example/")  # its process has started
        for name, data in files(args.feeds):
            begun = time.monotonic()
            read, why = one(reader, data)
            seconds = time.monotonic() - begun
            slowest = max(slowest, seconds)
            found["feeds"] += 1
            found["hangs"] += seconds > HANG or TIMED_OUT in why
            found["crashes"] += any(said in why for said in CRASHED)
            found["refused"] += read is None
            if "wellformed" in name:
                found["sound"] += 1
                expected = entries(data)
                kept = len(read.entries) if read else 0
                found["entries"] += expected
                found["lost"] += max(expected - kept, 0)
    finally:
        reader.close()
    print(f"{found['feeds']:,} feeds, {found['sound']:,} of them well-formed with {found['entries']:,} entries")
    print(f"crashes {found['crashes']}, hangs over {HANG:g} s {found['hangs']}, entries lost {found['lost']}")
    print(f"slowest {slowest:.3f} s (bound {LONGEST:g} s), refused as no feed {found['refused']}")


def files(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file:
                yield member.name, file.read()


def one(reader: Reader, data: bytes) -> tuple[Listing | None, str]:
    try:
        return reader.read(data, "https://n.example/feed"), ""
    except (BadArticle, NoListing) as error:
        return None, str(error)


def entries(data: bytes) -> int:
    """As feedparser has them."""
    import feedparser

    return len(feedparser.parse(io.BytesIO(data)).entries)


if __name__ == "__main__":
    main()
