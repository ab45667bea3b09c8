"""Rounds over the sources: what is new or has changed is fetched and taken in, through the one intake.

The order makes a kill harmless: a list's entries are noted before any is fetched, an article is stored before its page
is noted as done. So what is cut short is done again, and storing it again changes nothing.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urljoin

from corpus.archive import Archive, NoSuchArticle
from corpus.article import MAX_FIELD, Article, BadArticle, make_article
from corpus.extract import MIN_PAGE_TEXT, parse_date
from corpus.intake import BATCH, Problem, Report, take_in
from corpus.sources import files, folders, web
from corpus.sources.files import Item
from corpus.sources.listing import MAX_LISTING, Entry, Listing, NoListing, Reader
from corpus.sources.register import NEVER, Address, Kept, Register, Source, State, following
from corpus.sources.turns import WORKERS, Job, Turns
from corpus.sources.visitor import Clock, SystemClock, Visitor
from corpus.sources.web import Inside, Unreached, Withdrawn

EXTRACT = " [extract]"  # behind the headline of what is only what a feed said of an article
TRIES = 3  # for an address in one round
FIRST_WAIT = 2.0  # seconds before the second try; four times as many before the third
LONGEST_WAIT = 60.0  # seconds that a server may ask for and get within a round
RAREST = 86_400.0  # seconds between two visits to a source that fails
CHILDREN = 20  # sitemaps of an index that are read in one round, newest first
DEPTH = 2  # of indexes in indexes
NOTED = 200  # pages that have not changed, noted at a time
INDEXED = 60.0  # seconds between two times that the indexes catch up in a long round


@dataclass(slots=True)
class Round:
    """What one did. Grows while it runs, so that an interrupted one can still be reported."""

    taken: Report = field(default_factory=Report)
    visited: int = 0  # sources
    unchanged: int = 0  # pages of which the server said so
    waiting: int = 0  # pages left for the next round
    withdrawn: int = 0  # articles whose file is gone, or whose page its site says is
    missing: int = 0  # files that are gone and whose articles stay


@dataclass(frozen=True, slots=True)
class _Child:
    """A sitemap of an index."""

    source: Source
    address: Address
    depth: int


@dataclass(frozen=True, slots=True)
class _Read:
    """What a visit to a list brought; `listing` None: it has not changed."""

    known: web.Known
    listing: Listing | None


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What became of a page; `article` None: nothing that could be stored."""

    address: Address  # as it is to be noted
    article: Article | None
    problem: str = ""
    unchanged: bool = False
    outdone: str = ""  # address of an extract that the article takes the place of
    withdrawn: str = ""  # address of the article that was withdrawn


_What = Source | _Child | Address
_Outcome = _Read | _Fetched


