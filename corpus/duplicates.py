"""Whether two articles are one story in nearly the same words: syndicated, cut, reordered, lightly edited; and whose.

Broder's MinHash (On the resemblance and containment of documents, 1997) over runs of words, in its bottom-k form: an
article's sketch is the smallest hashes of its runs. Two that share J of their runs share about J of their sketches,
so that a look at a table of sketches finds every likely copy, also one that was cut to half, and next to nothing
else: bands of rows, which are commoner, miss more at that J for twice as many rows. Whether a likely copy is one is
then told by its words, not estimated.
"""

import re
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from corpus.article import Article

RUN = 5  # words; of shorter ones too many are everybody's: "said in a statement"
SKETCH = 32  # hashes
SHARED = 3  # of them, from which another article is looked at: half of a text shares about ten
LONGEST = 120_000  # characters of a text that are compared: a book's worth of live blog costs no more
FEWEST = 30  # runs; shorter texts are copies only where they are the same
PART = 0.5  # of the shorter text's runs that a copy has
WHOLE = 0.2  # and of the longer one's: a live blog that quotes a whole report is none
DAYS = 14  # between two copies, at most
# One outlet repeats its own words (background, what to know, "sign up here"), so more is asked of two of its articles:
OWN_PART, OWN_WHOLE, OWN_DAYS = 0.8, 0.5, 3
HEADED = 0.5  # of the headline's longer words that stand in the text, where the text is the article's own

Runs = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse among 64-bit numbers
_FACTORS = np.array([pow(_BASE, n, 2**64) for n in range(1, RUN + 1)], np.uint64)
_IN_WORDS = 0x10000  # characters from here on (emoji, rare ideographs) divide words


@dataclass(frozen=True)
class Print:
    """What tells an article from others."""

    article: Article

    @cached_property
    def runs(self) -> Runs:
        """Hashes of all runs of RUN words, each once, smallest first; of a shorter text, its own."""
        words = _words(self.article.text[:LONGEST].lower())
        words = np.concatenate([words, np.zeros(max(RUN - len(words), 0), np.uint64)])
        return np.unique(_mixed(sliding_window_view(words, RUN) @ _FACTORS))

    @cached_property
    def sketch(self) -> list[int]:
        """Of 31 bits each, so that any database takes them; not those that made them the smallest."""
        return sorted({int(one) & 0x7FFFFFFF for one in self.runs[:SKETCH]})

    @cached_property
    def headed(self) -> bool:
        """Whether the text is about its headline: a page that could not be read gives the same words under many."""
        head = set(re.findall(r"\w{4,}", self.article.title.lower()))
        return len(head.intersection(re.findall(r"\w{4,}", self.article.text.lower()))) >= HEADED * len(head)

    @property
    def outlet(self) -> str:
        return " ".join(self.article.outlet.casefold().split())

    @property
    def day(self) -> date | None:
        return self.article.published.date() if self.article.published else None


def same_story(one: Print, other: Print) -> bool:
    """Whether one is a copy of the other, or both are of a third; whichever is given first."""
    own = bool(one.outlet) and one.outlet == other.outlet
    if one.day and other.day and abs((one.day - other.day).days) > (OWN_DAYS if own else DAYS):
        return False
    if own and not (one.headed and other.headed):
        return False
    mine, its = len(one.runs), len(other.runs)
    if min(mine, its) < FEWEST:
        return bool(np.array_equal(one.runs, other.runs))
    shared = len(np.intersect1d(one.runs, other.runs, assume_unique=True))
    part, whole = (OWN_PART, OWN_WHOLE) if own else (PART, WHOLE)
    return shared >= part * min(mine, its) and shared >= whole * max(mine, its)


