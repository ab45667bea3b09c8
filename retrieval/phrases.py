"""The noun phrase on either side of a verb, in a sentence of which no tagger knows more than we do.

There are closed word lists, capital letters and punctuation, and a phrase is taken only where its bounds are plain:
nothing is better than the wrong words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from corpus.article import Span

QUOTED = "\ue000"  # stands for each character inside a quotation, so that offsets stay

_LONGEST = 14  # tokens of a phrase
_LONGEST_ASIDE = 30  # tokens between the two commas of an aside
_ASIDES = 4  # "Ann Lee, 39, a nurse from Salem, Ohio, said" has three

_TOKEN = re.compile(
    rf"(?P<quote>{QUOTED}+)"
    r"|(?P<word>(?:(?:Mr|Mrs|Ms|Dr|Sens?|Reps?|Govs?|Lt|Gen|Col|Sgt|Capt|Maj|Prof|Rev|Hon|Jr|Sr|St|Amb|Atty|Adm|Fr)\."
    r"|(?:[^\W\d_]\.){1,3}(?=\s|$|[,’'])|[^\W\d_](?:\w|&|[.’'\-](?=\w))*(?:\.(?=,))?)(?:['’](?![\w”“\"]))?)"
    r"|(?P<number>[$£€#]?\d(?:[\w%]|[.,:](?=\d))*)|(?P<mark>--|\S)"
)


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRONOUNS = words("he she")
SUBORDINATE = words(
    "after when because if since while where until whether although though unless before once why how which what than"
)
TIMES = words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august"
    " september october november december week month year weekend morning afternoon evening night day days weeks months"
    " years ago earlier spring summer fall autumn winter jan feb aug sept oct nov dec"
)
_NOBODY = words(
    "i we you they it this that these those which what there some many others most several another one ones nobody none"
    " someone everyone everybody anyone people him her them me us who whom each both all few much such neither either"
    " his its my our your yes no like unlike despite alongside amid among besides except per"
)
_ADVERBS = words(
    "also then later once now still again just recently often even already first repeatedly only further simply rather"
    " since always sometimes soon too long late early yesterday today tonight famously there"
)
_HAVE = words("has have had")
_OCCASIONS = words(
    "statement interview email e-mail speech tweet post letter phone telephone briefing conference memo message release"
    " video op-ed rally debate appearance call remarks testimony report blog column note text"
)
_PREPOSITIONS = words("on in at during from after before over via by through this last late early next")
_JOINS = words("of for at in from with on the")
_CONJUNCTIONS = words("and but or as that so yet nor") | SUBORDINATE
_BREAKS = (
    _CONJUNCTIONS
    | _NOBODY
    | words(
        "whose is are was were be been being am has have had do does did will would can could should may might must not"
        " to by into about against under between without said says say told tells added asked wrote he she saying"
        " telling adding asking writing made took came went got met saw left gave became began held kept let put ran"
        " sent won lost think thinks thought believe believes believed know knows knew want wants wanted"
    )
)
_DETERMINERS = words("the a an his her its their our my this that these those one two three four five another")
_OPENERS = words("the a an his her their one two three another")  # determiners of somebody
FUNCTION = _BREAKS | _DETERMINERS | _JOINS | _PREPOSITIONS | _ADVERBS
_PARTICLES = words("de da di del della der den van von bin ibn al el la le du dos das ten ter y")
_LEADS_IN = _PREPOSITIONS | _ADVERBS
_WITHIN = _JOINS | _PARTICLES
_SURELY_OUTSIDE = FUNCTION | TIMES
_NOBODY_AT_ALL = _NOBODY - _DETERMINERS
ROLE = re.compile(
    r"(?:man|men|woman|women|person|people|er|ers|or|ors|ist|ists|ian|ians|ant|ants|ent|ents|ee|chief|head|aide|aides"
    r"|coach|governor|gov|secretary|official|officials|candidate|candidates|nominee|czar|critic|critics|general|analyst"
    r"|analysts|attorney|judge|mate|host|resident|expert|experts|pundit|mayor|guru|student|ally|wife|husband|son|mother"
    r"|father|brother|daughter|sister|activist|nurse|star|counsel|counselor|boss|operative|rival|hopeful|justice|pastor"
    r"|correspondent|columnist|source|sources|police|campaign|surrogate|delegate|colleague|friend|spokes\w+|page|site"
    r"|group|agency|company|organization|party|elect|advocate|executive|representative)$"
)
_VERB = re.compile(r"[a-z]{2,}(?:ed|ing)$")
_ADJECTIVES = words(  # and nouns that end like verbs
    "leading ruling acting ranking retired longtime unnamed visiting outgoing incoming managing presiding united"
    " concerned elected appointed governing embattled wounded registered convicted building meeting hearing red"
    " marketing housing training advertising banking fundraising polling presumed exiled jailed accused veteran"
)


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int  # in characters of the text that was cut up
    end: int
    kind: str  # word, number, quote (a whole quotation) or mark

    @property
    def low(self) -> str:
        return "u.s" if self.text == "US" else self.text.lower().rstrip(".")

    @property
    def capital(self) -> bool:
        return self.kind == "word" and self.text[0].isupper()

    @property
    def owns(self) -> bool:
        return self.text.endswith(("'s", "’s", "s'", "s’"))


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase: the tokens [first, last) of its row."""

    first: int
    last: int
    span: Span  # in characters of the text that was cut up
    kind: str  # name, role ("a spokesman for the ministry") or pronoun


