"""A desk that is never sure: what another desk answers with is, to this one, only what may be meant."""

from dataclasses import dataclass, replace
from typing import Protocol

from retrieval.answer import Answer, Reason
from retrieval.citation import Citation
from retrieval.question import Question


class Desk(Protocol):
    def ask(self, question: Question) -> Answer: ...
    def proven(self, citation: Citation) -> Citation: ...


@dataclass(frozen=True, slots=True)
class Unsure:
    desk: Desk

    def ask(self, question: Question) -> Answer:
        answer = self.desk.ask(question)
        return perhaps(answer) if answer.answered else answer

    def proven(self, citation: Citation) -> Citation:
        return self.desk.proven(citation)


def perhaps(answer: Answer) -> Answer:
    """An answer as it would be if its first citation were only what may be meant."""
    meant, copies = replace(answer.citations[0], words=None), answer.copies[:1]
    unsure = replace(answer, answered=False, text="", citations=(), differing=(), copies=copies)
    return replace(unsure, perhaps=meant, reason=Reason.UNSURE.value)
