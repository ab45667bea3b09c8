"""Time words in a question, read as a window of days; `tense` tells whether it is a filter.

Own rules, because the libraries tried (dateparser, timefhuman; parsedatetime and ctparse are not kept up)
give points, not windows ("in May 2025" is one day), or miss "last week".

A report follows what it is about. So past days that are counted from today ("last week", "on Tuesday") run on
to today, and named ones ("in May 2025") some days longer; bounds that the asker sets ("from May to July",
"since", "until", "before", "after") are exact.

English only. A name that holds a time word ("the 16 May committee") may be read as one: that costs little where
it is no filter.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

HALF_A_YEAR = 183  # days
HISTORY = 20  # years; what happened longer ago is told in reports of any day


@dataclass(frozen=True, slots=True)
class Window:
    """Days on which reports of what is asked for were published, both inclusive; None: open on that side."""

    since: date | None
    until: date | None
    words: str  # the words of the question that it was read from, exactly as written


Days = tuple[date, date]  # first and last day, inclusive


@dataclass(frozen=True, slots=True)
class _Rule:
    """One way to name days. `read` gets the match and the day that a yearless date must not come after."""

    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], date], Days | None]
    led: bool = False  # only with a preposition before it: "in May", not "May"


@dataclass(frozen=True, slots=True)
class _Point:
    """Days named in the question, at text[start:end]."""

    rule: _Rule
    match: re.Match[str]

    @property
    def end(self) -> int:
        return self.match.end()

    @property
    def floating(self) -> bool:
        """Names no year: the most recent one is meant."""
        return self.rule.read in (_calendar, _month, _weekday, _day_number) and not re.search(_YEAR, self.match[0])

    def days(self, anchor: date) -> Days | None:
        return self.rule.read(self.match, anchor)


def window(question: str, today: date) -> Window | None:
    """The days that the question speaks of; None where it names none, only future or old ones.

    Where it names several ("the show in February was announced this week") the latest: that is when it was reported.
    """
    text, at = _names_hidden(question), 0
    found = []
    for start in _starts(text):
        if start < at:
            continue
        at, bounds = _read(text, start, today)
        if bounds:
            found.append(Window(*bounds, question[start:at]))
    return max(found, key=lambda one: (one.until or today, one.since or date.min), default=None)


def without(question: str, window: Window) -> str:
    """The question with the window's words taken out, for searching; unchanged if nothing would be left."""
    before, after = around(question, window)
    rest = re.sub(r"\s+([?!.,;:])", r"\1", " ".join(f"{_DANGLING.sub('', before)} {after}".split()))
    rest = re.sub(r"[,;:]+(?=[?!.])|^[\s,;:]+", "", rest)
    return rest if re.search(r"\w", rest) else question


def around(question: str, window: Window) -> tuple[str, str]:
    """What stands before and after the window's words and an "’s" of theirs; all before where they are not found."""
    at = _names_hidden(question).find(window.words)
    return (question[:at], _POSSESSIVE.sub("", question[at + len(window.words) :])) if at >= 0 else (question, "")


def stated_days(sentence: str, published: date) -> tuple[tuple[date, str], ...]:
    """The single days that a report names, each with its words; only where it is plain which day is meant.

    A date without a year is the nearest to the day of publication; a weekday is the last one, and never one ahead.
    """
    text, at = _names_hidden(sentence), 0
    found = []
    for start in _starts(text):
        point = _point(text, start) if start >= at else None
        if point:
            at = point.end
            day = _stated(text, start, point, published)
            found += [(day, sentence[start:at])] if day else []
    return tuple(found)


def _stated(text: str, start: int, point: _Point, published: date) -> date | None:
    if _FROM_DAY.search(text, max(0, start - 12), start):
        return None
    if point.rule.read is _weekday and not (_ahead(text, start) or point.match["which"]):
        days = point.days(published)
    elif point.rule.read is _calendar:
        days = point.days(_shift(published, HALF_A_YEAR))
    else:
        return None
    return days[0] if days and days[0] == days[1] else None


