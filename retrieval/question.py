"""A question as it is searched: whole, its filters and what its words say of time beside it."""

import re
from dataclasses import dataclass, field, replace
from datetime import date

from retrieval.scope import Scope
from retrieval.tense import is_current, of_publication
from retrieval.when import Window, window, without

OLD_AFTER = 365  # days
LONGEST = 1_000  # characters of a question
EMPTY = "The question is empty. Ask something such as: what did Russia demand?"
TOO_LONG = "The question has {length} characters; the limit is {limit}. Ask it in fewer words."
TURNED_ROUND = "The first day, {since}, is after the last, {until}. Turn them round."
SENTENCES = (EMPTY, TOO_LONG, TURNED_ROUND)  # for translators


class BadQuestion(ValueError):
    """A question that cannot be asked; `sentence`, filled in with `values`, says why, so that it can be translated."""

    def __init__(self, sentence: str, **values: object) -> None:
        self.sentence, self.values = sentence, values
        super().__init__(sentence.format(**values))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the archive."""

    text: str  # as searched: whole, but for time words that became a filter
    today: date  # the day on which it is asked: newer reports win when they answer equally well
    scope: Scope = field(default_factory=Scope)
    said: str = ""  # as the person said it, where that differs
    read_as: str = ""  # the words of `said` that became a filter: "in May 2025"
    citations: int = 3  # at most
    meant: Window | None = None  # days on which reports of it are likely; a preference where `scope` is a filter
    current: bool = False  # whether it asks how things stand on `today`, so that the newest report is likely right
    old_after: int = OLD_AFTER  # days; a report older than that on `today` is called old

    @property
    def shown(self) -> str:
        return self.said or self.text

    @property
    def completed(self) -> bool:
        """Whether words were searched for that the person did not say: a follow-up made whole, a slip put right."""
        searched, said = (set(re.findall(r"\w+", one.casefold())) for one in (self.text, self.shown))
        return not searched <= said


def read_question(text: str, *, today: date, scope: Scope = Scope(), citations: int = 3, said: str = "") -> Question:  # noqa: B008 - frozen
    """The question, and what its time words are taken for, counted from `today`.

    Asked for reports of some days ("news of last week"), they become a filter. Otherwise ("who won in 2019?") they tell
    when something happened: they are searched for, and the days are only `meant`. Dates that were given outright win
    over words. `said` is what the person wrote, where `text` is a follow-up made whole. Raises BadQuestion.
    """
    text = " ".join(text.split())
    if not any(character.isalnum() for character in text):
        raise BadQuestion(EMPTY)
    if len(text) > LONGEST:
        raise BadQuestion(TOO_LONG, length=f"{len(text):,}", limit=f"{LONGEST:,}")
    if scope.since and scope.until and scope.since > scope.until:
        raise BadQuestion(TURNED_ROUND, since=scope.since, until=scope.until)
    meant = None if scope.since or scope.until else window(text, today)
    current = is_current(text) and not (meant and meant.until and meant.until < today)
    asked = Question(text, today, scope, said or text, citations=citations, meant=meant, current=current)
    return _filtered(asked, meant) if meant and of_publication(text, meant) else asked


def _filtered(question: Question, days: Window) -> Question:
    """The days as a filter, their words no longer searched for. A period that goes on today is left open at its end."""
    until = None if days.until == question.today else days.until
    scope = replace(question.scope, since=days.since, until=until)
    return replace(question, text=without(question.text, days), scope=scope, read_as=days.words, meant=None)
