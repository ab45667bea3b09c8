"""What a question says of time beside its dates: whether it asks for reports of some days, or how things stand now.

English only. Both are read from lists of words, never from what the words around them mean.
"""

import re
from itertools import pairwise

from retrieval.when import Window, around

_WORD = re.compile(r"\w+(?:[’'-]\w+)*")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace("’", "'"))


_PUBLISHED = frozenset(
    "news reports reporting coverage article articles stories headline headlines published reported written printed"
    " posted".split()
)
_ASKING = frozenset(
    "who whom whose what what's when where why how which is are was were do does did has have had can could will would"
    " should".split()
)
# They carry nothing that could be searched for: a question of nothing else asks for all that was published then.
_EMPTY = _ASKING | frozenset(
    "a an the and or of on in at by for from to with about over since during there there's it that this these me us i"
    " any anything something all some more many much else show give find list tell get read please said be been happen"
    " happens happened happening go going went changed new latest recent newest top main".split()
)


def of_publication(question: str, days: Window) -> bool:
    """Whether `days` are those of publication: "reports from May 2025", "what was written in March about the tram?".

    So where a word of publication is the first that means something besides the time ("this week's news"), or in
    other than a question the last before it ("tram coverage since May"), and where nothing else is asked ("what
    happened last week?"). Not "who won in 2019?", "who broke the news on Sunday?", "the news anchor hired in March".
    """
    before, after = (_words(part.lower()) for part in around(question, days))
    heard = before + after
    first = next((n for n, word in enumerate(heard) if word not in _EMPTY), None)
    if first is None:
        return True
    if heard[first] in _PUBLISHED and (len(heard) == first + 1 or heard[first + 1] in _EMPTY | _PUBLISHED):
        return True
    last = next((word for word in reversed(before) if word not in _EMPTY), "")
    return heard[0] not in _ASKING and last in _PUBLISHED


_NOW = frozenset(
    "now currently current presently nowadays today tonight latest newest recent recently lately still yet".split()
)
_UNITS = frozenset("morning afternoon evening weekend week month quarter year spring summer autumn winter".split())
_PRESENT = frozenset(
    "is isn't are aren't am do don't does doesn't has hasn't have haven't will won't can can't cannot"
    " who's what's where's how's there's live work own need want belong remain".split()
)
_PAST = frozenset(
    "was wasn't were weren't did didn't had hadn't said told won lost led left took made gave got found became began"
    " came went saw sent sold spent stood struck met paid shot held wrote fell rose broke spoke".split()
)


def is_current(question: str) -> bool:
    """Whether it asks how things stand: by a word of now ("latest", "still", "this week"), or in the present tense.

    The first verb that shows its tense decides: "who leads Hungary?", "is it open?", "how many people have died?" ask
    for the present, "who said that it is open?" does not. A text without such a verb ("ferry fares") asks for no time.
    """
    heard = _words(question)
    low = [word.lower() for word in heard]
    if any(_of_now(before, word) for before, word in pairwise(["", *low])):
        return True
    tenses = (_present(n, word, low) for n, word in enumerate(heard))
    return next((present for present in tenses if present is not None), False)


def _of_now(before: str, word: str) -> bool:
    unit = word.removesuffix("'s")
    return (unit in _NOW and before != "ago") or (unit in _UNITS and before == "this")


def _present(place: int, word: str, low: list[str]) -> bool | None:
    """Whether a verb is of the present; None for what shows no tense. "leads" is a verb only just behind "who"."""
    if low[place] in _PRESENT:
        return True
    if low[place] in _PAST or (word.endswith("ed") and not word.endswith("eed") and word.islower()):
        return False
    return True if place and low[place - 1] == "who" and word.endswith("s") else None
