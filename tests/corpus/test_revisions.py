"""Real articles that changed: one document for each address, the older text kept with its days."""

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from corpus.archive import FOREVER, open_archive
from corpus.article import normalise
from corpus.changes import _key, between, nearest, stands
from corpus.extract import from_row
from corpus.intake import take_in
from corpus.sources.files import Item

REPO = Path(__file__).resolve().parents[2]
REVISIONS = REPO.parent / "shared" / "bench" / "revisions" / "revisions.jsonl.gz"
SOME = 60


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    if not REVISIONS.exists():
        pytest.skip(f"{REVISIONS} is missing: revisions of real articles are NOT tested")
    with gzip.open(REVISIONS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:SOME]
    return [row for row in rows if normalise(row["old"]["text"]) != normalise(row["new"]["text"])]


def items(rows: list[dict[str, Any]], state: str, variant: str = "") -> list[Item]:
    seen = [(row["url"] + variant, row[state]) for row in rows]
    return [
        Item(url, from_row({"url": url, "text": one["text"], "retrieved": f"{one['seen']}T12:00:00+00:00"}))
        for url, one in seen
    ]


@pytest.mark.parametrize("variant", ["", "/?utm_source=rss", "#comments"])
def test_each_address_has_one_live_document(tmp_path: Path, rows: list[dict[str, Any]], variant: str) -> None:
    archive = open_archive(tmp_path / "archive.sqlite")
    assert take_in(items(rows, "old"), archive).counts == {"added": len(rows)}
    assert take_in(items(rows, "new", variant), archive).counts == {"revised": len(rows)}
    live = [one.article.url for _, one in archive.current()]
    assert sorted(live) == sorted(row["url"] for row in rows)
    for row, article in zip(rows, items(rows, "new"), strict=True):
        old, new = archive.revisions(row["url"])
        assert (old.until, new.since, new.until) == (new.since, date.fromisoformat(row["new"]["seen"]), FOREVER)
        assert article.article is not None
        assert new.article.text == article.article.text
    archive.close()


def test_what_changed_is_told_without_losing_a_word(rows: list[dict[str, Any]]) -> None:
    for old, new in zip(items(rows, "old"), items(rows, "new"), strict=True):
        assert old.article is not None
        assert new.article is not None
        found = between(old.article, new.article)
        for piece in (piece for paragraph in found.paragraphs for piece in paragraph):
            if piece.kind == "added" and "\n" not in piece.text and len(_key(piece.text)) > 12:
                assert stands(piece.text, new.article.text)
            if piece.kind == "removed" and (span := nearest(piece.text, new.article.text)):
                assert 0 <= span[0] < span[1] <= len(new.article.text)
