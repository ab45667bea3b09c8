"""A citation: words of a stored article at their offsets. Proven before it is shown, and at every re-opening."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from corpus.archive import Revision
from corpus.article import Article, Span
from retrieval.fragment import fragment_link
from retrieval.question import Question
from retrieval.speaker import attribution

NEVER = datetime.min.replace(tzinfo=UTC)
MONTH = 365.25 / 12  # days
CONTEXT = 240  # characters of context wanted on either side of a quote


class FalseQuote(RuntimeError):
    """A quote that does not stand in the archive at its offsets. It must not be shown."""


class Source(Protocol):
    """Where the stored revisions are."""

    def revision(self, revision_id: int) -> Revision | None: ...


@dataclass(frozen=True, slots=True)
class Citation:
    """`article.text[start:end] == quote`, in the revision that the archive holds under `revision`."""

    quote: str
    start: int
    end: int
    article: Article
    revision: int  # the archive's id of the revision
    number: int  # which revision of its article that is; 1 is the first
    before: str  # the article's words just before the quote
    after: str
    speaker: str = ""  # the article's words for who says the quote; "" where that is not determined
    cue: str = ""  # the article's word of saying: "said", "according to"
    words: Span | None = None  # those that answer, in characters of the quote; None where that is not clear

    @property
    def context(self) -> str:
        return self.before + self.quote + self.after


def cite(revision: Revision, span: Span, words: Span | None = None) -> Citation:
    """The citation of a span, built from its offsets and nothing else. Both are in characters of the article."""
    start, end = span
    text = revision.article.text
    first, last = _context(text, start, end)
    said = attribution(text, span)
    return Citation(
        quote=text[start:end],
        start=start,
        end=end,
        article=revision.article,
        revision=revision.id,
        number=revision.number,
        before=text[first:start],
        after=text[end:last],
        speaker=said.speaker if said else "",
        cue=said.cue if said else "",
        words=(words[0] - start, words[1] - start) if words else None,
    )


def check(citation: Citation, archive: Source) -> Citation:
    """The same citation, proven: every character against the stored text. Raises FalseQuote."""
    stored = archive.revision(citation.revision)
    if stored is None:
        raise FalseQuote(f"The article {citation.article.url} is no longer in the archive.")
    start, end, text = citation.start, citation.end, stored.article.text
    if not (0 <= start < end <= len(text)) or text[start:end] != citation.quote:
        raise FalseQuote(f"The quote does not stand at {start}-{end} of {stored.article.url}.")
    if citation.words and not 0 <= citation.words[0] < citation.words[1] <= len(citation.quote):
        raise FalseQuote(f"The words that answer do not stand in the quote from {stored.article.url}.")
    if text[:start].endswith(citation.before) and text[end:].startswith(citation.after):
        if _attributed(citation) == _attributed(cite(stored, (start, end))):
            return citation
        raise FalseQuote(f"The quote's attribution is not that of {stored.article.url}.")
    raise FalseQuote(f"The quote's context is not that of {stored.article.url}.")


def link(citation: Citation) -> str:
    """The article's address with a text fragment that scrolls to the quote and marks it."""
    return fragment_link(citation.article.url, citation.article.text, citation.start, citation.end)


def age(citation: Citation, question: Question) -> int | None:
    """How many months old the report was on the day of asking; None where it was not old, or has no date."""
    published = citation.article.published
    days = (question.today - published.date()).days if published else 0
    return round(days / MONTH) if days > question.old_after else None


def _attributed(citation: Citation) -> tuple[object, ...]:
    article = citation.article
    source = replace(article, text="", retrieved=NEVER), citation.number
    return *source, citation.speaker, citation.cue


def _context(text: str, start: int, end: int) -> Span:
    """Bounds of the context: within the paragraph where that is enough, at white space, about CONTEXT on each side."""
    first = max(text.rfind("\n\n", 0, start) + 2, 0) if "\n\n" in text[:start] else 0
    last = text.find("\n\n", end)
    last = len(text) if last < 0 else last
    if start - first > CONTEXT:
        first = text.rfind(" ", first, start - CONTEXT) + 1 or start - CONTEXT
    if last - end > CONTEXT:
        stop = text.find(" ", end + CONTEXT, last)
        last = stop if stop > 0 else end + CONTEXT
    return first, last
