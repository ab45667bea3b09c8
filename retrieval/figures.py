"""The figures that a sentence states: how many of what, or how much.

English. Where digits could mean something else (a year, a date, a time, a score, an age, a range, a part of a whole,
a number inside a name), nothing is read: what is read here can be set against what another outlet says.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from corpus.article import Span
from retrieval.keywords import stems

PEOPLE = "people"  # the unit of the dead, the hurt and the missing, too


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity in a text. Its words leave room: "about 300" is no other figure than 310."""

    value: Decimal
    unit: str  # stem of what is counted, "%", "$", "people", ...; "" where that is not plain
    span: Span  # in characters of the text, from "nearly" to the end of what is counted
    room: tuple[Decimal, Decimal]  # values strictly between these can be meant by the same words


def figures(text: str) -> tuple[Figure, ...]:
    """The quantities of a sentence, in the order of the text."""
    return tuple(figure for match in _QUANTITY.finditer(text) for figure in _figure(text, match))


def agree(one: Figure, other: Figure) -> bool:
    """Whether both may be the same quantity, one of them rounded.

    "More than 30,000" agrees with 31,000. "At least 12" does not agree with 15: it is what was known, 15 replaces it.
    """
    return one.value == other.value or _within(one, other) or _within(other, one)


def changed(one: str, other: str) -> bool:
    """Whether each of two texts states a figure that the other does not: words were replaced, not only left out."""
    mine, its = (Counter(figure.value for figure in figures(text)) for text in (one, other))
    return bool(mine - its) and bool(its - mine)


def unit_of(word: str) -> str:
    """The unit that a noun names: "houses", "house" -> "hous"; "deaths" -> "people"."""
    stem = "".join(stems(word))
    return _SAME_UNIT.get(word.lower()) or _SAME_UNIT.get(stem) or stem


def _within(one: Figure, other: Figure) -> bool:
    return one.room[0] < other.value < one.room[1]


def _figure(text: str, match: re.Match[str]) -> Iterator[Figure]:
    """None where it is no quantity."""
    number = _value(match["number"])
    begin = (
        match.start("hedge") if match["hedge"] else match.start("money") if match["money"] else match.start("number")
    )
    if number is None or _is_elsewise(text, match, begin):
        return
    value, step = number
    scale = _SCALES[match["scale"].lower()] if match["scale"] else Decimal(1)
    unit, end = _unit(text, match, value * scale)
    if match["scale"] in ("m", "M", "k", "K") and not unit:  # "40m" may be metres
        return
    room = _room(value * scale, step * scale, _hedge(text, match))
    yield Figure(value * scale, unit, (begin, end), room)


# --- what a number is worth ---

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
_ONES += "eighteen nineteen"
_SMALL = {word: number for number, word in enumerate(_ONES.split(), 1)}
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {
    scale: Decimal(value)
    for value, scales in (
        (10**2, "hundred"), (10**3, "thousand k"), (10**5, "lakh"), (10**6, "million m mn"), (10**7, "crore"),
        (10**9, "billion bn"), (10**12, "trillion tn"),
    )
    for scale in scales.split()
}  # fmt: skip
_DOZEN = 12


def _value(written: str) -> tuple[Decimal, Decimal] | None:
    """The number and the place of its last digit that counts: 31,000 -> 1,000; 3.5 -> 0.1; 40 -> 1."""
    if not written[0].isdigit():
        return _spelled(written.lower())
    if re.fullmatch(r"0\d.*|[1-9]\d{0,2}\.\d{3}", written):  # "007"; "1.234" is either of two
        return None
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", written) and written.count(".") + written.count(",") > 1:
        written = written.replace(".", "").replace(",", ".")
    number = Decimal(re.sub("[, ]", "", written))
    return number, _last_place(number)


