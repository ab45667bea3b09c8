"""A follow-up question made whole from the turn before, by rules: "and Ukraine?" becomes a question one can search.

Only words of the person, or names from the answer, are moved, so what is searched for can be shown. English only.
"""

import re
from datetime import date

from retrieval.when import window, without

MAX_QUESTION = 500  # characters of a completed question; more is not a question that anybody typed

# Words that carry no meaning of their own for a search.
_FILLERS = """
a an the and or but so then also too of in on at by for from to with about into over after before between as
is are was were be been being am do does did has have had can could will would shall should may might must who
whom whose what when where why how which that this these those there here i me my we us our you your he him
his she her hers they them their theirs it its one ones not no yes please tell say says said many much long
often more else exactly ok okay well again if than just happen happened mean work now
"""
_FILLER = frozenset(_FILLERS.split())
_PREPOSITION = r"(?:at|in|on|about|during|over|for|from|to|with|against|after|before|of|under)"
_OPENER = re.compile(r"^\W*(?:(?:and|but|so|ok(?:ay)?|well|also|then|now)\b[\s,]*)+", re.I)
_ABOUT = re.compile(r"^(?:what|how) about\s+|^what of\s+", re.I)
_WH = r"(?:who|whom|whose|what|when|where|why|how|which)"
_AUX = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)"
_ASKING = re.compile(rf"(?:{_WH}|{_AUX})\b", re.I)
_LEAD = re.compile(
    rf"(?:{_WH}(?: (?:many|much|long))?\b\s*)?(?:(?:{_AUX}|happen(?:s|ed))\b\s*)?", re.I
)  # "what did", "how many"
_SUBJECT = re.compile(rf"(?:{_WH}\s+)?(?:did|does|do|has|have|had|will|would)\s+(?P<name>[\w’'-]+)", re.I)
_NOUN_SUBJECT = re.compile(
    r"(?:\w+\s+)?(?:did|does|do|has|have|had|will|would)\s+(?P<name>(?:the|a|an|his|her|its|their)\s+[\w’'-]+)(?=\s)",
    re.I,
)
_WHO_IS = re.compile(r"(?:who|what) (?:is|was)\s+(?P<name>[\w’'-]+)", re.I)
_NAME = re.compile(r"\b[^\W\d_a-z][\w’'-]*(?: (?:of |de |al |von |van )?[^\W\d_a-z][\w’'-]*)*")
_PRONOUN = re.compile(r"\b(?P<his>his|their|its|her(?=\s+\w))\b|\b(?:he|him|she|her|they|them|it)\b", re.I)
_EVENT = re.compile(r"\b(?:that|this|it)(?=\s*(?:$|[?.!]|happen|(?:mean|work|start|begin|end)\w*\s*\W*$))", re.I)
_WHO_SAID = re.compile(
    r"who(?:’s|'s| was| is| has| had)? (?:said|says|saying|told|claimed|claims|speaking|quoted)"
    r"(?: (?:him|her|them|us))?(?: (?:it|that|this|so))?\W*",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_](?:[\w’'-]*\w)?")


def is_followup(question: str) -> bool:
    """Whether the question leans on the turn before.

    It stands alone with a name or two words that carry meaning, and no pronoun whose name is missing.
    """
    words = _bare(question)
    if not _WORD.search(words):
        return False
    if _ABOUT.match(words) or _only_time(words) or _points_back(words):
        return True
    if _opened(question) and (not _ASKING.match(words) or _wants_setting(words)):
        return len(_content(words)) < 4
    return len(_content(words)) < 2 and (not _names(words) or _is_phrase(words))


def asks_who_said(question: str) -> bool:
    """Such as "who said it?", "and who told them that?"."""
    return bool(_WHO_SAID.fullmatch(_bare(question)))


def points_back(question: str) -> bool:
    """Whether it asks more about what the turn before was about: "who said it?", "where?", "who scored?"."""
    words = _bare(question)
    return is_followup(question) and bool(_ASKING.match(words)) and not (_ABOUT.match(words) or _names(words))


def topic(question: str, whole: str, previous: str) -> str:
    """What the next turn leans on: `whole`, or still the question before where this one adds nothing ("why?")."""
    return whole if not previous or _content(_bare(question)) else previous


def complete(question: str, previous: str, previous_answer: str = "") -> str:
    """The question with what it leaves out taken from the previous question (itself completed) or its answer.

    A question that stands alone comes back as it is, but for an "and" at its start.
    """
    if not is_followup(question) or not _WORD.search(previous):
        opened = _opened(question) and _WORD.search(_bare(question))
        return _bounded(_bare(question) if opened else question)
    words = _unasked(_bare(question), previous).rstrip("?!. ")
    return _bounded(_completed(words or _bare(question), previous.strip().rstrip("?!. "), previous_answer) + "?")


def _completed(words: str, previous: str, answer: str) -> str:
    if _only_time(words):
        return f"{_timeless(previous)} {words}"
    if _EVENT.search(words) or (_ASKING.match(words) and not _content(words)):
        return _event_asked(words, previous)
    if _PRONOUN.search(words):
        return _named(words, previous, answer)
    if not _ASKING.match(words):
        return _swapped(words, previous)
    if _wants_setting(words):
        return f"{words} {_setting(previous)}".strip()
    return f"{words} {_topic(previous)}"


def _unasked(words: str, previous: str) -> str:
    """So "what about France" is "France"; "what about gas" is "about gas" where "about oil" was asked."""
    about = "about " if re.search(r"\babout [a-z]", previous) else ""
    return _ABOUT.sub(lambda found: about if words[found.end() :].islower() else "", words)


def _is_phrase(words: str) -> bool:
    """Such as "in Kyiv", but not "in which country"."""
    return bool(re.match(rf"{_PREPOSITION}\b", words, re.I) and not re.search(rf"\b(?:{_WH}|{_AUX})\b", words, re.I))


def _event_asked(words: str, previous: str) -> str:
    """After "what did Russia demand": "when was that" becomes "when did Russia demand"."""
    asked = re.match(rf"{_WH}\b(?! (?:many|much|long))", words, re.I)
    if asked and not re.search(r"\b(?:said|says|say)\b", words, re.I):
        lead = rf"^{_WH}\b(?: (?:many|much|long)\b)?"
        return re.sub(lead, asked[0], previous, flags=re.I) if _asks(previous) else f"{asked[0]} {previous}"
    if _EVENT.search(words):
        return _EVENT.sub(lambda _: _topic(previous), words, count=1)
    return f"{words} {_topic(previous)}"


def _asks(question: str) -> bool:
    return bool(re.match(rf"{_WH}\b", question, re.I))


def _named(words: str, previous: str, answer: str) -> str:
    """The first pronoun replaced by the previous question's first name, else by the answer's; "it" is no person's."""
    pronoun = _PRONOUN.search(words)
    names = _names(previous) or (_names(answer) if pronoun and pronoun[0].lower() not in ("it", "its") else [])
    if not names:
        return f"{words} {_setting(previous) or _topic(previous)}"
    return _PRONOUN.sub(lambda found: names[0] + ("’s" if found["his"] else ""), words, count=1)


def _swapped(words: str, previous: str) -> str:
    """So "about gas" takes the place of "about oil", "Ukraine" of the one name or the subject; else they are added."""
    if preposition := re.match(rf"{_PREPOSITION}\b", words, re.I):
        phrase = rf"\b{preposition[0]}\s.*?(?=\s{_PREPOSITION}\b|$)"
        swapped, count = re.subn(phrase, lambda _: words, previous, count=1, flags=re.I)
        return swapped if count else f"{previous} {words}"
    names = _names(_timeless(previous))
    subject = _SUBJECT.match(previous)
    old = subject["name"] if subject and subject["name"] in (name.split()[0] for name in names) else ""
    old = next((name for name in names if old and name.startswith(old)), names[0] if len(names) == 1 else "")
    noun = _NOUN_SUBJECT.match(previous)
    if noun and not old and (words[0].isupper() or words.lower().startswith("the ")):
        old = noun["name"]
    return (
        re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: words, previous, count=1) if old else f"{previous} {words}"
    )


def _wants_setting(words: str) -> bool:
    """Such as "what did Ukraine say": a name and at most a verb, but not where or about what."""
    named = _SUBJECT.match(words)
    return bool(named and len(_content(words)) <= 2 and not re.search(rf"\b{_PREPOSITION}\b", words, re.I))


def _setting(previous: str) -> str:
    """From the first preposition on: "at the Istanbul talks"."""
    found = re.search(rf"(?<=\s){_PREPOSITION}\s.*", previous, re.I)
    return found[0] if found else ""


def _topic(previous: str) -> str:
    """The previous question without its question words: "Russia demand at the Istanbul talks"."""
    lead = _LEAD.match(previous)
    return (previous[lead.end() :] if lead else previous) or previous


def _points_back(words: str) -> bool:
    if _EVENT.search(words):
        return True
    pronoun = _PRONOUN.search(words)
    return bool(pronoun and not _names(words[: pronoun.start()]))


def _only_time(words: str) -> bool:
    found = window(words, date.today())
    rest = without(words, found) if found else words
    return bool(found) and (rest == words or not _content(rest)) and not _ASKING.match(words)


def _timeless(question: str) -> str:
    found = window(question, date.today())
    return without(question, found) if found else question


def _names(text: str) -> list[str]:
    """Capitalised names without the words before them; in lower case, what "did" or "who is" is followed by."""
    timeless = _timeless(text)
    found = [_without_filler(match[0]) for match in _NAME.finditer(timeless)]
    if names := [re.sub(r"['’]s$", "", name) for name in found if name]:
        return names
    subject = _SUBJECT.match(timeless) or _WHO_IS.match(timeless)
    return [subject["name"]] if subject and subject["name"].lower() not in _FILLER else []


def _without_filler(name: str) -> str:
    words = name.split()
    while words and words[0].lower() in _FILLER:
        words.pop(0)
    return " ".join(words)


def _content(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word.lower() not in _FILLER]


def _opened(question: str) -> bool:
    return bool(_OPENER.match(question))


def _bare(question: str) -> str:
    return _OPENER.sub("", question).strip()


def _bounded(question: str) -> str:
    if len(question) <= MAX_QUESTION:
        return question
    return question[:MAX_QUESTION].rsplit(" ", 1)[0].rstrip() or question[:MAX_QUESTION]
