"""The command, with a real archive, real Chroma and the real model."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot import messages
from bot.cli import cli
from corpus.intake import only_one
from tests.web_server import serving

DEMAND = "what did Russia demand?"
TALKS = (
    "Officials of both countries met in Istanbul on Friday. Russia demanded that Ukraine withdraw its troops from four "
    "regions. Ukraine rejected the demand and asked for a ceasefire of thirty days.\n\nA second meeting is planned."
)
CHEESE = "A dairy in Larkhaven won the national cheese prize on Sunday. The jury praised its blue cheese for its depth."
ROWS: list[dict[str, object]] = [
    {
        "url": "https://n.example/talks",
        "title": "Talks end without a truce",
        "text": TALKS,
        "published": "2025-05-16",
        "outlet": "The Courier",
        "authors": ["Mira Halvorsen"],
    },
    {"url": "https://n.example/cheese", "title": "Dairy wins [red]prize", "text": CHEESE, "outlet": "Ledger"},
]


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def run(*args: str, stdin: str | bytes | None = None) -> Result:
    """The command in this process; an exception that is no reply fails the test."""
    result = CliRunner().invoke(cli, args, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def loaded(*args: str, stdin: str | None = None) -> Any:
    result = run(*args, stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def lines(*args: str, stdin: str | None = None) -> list[Any]:
    return [json.loads(line) for line in run(*args, stdin=stdin).stdout.splitlines()]


@pytest.fixture
def stocked(place: Path) -> Path:
    """The data folder with two articles taken in."""
    assert run("ingest", jsonl(place.parent / "articles.jsonl", ROWS)).exit_code == 0
    return place


# Articles in


def test_ingest_says_what_it_did_and_that_there_is_nothing_new(place: Path) -> None:
    file = jsonl(place.parent / "articles.jsonl", ROWS)
    assert run("ingest", file, "--dry-run").stdout == "Would be: 2 added, 0 revised, 0 unchanged.\n"
    assert run("ingest", file).stdout == "Articles: 2 added, 0 revised, 0 unchanged.\n"
    assert run("ingest", file).stdout == "Nothing new: 2 articles are already stored as they are.\n"
    jsonl(place.parent / "articles.jsonl", [{**ROWS[0], "text": f"{TALKS} Corrected."}])
    assert run("ingest", file).stdout == "Articles: 0 added, 1 revised, 0 unchanged.\n"


def test_a_dry_run_stores_nothing(place: Path) -> None:
    run("ingest", jsonl(place.parent / "articles.jsonl", ROWS), "--dry-run")
    assert loaded("status", "--json")["articles"] == 0


def test_what_is_bad_is_named_with_its_reason_and_the_rest_is_stored(place: Path) -> None:
    file = jsonl(place.parent / "articles.jsonl", [ROWS[0], {"url": "https://n.example/x", "title": "No text"}])
    result = run("ingest", file, str(place.parent / "none\x1b[31m.txt"))
    assert result.exit_code == 1
    assert result.stdout == "Articles: 1 added, 0 revised, 0 unchanged.\n"
    assert result.stderr.splitlines() == [
        "Not taken in: 2 items.",
        f'  {file}:2: The row has no text: it is None. Give it a "text" that says something.',
        f"  {place.parent}/none\\x1b[31m.txt: "
        "There is nothing to read here: No such file or directory. Check the path.",
    ]
    assert loaded("status", "--json")["articles"] == 1


def test_ingest_reads_standard_input_and_reports_as_json(place: Path) -> None:
    rows = [ROWS[0], {**ROWS[0], "url": "https://n.example/mirror"}]
    assert loaded("ingest", "-", "--json", stdin="".join(json.dumps(row) + "\n" for row in rows)) == {
        "counts": {"added": 1, "same as": 1},
        "notes": [
            {
                "where": "standard input:2",
                "reason": "is the article https://n.example/talks under another address; the address was noted",
            }
        ],
        "problems": [],
    }
    assert loaded("show", "1", "--json")["also_at"] == ["https://n.example/mirror"]


def test_a_page_is_added_by_its_address(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as web:
        url = web.page("/cheese")
        inside = run("add", url)
        monkeypatch.setenv("PULLQUOTE_FETCH_PRIVATE", "10.0.0.0/8, 127.0.0.1")
        added = run("add", url, f"{web.url}/missing")
        again = run("add", url)
    assert (inside.exit_code, inside.stdout) == (1, "")
    assert "127.0.0.1 is 127.0.0.1, which is not an address of the internet." in inside.stderr
    assert (added.exit_code, added.stdout) == (1, "Articles: 1 added, 0 revised, 0 unchanged.\n")
    assert f"{web.url}/missing: " in added.stderr
    assert again.stdout == "Nothing new: 1 article is already stored as it is.\n"
    [citation] = loaded("ask", "--json", "who won the cheese prize?")["citations"]
    assert (citation["url"], citation["outlet"], citation["published"]) == (url, "The Ledger", "2025-05-16")


def test_a_second_intake_says_who_holds_the_lock(place: Path) -> None:
    with only_one(place):
        result = run("ingest", jsonl(place.parent / "articles.jsonl", ROWS), "--wait", "0.1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Another pullquote is changing this archive (process ")


# Questions


def test_an_answer_is_a_quote_of_the_stored_article(stocked: Path) -> None:
    answer = loaded("ask", DEMAND, "--json", "-k", "1")
    [citation] = answer["citations"]
    assert answer["answered"]
    assert citation["quote"] == TALKS[citation["start"] : citation["end"]]
    assert "four regions" in citation["quote"]
    assert (citation["url"], citation["title"]) == ("https://n.example/talks", "Talks end without a truce")
    assert (citation["outlet"], citation["published"]) == ("The Courier", "2025-05-16")
    assert citation["authors"] == ["Mira Halvorsen"]
    assert citation["link"].startswith("https://n.example/talks#:~:text=")


def test_an_answer_as_text_needs_no_quotes_around_the_question(stocked: Path) -> None:
    result = run("ask", "-k", "1", *DEMAND.split())
    assert result.exit_code == 0
    assert "four regions" in next(line for line in result.stdout.splitlines() if line.startswith("> "))
    assert "The Courier · 16 May 2025 · Mira Halvorsen" in result.stdout


def test_filters_reach_the_question(stocked: Path) -> None:
    assert loaded(
        "ask", DEMAND, "--json", "--since", "16 May 2025", "--until", "2025-05-17", "--outlet", "The Courier"
    )["filters"] == {
        "since": "2025-05-16",
        "until": "2025-05-17",
        "outlet": ["The Courier"],
        "as_of": None,
        "read_from": "",
    }
    refused = loaded("ask", DEMAND, "--json", "--until", "2024-01-01")
    assert (refused["answered"], refused["citations"]) == (False, [])
    assert run("ask", DEMAND, "--until", "2024-01-01").exit_code == 0


def test_explain_shows_the_stages(stocked: Path) -> None:
    assert "confidence: " in run("ask", DEMAND, "--explain").stdout
    assert loaded("ask", DEMAND, "--explain", "--json")["explained"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("ask",), 2, "Give either a question or --batch FILE."),
        (("ask", "?"), 1, "The question is empty."),
        (("ask", "x" * 2000), 1, "The question has 2,000 characters"),
        (("ask", "who?", "--since", "soon"), 2, "The date 'soon' is not readable."),
        (("ask", "who?", "--since", "2025-05-02", "--until", "2025-05-01"), 1, "The first day, 2025-05-02, is after"),
        (("ask", "who?", "-k", "4"), 2, "4 is not in the range"),
        (("show", "nothing"), 1, "No article has the number, the address or the headline 'nothing'."),
        (("show", "1", "--revision", "7"), 1, "The article has 1 revision, none with the number 7."),
        (("forget", "1"), 1, "This deletes an article for good. Say so with --yes."),
    ],
)
def test_a_mistake_is_one_sentence(stocked: Path, args: tuple[str, ...], code: int, said: str) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in " ".join(result.stderr.split())


def test_an_empty_archive_says_how_to_fill_it(place: Path) -> None:
    result = run("ask", DEMAND)
    assert result.exit_code == 0
    assert "pullquote ingest PATH" in result.stdout
    assert "--sample" in result.stdout
    assert loaded("ask", DEMAND, "--json")["reason"] == "The archive is empty."


def test_a_batch_is_answered_in_order_and_a_bad_line_is_no_answer(stocked: Path) -> None:
    asked = [
        json.dumps({"id": "a", "question": DEMAND}),
        json.dumps(
            {
                "id": 2,
                "question": "this week’s news: what did Russia demand?",
                "date": "2025-05-17",
                "outlet": ["The Courier"],
            }
        ),
        "",
        "not JSON",
        json.dumps({"id": 4, "question": 5}),
        json.dumps({"id": 5, "question": "who?", "since": "soon"}),
    ]
    result = run("ask", "--batch", "-", "--json", stdin="\n".join(asked))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [(one["id"], one["answered"]) for one in answers] == [
        *(("a", True), (2, True)),
        *((None, False), (4, False), (5, False)),
    ]
    assert answers[1]["filters"]["read_from"] == "this week"
    assert "2025-05-01" < answers[1]["filters"]["since"] <= "2025-05-17"
    assert answers[1]["filters"]["until"] is None  # the week goes on
    assert answers[3] == {
        "id": 4,
        "question": "",
        "answered": False,
        "confidence": 0.0,
        "answer": "",
        "citations": [],
        "perhaps": None,
        "retrieved": [],
        "reason": 'The line has no question. Give it a "question" in quotes.',
        "seconds": 0.0,
    }
    assert "is not readable" in answers[4]["reason"]


def test_a_batch_as_text(stocked: Path) -> None:
    result = run("ask", "--batch", "-", stdin=json.dumps({"question": DEMAND}))
    assert result.stdout.startswith(f"{DEMAND}\n")
    assert "four regions" in result.stdout


def test_the_index_catches_up_before_a_question_and_else_says_that_it_is_behind(stocked: Path) -> None:
    from corpus.archive import open_archive
    from corpus.intake import take_in
    from corpus.sources.files import read

    file = jsonl(stocked.parent / "more.jsonl", [{**ROWS[0], "url": "https://n.example/new", "title": "A new one"}])
    archive = open_archive(stocked / "archive.sqlite")
    take_in(read([file]), archive)
    archive.close()
    with only_one(stocked):
        assert "changing the archive" in run("ask", DEMAND).stderr
    assert loaded("status", "--json")["behind"] > 0
    assert "catching up first" in run("ask", DEMAND).stderr
    assert loaded("status", "--json")["behind"] == 0


def test_an_index_of_another_model_names_reindex(stocked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = stocked / "vectors" / "snapshot.json"
    stamp = json.loads(note.read_text())
    note.write_text(json.dumps({**stamp, "stamp": {**stamp["stamp"], "model": "other/model"}}))
    result = run("ask", DEMAND)
    assert result.exit_code == 1
    assert "other/model" in result.stderr
    assert "pullquote reindex" in result.stderr
    assert run("reindex").stdout == "The indexes were made anew: 2 passages.\n"
    assert loaded("ask", DEMAND, "--json")["answered"]


def test_the_sample_answers_without_touching_the_archive(place: Path) -> None:
    answer = loaded("ask", "--sample", DEMAND, "--json")
    assert answer["answered"]
    assert all(one["url"].startswith("https://example.org/") for one in answer["citations"])
    assert loaded("status", "--json")["articles"] == 0
    (place / "sample" / "sample.sha256").write_text("as if the articles had changed")
    assert "Taking in the sample articles" in run("ask", "--sample", DEMAND).stderr
    assert "Taking in" not in run("ask", "--sample", DEMAND).stderr


def test_a_chat_is_fed_by_lines_where_there_is_no_terminal(stocked: Path) -> None:
    result = run("chat", stdin=f"{DEMAND}\nand what did Ukraine reject?\n/quit\n")
    assert result.exit_code == 0
    assert "four regions" in result.stdout
    assert "\x1b" not in result.stdout


# What is there


def test_list_and_show_print_hostile_titles_as_they_are(stocked: Path) -> None:
    assert run("list").stdout.splitlines() == [
        "number  published   outlet       headline",
        "1       2025-05-16  The Courier  Talks end without a truce",
        "2       undated     Ledger       Dairy wins [red]prize",
    ]
    assert run("list", "-n", "1").stderr == "1 of 2 articles. See more with: pullquote list -n 2\n"
    assert [row["id"] for row in lines("list", "--json", "--outlet", "ledger")] == [2]
    assert run("list", "--outlet", "None").stdout == "No article of None is in the archive.\n"
    assert run("show", "2").stdout.splitlines() == [
        "Dairy wins [red]prize",
        "Ledger · undated",
        "https://n.example/cheese",
        "",
        CHEESE,
    ]


def test_show_knows_revisions(stocked: Path) -> None:
    run("ingest", jsonl(stocked.parent / "later.jsonl", [{**ROWS[0], "text": f"{TALKS} Corrected."}]))
    assert loaded("show", "https://n.example/talks", "--json")["revision"] == 2
    assert loaded("show", "https://n.example/talks", "--revision", "1", "--json")["text"] == TALKS
    assert "revision 1 of 2, from 16 May 2025 to " in run("show", "1", "--revision", "1").stdout


def test_show_lists_who_else_carries_the_story(stocked: Path) -> None:
    agency = {**ROWS[0], "url": "https://w.example/talks", "outlet": "Wire", "published": "2025-05-15", "authors": []}
    run("ingest", jsonl(stocked.parent / "wire.jsonl", [agency]))
    row = {"outlet": "Wire", "title": ROWS[0]["title"], "url": agency["url"], "published": "2025-05-15"}
    assert loaded("show", "1", "--json")["copies"] == [row]
    assert run("show", "1").stdout.splitlines()[-5:] == [
        "",
        messages.COPIES,
        "  Talks end without a truce",
        "  Wire · 15 May 2025",
        "  https://w.example/talks",
    ]
    assert loaded("show", "2", "--json")["copies"] == []


def test_forget_is_for_good_and_the_index_follows(stocked: Path) -> None:
    assert run("forget", "1", "--yes").stdout == ("Forgotten: “Talks end without a truce” (https://n.example/talks).\n")
    found = loaded("status", "--json")
    assert (found["articles"], found["passages"], found["behind"]) == (1, 1, 0)
    answer = loaded("ask", DEMAND, "--json")
    assert "https://n.example/talks" not in json.dumps(answer)


def test_what_is_forgotten_leaves_the_disk(stocked: Path) -> None:
    """Neither its headline nor its words stand in any file of the data folder."""
    for said in ("Talks end without a truce", "withdraw its troops from four"):
        assert holding(stocked, said) == ["archive.sqlite"]
    assert run("forget", "1", "--yes").exit_code == 0
    for said in ("Talks end without a truce", "withdraw its troops from four"):
        assert holding(stocked, said) == []
    assert holding(stocked, CHEESE) == ["archive.sqlite"]


def holding(folder: Path, said: str) -> list[str]:
    """The files that hold these words."""
    return [path.name for path in folder.rglob("*") if path.is_file() and said.encode() in path.read_bytes()]


def test_status_counts(stocked: Path) -> None:
    found = loaded("status", "--json")
    assert {
        name: found[name] for name in ("articles", "revisions", "passages", "undated", "first", "last", "outlets")
    } == {
        "articles": 2,
        "revisions": 2,
        "passages": 2,
        "undated": 1,
        "first": "2025-05-16",
        "last": "2025-05-16",
        "outlets": {"Ledger": 1, "The Courier": 1},
    }
    assert found["archive_bytes"] > 0
    assert found["index_bytes"] > 0
    text = run("status").stdout
    assert "in step with the archive" in text
    assert "published" in text


def test_an_export_moves_house(stocked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("ingest", jsonl(stocked.parent / "later.jsonl", [{**ROWS[0], "text": f"{TALKS} Corrected."}]))
    run("ingest", jsonl(stocked.parent / "mirror.jsonl", [{**ROWS[1], "url": "https://n.example/mirror"}]))
    exported = run("export").stdout
    file = stocked.parent / "export.jsonl.gz"
    assert run("export", str(file)).stdout == f"4 lines written to {file}.\n"
    assert gzip.decompress(file.read_bytes()).decode() == exported
    assert run("ingest", str(file)).stdout.startswith("Nothing new: ")
    monkeypatch.setenv("PULLQUOTE_DATA", str(stocked.parent / "elsewhere"))
    assert run("ingest", str(file)).exit_code == 0
    assert run("export").stdout == exported
    assert loaded("show", "https://n.example/mirror", "--json")["also_at"] == ["https://n.example/mirror"]


def test_an_export_that_cannot_be_written_is_one_sentence(stocked: Path) -> None:
    result = run("export", str(stocked / "no folder" / "x.jsonl"))
    assert (result.exit_code, result.stderr.endswith("Choose another file.\n")) == (1, True)


# As a process of its own


def start(*command: str) -> subprocess.CompletedProcess[str]:
    """Python with our packages, in the test's folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)


