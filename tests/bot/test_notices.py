"""What the bot says unasked: exactly where quoted words are gone, once, and never noisily.

Archive and store are real; the desk is a small one that cites the sentences which share words with the question. The
postbox is a chat that remembers what was posted and can refuse.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import messages
from bot.conversation import Office, Person, Rules, Stored
from bot.conversation import Shown as Answered
from bot.notices import Later, Notices, Unpostable, judged, tell_admins
from bot.reception import Asked, Seats, answered, noted, pressed
from bot.store import Store, digest, open_store
from bot.watchlist import Kept, Place, Shown, Telling
from corpus.archive import Archive, open_archive
from corpus.article import Article, make_article
from corpus.passages import passages
from corpus.sentences import sentences
from retrieval.answer import Answer, Reason
from retrieval.citation import Citation, check, cite
from retrieval.question import Question
from tests.unsure import Unsure

ADA = Person("telegram:1", "telegram:1", name="Ada")
BORIS = Person("telegram:2", "telegram:2", name="Boris")
STORM = "how many homes lost power?"
HOMES = "The storm left 31,000 homes without power."


def article(number: int, text: str, *, day: int = 16, seen: int = 1, title: str = "Storm hits Pinewick") -> Article:
    """As it was retrieved on that day of November."""
    return make_article(
        url=f"https://n.example/{number}",
        title=title,
        text=text,
        outlet="Courier",
        published=datetime(2025, 5, day, tzinfo=UTC),
        retrieved=datetime(2026, 11, seen, tzinfo=UTC),
    )


def report(said: str = HOMES, number: int = 1, *, day: int = 16, seen: int = 1) -> Article:
    return article(number, f"A storm came in the night. {said} Trees fell on many roads.", day=day, seen=seen)


class Desk:
    """Cites, in each article, the sentence that shares most words with the question, if two at least."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.asked: list[str] = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question.text)
        wanted, found = words(question.text), []
        for _, one in self._archive.current():
            spans = sentences(one.article.text)
            best = max(spans, key=lambda span: len(wanted & words(one.article.text[slice(*span)])))
            shared = wanted & words(one.article.text[slice(*best)])
            if len(shared) > 1 and one.id in (question.scope.revisions or (one.id,)):
                number = re.search(r"\d[\d,]* \w+", one.article.text[slice(*best)])
                words_at = (best[0] + number.start(), best[0] + number.end()) if number else None
                found.append(cite(one, best, words_at))
        cited = tuple(found[: question.citations])
        if not cited:
            return Answer(question, False, 0.1, "", (), (), 0.0, reason=Reason.SILENT)
        return Answer(question, True, 0.9, cited[0].quote, cited, (), 0.0)

    def proven(self, citation: Citation) -> Citation:
        return check(citation, self._archive)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower())) - {"many", "what", "with"}


class Keeper:
    def add_document(self, data: bytes, name: str) -> str:
        raise NotImplementedError

    def add_page(self, url: str) -> str:
        raise NotImplementedError

    def forget(self, name: str) -> tuple[str, str]:
        raise NotImplementedError

    def status(self) -> str:
        raise NotImplementedError


@dataclass
class Postbox:
    """A chat that takes what is posted, keeps it by its key as a server with transaction ids does, and can refuse."""

    channel: str = "telegram"
    posts: dict[str, tuple[Place, Answered | str]] = field(default_factory=dict)
    calls: int = 0
    refusals: list[Exception] = field(default_factory=list)

    async def person(self, person: str, place: Place) -> Person:
        return Person(person, place.chat, place.topic)

    async def post(self, place: Place, what: Answered | str, language: str, key: str, again: bool) -> str:
        self.calls += 1
        if self.refusals:
            raise self.refusals.pop(0)
        self.posts[key] = (place, what)
        return str(900 + len(self.posts))

    @property
    def texts(self) -> list[str]:
        return [what for _, what in self.posts.values() if isinstance(what, str)]

    @property
    def answers(self) -> list[Answered]:
        return [what for _, what in self.posts.values() if isinstance(what, Answered)]


