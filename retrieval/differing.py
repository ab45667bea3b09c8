"""Where outlets differ: sentences of different articles that give another figure, day or name for the one thing asked.

Showing a difference that is none is worse than missing one. So two sentences are set side by side only where they are
about the same story and the same part of it, as far as words, names, days and publication can tell, and where their
figures are of one unit and no rounding of each other. Names are compared only where there can be but one (names.py),
and where neither report knows the other's name: two outlets that name a different man mostly speak of two men.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import combinations

from corpus.archive import NEVER_DATED, Revision
from corpus.article import Span
from retrieval.answer import Differing
from retrieval.asked import Asked, names_in
from retrieval.citation import Citation
from retrieval.figures import PEOPLE, Figure, agree, figures, unit_of
from retrieval.keywords import stems
from retrieval.names import (
    NATION,
    WHERE,
    WHO,
    Name,
    asks_for_office,
    holds_office,
    mentions,
    name_in,
    same_name,
    unit_asked,
)
from retrieval.when import stated_days

SAME_STORY = 31  # days between two reports, at most
SHARED = 2  # names that two reports share, and words that tell, where the question names nobody and no place
NEVER = datetime.min.replace(tzinfo=UTC)  # when an undated article counts as published
DAY = "day of the calendar"  # the unit of a date


@dataclass(frozen=True)
class Statement:
    """One sentence of a report, and what stands around it."""

    revision: Revision
    span: Span  # in characters of the article's text
    around: str  # its passage and headline
    answer: Span | None = None  # the words that answer, in characters of the sentence, where the model is sure of them

    @cached_property
    def text(self) -> str:
        return self.revision.article.text[self.span[0] : self.span[1]]

    @cached_property
    def known(self) -> frozenset[str]:
        """Stems of the passage and the headline."""
        return frozenset(stems(self.around))

    @cached_property
    def title(self) -> frozenset[str]:
        return frozenset(stems(self.revision.article.title))

    @cached_property
    def days(self) -> tuple[tuple[date, str], ...]:
        day = self.revision.day
        return stated_days(self.text, day) if day > NEVER_DATED else ()


@dataclass(frozen=True)
class Reported:
    """A sentence and the figure, day or name in it that answers the question."""

    statement: Statement
    given: Figure | Name
    clause: str  # the part of the sentence that it stands in

    @property
    def words(self) -> str:
        start, end = self.given.span
        return self.statement.text[start:end]

    @property
    def revision(self) -> Revision:
        return self.statement.revision


def differing(asked: Asked, answer: Iterable[Statement], others: Iterable[Statement]) -> tuple[Reported, ...]:
    """What the answer gives and what other articles give instead; empty where none does.

    `answer` are the sentences of the answer's first quote, `others` those that answer as well as they, best first.
    """
    units = units_asked(asked)
    own = next((one for statement in answer if (one := reported(asked, units, statement))), None) if units else None
    if own is None or not _answers(asked, own):
        return ()
    found = [own]
    for statement in others:
        other = reported(asked, frozenset({own.given.unit}), statement)
        if other and _differs(asked, own, other) and not _listed(other, found):
            found.append(other)
    return tuple(found) if len(found) > 1 else ()


def side_by_side(reports: Sequence[tuple[Reported, Citation]]) -> tuple[Differing, ...]:
    """Newest first, undated last; empty where no two differ (any more: one could not be proven)."""
    told = sorted((one for one, _ in reports), key=_published, reverse=True)
    if all(_agree(one, other) for one, other in combinations(told, 2)):
        return ()
    cited = dict(reports)
    return tuple(
        Differing(cited[one], one.words, _updates(one, told))
        for one in told
        if one is reports[0][0] or not _repeated(one, told)
    )


def _repeated(one: Reported, told: Sequence[Reported]) -> bool:
    """The same outlet says the same later."""
    later = [other for other in _of_outlet(one, told) if _published(other) > _published(one)]
    return any(_agree(other, one) for other in later)


def _updates(one: Reported, told: Sequence[Reported]) -> bool:
    """The newest of its outlet, which said otherwise before."""
    rest = _of_outlet(one, told)
    if any(_published(other) >= _published(one) for other in rest):
        return False
    return any(_published(other) > NEVER and not _agree(other, one) for other in rest)


def _of_outlet(one: Reported, told: Sequence[Reported]) -> list[Reported]:
    """The other reports of its outlet; none where that is not known."""
    outlet = one.revision.article.outlet
    return [other for other in told if outlet and other.revision.article.outlet == outlet and other is not one]


def _published(one: Reported) -> datetime:
    return one.revision.article.published or NEVER


def _differs(asked: Asked, own: Reported, other: Reported) -> bool:
    return (
        not _agree(own, other) and _same_story(asked, own.statement, other.statement) and _same_part(asked, own, other)
    )


def _agree(one: Reported, other: Reported) -> bool:
    if isinstance(one.given, Figure) and isinstance(other.given, Figure):
        return agree(one.given, other.given)
    return isinstance(one.given, Name) and isinstance(other.given, Name) and same_name(one.given, other.given)


def _listed(other: Reported, found: Sequence[Reported]) -> bool:
    """One article speaks once."""
    return other.revision.article.url in {one.revision.article.url for one in found}


# --- what is asked for ---

_NAMES = frozenset({WHO, WHERE, WHO + NATION, WHERE + NATION})
_MONEY = frozenset("$ € £ ¥ ₹".split()) | {"US$", "A$", "AU$", "C$", "CA$", "HK$", "NZ$", "S$"}
_TIME = frozenset(map(unit_of, ("second", "minute", "hour", "day", "week", "month", "year")))
_LENGTH = frozenset(map(unit_of, ("inch", "foot", "yard", "mile", "cm", "metre", "km")))
_WEIGHT = frozenset(map(unit_of, ("pound", "ounce", "kg", "ton", "tonne")))
_AREA = frozenset(map(unit_of, ("acre", "hectare"))) | {"square mile", "square km", "square foot", "square metre"}
_MEASURES = (
    (r"\bpercent\w*|\bper cent\b|\b(?:what|which) (?:share|proportion)\b", frozenset({"%"})),
    (r"\bmagnitude\b", frozenset({unit_of("magnitude")})),
    (r"\bdeath toll\b", frozenset({PEOPLE})),
    (r"\bhow long\b", _TIME),
    (r"\bhow (?:far|tall|high|deep|wide)\b", _LENGTH),
    (r"\bhow heavy\b", _WEIGHT),
    (r"\bhow (?:big|large)\b", _AREA | _LENGTH),
    (r"\bhow much (?:money )?(?:did|does|do|has|have|had|will|would|is|was|were|are|money)\b", _MONEY),
    (r"\b(?:what|which) (?:\w+ ){0,2}?(?:price|cost|amount|sum|fine)\b", _MONEY),
)
_COUNTED = re.compile(r"\b(?:how many|(?:what|which)(?: \w+){0,2} number of|how much)\s+((?:[\w’'-]+\s*){1,5})", re.I)
_NOUN_ENDS = re.compile(
    r"\b(?:did|do|does|were|was|are|is|have|has|had|will|would|can|could|in|of|on|at|by|for|from|to|died|killed|per|more|its|the"
    r"|his|her|their|he|she|they|it|that|who)\b.*",
    re.I,
)
_POLL = re.compile(r"\b(?:polls?|polled|polling|surveys?|surveyed|respondents?)\b", re.I)  # two polls differ by right
_COMPARED = re.compile(r"\b(?:compared|versus|rather than|instead of|up from|down from)\b[^,;]*$", re.I)
_DAY_ASKED = re.compile(r"\bwhen\b|\b(?:what|which) (?:day|date)\b", re.I)


def units_asked(asked: Asked) -> frozenset[str]:
    """The units that an answer may be in; empty where the question asks for no figure, no day and no one name."""
    if _POLL.search(asked.text):
        return frozenset()
    if unit := unit_asked(asked.text):
        return frozenset({unit, unit + NATION})
    if asked.day:
        return frozenset({DAY}) if _DAY_ASKED.match(asked.text.strip()) else frozenset()
    if not asked.number:
        return frozenset()
    measured = [units for pattern, units in _MEASURES if re.search(pattern, asked.text, re.I)]
    return frozenset().union(*measured) | _nouns(asked.text)


def _nouns(question: str) -> frozenset[str]:
    """ "How many burnt homes were ..." -> the units of "burnt" and "homes"; "how many were killed" -> people."""
    counted = _COUNTED.search(question)
    if not counted:
        return frozenset()
    named = re.findall(r"[^\W\d_]{2,}", _NOUN_ENDS.sub("", counted[1]))
    return frozenset(map(unit_of, named)) or frozenset({PEOPLE})


# --- what a sentence gives for it ---


def reported(asked: Asked, units: frozenset[str], statement: Statement) -> Reported | None:
    """What the sentence gives, in one of these units, for what is asked; None where it could be another."""
    if _POLL.search(statement.text):
        return None
    if units & _NAMES:
        return _reported_name(asked, units, statement)
    if DAY in units:
        return _reported_day(statement)
    given = {figure.value for figure in figures(asked.text)}
    found = [one for one in figures(statement.text) if one.unit in units and one.value not in given]
    best = [Reported(statement, one, _clause(statement.text, one.span)) for one in found if not _aside(statement, one)]
    if len(best) > 1:
        told = [len(_told(asked, one)) for one in best]
        best = [one for one, words in zip(best, told, strict=True) if words == max(told)]
    return best[0] if len(best) == 1 else None


def _aside(statement: Statement, figure: Figure) -> bool:
    """Only compared with what is reported, or of those whom another clause names: ", with 17 arrested"."""
    before = statement.text[: figure.span[0]]
    return bool(_COMPARED.search(before) or re.search(r"\bwith\s$", before, re.I))


def _reported_name(asked: Asked, units: frozenset[str], statement: Statement) -> Reported | None:
    unit = unit_asked(asked.text)
    name = name_in(unit, statement.text, statement.answer) if statement.answer else None
    if name is None or name.unit not in units or asked.names & set(stems(" ".join(name.words))):
        return None
    if not holds_office(asked.text, statement.text, name):
        return None
    clause, whole = (Reported(statement, name, part) for part in (_clause(statement.text, name.span), statement.text))
    return clause if _told(asked, clause) == _told(asked, whole) else whole


def _reported_day(statement: Statement) -> Reported | None:
    if len(statement.days) != 1 or re.search(r"\b(?:since|until|by|after|before)\s+$", _before_day(statement)):
        return None
    day, words = statement.days[0]
    start = statement.text.index(words)
    value, slack = Decimal(day.toordinal()), Decimal(0 if re.search(r"\d", words) else 2)  # a day off, by time zone
    figure = Figure(value, DAY, (start, start + len(words)), (value - slack, value + slack))
    return Reported(statement, figure, statement.text)


def _before_day(statement: Statement) -> str:
    return statement.text[: statement.text.index(statement.days[0][1])]


_CLAUSE_ENDS = re.compile(
    r"[;:()–—]|,(?!\d)|\b(?:and|but|while|whereas|with|which|including|that|as|after|before|when|where|because)\b", re.I
)


def _clause(text: str, span: Span) -> str:
    start = max((end.end() for end in _CLAUSE_ENDS.finditer(text, 0, span[0])), default=0)
    end = _CLAUSE_ENDS.search(text, span[1])
    return text[start : end.start() if end else len(text)]


# --- whether two speak of the same ---

_SAME_WORDS = (
    frozenset("die dead death kill fatal live toll".split()),
    frozenset("injur wound hurt".split()),
    frozenset("cost price pay paid".split()),
    frozenset("win won winner victori".split()),
    frozenset("held hold host meet met place".split()),
    frozenset("led lead leader head".split()),
    frozenset("begin began begun start".split()),
    frozenset("hous home".split()),
)
_BESIDE = frozenset("between among during after befor under over through against".split())
_FATES = tuple(
    re.compile(rf"\b(?:{words})\b", re.I)
    for words in (
        "kill(?:ed|ing|s)?|died?|dead|deaths?|fatalit(?:y|ies)|toll|lives",
        "injur(?:ed|ing|es|y|ies)|wound(?:ed|ing|s)|hurt|hospitali[sz]ed",
        "missing|unaccounted",
        "arrest(?:ed|s|ing)|detain(?:ed|s)|jailed",
        "rescued|saved|survived|survivors?|freed|released",
        "displaced|evacuated|fled|homeless",
    )
)
_WHEN = re.compile(
    r"\b(?:(?:19|20)\d\d|(?:last|this|next|past|previous|each|every|per|an?) (?:hour|day|night|week|month|year|quarter"
    r"|season|weekend|decade)(?: (?:ago|before|earlier))?|ago|hourly|daily|weekly|monthly|yearly|annual(?:ly)?|average"
    r"|previously|originally|initially|formerly|until)\b",
    re.I,
)
_WHICH = re.compile(
    r"\b(?:total|record|first|second|third|only|alone|men|women|children|civilians?|soldiers?|police|officers?)\b", re.I
)
_UNSURE = re.compile(
    r"\b(?:could|may|might|would|will|feared?|expect\w*|forecast\w*|predict\w*|project\w*|estimat\w*|plan\w*|hop\w+|aims?"
    r"|target|if|claim\w*|denied|false\w*)\b|\bn[o']t\b"
)


def _answers(asked: Asked, one: Reported) -> bool:
    """Its clause shares a telling word with the question, beyond the unit."""
    return bool(_told(asked, one)) or not _telling(asked)


def _same_story(asked: Asked, own: Statement, other: Statement) -> bool:
    days = {one.revision.day for one in (own, other)}
    if NEVER_DATED not in days and (max(days) - min(days)).days > SAME_STORY:
        return False
    if asked.names:
        return asked.names <= own.known & other.known
    outlets = frozenset(stems(f"{own.revision.article.outlet} {other.revision.article.outlet}"))
    return len(names_in(own.around) & names_in(other.around) - outlets) >= SHARED


def _same_part(asked: Asked, own: Reported, other: Reported) -> bool:
    return (
        _same_words(asked, own, other)
        and _sort(own) == _sort(other)
        and _places_known(asked, own, other.statement)
        and _places_known(asked, other, own.statement)
        and _days_meet(own, other)
        and _cannot_be_both(asked, own, other)
    )


def _telling(asked: Asked) -> frozenset[str]:
    """What the question says of the thing, beyond names and units."""
    counted = _COUNTED.search(asked.text)
    units = frozenset(stems(_NOUN_ENDS.sub("", counted[1]))) if counted else frozenset[str]()
    return frozenset(asked.weights) - asked.names - units - _BESIDE


def _told(asked: Asked, one: Reported) -> frozenset[str]:
    words = frozenset(stems(one.clause))
    return frozenset(word for word in _telling(asked) if words & _alike(word))


def _same_words(asked: Asked, own: Reported, other: Reported) -> bool:
    """Both clauses say the same of the question's words; what both headlines say need not be said again beside it."""
    mine, its = _told(asked, own), _told(asked, other)
    if not asked.names and len(mine) < SHARED:
        return False
    subject = own.statement.title & other.statement.title
    return mine == its or (mine - subject == its - subject != frozenset())