def tokens(text: str, span: Span) -> list[Token]:
    """The row of tokens in a span; quotations must have been replaced by QUOTED."""
    found = _TOKEN.finditer(text, *span)
    return [Token(match[0], match.start(), match.end(), match.lastgroup or "mark") for match in found]


def phrase_before(row: Sequence[Token], verb: int) -> Phrase | None:
    """The subject that ends just before a verb; adverbs, dates and asides between the two are stepped over."""
    last = _back_over_time(row, verb)
    if last > 0 and row[last - 1].text == ")":
        last = next((n for n in range(last - 2, max(last - _LONGEST_ASIDE, -1), -1) if row[n].text == "("), 0)
    if last > 1 and row[last - 1].text in (",", "—", "–", "--", "-"):
        return _before_aside(row, last - 1)
    return _ending_at(row, last)


def phrase_after(row: Sequence[Token], verb: int) -> Phrase | None:
    """The subject that begins just after a verb: "said Ann Lee of Ohio", "said a spokesman for the ministry"."""
    first = last = verb + 1
    while last < len(row) and last - first < _LONGEST and _goes_on(row, first, last):
        last += 1
    while last > first and row[last - 1].low in FUNCTION:
        last -= 1
    if last == first or not _is_noun_phrase(row[first:last]) or _is_cut(row, last):
        return None
    phrase = _phrase(row, first, last)
    return _with_name(row, phrase) if phrase and phrase.kind == "role" else phrase


def _back_over_time(row: Sequence[Token], last: int) -> int:
    while last > 0 and row[last - 1].kind == "word":
        token = row[last - 1]
        if token.low in _ADVERBS or token.low in _HAVE or (token.low.endswith("ly") and not token.capital):
            last -= 1
        elif token.low in TIMES or token.low in _OCCASIONS:
            begins = [n for n in range(max(last - 5, 0), last - 1) if row[n].low in _PREPOSITIONS]
            begins = [n for n in begins if all(one.kind != "mark" for one in row[n:last])]
            if not begins and not (token.low in TIMES and token.capital):
                break
            last = begins[-1] if begins else last - 1
        else:
            break
    return last


def _before_aside(row: Sequence[Token], comma: int) -> Phrase | None:
    """Of "Ann Lee, a nurse from Salem, Ohio, said": the name. `comma` closes the last aside."""
    mark, last = row[comma].text, comma
    for _ in range(_ASIDES):
        opening = _opening(row, last, mark)
        if opening and opening > 2 and row[opening - 1].kind == "number" and row[opening - 2].text == mark:
            opening -= 2  # an age
        phrase = _ending_at(row, opening) if opening else None
        if opening is None or phrase is None:
            return None
        if phrase.kind == "name" and not _is_in_aside(row, phrase):
            return phrase
        if phrase.kind == "role" and _is_name(row[opening + 1 : comma]) and not _follows_name(row, phrase):
            return Phrase(phrase.first, comma, (phrase.span[0], row[comma - 1].end), "name")
        if phrase.first == 0 or row[phrase.first - 1].text != mark:
            return phrase if phrase.kind == "role" and row[phrase.first].low in _DETERMINERS else None
        last = phrase.first - 1
    return None


def _is_in_aside(row: Sequence[Token], phrase: Phrase) -> bool:
    """Whether a name is the place of an aside, such as Ohio, or within a clause: "Lee, whose firm, Lee & Co, ..."."""
    back = [token.low for token in row[max(phrase.first - 10, 0) : phrase.first]]
    within = bool(back) and back[-1] == "," and not {"whose", "who", "which"}.isdisjoint(back)
    return within or _follows_name(row, phrase) or row[phrase.first].kind == "number"


def _follows_name(row: Sequence[Token], phrase: Phrase) -> bool:
    """Whether another name or a number stands before a phrase, and a comma between."""
    before = phrase.first - 1
    return before > 0 and row[before].text == "," and (row[before - 1].capital or row[before - 1].kind == "number")


