"""kill -9, a second intake, a full disk: what was reported as stored is there, and the indexes agree with it again."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bot.cli import cli
from retrieval.vectors import Vectors
from tests.stored import State, state

REPO = Path(__file__).resolve().parents[1]
ARTICLES = 96  # of one intake
MOMENTS = 20
WORDS = "talks minister river storm council vote harbour tram bridge prize union court police budget school".split()

# The command with a line after every article that is stored, where it else says so every three seconds.
TALKATIVE = "from bot import cli, progress; progress.EVERY = 0.0; cli.main(prog_name='pullquote')"
QUIET = "from bot.cli import main; main(prog_name='pullquote')"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(place: Path) -> Start:
    """Starts `pullquote` as a process of its own."""

    def start(*args: str, code: str = QUIET, **more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", code, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPO), **more},
        )

    return start


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def url(intake: int, number: int) -> str:
    return f"https://n.example/{intake}/{number}"


def articles(folder: Path, intake: int) -> Path:
    """A file of ARTICLES short articles that no other intake has."""
    chance, path = random.Random(intake), folder / f"{intake}.jsonl"
    rows = (
        {
            "url": url(intake, number),
            "title": f"Report {intake}-{number}",
            "text": f"{' '.join(chance.choices(WORDS, k=12)).capitalize()} number {number} of {intake}.",
            "published": "2025-05-16",
            "outlet": "Courier",
        }
        for number in range(ARTICLES)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def reported(stderr: str) -> int:
    """How many articles, in the order of the file, the command said it had stored."""
    said = re.findall(r"^([\d,]+) articles stored$", stderr, re.MULTILINE)
    return max((int(one.replace(",", "")) for one in said), default=0)


@dataclass(frozen=True)
class Timing:
    """Seconds from its start until an intake that is left alone stored its first article, its last, and ended."""

    first: float
    last: float
    whole: float


def timing(start: Start, file: Path) -> Timing:
    begun, moments = time.monotonic(), []
    process = start("ingest", str(file), code=TALKATIVE)
    assert process.stderr
    for line in process.stderr:
        if line.endswith("articles stored\n"):
            moments.append(time.monotonic() - begun)
    assert ended(process)[0] == 0
    return Timing(moments[0], moments[-1], time.monotonic() - begun)


@dataclass(frozen=True)
class Moment:
    """So many seconds after an intake started, or after it reported its first article."""

    seconds: float
    after_first: bool = False


def killed(start: Start, file: Path, moment: Moment) -> int:
    """Runs an intake until that moment; how many articles it had reported when it was killed."""
    process = start("ingest", str(file), code=TALKATIVE)
    assert process.stderr
    line = process.stderr.readline() if moment.after_first else ""
    time.sleep(moment.seconds)
    process.kill()
    return reported(line + ended(process)[2])


def test_kill_at_twenty_random_moments(start: Start, place: Path, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance = random.Random(seed)
    usual = timing(start, articles(tmp_path, 0))
    print(usual)  # noqa: T201 - as above
    (tmp_path / "nothing.jsonl").touch()
    hit: Counter[str] = Counter()
    before = state(place)
    for intake, moment in enumerate(moments(chance, usual, hit), 1):
        told = killed(start, articles(tmp_path, intake), moment)
        after = state(place)
        wanted = {url(intake, number) for number in range(told)}
        assert before.urls | wanted <= after.urls, f"reported {told} articles, killed at {moment}"
        assert after.indexed <= after.archive
        hit[phase(before, after)] += 1
        started = CliRunner().invoke(cli, ["ingest", str(tmp_path / "nothing.jsonl")])
        assert (started.exit_code, started.stdout) == (0, "There was no article to read.\n")
        before = state(place)
        assert before.archive == after.archive
        assert before.agrees
    print(hit)  # noqa: T201 - as above
    assert hit["archive"]
    assert hit["index"]
    assert hit.total() >= MOMENTS
    finish(start, place, tmp_path, hit.total())


def moments(chance: random.Random, usual: Timing, hit: Counter[str]) -> Iterator[Moment]:
    """Spread over the whole of a run; then, where a phase was missed, some more within it."""
    for number in range(MOMENTS):
        yield Moment(usual.whole * (number + chance.random()) / MOMENTS)
    for _ in range(10):
        if not hit["archive"]:
            yield Moment(chance.uniform(0, usual.last - usual.first), after_first=True)
        elif not hit["index"]:
            yield Moment(chance.uniform(usual.last, usual.whole) - usual.first, after_first=True)


def phase(before: State, after: State) -> str:
    """Where an intake was when it was killed."""
    new = len(after.urls) - len(before.urls)
    if new < ARTICLES:
        return "archive" if new else "start"
    return "end" if after.agrees else "index"


def finish(start: Start, data: Path, folder: Path, intakes: int) -> None:
    """All files once more: what was cut short is completed, and Chroma's rows are those of the snapshot."""
    files = [str(folder / f"{intake}.jsonl") for intake in range(intakes + 1)]
    code, _, stderr = ended(start("ingest", *files))
    assert (code, re.sub(r".*(stored|left)\n", "", stderr)) == (0, "")
    final = state(data)
    assert final.urls == {url(intake, number) for intake in range(intakes + 1) for number in range(ARTICLES)}
    assert final.agrees
    vectors = Vectors(data / "vectors")
    _, fields, matrix = vectors._mapped()
    some = np.arange(0, len(fields), 7)
    got = vectors._open().get(ids=[str(one) for one in fields["id"][some]], include=["embeddings"])
    order = np.argsort([int(one) for one in got["ids"]])
    np.testing.assert_allclose(np.asarray(got["embeddings"])[order], matrix[some], atol=1e-6)
    vectors.close()


