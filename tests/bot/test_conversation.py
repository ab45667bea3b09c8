"""Turns and commands, with a desk that cites the sentence whose words the question shares."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from bot import messages
from bot.conversation import Conversation, End, Shown, Sources, notes, read_day, understood, wider
from corpus.archive import FOREVER, Revision, StoredPassage
from corpus.article import Passage, make_article
from corpus.sentences import sentences
from retrieval.answer import Answer, Found
from retrieval.citation import Citation, check, cite
from retrieval.question import BadQuestion, Question
from retrieval.scope import Scope
from retrieval.when import window
from tests.unsure import Unsure

TODAY = date(2025, 5, 20)


def revision(number: int, text: str, title: str = "Talks end") -> Revision:
    published = datetime(2025, 5, 16, tzinfo=UTC)
    article = make_article(url=f"https://n.example/{number}", title=title, text=text, published=published)
    return Revision(number, 1, article, date(2025, 5, 16), FOREVER)


TALKS = revision(
    1,
    "Officials met in Istanbul.\n\n" + "The hall was full. " * 60 + "\n\nRussia demanded four regions. Ukraine said no."
    "\n\n" + "The press waited outside. " * 60 + "\n\nA second meeting is planned.",
)
ECHO = revision(2, "Ukraine said no, too, in another report.", "Echo")


class Desk:
    """Cites, in each article, the first sentence that shares a word of five letters with the question."""

    def __init__(self, *revisions: Revision) -> None:
        self.revisions = revisions
        self.asked: list[Question] = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        within = [one for one in self.revisions if one.id in (question.scope.revisions or (one.id,))]
        spans = [(one, span) for one in within for span in sentences(one.article.text)]
        hits = {one.id: (one, span) for one, span in reversed(spans) if self._shares(question, one, span)}
        citations = tuple(cite(*hits[number]) for number in sorted(hits))
        text = "\n".join(one.quote for one in citations)
        return Answer(question, bool(hits), 0.9, text, citations, tuple(map(found, self.revisions)), 0.0)

    def proven(self, citation: Citation) -> Citation:
        return check(citation, self)

    def revision(self, revision_id: int) -> Revision | None:
        return next((one for one in self.revisions if one.id == revision_id), None)

    def _shares(self, question: Question, one: Revision, span: tuple[int, int]) -> bool:
        words = one.article.text[slice(*span)]
        return any(word in words for word in question.text.strip("?").split() if len(word) > 5)


def found(one: Revision) -> Found:
    whole = Passage(one.article, 0, len(one.article.text), sentences(one.article.text))
    return Found(StoredPassage(one.id, one, whole), 1.0, 1.0, 0.0, 0, None)


@pytest.fixture
def desk() -> Desk:
    return Desk(TALKS, ECHO)


@pytest.fixture
def conversation(desk: Desk) -> Conversation:
    return Conversation(desk, today=lambda: TODAY)


def quotes(answer: object) -> list[str]:
    assert isinstance(answer, Answer)
    return [one.quote for one in answer.citations]


def test_a_follow_up_is_completed_and_cites_only_what_it_used(desk: Desk, conversation: Conversation) -> None:
    assert quotes(conversation.reply("what did Russia demand?")) == ["Russia demanded four regions."]
    assert quotes(conversation.reply("and what did Ukraine say?")) == [
        "Ukraine said no.",
        "Ukraine said no, too, in another report.",
    ]
    conversation.reply("and Turkey?")
    assert [(one.text, one.shown) for one in desk.asked] == [
        ("what did Russia demand?", "what did Russia demand?"),
        ("what did Ukraine say?", "and what did Ukraine say?"),
        ("what did Turkey say?", "and Turkey?"),
    ]


def test_what_points_back_is_asked_of_the_same_article_first(desk: Desk, conversation: Conversation) -> None:
    conversation.reply("what did Russia demand?")
    back = conversation.reply("when was that?")
    assert quotes(back) == ["Russia demanded four regions."]
    assert isinstance(back, Answer)
    assert back.question.scope == Scope()
    assert quotes(conversation.reply("who made another report?")) == ["Ukraine said no, too, in another report."]
    assert quotes(conversation.reply("why was the meeting planned?")) == ["A second meeting is planned."]
    conversation.reply("and Turkey?")
    assert [(one.text, one.scope.revisions) for one in desk.asked[1:]] == [
        ("when did Russia demand?", (1,)),
        ("who made another report?", ()),
        ("why was the meeting planned?", ()),
        ("why was the meeting planned Turkey?", ()),
    ]


def test_what_the_desk_understood_is_kept_where_the_same_article_tells() -> None:
    class Spelling(Desk):
        def ask(self, question: Question) -> Answer:
            right = question.text.replace("metnig", "meeting")
            return super().ask(replace(question, text=right, said=question.shown))

    conversation = Conversation(Spelling(TALKS, ECHO), today=lambda: TODAY)
    conversation.reply("what did Russia demand?")
    back = conversation.reply("why was the metnig planned?")
    assert isinstance(back, Answer)
    assert understood(back.question) == ["Understood as: why was the meeting planned?"]
    assert back.question.scope == Scope()


def test_where_the_same_article_does_not_tell_the_archive_is_asked() -> None:
    class Elsewhere(Desk):
        def ask(self, question: Question) -> Answer:
            answer = super().ask(question)
            return replace(answer, answered=False, citations=()) if question.scope.revisions else answer

    elsewhere = Elsewhere(TALKS, ECHO)
    conversation = Conversation(elsewhere, today=lambda: TODAY)
    conversation.reply("what did Russia demand?")
    assert quotes(conversation.reply("who reported?")) == ["Russia demanded four regions."]
    assert [one.scope.revisions for one in elsewhere.asked] == [(), (1,), ()]


def test_who_said_it_shows_the_quote_again_with_its_speaker() -> None:
    desk = Desk(
        revision(1, "The mayor spoke. “We expected a flood of visitors,” said Ingrid Solheim. The hall was full.")
    )
    conversation = Conversation(desk, today=lambda: TODAY)
    conversation.reply("how many visitors?")
    again = conversation.reply("and who said that?")
    assert isinstance(again, Shown)
    assert again.citation.quote == "“We expected a flood of visitors,” said Ingrid Solheim."
    assert notes(again) == ["Speaker: Ingrid Solheim (“said”)"]
    assert len(desk.asked) == 1


def test_where_no_one_speaker_is_named_that_is_said(desk: Desk, conversation: Conversation) -> None:
    conversation.reply("what is planned?")
    assert conversation.reply("who said it?") == messages.NO_ONE_SPEAKER
    assert len(desk.asked) == 1


def test_after_a_refusal_nobody_said_it() -> None:
    desk = Desk()
    conversation = Conversation(desk, today=lambda: TODAY)
    conversation.reply("what did Norway demand?")
    assert conversation.reply("who said that?") == messages.NOTHING_CITED
    assert len(desk.asked) == 1


def test_who_said_what_may_be_meant_is_shown_with_it() -> None:
    desk = Desk(revision(1, "The mayor spoke. “We expected a flood of visitors,” said Ingrid Solheim."))
    conversation = Conversation(Unsure(desk), today=lambda: TODAY)
    meant = conversation.reply("how many visitors?")
    again = conversation.reply("and who said that?")
    assert isinstance(meant, Answer)
    assert isinstance(again, Shown)
    assert (again.citation, again.sure, len(desk.asked)) == (meant.perhaps, False, 1)
    assert notes(again) == ["Speaker: Ingrid Solheim (“said”)"]


def test_after_what_may_be_meant_its_article_is_asked_first() -> None:
    desk = Desk(TALKS, ECHO)
    conversation = Conversation(Unsure(desk), today=lambda: TODAY)
    meant = conversation.reply("what did Russia demand?")
    assert isinstance(meant, Answer)
    assert [one.quote for one in meant.quoted] == ["Russia demanded four regions."]
    wide = conversation.reply("/more")
    assert isinstance(wide, Shown)
    assert (wide.citation.quote, wide.sure) == ("Russia demanded four regions.", False)
    assert conversation.reply("/next") == "That was the last one of 1."
    assert conversation.reply("/sources") == Sources((TALKS, ECHO))
    conversation.reply("when was that?")
    assert [one.scope.revisions for one in desk.asked] == [(), (1,), ()]  # unsure there: the archive is asked


def test_what_adds_nothing_is_not_what_the_next_turn_leans_on(desk: Desk, conversation: Conversation) -> None:
    for said in ("what did Russia demand?", "why was that?", "when was that?"):
        conversation.reply(said)
    assert desk.asked[-1].text == "when did Russia demand?"


def test_time_words_of_the_turn_before_are_kept_and_counted_from_today(desk: Desk, conversation: Conversation) -> None:
    conversation.reply("what did Russia demand last week?")
    conversation.reply("and Ukraine?")
    words = window("what did Russia demand last week?", TODAY)
    assert words
    assert [(one.text, one.scope, one.meant) for one in desk.asked] == [
        ("what did Russia demand last week?", Scope(), words),
        ("what did Ukraine demand last week?", Scope(), words),
    ]


def test_a_followup_of_time_words_adds_them_to_the_question(desk: Desk, conversation: Conversation) -> None:
    for said in ("what was reported about Russia?", "and last week?", "and in 2019?"):
        conversation.reply(said)
    assert [(one.text, one.read_as) for one in desk.asked[1:]] == [
        ("what was reported about Russia?", "last week"),
        ("what was reported about Russia?", "in 2019"),
    ]


def test_after_new_nothing_is_completed(desk: Desk, conversation: Conversation) -> None:
    conversation.reply("what did Russia demand?")
    assert conversation.reply("/new") == messages.NEW
    conversation.reply("and Ukraine?")
    assert desk.asked[-1].text == "Ukraine?"


def test_filters_hold_until_they_are_lifted(desk: Desk, conversation: Conversation) -> None:
    assert conversation.reply("/since 2025-05-01") == "Answers come only from articles published since 1 May 2025."
    assert conversation.reply("/until 31 May 2025") == "Answers come only from articles published 1–31 May 2025."
    assert (
        conversation.reply("/outlet The Courier")
        == "Answers come only from articles published 1–31 May 2025, by The Courier."
    )
    conversation.reply("what did Russia demand?")
    assert desk.asked[-1].scope == Scope(date(2025, 5, 1), date(2025, 5, 31), ("The Courier",))
    conversation.reply("/since")
    conversation.reply("/until")
    assert conversation.reply("/outlet") == messages.EVERYTHING


def test_days_the_wrong_way_round_change_nothing(desk: Desk, conversation: Conversation) -> None:
    conversation.reply("/since 2025-05-10")
    turned = "The first day, 2025-05-10, is after the last, 2025-05-01. Turn them round."
    assert conversation.reply("/until 2025-05-01") == turned
    conversation.reply("what did Russia demand?")
    assert desk.asked[-1].scope == Scope(since=date(2025, 5, 10))


def test_next_and_more_move_over_the_citations(conversation: Conversation) -> None:
    conversation.reply("what did Ukraine demand?")
    second = conversation.reply("/next")
    assert isinstance(second, Shown)
    assert (second.citation.quote, second.number, second.count) == ("Ukraine said no, too, in another report.", 2, 2)
    assert conversation.reply("/next") == "That was the last one of 2."
    assert conversation.reply("/more") == messages.WHOLE_ARTICLE


def test_more_shows_more_each_time_up_to_the_whole_article(conversation: Conversation) -> None:
    conversation.reply("what did Russia demand?")
    seen = []
    while isinstance(reply := conversation.reply("/more"), Shown):
        seen.append(reply.citation)
    assert reply == messages.WHOLE_ARTICLE
    assert [len(one.context) for one in seen] == sorted({len(one.context) for one in seen})
    assert seen[-1].context == TALKS.article.text
    assert {one.quote for one in seen} == {"Russia demanded four regions."}


def test_wider_never_leaves_the_stored_text() -> None:
    citation = wider(cite(TALKS, (0, 26)))
    assert TALKS.article.text.startswith(citation.context)
    assert (citation.before, citation.start, citation.end) == ("", 0, 26)


def test_sources_are_the_cited_articles_first(conversation: Conversation) -> None:
    conversation.reply("another report")
    assert conversation.reply("/sources") == Sources((ECHO, TALKS))


@pytest.mark.parametrize("command", ["/more", "/next", "/sources"])
def test_commands_before_a_question_say_so(conversation: Conversation, command: str) -> None:
    assert conversation.reply(command) == messages.NOTHING_ASKED


def test_a_long_question_is_asked_whole_or_refused(desk: Desk, conversation: Conversation) -> None:
    conversation.reply("what did Russia demand?")
    long = "what did Russia demand of whom? " * 20 + "and when?"
    conversation.reply(long)
    assert desk.asked[-1].text == long
    assert str(conversation.reply(long * 2)).startswith("The question has 1,298 characters; the limit is 1,000.")


def test_what_cannot_be_done_is_a_sentence(conversation: Conversation) -> None:
    assert conversation.reply("/nxt") == "There is no /nxt. Did you mean /next? /help lists the commands."
    assert conversation.reply("/\x1b[31mzzz") == "There is no /[31mzzz. /help lists the commands."
    assert conversation.reply("???") == "The question is empty. Ask something such as: what did Russia demand?"
    assert conversation.reply("/since soon") == (
        "The date 'soon' is not readable. Write day, month and year like 2025-05-16."
    )
    assert conversation.reply("/quit") == End()
    assert conversation.reply("/help") == messages.HELP


@pytest.mark.parametrize("text", ["2025-05-16", " 20250516 ", "16 May 2025", "16.05.2025", "May 16, 2025"])
def test_a_day_in_any_spelling(text: str) -> None:
    assert read_day(text) == date(2025, 5, 16)


def test_no_day_is_an_error() -> None:
    with pytest.raises(BadQuestion, match=r"The date is empty\. Write it like 2025-05-16\."):
        read_day("  ")


def test_every_command_of_the_help_exists(conversation: Conversation) -> None:
    named: Callable[[str], bool] = lambda word: word.startswith("/")  # noqa: E731
    for command in filter(named, messages.HELP.split()):
        reply = conversation.reply(command)
        assert not (isinstance(reply, str) and reply.startswith("There is no"))
