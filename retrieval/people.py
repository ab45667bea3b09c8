"""Who is meant: a surname's full name elsewhere in the article, and the person that "he" or "she" stands for.

Both are given only where the article leaves no choice. First names tell "he" from "she"; a name that is not listed
here tells nothing, and then the pronoun is not resolved.
"""

import re
from collections.abc import Iterator, Sequence

from corpus.article import Span
from retrieval.phrases import FUNCTION, PRONOUNS, ROLE, SUBORDINATE, TIMES, Phrase, Token, tokens, words
from retrieval.saying import clauses

FAR = 20_000  # characters read for a full name: so many at the article's beginning, and so many before the mention
_OCCURRENCES = 200  # of a surname that are looked at in each
_SENTENCES = 12  # before a pronoun's that are read
_MOST_NAMES = 12  # in a sentence that a pronoun is looked up in
NEAR = 2  # sentences before a pronoun in which a speaker is meant although the first name is not known

TITLES = words(
    "mr mrs ms miss dr sen senator rep representative congressman congresswoman gov governor president vice lt"
    " gen general col colonel sgt capt captain maj major prof professor rev hon amb ambassador atty attorney adm"
    " admiral sir dame lord lady king queen prince princess pope judge justice mayor secretary minister prime"
    " chancellor speaker chairman chairwoman coach detective officer sheriff deputy aunt uncle bishop cardinal"
    " sister brother chief former president-elect ex-president leader majority minority republican democrat"
    " democratic gop candidate nominee frontrunner sens reps govs messrs"
)
_HONOURED = words(
    "mr mrs ms miss dr sen senator rep congressman congresswoman gov president prof professor sir judge justice mayor"
    " secretary minister chancellor lt gen col"
)
_WOMAN = words("mrs ms miss congresswoman dame lady queen princess chairwoman aunt")
_MAN = words("mr sir lord king prince pope congressman chairman uncle bishop cardinal")
_WOMEN = words(
    "abigail alice alicia alison allison amanda amber amy andrea angela anita ann anna anne annie april ashley barbara"
    " beth betty bonnie brenda brooke candace carla carly carmen carol caroline catherine charlotte cheryl christina"
    " christine cindy claire claudia colleen condoleezza connie crystal cynthia dana dawn deborah debbie denise diana"
    " diane donna doris dorothy elena eleanor elizabeth ellen emily emma erica erin eva evelyn fiona frances gail gina"
    " gloria grace greta hannah heather heidi helen hillary holly huma ivana ivanka jackie jane janet jean jen jennifer"
    " jenny jessica jill joan joanna jodi josephine joyce judith judy julia julie kaitlyn karen kate katherine kathleen"
    " kathryn kathy katie kayleigh kellyanne kim kimberly kirsten kristen kristin laura lauren leslie liz linda lisa"
    " loretta lori louise lucy lynn madeleine maggie margaret maria marie marilyn martha mary maureen megan melania"
    " melissa michelle mia monica nancy naomi natalie neera nicole nikki nina olga olivia pamela patricia patti paula"
    " peggy phyllis priscilla rachel rebecca renee rita robin rosa rose ruth sally samantha sandra sara sarah shannon"
    " sharon shirley sonia sophia sophie stacy stephanie sue susan susana suzanne svetlana sylvia tammy tara teresa"
    " theresa tiffany tina tracy ursula valerie vanessa victoria virginia wendy yulia yvonne zoe"
)
_MEN = words(
    "aaron abraham adam al alan albert alex alexander alfred allen andrew andy anthony antonio arthur barack barry ben"
    " benjamin bernard bernie bill billy bob bobby boris brad bradley brandon brent brian bruce bryan carl carlos"
    " charles charlie chris christian christopher chuck clarence colin corey craig curtis dan daniel darrell dave david"
    " dean dennis derek dmitry dick don donald doug douglas dwight ed eddie edward edwin emmanuel eric ernest eugene"
    " evan francis frank franklin fred frederick gary gavin gene geoffrey george gerald gilbert glenn gordon greg"
    " gregory harold harry harvey henry herbert howard hugh ian igor isaac jack jacob jake james jared jason jay jeb"
    " jeff jeffrey jeremy jerome jerry jesse jim jimmy joe joel john johnny jon jonathan jose joseph josh joshua juan"
    " justin karl keith ken kenneth kevin kurt kyle larry lawrence lee leo leon leonard lindsey louis luis luke manuel"
    " marco marcus mario mark marshall martin marvin matt matthew max melvin michael mick miguel mike mitch mitt"
    " mohammed nathan ned neil newt nicholas nick nigel norman oleg oliver orrin oscar otto owen patrick paul pedro"
    " perry pete peter phil philip phillip rafael ralph rand randy raymond reince rex ricardo richard rick robby rob"
    " robert roberto rodney roger roland ron ronald ross roy rudy rupert russell ryan sam samuel scott sean sergei"
    " seth shawn sidney simon stanley stephen steve steven stuart ted terry theodore thomas tim timothy todd tom tommy"
    " tony travis trey vernon victor vincent vladimir volodymyr walter warren wayne wesley will william xavier zachary"
)
_NO_PERSON = words(
    "news post times journal university party house senate committee council court department agency bureau association"
    " institute center foundation company corp inc group bank school college church campaign congress parliament"
    " ministry white new york north south east west carolina dakota united states america california texas virginia"
    " hampshire jersey mexico jerusalem super tuesday day street wall city county national republican democratic"
    " republicans democrats american americans union press fox cnn msnbc nbc abc cbs npr reuters twitter facebook"
    " google air force army navy act bill service security office board commission federal supreme state international"
    " washington league club fund society network research poll survey convention caucus conference award bible"
    " god christmas christian muslim muslims jewish latino hispanic english russian chinese british german french"
    " european africa asia europe russia china iran iraq syria israel ukraine kremlin pentagon nato los angeles san las"
    " vegas beach hotel tower airport hall park island valley lake river mountain hill coast square avenue road"
    " i so how yes no oh well what who hello today super tea great pac super-pac show tonight live nation week daily"
)

