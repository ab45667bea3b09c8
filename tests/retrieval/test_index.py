"""The indexes follow the archive: real SQLite, real Chroma embedded and served, real tantivy."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from corpus.archive import open_archive
from retrieval.index import Index, Model
from retrieval.keywords import Keywords
from retrieval.scope import Scope
from retrieval.vectors import COLLECTION, Vectors, WrongIndex
from tests.words import WordEncoder, an_article, put

TALKS = an_article(1, "Russia demanded a withdrawal from four regions.", day=16)
STORM = an_article(2, "The storm tore roofs from forty houses.", day=20, outlet="Herald")
VOTE = an_article(3, "The council voted for the tram line.", day=24)


class House:
    """One data folder with everything open on it."""

    def __init__(self, folder: Path, url: str = "", exact_rows: int = 1_000, collection: str = COLLECTION) -> None:
        self.folder = folder
        self.encoder = WordEncoder()
        self.archive = open_archive(folder / "archive.sqlite")
        self.vectors = Vectors(folder / "vectors", url=url, exact_rows=exact_rows, collection=collection)
        self.keywords = Keywords(folder / "keywords")
        self.index = self.indexed_by("words")
        OPENED.append(self)

    def close(self) -> None:
        self.archive.close()
        self.vectors.close()

    def indexed_by(self, model: str) -> Index:
        described = Model(model, self.encoder.dimension)
        return Index(self.archive, self.vectors, self.keywords, described, lambda: self.encoder)

    def near(self, question: str, scope: Scope = Scope(), k: int = 5) -> list[str]:  # noqa: B008 - frozen
        vector = self.encoder.encode([question], question=True)[0]
        return self.titles([one for one, _ in self.vectors.nearest(vector, k, scope)])

    def worded(self, question: str, scope: Scope = Scope()) -> list[str]:  # noqa: B008 - frozen
        return self.titles([one for one, _ in self.keywords.search(question, 5, scope)])

    def titles(self, ids: list[int]) -> list[str]:
        stored = self.archive.passages(ids)
        return [stored[one].revision.article.title for one in ids]


OPENED: list[House] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Whatever a test opens is closed after it."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture(scope="module")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chroma_server(tmp_path_factory.mktemp("chroma")) as (url, _):
        yield url


@contextmanager
def chroma_server(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A real Chroma server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--path", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("chroma run did not start within 30 s")


def test_both_indexes_find_what_was_stored(house: House) -> None:
    put(house.archive, TALKS, STORM, VOTE)
    assert house.index.behind() == 3
    assert house.index.waiting() == 3
    house.index.catch_up()
    assert house.index.behind() == 0
    assert house.near("storm roofs houses")[0] == "Report 2"
    assert house.worded("which roofs did the storms tear?") == ["Report 2"]


def test_what_was_encoded_once_is_not_encoded_again(house: House) -> None:
    put(house.archive, TALKS, STORM)
    house.index.catch_up()
    put(house.archive, TALKS, VOTE)
    before = house.encoder.encoded
    house.index.catch_up()
    house.index.catch_up()
    assert house.encoder.encoded - before == 1
    assert house.vectors.count() == 3


def test_only_the_standing_revision_is_found_unless_an_earlier_day_is_asked_for(house: House) -> None:
    put(house.archive, TALKS)
    house.index.catch_up()
    later = datetime(2025, 6, 10, tzinfo=UTC)
    put(house.archive, replace(TALKS, text="Moscow denied that a withdrawal was demanded.", retrieved=later))
    house.index.catch_up()
    for find in (house.near, house.worded):
        assert find("withdrawal demanded") == ["Report 1"]
        assert find("withdrawal demanded", Scope(as_of=date(2025, 6, 1))) == ["Report 1"]
        assert find("withdrawal demanded", Scope(as_of=date(2025, 5, 1))) == []
    assert house.worded("four regions") == []
    assert house.worded("four regions", Scope(as_of=date(2025, 6, 9))) == ["Report 1"]
    assert house.worded("four regions", Scope(as_of=date(2025, 6, 10))) == []


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), {"Report 1", "Report 2", "Report 3"}),
        (Scope(since=date(2025, 5, 17)), {"Report 2", "Report 3"}),
        (Scope(until=date(2025, 5, 20)), {"Report 1", "Report 2"}),
        (Scope(since=date(2025, 5, 20), until=date(2025, 5, 20)), {"Report 2"}),
        (Scope(outlets=("herald",)), {"Report 2"}),
        (Scope(outlets=("Herald", "COURIER"), since=date(2025, 5, 20)), {"Report 2", "Report 3"}),
        (Scope(outlets=("Nobody",)), set()),
        (Scope(as_of=date(2025, 5, 20)), {"Report 1", "Report 2"}),
    ],
)
@pytest.mark.parametrize("exact_rows", [1_000, 1])
def test_filters_keep_what_they_say(tmp_path: Path, scope: Scope, expected: set[str], exact_rows: int) -> None:
    house = House(tmp_path, exact_rows=exact_rows)
    put(house.archive, TALKS, STORM, VOTE)
    house.index.catch_up()
    assert set(house.near("report", scope)) == expected
    assert set(house.worded("report", scope)) == expected


def test_undated_articles_are_outside_any_dates_that_are_asked_for(house: House) -> None:
    put(house.archive, replace(TALKS, published=None))
    house.index.catch_up()
    assert house.near("talks") == ["Report 1"]
    assert house.near("talks", Scope(until=date(2030, 1, 1))) == []
    assert house.worded("withdrawal", Scope(until=date(2030, 1, 1))) == []
    asked_for = Scope(until=date(2030, 1, 1), undated=True)
    assert house.near("talks", asked_for) == house.worded("withdrawal", asked_for) == ["Report 1"]


def test_a_forgotten_article_is_gone_from_both(house: House) -> None:
    put(house.archive, TALKS, STORM)
    house.index.catch_up()
    house.archive.forget(STORM.url)
    house.index.catch_up()
    assert house.vectors.count() == 1
    assert house.near("storm roofs") == ["Report 1"]
    assert house.worded("storm roofs") == []


def test_many_rows_are_searched_through_the_graph(tmp_path: Path) -> None:
    """The graph's results are those of the exact scan, and superseded revisions are left out."""
    articles = [an_article(n, f"Word{n} met word{n + 1} and word{n + 2} on day {n}.") for n in range(200)]
    exact, graph = House(tmp_path, exact_rows=1_000), House(tmp_path, exact_rows=1)
    put(exact.archive, *articles)
    put(exact.archive, replace(articles[7], text="Nothing of it.", retrieved=datetime(2025, 7, 1, tzinfo=UTC)))
    exact.index.catch_up()
    asked = [f"report {n} word{n} word{n + 1} word{n + 2}" for n in range(200)]
    same = sum(exact.near(one, k=1) == graph.near(one, k=1) for one in asked)
    assert same >= 195
    assert "Report 7" not in graph.near("word7 word8 word9 day 7", k=3)