class Desks:
    """A bot at work, and what happens to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, datetime.now(UTC) + timedelta(minutes=1)
        self.archive: Archive = open_archive(folder / "archive.sqlite")
        self.store: Store = open_store(folder / "conversations.sqlite")
        self.desk = Desk(self.archive)
        self.postbox = Postbox()
        self.office = Office(self.desk, self.archive, lambda _: [], self.store, Keeper(), today=date.today)
        self._messages = 0
        self.restart()

    def restart(self) -> None:
        self.notices = Notices(self.office, self.postbox, Seats(1), clock=lambda: self.now)

    def set(self, *, rules: Rules | None = None, **telling: float) -> None:
        rules = rules or self.office.rules
        self.office = replace(self.office, rules=rules, telling=replace(self.office.telling, **telling))  # type: ignore[arg-type]
        self.restart()

    def put(self, *articles: Article) -> None:
        self.archive.store([(one, passages(one)) for one in articles])

    def ask(self, text: str = STORM, who: Person = ADA) -> str:
        """As a channel does that posts the answer; the answer's id."""
        reply, answer, _ = answered(self.office, who, Asked(text), "")
        self._messages += 1
        if answer:
            noted(self.office, who, Place(who.chat, who.topic, str(self._messages)), answer)
        assert not isinstance(reply, str), reply
        return answer

    def say(self, text: str, who: Person = ADA) -> str:
        reply = Stored(self.office, who).reply(text)
        assert isinstance(reply, str)
        return reply

    def round(self) -> bool:
        return asyncio.run(self.notices.round())

    def close(self) -> None:
        self.archive.close()
        self.store.close()


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Desks]:
    desks = Desks(tmp_path)
    desks.put(report())
    yield desks
    desks.close()


# Corrections


def test_a_changed_quote_is_told_once_below_its_answer(bot: Desks) -> None:
    bot.ask()
    bot.round()
    assert bot.postbox.posts == {}
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    for _ in range(2):
        bot.round()
        bot.restart()
    assert list(bot.postbox.posts.values()) == [
        (
            Place("telegram:1", "", "1"),
            "A correction to what I quoted on “how many homes lost power?”:\n\n"
            "Courier · Storm hits Pinewick · 2025-05-16\n"
            "I quoted: “The storm left 31,000 homes without power.”\n"
            "Since 2026-11-20 it reads: “The storm left 28,000 homes without power.”\n"
            "https://n.example/1\n\n"
            "/notices off ends such messages here.",
        )
    ]


def test_a_changed_quote_that_was_perhaps_meant_is_told_too(bot: Desks) -> None:
    bot.office = replace(bot.office, desk=Unsure(bot.desk))
    bot.restart()
    answer = bot.ask()
    again = Stored(bot.office, ADA).opened(answer)
    assert isinstance(again, Answered)
    assert (again.citation.quote, again.sure, again.count) == (HOMES, False, 1)
    assert Stored(bot.office, ADA).vote(answer, "r") == messages.THANKS
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    [text] = bot.postbox.texts
    assert f"I quoted: “{HOMES}”" in text.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        f"Trees fell on many roads. {HOMES} A storm came in the night.",
        f"A storm came in the night. {HOMES} Trees fell on hardly any roads.",
        "A storm came in the night – “the storm left 31,000 homes without power”.".replace("the storm", "The storm"),
        f"An added paragraph.\n\nA storm came in the night.\n\n{HOMES.replace(' ', chr(10))}",
    ],
)
def test_moved_repunctuated_and_other_text_is_no_change(bot: Desks, text: str) -> None:
    bot.ask()
    bot.put(article(1, text, seen=20))
    bot.round()
    assert bot.postbox.posts == {}


def test_what_is_gone_without_a_trace_is_told_so(bot: Desks) -> None:
    bot.ask()
    bot.put(article(1, "The council met. It voted for a tram.", seen=20))
    bot.round()
    [text] = bot.postbox.texts
    assert text.splitlines()[2:5] == [
        "Courier · Storm hits Pinewick · 2025-05-16",
        f"I quoted: “{HOMES}”",
        "Since 2026-11-20 nothing like it stands there.",
    ]


