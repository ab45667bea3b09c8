"""What is known of sources: rhythm and silence, names, and what goes with a source that is removed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.freshness import Freshness
from corpus.sources.listing import Entry
from corpus.sources.register import (
    DAY,
    HOUR,
    UNREACHED,
    Address,
    Kept,
    NoSuchSource,
    Register,
    Source,
    _by_url,
    _rhythm,
    open_register,
)
from corpus.sources.web import Known

NOW = 1_750_000_000.0


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    made = open_register(tmp_path / "sources.sqlite")
    yield made
    made.close()


def fed(register: Register, url: str, gaps: list[float]) -> Source:
    """A source whose articles came with these gaps, the last one at NOW."""
    register.add(url, "feed", f"Title of {url}", NOW - 100 * DAY)
    when = NOW
    entries = [Entry(f"{url}/0", published=iso(when))]
    for number, gap in enumerate(gaps, 1):
        when -= gap
        entries.append(Entry(f"{url}/{number}", published=iso(when)))
    register.note_success(register.source(url), NOW, NOW + 900, Known(url, "e"), entries)
    return register.source(url)


def iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat()


def test_a_source_that_is_quiet_for_much_longer_than_usual_is_silent(register: Register) -> None:
    source = fed(register, "https://n.example/a", [HOUR, 2 * HOUR, 3 * HOUR, 10 * HOUR])
    assert (source.newest, source.gap, source.quiet) == (NOW, 2.5 * HOUR, 15 * HOUR)
    assert not source.silent(NOW + 15 * HOUR)
    assert source.silent(NOW + 15 * HOUR + 1)
    assert fed(register, "https://n.example/b", [60.0] * 9).quiet == DAY / 2  # no alarm for a night
    assert fed(register, "https://n.example/c", [7 * DAY] * 4).quiet == 21 * DAY
    assert fed(register, "https://n.example/d", [DAY]).quiet is None  # too few to tell


def test_a_source_that_cannot_be_reached_is_silent_in_the_end(register: Register) -> None:
    register.add("https://n.example/a", "feed", "", NOW)
    source = register.source("https://n.example/a")
    register.note_failure(source, NOW, NOW + 900, "No.")
    source = register.source("1")
    assert (source.failures, source.reason, source.next) == (1, "No.", NOW + 900)
    assert not source.silent(NOW + UNREACHED)
    assert source.silent(NOW + UNREACHED + 1)


def test_a_list_without_days_is_dated_by_its_pages(register: Register) -> None:
    url = "https://n.example/a"
    register.add(url, "feed", "Ledger", NOW)
    register.note_success(
        register.source(url), NOW, NOW + 900, Known(), [Entry(f"{url}/1"), Entry(f"{url}/2", published=iso(NOW))]
    )
    register.date({f"{url}/1": NOW - 31 * DAY}, NOW)
    assert register.source(url).newest == NOW
    register.date({f"{url}/1": NOW - DAY, f"{url}/2": NOW - 9 * DAY, "https://n.example/b": NOW}, NOW)
    with register._reading() as connection:
        dated = connection.exec_driver_sql("SELECT url, dated FROM listings").all()
    assert dict(map(tuple, dated)) == {f"{url}/1": NOW - DAY, f"{url}/2": NOW}
    assert register.source(url).newest == NOW


def test_silence_is_told_once_until_it_is_broken(register: Register) -> None:
    source = fed(register, "https://n.example/a", [HOUR] * 5)
    assert register.newly_silent(NOW) == []
    later = NOW + DAY
    assert [one.url for one in register.newly_silent(later)] == [source.url]
    assert register.newly_silent(later) == []
    register.note_success(register.source("1"), later, later, None, [Entry("https://n.example/new")])
    assert register.newly_silent(later) == []
    assert [one.url for one in register.newly_silent(later + 9 * DAY)] == [source.url]


def test_how_fresh_the_archive_is(register: Register) -> None:
    assert register.freshness(NOW) == Freshness(None, 0, 0)
    fed(register, "https://n.example/a", [HOUR] * 5)
    fed(register, "https://n.example/b", [30 * DAY] * 5)
    register.note_round(NOW)
    assert register.freshness(NOW + DAY) == Freshness(NOW, 2, 1)


def test_a_source_is_found_by_what_is_only_its_own(register: Register) -> None:
    for name in ("a", "b"):
        fed(register, f"https://n.example/{name}", [])
    assert register.source("2").url == register.source("https://n.example/b").url == "https://n.example/b"
    assert register.source("TITLE OF https://n.example/a").id == 1
    for name, why in (("title", "More than one source has"), ("zzz", "No source has"), ("", "No source has")):
        with pytest.raises(NoSuchSource, match=why):
            register.source(name)


def test_with_a_source_goes_what_only_it_named(register: Register) -> None:
    a, b = (fed(register, f"https://n.example/{name}", []) for name in ("a", "b"))
    for source in (a, b):
        register.note_success(
            source, NOW, NOW, None, [Entry("https://n.example/both"), Entry("https://n.example/hand")]
        )
    register.note([Address("https://n.example/hand", "page", by_hand=True)])
    register.note_files(a, [Kept("x", 1, 2, "d", ("u",))], [])
    register.remove(a)
    left = ["https://n.example/a/0", "https://n.example/both", "https://n.example/hand", "https://n.example/b/0"]
    assert [register.address(url) is not None for url in left] == [False, True, True, True]
    register.remove(b)
    assert [register.address(url) is not None for url in left] == [False, False, True, False]
    assert register.sources() == []


def test_what_was_noted_is_there_after_a_restart(register: Register, tmp_path: Path) -> None:
    entry = Entry("https://n.example/1", "T", "text", "2025-05-16", ("Mira",), "2025", "7")
    one = Address(
        "https://n.example/1", "extract", entry, "2025", Known("u", "e", "m"), "a", "Outlet", True, 3, NOW, "why"
    )
    register.note([one])
    source = fed(register, "https://n.example/a", [])
    files = [Kept(path, 1, 2, "d", ("u", "v")) for path in ("/x/ä.txt", "/x/\udcff.txt", "/x/gone\udcfe")]
    register.note_files(source, files, [])
    register.note_files(source, [], [files.pop().path])
    register.close()
    again = open_register(tmp_path / "sources.sqlite")
    assert again.address(one.url) == one
    assert again.files(source) == {one.path: one for one in files}
    assert again.due(NOW) == [*again.due(NOW - 1), one]
    again.close()


@given(st.lists(st.floats(0, 1e10), max_size=60))
def test_a_rhythm_of_anything(times: list[float]) -> None:
    gap, quiet = _rhythm(sorted(times, reverse=True))
    assert (gap is None) == (quiet is None)
    assert gap is None or quiet is None or (0 < gap <= quiet >= DAY / 2)


ENTRIES = st.builds(
    Entry,
    url=st.sampled_from(["", "https://n.example/1", "https://n.example/2"]),
    id=st.text(min_size=1, max_size=2),
)


@given(st.lists(ENTRIES, max_size=6))
def test_no_entry_is_taken_for_another(entries: list[Entry]) -> None:
    """Entries with ids of their own are articles of their own, unless they agree on everything."""
    source = Source(1, "https://n.example/f", "feed", "", NOW, Known(), None, None, NOW, 0, "", False, False)
    found = _by_url(source, entries)
    assert len(found) == len({(one.url, one.id) for one in entries})
    assert {one.url for one in found.values() if one.url} <= {one.url for one in entries}
