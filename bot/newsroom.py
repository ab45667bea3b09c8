"""The sources of one house: adding them, visiting them, watching folders, and keeping all that going."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from bot import messages
from bot.build import House
from bot.settings import networks
from corpus.article import BadArticle, line
from corpus.database import DatabaseError
from corpus.intake import Busy, only_one, take_in
from corpus.rounds import Round, Rounds
from corpus.sources import opml
from corpus.sources.files import Item
from corpus.sources.finding import Offer, find
from corpus.sources.listing import MAX_LISTING, Listing, Reader
from corpus.sources.register import Address, Register, Source, following
from corpus.sources.visitor import Clock, SystemClock, Visitor
from corpus.sources.web import AGENT, DEADLINE, Known, Web

WAIT = 60.0  # seconds for another intake, once pages were fetched
FIRST = 200  # pages of a new source that are fetched at once
MOST = 300  # new pages of one source in a round of `serve`, so that one large source keeps no other waiting
POLL = 10.0  # seconds between two looks at the watched folders
PAUSE = 60.0  # seconds at most between two looks at what is due, and after something went wrong
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Added:
    """What addresses turned out to be. Grows while they are looked at."""

    round: Round = field(default_factory=Round)
    sources: list[tuple[Offer, bool]] = field(default_factory=list)  # and whether it is a new one
    offered: list[tuple[str, Sequence[Offer]]] = field(default_factory=list)  # by an address, and not chosen
    items: list[Item] = field(default_factory=list)
    pages: list[Address] = field(default_factory=list)  # as they are to be noted once they are stored


class Newsroom:
    """Close it when done."""

    def __init__(
        self,
        house: House,
        *,
        clock: Clock | None = None,
        seconds: float = DEADLINE,
        catch_up: Callable[[], None] | None = None,
        wait: float = WAIT,
        tell: Callable[[Sequence[str]], object] | None = None,
    ) -> None:
        """`catch_up` brings the indexes up; `seconds` for one address; `wait` for another intake; `tell` hears the
        sentences that administrators should.
        """
        self._house, self._clock, self._seconds, self._wait = house, clock or SystemClock(), seconds, wait
        self._tell = tell or _tell_log
        self._progress: Callable[[Item], object] = lambda item: None
        self._catch_up = catch_up or (lambda: house.index().catch_up())
        self._halted = threading.Event()

    @property
    def register(self) -> Register:
        return self._house.register

    @cached_property
    def _reader(self) -> Reader:
        return Reader()

    @cached_property
    def _web(self) -> Web:
        settings = self._house.settings
        agent = f"{AGENT[:-1]}; {settings.fetch_contact})" if settings.fetch_contact else AGENT
        return Web(networks(settings.fetch_private), agent=agent, seconds=self._seconds)

    @cached_property
    def _visitor(self) -> Visitor:
        return Visitor(self._web, pace=1 / self._house.settings.fetch_rate, clock=self._clock)

    @cached_property
    def rounds(self) -> Rounds:
        return Rounds(
            self.register,
            self._house.archive,
            self._visitor,
            self._reader,
            alone=self._alone,
            catch_up=lambda: self._catch_up(),
            interval=60.0 * self._house.settings.refresh_minutes,
            clock=self._clock,
            progress=lambda item: self._progress(item),
        )

    def show(self, progress: Callable[[Item], object], catch_up: Callable[[], None]) -> None:
        """From now on `progress` hears of each article that is stored, and `catch_up` brings the indexes up."""
        self._progress, self._catch_up = progress, catch_up

    def close(self) -> None:
        if "_web" in self.__dict__:
            self._web.close()
        if "_reader" in self.__dict__:
            self._reader.close()

    # Adding

    def find(
        self, named: Iterable[str], choose: Callable[[str, Sequence[Offer]], Sequence[Offer]], added: Added, dry: bool
    ) -> None:
        """Looks what is there, and makes feeds and sitemaps sources; `choose` picks from the feeds of a site.

        What was named and is neither they nor a page will be one of the problems.
        """
        for one in map(str.strip, named):
            try:
                self._find_one(one, choose, added, dry)
            except BadArticle as error:
                added.items.append(Item(line(one)[:200], None, str(error)))

    def take(self, added: Added, dry: bool) -> None:
        """Takes in what was found: the pages, and what the new sources name."""
        if added.items:
            with self._alone():
                take_in(added.items, self._house.archive, dry=dry, progress=self._progress, report=added.round.taken)
        if dry:
            return
        self.register.note(added.pages)
        new = {offer.url for offer, _ in added.sources}
        self.rounds.go([one for one in self.register.sources() if one.url in new], most=FIRST, report=added.round)

    def _find_one(
        self, named: str, choose: Callable[[str, Sequence[Offer]], Sequence[Offer]], added: Added, dry: bool
    ) -> None:
        if named.lower().endswith(".opml") and "://" not in named:
            self._add_sources(_listed(Path(named)), added, dry)
            return
        known = self.register.address(named)
        found = find(named, self._visitor, self._reader, known.known if known and known.state == "page" else Known())
        if found.listing:
            self._add_sources(_offers(named, found.listing), added, dry)
        elif found.offers:
            chosen = choose(named, found.offers)
            self._add_sources(chosen, added, dry)
            if not chosen:
                added.offered.append((named, found.offers))
        else:
            address = known or Address(named)
            now = self._clock.now()
            noted = replace(address, state="page", by_hand=True, known=found.known, next=following(0, now), visits=1)
            if found.article:
                added.items.append(Item(line(named)[:200], found.article))
                noted = replace(noted, article=found.article.url)
            else:
                added.round.taken.counts["unchanged"] += 1
            added.pages.append(noted)

    def _add_sources(self, offers: Sequence[Offer], added: Added, dry: bool) -> None:
        there = {one.url for one in self.register.sources()}
        for one in offers:
            added.sources.append((one, one.url not in there))
            if not dry:
                self.register.add(one.url, one.kind, one.title, self._clock.now())

    # Visiting

    def refresh(self, report: Round, *, everything: bool = False, stop: threading.Event | None = None) -> None:
        """One round over all sources and the pages that are due; `everything`: over all pages."""
        with only_one(self._house.folder, wait=self._wait, what="visits"):
            due = self.register.due(self._clock.now(), everything=everything)
            self.rounds.go(self.register.sources(), due, stop=stop, report=report)
            if self._house.behind():  # one that was killed had stored more than it indexed
                with self._alone():
                    self._catch_up()

    def look(self, source: Source, report: Round) -> None:
        """At a watched folder."""
        self.rounds.go([source], report=report)

    def turn(self) -> Round:
        """What is due now: sources, pages, and the folders."""
        now = self._clock.now()
        sources = self.register.sources()
        due = [one for one in sources if one.next <= now or one.kind == "folder"]
        addresses = self.register.due(now, limit=MOST)
        report = Round()
        if due or addresses:
            with only_one(self._house.folder, what="visits"):
                self.rounds.go(due, addresses, most=MOST, stop=self._halted, report=report)
        silent = self.register.newly_silent(self._clock.now())
        if silent:
            self._tell([messages.went_silent(one.name, one.newest, one.gap, one.reason) for one in silent])
        return report

    async def serve(self, stop: asyncio.Event) -> None:
        """Keeps the archive up with its sources until it is to stop, which it then does within seconds.

        What goes wrong with one turn is logged, and the next one comes.
        """
        halting = asyncio.create_task(self._halt(stop))
        try:
            while not stop.is_set():
                pause = await asyncio.to_thread(self._turn_logged)
                try:
                    await asyncio.wait_for(stop.wait(), pause)
                except TimeoutError:
                    continue
        finally:
            halting.cancel()

    async def _halt(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._halted.set()

    def _turn_logged(self) -> float:
        """Seconds until the next turn."""
        try:
            done = self.turn()
        except (DatabaseError, Busy, OSError) as error:
            _log.error("%s", messages.printable(str(error)))
            return PAUSE
        except Exception:  # noqa: BLE001 - logged with its trace; a daemon goes on
            _log.exception("A turn over the sources failed")
            return PAUSE
        if done.taken.counts:
            _log.info("%s", messages.taken_in(done.taken.counts))
        for one in done.taken.problems:
            _log.warning("%s", messages.printable(f"{one.where}: {one.reason}"))
        return self._pause()

    def _pause(self) -> float:
        if any(one.kind == "folder" for one in self.register.sources()):
            return POLL
        following_ = self.register.next_visit()
        return PAUSE if following_ is None else min(max(following_ - self._clock.now(), 1.0), PAUSE)

    def _alone(self) -> AbstractContextManager[None]:
        return only_one(self._house.folder, wait=self._wait)


def watched(path: str) -> str:
    """The folder as a source knows it. Raises BadArticle where it is none."""
    whole = os.path.realpath(path)
    if not os.path.isdir(whole):
        raise BadArticle(f"There is no folder {messages.printable(path)!r}. Give the path of one.")
    return whole


def exported(sources: Iterable[Source]) -> bytes:
    """All but the folders, as OPML."""
    return opml.written((one.title, one.url) for one in sources if one.kind != "folder")


def _listed(path: Path) -> list[Offer]:
    """Of an OPML file. Raises BadArticle."""
    try:
        if path.stat().st_size > MAX_LISTING:
            raise BadArticle(f"The file has more than {MAX_LISTING:,} bytes. Split it.")
        entries = opml.read(path.read_bytes()).entries
    except OSError as error:
        raise BadArticle(f"The file cannot be read: {error.strerror}. Check its path and its permissions.") from error
    if not entries:
        raise BadArticle("The file names no feed. Export it again from the program that it comes from.")
    return [Offer(one.url, "feed", one.title) for one in entries]


def _offers(named: str, listing: Listing) -> list[Offer]:
    if listing.kind == "opml":
        return [Offer(one.url, "feed", one.title) for one in listing.entries]
    return [Offer(named, "feed" if listing.kind == "page" else listing.kind, listing.title)]


def _tell_log(sentences: Sequence[str]) -> None:
    for one in sentences:
        _log.warning("%s", one)
