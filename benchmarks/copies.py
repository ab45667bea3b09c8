"""Syndicated copies: how many are found, how many different articles are taken for copies, and what that costs.

    python -m benchmarks.copies ARTICLES.jsonl[.gz] [--limit 600] [--seed 1]

Each article is given five copies of other outlets, edited as editors do (each by one to three of: cut by 30 to 50 %,
paragraphs reordered, another headline, one figure changed, a wire's credit and an outlet's own paragraphs added, light
rewording), all in shuffled order. A copy counts as found where it is in its original's group; an article counts as
wrongly grouped where the original of another is in its group. These are printed, to be read: some are real copies.
Processor times are of the archive's transactions alone: no page is read, nothing is indexed.
"""

import argparse
import gzip
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from corpus.archive import Archive, Revision, open_archive
from corpus.article import Article, make_article
from corpus.extract import from_row
from corpus.groups import Groups
from corpus.passages import passages

OUTLETS = ("Daily Herald", "Valley Post", "The Ledger", "Northern Star", "Metro Wire")
BATCH = 32
_WORDS = dict(
    pair.split(":")
    for pair in (
        "said:stated but:yet also:too big:large began:started people:persons about:around after:following while:as "
        "children:kids many:numerous help:assist show:reveal told:informed says:states city:town under:beneath "
        "because:since officials:authorities among:amid during:throughout get:obtain home:house want:wish need:require "
        "found:discovered president:leader"
    ).split()
)
_OWN = (
    "Sign up for our morning letter to get the stories that matter delivered to your inbox before breakfast.",
    "This article was updated to correct a spelling. We welcome your comments below; please keep them to the point.",
    "Support our journalism with a subscription from only a little a month and read every story without a limit.",
    "Copyright of this report is with its authors. It may not be published, rewritten or passed on without permission.",
    "Read more from our reporters on the ground, follow us wherever you are, and send us what you have seen yourself.",
)
Edit = Callable[[Article, random.Random], Article]


@dataclass(frozen=True, slots=True)
class Result:
    copies: int
    found: int
    originals: int
    wrong: int
    pairs: tuple[tuple[str, ...], ...]  # headlines of originals that are in one group


def copies(article: Article, chance: random.Random) -> list[Article]:
    """Five copies, each of another outlet, up to two days younger."""
    made = []
    for number, outlet in enumerate(OUTLETS):
        copy = article
        for edit in chance.sample(EDITS, chance.randint(1, 3)):
            copy = edit(copy, chance)
        published = article.published and article.published + timedelta(hours=chance.randint(1, 48))
        made.append(replace(copy, url=f"{article.url}?copy={number}", outlet=outlet, authors=(), published=published))
    return made


def cut(article: Article, chance: random.Random) -> Article:
    """The first 50 to 70 % of its words, as a desk cuts from below; a third of the time from above or at both ends."""
    words = [one.span() for one in re.finditer(r"\S+", article.text)]
    keep = max(round(len(words) * chance.uniform(0.5, 0.7)), 1)
    first = chance.choice([0, 0, chance.randint(0, len(words) - keep)])
    return _with(article, article.text[words[first][0] : words[first + keep - 1][1]])


def reorder(article: Article, chance: random.Random) -> Article:
    parts = _paragraphs(article)
    chance.shuffle(parts)
    return _with(article, "\n\n".join(parts))


def headline(article: Article, chance: random.Random) -> Article:
    words = re.findall(r"\w+", article.text)[:80]
    return replace(article, title=" ".join(chance.sample(words, min(len(words), 6))))


def figure(article: Article, chance: random.Random) -> Article:
    found = list(re.finditer(r"\b\d[\d,.]*\d\b|\b\d\b", article.text))
    if not found:
        return article
    one = chance.choice(found)
    changed = re.sub(r"\d", lambda digit: str((int(digit[0]) + chance.randint(1, 8)) % 10), one[0])
    return _with(article, article.text[: one.start()] + changed + article.text[one.end() :])


def boilerplate(article: Article, chance: random.Random) -> Article:
    parts = _paragraphs(article)
    for own in chance.sample(_OWN, chance.randint(1, 3)):
        parts.insert(chance.randint(0, len(parts)), own)
    credit = chance.choice(["LONDON (Reuters) - ", "WASHINGTON (AP) — ", "PARIS (AFP) - ", ""])
    return _with(article, credit + "\n\n".join(parts))


