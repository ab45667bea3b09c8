"""Turns in a chat: follow-ups and commands. A channel gets all of it by translating to and from text."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, Protocol

from bot import following, messages
from bot.followup import MAX_QUESTION, asks_who_said, complete, points_back, topic
from bot.length import FIELD, cut
from bot.store import Given, Mark, Store, Told, digest, mark, short_id
from bot.verify import FEWEST, match, quoted
from bot.watchlist import Place, Telling
from corpus.archive import Archive, NoSuchArticle, Revision, StoredPassage
from corpus.article import Article, BadArticle, Kind, line
from corpus.corrections import corrections
from corpus.intake import Busy
from corpus.kinds import kind_of
from retrieval.answer import Answer, Differing, Reason
from retrieval.citation import Citation, FalseQuote, age, cite, link
from retrieval.question import OLD_AFTER, TURNED_ROUND, BadQuestion, Question, read_question
from retrieval.scope import Scope
from retrieval.speaker import quotes

if TYPE_CHECKING:
    from corpus.sources.freshness import Freshness

MORE = 600  # characters that /more adds on either side, up to the end of a paragraph
OUTLETS = 15  # named by /sources
VOTES = 20  # shown by /feedback
NAMED = 3  # outlets that carry the same words
DIFFERING = 5  # reports shown side by side
MINUTE, DAY = 60, 86_400
ON_MESSAGES = ("/ask", "/verify", "/add", "/follow")
KEYS = 10  # inline searches to one question
WRONG = {"a": messages.WRONG_ANSWER, "q": messages.WRONG_QUOTE, "d": messages.OUT_OF_DATE}  # as a button keeps it
RIGHT = "r"
VOTES_FOR = {RIGHT: messages.RIGHT, **WRONG}


class Desk(Protocol):
    def ask(self, question: Question) -> Answer: ...
    def proven(self, citation: Citation) -> Citation:
        """The same citation, checked again. Raises FalseQuote."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """One citation of the last answer, with more around it."""

    citation: Citation
    number: int  # 1 is the first
    count: int
    question: Question  # that it answers
    copies: tuple[str, ...] = ()  # other outlets that carry it
    differing: tuple[Differing, ...] = ()  # what other reports say instead, and this one, newest first
    answer: str = ""  # id of the stored answer
    widened: int = 0  # times that more context was asked for
    heading: str = ""  # what stands above it, where nobody asked just then
    outdated: "Freshness | None" = None  # of the archive, where it does not reach to the end of the days asked for
    sure: bool = True  # False: no answer, but what may be meant


@dataclass(frozen=True, slots=True)
class Verified:
    """An article that has these words, or nearly these."""

    citation: Citation
    exact: bool
    differences: str


@dataclass(frozen=True, slots=True)
class Export:
    """Something to copy: an answer as a citation, an invitation."""

    text: str
    code: str = ""  # /start and this code open it


@dataclass(frozen=True, slots=True)
class Sources:
    """The articles behind the last answer: those it cites first."""

    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The person is done."""


Reply = Answer | Shown | Sources | Verified | Export | End | str  # str: a sentence of ours


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may ask, and how much. Ids are the channel's own, as text."""

    admins: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()  # people and chats
    access: Literal["open", "list", "invite"] = "open"
    person: tuple[int, int] = (10, 300)  # questions a minute, a day
    chat: tuple[int, int] = (30, 2_000)


