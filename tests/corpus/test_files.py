import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.sources import files
from corpus.sources.files import Item, read


def row(number: int = 1) -> str:
    return json.dumps({"url": f"https://n.example/{number}", "title": f"Title {number}", "text": f"Text {number}."})


def seen(items: Iterator[Item]) -> list[tuple[str, str]]:
    """(where, headline or problem) of each item; what Item promises of the two fields holds for all."""
    found = list(items)
    assert all((item.article is None) == bool(item.problem) and item.where.isprintable() for item in found)
    return [(item.where, item.article.title if item.article else item.problem) for item in found]


def write(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_a_file_is_an_article_with_its_address(tmp_path: Path) -> None:
    path = write(tmp_path / "my talks.txt", "Talks end\n\nNo deal.")
    [item] = read([path])
    assert item.article is not None
    assert (item.where, item.article.url) == (path, (tmp_path / "my talks.txt").as_uri())
    assert item.article.url.endswith("/my%20talks.txt")


def test_a_folder_is_read_to_the_bottom_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b.txt", "a.MD", "sub/c.txt", ".hidden.txt", ".git/d.txt", "image.png", "notes.doc"):
        write(tmp_path / name, "Words.")
    write(tmp_path / "rows.jsonl", row())
    names = [os.path.relpath(where, tmp_path) for where, _ in seen(read([str(tmp_path)]))]
    assert names == ["a.MD", "b.txt", "rows.jsonl:1", "sub/c.txt"]


def test_links_that_lead_back_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "Words.")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    found = seen(read([str(tmp_path)]))
    assert [os.path.basename(where) for where, _ in found] == ["a.txt", "gone.txt", "self.txt"]
    assert found[1][1] == "The file cannot be read: No such file or directory. Check its permissions."


def test_a_missing_path_and_an_empty_folder_are_problems(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = seen(read([str(tmp_path / "no"), str(tmp_path / "empty"), "", "a\0b", "\ud800.txt"]))
    assert found[0][1] == "There is nothing to read here: No such file or directory. Check the path."
    assert found[1][1].startswith("The folder has no files with the suffixes .txt, .md, ")
    assert [where for where, _ in found[2:]] == ["", "a\\x00b", "\\ud800.txt"]


def test_a_named_file_of_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    [(_, problem)] = seen(read([write(tmp_path / "a.doc", "x")]))
    assert problem == (
        "The file has none of the suffixes .txt, .md, .html, .htm, .pdf, .docx, .jsonl, .jsonl.gz. Convert it to one."
    )


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.pdf", "no"), write(tmp_path / "b.txt", ""), write(tmp_path / "c.txt", "Words.")]
    assert [problem for _, problem in seen(read(paths))] == [
        "'a.pdf' is damaged, or no PDF. Open it in a viewer and save it again.",
        "The article has no text. Check that the source holds more than its headline.",
        "C",
    ]


def test_a_large_document_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "")
    os.truncate(path, files.MAX_DOCUMENT + 1)
    assert seen(read([path])) == [
        (path, "The file has 20,000,001 bytes; the limit is 20,000,000. Split it into articles.")
    ]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    [(_, problem)] = seen(read([str(tmp_path)]))
    assert problem.startswith("This is a pipe or a device")


@pytest.mark.parametrize("name", [b"a\nb\x1b[31m.txt", b"\xff\xfe.txt", "‮txt.exe.txt".encode()])
def test_hostile_file_names_are_read_and_shown_escaped(tmp_path: Path, name: bytes) -> None:
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))
    with open(path, "w") as stream:
        stream.write("Words.")
    [item] = read([str(tmp_path)])
    assert item.article is not None
    assert item.where.isprintable()
    assert item.article.url.isascii()
    assert item.article.title.isprintable()


def test_rows_are_read_with_their_line_numbers(tmp_path: Path) -> None:
    lines = [
        "\ufeff" + row(1),
        "",
        "{not json}",
        "[1]",
        "[" * 100_000,
        row(2),
        '{"url": "u", "text": ' + "9" * 5_000 + "}",
    ]
    path = write(tmp_path / "a.jsonl", "\r\n".join(lines).encode() + b'\n"\xff"\n' + row(3).encode())
    broken = "The line is not JSON. Put one whole object on each line."
    assert seen(read([path])) == [
        (f"{path}:1", "Title 1"),
        (f"{path}:3", broken),
        (f"{path}:4", "The row is [1], not an object. Give one object with url, title and text per line."),
        (f"{path}:5", broken),
        (f"{path}:6", "Title 2"),
        (f"{path}:7", broken),
        (f"{path}:8", "The line is not UTF-8 at byte 2. Save the file as UTF-8."),
        (f"{path}:9", "Title 3"),
    ]


def test_standard_input_is_read_as_rows() -> None:
    assert seen(read(["-"], io.BytesIO(f"{row(1)}\n{row(2)}".encode()))) == [
        ("standard input:1", "Title 1"),
        ("standard input:2", "Title 2"),
    ]


def test_an_over_long_line_is_dropped_and_the_next_is_read() -> None:
    stream = io.BytesIO(row(1).encode() + b"\n" + b"x" * 2 * files.MAX_ROW + b"\n" + row(2).encode())
    assert seen(read(["-"], stream)) == [
        ("standard input:1", "Title 1"),
        ("standard input:2", "The line has more than 20,000,000 bytes. Split the article in two."),
        ("standard input:3", "Title 2"),
    ]


def test_gzip_is_read_as_a_stream(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(f"{row(1)}\n{row(2)}\n".encode()))
    assert seen(read([path])) == [(f"{path}:1", "Title 1"), (f"{path}:2", "Title 2")]


def test_a_line_that_unpacks_without_end_is_dropped(tmp_path: Path) -> None:
    bomb = gzip.compress(b"x" * (3 * files.MAX_ROW) + b"\n" + row(1).encode())
    found = seen(read([write(tmp_path / "a.jsonl.gz", bomb)]))
    assert [title for _, title in found] == [
        "The line has more than 20,000,000 bytes. Split the article in two.",
        "Title 1",
    ]


def test_what_comes_before_damage_is_kept(tmp_path: Path) -> None:
    lines = "".join(f"{row(n)}\n" for n in range(500)).encode()
    whole = gzip.compress(lines)
    damaged = [whole[:-20], whole + b"garbage", b"no gzip", whole[:300] + b"\xff" * 50 + whole[350:]]
    for n, data in enumerate(damaged):
        found = seen(read([write(tmp_path / f"{n}.jsonl.gz", data)]))
        assert found[-1][1].startswith("The file ends early or is damaged here. What came before is kept")
        assert all(title.startswith("Title") for _, title in found[:-1])
        assert len(found) > 400 or n > 1
