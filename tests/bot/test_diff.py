"""`pullquote diff`, and what marks an article in every answer."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot import markdown, messages
from bot.channels import matrix, slack, telegram, terminal
from bot.cli import cli
from bot.conversation import Reply, Shown, Verified, notes, told_of
from corpus.archive import FOREVER, Revision, open_archive
from corpus.article import Article, Kind, make_article
from corpus.passages import passages
from retrieval.answer import Answer, to_json
from retrieval.citation import Citation, cite
from retrieval.question import Question

URL = "https://n.example/bridge"
OLD = (
    "The bridge opened on Friday.\n\nIt cost 12 million, the mayor said.\n\n"
    "The ferry made its last trip at noon that day."
)
NOTE = "Correction: An earlier version of this article misstated the price."
NEW = OLD.replace("12", "14") + f"\n\n{NOTE}"
MOVED = "\n\n".join([*OLD.split("\n\n")[1:], OLD.split("\n\n")[0]])


def day(number: int) -> datetime:
    return datetime(2025, 5, number, 12, tzinfo=UTC)


BRIDGE = make_article(url=URL, title="Bridge opens", text=OLD, published=day(2), outlet="Courier", retrieved=day(3))


def run(*args: str) -> Result:
    result = CliRunner().invoke(cli, args)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def data(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULLQUOTE_DATA", str(bare))
    return bare


def stored(data: Path, *articles: Article) -> None:
    archive = open_archive(data / "archive.sqlite")
    archive.store([(one, passages(one)) for one in articles])
    archive.close()


def revised(data: Path, *texts: str) -> None:
    stored(data, BRIDGE, *(replace(BRIDGE, text=text, retrieved=day(5 + n)) for n, text in enumerate(texts)))


def test_diff_marks_what_changed_word_by_word(data: Path) -> None:
    revised(data, NEW)
    assert run("diff", "bridge").stdout.splitlines() == [
        "Bridge opens",
        "from revision 1 (2 May 2025) to revision 2 (5 May 2025)",
        "",
        "It cost [-12-] {+14+} million, the mayor said.",
        "",
        f"{{+{NOTE}+}}",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OLD.replace("Friday.", "Friday!").replace("million,", "million"), messages.RESPELLED),
        (MOVED, "Nothing changed but the place of 1 sentence; the words are the same."),
    ],
)
def test_diff_says_that_no_word_changed(data: Path, text: str, said: str) -> None:
    revised(data, text)
    assert run("diff", "bridge").stdout.splitlines()[2:] == ["", said]
    found = json.loads(run("diff", "bridge", "--json").stdout)
    assert (found["changed"], found["paragraphs"]) == (False, [])


def test_diff_of_two_named_revisions_as_json(data: Path) -> None:
    revised(data, MOVED, NEW)
    stored(data, replace(BRIDGE, text=NEW, title="Bridge opens at last", authors=("Ann Lee",), retrieved=day(9)))
    found = json.loads(run("diff", URL, "1", "4", "--json").stdout)
    assert {name: found[name] for name in found if name != "paragraphs"} == {
        "url": URL,
        "old": {"revision": 1, "since": "2025-05-02"},
        "new": {"revision": 4, "since": "2025-05-09"},
        "changed": True,
        "title": [{"kind": "same", "text": "Bridge opens "}, {"kind": "added", "text": "at last"}],
        "fields": [{"field": "authors", "old": "", "new": "Ann Lee"}],
        "moved": 0,
        "respelled": False,
    }
    assert [[piece["kind"] for piece in one] for one in found["paragraphs"]] == [
        ["same", "removed", "same", "added", "same"],
        ["added"],
    ]
    assert run("diff", URL, "1").stdout.splitlines()[1] == "from revision 1 (2 May 2025) to revision 4 (9 May 2025)"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("2", "2"), "Both are revision 2. Name two different ones."),
        (("1", "7"), "The article has 2 revisions, none with the number 7."),
    ],
)
def test_diff_refuses_what_cannot_be_compared(data: Path, args: tuple[str, ...], said: str) -> None:
    revised(data, NEW)
    result = run("diff", "bridge", *args)
    assert (result.exit_code, result.stderr) == (1, f"{said}\n")


def test_diff_of_one_revision_is_refused(data: Path) -> None:
    revised(data)
    assert run("diff", "bridge").stderr == f"{messages.ONE_REVISION}\n"


def test_show_and_list_tell_what_the_source_says_besides(data: Path) -> None:
    modified = datetime(2025, 5, 3, 8, tzinfo=timezone(timedelta(hours=-4)))
    fields: dict[str, Any] = {"section": "Region", "language": "en", "kind": "opinion", "paywalled": True}
    stored(data, replace(BRIDGE, text=NEW, modified=modified, dated_by="file", **fields))
    assert run("show", "bridge").stdout.splitlines()[3:5] == [
        "opinion · section Region · language en · behind a paywall · changed by its outlet on 3 May 2025, "
        "08:00 UTC-04:00 · dated by its file",
        f"The article carries a correction note: {NOTE}",
    ]
    shown = json.loads(run("show", "bridge", "--json").stdout)
    listed = json.loads(run("list", "--json").stdout)
    told = {**fields, "modified": "2025-05-03T08:00:00-04:00", "dated_by": "file"}
    assert {name: shown[name] for name in told} == {name: listed[name] for name in told} == told
    assert shown["correction"] == NOTE


# Marks on a citation


def cited(article: Article) -> Citation:
    return cite(Revision(1, 1, article, date(2025, 5, 2), FOREVER), (0, 28))


def shown(citation: Citation) -> Shown:
    return Shown(citation, 1, 1, Question("when?", date(2025, 6, 1)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("opinion", "This is an opinion piece."),
        ("press release", "This is a press release."),
        ("live", "This is a live report, which may have been written on since."),
        ("wire", "This is an agency report."),
        ("correction", "This is a correction of another report."),
    ],
)
def test_the_kind_of_a_piece_is_a_note(kind: Kind, said: str) -> None:
    assert notes(shown(cited(replace(BRIDGE, kind=kind)))) == [said]


def test_a_plain_report_has_no_mark() -> None:
    assert notes(shown(cited(replace(BRIDGE, kind="news", language="en", paywalled=True)))) == []


def test_every_channel_shows_the_marks() -> None:
    citation = cited(replace(BRIDGE, text=NEW, kind="opinion", dated_by="file"))
    told = ["This is an opinion piece.", f"The article carries a correction note: {NOTE}", messages.FILE_DATE]
    assert told_of(citation) == told
    answer = Answer(Question("when?", date(2025, 6, 1)), True, 0.9, citation.quote, (citation,), (), 0.1)
    replies: list[Reply] = [answer, shown(citation), Verified(citation, True, "")]
    for reply in replies:
        on_screen = "\n".join(block.text.plain for block in terminal.render(reply, terminal.Limits()))
        in_telegram = telegram.render(reply, "en", "bot").html
        in_slack = json.dumps(slack.render(reply).to_dict())
        in_matrix = matrix.render(reply).text
        in_markdown = markdown.render(reply, markdown.MATTERMOST)
        for text in (on_screen, in_telegram, in_slack, in_matrix, in_markdown):
            assert [one for one in told if one not in text] == []


def test_the_marks_are_in_json() -> None:
    modified = datetime(2025, 5, 3, 8, tzinfo=UTC)
    citation = cited(replace(BRIDGE, text=NEW, section="Opinion", modified=modified))
    answer = Answer(Question("when?", date(2025, 6, 1)), True, 0.9, citation.quote, (citation,), (), 0.1)
    [row] = json.loads(json.dumps(to_json(answer)))["citations"]
    assert {name: row[name] for name in ("kind", "correction", "modified", "dated_by")} == {
        "kind": "opinion",
        "correction": NOTE,
        "modified": "2025-05-03T08:00:00+00:00",
        "dated_by": "",
    }
