"""Turns in a chat: follow-ups and commands. A channel gets all of it by translating to and from text."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Protocol

from bot import messages
from bot.followup import complete
from corpus.archive import Revision
from corpus.article import BadArticle, line
from retrieval.answer import Answer
from retrieval.citation import Citation, FalseQuote
from retrieval.question import BadQuestion, Question, read_question
from retrieval.scope import Scope

MORE = 600  # characters that /more adds on either side, up to the end of a paragraph


class Desk(Protocol):
    def ask(self, question: Question) -> Answer: ...
    def proven(self, citation: Citation) -> Citation:
        """The same citation, checked again. Raises FalseQuote."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """One citation of the last answer, with more around it."""

    citation: Citation
    number: int  # 1 is the first
    count: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The articles behind the last answer: those it cites first."""

    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The person is done."""


Reply = Answer | Shown | Sources | End | str  # str: a sentence of ours


@dataclass(frozen=True, slots=True)
class _Turn:
    question: str  # completed, with its time words
    answer: Answer


class Conversation:
    """One person's turns with the desk."""

    def __init__(
        self,
        desk: Desk,
        *,
        scope: Scope = Scope(),  # noqa: B008 - frozen
        citations: int = 3,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._desk = desk
        self._scope = scope
        self._citations = citations
        self._today = today
        self._last: _Turn | None = None
        self._shown: Shown | None = None

    def reply(self, text: str) -> Reply:
        """To whatever a person wrote: a command or a question. Never raises for what was written."""
        text = line(text)
        try:
            return self._obey(text) if text.startswith("/") else self.ask(text)
        except (BadQuestion, BadArticle, FalseQuote) as error:
            return str(error)

    def ask(self, text: str) -> Answer:
        """The answer; a follow-up is completed from the turn before. Raises BadQuestion."""
        text = line(text)
        last = self._last
        whole = complete(text, last.question, last.answer.text) if last else complete(text, "")
        question = read_question(
            whole, today=self._scope.as_of or self._today(), scope=self._scope, citations=self._citations, said=text
        )
        answer = self._desk.ask(question)
        self._last = _Turn(whole, answer)
        self._shown = Shown(answer.citations[0], 1, len(answer.citations)) if answer.citations else None
        return answer

    def new(self) -> str:
        """Forgets the turns; the filters stay."""
        self._last = self._shown = None
        return messages.NEW

    def since(self, text: str) -> str:
        return self._narrowed(replace(self._scope, since=read_day(text) if text else None))

    def until(self, text: str) -> str:
        return self._narrowed(replace(self._scope, until=read_day(text) if text else None))

    def outlet(self, name: str) -> str:
        return self._narrowed(replace(self._scope, outlets=(name,) if name else ()))

    def sources(self) -> Reply:
        if self._last is None:
            return messages.NOTHING_ASKED
        answer = self._last.answer
        cited = {one.article.url for one in answer.citations}
        every = {one.stored.revision.article.url: one.stored.revision for one in answer.retrieved}
        return Sources(tuple(sorted(every.values(), key=lambda one: one.article.url not in cited)))

    def more(self) -> Reply:
        """The same citation with more of its article around it, each time more."""
        if self._shown is None:
            return messages.NOTHING_CITED if self._last else messages.NOTHING_ASKED
        wide = self._desk.proven(wider(self._shown.citation))
        if wide == self._shown.citation:
            return messages.WHOLE_ARTICLE
        self._shown = replace(self._shown, citation=wide)
        return self._shown

    def next(self) -> Reply:
        if self._last is None or self._shown is None:
            return messages.NOTHING_CITED if self._last else messages.NOTHING_ASKED
        if self._shown.number == self._shown.count:
            return messages.LAST_CITATION.format(count=self._shown.count)
        number = self._shown.number + 1
        citation = self._desk.proven(self._last.answer.citations[number - 1])
        self._shown = Shown(citation, number, self._shown.count)
        return self._shown

    def _obey(self, text: str) -> Reply:
        name, _, rest = text.partition(" ")
        commands: dict[str, Callable[[], Reply]] = {
            "/help": lambda: messages.HELP,
            "/new": self.new,
            "/since": lambda: self.since(rest),
            "/until": lambda: self.until(rest),
            "/outlet": lambda: self.outlet(rest),
            "/sources": self.sources,
            "/more": self.more,
            "/next": self.next,
            "/quit": End,
        }
        obey = commands.get(name.lower())
        return obey() if obey else messages.unknown_command(name[:40], get_close_matches(name, commands, n=1))

    def _narrowed(self, scope: Scope) -> str:
        if scope.since and scope.until and scope.since > scope.until:
            raise BadQuestion(messages.turned_round(scope.since, scope.until))
        self._scope = scope
        return messages.only(messages.filters(scope.since, scope.until, scope.outlets, scope.as_of, ""))


def wider(citation: Citation) -> Citation:
    """The same quote with MORE characters of its article on either side, to the end of the paragraph."""
    text = citation.article.text
    first = max(citation.start - len(citation.before) - MORE, 0)
    first = text.rfind("\n", 0, first) + 1
    last = text.find("\n", citation.end + len(citation.after) + MORE)
    return replace(
        citation, before=text[first : citation.start], after=text[citation.end : last if last >= 0 else None]
    )


def read_day(text: str) -> date:
    """A day in any usual spelling; 2025-05-16 without loading a date library. Raises BadArticle."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    from corpus.extract import parse_date  # here: an ISO date, which is the usual one, needs none of it

    when = parse_date(text)
    if when is None:
        raise BadArticle(messages.NO_DATE)
    return when.date()
