"""Many addresses on many hosts, asked politely: robots.txt, one request a host at a time with a pause after it, and
nothing sent again that has not changed.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from protego import Protego

from corpus.article import BadArticle
from corpus.sources.web import NAME, PASSING, Got, Known, Unreached, Web, answered

PACE = 1.0  # seconds between two requests to one host
SLOWEST = 60.0  # seconds of a pause that a host asks for in robots.txt and that is kept
LONGEST = 3_600.0  # seconds that a host may ask to be left alone for
RULES = 500_000  # bytes of robots.txt that count, as the standard allows
REMEMBERED = 86_400.0  # seconds for which the rules of a host are remembered
RETRIED = 600.0  # seconds after which rules that could not be had are asked for again
HOSTS = 5_000  # remembered at a time


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a site lets us ask for."""

    until: float  # when they are asked for again
    robots: Protego | None = None  # None: everything may be asked
    unknown: str = ""  # why they are not known, in which case nothing may be asked


class Visitor:
    """Asks servers for what they have, from any thread."""

    def __init__(self, web: Web, *, pace: float = PACE, clock: Clock | None = None) -> None:
        self._web, self._pace, self._clock = web, pace, clock or SystemClock()
        self._lock = threading.Lock()
        self._free: OrderedDict[str, float] = OrderedDict()  # host -> when it may be asked next
        self._rules: OrderedDict[str, _Rules] = OrderedDict()  # site -> its rules

    def visit(
        self,
        url: str,
        known: Known = Known(),  # noqa: B008 - frozen
        *,
        admit: Callable[[str], object] = lambda kind: None,
        asked: bool = False,
        **limits: int,
    ) -> Got:
        """What stands at the address, or that it has not changed. Waits for its host's turn.

        `asked`: a person asked for this very address just now, so robots.txt, which speaks to programs that go about
        by themselves, does not count. Raises Unreached, Withdrawn, Inside or BadArticle.
        """

        def before(hop: str) -> None:
            if not asked:
                self._check(hop)
            self._take_turn(hop)

        try:
            got = self._web.get(url, known, admit=admit, before=before, **limits)
        finally:
            self._leave_alone(url, self._pause(url))  # from now: when it was asked, nobody knows so exactly
        if got.wait:
            self._leave_alone(got.url, got.wait)
        return answered(got)

    def free_at(self, url: str) -> float:
        """When the host may be asked next, by the clock."""
        with self._lock:
            return self._free.get(host(url), 0.0)

    def knows(self, url: str) -> bool:
        """Whether the rules of this site are known, so that a visit costs one request."""
        with self._lock:
            rules = self._rules.get(_site(url))
        return rules is not None and rules.until > self._clock.now()

    def learn(self, url: str) -> None:
        """Asks for the rules of the site. Raises nothing: that they cannot be had is a rule too."""
        site = _site(url)
        rules = self._asked_rules(site)
        with self._lock:
            self._rules[site] = rules
            self._rules.move_to_end(site)
            while len(self._rules) > HOSTS:
                self._rules.popitem(last=False)

    def sitemaps(self, url: str) -> list[str]:
        """Those that the site names in its robots.txt."""
        rules = self._known_rules(url)
        return list(rules.robots.sitemaps) if rules.robots else []

    def halt(self) -> None:
        """Ends what is being fetched, within a second or so."""
        self._web.halt()

    def _check(self, url: str) -> None:
        """Raises BadArticle where the site does not want this asked."""
        rules = self._known_rules(url)
        if rules.unknown:
            raise Unreached(rules.unknown)
        if rules.robots and not rules.robots.can_fetch(url, NAME):
            raise BadArticle("The site's robots.txt asks programs not to fetch this. Add single pages of it by hand.")

    def _known_rules(self, url: str) -> _Rules:
        if not self.knows(url):
            self.learn(url)
        with self._lock:
            return self._rules[_site(url)]

    def _asked_rules(self, site: str) -> _Rules:
        now = self._clock.now()
        try:
            got = self._web.get(f"{site}/robots.txt", before=self._take_turn, limit=MOST_OF_RULES)
        except Unreached as error:
            return _Rules(now + RETRIED, unknown=f"The site's robots.txt cannot be had. {error}")
        except BadArticle:  # no rules that anybody could read: as if there were none
            return _Rules(now + REMEMBERED)
        if got.status in PASSING:
            said = f"The site's robots.txt is answered with {got.status}. Try again later."
            return _Rules(now + max(RETRIED, min(got.wait, LONGEST)), unknown=said)
        if got.status != 200:
            return _Rules(now + REMEMBERED)
        robots = Protego.parse(got.data[:RULES].decode("utf-8", "replace"))
        return _Rules(now + REMEMBERED, robots)

    def _take_turn(self, url: str) -> None:
        """Waits until the host may be asked, and takes the turn."""
        name, pause = host(url), self._pause(url)
        with self._lock:
            now = self._clock.now()
            turn = max(now, self._free.get(name, 0.0))
            self._set_free(name, turn + pause)
        if turn > now:
            self._clock.sleep(turn - now)

    def _pause(self, url: str) -> float:
        with self._lock:
            rules = self._rules.get(_site(url))
        asked = rules.robots.crawl_delay(NAME) if rules and rules.robots else None
        return max(self._pace, min(float(asked or 0.0), SLOWEST))

    def _leave_alone(self, url: str, seconds: float) -> None:
        with self._lock:
            until = self._clock.now() + min(seconds, LONGEST)
            self._set_free(host(url), max(until, self._free.get(host(url), 0.0)))

    def _set_free(self, name: str, at: float) -> None:
        self._free[name] = at
        self._free.move_to_end(name)
        while len(self._free) > HOSTS and next(iter(self._free.values())) < self._clock.now():
            self._free.popitem(last=False)


MOST_OF_RULES = 5_000_000  # bytes of robots.txt from which it is taken for something else


def host(url: str) -> str:
    """The host that an address is asked of; "" for what is no address."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
