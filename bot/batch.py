"""Questions for `ask --batch`: one JSON object a line."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from bot import messages
from bot.conversation import read_day
from corpus.article import line
from retrieval.question import BadQuestion, Question, read_question
from retrieval.scope import Scope


@dataclass(frozen=True, slots=True)
class Asked:
    """One line: a question, or why there is none."""

    id: object
    said: str
    question: Question | None
    problem: str = ""
    row: Mapping[str, object] = field(default_factory=dict)  # the whole line, for what else it says


def questions(lines: Iterable[str], scope: Scope, citations: int, today: Callable[[], date]) -> Iterator[Asked]:
    """What each line asks; blank lines ask nothing. `scope` holds where a line does not say otherwise."""
    return (_asked(each, scope, citations, today) for each in lines if each.strip())


def unanswered(asked: Asked) -> dict[str, object]:
    """The JSON object of a line that is no question."""
    return {
        "id": asked.id,
        "question": asked.said,
        "answered": False,
        "confidence": 0.0,
        "answer": "",
        "citations": [],
        "perhaps": None,
        "retrieved": [],
        "reason": asked.problem,
        "seconds": 0.0,
    }


def _asked(raw: str, scope: Scope, citations: int, today: Callable[[], date]) -> Asked:
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        return Asked(None, "", None, messages.NOT_JSON)
    said = row.get("question")
    if not isinstance(said, str):
        return Asked(row.get("id"), "", None, messages.NO_QUESTION)
    said = line(said)
    try:
        within = _scope(row, scope)
        day = _day(row, "date") or within.as_of or today()
        question = read_question(said, today=day, scope=within, citations=citations)
    except BadQuestion as error:
        return Asked(row.get("id"), said, None, str(error))
    return Asked(row.get("id"), said, question, row=row)


def _scope(row: dict[str, object], default: Scope) -> Scope:
    return replace(
        default,
        since=_day(row, "since") or default.since,
        until=_day(row, "until") or default.until,
        as_of=_day(row, "as_of") or default.as_of,
        outlets=_outlets(row.get("outlet")) or default.outlets,
    )


def _day(row: dict[str, object], field: str) -> date | None:
    value = row.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadQuestion(messages.BAD_FIELD, field=field, need=messages.A_DATE)
    return read_day(value)


def _outlets(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadQuestion(messages.BAD_FIELD, field="outlet", need=messages.AN_OUTLET)
    return tuple(name for name in map(line, names) if name)
