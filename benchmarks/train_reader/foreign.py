"""Groups as they would look in a language that the model was never taught: it knows English word by word.

There are no questions in other languages to train on, so they are made. Question words and the commonest words of
news stand in benchmarks/sets/words.txt in five languages. Every other word becomes one of no meaning in that
language's letters, the same wherever it stands in the group but for its ending, which changes as inflection changes
it; names stay, and are spelt in Cyrillic where that is written. So what is left to go by is what a reader has who does
not know the words: which of them are the same, who is named, what kind of thing is asked for.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path

from benchmarks.train_reader.data import Group, Passage

WORDS = Path(__file__).parent.parent / "sets" / "words.txt"
LANGUAGES = ("german", "french", "spanish", "ukrainian", "russian")
CYRILLIC = ("ukrainian", "russian")
ENDINGS = {
    "german": ("", "", "e", "en", "er", "es", "em", "t", "te", "ten", "ung"),
    "french": ("", "", "e", "s", "es", "er", "é", "ée", "és", "ait", "ent"),
    "spanish": ("o", "a", "os", "as", "ar", "ado", "ada", "ó", "aron", "an", "e"),
    "ukrainian": ("", "", "а", "и", "у", "ом", "ою", "ого", "ий", "ої", "ти", "в", "ла", "ли", "ів", "і"),
    "russian": ("", "", "а", "ы", "у", "ом", "ой", "ого", "ый", "ая", "ть", "л", "ла", "ли", "ов", "е"),
}
NAME_ENDINGS = {"ukrainian": ("а", "у", "ом", "і", "ові"), "russian": ("а", "у", "ом", "е")}
VOWELS, CONSONANTS = "aeiouy", "bcdfghjklmnpqrstvwxz"
LETTERS = {
    "ukrainian": ("аеиоуіюяє", "бвгджзйклмнпрстфхцчш"),
    "russian": ("аеиоуыюяэ", "бвгджзйклмнпрстфхцчш"),
}
SPELT = {
    **{"shch": "щ", "sch": "ш", "sh": "ш", "ch": "ч", "th": "т", "kh": "х", "zh": "ж", "ts": "ц", "ph": "ф", "ck": "к"},
    **{"ya": "я", "yu": "ю", "oo": "у", "ee": "и", "qu": "кв", "x": "кс", "a": "а", "b": "б", "c": "к", "d": "д"},
    **{"e": "е", "f": "ф", "g": "г", "h": "х", "i": "и", "j": "дж", "k": "к", "l": "л", "m": "м", "n": "н", "o": "о"},
    **{"p": "п", "q": "к", "r": "р", "s": "с", "t": "т", "u": "у", "v": "в", "w": "в", "y": "и", "z": "з"},
}
INFLECTED = 0.35  # of the words, that have another ending than elsewhere
_INSIDE = re.compile(r"[a-z,;:’'] ([A-Z][^\W\d_]+)")  # a capital within a sentence
_ENDING = re.compile(r"(?<=...)(?:ings?|e[sd]|ies|ly|[sey])$")
_SPELT = re.compile("|".join(SPELT))


@cache
def _table() -> tuple[re.Pattern[str], Mapping[str, Sequence[Sequence[str]]]]:
    """A pattern of all words, the longest phrases first; and of those that are known, what each language has."""
    known = {}
    for line in WORDS.read_text("utf-8").splitlines():
        english, *others = line.split("|")
        for one in english.split("/"):
            known[one] = [other.split("/") for other in others]
    phrases = sorted((re.escape(one) for one in known if " " in one), key=len, reverse=True)
    pattern = rf"\b(?:{'|'.join(phrases)})\b|[^\W\d_]+(?:['’][^\W\d_]+)?"
    return re.compile(pattern, re.IGNORECASE), known


@dataclass(frozen=True)
class Tongue:
    """One language as one group has it."""

    language: str
    cipher: Mapping[int, str]
    names: frozenset[str]
    rng: random.Random

    def word(self, english: str) -> str:
        known = _table()[1]
        low = english.lower().replace("’", "'")
        if low in known:
            return self.rng.choice(known[low][LANGUAGES.index(self.language)])
        if low.removesuffix("'s") in self.names:
            return self._name(english.removesuffix("'s").removesuffix("’s"))
        stem = _ENDING.sub("", low)
        endings = ENDINGS[self.language]
        usual = endings[sum(map(ord, stem)) % len(endings)]
        return stem.translate(self.cipher) + (self.rng.choice(endings) if self.rng.random() < INFLECTED else usual)

    def _name(self, english: str) -> str:
        if self.language not in CYRILLIC:
            return english
        spelt = _SPELT.sub(lambda found: SPELT[found[0]], english.lower())
        if self.rng.random() >= INFLECTED:
            return spelt
        return spelt.rstrip("аеиоу") + self.rng.choice(NAME_ENDINGS[self.language])


def put(group: Group, rng: random.Random) -> Group:
    """The group in any of the languages; all labels stay where they were."""
    language = rng.choice(LANGUAGES)
    every = [*group.own, *group.others]
    names = frozenset(
        one.lower()
        for text in chain([group.question], *((passage.title, passage.text) for passage in every))
        for one in _INSIDE.findall(text)
    )
    tongue = Tongue(language, _cipher(language, rng), names, rng)
    question, _ = _translated(group.question, tongue)
    return Group(
        question, tuple(_put(one, tongue) for one in group.own), tuple(_put(one, tongue) for one in group.others)
    )


def _put(passage: Passage, tongue: Tongue) -> Passage:
    text, to = _translated(passage.text, tongue)
    return replace(
        passage,
        title=_translated(passage.title, tongue)[0],
        text=text,
        sentences=tuple((to(a), to(b)) for a, b in passage.sentences),
        answer=(to(passage.answer[0]), to(passage.answer[1])) if passage.answer else None,
    )


def _translated(text: str, tongue: Tongue) -> tuple[str, Callable[[int], int]]:
    """The text, and where each of its characters went; one inside a word to the word's beginning."""
    out, at = "", 0
    places: list[int] = []
    for found in _table()[0].finditer(text):
        out += text[at : found.start()]
        places += range(len(out) - (found.start() - at), len(out))
        places += [len(out)] * (found.end() - found.start())
        out += tongue.word(found[0])
        at = found.end()
    places += range(len(out), len(out) + len(text) - at + 1)
    out += text[at:]
    return out, lambda place: places[place]


def _cipher(language: str, rng: random.Random) -> Mapping[int, str]:
    vowels, consonants = LETTERS.get(language, (VOWELS, CONSONANTS))
    return str.maketrans(
        dict(chain(_drawn(VOWELS, vowels, rng), _drawn(CONSONANTS, consonants, rng)))  # no two become one
    )


def _drawn(letters: str, others: str, rng: random.Random) -> Iterable[tuple[str, str]]:
    return zip(letters, rng.sample(others, len(letters)), strict=True)