def reword(article: Article, chance: random.Random) -> Article:
    """Four in five of the words for which another is known, and a word left out now and then."""

    def other(word: re.Match[str]) -> str:
        known = _WORDS.get(word[0].lower())
        return known if known and chance.random() < 0.8 else "" if chance.random() < 0.004 else word[0]

    return _with(article, re.sub(r"\b[A-Za-z]+\b", other, article.text))


EDITS: tuple[Edit, ...] = (cut, reorder, headline, figure, boilerplate, reword)


def _paragraphs(article: Article) -> list[str]:
    """Of a text without any, runs of four sentences."""
    parts = [one for one in article.text.split("\n") if one.strip()]
    if len(parts) > 2:
        return parts
    every = re.split(r"(?<=[.!?]) ", article.text)
    return [" ".join(every[start : start + 4]) for start in range(0, len(every), 4)]


def _with(article: Article, text: str) -> Article:
    return make_article(
        url=article.url,
        title=article.title,
        text=text if text.strip() else article.text,
        published=article.published,
        outlet=article.outlet,
        authors=article.authors,
        retrieved=article.retrieved,
    )


def measure(articles: Sequence[Article], archive: Archive) -> Result:
    """Of an archive that holds these articles and their copies, whose addresses are theirs with # and a number."""
    story = {one.article.url: group for one, group in _groups(archive)}
    originals = {one.url: one.title for one in articles if one.url in story}
    by_group: dict[int, list[str]] = {}
    for url in originals:
        by_group.setdefault(story[url], []).append(url)
    of_copies = [url for url in story if url.rpartition("?copy=")[0] in originals]
    several = [urls for urls in by_group.values() if len(urls) > 1]
    return Result(
        copies=len(of_copies),
        found=sum(story[url] == story[url.rpartition("?copy=")[0]] for url in of_copies),
        originals=len(originals),
        wrong=sum(map(len, several)),
        pairs=tuple(tuple(originals[url] for url in urls) for urls in several),
    )


def _groups(archive: Archive) -> Iterator[tuple[Revision, int]]:
    every = [revision for _, revision in archive.current()]
    stories = archive.stories([one.id for one in every])
    for one in every:
        yield one, stories.get(one.id, -one.id)


def store(archive: Archive, articles: Sequence[Article]) -> float:
    """Processor seconds of storing them in batches, as an intake does."""
    ready = [(one, passages(one)) for one in articles]
    begun = time.process_time()
    for start in range(0, len(ready), BATCH):
        archive.store(ready[start : start + BATCH])
    return time.process_time() - begun


class Ungrouped(Groups):
    """For comparison: what an intake costs without groups."""

    def place(self, article_id: int) -> None:
        pass


def _read(path: Path) -> list[Article]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [from_row(json.loads(line)) for line in data.decode().split("\n") if line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    every = _read(given.articles)
    articles = chance.sample(every, min(given.limit, len(every)))
    mixed = [*articles, *(copy for one in articles for copy in copies(one, chance))]
    chance.shuffle(mixed)
    with tempfile.TemporaryDirectory() as folder:
        plain = open_archive(Path(folder) / "plain.sqlite", grouping=Ungrouped)
        without = store(plain, mixed)
        plain.close()
        grouped = open_archive(Path(folder) / "grouped.sqlite")
        taken = store(grouped, mixed)
        result = measure(articles, grouped)
        grouped.close()
        sizes = [(Path(folder) / name).stat().st_size / 1e6 for name in ("plain.sqlite", "grouped.sqlite")]
    print(f"copies grouped       {result.found:,} of {result.copies:,} ({result.found / result.copies:.2%})")
    print(f"wrongly grouped      {result.wrong} of {result.originals} ({result.wrong / result.originals:.2%})")
    print(f"processor seconds    {without:.1f} without groups, {taken:.1f} with, {len(mixed):,} articles")
    print(f"megabytes            {sizes[0]:.1f} without groups, {sizes[1]:.1f} with")
    for titles in result.pairs:
        print("  in one group:", " | ".join(titles))


if __name__ == "__main__":
    main()