_FIRST_NAMES = _MEN | _WOMEN
_NOT_IN_NAMES = TITLES | FUNCTION | _NO_PERSON | TIMES
_NOT_FIRST = (FUNCTION | _NO_PERSON) - _FIRST_NAMES
_NOT_LAST = _NO_PERSON | TIMES | PRONOUNS
_BEFORE_SURNAME = re.compile(r"(?:[^\W\d_][\w.’'\-]* ){1,4}$")
_EQUATES = words(", as is was be being not of")  # "Ann Lee, a farmer" and "as a farmer" are nobody new
_COMPOUND = re.compile(r"-[a-z]|^[A-Z]{3,}$")  # "Boston-based", "ABC"
_PERSON = re.compile(
    r"(?:man|woman|boy|girl|person|[a-z]+(?:woman|man)|voter|supporter|mayor|governor|senator|president|candidate|nominee"
    r"|aide|advis[eo]r|spokes\w+|official|officer|professor|teacher|student|lawyer|attorney|judge|reporter|journalist"
    r"|host|moderator|anchor|analyst|expert|strategist|activist|protester|minister|secretary|director|chair|doctor|nurse"
    r"|father|mother|son|daughter|wife|husband|brother|sister|veteran|operative|consultant|pollster|lawmaker|delegate"
    r"|critic|friend|ally|rival|opponent|author|writer|columnist|editor|executive|leader|manager|member|organizer"
    r"|billionaire|mogul|pastor|immigrant|worker|farmer|owner|resident|partner|colleague|uncle|aunt|boss|coach|victim)"
)


def named_in_full(text: str, mention: Span) -> Span:
    """The first place that names a person with a first name, where it is one and the same everywhere; or the mention.

    Only for a mention of a surname alone, with or without a title.
    """
    plain = [token for token in tokens(text, mention) if token.low not in TITLES]
    if len(plain) != 1 or not plain[0].capital or len(plain[0].text) < 3:
        return mention
    titled = sex(text, mention)
    found: dict[str, Span] = {}
    for name in _full_names(text, plain[0].text, mention[0]):
        span = name[0].start, name[-1].end
        if titled in ("", sex(text, span) or titled):
            found.setdefault(name[0].low, span)
    if len(found) != 1:
        return mention
    [(given, span)] = found.items()
    return span if given in _FIRST_NAMES or not re.search(rf"\b{re.escape(given)}\b", text[:FAR]) else mention


def _full_names(text: str, surname: str, before: int) -> Iterator[list[Token]]:
    """Each time that a surname stands behind a first name, in the order of the text."""
    for low, high in sorted({(0, min(FAR, before)), (max(before - FAR, 0), before)}):
        at = low - 1
        for _ in range(_OCCURRENCES):
            at = text.find(surname, at + 1, high)
            if at < 0:
                break
            end = at + len(surname)
            ends = not text[end : end + 1].isalnum() and text[end : end + 1] != "-"
            if ends and (found := _BEFORE_SURNAME.search(text, max(at - 60, low), at)):
                name = _without_titles(tokens(text, (found.start(), end)))
                if len(name) > 1:
                    yield name


def _without_titles(row: list[Token]) -> list[Token]:
    """The capital words at the end of a row, less those that are no part of a name."""
    first = len(row)
    while first > 0 and row[first - 1].capital and not row[first - 1].owns:
        first -= 1
    name = row[first:]
    while len(name) > 1 and _is_no_name(name[0]):
        name = name[1:]
    return name


def _is_no_name(token: Token) -> bool:
    if token.low in _FIRST_NAMES:
        return False
    return token.low in _NOT_IN_NAMES or bool(ROLE.search(token.low)) or bool(_COMPOUND.search(token.text))


