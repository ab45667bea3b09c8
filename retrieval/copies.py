"""Copies of one story among what was found: one article speaks for all, where it says the same.

Sentences are compared, whatever their order. One with another figure or other words between quotation marks is no
copy: it stays to be seen, and is set beside the first.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from corpus.archive import Revision, StoredPassage
from corpus.article import Span
from corpus.duplicates import precedence
from retrieval.answer import Differing, Found
from retrieval.citation import Citation, cite
from retrieval.differing import NEVER
from retrieval.figures import figures
from retrieval.keywords import stems

LIKE = 0.5  # Jaccard similarity of words from which one sentence is another's counterpart
SPOKESMEN = 5  # articles of a group that may speak for the others, before which a passage stays as it is
_QUOTED = re.compile(r"[“\"«„]([^“”\"«»„]{3,}?)[”\"»“]")

Passages = Callable[[int], Sequence[StoredPassage]]  # revision id -> all of its passages


@dataclass(frozen=True, slots=True)
class Sentence:
    span: Span  # in characters of the article's text
    text: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Carried:
    """Who else has the words of a quote."""

    same: tuple[Revision, ...] = ()
    other: tuple[tuple[Revision, Sentence, Sentence], ...] = ()  # another figure or quotation: the quote's, the copy's


def gather(found: Sequence[Found], wanted: Collection[str], passages: Passages) -> list[Found]:
    """Passages of copies, each in the words of the agency's own or the earliest article found that has it too.

    `wanted` are stems of the question: a sentence that only a copy has keeps its passage where it has one of them.
    """
    own = {one.stored.id: one for one in found}
    spokesmen = _spokesmen(found)
    kept: dict[int, Found] = {}
    for one in found:
        stored = _stand_in(one, spokesmen.get(one.story, []) if one.story is not None else (), wanted, passages)
        place = kept.get(stored.id) or own.get(stored.id) or replace(one, stored=stored)
        left_out = () if stored.id == one.stored.id else (one.stored,)
        kept[stored.id] = replace(place, copies=(*place.copies, *left_out))
    return list(kept.values())


def _spokesmen(found: Iterable[Found]) -> dict[int, list[Revision]]:
    """Of each group of which more than one article was found, the first few."""
    groups: dict[int, dict[int, Revision]] = {}
    for one in found:
        if one.story is not None:
            groups.setdefault(one.story, {})[one.stored.revision.id] = one.stored.revision
    return {
        story: sorted(members.values(), key=lambda one: precedence(one.article))[:SPOKESMEN]
        for story, members in groups.items()
        if len(members) > 1
    }


def _stand_in(one: Found, spokesmen: Sequence[Revision], wanted: Collection[str], passages: Passages) -> StoredPassage:
    mine = sentences([one.stored])
    for revision in spokesmen:
        if revision.id == one.stored.revision.id:
            break
        its = passages(revision.id)
        if its and _covers(sentences(its), mine, wanted):
            words = frozenset().union(*(each.words for each in mine))
            return max(its, key=lambda each: len(words & _words(each.passage.text)))
    return one.stored


def _covers(its: Sequence[Sentence], mine: Sequence[Sentence], wanted: Collection[str]) -> bool:
    missing = 0
    for sentence in mine:
        other = counterpart(sentence, its)
        if other is None:
            missing += 1
            if not frozenset(wanted).isdisjoint(stems(sentence.text)):
                return False
        elif changed_words(sentence.text, other.text):
            return False
    return missing * 2 <= len(mine)


def carried(citation: Citation, own: Sequence[StoredPassage], members: Iterable[Sequence[StoredPassage]]) -> Carried:
    """Of copies, each given as its passages, those that have the quote; `own` are the passages of its article."""
    quoted = [one for one in sentences(own) if citation.start <= one.span[0] and one.span[1] <= citation.end]
    same, other = [], []
    for passages in members:
        pairs = [(one, counterpart(one, its)) for its in [sentences(passages)] for one in quoted]
        found = [(one, its) for one, its in pairs if its is not None]
        changed = next((pair for pair in found if changed_words(pair[0].text, pair[1].text)), None)
        if changed:
            other.append((passages[0].revision, *changed))
        elif found and len(found) == len(quoted):
            same.append(passages[0].revision)
    return Carried(tuple(same), tuple(other))


def side_by_side(revision: Revision, found: Carried) -> tuple[Differing, ...]:
    """The quote's sentence and those of copies that changed a figure or quotation in it, newest first.

    Of copies that say the same ("31,000", "nearly 31,000") the first speaks.
    """
    told: dict[object, Differing] = {}
    for other, mine, its in found.other:
        if words := changed_words(mine.text, its.text):
            told.setdefault(_value(words[0]), Differing(cite(revision, mine.span), words[0], False))
            told.setdefault(_value(words[1]), Differing(cite(other, its.span), words[1], False))
    return tuple(sorted(told.values(), key=lambda one: one.citation.article.published or NEVER, reverse=True))


def by_revision(passages: Iterable[StoredPassage]) -> list[list[StoredPassage]]:
    """The passages of each article, the agency's own or the earliest first."""
    found: dict[int, list[StoredPassage]] = {}
    for one in passages:
        found.setdefault(one.revision.id, []).append(one)
    return sorted(found.values(), key=lambda one: precedence(one[0].revision.article))


def sentences(passages: Iterable[StoredPassage]) -> list[Sentence]:
    """Each once, though passages may share some."""
    found: dict[Span, Sentence] = {}
    for one in passages:
        for span in one.passage.sentences:
            if span not in found:
                text = one.passage.article.text[slice(*span)]
                found[span] = Sentence(span, text, _words(text))
    return list(found.values())


def counterpart(one: Sentence, others: Iterable[Sentence]) -> Sentence | None:
    """The sentence that says the same in nearly the same words."""
    likeness = ((len(one.words & its.words) / (len(one.words | its.words) or 1), its) for its in others)
    best = max(likeness, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= LIKE else None


def changed_words(one: str, other: str) -> tuple[str, str] | None:
    """The first figure, else quotation, that two versions of a sentence have in the place of each other."""
    for each in (_figures, _quotations):
        mine, its = each(one), each(other)
        only_mine = [words for value, words in mine.items() if value not in its]
        only_its = [words for value, words in its.items() if value not in mine]
        if only_mine and only_its:
            return only_mine[0], only_its[0]
    return None


def _value(words: str) -> object:
    """What figures are compared by; of a quotation its words."""
    return frozenset(_figures(words)) or words


def _figures(text: str) -> Mapping[object, str]:
    return {figure.value: text[slice(*figure.span)] for figure in figures(text)}


def _quotations(text: str) -> Mapping[object, str]:
    return {tuple(re.findall(r"\w+", found[1].lower())): found[1] for found in _QUOTED.finditer(text)}


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))