# --- words ---

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# The first month, on the northern hemisphere.
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNTS = {word: number for number, word in enumerate(_NUMBERS, 1)} | {"a": 1, "an": 1}
_COUNTS |= {"couple": 3, "few": 5, "several": 7}  # vague ones are read generously
_MONTH = (
    r"(?:jan(?:uary|\.)?|feb(?:ruary|\.)?|mar(?:ch|\.)?|apr(?:il|\.)?|may|june?|july?|aug(?:ust|\.)?"
    r"|sept?(?:ember|\.)?|oct(?:ober|\.)?|nov(?:ember|\.)?|dec(?:ember|\.)?)"
)
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_WEEKDAY = "(?:" + "|".join(_WEEKDAYS) + ")"
_SEASON = "(?:" + "|".join(_SEASONS) + ")"
_COUNT = r"(?:\d{1,3}|(?:a )?(?:couple(?: of)?|few|several)|" + "|".join(_NUMBERS) + ")"
_UNIT = r"(?P<unit>hour|day|week|month|year)s?"
_SPAN = r"(?P<unit>week|month|quarter|year)(?! of\b)"
_AND_DAY = rf"(?:[-–—]| (?:to|and|through) )(?P<last>{_DAY})"
_LAGS = ((7, 2), (31, 7), (184, 14), (10**6, 31))  # days of a named period, days that its reports go on for
_NAMED = re.compile(rf"{_YEAR}|\b{_MONTH}\b", re.I)
_POSSESSIVE = re.compile(r"^['’]s?(?!\w)")
_FUTURE = re.compile(  # "Will" inside a sentence is a man
    r"\b(?:(?-i:(?<!\w )Will|will|WILL)|won['’]t|(?:going|about|(?:is|are) set) to|scheduled|upcoming)\b", re.I
)

# Dates inside quotation marks are titles, and some weekdays are names.
_NAMES = re.compile(
    r"“[^”]{1,200}”|‘[^’]{1,200}’(?!\w)|«[^»]{1,200}»|\"[^\"]{1,200}\"|(?<!\w)'[^']{1,200}'(?!\w)"
    r"|\b(?:next|coming)\s+\w+"
    r"|\b(?:black|good|super|ash|shrove|maundy|cyber|easter|palm|bloody|giving|fat|ruby|sheffield"
    rf"|mail on|freaky) {_WEEKDAY}\b"
    rf"|\b{_WEEKDAY} (?:times|telegraph|mirror|express|post|mail|addams|night (?:live|lights|football|fever))\b"
    # Dates that became names of an event: which year is meant is not for us to say.
    r"|\b(?:jan(?:uary|\.)? 6(?:th)?|6(?:th)? (?:of )?jan(?:uary)?"
    r"|oct(?:ober|\.)? 7(?:th)?|7(?:th)? (?:of )?oct(?:ober)?"
    rf"|sept?(?:ember|\.)? 11(?:th)?|11(?:th)? (?:of )?sept?(?:ember)?)\b(?!,? (?:of )?{_YEAR})",
    re.I,
)
_DANGLING = re.compile(
    r"\s*\b(?:in|on|at|of|from|since|during|for|by|until|before|after|over|as of|dated|back)\s*$", re.I
)
_LEAD = re.compile(
    r"(?:(?P<since>(?:ever )?since)|(?P<after>after)|(?P<before>before|prior to)"
    r"|(?P<until>until|up to)|(?P<pair>between|from)"
    r"|(?:back )?(?:in|on|during|throughout|over|within|at|as of))\s+"
    r"|(?:earlier|so far|only)\s+(?=today|yesterday|this|last)",
    re.I,
)
_FROM_DAY = re.compile(r"\d(?:st|nd|rd|th)?(?:\s(?:to|and|or)\s|\s?[-–—]\s?)$", re.I)
_JOIN = re.compile(r"\s+(?:and|to|until|till|through)\s+|\s*[-–—]\s*", re.I)
_START = re.compile(r"(?<![\w$€£#@.,:/'’–-])\w")


def _starts(text: str) -> Iterator[int]:
    return (found.start() for found in _START.finditer(text))


def _names_hidden(question: str) -> str:
    """The question with every name blanked out, so that offsets stay."""
    return _NAMES.sub(lambda found: "_" * len(found[0]), question)


# --- reading at one place ---

Bounds = tuple[date | None, date | None]


def _read(text: str, start: int, today: date) -> tuple[int, Bounds | None]:
    """Where the time words at `start` end, and what they mean; (start, None) where there are none."""
    lead = _LEAD.match(text, start)
    begin = lead.end() if lead else start
    if paired := _pair(text, begin, bool(lead and lead["pair"]), today):
        return paired[0], _sensible(paired[1], today)
    point = _point(text, begin)
    if not point or (point.rule.led and not lead):
        return start, None
    days = point.days(today)
    return point.end, _sensible(_bounds(lead, point, days, today), today) if days else None


def _point(text: str, start: int) -> _Point | None:
    """The longest way to read days at `start`."""
    found = [(match, rule) for rule in _RULES if (match := rule.pattern.match(text, start))]
    if not found:
        return None
    match, rule = max(found, key=lambda pair: pair[0].end())
    return _Point(rule, match)