def sex(text: str, name: Span) -> str:
    """he, she, or nothing where the name does not tell."""
    lows = [token.low for token in tokens(text, name)]
    if titles := set(lows) & (_WOMAN | _MAN):
        return "she" if titles <= _WOMAN else "he" if titles <= _MAN else ""
    given = next((low for low in lows if low not in TITLES), "")
    if len(lows) < 2 or (given in _WOMEN) == (given in _MEN):
        return ""
    return "she" if given in _WOMEN else "he"


def referent(text: str, low: int, mask: str, pronoun: Span) -> Span | None:
    """The person that "he" or "she" stands for, named in full, where only one can be meant.

    `mask` is the text from `low` on without its quotations; `pronoun` is a span of it, the result one of the text.
    """
    wanted = mask[slice(*pronoun)].lower()
    for near, row in enumerate(_backwards(mask, pronoun[0])):
        speaks = _who_speaks(row)
        if _brings_in(row) if speaks is None else speaks.kind == "role":
            return None
        if speaks is not None and speaks.kind == "name":
            people = _people(text, low, row[speaks.first : speaks.last], wanted, trusting=near < NEAR)
        elif speaks is not None:
            continue  # "he said" again: others are named as somebody else
        else:
            people = _people(text, low, row, wanted, trusting=False)
        if people is None or len(people) > 1:
            return None
        if people:
            return people[0]
    return None


def _backwards(mask: str, end: int) -> Iterator[list[Token]]:
    """The sentences before a place, the nearest first; that of the place itself up to it."""
    count = 0
    while end > 0 and count < _SENTENCES:
        start = mask.rfind("\n", 0, end) + 1
        for row in reversed(_pieces(tokens(mask, (start, end)))):
            if any(token.kind == "word" for token in row):
                yield row
                count += 1
        end = start - 1


def _pieces(row: Sequence[Token]) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    for token in row:
        pieces[-1].append(token)
        if token.text in (".", "!", "?", ";"):
            pieces.append([])
    return pieces


def _who_speaks(row: Sequence[Token]) -> Phrase | None:
    """Who speaks in a sentence, where it is one."""
    found = [clause.subject for clause in clauses(row) if clause.kind in ("main", "inverted", "who")]
    return found[0] if found else None


def _brings_in(row: Sequence[Token]) -> bool:
    """Whether a person without a name comes in: "a voter", "one young farmer"."""
    for n, token in enumerate(row):
        if _PERSON.fullmatch(token.low) and not (n + 1 < len(row) and row[n + 1].capital):
            articles = [k for k in range(max(n - 3, 0), n) if row[k].low in ("a", "an", "one", "another")]
            if any(k == 0 or row[k - 1].low not in _EQUATES for k in articles):
                return True
    return False


def _people(text: str, low: int, row: Sequence[Token], wanted: str, trusting: bool) -> list[Span] | None:
    """The different people in a row of tokens whom the pronoun may mean; None where one is not known well enough.

    `trusting` takes a full name that does not tell he from she.
    """
    subjects: dict[str, Span] = {}
    others: set[str] = set()
    names = list(_names(row))
    doubtful = len(names) > _MOST_NAMES
    for first, last in names[:_MOST_NAMES]:
        start, end = row[first].start + low, row[last - 1].end + low
        if row[last - 1].owns:
            end = max(text.rfind("'", start, end), text.rfind("’", start, end))
        full = named_in_full(text, (start, end))
        which = sex(text, full) or sex(text, (start, end))
        if which not in ("", wanted):
            continue
        surname = tokens(text, full)[-1].low
        if not _may_be_subject(row, first):
            others.add(surname)
        elif which or (trusting and full[1] - full[0] > len(surname) + 1):
            subjects.setdefault(surname, full)
        else:
            doubtful = True
    if doubtful or (others - set(subjects) and not subjects):
        return None
    return list(subjects.values())


def _may_be_subject(row: Sequence[Token], first: int) -> bool:
    if first == 0:
        return True
    before = row[first - 1]
    return (
        before.kind in ("mark", "quote")
        or before.low in SUBORDINATE
        or before.low in ("that", "and", "but", "as", "said", "says")
        or bool(ROLE.search(before.low))
    )


def _names(row: Sequence[Token]) -> Iterator[Span]:
    """Runs of capital words that may name a person."""
    first = 0
    while first < len(row):
        last = first
        while last < len(row) and row[last].capital and not (last > first and row[last - 1].owns):
            last += 1
        begin = first
        while last - begin > 1 and row[begin].low in _NOT_FIRST:
            begin += 1
        if last > begin and _may_be_person(row, begin, last):
            yield begin, last
        first = max(last, first + 1)


def _may_be_person(row: Sequence[Token], first: int, last: int) -> bool:
    run, before = row[first:last], row[first - 1].low if first else ""
    lows = {token.low for token in run}
    known = not (lows.isdisjoint(_FIRST_NAMES) and lows.isdisjoint(_HONOURED))
    if lows <= _NOT_IN_NAMES or run[-1].low in _NOT_LAST:
        return False
    if before in ("the", "in", "at", "near") and not known:
        return False
    return len(run) > 1 or len(run[0].text) == 1 or not run[0].text.isupper()
