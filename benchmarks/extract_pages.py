"""How much of saved pages is kept, how much that is not the article is left out, and whether their dates are right.

    python -m benchmarks.extract_pages FOLDER

FOLDER holds pages.tar.gz and expected.json: for each page its url and segments that are wanted and unwanted. Beside
ours stands what trafilatura gives on the same pages as it comes. A page's date is right where it is the day that its
own tags state; these are read here by patterns, past our own code. Pages whose date is not right are printed.
"""

import html
import json
import re
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trafilatura

from corpus.article import Article, BadArticle
from corpus.extract import decode, extract, parse_date

_META = re.compile(r"<meta\b[^>]*>", re.IGNORECASE)
_NAME = re.compile(r"""(?:name|property)\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)
_CONTENT = re.compile(r"""content\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE)
_SCRIPT = re.compile(r"<script[^>]*ld\+json[^>]*>(.*?)</script>", re.IGNORECASE | re.DOTALL)
_LD_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]+)"')
_DATE_NAMES = re.compile(
    r"(?:og:)?article:published(?:_time)?|(?:dc|dcterms)\.(?:date\.)?issued|sailthru\.date|parsely-pub-date"
    r"|citation_(?:publication|online)_date|prism\.publicationdate|pub_?date|publication_date|zdf:publicationdate"
)


@dataclass(slots=True)
class Kept:
    wanted: list[bool] = field(default_factory=list)
    unwanted: list[bool] = field(default_factory=list)

    def add(self, text: str, expected: dict[str, Sequence[str]]) -> None:
        text = " ".join(text.split())
        self.wanted += [" ".join(part.split()) in text for part in expected["wanted"]]
        self.unwanted += [" ".join(part.split()) in text for part in expected["unwanted"]]

    def row(self, name: str) -> str:
        kept, wrong = sum(self.wanted), sum(self.unwanted)
        f1 = 2 * kept / (kept + wrong + len(self.wanted))
        out = len(self.unwanted) - wrong
        return f"{name:34} {kept:4} of {len(self.wanted):4} {out:12} of {len(self.unwanted):4} {f1:9.4f}"


def pages(folder: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(folder / "pages.tar.gz") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                yield member.name, stream.read()


def ours(name: str, data: bytes, url: str) -> Article | None:
    try:
        return extract(data, name=name, url=url)
    except BadArticle as error:
        print(f"{name}: {error}")
        return None


def stated(page: str) -> list[str]:
    """The publication days that the page's tags state, as YYYY-MM-DD; the tags of the article first."""
    values = [value for script in _SCRIPT.findall(page) for value in _LD_DATE.findall(script)]
    for tag in _META.findall(page):
        name, content = _NAME.search(tag), _CONTENT.search(tag)
        if name and content and _DATE_NAMES.fullmatch(html.unescape(name[1]).lower()):
            values.append(next(filter(None, content.groups()), ""))
    return list(dict.fromkeys(filter(None, map(_day, values))))


def _day(value: str) -> str:
    try:
        when = parse_date(html.unescape(value))
    except BadArticle:
        return ""
    return when.date().isoformat() if when else ""


def main(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    mine, own, precise = Kept(), Kept(), Kept()
    right: list[bool] = []
    seconds = 0.0
    for name, data in pages(folder):
        begun = time.perf_counter()
        article = ours(name, data, expected[name]["url"])
        seconds += time.perf_counter() - begun
        mine.add(article.text if article else "", expected[name])
        page = decode(data, name)
        own.add(trafilatura.extract(page) or "", expected[name])
        precise.add(trafilatura.extract(page, favor_precision=True, include_comments=False) or "", expected[name])
        if days := stated(page):
            day = article.published.date().isoformat() if article and article.published else "none"
            right.append(day in days)
            if day not in days or len(days) > 1:
                print(f"{name}: dated {day}; its tags state {', '.join(days)}")
    print(f"{'':34} {'wanted kept':>12} {'unwanted left out':>20} {'F1':>9}")
    for each, label in ((mine, "pullquote"), (own, "trafilatura"), (precise, "trafilatura, favor_precision")):
        print(each.row(label))
    print(f"dates right where tags state one: {sum(right)} of {len(right)}")
    print(f"{len(expected)} pages in {seconds:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
