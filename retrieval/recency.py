"""How well the day of a report suits a question, as one number."""

from datetime import date

from retrieval.question import Question
from retrieval.when import Window

HALF = 30  # days away from the best day at which a report suits half as well


def nearness(question: Question, published: date | None) -> float:
    """1 where published on the days `meant`, or on the day of asking where the present is asked for; a half 30 days
    away from that, a quarter 90 days away. The lower of the two where a question has both.

    0 where the question prefers no day, for every report alike; and where the report has none.
    """
    if published is None or not (question.meant or question.current):
        return 0.0
    old = max((question.today - published).days, 0) if question.current else 0
    outside = _days_outside(question.meant, published) if question.meant else 0
    return 1 / (1 + max(old, outside) / HALF)


def _days_outside(days: Window, published: date) -> int:
    early = (days.since - published).days if days.since else 0
    late = (published - days.until).days if days.until else 0
    return max(early, late, 0)