class Rounds:
    """Goes to the sources of one archive."""

    def __init__(
        self,
        register: Register,
        archive: Archive,
        visitor: Visitor,
        reader: Reader,
        *,
        alone: Callable[[], AbstractContextManager[None]],
        catch_up: Callable[[], None],
        interval: float,
        clock: Clock | None = None,
        workers: int = WORKERS,
        progress: Callable[[Item], object] = lambda item: None,
    ) -> None:
        """`alone` holds the intake's lock, `catch_up` brings the indexes up; `interval`: seconds between two visits."""
        self._register, self._archive, self._visitor, self._reader = register, archive, visitor, reader
        self._alone, self._catch_up, self._interval = alone, catch_up, interval
        self._clock, self._workers, self._progress = clock or SystemClock(), workers, progress

    def go(
        self,
        sources: Sequence[Source],
        addresses: Iterable[Address] = (),
        *,
        most: int | None = None,
        stop: threading.Event | None = None,
        report: Round | None = None,
    ) -> Round:
        """Visits the sources, the addresses, and what the sources name that is new.

        `most`: new pages of one source; the others wait for another round. Raises DatabaseError, and what `alone`
        raises.
        """
        stop = stop or threading.Event()
        going = _Going(self, stop, most, report or Round())
        for one in sources:
            if one.kind != "folder":
                going.turns.put(Job(one.url, one))
        for address in addresses:
            going.put(address)
        for job, outcome in going.turns.outcomes():
            going.take(job, outcome)
        going.store()
        for one in sources:
            if one.kind == "folder" and not stop.is_set():
                self._folder(one, going)
        going.end(counts=any(one.kind != "folder" for one in sources) or not self._remote())
        return going.report

    def _remote(self) -> bool:
        return any(one.kind != "folder" for one in self._register.sources())

    # What is done in a worker

    def work(self, job: Job[_What]) -> _Outcome:
        """Raises BadArticle: a list that cannot be had, or a page that may be had at the next try."""
        what = job.what
        if isinstance(what, Source):
            return self._list(what.url, what.known if what.kind != "index" else web.Known())
        if isinstance(what, _Child):
            return self._list(what.address.url, what.address.known)
        try:
            return self._page(what)
        except Unreached as error:
            if _may_pass(error, job):
                raise
            return self._in_its_place(what, str(error))

    def _list(self, url: str, known: web.Known) -> _Read:
        got = self._visitor.visit(url, known, limit=MAX_LISTING)
        if got.status == 304:
            return _Read(known, None)
        return _Read(got.known, self._reader.read(got.data, got.url, got.kind))

    def _page(self, one: Address) -> _Fetched:
        now = self._clock.now()
        noted = replace(one, visits=one.visits + 1, next=following(one.visits, now), reason="")
        try:
            got = self._visitor.visit(one.url, one.known if one.state == "page" else web.Known(), admit=web.kind)
            if got.status == 304:
                return _Fetched(noted, None, unchanged=True)
            found = _completed(web.article(web.page(got)), one.entry, now)
        except Unreached:
            raise
        except Withdrawn as error:
            return self._withdrawn(one, noted, error)
        except Inside as error:
            return _Fetched(replace(noted, state=_lost(one), next=NEVER, reason=str(error)), None, str(error))
        except BadArticle as error:
            return self._in_its_place(one, str(error))
        outdone = one.article if one.state == "extract" and one.article != found.url else ""
        noted = replace(noted, state="page", entry=Entry(), known=got.known, article=found.url)
        return _Fetched(noted, found, outdone=outdone)

    def _withdrawn(self, one: Address, noted: Address, error: Withdrawn) -> _Fetched:
        """Its article goes, and no text of the entry takes its place; but only where its own address says so, and not
        the whole site, as one does that is shut down or turns programs away. Raises Unreached.
        """
        own = one.article or error.url
        if (error.url != own and not self._is_withdrawn(own)) or self._is_withdrawn(urljoin(error.url, "/")):
            return self._in_its_place(one, str(error))
        gone = replace(noted, state="failed", entry=Entry(one.url), known=web.Known(), article="", reason=str(error))
        return _Fetched(gone, None, "" if one.article else str(error), withdrawn=one.article)

    def _is_withdrawn(self, url: str) -> bool:
        """Raises Unreached where that cannot be known now."""
        try:
            self._visitor.visit(url)
        except Withdrawn:
            return True
        except Unreached:
            raise
        except BadArticle:
            return False
        return False

    def _in_its_place(self, one: Address, why: str) -> _Fetched:
        """The entry's own text, where there is some and no page is stored."""
        now = self._clock.now()
        noted = replace(one, visits=one.visits + 1, next=following(one.visits, now), reason=why)
        try:
            found = None if one.state == "page" else _extract(one, now)
        except BadArticle:
            found = None
        if found is None:
            return _Fetched(replace(noted, state=_lost(one)), None, why)
        return _Fetched(replace(noted, state="extract", article=found.url), found, why)

    def alone_entry(self, one: Address) -> _Fetched:
        """An entry that has no page: its text is the article."""
        now = self._clock.now()
        try:
            found = _of_entry(one, "", now)
        except BadArticle as error:
            why = f"The entry has neither a page nor a text. {error}"
            return _Fetched(replace(one, state="failed", next=NEVER, reason=why), None, why)
        return _Fetched(replace(one, state="entry", entry=Entry(), article=found.url, next=NEVER), found)

    # Folders

    def _folder(self, source: Source, going: "_Going") -> None:
        now = self._clock.now()
        kept = self._register.files(source)
        try:
            found = folders.changes(source.url, kept, now)
        except BadArticle as error:
            self._register.note_failure(source, now, now + self._interval, str(error))
            going.report.taken.problems.append(Problem(source.url, str(error)))
            return
        going.report.visited += 1
        for start in range(0, len(found.came), BATCH):
            self._files(source, found.came[start : start + BATCH], found.moved, kept, going)
        left = [one for one in found.gone if one.path not in found.moved.values()]
        if source.withdraw and left:
            self._withdraw(left, self._register.files(source), going)
        going.report.missing += 0 if source.withdraw else len(left)
        if found.gone:
            self._register.note_files(source, [], [one.path for one in found.gone])
        if found.came or found.gone or source.failures or now >= source.next:
            self._register.note_success(source, now, now + self._interval)

    def _files(
        self, source: Source, came: Sequence[Kept], moved: Mapping[str, str], kept: Mapping[str, Kept], going: "_Going"
    ) -> None:
        """Takes them in, then notes them; one that was only touched has nothing new."""
        articles: dict[str, list[str]] = {}
        fresh: list[str] = []
        for one in came:
            before = kept.get(one.path)
            known = before is not None and before.digest == one.digest != ""
            articles[one.path] = list(before.articles) if before and known else []
            fresh += [] if known else [one.path]
        if fresh:
            read = (item for path in fresh for item in _noting(files.read([path]), articles[path]))
            with self._alone():
                take_in(read, self._archive, progress=self._progress, report=going.report.taken)
                for one in came:
                    if one.path in moved:
                        self.replace(kept[moved[one.path]].articles, articles[one.path])
            going.stored()
        noted = [replace(one, articles=tuple(dict.fromkeys(articles[one.path]))) for one in came]
        self._register.note_files(source, noted, [])

    def replace(self, before: Sequence[str], after: Sequence[str]) -> None:
        """Forgets the articles at the addresses before, unless the archive knows those after for the same."""
        there = set(filter(None, map(self._own_address, after)))
        for url in filter(None, map(self._own_address, before)):
            if there and url not in there:
                self._forget(url)

    def _own_address(self, url: str) -> str:
        """Of the article that this address leads to; "" where there is none."""
        try:
            return self._archive.revisions(url)[-1].article.url
        except NoSuchArticle:
            return ""

    def _withdraw(self, gone: Sequence[Kept], kept: dict[str, Kept], going: "_Going") -> None:
        """What no other file holds."""
        paths = {one.path for one in gone}
        elsewhere = {url for one in kept.values() if one.path not in paths for url in one.articles}
        with self._alone():
            for url in dict.fromkeys(url for one in gone for url in one.articles):
                if url not in elsewhere:
                    going.report.withdrawn += self._forget(url)
        going.stored()

    def withdraw(self, url: str) -> bool:
        """Whether there was an article that this address leads to."""
        own = self._own_address(url)
        return bool(own) and self._forget(own)

    def _forget(self, url: str) -> bool:
        """Whether there was something to forget."""
        try:
            self._archive.forget(url)
        except NoSuchArticle:  # somebody was quicker
            return False
        return True