def _alike(word: str) -> frozenset[str]:
    return next((group for group in _SAME_WORDS if word in group), frozenset({word}))


def _sort(one: Reported) -> tuple[object, ...]:
    """Killed or hurt, in which year, of women or all, feared or known: figures of another sort are no difference."""
    fates = tuple(bool(fate.search(one.clause)) for fate in _FATES)
    when, which = _WHEN.findall(one.statement.text), _WHICH.findall(one.clause)
    return fates, frozenset(map(str.lower, (*when, *which))), bool(_UNSURE.search(one.clause))


def _places_known(asked: Asked, one: Reported, other: Statement) -> bool:
    """Every name that stands by what is given is the question's or known to the other report."""
    own = one.statement.text[slice(*one.statement.answer)] if one.statement.answer else ""
    return names_in(one.clause) - set(stems(own)) <= asked.names | other.known


def _cannot_be_both(asked: Asked, one: Reported, other: Reported) -> bool:
    """Neither report has the other's name; of who holds an office, the later may tell who held it before."""
    pairs = [(one, other), (other, one)]
    known = [(a, b) for a, b in pairs if isinstance(b.given, Name) and mentions(_whole(a), b.given)]
    if asks_for_office(asked.text):
        known = [(a, b) for a, b in known if not _published(a) > _published(b) > NEVER]
    return not known


def _whole(one: Reported) -> str:
    return f"{one.revision.article.title}\n{one.revision.article.text}"


def _days_meet(own: Reported, other: Reported) -> bool:
    """For a count: not of two different days. For a day: not of an event that came after the earlier report."""
    if own.given.unit == DAY:
        return _could_know(own, other) and _could_know(other, own)
    mine, others = ({day for day, _ in one.statement.days} for one in (own, other))
    return not (mine and others) or bool(mine & others)


def _could_know(one: Reported, other: Reported) -> bool:
    return _day(one) <= other.revision.day or (_is_ahead(one) and _is_ahead(other))


def _is_ahead(one: Reported) -> bool:
    return _day(one) > one.revision.day


def _day(one: Reported) -> date:
    return one.statement.days[0][0]