def test_the_day_is_that_of_the_revision_that_took_it_out(bot: Desks) -> None:
    bot.ask()
    bot.put(report(f"{HOMES} More is awaited.", seen=18))
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.put(report("The storm left 28,000 homes without power. More is awaited.", seen=22))
    bot.round()
    assert "Since 2026-11-20 it reads" in bot.postbox.texts[0]


def test_a_citation_counts_once_it_was_shown(bot: Desks) -> None:
    bot.put(report("The storm took 12 homes, the police said.", 2))
    answer = bot.ask("which homes did the storm take?")
    given = bot.store.given(answer)
    assert given
    first, second = (int(one.url.rpartition("/")[2]) for one in given.marks)
    bot.put(article(second, "Nothing of it.", seen=20))
    bot.round()
    assert bot.postbox.posts == {}
    assert pressed(bot.office, ADA, answer, 2)[1]
    bot.round()
    bot.round()
    assert len(bot.postbox.texts) == 1
    assert [place.message for place, _ in bot.postbox.posts.values()] == ["1"]
    bot.put(article(first, "Nothing of it.", seen=21))
    bot.round()
    assert len(bot.postbox.texts) == 2


def test_several_citations_of_one_answer_are_one_message(bot: Desks) -> None:
    bot.put(report("The storm took 12 homes, the police said.", 2))
    answer = bot.ask("which homes did the storm take?")
    pressed(bot.office, ADA, answer, 2)
    bot.put(article(1, "Nothing of it.", seen=20), article(2, "Nothing of that either.", seen=20))
    bot.round()
    [text] = bot.postbox.texts
    assert text.count("I quoted: ") == 2
    assert text.count("A correction") == 1


def test_the_same_citation_in_two_answers_is_told_once_below_the_newer(bot: Desks) -> None:
    for _ in range(2):
        bot.ask()
    bot.ask(who=BORIS)
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    bot.round()
    places = {place for place, _ in bot.postbox.posts.values()}
    assert places == {Place("telegram:1", "", "2"), Place("telegram:2", "", "3")}
    assert bot.postbox.calls == 2


def test_what_was_told_to_stand_there_is_watched_in_its_turn(bot: Desks) -> None:
    bot.ask()
    for seen, homes in ((18, "28,000"), (19, "28,000"), (20, "26,000")):
        bot.put(report(f"The storm left {homes} homes without power.", seen=seen))
        bot.put(report(f"The storm left {homes} homes without power. Seen {homes}.", seen=seen))
        bot.round()
    assert [re.findall(r"[\d,]{6}", text.replace("2026-", "")) for text in bot.postbox.texts] == [
        ["31,000", "28,000"],
        ["28,000", "26,000"],
    ]


def test_a_change_that_was_taken_back_before_it_was_told_is_none(bot: Desks) -> None:
    bot.ask()
    bot.postbox.refusals = [Later("busy", 60)]
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    bot.put(report(seen=21))
    bot.now += timedelta(minutes=2)
    bot.round()
    assert bot.postbox.posts == {}


def test_of_a_withdrawn_article_no_word_is_shown_again(bot: Desks) -> None:
    bot.ask()
    bot.archive.forget("https://n.example/1")
    bot.round()
    bot.round()
    [text] = bot.postbox.texts
    assert text == (
        "A correction to what I quoted on “how many homes lost power?”:\n\n"
        f"The article that I quoted is no longer in the archive; found on {bot.now.date()}.\n\n"
        "/notices off ends such messages here."
    )


def test_an_article_that_is_put_back_was_not_withdrawn(bot: Desks) -> None:
    bot.ask()
    bot.archive.forget("https://n.example/1")
    bot.put(report(f"{HOMES} It is over."))
    bot.round()
    assert bot.postbox.posts == {}


def test_another_archive_is_no_change(bot: Desks) -> None:
    bot.put(*(report(number=number) for number in range(2, 6)))
    bot.ask()
    bot.round()
    (bot.folder / "other").mkdir()
    other = open_archive(bot.folder / "other" / "archive.sqlite")
    bot.office = replace(bot.office, archive=other)
    bot.restart()
    bot.round()
    other.close()
    assert bot.postbox.posts == {}


