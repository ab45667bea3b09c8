"""What a person sees: the same answer on a screen, in a pipe, and typed in a conversation."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from rich.console import Console
from rich.text import Text

from bot import messages
from bot.channels.terminal import Limits, explain, render, run, table, to_question, write
from bot.conversation import Conversation, Reply, Shown, Sources, opening
from corpus.archive import FOREVER, Revision
from corpus.article import make_article
from retrieval.answer import Answer, Reason
from retrieval.citation import Citation, cite
from retrieval.question import Question, read_question
from retrieval.scope import Scope
from tests.unsure import perhaps

SCREEN = Limits(width=40, styled=True)
PIPE = Limits()
QUOTE = "Russia demanded that Ukraine withdraw from four regions."
BEFORE = "Officials met in Istanbul on Friday. "
TODAY = date(2025, 6, 1)
MAY = Scope(date(2025, 5, 1), date(2025, 5, 31))
QUESTION = Question("what did Russia demand?", TODAY, MAY, "what did Russia demand in May 2025?", "in May 2025")


def revision(number: int = 1, **fields: object) -> Revision:
    known: dict[str, object] = {
        "url": f"https://n.example/{number}",
        "title": "Talks end",
        "text": BEFORE + QUOTE,
        "published": datetime(2025, 5, 16, tzinfo=UTC),
        "outlet": "The Courier",
        "authors": ("Mira Halvorsen",),
    }
    return Revision(number, 1, make_article(**{**known, **fields}), date(2025, 5, 16), FOREVER)  # type: ignore[arg-type]


def answer(*revisions: Revision, question: Question = QUESTION) -> Answer:
    citations = tuple(cite(one, (len(BEFORE), len(BEFORE) + len(QUOTE))) for one in revisions)
    return Answer(question, True, 0.9, QUOTE, citations, (), 0.1)


def refusal(reason: Reason, *nearest: Revision) -> Answer:
    return Answer(Question("who?", TODAY), False, 0.1, "", (), (), 0.1, reason=reason.value, nearest=nearest)


def printed(reply: Reply, limits: Limits) -> str:
    console = Console(
        file=io.StringIO(),
        force_terminal=limits.styled,
        width=limits.width or 80,
        color_system="standard" if limits.styled else None,
        markup=False,
        legacy_windows=False,
    )
    write(render(reply, limits), console, limits)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plain(reply: Reply, limits: Limits = PIPE) -> list[str]:
    return printed(reply, limits).splitlines()


@pytest.mark.parametrize(
    ("today", "told"),
    [
        (date(2027, 4, 20), "This report is 23 months old."),
        (date(2027, 5, 20), "This report is 2 years old."),
        (date(2036, 6, 16), "This report is 11 years old."),
    ],
)
def test_from_two_years_on_the_age_of_a_report_is_told_in_years(today: date, told: str) -> None:
    lines = plain(answer(revision(), question=replace(QUESTION, today=today)))
    assert [line for line in lines if line.startswith("This report")] == [told]


def test_in_a_pipe_the_quote_is_whole_and_marked() -> None:
    assert plain(answer(revision())) == [
        "Looked at articles published 1–31 May 2025, from “in May 2025”.",
        "",
        f"> {QUOTE}",
        "Talks end",
        "The Courier · 16 May 2025 · Mira Halvorsen",
        "Speaker: Russia (“demanded”)",
        "https://n.example/1#:~:text=Russia%20demanded%20that%20Ukraine%20withdraw%20from%20four%20regions.",
    ]


def test_several_citations_are_numbered() -> None:
    lines = plain(answer(revision(1), revision(2, outlet="", authors=(), published=None)))
    assert [line[:4] for line in lines if line[:1].isdigit()] == ["1  >", "2  >"]
    assert lines[-3] == "   undated"


def test_an_old_report_says_how_old_it_is() -> None:
    asked = Question("what did Russia demand?", date(2026, 11, 24))
    lines = plain(answer(revision(1), revision(2, published=None), question=asked))
    assert [line.strip() for line in lines if "months old" in line] == ["This report is 18 months old."]
    assert lines.index("   This report is 18 months old.") < lines.index("2  > " + QUOTE)


def test_a_screen_shows_the_quote_in_its_dimmed_context_and_wraps_at_words() -> None:
    text = printed(answer(revision(), question=Question("what?", TODAY)), SCREEN)
    assert "\x1b[2mOfficials met in Istanbul on Friday.\x1b[0m" in text
    assert "\x1b[1mRussia demanded that Ukraine withdraw\x1b[0m" in text
    assert Text.from_ansi(text).plain.splitlines() == [
        "Officials met in Istanbul on Friday.",
        "Russia demanded that Ukraine withdraw",
        "from four regions.",
        "Talks end",
        "The Courier · 16 May 2025 · Mira",
        "Halvorsen",
        "Speaker: Russia (“demanded”)",
        "https://n.example/1",
    ]
    assert "\x1b]8;id=" in text
    assert "#:~:text=Russia%20demanded" in text


def test_words_in_quotation_marks_whose_speaker_is_not_plain_say_so() -> None:
    lines = [
        plain(answer(revision(text=BEFORE + said)))[5] for said in (f"“{QUOTE[:-3]}.” ", QUOTE.replace("Russia", "It"))
    ]
    assert lines[0] == "Speaker: not determined"
    assert lines[1].startswith("https://")


def test_dots_say_where_the_context_is_cut() -> None:
    long = "A sentence of some words. " * 40
    one = revision(text=long + QUOTE + " " + long)
    shown = replace(
        answer(), citations=(cite(one, (len(long), len(long) + len(QUOTE))),), question=Question("what?", TODAY)
    )
    text = Text.from_ansi(printed(shown, Limits(width=10_000, styled=True))).plain
    assert "… " in text.split(QUOTE)[0]
    assert " …" in text.split(QUOTE)[1]


def test_the_words_that_answer_are_bold_on_a_screen() -> None:
    found = replace(answer(revision()).citations[0], words=(0, 6))
    text = Text.from_ansi(printed(replace(answer(revision()), citations=(found,)), Limits(width=10_000, styled=True)))
    bold = [text.plain[one.start : one.end] for one in text.spans if getattr(one.style, "bold", False)]
    assert bold == [QUOTE[:6]]


def test_markup_and_emoji_codes_of_a_title_print_as_they_are() -> None:
    assert plain(answer(revision(title="[red]Talks[/red] :smile: [link=x]")))[3] == "[red]Talks[/red] :smile: [link=x]"


def test_a_completed_follow_up_is_shown() -> None:
    question = read_question("what did Ukraine say?", today=TODAY, said="and Ukraine?")
    assert plain(answer(revision(), question=question))[0] == "Understood as: what did Ukraine say?"


def test_a_slip_put_right_is_shown_with_an_answer_and_with_a_refusal() -> None:
    question = Question("what did Russia demand?", TODAY, said="what did Rusisa demand?")
    for reply in (answer(revision(), question=question), replace(refusal(Reason.SILENT), question=question)):
        assert plain(reply)[0] == "Understood as: what did Russia demand?"


def test_every_filter_is_shown() -> None:
    scope = Scope(date(2025, 5, 1), None, ("The Courier", "Ledger"), date(2025, 5, 20))
    assert plain(answer(revision(), question=Question("what?", TODAY, scope)))[0] == (
        "Looked at articles published since 1 May 2025, by The Courier or Ledger, as of 20 May 2025."
    )


def test_copies_name_the_other_outlets() -> None:
    copies = [revision(number, outlet=outlet) for number, outlet in enumerate(("Ledger", "The Courier", "Ledger"), 2)]
    assert "Also carried by Ledger" in plain(replace(answer(revision(1)), copies=(tuple(copies),)))


def test_a_refusal_gives_its_reason_and_the_nearest_headlines_without_a_quote() -> None:
    assert plain(refusal(Reason.SILENT, revision(1), revision(2, title="Other"))) == [
        Reason.SILENT,
        "",
        messages.CLOSEST,
        "  Talks end",
        "  The Courier · 16 May 2025 · Mira Halvorsen",
        "  https://n.example/1",
        "",
        "  Other",
        "  The Courier · 16 May 2025 · Mira Halvorsen",
        "  https://n.example/2",
    ]


def test_what_may_be_meant_is_one_passage_and_no_answer() -> None:
    meant = perhaps(answer(revision(), revision(2), question=Question("what?", TODAY)))
    shown = [messages.PERHAPS, f"> {QUOTE}", "Talks end", "The Courier · 16 May 2025 · Mira Halvorsen"]
    assert plain(meant)[:-1] == [*shown, "Speaker: Russia (“demanded”)"]
    assert plain(opening(meant)) == plain(meant)
    text = printed(meant, SCREEN)
    assert "\x1b[1mRussia demanded that Ukraine withdraw\x1b[0m" in text
    assert Text.from_ansi(text).plain.splitlines()[:4] == [
        messages.PERHAPS,
        "Officials met in Istanbul on Friday.",
        "Russia demanded that Ukraine withdraw",
        "from four regions.",
    ]


def test_where_the_matter_is_not_there_no_headline_is_offered() -> None:
    assert plain(refusal(Reason.NOTHING)) == [Reason.NOTHING]


def test_an_empty_archive_says_what_to_do() -> None:
    assert plain(refusal(Reason.EMPTY)) == messages.EMPTY_ARCHIVE.splitlines()


def test_a_citation_on_its_own_and_sources() -> None:
    one = cite(revision(), (len(BEFORE), len(BEFORE) + len(QUOTE)))
    assert plain(Shown(one, 2, 3, Question("who?", date(2025, 5, 20))))[0] == f"2  > {QUOTE}"
    assert plain(Sources((revision(),)))[0] == "Talks end"


def test_what_was_typed_loses_what_steers_a_terminal() -> None:
    assert to_question("  who\x1b[2J won?\x00 ") == "who[2J won?"
    assert to_question(" \t") is None


def test_a_table_in_a_pipe_is_neither_cut_nor_padded(capsys: pytest.CaptureFixture[str]) -> None:
    table([("1", "x" * 300), ("20", "[red]")], ("number", "text"))
    assert capsys.readouterr().out.splitlines() == ["number  text", f"1       {'x' * 300}", "20      [red]"]


def test_explain_prints_whatever_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"text": "A\nsentence", "score": 0.5, "features": {"cosine": 0.25}}]
    explain(replace(answer(), explained={"seconds": {"search": 0.01}, "sentences": rows, "note": "none"}))
    assert [line for line in capsys.readouterr().out.splitlines() if line] == [
        "confidence: sure (0.90)",
        "seconds",
        "search  0.010",
        "sentences",
        "text        score  features",
        "A sentence  0.500  cosine=0.250",
        "note",
        "none",
    ]


STOPPED = "who stopped the railway strike in Belgium?"


class Desk:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question.text)
        if "stopped" in question.text:
            raise KeyboardInterrupt
        return answer(revision(), question=question)

    def proven(self, citation: Citation) -> Citation:
        return citation


def typing(*typed: str) -> Iterator[str]:
    yield from typed


def test_a_conversation_runs_until_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    desk, lines = Desk(), typing("what did Russia demand?", "", STOPPED, "/nxt", "/quit", "never read")
    run(Conversation(desk), "Welcome", lambda prompt: next(lines))
    out = capsys.readouterr().out
    assert desk.asked == ["what did Russia demand?", STOPPED]
    assert f"> {QUOTE}" in out
    assert messages.STOPPED in out
    assert "Did you mean /next?" in out
    assert next(lines) == "never read"


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_ctrl_d_and_ctrl_c_end_it_quietly(end: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    def ended(_prompt: str) -> str:
        raise end

    run(Conversation(Desk()), "Welcome", ended)
    assert capsys.readouterr().out == ""
