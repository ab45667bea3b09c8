import contextlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from corpus.article import Article, BadArticle, normalise
from corpus.extract import SUFFIXES, extract, from_row, parse_date

REPO = Path(__file__).parents[2]
NAUGHTY = REPO.parent / "shared/bench/hostile/naughty_strings.json"
URL = "file:///news/item"
RUSSIAN = (
    "Переговоры в Стамбуле завершились без соглашения. Стороны договорились об обмене пленными, "
    "сообщил глава делегации в пятницу."
)
ROW = {"url": "https://n.example/1", "title": "Talks end", "text": "The talks ended on Friday."}


def article(data: bytes | str, name: str) -> Article:
    return extract(data.encode() if isinstance(data, str) else data, name=name, url=URL)


def problem(data: bytes | str, name: str) -> str:
    with pytest.raises(BadArticle) as caught:
        article(data, name)
    return str(caught.value)


def test_an_unknown_suffix_is_refused_with_the_known_ones() -> None:
    assert problem(b"x", "talks.doc") == (
        "'talks.doc' has none of the suffixes .txt, .md, .html, .htm, .pdf, .docx. Convert it to one of them."
    )


def test_importing_the_module_loads_no_parser() -> None:
    heavy = "{'trafilatura', 'lxml', 'pypdf', 'docx', 'yaml', 'dateparser', 'markdown_it', 'charset_normalizer'}"
    code = f"import sys, corpus.extract, corpus.sources.files; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Text


def test_a_short_first_line_is_the_headline_and_not_part_of_the_text() -> None:
    found = article("Talks end\n\nThe talks ended.\n\nNo deal.", "a.txt")
    assert (found.title, found.text) == ("Talks end", "The talks ended.\n\nNo deal.")


@pytest.mark.parametrize(
    "text", ["The talks ended.\n\nNo deal.", "Talks end\nNo deal.", "word " * 40 + "\n\nNo deal.", "Talks end"]
)
def test_another_first_line_is_text_and_the_file_name_is_the_title(text: str) -> None:
    found = article(text, "istanbul-talks.txt")
    assert (found.title, found.text) == ("Istanbul talks", normalise(text))


def test_a_text_file_has_no_date_outlet_or_author() -> None:
    found = article("Talks end\n\nThe talks ended on 16 May 2025.", "a.txt")
    assert (found.published, found.outlet, found.authors, found.url) == (None, "", (), URL)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251", "koi8_r", "cp866"],
)
def test_russian_news_is_read_in_any_encoding(encoding: str) -> None:
    assert article(RUSSIAN.encode(encoding), "a.txt").text == RUSSIAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("The minister said “we won’t go” and left — for good. Nobody followed him.", "cp1252"),
        ("Der Präsident äußerte sich über die Größe der Straße und die Übergänge.", "cp1252"),
        ("日本の首相は金曜日に記者会見を開いた。", "shift_jis"),
        ("The talks ended.", "utf-16-le"),
        ("The talks ended.", "utf-16-be"),
    ],
)
def test_other_languages_are_read_in_old_encodings(text: str, encoding: str) -> None:
    assert article(text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, b"\0" * 100, b"\x7fELF\0\0\1\2"])
def test_binary_data_is_not_text(data: bytes) -> None:
    assert "no readable text" in problem(data, "a.txt")


def test_broken_utf16_is_named_with_its_place() -> None:
    assert problem(b"\xff\xfea\0b", "a.txt").startswith("'a.txt' begins as utf-16 and breaks off at byte 4.")


def test_an_empty_file_has_no_text() -> None:
    assert "no text" in problem(b"", "a.txt")


# Markdown

FRONT = """---
title: "Talks: day one"
outlet: The Example
date: 2025-05-16
authors: [Ann Lee, Bo Ek]
url: https://n.example/talks
---
# Talks: day one

The **talks** ended with [a deal](https://n.example/deal).

> No one *won*.

- one
- two

| Party | Seats |
| --- | --- |
| Left | 12 |
"""


