"""Jobs on many hosts: several hosts at once, each of them by one job at a time and only when it may be asked."""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

from corpus.article import BadArticle
from corpus.sources.visitor import Clock, Visitor, host

T = TypeVar("T")
R = TypeVar("R")
WORKERS = 16  # hosts asked at once
LOOK = 0.5  # seconds between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    url: str
    what: T
    tries: int = 0  # before this one


class Turns(Generic[T, R]):
    """More jobs may be put in while the outcomes of others are taken out."""

    def __init__(
        self,
        work: Callable[[Job[T]], R],
        visitor: Visitor,
        clock: Clock,
        stop: threading.Event,
        workers: int = WORKERS,
    ) -> None:
        """`work` may raise BadArticle, which is an outcome too."""
        self._work, self._visitor, self._clock, self._stop, self._workers = work, visitor, clock, stop, workers
        self._lines: dict[str, deque[Job[T]]] = {}  # host -> its jobs; also while one of them is worked on
        self._free: list[tuple[float, int, str]] = []  # when an idle host that has jobs may be asked
        self._later: list[tuple[float, int, Job[T]]] = []
        self._order = count()

    def put(self, job: Job[T], at: float = 0.0) -> None:
        """`at`: not before then."""
        if at > self._clock.now():
            heapq.heappush(self._later, (at, next(self._order), job))
            return
        name = host(job.url)
        if name in self._lines:
            self._lines[name].append(job)
        else:
            self._lines[name] = deque([job])
            self._offer(name)

    def outcomes(self) -> Iterator[tuple[Job[T], R | BadArticle]]:
        """Until there are no more jobs, or until it is to stop; then what is being fetched is let go."""
        running: dict[Future[R | BadArticle | None], Job[T]] = {}
        pool = ThreadPoolExecutor(self._workers, "pullquote fetch")
        try:
            while not self._stop.is_set():
                self._start(pool, running)
                pause = self._pause()
                if running:
                    done, _ = wait(running, min(pause or LOOK, LOOK), FIRST_COMPLETED)
                    yield from self._ended(running, done)
                elif pause is None:
                    return
                else:
                    self._clock.sleep(min(pause, LOOK))
        finally:
            if self._stop.is_set():
                self._visitor.halt()
            pool.shutdown(cancel_futures=True)

    def _offer(self, name: str) -> None:
        heapq.heappush(self._free, (self._visitor.free_at(self._lines[name][0].url), next(self._order), name))

    def _start(self, pool: ThreadPoolExecutor, running: dict[Future[R | BadArticle | None], Job[T]]) -> None:
        now = self._clock.now()
        while self._later and self._later[0][0] <= now:
            self.put(heapq.heappop(self._later)[2])
        while len(running) < self._workers and self._free and self._free[0][0] <= now:
            _, _, name = heapq.heappop(self._free)
            if self._visitor.free_at(self._lines[name][0].url) > now:
                self._offer(name)  # another host led here meanwhile
            else:
                job = self._lines[name].popleft()
                running[pool.submit(self._turn, job)] = job

    def _turn(self, job: Job[T]) -> R | BadArticle | None:
        """None: the host's turn went to its rules."""
        if not self._visitor.knows(job.url):
            self._visitor.learn(job.url)
            return None
        try:
            return self._work(job)
        except BadArticle as error:
            return error

    def _ended(
        self, running: dict[Future[R | BadArticle | None], Job[T]], done: set[Future[R | BadArticle | None]]
    ) -> Iterator[tuple[Job[T], R | BadArticle]]:
        for future in done:
            job = running.pop(future)
            outcome = future.result()
            line = self._lines[host(job.url)]
            if outcome is None:
                line.appendleft(job)
            if line:
                self._offer(host(job.url))
            else:
                del self._lines[host(job.url)]
            if outcome is not None:
                yield job, outcome

    def _pause(self) -> float | None:
        """Seconds until another job can begin; None where none waits."""
        times = [line[0][0] for line in (self._free, self._later) if line]
        return max(min(times) - self._clock.now(), 0.001) if times else None
