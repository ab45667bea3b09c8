"""The sources as `pullquote feeds` shows them."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from bot import messages
from corpus.sources.register import Source


def as_rows(sources: Iterable[Source]) -> Iterator[tuple[str, ...]]:
    now = time.time()
    for one in sources:
        yield (
            str(one.id),
            messages.printable(f"{one.title}\n{one.url}" if one.title else one.url),
            one.kind,
            messages.day_or_time(one.succeeded),
            messages.NOT_KNOWN if one.articles and one.newest is None else messages.day_or_time(one.newest),
            messages.span(one.gap),
            messages.day_or_time(max(one.next, now)),
            messages.source_state(one.silent(now), one.failures, one.waiting),
        )


def as_objects(sources: Iterable[Source]) -> Iterator[dict[str, object]]:
    now = time.time()
    for one in sources:
        yield {
            "id": one.id,
            "url": one.url,
            "kind": one.kind,
            "title": one.title,
            "last_success": _iso(one.succeeded),
            "last_visit": _iso(one.visited),
            "newest_article": _iso(one.newest),
            "usual_gap": one.gap,  # seconds
            "next_visit": _iso(one.next),
            "silent": one.silent(now),
            "failures": one.failures,
            "reason": one.reason,
            "articles": one.articles,
            "waiting": one.waiting,
            "withdraw": one.withdraw,
        }


def _iso(when: float | None) -> str | None:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds") if when else None