def _opening(row: Sequence[Token], last: int, mark: str) -> int | None:
    for n in range(last - 1, max(last - _LONGEST_ASIDE, -1), -1):
        if row[n].text == mark:
            return n
        if row[n].kind == "quote" or row[n].text in (".", ";", ":", "?", "!"):
            break
    return None


def _ending_at(row: Sequence[Token], last: int) -> Phrase | None:
    """The phrase whose last token is `row[last - 1]`, if it begins where a clause may begin."""
    if last < 1 or row[last - 1].kind != "word":
        return None
    if row[last - 1].low in PRONOUNS:
        return _phrase(row, last - 1, last)
    first = last
    while first > 0 and last - first < _LONGEST and _is_inside(row, first - 1, last):
        first -= 1
    if first == last or row[first].low in _LEADS_IN or not _is_noun_phrase(row[first:last]):
        return None
    begins = first == 0 or row[first - 1].kind in ("quote", "mark") or row[first - 1].low in _CONJUNCTIONS
    return _phrase(row, first, last) if begins else None


def _is_inside(row: Sequence[Token], n: int, last: int) -> bool:
    token = row[n]
    if token.text in ("and", "&") and 0 < n < last - 1:
        return row[n - 1].capital and row[n + 1].capital
    return token.kind in ("word", "number") and token.low not in _BREAKS


def _goes_on(row: Sequence[Token], first: int, n: int) -> bool:
    token, before = row[n], row[n - 1]
    if token.kind in ("quote", "mark") or (token.low in TIMES and n > first):
        return token.text == "&"
    if n == first:
        return token.low not in FUNCTION or token.low in _OPENERS
    if token.text in ("and", "of") and before.capital:
        return n + 1 < len(row) and row[n + 1].capital and not _is_person_of(row, first, n)
    if before.capital and not token.capital and row[first].low not in _OPENERS:
        return token.low in _PARTICLES or before.owns or bool(ROLE.search(token.low))
    return token.low in _JOINS or token.low not in FUNCTION


def _is_cut(row: Sequence[Token], last: int) -> bool:
    """Whether a phrase ends before a noun that may be its own."""
    if last >= len(row) or row[last].kind != "word" or row[last].capital:
        return False
    return row[last].low not in _SURELY_OUTSIDE and not re.search(r"(?:ing|ed|ly)$", row[last].low)


def _is_person_of(row: Sequence[Token], first: int, n: int) -> bool:
    """Whether "of" follows a first and a last name, so that what comes next is only where they are from."""
    return row[n].text == "of" and n - first == 2 and row[first].capital and not row[first].owns


def _is_noun_phrase(run: Sequence[Token]) -> bool:
    """Whether a run of words is one phrase: no verb, a noun at its end, and only roles between two names."""
    if run[-1].low in FUNCTION or run[-1].kind == "number" or run[-1].owns:
        return False
    if any(_VERB.match(token.text) and token.low not in _ADJECTIVES for token in run):
        return False
    named = False
    for token, following in pairwise(run):
        named = named or token.capital
        joins = token.capital or token.owns or token.text in ("and", "&") or token.low in _WITHIN
        if named and following.capital and not joins and not ROLE.search(token.low):
            return False
    return True


def _is_name(run: Sequence[Token]) -> bool:
    return 2 <= len(run) <= 4 and all(token.capital for token in run)


def _with_name(row: Sequence[Token], phrase: Phrase) -> Phrase:
    """Of "said Lee's lawyer, Tom Park, ...": with the name between the commas."""
    comma = phrase.last
    end = next((n for n in range(comma + 1, min(comma + 6, len(row))) if not row[n].capital), len(row))
    ends = end >= len(row) or row[end].kind == "mark"
    if comma < len(row) and row[comma].text == "," and _is_name(row[comma + 1 : end]) and ends:
        return Phrase(phrase.first, end, (phrase.span[0], row[end - 1].end), "name")
    return phrase


def _phrase(row: Sequence[Token], first: int, last: int) -> Phrase | None:
    span = row[first].start, row[last - 1].end
    if row[first].low in PRONOUNS and last - first == 1:
        return Phrase(first, last, span, "pronoun")
    if any(token.low == "percent" or token.low.endswith("%") for token in row[first:last]):
        return None  # of those who were asked
    alone = last - first == 1
    if row[first].low in _NOBODY_AT_ALL or (alone and (row[first].low in FUNCTION or _is_adverb(row[first]))):
        return None
    return Phrase(first, last, span, "name" if row[last - 1].capital else "role")


def _is_adverb(token: Token) -> bool:
    return bool(re.search(r"(?:al|i|ed|ent|ing|ous|ive)ly$", token.low)) and len(token.low) > 6