def _last_place(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < 0:
        return Decimal(1).scaleb(exponent)
    digits = str(number)
    return Decimal(10) ** (len(digits) - len(digits.rstrip("0"))) if number >= 100 else Decimal(1)


def _spelled(words: str) -> tuple[Decimal, Decimal] | None:
    """ "twenty-two", "two hundred and five", "a dozen"; None where the words make no number: "two three"."""
    total = part = last = 0
    for word in re.split(r"[- ]", words.replace(" and ", " ")):
        if word == "dozen":
            return Decimal((part or 1) * _DOZEN), Decimal(_DOZEN)
        if word in _SMALL or word in _TENS:
            here = _SMALL.get(word) or _TENS[word]
            if last and (last < 20 or (last < 100 and here >= 10)):
                return None
            part, last = part + here, here
        elif word in _SCALES and (part or not total):
            scale = int(_SCALES[word])
            part, last = (part or 1) * scale, scale
            total, part = (total + part, 0) if scale > 100 else (total, part)
    number = Decimal(total + part)
    return number, _last_place(number)


def _hedge(text: str, match: re.Match[str]) -> str:
    """about, more, less or nothing"""
    if match["number"].lower().endswith("dozen") and not match["hedge"]:
        return "about"
    if _OR_MORE.match(text, match.end()):
        return "more"
    said = (match["hedge"] or "").lower()
    return next((kind for kind, pattern in _HEDGES.items() if re.search(pattern, said)), "")


def _room(value: Decimal, step: Decimal, hedge: str) -> tuple[Decimal, Decimal]:
    """A quarter, or up to the next round number, on the side that a hedge points to; else about or rounded."""
    quarter = max(value / 4, step)
    if hedge == "more":
        return value, value + quarter
    if hedge == "less":
        return value - quarter, value
    slack = max(value / 10, step / 4) if hedge else min(step, value / 20)
    return value - slack, value + slack


# --- what is counted ---

_MONEY_WORDS = {"dollar": "$", "euro": "€", "rupe": "₹", "yen": "¥"}
_SAME_UNIT = {
    **_MONEY_WORDS,
    **dict.fromkeys(("person", "peopl", "death", "fatal", "life", "live", "victim", "dead"), PEOPLE),
    **dict.fromkeys(("km", "kms", "kilomet", "kilometr"), "km"),
    **dict.fromkeys(("meter", "metr"), "metre"),
    **dict.fromkeys(("ft", "feet", "foot"), "foot"),
    **dict.fromkeys(("kg", "kgs", "kilo", "kilogram", "kilogramm"), "kg"),
    **dict.fromkeys(("hr", "hrs", "hour"), "hour"),
    **dict.fromkeys(("min", "mins", "minut"), "minute"),
    "men": "man", "women": "woman", "children": "child", "kid": "child", "hous": "home",
}  # fmt: skip
_PLURALS = frozenset("people men women children feet km kg mph troops personnel lives dead livestock staff".split())
_NO_NOUN = frozenset(
    "a after ago ahead all also although an and are as at away be because been before being but by can compared could "
    "did died does down during each every for from had has have he if in into is it its last less more next not of off "
    "on or out over per said says she since so than that the their them then there these they this those though "
    "through times to under until up us versus was we were when where which while who will with within would".split()
)
_BY_FATE = re.compile(
    r"\s(?:(?:were|was|are|have been|had been|have|had|had)\s)?(?:all\s)?"
    r"(?:killed|dead|died|injured|wounded|hurt|missing|arrested|detained|hospitali[sz]ed|rescued|evacuated)\b"
)
_FATE_OF = re.compile(
    r"\b(?:kill(?:ed|ing|s)|injur(?:ed|ing|es)|wound(?:ed|ing|s)|toll\b[^.;,]{0,40})\s*$", re.IGNORECASE
)
_MAGNITUDE = re.compile(r"\bmagnitude(?:\s(?:of|was))?\s*$", re.IGNORECASE)
_AND_OTHERS = re.compile(r"\s(?:and|or)\s((?:[a-z]+\s){0,1}?[a-z]{2,}s)\b")
_WORD = re.compile(r"[ -]([^\W\d_][\w’'.-]*)")


def _unit(text: str, match: re.Match[str], value: Decimal) -> tuple[str, int]:
    """The unit and where its words end."""
    before, end = text[: match.start()], match.end()
    if match["money"]:
        return _money(match["money"]), end
    if match["percent"]:
        return "%", end
    if _MAGNITUDE.search(before):
        return unit_of("magnitude"), end
    if noun := _noun(text, end, value):
        return noun
    if fate := _BY_FATE.match(text, end):
        return PEOPLE, fate.end()
    return (PEOPLE, end) if _FATE_OF.search(before) else ("", end)


def _money(sign: str) -> str:
    sign = sign.strip().rstrip(".").upper()
    return {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£", "RS": "₹"}.get(sign, sign)


def _noun(text: str, end: int, value: Decimal) -> tuple[str, int] | None:
    """The first plural among the next four words: "31,000 burnt homes"; the next word where it is hyphened or one."""
    area = ""
    for n in range(4):
        word = _WORD.match(text, end)
        if not word or word[1].lower() in _NO_NOUN or (n and word[0][0] == "-"):
            return None
        joined, noun, end = word[0][0] == "-", word[1].rstrip(".'’-"), word.start(1) + len(word[1].rstrip(".'’-"))
        if joined or value == 1 or _is_plural(noun):
            return area + _and_others(text, noun.split("-")[0] if joined else noun, end), end
        area = f"{noun.lower()} " if noun.lower() in ("square", "cubic", "sq") else area
    return None


def _is_plural(noun: str) -> bool:
    low = noun.lower()
    return low in _PLURALS or (len(low) > 2 and low.endswith("s") and not low.endswith(("ss", "us", "is", "’s", "'s")))


def _and_others(text: str, noun: str, end: int) -> str:
    """Homes and businesses are not homes."""
    others = _AND_OTHERS.match(text, end)
    return unit_of(noun) + (f" and {unit_of(others[1])}" if others else "")


# --- where it is no quantity ---

_DIGITS = (
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d{1,2}|\d{1,3}(?:\.\d{3}){2,}|\d{1,2}(?:,\d{2})+,\d{3}"
    r"|[1-9]\d{0,2}(?: \d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
)
_NUMBER_WORD = "|".join([*_SMALL, *_TENS])
_SCALE_WORD = "hundred|thousand|million|billion|trillion"
_SPELLED = (
    rf"(?:{_NUMBER_WORD}|a(?= (?:hundred|thousand|million|billion|dozen)\b))"
    rf"(?:(?:-| |(?<=hundred) and |(?<=thousand) and )(?:{_NUMBER_WORD}|{_SCALE_WORD}|dozen)\b)*"
)
_HEDGES = {
    "more": r"more|over|upwards|excess|above|exceeding",
    "less": r"nearly|almost|under|less than|fewer than|up to|as many|as much|at most|below",
    "about": r"about|around|roughly|approx|some|estimated|close|circa",
}
_QUANTITY = re.compile(
    r"(?<![\w$€£¥₹#@/.,:+*&’'–—-])"
    r"(?P<hedge>(?:(?:well|just|slightly|a little|only|exactly|now|no|not)\s)?"
    r"(?:at least|a minimum of|no fewer than|more than|over|upwards of"
    r"|in excess of|above|exceeding|nearly|almost|under|less than|fewer than|up to|as many as|as much as"
    r"|at most|below|about|around|roughly|approximately|approx\.?|some|(?:an )?estimated|close to|circa|only|just"
    r"|exactly)\s)?"
    r"(?P<money>(?:(?:US|AU?|CA?|HK|NZ|S)?\$|[£€¥₹]|Rs\.?\s?|(?:USD|EUR|GBP)\s?))?"
    rf"(?P<number>(?<!\d )(?:{_DIGITS})(?![.,]?\d)|{_SPELLED})"
    r"(?:[ -]?(?P<scale>hundred|thousand|million|billion|trillion|lakh|crore|mn|bn|tn|[mMkK])(?![^\W_]))?"
    r"(?P<percent>\s?%|[ -](?:per\s?cent|percent|pct)\b)?"
    r"(?![^\W_])(?!\s?[–—/:]\s?\d)(?!-\d)",
    re.IGNORECASE,
)
_OR_MORE = re.compile(r"\+|(?:\s[\w-]+)?\sor more\b|-plus\b")
_MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?"
)
_NOT_BEFORE = re.compile(  # a figure that was replaced, is a part or a change, or a number that is a name
    r"(?:\b(?:half|quarters? of|from|than|versus|vs\.?|against|compared (?:with|to)|instead of|previous(?:ly)?|earlier"
    r"|initial(?:ly)?|original(?:ly)?|another|additional|further|other|including|of whom|among them|every|per|by|not|no"
    r"|nos?\.|numbers?|aged?|age of|between|chapter|article|section|page|part|phase|stage|grade|round|category|route"
    r"|flight|channel|top|in one|covid)(?:\s(?:the|an?|its|their|those))?\s$)"
    rf"|(?:[\d%]|\b(?:{_NUMBER_WORD}))\s(?:(?:in|or)\s|out of\s(?:every\s)?)$|\b(?-i:{_MONTHS})\s$|\d[–—-]$",
    re.IGNORECASE,
)
_RANGE_END = re.compile(
    rf"(?:[\d%]|\b(?:{_NUMBER_WORD}|{_SCALE_WORD}))(?:\s[^\W\d]+)?\sto\s$|\bbetween\s\S+(?:\s[^\W\d]+)?\sand\s$",
    re.IGNORECASE,
)
_FROM = re.compile(r"\bfrom\s[^,;]{1,40}\sto\s$", re.IGNORECASE)
_NUMERAL = rf"[$£€]?(?:\d|(?:{_NUMBER_WORD})\b)"
_NOT_AFTER = re.compile(
    r"[- ]years?[- ]olds?\b|\s(?:of|more|others?|additional|further|extra|new)\b|°"
    r"|\s?(?:a\.m|p\.m|am\b|pm\b|GMT\b|BST\b|EST\b|ET\b|UTC\b|o[’']clock)|[- ](?:thirds?|quarters?|fifths?|halves)\b"
    rf"|\s(?-i:{_MONTHS})|\s(?:in|out of|in every)\s(?:every\s)?{_NUMERAL}"
    rf"|(?:\s[^\W\d]+)?\s(?:to|or)\s{_NUMERAL}|\s\d|\s?[x×]\s?\d|-(?:odd|ish)\b|s\b|-(?:and|to)-",
    re.IGNORECASE,
)
_OPENERS = frozenset(
    "a about after all almost an and another around as at authorities before but by for he her his i in it its just "
    "more nearly no of officials on only or our over police roughly she since some than that the their these they this "
    "those to under until up we with".split()
)
_BEFORE_WORD = re.compile(r"(?:^|\s)[“‘\"'(]?([^\W\d_][\w’'.-]*)\s$")


def _is_elsewise(text: str, match: re.Match[str], begin: int) -> bool:
    start = match.start("money") if match["money"] else match.start("number")
    before = text[max(0, start - 60) : start]
    if _NOT_BEFORE.search(text[max(0, begin - 60) : begin]):
        return True
    if _RANGE_END.search(before) and not _FROM.search(before):
        return True
    if _NOT_AFTER.match(text, match.end()) and not (match["percent"] and text.startswith(" of ", match.end())):
        return True
    if re.match(r"(?:no|not)\s", match["hedge"] or "", re.IGNORECASE):
        return True
    if match["money"] or match["percent"]:
        return False
    return _is_year(match) or _is_named(text, match, begin)


def _is_year(match: re.Match[str]) -> bool:
    return not match["hedge"] and not match["scale"] and bool(re.fullmatch(r"1[5-9]\d\d|20\d\d", match["number"]))


def _is_named(text: str, match: re.Match[str], begin: int) -> bool:
    """ "Flight 370", "Apollo 11", "the Big Ten": a capital before it, or its own inside a sentence."""
    previous = _BEFORE_WORD.search(text[max(0, begin - 60) : begin])
    if match["number"][0].isupper() and previous:
        return True
    if not previous or not previous[1][0].isupper() or match["hedge"]:
        return False
    return previous[1].lower() not in _OPENERS and not re.search(r"[’']s?$|\.$", previous[1])