def _ahead(text: str, start: int) -> bool:
    """The sentence looks forward before it comes to `start`: "will retire this year", not "said this year he will"."""
    before, after = re.split(r"[.?!]\s", text[:start])[-1], re.split(r"[.?!]", text[start:], maxsplit=1)[0]
    return bool(_FUTURE.search(before if re.search(r"\w", before) else after))


def _pair(text: str, start: int, led: bool, today: date) -> tuple[int, Bounds] | None:
    """Two points joined: "between May and July 2025", "from 3 to 10 May"; one lends the other its year."""
    first = _point(text, start) or (_bare_day(text, start) if led or _DASHED.match(text, start) else None)
    join = _JOIN.match(text, first.end) if first else None
    second = _point(text, join.end()) if join else None
    if not first or not second:
        return None
    if second.floating and re.search(_YEAR, first.match[0]):
        begun = first.days(today)
        last = second.days(min(today, _shift(begun[0], 364))) if begun else None
    else:
        last = second.days(today)
        begun = first.days(last[1] if first.floating else today) if last else None
    if not begun or not last:
        return None
    return second.end, (begun[0], min(last[1], today) if led else _reported((begun[0], last[1]), today))


def _bounds(lead: re.Match[str] | None, point: _Point, days: Days, today: date) -> Bounds:
    since, until = days
    if lead and lead["since"]:
        return since, None
    if lead and lead["after"]:
        return _shift(until, 1), None
    if lead and lead["before"]:
        return None, _shift(since, -1)
    if lead and lead["until"]:
        return None, until
    if lead and lead["pair"] and point.match.groupdict().get("last"):  # "from May 3 to 10"
        return since, min(until, today)
    return since, _reported(days, today) if _NAMED.search(point.match[0]) else today


def _reported(days: Days, today: date) -> date:
    """The last day on which a named period is news."""
    length = (days[1] - days[0]).days + 1
    return min(_shift(days[1], next(lag for longest, lag in _LAGS if length <= longest)), today)


def _sensible(bounds: Bounds, today: date) -> Bounds | None:
    since, until = bounds
    if any(day and day.year < today.year - HISTORY for day in bounds):
        return None
    if since is None:
        return bounds if until and until < today else None  # "until 2030" rules nothing out
    return bounds if since <= (until or today) and since <= today else None


# --- what each kind of words means ---


def _shift(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal()))


def _months_back(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1])) if year >= 1 else date.min


def _month_days(year: int, first: int, months: int = 1) -> Days:
    last = _months_back(date(year, first, 1), 1 - months)
    return date(year, first, 1), last.replace(day=monthrange(last.year, last.month)[1])


def _number(words: str) -> int:
    return int(words) if words.isdigit() else _COUNTS[words.lower().removeprefix("a ").split()[0] or "a"]


def _month_number(words: str) -> int:
    return _MONTHS.index(words[:3].lower()) + 1


def _calendar(match: re.Match[str], anchor: date) -> Days | None:
    """Digits or a month's name; without a year the most recent such day up to `anchor`."""
    parts = match.groupdict()
    month, day = parts["month"], int(re.sub(r"\D", "", parts["day"]))
    number = int(month) if month.isdigit() else _month_number(month)
    years = [int(parts["year"])] if parts.get("year") else range(anchor.year, max(anchor.year - 9, 1), -1)
    for year in years:
        if number <= 12 and day <= monthrange(year, number)[1]:
            found = date(year, number, day)
            last = found.replace(day=max(day, _last_day(parts.get("last"), found)))
            if parts.get("year") or found <= anchor:
                return found, last
    return None


def _last_day(words: str | None, found: date) -> int:
    return min(int(re.sub(r"\D", "", words)), monthrange(found.year, found.month)[1]) if words else 0


def _bare_day(text: str, start: int) -> _Point | None:
    match = _BARE_DAY.pattern.match(text, start)
    return _Point(_BARE_DAY, match) if match else None


def _day_number(match: re.Match[str], anchor: date) -> Days | None:
    day = int(re.sub(r"\D", "", match[0]))
    return (anchor.replace(day=day),) * 2 if day <= anchor.day else None


def _month(match: re.Match[str], anchor: date) -> Days | None:
    """A month; without a year the most recent that has begun; "last" leaves out the one that goes on."""
    number, parts = _month_number(match["month"]), match.groupdict()
    if parts.get("year"):
        return _month_days(int(parts["year"]), number)
    ahead = parts.get("of_last_year") or number + ((parts.get("which") or "").lower() == "last") > anchor.month
    return _month_days(anchor.year - bool(ahead), number) if anchor.year > 1 else None


