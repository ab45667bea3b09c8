"""Who did it to whom: whether a sentence tells of the one asked about as the other party, of another nation's, or of
another one to whom it was done.

"What did Ukraine demand?" shares every word with "Russia demanded that Ukraine withdraw", which answers another
question. Word order alone tells, in plain English sentences; where it does not, nothing is said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.nations import is_a_nations, is_nation, same_nation

REACH = 6  # words before a verb in which its subject is looked for
_ALIKE = 5  # letters: Ukraine and Ukrainian, Russia and Russians
_AUX = r"(?:did|does|do|will|would|can|could)"
_ASKED = re.compile(
    rf"\b(?:what|who|whom|whose|which|why|how|when|where)\b(?:\s+\w+)??\s+{_AUX}\s+(?:the\s+)?"
    r"(?P<who>[\w’'-]+)\s+(?P<verb>[a-z]{3,})\b",
    re.IGNORECASE,
)
_SPEAKING = (
    "say tell announce promise demand warn claim argue call ask urge predict deny admit propose suggest threaten accuse"
    " vow think believe want reject answer reply respond write tweet criticise criticize praise condemn explain mean"
)
_AT_SOMEBODY = "demand tell ask urge accuse warn threaten criticise criticize condemn".split()  # whose object hears it
_NAME = r"(?P<whom>[A-Z][\w.’'-]*(?:\s[A-Z][\w.’'-]*)*)"
_DONE_TO = re.compile(
    rf"\b[Ww]ho\s(?:[a-z]+ly\s)?(?P<verb>[a-z]{{3,}})\s(?:the\s)?{_NAME}(?:\?|$|\s(?:in|at|on|after|during)\b)"
)
_NO_DEED = frozenset("was were are will has had does did said".split())
_WORD = re.compile(r"[\w’'-]+|[.;:!?]")
_IRREGULAR = {
    "say": "said", "tell": "told", "give": "gave", "take": "took", "win": "won", "beat": "beat", "buy": "bought",
    "sell": "sold", "send": "sent", "pay": "paid", "lose": "lost", "fight": "fought", "strike": "struck",
    "shoot": "shot", "hit": "hit", "meet": "met", "make": "made", "lead": "led", "leave": "left", "lend": "lent",
}  # fmt: skip
_BEFORE_A_NOUN = re.compile(r"\b([A-Z][a-z]+)(?=\s([^\W\d_]{4,}))")
_BEFORE_A_NOUN_TYPED = re.compile(_BEFORE_A_NOUN.pattern, re.IGNORECASE)  # in a question, as people type it
_NOT_NAMES = frozenset(
    "a an the in on at by for from to with after before when while as but and or if it he she they we i this that these"
    " those there his her their its our my".split()
)


@dataclass(frozen=True, slots=True)
class Roles:
    """The one who is asked about, and what that one is said to do."""

    who: str
    forms: frozenset[str]  # of the verb, as they follow a subject: "demanded", "demands"


def roles(question: str) -> Roles | None:
    """Of "what did Ukraine demand?"; None for a question of another shape."""
    found = _ASKED.search(question)
    if found is None or found["who"].lower() in _NOT_NAMES:
        return None
    verb = found["verb"].lower()
    verbs = {verb, *(_AT_SOMEBODY if verb in _SPEAKING.split() else ())}
    forms = frozenset(form for one in verbs for form in (_past(one), f"{one}s")) - {verb} | _unchanged(verb)
    return Roles(found["who"].lower(), forms)


def turned_round(roles: Roles | None, sentence: str) -> bool:
    """Whether somebody else does it, with the one asked about on the other side of the verb."""
    if roles is None:
        return False
    words = _WORD.findall(sentence)
    places = [n for n, word in enumerate(words) if word.lower() in roles.forms]
    return bool(places) and all(_turned(roles, words, n) for n in places)


def of_another_nation(question: str, sentence: str) -> bool:
    """Whether a sentence has the Russian delegation where the Ukrainian one is asked about, and never names Ukraine."""
    asked = _national(question, _BEFORE_A_NOUN_TYPED)
    told = _national(sentence, _BEFORE_A_NOUN) if asked else []
    words = re.findall(r"[^\W\d_]+", sentence) if told else []
    return any(
        any(_same(noun, other) for _, other in told) and not any(_same(nation, word) for word in words)
        for nation, noun in asked
    )


def done_to_another(question: str, sentence: str) -> bool:
    """Whether a sentence says that it was done to one with another name, and never names the one asked about.

    "Who assassinated Donald Trump?" is not answered by "Oswald assassinated John F. Kennedy".
    """
    asked = _DONE_TO.search(question)
    if asked is None or asked["verb"] in _NO_DEED:
        return False
    wanted, words = _WORD.findall(asked["whom"].lower()), _WORD.findall(sentence)
    if any(_same(one, word) for one in wanted for word in words):
        return False
    verb = re.escape(asked["verb"])
    deed = verb.removesuffix("ed")
    active = rf"\b(?:{verb}|{deed}(?:ing|ions?|ations?)?\sof)\s(?:the\s)?(?:[a-z]+\s)?{_NAME}"
    passive = rf"{_NAME}\s(?:was|were|is|(?:has|have|had)\sbeen)\s{verb}\b"
    others = (found["whom"].lower() for form in (active, passive) for found in re.finditer(form, sentence))
    return any(other not in _NOT_NAMES for other in others)


def _national(text: str, pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """(whose, what); of what is European, a part may be named instead."""
    found = (match.groups() for match in pattern.finditer(text))
    named = ((nation.lower(), noun.lower()) for nation, noun in found)
    return [(nation, noun) for nation, noun in named if is_a_nations(nation) and nation != "european"]


def _turned(roles: Roles, words: Sequence[str], verb: int) -> bool:
    before = _clause(words[max(verb - REACH, 0) : verb])
    after = [word.lower() for word in words[verb + 1 :]]
    if any(_same(roles.who, word) and after[max(n - 1, 0)] == "by" for n, word in enumerate(after)):
        return False
    nations = [word.lower() for word in before if is_nation(word.lower())]
    if is_nation(roles.who) and nations and not same_nation(roles.who, nations[-1]):
        return True  # "According to Ukrainian sources, the Russian delegation asked": the nearest one asks
    named = [word for word in before if word[0].isupper() and word.lower() not in _NOT_NAMES]
    if not named or any(_same(roles.who, word) for word in before):
        return False
    return any(_same(roles.who, word) for word in after)


def _clause(words: Sequence[str]) -> list[str]:
    """What follows the last full stop or semicolon."""
    ends = [n for n, word in enumerate(words) if not (word[0].isalnum() or word[0] in "’'-_")]
    return list(words[ends[-1] + 1 :] if ends else words)


def _same(who: str, word: str) -> bool:
    word = re.sub(r"['’]s?$", "", word.lower())
    alike = min(len(who), len(word)) >= _ALIKE and who[:_ALIKE] == word[:_ALIKE]
    return who == word or alike or same_nation(who, word)


def _past(verb: str) -> str:
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    return f"{verb}d" if verb.endswith("e") else f"{verb[:-1]}ied" if re.search(r"[^aeiou]y$", verb) else f"{verb}ed"


def _unchanged(verb: str) -> frozenset[str]:
    return frozenset({verb}) if _IRREGULAR.get(verb) == verb else frozenset()