def test_another_model_is_an_error_that_names_reindex(house: House) -> None:
    put(house.archive, TALKS)
    house.index.catch_up()
    other = house.indexed_by("another")
    for use in (other.check, other.catch_up):
        with pytest.raises(WrongIndex, match=r"made with words \(256 dimensions\).*another \(256\).*pullquote reindex"):
            use()
    other.rebuild()
    other.check()
    assert house.near("withdrawal") == ["Report 1"]


@pytest.mark.parametrize("lost", ["keywords", "vectors", "vectors/chroma"])
def test_a_lost_index_is_made_again_from_the_archive(tmp_path: Path, lost: str) -> None:
    first = House(tmp_path)
    put(first.archive, TALKS, STORM)
    first.index.catch_up()
    copy = tmp_path.with_name(tmp_path.name + "-copy")
    shutil.copytree(tmp_path, copy)  # Chroma keeps an open folder's files; a copy is what a new process sees
    shutil.rmtree(copy / lost)
    again = House(copy)
    again.index.catch_up()
    assert again.near("storm roofs")[0] == "Report 2"
    assert again.worded("storm roofs") == ["Report 2"]
    assert again.vectors.count() == 2


def test_a_half_deleted_keyword_index_is_made_anew(house: House) -> None:
    put(house.archive, TALKS, STORM)
    house.index.catch_up()
    folder = house.folder / "keywords"
    next(folder.glob("*.store")).unlink()
    (folder / "stamp.json").unlink()  # which `clear` deletes first
    again = House(house.folder)
    again.index.catch_up()
    assert again.worded("storm roofs") == ["Report 2"]
    assert again.worded("withdrawal") == ["Report 1"]