def test_as_of_answers_are_of_a_day_gone_by(bot: Desks) -> None:
    answer = bot.ask()
    given = bot.store.given(answer)
    assert given
    bot.store.keep(replace(given, id="then", scope=replace(given.scope, as_of=date(2025, 6, 1))))
    noted(bot.office, BORIS, Place("telegram:2", "", "7"), "then")
    bot.put(article(1, "Nothing of it.", seen=20))
    bot.round()
    assert [place.chat for place, _ in bot.postbox.posts.values()] == ["telegram:1"]


# Never noisily


def changed(bot: Desks, *numbers: int) -> None:
    """So many answers whose citations all change."""
    said = "The storm left {0},000 homes without power in town{0}x."
    bot.put(*(report(said.format(one), one) for one in numbers))
    for one in numbers:
        bot.desk.ask = partial(one_of, bot, one)  # type: ignore[method-assign]
        bot.ask(f"how many homes lost power in town{one}x?")
    bot.put(*(article(one, f"Nothing of it, says number {one}.", seen=20) for one in numbers))


def one_of(bot: Desks, number: int, question: Question) -> Answer:
    """The answer of one article alone."""
    [revision] = bot.archive.revisions(f"https://n.example/{number}")
    span = sentences(revision.article.text)[1]
    citation = cite(revision, span)
    return Answer(question, True, 0.9, citation.quote, (citation,), (), 0.0)


def test_a_day_has_a_limit_and_the_rest_is_summed_up(bot: Desks) -> None:
    changed(bot, *range(10, 16))
    bot.round()
    bot.round()
    texts = bot.postbox.texts
    assert [text.splitlines()[0] for text in texts] == [
        "A correction to what I quoted on “how many homes lost power in town10x?”:",
        "A correction to what I quoted on “how many homes lost power in town11x?”:",
        "Corrections to more answers of mine here (4); what I quoted no longer stands:",
    ]
    assert texts[-1].splitlines()[1:-1] == ["• Courier · Storm hits Pinewick · 2025-05-16"]


def test_what_comes_after_the_limit_waits_for_the_next_day(bot: Desks) -> None:
    bot.set(notices=1)
    changed(bot, 10)
    bot.round()
    changed(bot, 20, 21)
    bot.round()
    bot.restart()
    bot.round()
    assert len(bot.postbox.posts) == 1
    bot.now += timedelta(days=1)
    bot.round()
    assert [text.splitlines()[0] for text in bot.postbox.texts[1:]] == [
        "Corrections to more answers of mine here (2); what I quoted no longer stands:"
    ]


@pytest.mark.parametrize(
    "end",
    [
        lambda bot: bot.set(notices=0),
        lambda bot: bot.say("/notices off"),
        lambda bot: bot.set(days=0),
        lambda bot: bot.set(rules=Rules(access="list")),
    ],
)
def test_who_wants_none_or_may_have_none_gets_none_then_or_later(bot: Desks, end: Callable[[Desks], object]) -> None:
    bot.ask()
    bot.round()
    end(bot)
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    bot.set(notices=3, days=30, rules=Rules())
    bot.say("/notices on")
    bot.put(report("The storm left 28,000 homes without power. It is over.", seen=21))
    bot.round()
    assert bot.postbox.posts == {}


def test_an_old_answer_gets_none(bot: Desks) -> None:
    bot.ask()
    bot.now = datetime.now(UTC) + timedelta(days=31)
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    assert bot.postbox.posts == {}