def _year(match: re.Match[str], anchor: date) -> Days | None:
    return _month_days(int(match["year"]), 1, 12)


def _quarter(match: re.Match[str], anchor: date) -> Days | None:
    ordinal = match["n"] or _ORDINALS[match["ordinal"].lower()]
    months = 6 if (match["kind"] or "").lower() == "half" else 3
    first = (int(ordinal) - 1) * months + 1
    return _month_days(int(match["year"]), first, months) if first <= 12 else None


def _season(match: re.Match[str], anchor: date) -> Days | None:
    """With a year, the season that begins in it. "last": the latest that has ended. "this": the latest that
    has begun, unless its like is still to come this year."""
    first, which = _SEASONS[match["season"].lower()], (match["which"] or "").lower()
    if match["year"]:
        return _month_days(int(match["year"]), first, 3)
    for year in range(anchor.year, max(anchor.year - 3, 1), -1):
        since, until = _month_days(year, first, 3)
        if which == "last" and until < anchor:
            return since, until
        if which == "this" and since <= anchor:
            return (since, until) if until.year >= anchor.year and (anchor - until).days <= 183 else None
    return None


def _relative(match: re.Match[str], today: date) -> Days | None:
    """Calendar units: "last month" is the month before, "this year" since 1 January.

    "this week" is the last 7 days: asked on a Monday it hardly means Monday alone. "last week" is Monday to
    Sunday of the week before (it always holds the day 7 days ago). "past week" is the last 7 days.
    """
    which, unit = match["which"].lower(), match["unit"].lower()
    if which in ("past", "this past"):
        return _back(today, 1, unit), today
    back = 0 if which in ("this", "the current") else 1
    if unit == "week":
        monday = _shift(today, -today.weekday() - 7)
        return (monday, _shift(monday, 6)) if back else (_shift(today, -7), today)
    length = {"month": 1, "quarter": 3, "year": 12}[unit]
    begin = _months_back(today.replace(day=1), (today.month - 1) % length + back * length)
    return _month_days(begin.year, begin.month, length)


def _weekend(match: re.Match[str], today: date) -> Days | None:
    """The most recent Saturday and Sunday that have begun; "last weekend" asked on one is the one before."""
    saturday = _shift(today, -((today.weekday() - 5) % 7))
    if match["which"].lower() in ("last", "past") and today.weekday() >= 5:
        saturday = _shift(saturday, -7)
    return saturday, _shift(saturday, 1)