class _Going:
    """One round while it runs."""

    def __init__(self, rounds: Rounds, stop: threading.Event, most: int | None, report: Round) -> None:
        self._rounds, self._stop, self._most, self.report = rounds, stop, most, report
        self._register, self._clock = rounds._register, rounds._clock
        self.turns: Turns[_What, _Outcome] = Turns(rounds.work, rounds._visitor, self._clock, stop, rounds._workers)
        self._batch: list[_Fetched] = []
        self._unchanged: list[Address] = []
        self._behind, self._indexed = False, self._clock.now()

    def put(self, one: Address) -> None:
        if one.paged:
            self.turns.put(Job(one.url, one))
        else:
            self._keep(self._rounds.alone_entry(one))

    def take(self, job: Job[_What], outcome: _Outcome | BadArticle) -> None:
        """What came of a job."""
        if isinstance(outcome, Unreached) and _may_pass(outcome, job):
            wait = max(outcome.wait, FIRST_WAIT * 4**job.tries)
            self.turns.put(replace(job, tries=job.tries + 1), self._clock.now() + wait)
        elif isinstance(outcome, _Fetched):
            self._keep(outcome)
        elif isinstance(job.what, Source | _Child):
            self._listed(job.what, outcome)
        else:
            raise TypeError(f"a page ended as {outcome!r}")

    def _listed(self, what: Source | _Child, outcome: _Read | BadArticle) -> None:
        source = what if isinstance(what, Source) else what.source
        self.report.visited += isinstance(what, Source)
        if isinstance(outcome, _Read) and outcome.listing and outcome.listing.kind in ("page", "opml"):
            outcome = NoListing("There is a page or something else here now, no feed and no sitemap. Look at its site.")
        if isinstance(outcome, BadArticle):
            self._failed(source, what, str(outcome))
            return
        now, listing = self._clock.now(), outcome.listing
        index = listing is not None and listing.kind == "index"
        entries = listing.entries if listing and not index else ()
        title = listing.title if listing else ""
        known = outcome.known if isinstance(what, Source) and listing else None
        named = self._register.note_success(source, now, now + self._rounds._interval, known, entries, title)
        if isinstance(what, _Child):
            self._register.note([replace(what.address, known=outcome.known, changed=what.address.entry.changed)])
        if listing and index:
            self._children(source, listing, what.depth + 1 if isinstance(what, _Child) else 1)
        self._name(named)

    def _name(self, named: Sequence[Address]) -> None:
        most = len(named) if self._most is None else self._most
        self.report.waiting += max(len(named) - most, 0)
        for one in named[:most]:
            self.put(one)

    def _children(self, source: Source, listing: Listing, depth: int) -> None:
        for entry in listing.entries[:CHILDREN] if depth <= DEPTH else ():
            address = self._register.address(entry.url) or Address(entry.url, "list")
            address = replace(address, state="list", entry=entry, next=NEVER)
            if not entry.changed or entry.changed != address.changed:
                self.turns.put(Job(entry.url, _Child(source, address, depth)))

    def _failed(self, source: Source, what: Source | _Child, why: str) -> None:
        now = self._clock.now()
        url = what.url if isinstance(what, Source) else what.address.url
        wait = min(self._rounds._interval * 2 ** min(source.failures, 20), RAREST)
        self._register.note_failure(source, now, now + max(wait, self._rounds._interval), why)
        self.report.taken.problems.append(Problem(url, why))

    def _keep(self, fetched: _Fetched) -> None:
        if fetched.unchanged:
            self._unchanged.append(fetched.address)
            self.report.unchanged += 1
        else:
            self._batch.append(fetched)
        if len(self._batch) >= BATCH or len(self._unchanged) >= NOTED:
            self.store()

    def store(self) -> None:
        """What was fetched so far is taken in, then noted as done."""
        batch, self._batch = self._batch, []
        if batch:
            with self._rounds._alone():
                forgotten = self._register.forgotten([one.address.url for one in batch])  # while they were fetched
                batch = [one for one in batch if one.address.url not in forgotten]
                items = [Item(one.address.url, one.article, one.problem) for one in batch if not one.withdrawn]
                if items:
                    take_in(items, self._rounds._archive, progress=self._rounds._progress, report=self.report.taken)
                for one in batch:
                    if one.outdone and one.article:
                        self._rounds.replace([one.outdone], [one.article.url])
                    elif one.withdrawn:
                        self.report.withdrawn += self._rounds.withdraw(one.withdrawn)
            self._behind = True
        for one in batch:
            if one.article and one.problem:
                why = f"{one.problem} What the feed says of it was taken in, marked as an extract."
                self.report.taken.problems.append(Problem(one.address.url, why))
        forgotten = self._register.forgotten([one.url for one in self._unchanged])
        unchanged = [one for one in self._unchanged if one.url not in forgotten]
        self._register.note([*(one.address for one in batch), *unchanged])
        told = ((one.address.url, one.article.published) for one in batch if one.article)
        self._register.date({url: when.timestamp() for url, when in told if when}, self._clock.now())
        self._unchanged = []
        self.stored(behind=self._behind)

    def stored(self, *, behind: bool = True) -> None:
        """Now and then the indexes follow."""
        self._behind = self._behind or behind
        if self._behind and self._clock.now() - self._indexed >= INDEXED:
            self._index()

    def end(self, *, counts: bool) -> None:
        """The indexes agree with the archive; where the round was cut short, the next start sees to that."""
        if self._stop.is_set():
            return
        self._index()
        if counts:
            self._register.note_round(self._clock.now())

    def _index(self) -> None:
        if self._behind:
            with self._rounds._alone():
                self._rounds._catch_up()
        self._behind, self._indexed = False, self._clock.now()