def test_a_question_imports_only_what_it_needs(stocked: Path) -> None:
    code = (
        "import sys\nfrom bot.cli import main\n"
        "try: main(['ask', 'what did Russia demand?', '--since', '2025-05-01'])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = ('torch', 'sentence_transformers', 'transformers', 'langchain', 'langchain_core', 'chromadb',\n"
        "         'trafilatura', 'dateparser', 'pypdf', 'docx', 'filelock', 'yaml')\n"
        "print('loaded:', [name for name in heavy if name in sys.modules])\n"
    )
    done = start(sys.executable, "-c", code)
    assert done.stdout.splitlines()[-1] == "loaded: []", done.stderr
    assert "four regions" in done.stdout


def test_a_reader_that_leaves_early_is_no_error(stocked: Path) -> None:
    done = start("bash", "-c", f"{sys.executable} -m bot.cli export | head -c 10")
    assert (done.stdout, done.stderr) == ('{"url": "h', "")


def test_exit_codes_of_the_process(stocked: Path) -> None:
    pullquote = (sys.executable, "-m", "bot.cli")
    assert start(*pullquote, "show", "1").returncode == 0
    assert start(*pullquote, "show", "no such headline").returncode == 1
    assert start(*pullquote, "shw").returncode == 2


def test_ctrl_c_says_what_was_stored(place: Path) -> None:
    rows = [{**ROWS[0], "url": f"https://n.example/{n}", "title": f"Talks {n}"} for n in range(64)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    # A test run in the background has its children ignore Ctrl-C; on a terminal they do not.
    heeding = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from bot.cli import main; main()"
    )
    command = (sys.executable, "-c", heeding, "ingest", "-")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdin
        assert running.stderr
        running.stdin.writelines(json.dumps(row) + "\n" for row in rows)
        running.stdin.flush()
        while not (place / "archive.sqlite").exists() or loaded("status", "--json")["articles"] < 32:
            assert running.poll() is None
            time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        code, said = running.wait(timeout=30), running.stderr.read()
    assert code == 130
    assert "Stopped. Articles: " in said
    assert run("ask", DEMAND).exit_code == 0