def test_a_chat_that_cannot_be_written_to_waits_or_is_given_up(bot: Desks, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bot.ask()
    bot.ask(who=BORIS)
    bot.postbox.refusals = [Later("Too Many Requests", 60), Unpostable("bot was kicked")]
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    bot.round()
    assert (bot.postbox.calls, bot.postbox.posts) == (2, {})
    bot.now += timedelta(seconds=61)
    bot.round()
    bot.round()
    assert [place.chat for place, _ in bot.postbox.posts.values()] == ["telegram:1"]
    assert bot.postbox.calls == 3
    assert "dropped what was to be said in telegram:2: bot was kicked" in caplog.text


def test_an_error_that_nobody_foresaw_stops_nobody_else(bot: Desks, caplog: pytest.LogCaptureFixture) -> None:
    bot.ask()
    bot.ask(who=BORIS)
    bot.postbox.refusals = [RuntimeError("unforeseen")]
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    assert len(bot.postbox.posts) == 1
    assert "unforeseen" in caplog.text


def test_an_edited_question_leaves_nothing_to_tell_of_its_old_answer(bot: Desks) -> None:
    bot.put(article(2, "The council met. It voted for the harbour tram with a small majority.", title="Tram"))
    bot.ask()
    _, answer, _ = answered(bot.office, ADA, Asked("who voted for the harbour tram?"), "")
    noted(bot.office, ADA, Place("telegram:1", "", "1"), answer)
    bot.put(article(1, "Nothing of it.", seen=20))
    bot.round()
    assert bot.postbox.posts == {}


def test_a_correction_speaks_the_language_of_who_asked(bot: Desks) -> None:
    bot.ask(who=replace(ADA, language="de"))
    bot.put(article(1, "Nothing of it.", seen=20))
    bot.round()
    assert bot.postbox.texts[0].startswith(
        "Eine Berichtigung zu dem, was ich auf „how many homes lost power?“ zitiert habe:"
    )


def test_a_chat_that_moved_is_told_where_it_is_now(bot: Desks) -> None:
    bot.ask()
    bot.store.move("telegram:1:", "telegram:-100:")
    bot.put(article(1, "Nothing of it.", seen=20))
    bot.round()
    assert [place for place, _ in bot.postbox.posts.values()] == [Place("telegram:-100")]


# Exactness, whatever is edited

SENTENCE = st.lists(
    st.sampled_from("storm homes power roads council tram bridge night mayor".split()), min_size=3, max_size=6
)
MARKS = st.sampled_from([" ", "  ", "\n", ", ", " – ", " “", "” ", "; "])


@st.composite
def _edited(draw: st.DrawFn) -> tuple[list[list[str]], int, str]:
    """An article's sentences, which of them is quoted, and the text of a later revision."""
    told = draw(st.lists(SENTENCE, min_size=2, max_size=5))
    quoted = draw(st.integers(0, len(told) - 1))
    later = [list(one) for one in told]
    for _ in range(draw(st.integers(0, 3))):
        kind, at = draw(st.sampled_from(["drop", "swap", "word", "cut", "new"])), draw(st.integers(0, len(later) - 1))
        if kind == "drop" and len(later) > 1:
            del later[at]
        elif kind == "swap":
            later = later[at:] + later[:at]
        elif kind == "word":
            later[at][draw(st.integers(0, len(later[at]) - 1))] = draw(st.sampled_from(["storm", "other", "Storm"]))
        elif kind == "cut":
            later[at] = later[at][:-1] or ["other"]
        else:
            later.insert(at, draw(SENTENCE))
    text = ". ".join("".join(word + draw(MARKS) for word in one).strip() for one in later)
    return told, quoted, f"{text}."


@settings(max_examples=60)
@given(_edited())
def test_a_notice_comes_if_and_only_if_the_words_are_gone(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[list[list[str]], int, str]
) -> None:
    told, quoted, later = case
    quote = " ".join(told[quoted]) + "."
    text = " ".join(" ".join(one) + "." for one in told)
    have, wanted = re.findall(r"\w+", later), told[quoted]
    gone = not any(have[at : at + len(wanted)] == wanted for at in range(len(have)))
    archive = open_archive(tmp_path_factory.mktemp("a") / "archive.sqlite")
    try:
        first = article(1, text)
        archive.store([(first, passages(first))])
        start = text.index(quote)
        kept = Kept(first.url, 1, start, start + len(quote), digest(quote))
        shown = Shown(1, Place("t:1"), "t:1", "", "a", 1, kept, datetime.now(UTC))
        assert judged(shown, archive) is None
        second = article(1, later, seen=20)
        archive.store([(second, passages(second))])
        found = judged(shown, archive)
    finally:
        archive.close()
    assert (found is not None) == gone
    if found:
        assert found.was
        assert found.was.quote == quote
        assert found.day == date(2026, 11, 20)


# Standing questions


def test_a_standing_question_is_answered_once_by_what_comes_in(bot: Desks) -> None:
    said = bot.say(f"/follow {STORM}")
    assert said == messages.say(messages.FOLLOWED, number=1, question=STORM, hours="6")
    bot.round()
    bot.put(report(seen=2), report("A new storm left 40,000 homes without power.", 2))
    bot.round()
    bot.round()
    [(place, shown)] = bot.postbox.posts.values()
    assert isinstance(shown, Answered)
    assert place == Place("telegram:1")
    assert (shown.heading, shown.count) == (f"New on a question followed here, number 1: {STORM}", 1)
    assert shown.citation.quote == "A new storm left 40,000 homes without power."
    again = Stored(bot.office, ADA).opened(shown.answer)
    assert isinstance(again, Answered)
    assert (again.heading, again.citation) == (shown.heading, shown.citation)
    assert bot.store.message("telegram:1:901") == (shown.answer, "")


def test_what_may_be_meant_is_no_news(bot: Desks) -> None:
    bot.say(f"/follow {STORM}")
    bot.round()
    sure, bot.office = bot.office, replace(bot.office, desk=Unsure(bot.desk))
    bot.restart()
    bot.put(report("A new storm left 40,000 homes without power.", 2))
    bot.round()
    assert bot.postbox.posts == {}
    bot.office = sure
    bot.restart()
    bot.put(report("A new storm left 50,000 homes without power.", 3))
    bot.round()
    assert [one.citation.article.url for one in bot.postbox.answers] == ["https://n.example/3"]


def test_what_was_only_perhaps_meant_was_not_answered_before(bot: Desks) -> None:
    sure, bot.office = bot.office, replace(bot.office, desk=Unsure(bot.desk))
    bot.ask()
    bot.say("/follow")
    bot.office = sure
    bot.restart()
    bot.put(article(2, f"The council met in the evening. {HOMES} Schools stay closed until Monday."))
    bot.round()
    assert [one.citation.quote for one in bot.postbox.answers] == [HOMES]


@pytest.mark.parametrize(
    "said", [HOMES, HOMES.replace("The", "“The"), "Some 31,000 homes had no power after the storm."]
)
def test_what_was_answered_before_is_no_news(bot: Desks, said: str) -> None:
    bot.ask()
    bot.say("/follow")
    bot.put(report(said, 2))
    bot.round()
    assert bot.postbox.posts == {}
    bot.put(report("Now 45,000 homes have no power after the storm.", 3))
    bot.round()
    assert [one.citation.article.url for one in bot.postbox.answers] == ["https://n.example/3"]


def test_what_came_in_between_is_told_at_the_end_newest_first(bot: Desks) -> None:
    bot.say(f"/follow {STORM}")
    bot.put(report("First, 10,000 homes lost power.", 2))
    bot.round()
    for number, (homes, day) in enumerate((("20,000", 18), ("30,000", 20), ("40,000", 19), ("10,000", 21)), 3):
        bot.put(report(f"Then {homes} homes lost power.", number, day=day))
        bot.round()
    assert len(bot.postbox.posts) == 1
    bot.now = datetime.now(UTC) + timedelta(hours=18)
    bot.round()
    bot.round()
    [_, shown] = bot.postbox.answers
    given = bot.store.given(shown.answer)
    assert given
    assert [one.url.rpartition("/")[2] for one in given.marks] == ["4", "5", "3"]


def test_a_new_revision_of_an_old_article_is_no_new_article(bot: Desks) -> None:
    bot.say(f"/follow {STORM}")
    bot.put(report("The storm left 28,000 homes without power.", seen=20))
    bot.round()
    assert bot.postbox.posts == {}


def test_who_lost_access_is_told_nothing(bot: Desks) -> None:
    bot.say(f"/follow {STORM}")
    bot.set(rules=Rules(access="list"))
    bot.put(report("The storm left 28,000 homes without power.", 2))
    bot.round()
    bot.set(rules=Rules())
    bot.round()
    assert bot.postbox.posts == {}


def test_standing_questions_have_numbers_and_limits(bot: Desks) -> None:
    bot.set(follows=2)
    assert bot.say("/following") == messages.FOLLOWING_NONE
    assert bot.say("/follow") == messages.FOLLOW_WHAT
    assert bot.say("/follow ???").startswith("The question is empty.")
    for number in (1, 2):
        assert f"number {number}: who won {number}?" in bot.say(f"/follow who won {number}?")
    assert bot.say("/follow who won 3?") == messages.say(messages.FOLLOW_LIMIT, limit=2, chat=4)
    assert bot.say("/unfollow 9") == messages.UNFOLLOW_WHAT
    assert bot.say("/unfollow 1") == "No longer followed: who won 1?"
    assert bot.say("/following") == f"{messages.FOLLOWING}\n2. who won 2?"
    assert "number 1:" in bot.say("/follow who won 4?")
    group = [replace(BORIS, id=f"telegram:{one}", chat="telegram:-5") for one in range(10, 13)]
    said = [bot.say(f"/follow who won {one}?", who) for who in group for one in range(2)]
    assert [one.startswith("Followed") for one in said] == [True] * 4 + [False] * 2


def test_what_was_followed_in_private_is_listed_to_nobody_else(bot: Desks) -> None:
    alone = Person("slack:U1", "slack:C1", "U1")
    bot.say("/follow who won the race?", alone)
    assert "who won the race?" in bot.say("/following", alone)
    assert bot.say("/following", Person("slack:U2", "slack:C1", "170.1")) == messages.FOLLOWING_NONE
    assert bot.say("/unfollow 1", Person("slack:U2", "slack:C1", "170.1")) == messages.UNFOLLOW_WHAT


def test_a_channel_that_cannot_write_unasked_says_so(bot: Desks) -> None:
    bot.office = replace(bot.office, posts=False)
    assert bot.say(f"/follow {STORM}") == messages.FOLLOW_NOT_HERE
    assert bot.say("/notices") == messages.NOTICES_OFF


async def test_two_hundred_standing_questions_let_everybody_else_through(tmp_path: Path) -> None:
    """Asked one at a time, a bounded number a round; who asks meanwhile waits for one of them at most."""
    bot = Desks(tmp_path)
    bot.set(follows=200)
    for number in range(200):
        bot.say(f"/follow how many homes lost power in town{number}x?", replace(ADA, chat=f"telegram:{number}"))
    bot.put(*(report(f"Some {number} homes lost power.", number) for number in range(1, 101)))
    seats = Seats(1)
    notices = Notices(bot.office, bot.postbox, seats, clock=lambda: bot.now + timedelta(days=1_000))
    waited: list[int] = []

    async def people() -> None:
        while len(waited) < 10:
            before = len(bot.desk.asked)
            await seats.work(lambda: None)
            waited.append(len(bot.desk.asked) - before)
            await asyncio.sleep(0.02)

    asking, rounds = asyncio.create_task(people()), 0
    while await notices.round():
        rounds += 1
    await asking
    bot.close()
    assert rounds >= 10
    assert max(waited) <= 1
    assert len(bot.desk.asked) == 200
    assert len(bot.postbox.answers) == 200


# Sentences


def test_administrators_are_told_once(bot: Desks) -> None:
    silent = "The source https://n.example/feed has been silent for 3 days."
    for _ in range(2):
        tell_admins(bot.store.watchlist, ["telegram:9", "slack:U9"], [silent])
        bot.round()
    assert list(bot.postbox.posts.values()) == [(Place("telegram:9"), silent)]
    assert [one.chat for one in bot.store.watchlist.to_say("slack")] == ["slack:U9"]


def test_telling_has_the_defaults_that_the_settings_name() -> None:
    from bot.keeper import telling
    from bot.settings import Settings

    assert telling(Settings()) == Telling()