def test_a_killed_reindex_is_made_good_by_the_next_start(start: Start, place: Path, tmp_path: Path) -> None:
    assert ended(start("ingest", str(articles(tmp_path, 0))))[0] == 0
    whole = state(place)
    for moment in (0.9, 1.4):
        process = start("reindex")
        time.sleep(moment)
        process.kill()
        ended(process)
        assert state(place).indexed <= whole.archive
        code, out, _ = ended(start("ingest", str(tmp_path / "0.jsonl")))
        assert (code, out) == (0, f"Nothing new: {ARTICLES} articles are already stored as they are.\n")
        assert state(place) == whole


def test_two_intakes_at_once(start: Start, place: Path, tmp_path: Path) -> None:
    """One says who holds the lock, one waits for it."""
    first = start("ingest", "-")
    while not (place / "intake.holder").exists():
        assert first.poll() is None
        time.sleep(0.05)
    code, out, err = ended(start("ingest", str(articles(tmp_path, 1))))
    assert (code, out) == (1, "")
    assert err.startswith(f"Another pullquote is changing this archive (process {first.pid} since ")
    assert err.count("\n") == 1
    waiting = start("ingest", str(tmp_path / "1.jsonl"), "--wait", "60")
    time.sleep(1)
    assert waiting.poll() is None
    out, err = first.communicate(articles(tmp_path, 0).read_text("utf-8"), timeout=60)
    assert (first.returncode, out) == (0, f"Articles: {ARTICLES} added, 0 revised, 0 unchanged.\n")
    assert ended(waiting)[:2] == (0, f"Articles: {ARTICLES} added, 0 revised, 0 unchanged.\n")
    assert len(state(place).urls) == 2 * ARTICLES
    assert state(place).agrees


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: a full disk. Mounting a small one needs root.")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def leave(disk: Path, free: int) -> None:
    """Fills the disk up to so many free bytes."""
    (disk / "ballast").unlink(missing_ok=True)
    (disk / "ballast").write_bytes(bytes(max(shutil.disk_usage(disk).free - free, 0)))


def test_a_full_disk_is_one_sentence_and_room_makes_it_good(start: Start, small_disk: Path, tmp_path: Path) -> None:
    data, failures = small_disk / "data", Counter[str]()
    settings = {"PULLQUOTE_DATA": str(data)}
    assert ended(start("ingest", str(articles(tmp_path, 0)), **settings))[0] == 0
    before = state(data)
    for intake, free in enumerate((0, 300_000, 1_000_000, 1_200_000), 1):
        leave(small_disk, free)
        code, out, err = ended(start("ingest", str(articles(tmp_path, intake)), code=TALKATIVE, **settings))
        told, said = reported(err), re.sub(r".*(stored|left)\n", "", err)
        assert (code, said.count("\n")) in {(1, 1), (0, 0)}, err
        assert not said or ("The disk is full" in said and not out), said
        failures[said.split(":")[0]] += 1
        leave(small_disk, 2_000_000)  # so that it can be looked at
        after = state(data)
        assert before.urls | {url(intake, number) for number in range(told)} <= after.urls
        assert after.indexed <= after.archive
        (small_disk / "ballast").unlink()
        assert ended(start("ingest", str(tmp_path / f"{intake}.jsonl"), **settings))[0] == 0
        before = state(data)
        assert len(before.urls) == ARTICLES * (intake + 1)
        assert before.agrees
    print(failures)  # noqa: T201 - shown where the test fails
    assert any("archive.sqlite refused" in one for one in failures)
    assert any("disk is full" in one for one in failures)