def _words(text: str) -> Runs:
    """A hash for each word, in their order: a polynomial of its characters, from sums over the whole text at once.

    Ideographs and kana, which no spaces divide, are words of their own.
    """
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    letter = (codes < _IN_WORDS) & _letters()[np.minimum(codes, _IN_WORDS - 1)]
    alone = (codes >= 0x3040) & (codes <= 0x9FFF)
    joined = letter[1:] & letter[:-1] & ~alone[1:] & ~alone[:-1]
    starts = np.flatnonzero(letter & ~np.concatenate([[False], joined]))
    ends = np.flatnonzero(letter & ~np.concatenate([joined, [False]])) + 1
    powers, inverses = _powers()
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes * powers[: len(codes)], dtype=np.uint64)])
    return np.asarray((sums[ends] - sums[starts]) * inverses[starts], np.uint64)


@cache
def _letters() -> NDArray[np.bool_]:
    return np.fromiter((chr(code).isalnum() for code in range(_IN_WORDS)), np.bool_, _IN_WORDS)


@cache
def _powers() -> tuple[Runs, Runs]:
    """Of _BASE and of its inverse, for every place of a text."""
    of_both = [np.full(2 * LONGEST, base, np.uint64) for base in (_BASE, pow(_BASE, -1, 2**64))]
    for powers in of_both:
        powers[0] = 1
        np.cumprod(powers, out=powers)
    return of_both[0], of_both[1]


def _mixed(values: Runs) -> Runs:
    """Every bit of a hash depends on every bit of its value (splitmix64's finish)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)), np.uint64)


# Whose it is

_NAMES = {
    "Reuters": "Reuters|Thomson Reuters",
    "AP": "AP|Associated Press|The Associated Press",
    "AFP": "AFP|Agence France[- ]Presse",
    "dpa": "dpa|DPA|Deutsche Presse-Agentur",
    "PA Media": "PA|PA Media|Press Association",
    "UPI": "UPI|United Press International",
    "AAP": "AAP|Australian Associated Press",
    "The Canadian Press": "CP|(?:The )?Canadian Press",
    "ANI": "ANI|Asian News International",
    "PTI": "PTI|Press Trust of India",
    "EFE": "EFE",
    "ANSA": "ANSA",
    "APA": "APA|Austria Presse Agentur",
    "Xinhua": "Xinhua",
    "Kyodo": "Kyodo|Kyodo News",
    "Yonhap": "Yonhap",
    "Anadolu": "AA|Anadolu(?: Agency)?",
    "Ukrinform": "Ukrinform",
    "Interfax": "Interfax(?:-Ukraine)?",
}  # agency -> how outlets, bylines and datelines write it
_AGENCY = {
    name: re.compile(rf"(?:{written})(?: News(?: Agency)?)?(?:\.(?:com|org))?") for name, written in _NAMES.items()
}
_LEAD = 200  # characters in which a dateline stands
_DATELINE = re.compile(r"\(([^()]{2,40})\) ?[-\u2013\u2014]|^[-\u2013\u2014 ]{0,2}([\w -]{2,40}) ?[-\u2013\u2014] ")
_BYLINE = re.compile(r"[,|/(]|\bof\b|\bfor\b| - ")


def agency(written: str) -> str:
    """The news agency that a name is; "" where it is none."""
    name = written.strip(" .)")
    return next((one for one, known in _AGENCY.items() if known.fullmatch(name)), "")


def wire(article: Article) -> str:
    """The agency that an article is by or says that it is from: by outlet, byline or dateline; "" where none."""
    parts = [article.outlet, *(part for author in article.authors for part in _BYLINE.split(author))]
    dateline = _DATELINE.search(article.text[:_LEAD])
    parts += [one for one in dateline.groups() if one] if dateline else []
    return next(filter(None, map(agency, parts)), "")


def precedence(article: Article) -> tuple[int, bool, float, str]:
    """Sorts copies: the agency's own first, then those that name it, then the others; of each the earliest, then
    those without a date.
    """
    whose = 0 if agency(article.outlet) else 1 if wire(article) else 2
    published = article.published.timestamp() if article.published else 0.0
    return whose, article.published is None, published, article.url