def test_front_matter_and_plain_paragraphs_are_taken_from_markdown() -> None:
    found = article(FRONT, "a.md")
    assert (found.title, found.outlet, found.authors) == ("Talks: day one", "The Example", ("Ann Lee", "Bo Ek"))
    assert (found.published, found.url) == (datetime(2025, 5, 16, tzinfo=UTC), "https://n.example/talks")
    assert found.text == "The talks ended with a deal.\n\nNo one won.\n\none\n\ntwo\n\nParty | Seats\n\nLeft | 12"


def test_other_names_of_the_fields_are_understood() -> None:
    found = article("---\nsource: S\npublished: 16 May 2025\nauthor: A\nlink: http://n.example\n---\nText.", "a.md")
    assert (found.outlet, found.authors, found.url) == ("S", ("A",), "http://n.example")
    assert found.published == datetime(2025, 5, 16, tzinfo=UTC)


def test_a_leading_heading_is_the_title() -> None:
    found = article("# Talks *end*\n\nThey\nended.", "a.md")
    assert (found.title, found.text) == ("Talks end", "They ended.")


def test_without_a_heading_the_file_name_is_the_title() -> None:
    assert article("They ended.", "talks_end.md").title == "Talks end"


def test_html_in_markdown_leaves_its_words() -> None:
    assert article("<div class='x'>\nOne.\n</div>\n\nTwo <b>three</b>.", "a.md").text == "One.\n\nTwo three."


@pytest.mark.parametrize(
    ("front", "part"),
    [
        ("title: a: b", "is not YAML"),
        ("date: 2025-99-99", "is not YAML"),
        ("a: &a [1]\nb: *a", "is not YAML"),
        ("[" * 9_000, "is not YAML"),
        ("just words", "'just words'"),
        ("title: [a]", "title of the front matter is ['a']"),
        ("date: May", "date 'May'"),
        ("authors: 3", "authors is 3"),
        ("url: javascript:alert(1)", "'javascript:alert(1)'"),
        ("x: " + "y" * 30_000, "more than 20,000 characters"),
        ("title: 0x" + "f" * 9_000, ""),
    ],
)
def test_bad_front_matter_is_named(front: str, part: str) -> None:
    if part:
        assert part in problem(f"---\n{front}\n---\nText.", "a.md")
    else:
        assert article(f"---\n{front}\n---\nText.", "a.md").title


# HTML

PARAGRAPHS = "".join(f"<p>{sentence} It was the {n}th day of the talks in the city.</p>" for n, sentence in enumerate(
    ["The delegations met in the palace on Friday.", "They agreed to exchange prisoners.", "No date was set."] * 3, 4
))  # fmt: skip
HEAD = """<html><head><meta charset="utf-8"><title>Talks end | The Example</title>
<meta property="og:title" content="Talks end"><meta name="author" content="Ann Lee">
<meta property="og:site_name" content="The Example">{more}</head>"""


def page(more: str = "", body: str = PARAGRAPHS) -> str:
    return f"{HEAD.format(more=more)}<body><article><h1>Talks end</h1>{body}</article></body></html>"


def test_a_page_gives_headline_outlet_author_date_and_address() -> None:
    more = (
        '<meta property="article:published_time" content="2025-05-16"><link rel="canonical" href="https://n.example/t">'
    )
    found = article(page(more), "a.html")
    assert (found.title, found.outlet, found.authors) == ("Talks end", "The Example", ("Ann Lee",))
    assert (found.published, found.url) == (datetime(2025, 5, 16, tzinfo=UTC), "https://n.example/t")
    assert found.text.split("\n\n")[0] == (
        "The delegations met in the palace on Friday. It was the 4th day of the talks in the city."
    )
    assert len(found.text.split("\n\n")) == 9


def test_a_label_is_no_author() -> None:
    label = '<div><span class="author">Datum</span> 16.05.2025</div>'
    unsigned = page(body=label + PARAGRAPHS).replace('<meta name="author" content="Ann Lee">', "")
    assert article(unsigned, "a.html").authors == ()
    assert article(unsigned.replace("Datum", "Bo Ek"), "a.html").authors == ("Bo Ek",)


def test_a_stated_time_of_day_keeps_its_zone() -> None:
    found = article(page('<meta property="article:published_time" content="2025-05-16T23:30:00-04:00">'), "a.htm")
    assert found.published == datetime(2025, 5, 16, 23, 30, tzinfo=timezone(timedelta(hours=-4)))


