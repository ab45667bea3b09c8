"""The clauses of saying in a sentence: "Ann Lee said", "said Ann Lee", "according to the ministry"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retrieval.phrases import SUBORDINATE, Phrase, Token, phrase_after, phrase_before, words

# They may stand between what is said and who says it: "...", said Ann Lee.
_INVERTED = words(
    "said says say asked asks added adds wrote writes tweeted tweets replied replies responded responds continued"
    " continues recalled recalls explained explains noted notes argued argues warned warns insisted insists declared"
    " declares joked jokes quipped quips concluded concludes stated remarked remarks announced shouted yelled cried"
    " observed observes countered counters complained complains acknowledged acknowledges admitted admits predicted"
    " predicts claimed claims maintained lamented exclaimed commented agreed agrees offered boasted bragged thundered"
    " urged testified conceded concedes vowed pledged posted cautioned suggested suggests read reads chanted mused"
)
_TRANSITIVE = words(
    "told tells asserted alleged alleges contends contended confirmed confirms denied denies demanded demands ordered"
    " revealed reveals promised promises threatened called calls described describes accused accuses blamed criticized"
    " blasted slammed ripped mocked praised dismissed labeled dubbed condemned denounced reported reports found"
    " emphasized stressed reiterated repeated signaled hinted proposed proclaimed swore attacked referred estimated"
)
_PARTICIPLES = words(
    "saying adding telling writing calling asking noting arguing explaining declaring insisting warning stating"
    " claiming tweeting suggesting promising describing boasting joking responding acknowledging concluding urging"
    " predicting accusing vowing replying pointing"
)
_SAYING = _INVERTED | _TRANSITIVE
# Those whose object is not itself what was said: without quotation marks they report a deed.
_DEEDS = words(
    "called calls described describes accused accuses blamed criticized blasted slammed ripped mocked praised dismissed"
    " labeled dubbed condemned denounced attacked referred agreed agrees wrote writes reported reports"
    " continued continues responded responds replied replies"
    " offered read reads chanted asked asks recalled recalls found posted thundered ordered repeated declared"
)
_NAMING = words("called dubbed labeled")
_BE = words("is are was were be been being am 's gets got")
_UNREAL = words("not never to would could should may might will must can cannot")


@dataclass(frozen=True, slots=True)
class Clause:
    """A subject and its verb of saying; both are places in the row."""

    subject: Phrase
    verb: int
    kind: str  # main, inverted, who, under (it hangs on "after", "that" ...), participle, joined, according

    @property
    def first(self) -> int:
        return min(self.verb, self.subject.first)

    @property
    def last(self) -> int:
        """The place behind the clause."""
        return max(self.verb + 1, self.subject.last)


def clauses(row: Sequence[Token]) -> list[Clause]:
    """In the order of their verbs."""
    return list(_clauses(row))


def asserts(row: Sequence[Token], clause: Clause) -> bool:
    """Whether what is said may follow the verb without quotation marks."""
    verb, after = row[clause.verb].low, row[clause.verb + 1].low if clause.verb + 1 < len(row) else ""
    return verb not in _DEEDS or after == "that" or (verb in ("called", "calls") and after == "for")


def _clauses(row: Sequence[Token]) -> Iterator[Clause]:
    subject: Phrase | None = None
    for n, token in enumerate(row):
        if token.kind == "word" and (clause := _clause(row, n, subject)):
            subject = clause.subject
            yield clause


def _clause(row: Sequence[Token], n: int, subject: Phrase | None) -> Clause | None:
    """The clause whose verb is `row[n]`; `subject` is that of the clause before it."""
    word = row[n].low
    if word == "according":
        return _according(row, n)
    if word == "quoted":
        return _quoted(row, n)
    if word in _PARTICIPLES and n:
        return _participle(row, n, subject)
    if word not in _SAYING or _is_unreal(row, n) or _gives_a_name(row, n):
        return None
    if n and row[n - 1].low == "who":
        return _made(phrase_before(row, n - 1), n, "who")
    if n and (phrase := phrase_before(row, n)):
        return Clause(phrase, n, "under" if _hangs(row, phrase) else "main")
    if n and row[n - 1].low in ("and", "but", "then"):
        return _made(subject or _opening(row, n), n, "joined")
    if word in _INVERTED and (n == 0 or row[n - 1].kind == "quote" or row[n - 1].text in (",", "—", "–", "--")):
        return _inverted(row, n)
    return None


def _made(subject: Phrase | None, verb: int, kind: str) -> Clause | None:
    return Clause(subject, verb, kind) if subject else None


def _inverted(row: Sequence[Token], n: int) -> Clause | None:
    """ "...", said Ann Lee. Behind a mere comma, nothing may follow her: "Ann Lee, however, said the plan failed"."""
    phrase = phrase_after(row, n)
    bare = n > 1 and row[n - 1].kind == "mark" and row[n - 2].kind != "quote"
    if phrase and bare and phrase.last < len(row) and row[phrase.last].kind != "mark":
        return None
    return _made(phrase, n, "inverted")


def _according(row: Sequence[Token], n: int) -> Clause | None:
    if n + 1 < len(row) and row[n + 1].low == "to":
        return _made(phrase_after(row, n + 1), n, "according")
    return None


def _quoted(row: Sequence[Token], n: int) -> Clause | None:
    """ "Ann Lee was quoted as saying"."""
    if n > 1 and row[n - 1].low in _BE and any(token.low == "saying" for token in row[n + 1 : n + 8]):
        return _made(phrase_before(row, n - 1), n, "main")
    return None


def _participle(row: Sequence[Token], n: int, subject: Phrase | None) -> Clause | None:
    before = row[n - 1]
    if before.text == "," or before.kind == "quote" or before.low == "and":
        return _made(subject or _opening(row, n), n, "participle")
    return _made(phrase_before(row, n - 1), n, "main") if before.low in _BE else None


def _is_unreal(row: Sequence[Token], n: int) -> bool:
    """Whether the verb is negated, a possibility, an infinitive or a passive."""
    back = [token.low for token in row[max(n - 2, 0) : n]]
    negated = any(word in _UNREAL or word.endswith(("n't", "n’t")) for word in back)
    return negated or (bool(back) and (back[-1] in _BE or (back[-1].endswith("ly") and back[0] in _BE)))


def _gives_a_name(row: Sequence[Token], n: int) -> bool:
    """An exercise called "Cold Response"."""
    return row[n].low in _NAMING and n + 1 < len(row) and row[n + 1].kind == "quote"


def _hangs(row: Sequence[Token], phrase: Phrase) -> bool:
    return phrase.first > 0 and (row[phrase.first - 1].low in SUBORDINATE or row[phrase.first - 1].low == "that")


def _opening(row: Sequence[Token], n: int) -> Phrase | None:
    """The name that a sentence opens with, the subject of a later participle."""
    begin = next((k for k, token in enumerate(row) if token.kind == "word" and token.low not in ("but", "and")), n)
    phrase = phrase_after(row, begin - 1)
    return phrase if phrase and phrase.last < n and phrase.kind == "name" and not row[0].text.isupper() else None