def _may_pass(error: Unreached, job: Job[_What]) -> bool:
    return job.tries + 1 < TRIES and error.wait <= LONGEST_WAIT


def _lost(one: Address) -> State:
    """What a page is that could not be had: one that is stored stays so."""
    return one.state if one.state in ("page", "extract") else "failed"


def _noting(items: Iterable[Item], articles: list[str]) -> Iterator[Item]:
    for one in items:
        if one.article:
            articles.append(one.article.url)
        yield one


# From an entry to an article


def _completed(found: Article, entry: Entry, now: float) -> Article:
    """What its page does not say of an article, its entry may."""
    published = found.published or _day(entry)
    retrieved = datetime.fromtimestamp(now, UTC)
    return replace(found, published=published, authors=found.authors or entry.authors, retrieved=retrieved)


def _extract(one: Address, now: float) -> Article | None:
    return _of_entry(one, EXTRACT, now) if len(one.entry.text.strip()) >= MIN_PAGE_TEXT else None


def _of_entry(one: Address, mark: str, now: float) -> Article:
    """Raises BadArticle where it says too little."""
    entry = one.entry
    made = make_article(
        url=one.url,
        title=entry.title[: MAX_FIELD - len(mark)],
        text=entry.text,
        published=_day(entry),
        outlet=one.outlet or web.site(one.url),
        authors=entry.authors,
        retrieved=datetime.fromtimestamp(now, UTC),
    )
    return replace(made, title=f"{made.title[: MAX_FIELD - len(mark)]}{mark}")


def _day(entry: Entry) -> datetime | None:
    try:
        return parse_date(entry.published)
    except BadArticle:  # too old or too far ahead to be true
        return None