def test_clearing_takes_the_stamp_away_first(house: House) -> None:
    put(house.archive, TALKS)
    house.index.catch_up()
    stamp = house.folder / "keywords" / "stamp.json"
    stamp.unlink()
    stamp.mkdir()  # so that deleting fails right there
    with pytest.raises(OSError, match=r"stamp\.json"):
        house.keywords.clear()
    assert list(stamp.parent.glob("*.store"))


def test_an_unfinished_snapshot_is_finished_from_chroma(house: House) -> None:
    put(house.archive, TALKS)
    house.index.catch_up()
    put(house.archive, STORM)
    house.index._catch_up_vectors(lambda done: None)  # killed here: Chroma is ahead, the rest is not
    assert house.index.behind() == 1
    before = house.encoder.encoded
    again = House(house.folder)
    again.index.catch_up()
    assert (again.index.behind(), house.encoder.encoded) == (0, before)
    assert again.encoder.encoded == 0
    assert again.near("storm roofs")[0] == "Report 2"


def test_a_reader_sees_what_another_process_took_in(house: House) -> None:
    put(house.archive, TALKS)
    house.index.catch_up()
    assert house.near("storm") == ["Report 1"]
    other = House(house.folder)
    put(other.archive, STORM)
    other.index.catch_up()
    assert house.near("storm")[0] == "Report 2"
    assert house.worded("storm") == ["Report 2"]


def test_a_chroma_server_serves_as_well(tmp_path: Path, chroma_url: str) -> None:
    house = House(tmp_path, url=chroma_url)
    put(house.archive, TALKS, STORM)
    house.index.catch_up()
    house.archive.forget(TALKS.url)
    house.index.catch_up()
    assert house.vectors.count() == 1
    assert house.near("storm roofs") == ["Report 2"]
    house.index.rebuild()
    assert house.near("storm roofs") == ["Report 2"]
    assert not (tmp_path / "vectors" / "chroma").exists()


def test_two_archives_on_one_server_do_not_mix(tmp_path: Path, chroma_url: str) -> None:
    one = House(tmp_path / "one", url=chroma_url, collection="news-one")
    two = House(tmp_path / "two", url=chroma_url, collection="news-two")
    put(one.archive, TALKS, STORM)
    put(two.archive, VOTE)
    for house in (one, two):
        house.index.catch_up()
    one.index.rebuild()
    assert (one.vectors.count(), two.vectors.count()) == (2, 1)
    assert one.near("storm roofs")[0] == "Report 2"
    assert two.near("storm roofs") == ["Report 3"]


def test_a_server_that_is_lost_is_one_sentence(tmp_path: Path) -> None:
    with chroma_server(tmp_path / "server") as (url, server):
        house = House(tmp_path, url=url)
        put(house.archive, TALKS)
        house.index.catch_up()
        put(house.archive, STORM)
        server.kill()
        server.wait(10)
        with pytest.raises(
            WrongIndex, match=rf"^The Chroma server at {url} failed \(ConnectError\)\. Check that it runs"
        ):
            house.index.catch_up()
        for use in (house.index.catch_up, house.vectors.clear):
            with pytest.raises(WrongIndex, match=rf"^No Chroma server answers at {url}\. Start it with: chroma run"):
                use()


def test_a_password_of_a_server_is_not_shown(tmp_path: Path) -> None:
    house = House(tmp_path, url="http://me:secret@127.0.0.1:9")
    with pytest.raises(WrongIndex) as refused:
        house.index.catch_up()
    assert "secret" not in str(refused.value)
    assert "http://127.0.0.1:9" in str(refused.value)


def test_a_closed_index_opens_again(house: House) -> None:
    put(house.archive, TALKS)
    house.index.catch_up()
    house.vectors.close()
    house.vectors.close()
    assert house.vectors.count() == 1


@pytest.mark.parametrize("url", ["localhost:8000", "http://127.0.0.1:9", "http://127.0.0.1:port"])
def test_a_wrong_chroma_address_is_one_sentence(tmp_path: Path, url: str) -> None:
    house = House(tmp_path, url=url)
    with pytest.raises(WrongIndex, match=r"PULLQUOTE_CHROMA|No Chroma server answers"):
        house.index.catch_up()


def test_an_empty_archive_has_empty_indexes(house: House) -> None:
    house.index.catch_up()
    assert house.index.behind() == 0
    assert house.near("anything") == []
    assert house.worded("anything") == []


def test_no_index_yet_is_an_error_that_names_reindex(house: House) -> None:
    for find in (house.near, house.worded):
        with pytest.raises(WrongIndex, match="pullquote reindex"):
            find("anything")
