"""The one name by which a sentence answers "who" or "where", if it is one.

English. Only where there can be but one: who won, leads or was appointed, where something is held or happened. Many may
have said, seen or supported a thing, and two names for that are no difference.
"""

import re
from dataclasses import dataclass

from corpus.article import Span
from retrieval.nations import is_a_nations, same_nation
from retrieval.people import TITLES
from retrieval.phrases import FUNCTION, Token, tokens

WHO, WHERE = "who", "where"
NATION = " as a nation"  # a country is compared with a country alone: a city in it is no difference

_OFFICE = (
    r"(?:president|prime minister|premier|chancellor|leader|head|chief|chair(?:man|woman|person)?|mayor|governor|ceo"
    r"|coach|manager|captain|director|founder|owner|king|queen|pope|speaker|secretary|minister|ambassador|envoy|winner"
    r"|champion|author|inventor)"
)
_PERSON = r"(?:man|woman|person|player|driver|team|club|country|nation|actor|actress|director|candidate|party|company)"
_BY_ONE = (
    r"(?:won|wins?|succeed(?:ed|s)?|replaced?|replaces|appointed|elected|chosen|crowned|leads?|led|heads?|headed"
    r"|chairs?|chaired|founded|invented|designed|directed|wrote|composed)\b"
)
_BE = r"(?:(?:is|was|are|were|has|have|had|will|would|be|been|being)\s)"
_WHO = re.compile(
    rf"\bwho\s{_BE}*(?:\w+ly\s)?{_BY_ONE}|\b(?:which|what)\s(?:[\w’'-]+\s){{0,3}}?{_PERSON}\s{_BE}*{_BY_ONE}", re.I
)
_OFFICE_ASKED = re.compile(rf"\bwho\s(?:is|was|will be|became|becomes)\s(?:[\w’'-]+\s){{0,4}}?{_OFFICE}\b", re.I)
_IN_ONE_PLACE = (
    r"(?:held|hold|take place|took place|taking place|meet(?:ing)?|met|begin|start(?:ed)?|crash(?:ed)?|happen(?:ed)?"
    r"|occur(?:red)?|land(?:ed)?|born|buried|sign(?:ed)?|host(?:s|ed|ing)?|shot|killed|arrested)"
)
_PLACE = r"(?:city|country|state|town|village|venue|province|capital|region)"
_WHERE = re.compile(rf"\b(?:where|(?:which|what)\s(?:\w+\s)?{_PLACE})\b.*\b{_IN_ONE_PLACE}\b", re.I)

_PARTICLES = frozenset("de da di del della der den van von bin ibn al el la le du dos das ten ter of the".split())
_IN = re.compile(r"\b(?:in|to|into)\s(?:the\s)?$", re.I)
_HOSTS = re.compile(r"\s(?:(?:will|would|is|has|to|be)\s)*host", re.I)
_ENDS = re.compile(r"\s*(?:$|[.;!?]|,\s(?![A-Z])|\s[a-z])")  # not "Springfield, Illinois": of which two names?

_NEAR = 60  # characters on either side of a name in which its office is looked for
_BEFORE = r"(?:[\w’'-]+\s){{0,4}}\b{office}(?:\s(?:of|for|at)\s[\w ]+?)?,?\s$"
_AFTER = r"(?:,|\s(?:is|was|became|becomes|as))\s(?:who\s(?:is|was|became)\s)?(?:[\w’'-]+\s){{0,3}}{office}\b[^,.;]*"
_NOT_NOW = re.compile(r"\b(?:former|ex|then|late|vice|deputy|acting|interim)\b", re.I)


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a text."""

    words: tuple[str, ...]  # in lower case, less titles
    unit: str  # WHO or WHERE, and whether it is a nation
    span: Span  # in characters of the text


def unit_asked(question: str) -> str:
    """WHO or WHERE, where one name answers; else nothing."""
    if _WHO.search(question) or asks_for_office(question):
        return WHO
    return WHERE if _WHERE.search(question) else ""


def asks_for_office(question: str) -> bool:
    """Whether it asks who holds an office: one after the other does."""
    return bool(_OFFICE_ASKED.search(question))


def name_in(unit: str, text: str, answer: Span) -> Name | None:
    """The one name in the words that answer; None where there is none, or more, or its bounds are not plain."""
    row = tokens(text, answer)
    places = [n for n, token in enumerate(row) if token.capital]
    if not places or any(not token.capital and token.low not in _PARTICLES for token in row[places[0] : places[-1]]):
        return None
    run = row[places[0] : places[-1] + 1]
    run = run[max((n for n, token in enumerate(run) if _is_title(token)), default=-1) + 1 :]
    if all(token.low in FUNCTION for token in run):
        return None
    span = run[0].start, run[-1].end - _owned(run[-1])
    if unit == WHERE and not _is_place(text, span):
        return None
    words = tuple(token.low.removesuffix("'s").removesuffix("’s") for token in run)
    return Name(words, unit + NATION * any(_is_nation(word) for word in words), span)


def _is_title(token: Token) -> bool:
    return token.low in TITLES or bool(re.fullmatch(_OFFICE, token.low))


def _is_place(text: str, span: Span) -> bool:
    inside = _IN.search(text[: span[0]]) and _ENDS.match(text, span[1])
    return bool(inside or _HOSTS.match(text, span[1]))


def same_name(one: Name, other: Name) -> bool:
    """Whether both may be for the same: one has a word of the other, or is another word for that nation."""
    return any(a == b or same_nation(a, b) for a in one.words for b in other.words if a not in _PARTICLES)


def mentions(text: str, name: Name) -> bool:
    """Whether a text has the last word of a name, or another word for that nation."""
    last = name.words[-1]
    return any(word == last or same_nation(word, last) for word in re.findall(r"[^\W\d_][\w-]*", text.lower()))


def holds_office(question: str, text: str, name: Name) -> bool:
    """Whether the text gives the office that is asked for to the name beside it, and to no former holder.

    "President Zelensky of Ukraine", "Ukraine's president, Volodymyr Zelensky", not "President Biden told Ukraine".
    """
    asked = _OFFICE_ASKED.search(question)
    if asked is None:
        return True
    office = re.search(rf"{_OFFICE}$", asked[0], re.I)
    assert office  # the pattern ends with it
    start, end = name.span
    before = re.search(_BEFORE.format(office=office[0]), text[max(0, start - _NEAR) : start], re.I)
    after = re.match(_AFTER.format(office=office[0]), text[end : end + _NEAR], re.I)
    told = " ".join(found[0] for found in (before, after) if found)
    whose = [
        token.low for token in tokens(question, (asked.start(), len(question))) if token.capital and token.low != "who"
    ]
    theirs = all(any(one == word or same_nation(one, word) for word in _plain(told)) for one in whose)
    return bool(told) and theirs and not _NOT_NOW.search(told)


def _plain(text: str) -> list[str]:
    return [re.sub(r"['’]s?$", "", word) for word in re.findall(r"[\w’'-]+", text.lower())]


def _owned(token: Token) -> int:
    return 2 * token.text.endswith(("'s", "’s"))


def _is_nation(word: str) -> bool:
    return is_a_nations(word) or same_nation(word, word)