def test_an_address_that_is_not_of_the_web_is_not_taken() -> None:
    assert article(page('<link rel="canonical" href="javascript:alert(1)">'), "a.html").url == URL


def test_comments_and_scripts_of_a_page_are_left_out() -> None:
    more = PARAGRAPHS + '<script>alert("x")</script><div id="comments"><p>First comment, nice!</p></div>'
    text = article(page(body=more), "a.html").text
    assert "comment" not in text
    assert "alert" not in text


def test_a_page_is_decoded_as_its_meta_tag_says() -> None:
    russian = page(body=f"<p>{RUSSIAN}</p>" * 3).replace("utf-8", "windows-1251")
    assert RUSSIAN in article(russian.encode("cp1251"), "a.html").text


def test_a_wrong_meta_tag_is_not_believed_and_a_stray_byte_is_no_reason_to_doubt_it() -> None:
    russian = page(body=f"<p>{RUSSIAN}</p>" * 3)
    assert RUSSIAN in article(russian.encode("cp1251"), "a.html").text
    assert RUSSIAN in article(russian.encode() + b"<p>\xff</p>", "a.html").text


@pytest.mark.parametrize(
    ("said", "year"), [("1970-01-01T00:00:00Z", None), ("1970-01-01T01:00:00+01:00", None), ("1970-01-01", 1970)]
)
def test_the_first_second_of_1970_is_no_date_of_a_page(said: str, year: int | None) -> None:
    found = article(page(f'<meta property="article:published_time" content="{said}">'), "a.html")
    assert (found.published.year if found.published else None) == year


def test_a_page_from_the_future_has_no_date() -> None:
    for stated in ("2999-01-01", "2999-01-01T10:00:00Z"):
        assert article(page(f'<meta property="article:published_time" content="{stated}">'), "a.html").published is None


def test_a_page_that_claims_latin_1_and_is_utf_8_is_read_as_utf_8() -> None:
    russian = page(body=f"<p>{RUSSIAN}</p>" * 3).replace("utf-8", "iso-8859-1")
    assert RUSSIAN in article(russian, "a.html").text


@pytest.mark.parametrize("html", ["", "<html><body></body></html>", "<html><body><nav><a href='/'>Home</a></nav>"])
def test_a_page_without_an_article_is_refused(html: str) -> None:
    assert "HTML with no article" in problem(html, "a.html")


def test_deep_and_crowded_pages_end_in_an_article_or_a_refusal() -> None:
    assert "more than 100,000 tags" in problem("<html><body>" + "<b>" * 100_001, "a.html")
    for html in ("<html><body>" + "<div>" * 90_000 + "text", "<" * 90_000, "<html><p " + "a=b " * 50_000 + ">x"):
        try:
            article(html, "a.html")
        except BadArticle:
            continue


# PDF


