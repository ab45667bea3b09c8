"""What was found for a question and the answer, as plain data. Channels render an Answer; programs read its JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from corpus.archive import Revision, StoredPassage
from corpus.corrections import corrections
from corpus.kinds import kind_of
from corpus.sources.freshness import Freshness
from retrieval.citation import Citation, link
from retrieval.question import Question

RETRIEVED = 10  # passages that an answer keeps, each with its article


class Reason(StrEnum):
    """Why there is no answer, as a person reads it: what was found, and never that there is no more than that."""

    EMPTY = "The archive is empty."
    NOTHING = "Nothing on this was found in the archive."
    DATES = "No answer was found within the dates asked for."
    OUTLETS = "No answer was found in the outlet asked for."
    SILENT = "I have articles on this, but found none that says it."
    UNSURE = "Not sure that the closest passage says it."
    UNPROVEN = "The quote that was found could not be proven against the archive."


@dataclass(frozen=True, slots=True)
class Found:
    """One passage near the question, with what each stage made of it."""

    stored: StoredPassage
    score: float  # higher is better; comparable within one search only
    cosine: float  # of the question's and the passage's vectors, -1..1
    bm25: float  # 0 where the keyword search did not list it
    by_meaning: int | None  # rank in that list, 0 is first
    by_keywords: int | None
    copies: tuple[StoredPassage, ...] = ()  # passages that say the same and were left out for this one
    story: int | None = None  # the group of copies that its article is in

    @property
    def source(self) -> object:
        """What it counts as one with: its article, or all copies of that."""
        return self.stored.revision.article.url if self.story is None else self.story


@dataclass(frozen=True, slots=True)
class Differing:
    """What one report says, where others give another figure, day or name for the same thing."""

    citation: Citation  # of the one sentence
    words: str  # the figure, day or name in it, as written: "nearly 31,000 homes"; stands in the quote
    update: bool  # the newest of its outlet, where an earlier article of that outlet gave another


@dataclass(frozen=True, slots=True)
class Answer:
    """The one answer for every channel. Its citations have been proven against the archive."""

    question: Question
    answered: bool
    confidence: float  # 0..1: the chance that the archive supports the answer; kept also when it is refused
    text: str  # what a chat shows, without markup
    citations: tuple[Citation, ...]
    retrieved: tuple[Found, ...]  # best first
    seconds: float
    reason: str = ""  # a Reason, where it is no answer
    differing: tuple[Differing, ...] = ()  # newest first, undated last; what the first citation gives is one of them
    copies: tuple[tuple[Revision, ...], ...] = ()  # for each that is `quoted`: other articles that have its words
    nearest: tuple[Revision, ...] = ()  # headlines to offer with a refusal
    outdated: Freshness | None = None  # of the archive, where it does not reach to the end of the days asked for
    explained: Mapping[str, object] = field(default_factory=dict)  # what each stage did, for --explain
    perhaps: Citation | None = None  # what may be meant, where nothing is sure: the closest passage, proven too

    @property
    def quoted(self) -> tuple[Citation, ...]:
        """What a person sees quoted: all that it cites, or the one that may be meant; empty where it is a plain no."""
        return self.citations or ((self.perhaps,) if self.perhaps else ())

    def carried(self, citation: Citation) -> tuple[Revision, ...]:
        """Other articles that have the words of one that is `quoted`, the agency's or the earliest first."""
        return dict(zip(self.quoted, self.copies, strict=False)).get(citation, ())


def to_json(answer: Answer, name: object = None) -> dict[str, object]:
    """The JSON object of one answer; `name` is the id that the asker gave the question."""
    return {
        "id": name,
        "question": answer.question.shown,
        "understood": answer.question.text if answer.question.completed else "",
        "answered": answer.answered,
        "confidence": round(answer.confidence, 4),
        "answer": answer.text,
        "citations": [_carried(answer, one) for one in answer.citations],
        "perhaps": _carried(answer, answer.perhaps) if answer.perhaps else None,
        "differing": [_differing(one) for one in answer.differing],
        "retrieved": [_found(one) for one in answer.retrieved],
        "nearest": [{"title": one.article.title, "url": one.article.url} for one in answer.nearest],
        "filters": _filters(answer.question),
        "outdated": _outdated(answer.outdated) if answer.outdated else None,
        "reason": answer.reason,
        "seconds": round(answer.seconds, 4),
    }


def _carried(answer: Answer, citation: Citation) -> dict[str, object]:
    return _citation(citation) | {"also": also(answer.carried(citation))}


def _citation(citation: Citation) -> dict[str, object]:
    article = citation.article
    return {
        "quote": citation.quote,
        "speaker": citation.speaker,
        "cue": citation.cue,
        "words": citation.quote[slice(*citation.words)] if citation.words else "",
        "start": citation.start,
        "end": citation.end,
        "url": article.url,
        "title": article.title,
        "outlet": article.outlet,
        "published": _day(article.published),
        "authors": list(article.authors),
        "context": citation.context,
        "link": link(citation),
        "revision": citation.number,
        "kind": kind_of(article),
        "correction": "\n".join(corrections(article.text)),
        "modified": article.modified.isoformat() if article.modified else None,
        "dated_by": article.dated_by,
    }


def also(copies: Iterable[Revision]) -> list[dict[str, object]]:
    """Other articles that carry the same, in the order given."""
    every = (one.article for one in copies)
    return [
        {"outlet": one.outlet, "title": one.title, "url": one.url, "published": _day(one.published)} for one in every
    ]


def _differing(differing: Differing) -> dict[str, object]:
    fields = _citation(differing.citation)
    names = ("url", "title", "outlet", "published", "quote", "start", "end", "link")
    return {"words": differing.words, "update": differing.update, **{name: fields[name] for name in names}}


def _found(found: Found) -> dict[str, object]:
    passage = found.stored.passage
    return {"text": passage.text, "url": passage.article.url, "score": round(found.score, 4)}


def _filters(question: Question) -> dict[str, object]:
    scope = question.scope
    return {
        "since": _day(scope.since),
        "until": _day(scope.until),
        "outlet": list(scope.outlets),
        "as_of": _day(scope.as_of),
        "read_from": question.read_as,
    }


def _outdated(fresh: Freshness) -> dict[str, object]:
    current = datetime.fromtimestamp(fresh.current, UTC).isoformat(timespec="seconds") if fresh.current else None
    return {"current": current, "sources": fresh.sources, "silent": fresh.silent}


def _day(when: date | None) -> str | None:
    return when.isoformat()[:10] if when else None