class Keeper(Protocol):
    """What an administrator may do to the archive. Each raises BadArticle, NoSuchArticle or Busy with a sentence."""

    def add_document(self, data: bytes, name: str) -> str: ...
    def add_page(self, url: str) -> str: ...
    def forget(self, name: str) -> tuple[str, str]: ...
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Office:
    """What all conversations of a channel share."""

    desk: "Desk"
    archive: Archive
    alike: Callable[[str], Sequence[StoredPassage]]  # passages that share words with a text, most first
    store: Store
    keeper: Keeper
    rules: Rules = Rules()
    citations: int = 3
    old_after: int = OLD_AFTER
    today: Callable[[], date] = date.today
    seats: int = 1  # questions answered at a time
    telling: Telling = field(default_factory=Telling)
    in_step: Callable[[], bool] = lambda: True  # whether the indexes have followed the archive
    posts: bool = True  # whether the channel can write to a chat unasked
    fresh: Callable[[], "Freshness | None"] = lambda: None  # how far the archive follows its sources
    outdated: Callable[[Question], "Freshness | None"] = lambda question: None  # the same, where it is not far enough


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, and where."""

    id: str = ""  # channel:user
    chat: str = ""  # channel:chat
    topic: str = ""
    name: str = ""
    language: str = ""
    groups: frozenset[str] = frozenset()  # that the person is in, as the settings write them

    @property
    def place(self) -> str:
        return f"{self.chat}:{self.topic}"

    @property
    def ids(self) -> frozenset[str]:
        """As the settings write them: without the channel."""
        return frozenset(one.partition(":")[2] for one in (self.id, self.chat))


@dataclass(frozen=True, slots=True)
class _Turn:
    question: str  # completed, with its time words
    text: str
    citations: tuple[Citation, ...]
    behind: tuple[Revision, ...] = ()  # the articles that it was chosen from, the cited ones first
    id: str = ""
    copies: tuple[tuple[str, ...], ...] = ()  # for each citation: other outlets that carry it
    answered: bool = True  # False: its one citation, where it has one, is what may be meant


class Conversation:
    """One person's turns with the desk."""

    def __init__(
        self,
        desk: Desk,
        *,
        scope: Scope = Scope(),  # noqa: B008 - frozen
        citations: int = 3,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._desk = desk
        self._scope = scope
        self._citations = citations
        self._today = today
        self._last: _Turn | None = None
        self._resumed = False  # whether the person replied to that turn's message
        self._shown: Shown | None = None

    def reply(self, text: str, context: str = "") -> Reply:
        """To whatever a person wrote: a command or a question, which may lean on `context`. Never raises for that."""
        text = line(text)
        try:
            return self._obey(text) if text.startswith("/") else self.ask(text, context)
        except BadQuestion as error:
            return self._say(error.sentence, **error.values)
        except (BadArticle, FalseQuote, NoSuchArticle, Busy) as error:
            return str(error)

    def ask(self, text: str, context: str = "") -> Reply:
        """The answer; a follow-up is completed from `context`, or from the turn before. Raises BadQuestion."""
        text = line(text)
        last = _Turn(line(context), "", ()) if context else self._last
        if not context and self._last and asks_who_said(text):
            if not self._last.citations:
                return self._say(messages.NOTHING_CITED)
            if again := self._again():
                return again if speaker(again.citation) else self._say(messages.NO_ONE_SPEAKER)
        whole = text  # where it is long, it leans on nothing and must not be cut
        if len(text) <= MAX_QUESTION:
            whole = complete(text, last.question if last else "", last.text if last else "")
        question = read_question(
            whole, today=self._scope.as_of or self._today(), scope=self._scope, citations=self._citations, said=text
        )
        answer = self._in_its_articles(question, text, last) or self._desk.ask(question)
        about = topic(text, whole, last.question if last else "")
        carried = tuple(carried_by(answer, one) for one in answer.quoted)
        said = "\n".join(one.quote for one in answer.quoted)
        self._last = _Turn(about, said, answer.quoted, _behind(answer), copies=carried, answered=answer.answered)
        self._shown = first(answer) if answer.quoted else None
        return answer

    def _again(self) -> Shown | None:
        """The citation that was shown last."""
        return self._shown

    def _in_its_articles(self, question: Question, text: str, last: _Turn | None) -> Answer | None:
        """The answer from the articles that the turn before cites, where the question points back to them."""
        if not (last and last.citations and (self._resumed or points_back(text))):
            return None
        cited = tuple(sorted({one.revision for one in last.citations}))
        answer = self._desk.ask(replace(question, scope=replace(question.scope, revisions=cited)))
        asked = replace(answer.question, scope=question.scope)
        return replace(answer, question=asked) if answer.answered else None

    def new(self) -> str:
        """Forgets the turns; the filters stay."""
        self._last = self._shown = None
        return messages.NEW

    def since(self, text: str) -> str:
        return self._narrowed(replace(self._scope, since=read_day(text) if text else None))

    def until(self, text: str) -> str:
        return self._narrowed(replace(self._scope, until=read_day(text) if text else None))

    def outlet(self, name: str) -> str:
        return self._narrowed(replace(self._scope, outlets=(name,) if name else ()))

    def sources(self) -> Reply:
        if self._last is None:
            return messages.NOTHING_ASKED
        return Sources(self._last.behind)

    def more(self) -> Reply:
        """The same citation with more of its article around it, each time more."""
        if self._shown is None:
            return messages.NOTHING_CITED if self._last else messages.NOTHING_ASKED
        wide = self._desk.proven(wider(self._shown.citation))
        if wide == self._shown.citation:
            return messages.WHOLE_ARTICLE
        self._shown = replace(self._shown, citation=wide)
        return self._shown

    def next(self) -> Reply:
        if self._last is None or self._shown is None:
            return messages.NOTHING_CITED if self._last else messages.NOTHING_ASKED
        if self._shown.number == self._shown.count:
            return messages.LAST_CITATION.format(count=self._shown.count)
        number = self._shown.number + 1
        citation = self._desk.proven(self._last.citations[number - 1])
        copies = self._last.copies[number - 1] if self._last.copies else ()
        self._shown = replace(self._shown, citation=citation, number=number, copies=copies)
        return self._shown

    def _obey(self, text: str) -> Reply:
        name, _, rest = text.partition(" ")
        commands = self._commands(rest)
        obey = commands.get(name.lower())
        return obey() if obey else self._unknown(name[:40], get_close_matches(name, commands, n=1))

    def _unknown(self, name: str, close: Sequence[str]) -> str:
        return messages.unknown_command(name, close)

    def _say(self, sentence: str, **values: object) -> str:
        return sentence.format(**values)

    def _commands(self, rest: str) -> dict[str, Callable[[], Reply]]:
        return {
            "/help": lambda: messages.HELP,
            "/new": self.new,
            "/since": lambda: self.since(rest),
            "/until": lambda: self.until(rest),
            "/outlet": lambda: self.outlet(rest),
            "/sources": self.sources,
            "/more": self.more,
            "/next": self.next,
            "/quit": End,
        }

    def _narrowed(self, scope: Scope) -> str:
        if scope.since and scope.until and scope.since > scope.until:
            raise BadQuestion(TURNED_ROUND, since=scope.since, until=scope.until)
        self._scope = scope
        return messages.only(messages.filters(scope.since, scope.until, scope.outlets, scope.as_of, ""))


class Stored(Conversation):
    """A conversation that outlives the program: each turn is read from the store and written there."""

    def __init__(self, office: Office, person: Person) -> None:
        self._office, self._store, self._person = office, office.store, person
        self._turn_id, scope = office.store.turn(person.place)
        super().__init__(office.desk, scope=scope, citations=office.citations, today=office.today)
        self._last = self._turn(self._turn_id)

    @property
    def answer_id(self) -> str:
        """Of the last answer."""
        return self._turn_id

    @property
    def admin(self) -> bool:
        return self._person.id.partition(":")[2] in self._office.rules.admins

    def allowed(self) -> bool:
        rules = self._office.rules
        if rules.access == "open" or self.admin or rules.allowed & (self._person.ids | self._person.groups):
            return True
        return rules.access == "invite" and self._store.invited(self._person.id)

    def resume(self, answer: str) -> None:
        """What is asked next leans on this answer."""
        resumed = self._turn(answer)
        self._last, self._resumed = resumed or self._last, resumed is not None

    def start(self, code: str) -> Reply:
        """A deep link: to a stored answer, or an invitation."""
        if code and not self.allowed():
            return self._say(messages.WELCOME_IN if self._redeemed(code) else messages.BAD_CODE)
        return self.opened(code) if code else self._say(messages.START)

    def reply(self, text: str, context: str = "") -> Reply:
        """A command that stands alone below somebody's message takes that message as its words."""
        alone = line(text).lower() in ON_MESSAGES
        return super().reply(f"{text} {context}" if alone else text, context)

    def ask(self, text: str, context: str = "") -> Reply:
        if refused := self._over():
            return refused
        answer = super().ask(text, context)
        if isinstance(answer, Answer) and self._last:
            self._turn_id = self._kept(answer, self._last.question)
            self._store.set_turn(self._person.place, self._turn_id, self._scope)
        return answer

    def _again(self) -> Shown | None:
        found = self.opened(self._last.id) if self._last and self._last.id else ""
        return found if isinstance(found, Shown) else None

    def new(self) -> str:
        self._turn_id = ""
        self._store.set_turn(self._person.place, "", self._scope)
        super().new()
        return self._say(messages.NEW)

    def opened(self, answer: str, number: int = 1, widened: int = 0) -> Shown | str:
        """A citation of a stored answer, proven again, with as much context as was asked for."""
        given = self._store.given(answer)
        if given is None:
            return self._say(messages.UNKNOWN_ANSWER)
        if not given.marks:
            return self._say(messages.NOTHING_CITED)
        number = (number - 1) % len(given.marks) + 1
        try:
            citation = self._desk.proven(self._cited(given.marks[number - 1]))
            for _ in range(widened):
                narrow, citation = citation, self._desk.proven(wider(citation))
        except FalseQuote:
            return self._say(messages.GONE)
        if widened and narrow == citation:
            return self._say(messages.WHOLE_ARTICLE)
        asked = Question(
            given.searched, given.given.date(), given.scope, given.said, given.read_as, old_after=self._office.old_after
        )
        copies = given.marks[number - 1].copies
        differing = self._differing(given.differing) if number == 1 else ()
        shown = Shown(citation, number, len(given.marks), asked, copies, differing, answer, widened, given.heading)
        return replace(shown, outdated=self._office.outdated(asked), sure=given.answered)

    def told(self, answer: Answer, heading: str) -> Shown:
        """An answer that nobody asked for just now, kept like others; `heading` stands above it."""
        return replace(first(answer, self._kept(answer, answer.question.shown, heading)), heading=heading)

    def follow(self, text: str) -> str:
        """Keeps the question, or the one asked last, to be told here what new articles answer. Raises BadQuestion."""
        last, text = self._last, line(text)
        if not self._office.posts:
            return self._say(messages.FOLLOW_NOT_HERE)
        if not text and not (last and last.question):
            return self._say(messages.FOLLOW_WHAT)
        whole = last.question if last and not text else text
        if text and len(text) <= MAX_QUESTION:
            whole = complete(text, last.question if last else "", last.text if last else "")
        told = last.citations if last and last.answered and last.question == whole else ()
        return self._begun(whole, told)

    def _begun(self, whole: str, told: Sequence[Citation]) -> str:
        office, who, scope = self._office, self._person, replace(self._scope, as_of=None)
        here, telling = following.Follower(Place(who.chat, who.topic), who.id, who.language), office.telling
        number = following.begin(self._store.watchlist, office.archive, here, whole, telling, scope, told)
        if number is None:
            return self._say(messages.FOLLOW_LIMIT, limit=telling.follows, chat=2 * telling.follows)
        shown = cut(whole, FIELD)
        return self._say(messages.FOLLOWED, number=number, question=shown, hours=f"{telling.hours:g}")

    def following(self) -> str:
        mine = self._store.watchlist.following(self._person.chat, self._person.id)
        lines = [f"{one.number}. {cut(one.question, FIELD)}" for one in mine]
        return "\n".join([self._say(messages.FOLLOWING), *lines]) if lines else self._say(messages.FOLLOWING_NONE)

    def unfollow(self, number: str) -> str:
        for one in self._store.watchlist.following(self._person.chat, self._person.id):
            if str(one.number) == number.strip():
                self._store.watchlist.unfollow(one)
                return self._say(messages.UNFOLLOWED, question=cut(one.question, FIELD))
        return self._say(messages.UNFOLLOW_WHAT)

    def notices(self, text: str) -> str:
        """Whether corrections are told in this chat: "on", "off", or "" to ask."""
        said, watchlist = text.strip().lower(), self._store.watchlist
        if said in ("on", "off"):
            watchlist.set_quiet(self._person.chat, said == "off")
        elif said:
            return self._say(messages.NOTICES_WHAT)
        off = watchlist.quiet(self._person.chat) or not self._office.telling.notices or not self._office.posts
        return self._say(messages.NOTICES_OFF if off else messages.NOTICES_ON)

    def offered(self, text: str, limit: int) -> list[Shown]:
        """What an answer quotes, that nobody has chosen yet: it is not stored. It comes with every key typed, so it
        has a limit of its own, KEYS times that of questions, which is kept in silence.
        """
        if not self.allowed():
            return []
        try:
            question = read_question(text, today=self._today(), scope=self._scope, citations=limit)
        except BadQuestion:
            return []
        minute, day = self._office.rules.person
        who = f"{self._person.id}/inline"
        if self._store.spend([(who, MINUTE, minute * KEYS), (who, DAY, day * KEYS)], time.time()):
            return []
        answer = self._desk.ask(question)
        every, count = enumerate(answer.quoted, 1), len(answer.quoted)
        shown = [Shown(one, number, count, answer.question, carried_by(answer, one)) for number, one in every]
        return [replace(one, outdated=answer.outdated, sure=answer.answered) for one in shown]

    def vote(self, answer: str, reason: str) -> str:
        if reason not in VOTES_FOR or self._store.given(answer) is None:
            return self._say(messages.UNKNOWN_ANSWER)
        self._store.vote(answer, self._person.id, reason)
        return self._say(messages.THANKS)

    def sources(self) -> str:
        held = self._office.archive.status()
        intake = held.last_intake.date().isoformat() if held.last_intake else self._say(messages.NO_INTAKE)
        if not held.first or not held.last:
            return self._say(messages.NOTHING_HELD, intake=intake)
        first, last = held.first.isoformat(), held.last.isoformat()
        about = self._say(messages.HOLDINGS, articles=f"{held.articles:,}", first=first, last=last, intake=intake)
        outlets = messages.outlets(held.outlets[:OUTLETS], max(len(held.outlets) - OUTLETS, 0))
        return "\n".join([about, self._say(messages.OUTLETS_HELD, outlets=outlets), *self._fresh()])

    def _fresh(self) -> list[str]:
        return index_current(self._office.fresh(), self._person.language)

    def verify(self, text: str) -> Reply:
        quotation = quoted(text)
        if len(quotation.split()) < FEWEST:
            return self._say(messages.VERIFY_WHAT)
        found = match(quotation, self._office.alike(quotation))
        if found is None:
            return self._say(messages.VERIFY_NONE)
        citation = self._desk.proven(cite(found.revision, found.span))
        return Verified(citation, not found.differences, found.differences)

    def export(self) -> Reply:
        if self._last is None or not self._last.citations:
            return self._say(messages.EXPORT_NONE)
        text = "\n\n".join(self._exported(self._desk.proven(one)) for one in self._last.citations)
        return Export(text, self._turn_id)

    def add(self, url: str) -> str:
        return self._added(lambda: self._office.keeper.add_page(url))

    def add_document(self, data: bytes, name: str) -> str:
        return self._added(lambda: self._office.keeper.add_document(data, name))

    def _added(self, add: Callable[[], str]) -> str:
        try:
            return self._say(messages.ADDED, counts=add())
        except (BadArticle, Busy) as error:
            return self._say(messages.NOT_ADDED, why=error)

    def forget(self, name: str) -> str:
        title, url = self._office.keeper.forget(name)
        return self._say(messages.CHAT_FORGOTTEN, title=title, url=url)

    def feedback(self) -> str:
        votes = ((one.given[:10], one.reason, one.question) for one in self._store.votes(VOTES))
        lines = [
            self._say(messages.FEEDBACK_LINE, day=day, reason=self._say(VOTES_FOR[reason]), question=question)
            for day, reason, question in votes
        ]
        return "\n".join(lines) or self._say(messages.NO_FEEDBACK)

    def invite(self) -> Reply:
        code = self._store.invite()
        return Export(self._say(messages.INVITED, code=code), code)

    def help(self) -> str:
        return "\n\n".join(map(self._say, (messages.CHAT_HELP, *([messages.ADMIN_HELP] if self.admin else []))))

    def stranger(self) -> tuple[str, bool]:
        """What a stranger is told, and whether it is the first time, so that an administrator is."""
        return self._say(messages.STRANGER), self._store.first_time(f"stranger/{self._person.id}")

    def _commands(self, rest: str) -> dict[str, Callable[[], Reply]]:
        say = self._say
        mine: dict[str, Callable[[], Reply]] = {
            "/help": self.help,
            "/start": lambda: self.start(rest),
            "/ask": lambda: self.ask(rest) if rest else say(messages.ASK_WHAT),
            "/verify": lambda: self.verify(rest),
            "/export": self.export,
            "/follow": lambda: self.follow(rest),
            "/following": self.following,
            "/unfollow": lambda: self.unfollow(rest),
            "/notices": lambda: self.notices(rest),
        }
        admin: dict[str, Callable[[], Reply]] = {
            "/add": lambda: self.add(rest) if rest else say(messages.ADD_WHAT),
            "/forget": lambda: self.forget(rest) if rest else say(messages.FORGET_WHAT),
            "/status": self._office.keeper.status,
            "/feedback": self.feedback,
            "/invite": self.invite,
        }
        if not self.admin:
            admin = dict.fromkeys(admin, lambda: say(messages.ADMINS_ONLY))
        common = super()._commands(rest)
        return {name: common[name] for name in common if name not in ("/quit", "/more", "/next")} | mine | admin

    def _unknown(self, name: str, close: Sequence[str]) -> str:
        return self._say(messages.NO_SUCH_COMMAND, command=name)

    def _narrowed(self, scope: Scope) -> str:
        super()._narrowed(scope)
        self._store.set_turn(self._person.place, self._turn_id, self._scope)
        filtered = messages.chat_filters(scope.since, scope.until, scope.outlets, "", self._person.language)
        return self._say(messages.CHAT_ONLY, filters=filtered) if filtered else self._say(messages.EVERYTHING)

    def _say(self, sentence: str, **values: object) -> str:
        return messages.say(sentence, self._person.language, **values)

    def _over(self) -> str:
        """The sentence about the limit that is used up; "" where there is none."""
        rules, now = self._office.rules, time.time()
        who = [(self._person.id, rules.person)]
        who += [(self._person.chat, rules.chat)] if self._person.ids != {self._person.id.partition(":")[2]} else []
        limits = [(name, unit, most) for name, of in who for unit, most in zip((MINUTE, DAY), of, strict=True)]
        used_up = self._store.spend(limits, now)
        if used_up is None:
            return ""
        seconds, limit = used_up
        wait = int(seconds - now % seconds) + 1
        return self._say(messages.MINUTE_LIMIT if seconds == MINUTE else messages.DAY_LIMIT, limit=limit, seconds=wait)

    def _redeemed(self, code: str) -> bool:
        return self._office.rules.access == "invite" and self._store.redeem(code, self._person.id)

    def _kept(self, answer: Answer, whole: str, heading: str = "") -> str:
        given = Given(
            id=short_id(),
            place=self._person.place,
            question=whole,
            said=answer.question.shown,
            searched=answer.question.text,
            read_as=answer.question.read_as,
            scope=answer.question.scope,
            confidence=answer.confidence,
            marks=tuple(mark(one, carried_by(answer, one)) for one in answer.quoted),
            differing=tuple(map(_told, answer.differing)),
            retrieved=tuple((one.stored.revision.article.url, one.score) for one in answer.retrieved),
            position=self._office.archive.position(),
            heading=heading,
            answered=answer.answered,
        )
        self._store.keep(given)
        return given.id

    def _turn(self, answer: str) -> _Turn | None:
        """A stored answer as the turn before; citations whose article was forgotten are left out."""
        given = self._store.given(answer) if answer else None
        if given is None:
            return None
        citations = []
        for one in given.marks:
            try:
                citations.append(self._cited(one))
            except FalseQuote:
                continue
        said = "\n".join(one.quote for one in citations)
        return _Turn(given.question, said, tuple(citations), (), answer, answered=given.answered)

    def _differing(self, told: Sequence[Told]) -> tuple[Differing, ...]:
        """Those that can be proven again; none where one is left."""
        found = []
        for one in told:
            try:
                citation = self._desk.proven(self._cited(one.mark))
            except FalseQuote:
                continue
            found.append(Differing(citation, citation.quote[slice(*one.words)], one.update))
        return tuple(found) if len(found) > 1 else ()

    def _cited(self, kept: Mark) -> Citation:
        """Raises FalseQuote where the archive does not hold these words any more."""
        revision = self._office.archive.revision(kept.revision)
        if revision is None or revision.article.url != kept.url:
            raise FalseQuote(f"The article {kept.url} is no longer in the archive.")
        citation = cite(revision, (kept.start, kept.end))
        if digest(citation.quote) != kept.digest:
            raise FalseQuote(f"The quote does not stand at {kept.start}-{kept.end} of {kept.url}.")
        return replace(citation, words=kept.words)

    def _exported(self, citation: Citation) -> str:
        article = citation.article
        day = messages.short_day(article.published.date()) if article.published else self._say(messages.NO_DAY)
        known = (", ".join(article.authors), article.outlet, f"“{article.title}”", day)
        accessed = self._say(messages.EXPORT_ACCESSED, day=self._today().isoformat())
        hashed = self._say(messages.EXPORT_HASH, digest=digest(article.text))
        said = "\n".join([f"“{citation.quote}”", *told_of(citation, self._person.language)])
        return f"{said}\n{'. '.join(filter(None, known))}. {link(citation)} ({accessed}).\n{hashed}"


def _behind(answer: Answer) -> tuple[Revision, ...]:
    cited = {one.article.url for one in answer.quoted}
    every = {one.stored.revision.article.url: one.stored.revision for one in answer.retrieved}
    return tuple(sorted(every.values(), key=lambda one: one.article.url not in cited))


def first(answer: Answer, stored: str = "") -> Shown:
    """The first of what an answer quotes, where it quotes something; `stored` is the id that it is kept under."""
    citation = answer.quoted[0]
    copies = carried_by(answer, citation)
    shown = Shown(citation, 1, len(answer.quoted), answer.question, copies, answer.differing, stored)
    return replace(shown, outdated=answer.outdated, sure=answer.answered)


def opening(reply: Reply, stored: str = "") -> Reply:
    """What a chat shows of a reply: the first of what an answer quotes, as Shown; an Answer is left only where it is a
    plain no. `stored` as in `first`.
    """
    return first(reply, stored) if isinstance(reply, Answer) and reply.quoted else reply


def _told(differing: Differing) -> Told:
    start = differing.citation.quote.index(differing.words)
    return Told(mark(differing.citation), (start, start + len(differing.words)), differing.update)


def notes(shown: Shown, language: str = "") -> list[str]:
    """What a person should know of a citation besides its source, a sentence each."""
    months = age(shown.citation, shown.question)
    lines = told_of(shown.citation, language)
    lines += [messages.old(months, language)] if months else []
    lines += [also(shown.copies, language)] if shown.copies else []
    return [*lines, *index_current(shown.outdated, language)]


def index_current(fresh: "Freshness | None", language: str = "") -> list[str]:
    """Up to when the sources were followed; empty where there is nothing to say."""
    if not (fresh and fresh.current):
        return []
    now = messages.moment(fresh.current)
    return [messages.say(messages.FRESH, language, time=now, silent=f"{fresh.silent:,}", count=f"{fresh.sources:,}")]


def also(outlets: Sequence[str], language: str = "") -> str:
    """Who else carries it: by name, where they are many the first few."""
    named = ", ".join(cut(one, FIELD) for one in outlets[:NAMED])
    sentence = messages.CHAT_ALSO if len(outlets) <= NAMED else messages.CHAT_ALSO_MANY
    return messages.say(sentence, language, outlets=named, count=len(outlets))


KINDS: Mapping[Kind, str] = {
    "opinion": messages.OPINION,
    "press release": messages.PRESS_RELEASE,
    "live": messages.LIVE,
    "wire": messages.WIRE,
    "correction": messages.A_CORRECTION,
}


def marks(article: Article, language: str = "") -> list[str]:
    """What kind of piece it is where it is no plain report, its correction notes, and a date that is the file's."""
    kind = KINDS.get(kind_of(article))
    lines = [messages.say(kind, language)] if kind else []
    noted = (cut(line(one), FIELD) for one in corrections(article.text))
    lines += [messages.say(messages.CORRECTED, language, note=note) for note in noted]
    return [*lines, *([messages.say(messages.FILE_DATE, language)] if article.dated_by else [])]


def told_of(citation: Citation, language: str = "") -> list[str]:
    """What holds of a citation whatever it answers: who says it, and what marks its article."""
    return [*speaker(citation, language), *marks(citation.article, language)]


def speaker(citation: Citation, language: str = "") -> list[str]:
    """Who says what is quoted; that this is not determined, where somebody's words are; else nothing."""
    if citation.speaker:
        return [messages.say(messages.SPEAKER, language, speaker=citation.speaker, cue=citation.cue)]
    return [messages.say(messages.NO_SPEAKER, language)] if quotes(citation.quote) else []


def above(shown: Shown, language: str = "") -> list[str]:
    """What stands above a citation: why it comes unasked, how the question was understood, that it is no answer."""
    unsure = [] if shown.sure else [messages.say(messages.PERHAPS, language)]
    return [*filter(None, [shown.heading]), *understood(shown.question, language), *unsure]


def understood(question: Question, language: str = "") -> list[str]:
    """How the question was made whole and what that narrowed, a sentence each; empty where it was taken as it was."""
    made_whole = [messages.say(messages.READ_AS, language, question=cut(question.text, FIELD))]
    return (made_whole if question.completed else []) + _filtered(question, language)


def _filtered(question: Question, language: str) -> list[str]:
    scope = question.scope
    filters = messages.chat_filters(scope.since, scope.until, scope.outlets, question.read_as, language)
    return [messages.say(messages.LOOKED_AT, language, filters=cut(filters, FIELD))] if filters else []


def refusal(answer: Answer, language: str = "") -> list[str]:
    """Why there is no answer and what was looked for, a sentence each; the nearest headlines go below."""
    if answer.reason == Reason.EMPTY:
        return [messages.say(messages.EMPTY_CHAT, language)]
    reason = messages.say(answer.reason, language)
    asked = messages.say(messages.LOOKED_FOR, language, question=cut(answer.question.text, FIELD))
    return [reason, asked, *_filtered(answer.question, language), *index_current(answer.outdated, language)]


def known_of(article: Article, language: str = "") -> tuple[str, str, str]:
    """Outlet ("" where it is not known), day, authors ("")."""
    day = article.published.date().isoformat() if article.published else messages.say(messages.NO_DAY, language)
    return cut(article.outlet, FIELD), day, cut(", ".join(article.authors), FIELD)


def reports(shown: Shown, language: str = "") -> list[tuple[str, str]]:
    """What each report says where they differ, with its address; empty where they do not."""
    lines = []
    for one in shown.differing[:DIFFERING]:
        article = one.citation.article
        day = article.published.date().isoformat() if article.published else messages.say(messages.NO_DAY, language)
        update = messages.say(messages.UPDATE, language) if one.update else ""
        lines.append((" · ".join(filter(None, (one.words, article.outlet, day, update))), link(one.citation)))
    return lines


def carried_by(answer: Answer, citation: Citation) -> tuple[str, ...]:
    """Other outlets that carry the same words, the agency's own or the earliest first."""
    outlets = (one.article.outlet or one.article.url for one in answer.carried(citation))
    return tuple(one for one in dict.fromkeys(outlets) if one != citation.article.outlet)


def wider(citation: Citation) -> Citation:
    """The same quote with MORE characters of its article on either side, to the end of the paragraph."""
    text = citation.article.text
    first = max(citation.start - len(citation.before) - MORE, 0)
    first = text.rfind("\n", 0, first) + 1
    last = text.find("\n", citation.end + len(citation.after) + MORE)
    return replace(
        citation, before=text[first : citation.start], after=text[citation.end : last if last >= 0 else None]
    )


def read_day(text: str) -> date:
    """A day in any usual spelling; 2025-05-16 without loading a date library. Raises BadQuestion."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    from corpus.extract import parse_date  # here: an ISO date, which is the usual one, needs none of it

    try:
        when = parse_date(text)
    except BadArticle as error:
        raise BadQuestion(messages.BAD_DAY, day=messages.printable(line(text)[:40])) from error
    if when is None:
        raise BadQuestion(messages.NO_DATE)
    return when.date()
