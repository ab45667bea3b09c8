"""A question as it is searched: whole, its time words read as dates, its filters beside it."""

import re
from dataclasses import dataclass, field, replace
from datetime import date

from retrieval.scope import Scope
from retrieval.when import window, without

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

    text: str  # as searched: whole, without its time words
    today: date  # the day on which it is asked: newer reports win when they answer equally well
    scope: Scope = field(default_factory=Scope)
    said: str = ""  # as the person said it, where that differs
    read_as: str = ""  # the words of `said` from which dates were read: "in May 2025"
    citations: int = 3  # at most
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
    """The question with its time words ("last week", "in May 2025") taken as publication dates, counted from `today`.

    Dates that were given outright win over words. `said` is what the person wrote, where `text` is a follow-up
    made whole. A period that goes on today is left open at its end. Raises BadQuestion.
    """
    text = " ".join(text.split())
    if not any(character.isalnum() for character in text):
        raise BadQuestion(EMPTY)
    if len(text) > LONGEST:
        raise BadQuestion(TOO_LONG, length=f"{len(text):,}", limit=f"{LONGEST:,}")
    if scope.since and scope.until and scope.since > scope.until:
        raise BadQuestion(TURNED_ROUND, since=scope.since, until=scope.until)
    words = None if scope.since or scope.until else window(text, today)
    if words is None:
        return Question(text, today, scope, said=said or text, citations=citations)
    return Question(
        without(text, words),
        today,
        replace(scope, since=words.since, until=None if words.until == today else words.until),
        said=said or text,
        read_as=words.words,
        citations=citations,
    )