def pdf(lines: list[str], password: str | None = None, **names: str) -> bytes:
    """One page with `lines`, in a standard font, in the order given."""
    writer = pypdf.PdfWriter()
    sheet = writer.add_blank_page(600, 800)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font["/Encoding"] = "/WinAnsiEncoding"
    entry = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
    fonts = DictionaryObject({NameObject("/F1"): entry})
    sheet[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    shown = "".join(f"({text}) Tj T*\n" for text in lines)
    stream.set_data(f"BT /F1 12 Tf 14 TL 50 700 Td\n{shown}ET".encode())
    sheet[NameObject("/Contents")] = writer._add_object(stream)
    writer.add_metadata({f"/{key}": value for key, value in names.items()})
    if password is not None:
        writer.encrypt(password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


PRINT = [
    "The two delegations met for the first time in three years and agre-",
    "ed to exchange one thousand prisoners each, the chief Anglo-",
    "American negotiator said after the well-known meeting, a well-",
    "known event.",
    "A date for the next round was not set, and no one expects it soon.",
    "12",
]


def test_lines_of_print_become_paragraphs() -> None:
    found = article(pdf(PRINT, Title="Talks end", Author="Ann Lee", CreationDate="D:20250516"), "a.pdf")
    assert (found.title, found.authors) == ("Talks end", ("Ann Lee",))
    assert (found.published, found.dated_by, found.modified) == (datetime(2025, 5, 16, tzinfo=UTC), "file", None)
    assert found.text == (
        "The two delegations met for the first time in three years and agreed to exchange one thousand prisoners each, "
        "the chief Anglo-American negotiator said after the well-known meeting, a well-known event.\n\n"
        "A date for the next round was not set, and no one expects it soon."
    )


def test_a_soft_hyphen_at_the_end_of_a_line_joins_the_word() -> None:
    data = pdf(["The two delegations met in the old palace and agre\\255", "ed to exchange prisoners."])
    assert article(data, "a.pdf").text == "The two delegations met in the old palace and agreed to exchange prisoners."


@pytest.mark.parametrize("title", ["", "Untitled", "Microsoft Word - talks.doc", "page_1.indd", "12-05", "x" * 300])
def test_a_title_that_a_program_wrote_is_not_a_headline(title: str) -> None:
    assert article(pdf(PRINT, Title=title, Author="admin"), "istanbul-talks.pdf").title == "Istanbul talks"


def test_a_password_is_named() -> None:
    assert "protected by a password" in problem(pdf(PRINT, password="secret"), "a.pdf")


def test_a_pdf_that_anyone_may_read_is_read_though_encrypted() -> None:
    assert article(pdf(PRINT, password=""), "a.pdf").text.startswith("The two delegations")


def test_a_scan_has_no_text() -> None:
    assert "perhaps a scan" in problem(pdf([]), "a.pdf")


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"%PDF-1.4\ntrailer<</Root 1 0 R>>\n%%EOF", b"plain text"])
def test_a_damaged_pdf_is_refused_without_noise(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert "is damaged, or no PDF" in problem(data, "a.pdf")
    assert capfd.readouterr() == ("", "")


# DOCX


def word(*paragraphs: str, title: str = "", author: str = "", rows: tuple[tuple[str, ...], ...] = ()) -> bytes:
    document = docx.Document()
    document.core_properties.title = title
    document.core_properties.author = author
    for text in paragraphs:
        document.add_paragraph(text)
    if rows:
        table = document.add_table(len(rows), len(rows[0]))
        for cells, texts in zip(table.rows, rows, strict=True):
            for cell, text in zip(cells.cells, texts, strict=True):
                cell.text = text
        document.add_paragraph("After the table.")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_paragraphs_and_tables_come_in_order() -> None:
    data = word("One.", "Two.", title="Talks end", author="Ann Lee; Bo Ek", rows=(("Party", "Seats"), ("Left", "12")))
    found = article(data, "a.docx")
    assert found.text == "One.\n\nTwo.\n\nParty | Seats\n\nLeft | 12\n\nAfter the table."
    assert (found.title, found.authors, found.published) == ("Talks end", ("Ann Lee", "Bo Ek"), None)


def test_without_a_title_the_first_short_paragraph_is_the_headline() -> None:
    found = article(word("Talks end", "One.", author="python-docx"), "a.docx")
    assert (found.title, found.text, found.authors) == ("Talks end", "One.", ())


def test_a_headline_repeated_in_the_text_is_left_out_of_it() -> None:
    assert article(word("Talks end", "One.", title="Talks end"), "a.docx").text == "One."


def test_a_cell_that_spans_a_billion_columns_is_one_cell() -> None:
    data = word("One.", rows=(("Party", "Seats"),))
    assert (
        article(rezipped(data, b"<w:tcPr>", b'<w:tcPr><w:gridSpan w:val="1000000000"/>'), "a.docx").text.count("|") == 1
    )


def rezipped(data: bytes, old: bytes, new: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for part in source.infolist():
            target.writestr(part, source.read(part).replace(old, new))
    return out.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_opened() -> None:
    out = io.BytesIO(word("One."))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as target:
        for n in range(11):
            target.writestr(f"word/{n}.bin", bytes(10_000_000))
    assert "the limit is 100,000,000" in problem(out.getvalue(), "a.docx")


def test_a_document_with_a_password_is_named() -> None:
    assert "has a password" in problem(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512), "a.docx")


@pytest.mark.parametrize("cut", [0, 10, 1_000, -30])
def test_a_broken_zip_is_refused(cut: int) -> None:
    assert "is damaged, or no DOCX" in problem(word("One.")[:cut], "a.docx")


def test_entities_that_multiply_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    data = rezipped(word("One."), b"?>\n<w:document", b"?>\n" + bomb + b"]><w:document")
    with contextlib.suppress(BadArticle):
        assert len(article(rezipped(data, b"One.", b"&j;"), "a.docx").text) < 100


# Rows


def test_a_row_is_an_article() -> None:
    row = ROW | {"published": "2025-05-16", "authors": ["Ann Lee", "Bo Ek"], "outlet": "The Example", "extra": [1]}
    seen = datetime(2025, 5, 17, tzinfo=UTC)
    assert from_row(row, retrieved=seen) == Article(
        url="https://n.example/1",
        title="Talks end",
        text=normalise("The talks ended on Friday."),
        published=datetime(2025, 5, 16, tzinfo=UTC),
        outlet="The Example",
        authors=("Ann Lee", "Bo Ek"),
        retrieved=seen,
    )


def test_an_exported_row_keeps_when_it_was_retrieved() -> None:
    kept = from_row(ROW | {"retrieved": "2024-01-02T03:04:05+00:00"}, retrieved=datetime.now(UTC))
    assert kept.retrieved == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(("given_", "authors"), [(None, ()), ("", ()), ("Ann Lee", ("Ann Lee",)), ("A; B", ("A", "B"))])
def test_authors_may_be_one_string_or_null(given_: object, authors: tuple[str, ...]) -> None:
    assert from_row(ROW | {"authors": given_}).authors == authors


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1, 2], "The row is [1, 2], not an object. Give one object with url, title and text per line."),
        ({"url": "u"}, 'The row has no text: it is None. Give it a "text" that says something.'),
        ({"text": "t", "url": " "}, "The row has no url: it is ' '. Give it a \"url\" that says something."),
        (ROW | {"title": 7}, "The title is 7, not text. Put it in quotes."),
        (ROW | {"authors": ["A", 7]}, "The field authors is ['A', 7]. Give a list of names, each in quotes."),
        (
            ROW | {"published": "x" * 200},
            f"The date '{'x' * 27}...{'x' * 28}' is not readable. Write day, month and year like 2025-05-16.",
        ),
        (
            ROW | {"retrieved": "2025-05-16"},
            "The field retrieved is '2025-05-16'. Write it like 2025-05-16T10:00:00+00:00.",
        ),
    ],
)
def test_a_wrong_row_is_answered_with_field_and_value(row: object, message: str) -> None:
    with pytest.raises(BadArticle) as caught:
        from_row(row)
    assert str(caught.value) == message


