"""What measuring a running bot needs: a data folder that it may not write to, questions, its memory."""

import json
from asyncio.subprocess import Process
from pathlib import Path

from bot.channels.matrix import BOOKMARK
from bot.store import NAME


def lend(data: Path, folder: Path) -> Path:
    """A new data folder in `folder` with the same archive and indexes; what the bot remembers goes there."""
    lent = folder / "data"
    lent.mkdir()
    for one in data.resolve().iterdir():
        if not one.name.startswith((NAME, BOOKMARK)):
            (lent / one.name).symlink_to(one)
    return lent


def questions(file: Path) -> list[str]:
    """Each once, of JSON lines."""
    lines = filter(str.strip, file.read_text("utf-8").splitlines())
    return list(dict.fromkeys(json.loads(one)["question"] for one in lines))


def memory(process: Process) -> tuple[float, float]:
    """MiB that are resident, and those of them that are no mapped files, which the system may let go. Linux."""
    lines = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return kilobytes["VmRSS"] / 1024, kilobytes["RssAnon"] / 1024
