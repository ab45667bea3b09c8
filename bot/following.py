"""Standing questions: asked of what came in since, and only what was not told yet is news."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from bot.watchlist import Follow, Place, Telling, Watchlist
from corpus.archive import Archive
from retrieval.answer import Answer
from retrieval.citation import Citation
from retrieval.question import Question, read_question
from retrieval.scope import Scope

AT_ONCE = 3  # answers that are told together, newest first
ARTICLES = 500  # that a standing question is asked of at a time; of more, the newest
TRIES = 3  # of a standing question, each without the articles that repeat what was told

Ask = Callable[[Question], Answer]


@dataclass(frozen=True, slots=True)
class News:
    """What is told of a standing question."""

    answer: Answer  # its citations, newest first
    told: frozenset[str]  # keys of what it says


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows, and where it is told."""

    place: Place
    person: str
    language: str = ""


TERMINAL = Follower(Place("terminal:"), "terminal:")


def begin(
    watchlist: Watchlist,
    archive: Archive,
    who: Follower,
    question: str,
    telling: Telling,
    scope: Scope = Scope(),  # noqa: B008 - frozen
    told: Iterable[Citation] = (),
) -> int | None:
    """Follows a question from now on; `told` are citations that the person has. Its number, or None: too many.

    Raises BadQuestion.
    """
    now = datetime.now(UTC)
    read_question(question, today=now.date(), scope=scope)
    new = Follow(0, 0, who.place, who.person, who.language, question, scope, archive.newest(), now)
    return watchlist.follow(new, {key for one in told for key in keys(one)}, telling)


def news(ask: Ask, archive: Archive, follow: Follow, told: frozenset[str], newest: int, today: date) -> News | None:
    """What the articles that came in since, up to the revision `newest`, answer that was not told yet."""
    revisions = archive.came_in(follow.after, newest, ARTICLES)
    for _ in range(TRIES):
        if not revisions:
            return None
        scope = replace(follow.scope, revisions=tuple(revisions))
        answer = ask(read_question(follow.question, today=today, scope=scope, citations=AT_ONCE))
        if not answer.answered:
            return None
        repeats = {one.revision for one in answer.citations if not told.isdisjoint(keys(one))}
        if not repeats:
            break
        revisions = [one for one in revisions if one not in repeats]
    fresh = _fresh(answer.citations, told)
    return News(_with(answer, fresh), frozenset(key for one in fresh for key in keys(one))) if fresh else None


def keys(citation: Citation) -> frozenset[str]:
    """Digests by which something told is known again: of the quote's words, and of those of them that answer.

    Case, punctuation and white space make no difference.
    """
    answering = citation.quote[slice(*citation.words)] if citation.words else ""
    said = {"quote": _words(citation.quote), "words": _words(answering)}
    return frozenset(_key(kind, words) for kind, words in said.items() if words)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _key(kind: str, words: str) -> str:
    return hashlib.sha256(f"{kind}\n{words}".encode()).hexdigest()


def _fresh(citations: Iterable[Citation], told: frozenset[str]) -> list[Citation]:
    """Those that say nothing that was told, or that one before them says; newest first, undated last."""
    known, fresh = set(told), []
    for one in citations:
        if known.isdisjoint(keys(one)):
            fresh.append(one)
            known |= keys(one)
    return sorted(fresh, key=_when, reverse=True)[:AT_ONCE]


def _when(citation: Citation) -> tuple[float, int]:
    published = citation.article.published
    return published.timestamp() if published else float("-inf"), citation.revision


def _with(answer: Answer, citations: Sequence[Citation]) -> Answer:
    """The answer with these citations; the question as anybody would ask it, of the whole archive."""
    scope = replace(answer.question.scope, revisions=())
    text = "\n".join(one.quote for one in citations)
    question = replace(answer.question, scope=scope)
    return replace(answer, question=question, text=text, citations=tuple(citations), differing=())