def naughty() -> list[str]:
    if not NAUGHTY.exists():
        pytest.skip(f"{NAUGHTY} is missing: hostile strings were not tried")
    return [str(each) for each in json.loads(NAUGHTY.read_text("utf-8"))]


def test_hostile_strings_come_in_as_text_or_are_refused() -> None:
    taken = 0
    for text in naughty():
        try:
            found = from_row({"url": "https://n.example/1", "title": text, "text": text})
        except BadArticle:
            assert not normalise(text)
        else:
            taken += 1
            assert found.text == normalise(text)
            assert found.title.isprintable() or text
    assert taken > 400


# Dates

NOON = datetime(2025, 5, 16, 10, 5, tzinfo=UTC)
DAY = datetime(2025, 5, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-05-16", DAY),
        ("2025-05-16T10:05:00Z", NOON),
        ("2025-05-16 12:05+02:00", NOON),
        ("2025-05-16 10:05 AM", NOON),
        ("20250516", DAY),
        (20250516, DAY),
        ("20250516100500", NOON),
        ("2025/05/16", DAY),
        ("2025/5/16 10:05", NOON),
        ("16.05.2025", DAY),
        ("16.05.2025 10:05", NOON),
        ("16/05/2025", DAY),
        ("05/16/2025", DAY),
        ("16 May 2025", DAY),
        ("May 16, 2025", DAY),
        ("May 16th, 2025", DAY),
        ("May 16, 2025 6:05 AM EDT", NOON),
        ("Fri May 16 2025", DAY),
        ("Friday, May 16, 2025", DAY),
        ("Fri, 16 May 2025 10:05:00 GMT", NOON),
        ("Fri, 16 May 2025 13:05:00 +0300", NOON),
        ("16 мая 2025", DAY),
        ("16 мая 2025 г., 10:05", NOON),
        ("Пятница, 16 мая 2025", DAY),
        ("16. Mai 2025", DAY),
        ("2025年5月16日", DAY),
        (1747389900, NOON),
        ("1747389900", NOON),
        (1747389900000, NOON),
        (1747389900.0, NOON),
        (date(2025, 5, 16), DAY),
        (NOON, NOON),
        (datetime(2025, 5, 16), DAY),
        ("05/05/2025", datetime(2025, 5, 5, tzinfo=UTC)),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_a_date_is_read_in_its_usual_spellings(value: object, expected: datetime | None) -> None:
    found = parse_date(value)
    assert found == expected
    assert found is None or found.tzinfo is not None


@pytest.mark.parametrize(
    "value",
    [
        *("yesterday", "May", "May 2025", "2025", 2025, "2025-05", "2025-W20", "202505", "16 May", "16/05/25", "hello"),
        *("2025-13-05", "2025-02-30", "30.02.2025", "3 days after 16 May 2025", "16 May 2025 10:05 XYZ", "\ud800 2025"),
        *(True, -1, 7, 10**30, float("nan"), float("inf"), [], {}, "1 " * 200, "9" * 5_000, "1599-12-31", "2999-01-01"),
    ],
)
def test_what_is_no_whole_plausible_date_is_refused_with_its_value(value: object) -> None:
    with pytest.raises(BadArticle, match=r"^The date .* (like 2025-05-16|leave it out)\.$"):
        parse_date(value)


def test_a_day_that_can_be_two_days_is_refused_with_both() -> None:
    with pytest.raises(BadArticle) as caught:
        parse_date("05/06/2025")
    assert str(caught.value) == (
        "The date '05/06/2025' is ambiguous: it can be 2025-05-06 or 2025-06-05. Write the one you mean."
    )


def test_tomorrow_is_plausible_and_next_week_is_not() -> None:
    now = datetime.now(UTC)
    assert parse_date((now + timedelta(days=1)).isoformat()) is not None
    with pytest.raises(BadArticle, match="in the future"):
        parse_date((now + timedelta(days=7)).isoformat())


# Anything at all

slow = settings(max_examples=40, deadline=None)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
rows = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("url", "title", "text", "published", "authors", "outlet", "retrieved"), values)
)
STARTS = {
    ".pdf": b"%PDF-1.7\n",
    ".docx": b"PK\x03\x04",
    ".html": b"<html><body>",
    ".htm": b"",
    ".md": b"---\n",
    ".txt": b"",
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(slow, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_random_bytes_are_an_article_or_a_bad_article(suffix: str, data: bytes) -> None:
    for document in (data, STARTS[suffix] + data):
        try:
            found = article(document, f"a{suffix}")
        except BadArticle:
            continue
        assert found.text == normalise(found.text)


@pytest.mark.parametrize("make", [lambda: pdf(PRINT), lambda: word("One.", rows=(("a", "b"),))], ids=["pdf", "docx"])
@slow
@given(data=st.data())
def test_damaged_documents_are_an_article_or_a_bad_article(make: object, data: st.DataObject) -> None:
    assert callable(make)
    document = bytearray(make())
    for _ in range(data.draw(st.integers(1, 8))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    for name in ("a.pdf", "a.docx"):
        with contextlib.suppress(BadArticle):
            article(bytes(document), name)


@slow
@given(row=values | rows | rows.map(lambda row: ROW | row))
def test_random_json_is_an_article_or_a_bad_article(row: object) -> None:
    try:
        found = from_row(row)
    except BadArticle:
        return
    assert isinstance(row, dict)
    assert found.text == normalise(row["text"])


@slow
@given(value=st.text(max_size=60) | st.from_regex(r"[0-9]{1,4}[-/. ][0-9A-Za-zа-я]{1,4}[-/. ][0-9]{1,4}[T ,]?.{0,9}"))
def test_any_string_is_a_date_with_a_zone_or_is_refused(value: str) -> None:
    try:
        found = parse_date(value)
    except BadArticle:
        return
    assert found is None or found.utcoffset() is not None
