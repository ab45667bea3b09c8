"""A clock that goes only when somebody sleeps."""

import threading


class FakeClock:
    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now, self._lock = now, threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Those who sleep at the same time sleep beside each other."""
        until = self.now() + seconds
        with self._lock:
            self._now = max(self._now, until)
