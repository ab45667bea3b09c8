import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpus.archive import Archive, open_archive
from corpus.article import make_article
from corpus.database import DatabaseError
from corpus.intake import BATCH, Busy, Problem, Report, only_one, take_in
from corpus.sources.files import Item

ONE = make_article(
    url="https://x.test/1", title="One", text="The bridge opened.", retrieved=datetime(2025, 5, 3, tzinfo=UTC)
)
TWO = replace(ONE, url="https://x.test/2", title="Two", text="The tram stopped.")
BAD = Item("c.pdf", None, "The file is damaged. Save it again.")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path / "archive.sqlite")
    yield opened
    opened.close()


def test_bad_items_are_reported_and_the_rest_is_stored(archive: Archive) -> None:
    told: list[Item] = []
    items = [BAD, Item("a.md", ONE), replace(BAD, where="d.pdf"), Item("b.md", TWO)]
    report = take_in(items, archive, progress=told.append)
    assert report == Report(
        counts=Counter(added=2), problems=[Problem("c.pdf", BAD.problem), Problem("d.pdf", BAD.problem)]
    )
    assert told == [items[1], items[3]]
    assert [revision.article for _, revision in archive.current()] == [TWO, ONE]
    assert [one.passage.text for one in archive.passages_of([1, 2])] == [ONE.text, TWO.text]
    assert archive.status().last_counts == {"added": 2, "failed": 2}


def test_the_same_again_changes_nothing_and_says_so(archive: Archive) -> None:
    items = [Item("a.md", ONE), Item("b.md", TWO)]
    take_in(items, archive)
    position = archive.position()
    assert take_in(items, archive) == Report(counts=Counter(unchanged=2))
    assert archive.position() == position


def test_a_dry_run_stores_nothing(archive: Archive) -> None:
    assert take_in([Item("a.md", ONE), BAD], archive, dry=True) == Report(
        counts=Counter(added=1), problems=[Problem("c.pdf", BAD.problem)]
    )
    assert (archive.status().articles, archive.status().last_intake, archive.position()) == (0, None, 0)


def test_nothing_to_take_in_is_an_intake_too(archive: Archive) -> None:
    assert take_in([], archive) == Report()
    assert archive.status().last_counts == {"failed": 0}


def test_another_text_at_the_same_address_is_worth_a_look(archive: Archive) -> None:
    other = replace(TWO, url=ONE.url, text="Rain fell all day.", retrieved=datetime(2025, 5, 9, tzinfo=UTC))
    report = take_in([Item("a.md", ONE), Item("b.jsonl:7", other)], archive)
    note = (
        "has next to nothing in common with what stood at https://x.test/1 before; stored as its revision 2. "
        "If they are two articles, give each its own URL"
    )
    assert report == Report(counts=Counter(added=1, revised=1), notes=[Problem("b.jsonl:7", note)])


def test_another_outlet_at_the_same_address_is_worth_a_look(archive: Archive) -> None:
    mine = replace(ONE, outlet="Courier")
    other = replace(mine, url="https://m.x.test/1", text="The bridge opened. Buy.", outlet="Pills")
    report = take_in([Item("a.md", mine), Item("b.html", other)], archive)
    notes = [
        "is another address of the article https://x.test/1; stored as its revision 2",
        "names 'Pills' as its outlet, where https://x.test/1 was of 'Courier' before; stored as its revision 2. "
        "If they are two articles, give each its own URL",
    ]
    assert report.notes == [Problem("b.html", note) for note in notes]


def test_a_second_address_is_noted(archive: Archive) -> None:
    copy = replace(ONE, url="https://x.test/1?rss")
    report = take_in([Item("a.md", ONE), Item("b.md", copy)], archive)
    note = "is the article https://x.test/1 under another address; the address was noted"
    assert report == Report(counts=Counter({"added": 1, "same as": 1}), notes=[Problem("b.md", note)])


def test_what_was_stored_before_a_failure_is_in_the_report(archive: Archive) -> None:
    def stream() -> Iterator[Item]:
        for number in range(BATCH + 1):
            yield Item(f"{number}.md", replace(ONE, url=f"https://x.test/{number}", title=str(number)))
        raise DatabaseError("The disk is full.")

    report = Report()
    with pytest.raises(DatabaseError):
        take_in(stream(), archive, report=report)
    assert report.counts["added"] == archive.status().articles == BATCH


# The lock


def test_a_second_intake_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with only_one(tmp_path / "data"), pytest.raises(Busy) as caught, only_one(tmp_path / "data", wait=0.2):
        pytest.fail("both hold the lock")
    assert re.fullmatch(
        r"Another pullquote is changing this archive \(process \d+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)\. "
        r"Wait until it has finished, or give --wait SECONDS\.",
        str(caught.value),
    )


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_one(tmp_path):
        raise ZeroDivisionError
    with only_one(tmp_path):
        pass
    assert not (tmp_path / "intake.holder").exists()


HOLD = """
import sys, time
from pathlib import Path
from corpus.intake import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_of_a_killed_intake_is_free(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=rf"\(process {holder.pid} since "), only_one(tmp_path):
            pytest.fail("both hold the lock")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        with only_one(tmp_path, wait=5):
            pass