def _back(today: date, count: int, unit: str) -> date:
    if unit in ("month", "quarter", "year"):
        return _months_back(today, count * {"month": 1, "quarter": 3, "year": 12}[unit])
    return _shift(today, -{"hour": (count + 23) // 24, "day": count, "week": 7 * count}[unit])


def _past(match: re.Match[str], today: date) -> Days | None:
    """ "the past 3 days", "a few weeks ago": from then to today."""
    return _back(today, _number(match["count"]), match["unit"].lower()), today


def _ago(match: re.Match[str], today: date) -> Days | None:
    """That day, from as much earlier as people round: 3 days for weeks, 15 for months, 183 for years.

    "a week ago today" is not rounded.
    """
    unit = match["unit"].lower()
    day = _back(today, _number(match["count"]), unit)
    rounded = 0 if match["exactly"] else {"hour": 0, "day": 0, "week": 3, "month": 15, "year": 183}[unit]
    return _shift(day, -rounded), day


def _weekday(match: re.Match[str], anchor: date) -> Days | None:
    """The most recent one, today included; "last" leaves today out; "this" is in the week since Monday."""
    which = (match["which"] or "").lower()
    if match["of_last_week"]:
        day = _shift(anchor, _WEEKDAYS.index(match["weekday"].lower()) - anchor.weekday() - 7)
        return day, day
    back = (anchor.weekday() - _WEEKDAYS.index(match["weekday"].lower())) % 7
    if which == "this" and back > anchor.weekday():
        return None
    day = _shift(anchor, -(back or (7 if which in ("last", "past") else 0)))
    return day, day


def _today(match: re.Match[str], today: date) -> Days | None:
    words = match[0].lower()
    back = 2 if "before" in words else 1 if words in ("yesterday", "last night") or "yesterday" in words else 0
    return _shift(today, -back), _shift(today, -back)


def _part(match: re.Match[str], anchor: date) -> Days | None:
    """A third of a month (1-10, 11-20, 21-) or of a year (4 months): "early May 2025", "the end of 2024"."""
    point = _point(match["whole"], 0)
    days = point.days(anchor) if point else None
    if not days or (days[1] - days[0]).days not in (*range(27, 31), 364, 365):
        return None
    third = ("early", "mid", "late").index(_PARTS[match["part"].lower()])
    if (days[1] - days[0]).days > 31:
        return _month_days(days[0].year, third * 4 + 1, 4)
    return days[0].replace(day=third * 10 + 1), days[1] if third == 2 else days[0].replace(day=third * 10 + 10)


_PARTS = {word: part for part, words in (
    ("early", ("early", "beginning", "start")), ("mid", ("mid", "middle")), ("late", ("late", "end"))
) for word in words}  # fmt: skip


def _rule(pattern: str, read: Callable[[re.Match[str], date], Days | None], led: bool = False) -> _Rule:
    words = pattern.replace(" ", r"\s+")
    return _Rule(re.compile(rf"(?:{words})(?!\w)(?![.,]\d)", re.I), read, led)


_ON_DAY = rf"(?:{_WEEKDAY},? )?(?:the )?"
_BARE_DAY = _rule(_DAY, _day_number)
_DASHED = re.compile(rf"{_DAY}\s*[-–—]\s*{_DAY}\s+{_MONTH}(?!\w)", re.I)
_RULES = (
    _rule(r"today|tonight|(?:earlier )?this (?:morning|afternoon|evening)", _today),
    _rule(r"yesterday(?: (?:morning|afternoon|evening))?|last night|(?:the )?day before yesterday", _today),
    _rule(rf"(?P<which>this past|this|last|the current) {_SPAN}", _relative),
    _rule(rf"(?:the )?(?P<which>past|previous) {_SPAN}", _relative),
    _rule(r"(?:the )?past day", lambda _, today: (_shift(today, -1), today)),
    _rule(r"(?P<which>this past|this|last|past) weekend", _weekend),
    _rule(r"(?P<which>the) weekend", _weekend, led=True),
    _rule(rf"(?:the |these )?(?:past|last|previous) (?P<count>{_COUNT}) {_UNIT}(?! of\b)", _past),
    _rule(rf"(?P<count>{_COUNT}|an?) {_UNIT} ago(?P<exactly> today)?", _ago),
    _rule(rf"{_ON_DAY}(?P<day>{_DAY}) (?:of )?(?P<month>{_MONTH})(?:,? (?P<year>{_YEAR}))?", _calendar),
    _rule(rf"{_ON_DAY}(?P<month>{_MONTH}) (?P<day>{_DAY})(?:{_AND_DAY})?(?:,? (?P<year>{_YEAR}))?", _calendar),
    _rule(rf"(?P<year>{_YEAR})-(?P<month>\d\d)-(?P<day>\d\d)", _calendar),
    _rule(rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>{_YEAR})", _calendar),
    _rule(rf"(?P<day>1[3-9]|2\d|3[01])/(?P<month>\d\d?)/(?P<year>{_YEAR})", _calendar),  # 5/6/2025 is anybody's guess
    _rule(rf"(?P<month>\d\d?)/(?P<day>1[3-9]|2\d|3[01])/(?P<year>{_YEAR})", _calendar),
    _rule(rf"(?P<month>{_MONTH})(?:,| of)? (?P<year>{_YEAR})", _month),
    _rule(rf"(?P<which>last|this) (?P<month>{_MONTH})", _month),
    _rule(rf"(?P<month>{_MONTH}) (?P<of_last_year>(?:of )?last year)", _month),
    _rule(rf"(?P<month>{_MONTH})", _month, led=True),
    _rule(rf"(?:the year )?(?P<year>{_YEAR})", _year, led=True),
    _rule(
        rf"(?:(?:the )?(?P<ordinal>{'|'.join(_ORDINALS)}) (?P<kind>quarter|half)(?: of)?|q(?P<n>[1-4])) "
        rf"(?P<year>{_YEAR})",
        _quarter,
    ),
    _rule(rf"(?P<which>this|last) (?P<season>{_SEASON})(?P<year>)", _season),
    _rule(rf"(?P<which>)(?:the )?(?P<season>{_SEASON})(?: of)? (?P<year>{_YEAR})", _season),
    _rule(
        rf"(?:(?P<which>this|last|past) )?(?P<weekday>{_WEEKDAY})(?: (?:morning|afternoon|evening|night))?"
        r"(?P<of_last_week> (?:of )?last week)?",
        _weekday,
    ),
    _rule(
        r"(?:the )?(?:very )?(?P<part>early|mid|late|(?:beginning|start|middle|end)(?= of\b))(?: of |-| )"
        rf"(?P<whole>{_MONTH}(?:,? {_YEAR})?|{_YEAR}|(?:this|last) (?:month|year))",
        _part,
    ),
)
