"""The desk: a question in; out a proven answer, the proven passage that may be meant, or a reasoned refusal.

Nothing unchecked leaves it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

from corpus.archive import Archive, Revision
from corpus.sources.freshness import Freshness
from retrieval import copies
from retrieval.answer import RETRIEVED, Answer, Differing, Found, Reason
from retrieval.citation import Citation, FalseQuote, check, cite
from retrieval.copies import Carried
from retrieval.differing import Reported, side_by_side
from retrieval.question import OLD_AFTER, Question
from retrieval.reader import Reader, Reading
from retrieval.scope import Scope
from retrieval.search import Search

REMEMBERED = 256  # answers kept while the index stays as it is; about 0.3 MB each, with their articles' texts
COPIES = 100  # of an article, that are looked at
NEAREST = 3  # headlines offered with a refusal


class Desk:
    """Answers questions from the archive."""

    def __init__(
        self,
        search: Search,
        reader: Reader,
        archive: Archive,
        old_after: int = OLD_AFTER,
        outdated: Callable[[Question], Freshness | None] = lambda question: None,
    ) -> None:
        """`outdated` tells how fresh the archive is, where that is not enough for the days asked for."""
        self._outdated = outdated
        self._search = search
        self._reader = reader
        self._archive = archive
        self._old_after = old_after
        self._remembered: OrderedDict[tuple[object, int, Question], Answer] = OrderedDict()

    def ask(self, question: Question) -> Answer:
        """The answer; at once where the same was asked before and neither index nor archive has changed since."""
        begun = perf_counter()
        question = replace(question, old_after=self._old_after)
        key = (self._search.state(), self._archive.position(), question)
        answer = self._remembered.pop(key, None)
        if answer is None or not self._still_true(answer):
            answer = self._answer(question)
        self._remembered[key] = answer
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return replace(answer, outdated=self._outdated(question), seconds=perf_counter() - begun)

    def proven(self, citation: Citation) -> Citation:
        """A citation that is shown again, checked again. Raises FalseQuote."""
        return check(citation, self._archive)

    def _answer(self, question: Question) -> Answer:
        if self._archive.empty():
            nothing = Reading(False, 0.0, (), ())
            return self._refused(question, nothing, Reason.EMPTY, nothing)
        begun = perf_counter()
        question = self._search.spelled(question)
        found = self._search(question)
        searched = perf_counter()
        reading = self._reader.read(question, found)
        stages = {"search": searched - begun, "reader": perf_counter() - searched}
        answer = self._cited(question, reading) if reading.sure else self._unsure(question, reading)
        return replace(answer, explained={"seconds": stages, **reading.explained})

    def _cited(self, question: Question, reading: Reading) -> Answer:
        citations = self._all_proven(
            [cite(one.revision, one.span, one.answer) for one in reading.choices[: question.citations]]
        )
        if not citations:
            return self._refused(question, reading, Reason.UNPROVEN, reading)
        text = "\n".join(one.quote for one in citations)
        carried = [self._carried(question, one, reading.ranked) for one in citations]
        differing = self._differing(reading.differing) or self._changed(citations[0], carried[0])
        return Answer(
            question,
            True,
            reading.confidence,
            text,
            citations,
            reading.ranked[:RETRIEVED],
            0.0,
            differing=differing,
            copies=tuple(one.same for one in carried),
        )

    def _unsure(self, question: Question, reading: Reading) -> Answer:
        """The passage that may be meant, without words that answer; a refusal where there is none to be proven."""
        meant = reading.perhaps
        proven = self._all_proven([cite(meant.revision, meant.span)]) if meant else ()
        if not proven:
            return self._refuse(question, reading)
        copies = (self._carried(question, proven[0], reading.ranked).same,)
        unsure = self._refused(question, reading, Reason.UNSURE, None)
        return replace(unsure, perhaps=proven[0], copies=copies)

    def _carried(self, question: Question, citation: Citation, ranked: Sequence[Found]) -> Carried:
        """What the copies of its article, and passages left out for one of its own, make of a citation."""
        members = [one.id for one in self._archive.copies(citation.revision, question.scope.as_of)]
        left_out = [found.copies for found in ranked if found.stored.revision.id == citation.revision]
        members += [one.revision.id for each in left_out for one in each]
        looked_at = self._archive.passages_of(list(dict.fromkeys(members))[:COPIES])
        own = self._archive.passages_of([citation.revision])
        return copies.carried(citation, own, copies.by_revision(looked_at))

    def _changed(self, citation: Citation, carried: Carried) -> tuple[Differing, ...]:
        """What copies made another figure or quotation of; empty unless two can be proven."""
        revision = self._archive.revision(citation.revision)
        told = copies.side_by_side(revision, carried) if revision else ()
        proven = tuple(one for one in told if self._all_proven([one.citation]))
        return proven if len(proven) > 1 else ()

    def _differing(self, reports: Sequence[Reported]) -> tuple[Differing, ...]:
        cited = [(one, cite(one.revision, one.statement.span)) for one in reports]
        return side_by_side([(one, citation) for one, citation in cited if self._all_proven([citation])])

    def _all_proven(self, citations: Sequence[Citation]) -> tuple[Citation, ...]:
        """Those that stand in the archive. One that does not (its article was just forgotten) is left out."""
        proven = []
        for citation in citations:
            try:
                proven.append(self.proven(citation))
            except FalseQuote:
                continue
        return tuple(proven)

    def _still_true(self, answer: Answer) -> bool:
        shown = (*answer.quoted, *(one.citation for one in answer.differing))
        return self._all_proven(shown) == shown

    def _refuse(self, question: Question, reading: Reading) -> Answer:
        """Says why: no article on it, only outside the dates or outlets asked for, or on it but silent."""
        scope, on_it = question.scope, reading.near and bool(reading.ranked)
        if scope.narrow and not scope.revisions:
            wider = replace(question, scope=Scope())
            outside = self._reader.read(wider, self._search(wider))
            if outside.sure or not on_it:
                reason = Reason.DATES if scope.since or scope.until or scope.as_of else Reason.OUTLETS
                return self._refused(question, reading, reason, outside)
        return self._refused(question, reading, Reason.SILENT if on_it else Reason.NOTHING, reading)

    def _refused(self, question: Question, reading: Reading, reason: Reason, offered: Reading | None) -> Answer:
        """With the headlines of the reading that is `offered`, where these are on the matter."""
        return Answer(
            question,
            False,
            reading.confidence,
            "",
            (),
            reading.ranked[:RETRIEVED],
            0.0,
            reason=reason.value,
            nearest=headlines(offered.ranked) if offered and offered.near else (),
        )


def headlines(found: Sequence[Found], limit: int = NEAREST) -> tuple[Revision, ...]:
    """The first few different articles."""
    first = {one.source: one.stored.revision for one in reversed(found[:20])}
    return tuple(first[source] for source in dict.fromkeys(one.source for one in found[:20]))[:limit]
