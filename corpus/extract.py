"""From bytes to an Article: text, Markdown, HTML, PDF, DOCX, and one row of an export.

The parsers are imported inside the functions that use them: together they take most of a second, and a question
put to a finished archive needs none of them.
"""

import codecs
import logging
import re
import reprlib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import PurePath
from typing import Any, Literal

from corpus.address import is_home
from corpus.article import KINDS, MAX_FIELD, MAX_TEXT, Article, BadArticle, Kind, line, make_article, normalise
from corpus.page import said

MAX_FRONT_MATTER = 20_000  # characters; PyYAML reads about a megabyte in five seconds
MAX_PAGES = 2_000  # of one PDF
MAX_UNZIPPED = 100_000_000  # bytes that the parts of one DOCX may take when unpacked
MAX_PARTS = 5_000  # files in one DOCX
MAX_TAGS = 100_000  # "<" in one HTML page: 5 seconds, and three times as many take 20; a news page has some 5,000
MIN_PAGE_TEXT = 40  # characters; what is left of a menu is shorter, the shortest news is not
MAX_NAME = 200  # characters of an author or a title that a document's own metadata gives; longer is never one
HEADLINE = 150  # characters; a longer first line is a paragraph
EARLIEST = 1600  # the first newspapers are of 1605


@dataclass(frozen=True, slots=True)
class Draft:
    """What one document says of itself. "" and None where it does not say."""

    text: str
    title: str = ""
    published: datetime | None = None
    outlet: str = ""
    authors: tuple[str, ...] = ()
    url: str = ""  # http or https, or ""
    modified: datetime | None = None
    section: str = ""
    language: str = ""
    kind: Kind = ""
    paywalled: bool | None = None
    dated_by: Literal["", "file"] = ""


def extract(data: bytes, *, name: str, url: str, retrieved: datetime | None = None) -> Article:
    """The article in a document whose kind the suffix of `name` tells. `url` is its address if it names none itself.

    Raises nothing but BadArticle.
    """
    read = _READERS.get(PurePath(name).suffix.lower())
    if read is None:
        raise BadArticle(f"{_shown(name)} has none of the suffixes {', '.join(_READERS)}. Convert it to one of them.")
    draft = read(data, name)
    return make_article(
        url=draft.url or url,
        title=draft.title,
        text=_without_headline(draft.text, draft.title),
        published=draft.published,
        outlet=draft.outlet,
        authors=draft.authors,
        retrieved=retrieved,
        modified=draft.modified,
        section=draft.section,
        language=draft.language,
        kind=draft.kind,
        paywalled=draft.paywalled,
        dated_by=draft.dated_by,
    )


def _without_headline(text: str, title: str) -> str:
    """A headline repeated as the first paragraph is not part of the text, unless it is all of it."""
    first, _, rest = normalise(text).partition("\n\n")
    return rest if rest and line(first) == line(title) else text


# One row of an export


def from_row(row: object, *, retrieved: datetime | None = None) -> Article:
    """The article in one JSON object: `url, title, text, published, authors, outlet` and, from an export, `retrieved`.

    The row's own `retrieved` wins. Only url and text are required; unknown fields are ignored, and so is what cannot
    be understood of `modified, section, language, kind, paywalled, dated_by`: others give these names to other things.
    """
    if not isinstance(row, dict):
        raise BadArticle(f"The row is {_shown(row)}, not an object. Give one object with url, title and text per line.")
    return make_article(
        url=_required(row, "url"),
        title=_optional(row, "title"),
        text=_required(row, "text"),
        published=parse_date(row.get("published")),
        outlet=_optional(row, "outlet"),
        authors=_names(row.get("authors"), "authors"),
        retrieved=_moment(row.get("retrieved")) or retrieved,
        modified=_readable_date(row.get("modified")),
        section=_if_text(row.get("section")),
        language=_if_text(row.get("language")),
        kind=next((kind for kind in KINDS if kind == row.get("kind")), ""),
        paywalled=row["paywalled"] if isinstance(row.get("paywalled"), bool) else None,
        dated_by="file" if row.get("dated_by") == "file" else "",
    )


def _if_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _readable_date(value: object) -> datetime | None:
    """As a page states it; None also for the first second of 1970, which is written where no day is known."""
    try:
        read = parse_date(value)
    except BadArticle:
        return None
    return None if read and ":" in str(value) and read.timestamp() == 0 else read


def _required(row: dict[str, object], field: str) -> str:
    value = _optional(row, field)
    if not value.strip():
        raise BadArticle(
            f'The row has no {field}: it is {_shown(row.get(field))}. Give it a "{field}" that says something.'
        )
    return value


def _optional(row: dict[str, object], field: str) -> str:
    value = row.get(field)
    if value is not None and not isinstance(value, str):
        raise BadArticle(f"The {field} is {_shown(value)}, not text. Put it in quotes.")
    return value or ""


def _names(value: object, field: str) -> tuple[str, ...]:
    """Authors from null, one string (several stand between semicolons) or a list of strings."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.split(";"))
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise BadArticle(f"The field {field} is {_shown(value)}. Give a list of names, each in quotes.")


def _moment(value: object) -> datetime | None:
    """`retrieved` as an export writes it; a zone is required, since it orders revisions."""
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise BadArticle(f"The field retrieved is {_shown(value)}. Write it like 2025-05-16T10:00:00+00:00.")
    return _plausible(when, value)


# Dates

_ISO = re.compile(r"\d{4}-?\d\d-?\d\d(?:[Tt ].*)?", re.ASCII | re.DOTALL)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)(.*)", re.ASCII | re.DOTALL)
_YEAR_LAST = re.compile(r"(.*?)(?<!\d)(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)(.*)", re.ASCII | re.DOTALL)
_DIGIT_DATES = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}  # by number of digits
_EPOCH_UNITS = {9: 1, 10: 1, 12: 1_000, 13: 1_000}  # by number of digits: seconds (since 1973), milliseconds
_LONGEST_DATE = 100  # characters


def parse_date(value: object) -> datetime | None:
    """A publication date in any usual spelling, timezone-aware (UTC where it names no zone); None for "" and None.

    Day, month and year must all be there: no relative words, no "May 2025", no 05/06/2025 that is June or May.
    Raises BadArticle for anything else, and for dates before 1600 or more than two days ahead.
    """
    if value is None or (isinstance(value, str) and not line(value)):
        return None
    when = _read_date(value)
    if when is None:
        raise BadArticle(f"The date {_shown(value)} is not readable. Write day, month and year like 2025-05-16.")
    return _plausible(when if when.utcoffset() is not None else when.replace(tzinfo=UTC), value)


def _plausible(when: datetime, value: object) -> datetime:
    if when.year < EARLIEST or when > datetime.now(UTC) + timedelta(days=2):
        raise BadArticle(
            f"The date {_shown(value)} is before {EARLIEST} or in the future. Correct it, or leave it out."
        )
    return when


def _read_date(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):  # YAML reads 2025-05-16 as one
        return datetime(value.year, value.month, value.day)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:f}".split(".")[0] if isinstance(value, float) else _digits(value)
    if not isinstance(value, str):
        return None
    text = line(value)
    if len(text) > _LONGEST_DATE:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return _from_digits(text.split(".")[0])
    return _from_words(text)


def _digits(number: int) -> str:
    return str(number) if 0 <= number < 10**14 else ""


def _from_digits(digits: str) -> datetime | None:
    try:
        if layout := _DIGIT_DATES.get(len(digits)):
            return datetime.strptime(digits, layout)
        unit = _EPOCH_UNITS.get(len(digits))
        return datetime.fromtimestamp(int(digits) / unit, UTC) if unit else None
    except ValueError:
        return None


def _from_words(text: str) -> datetime | None:
    text = _numbers_to_iso(text)
    if _ISO.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # perhaps only the time of day is in another spelling
    return _any_language(text) if re.search(r"(?<!\d)\d{4}(?!\d)", text) else None


def _numbers_to_iso(text: str) -> str:
    """2025/5/16, 16.05.2025 and 05/16/2025 as 2025-05-16; other text as it is. Refuses what can be two days."""
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day, rest = found.groups()
        return _iso(text, year, month, day) + rest
    found = _YEAR_LAST.fullmatch(text)
    if not found:
        return text
    before, first, second, year, rest = found.groups()
    if int(first) > 12 or int(first) == int(second):
        return before + _iso(text, year, second, first) + rest
    if int(second) > 12:
        return before + _iso(text, year, first, second) + rest
    days = sorted((f"{year}-{int(first):02}-{int(second):02}", f"{year}-{int(second):02}-{int(first):02}"))
    raise BadArticle(f"The date {_shown(text)} is ambiguous: it can be {days[0]} or {days[1]}. Write the one you mean.")


def _iso(text: str, year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError as error:
        raise BadArticle(f"The date {_shown(text)} is no day of the calendar. Write it like 2025-05-16.") from error


def _any_language(text: str) -> datetime | None:
    import dateparser  # here: it loads its language data, which a question never needs

    settings: Any = {
        "PARSERS": ["absolute-time"],  # not "yesterday", not time stamps
        "REQUIRE_PARTS": ["day", "month", "year"],
        "RETURN_AS_TIMEZONE_AWARE": True,
        "TIMEZONE": "UTC",
    }
    try:
        return dateparser.parse(text, settings=settings)
    except Exception:  # noqa: BLE001 - a cascade of locale patterns, which fail on odd text in ways it does not name
        return None


# Text

_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What news was saved in. Without the list, mac_cyrillic, kz1048 and EBCDIC win for short texts.
_LEGACY = [
    *("cp1251", "koi8_r", "cp866", "cp1252", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("iso8859_2", "iso8859_5", "koi8_u", "gb18030", "big5", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp874"),
]
_SAMPLE = 100_000  # bytes that the guess is made from
_UNPRINTED = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # no text has them; escape (1b) starts ISO-2022 and ANSI


def decode(data: bytes, name: str) -> str:
    """The text in `data`: by byte order mark, as UTF-16 without one, as UTF-8, else by the look of the letters."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strictly(data, encoding, name)
    text = _utf16_without_mark(data) or _utf8(data) or _guessed(data)
    if text is None or len(_UNPRINTED.findall(text)) > len(text) // 100:
        raise BadArticle(f"{_shown(name)} holds no readable text, whatever its suffix. Save it as UTF-8 text.")
    return text


def _strictly(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadArticle(
            f"{_shown(name)} begins as {encoding} and breaks off at byte {error.start:,}. Save it as UTF-8 text."
        ) from error


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _utf16_without_mark(data: bytes) -> str | None:
    """Every space and line end of UTF-16 has a zero byte, all of them on one side; UTF-8 text has none."""
    high, low = data[1::2].count(0), data[::2].count(0)
    if len(data) % 2 or max(high, low) <= 10 * min(high, low):  # a few letters have it on the other
        return None
    try:
        text = data.decode("utf-16-le" if high > low else "utf-16-be")
    except UnicodeDecodeError:
        return None
    return text if all(map(_can_be_read, text[:_SAMPLE])) else None


def _can_be_read(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) not in {"Cc", "Cn", "Co"}


def _guessed(data: bytes) -> str | None:
    if data[:_SAMPLE].count(0):
        return None  # none of the old encodings has zero bytes
    from charset_normalizer import from_bytes  # here: only old files need it

    best = from_bytes(data[:_SAMPLE], cp_isolation=_LEGACY).best()
    return data.decode(best.encoding, errors="replace") if best else None


def _text(data: bytes, name: str) -> Draft:
    title, text = _headline(decode(data, name))
    return Draft(text, title or _title_from(name))


def _headline(text: str) -> tuple[str, str]:
    """The headline and the text below it, where the first line looks like one; else ("", text)."""
    first, _, rest = normalise(text).partition("\n\n")
    short = len(first) <= HEADLINE and "\n" not in first
    return (first, rest) if short and rest and first[-1] not in ".!?…:;," else ("", text)


def _title_from(name: str) -> str:
    """ "istanbul-talks.txt" -> "Istanbul talks"."""
    words = line(re.sub("[-_]+", " ", PurePath(name).stem))[:MAX_NAME]
    return words[:1].upper() + words[1:]


# Markdown

_FRONT_MATTER = re.compile(r"---[ \t]*\n(?:(.*?)\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TAG = re.compile("<[^<>]*>")


def _markdown(data: bytes, name: str) -> Draft:
    source = _line_ends(decode(data, name))
    found = _FRONT_MATTER.match(source)
    fields = _front_matter(found[1] or "", name) if found else {}
    heading, text = _plain(source[found.end() :] if found else source, name)
    return Draft(
        text=text,
        title=_field(fields, "title") or heading or _title_from(name),
        published=parse_date(_first(fields, "date", "published")),
        outlet=_field(fields, "outlet", "source", "publisher"),
        authors=_names(_first(fields, "authors", "author"), "authors"),
        url=_web_address(_field(fields, "url", "link")),
    )


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _front_matter(source: str, name: str) -> dict[str, object]:
    import yaml  # here: only Markdown needs it

    if len(source) > MAX_FRONT_MATTER:
        raise BadArticle(
            f"The front matter of {_shown(name)} has more than {MAX_FRONT_MATTER:,} characters. Shorten it."
        )
    try:
        fields = yaml.load(source, Loader=_yaml_loader()) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2025-99-99 looks like a date to YAML
        raise BadArticle(
            f"The front matter of {_shown(name)} is not YAML. Quote titles that hold a colon; check the dates."
        ) from error
    if not isinstance(fields, dict):
        raise BadArticle(f'The front matter of {_shown(name)} is {_shown(fields)}. Write it as "title: …" lines.')
    return fields


def _yaml_loader() -> type:
    """The safe loader without aliases: merging aliases of aliases makes a few lines into billions of fields."""
    import yaml  # here: as above

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("an alias")
            return super().compose_node(parent, index)

    return Loader


def _first(fields: dict[str, object], *names: str) -> object:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _field(fields: dict[str, object], *names: str) -> str:
    value = _first(fields, *names)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _shown(value)  # a headline "1984" is a number to YAML
    if value is None or isinstance(value, str):
        return value or ""
    raise BadArticle(f"The field {names[0]} of the front matter is {_shown(value)}, not text. Put it in quotes.")


def _web_address(url: str) -> str:
    if url and not _is_web(url):
        raise BadArticle(
            f"The url in the front matter is {_shown(url)}. Give one that starts with http:// or https://."
        )
    return url.strip()


def _is_web(url: str) -> bool:
    return re.match(r"\s*https?://[^\s/]", url, re.IGNORECASE) is not None


def _plain(source: str, name: str) -> tuple[str, str]:
    """The heading of level 1 that Markdown begins with, or "", and the rest as plain paragraphs."""
    from markdown_it import MarkdownIt  # here: only Markdown needs it

    if len(source) > MAX_TEXT:
        raise BadArticle(f"{_shown(name)} has {len(source):,} characters; the limit is {MAX_TEXT:,}. Split it.")
    try:
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    except RecursionError as error:
        raise BadArticle(f"The markup of {_shown(name)} is nested too deeply. Save it as plain text.") from error
    titled = bool(tokens) and tokens[0].type == "heading_open" and tokens[0].tag == "h1" and tokens[1].content
    blocks = [block for block in _blocks(tokens) if block.strip()]
    return (blocks[0], "\n\n".join(blocks[1:])) if titled and blocks else ("", "\n\n".join(blocks))


def _blocks(tokens: list[Any]) -> Iterator[str]:
    cells: list[str] | None = None  # of the table row that we are in
    for token in tokens:
        if token.type == "tr_open":
            cells = []
        elif token.type == "tr_close":
            yield " | ".join(cells or ())
            cells = None
        elif token.type == "inline" and cells is not None:
            cells.append(_inline(token.children))
        elif token.type == "inline":
            yield _inline(token.children)
        elif token.type in {"fence", "code_block"}:
            yield token.content
        elif token.type == "html_block":
            yield _TAG.sub("", token.content)


def _inline(tokens: list[Any] | None) -> str:
    breaks = {"softbreak": " ", "hardbreak": "\n"}
    words = {"text", "text_special", "code_inline"}
    return "".join(breaks.get(token.type, token.content if token.type in words else "") for token in tokens or ())


# HTML

_META_CHARSET = re.compile(rb"<meta[^<>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,30})", re.IGNORECASE)
_DECLARED = re.compile(
    r"ascii|utf-8|cp\d+|iso8859-\d+|koi8-[rtu]|mac-\w+|gb\w+|big5\w*|euc_\w+|shift_jis\w*|iso2022_jp"
)
_AS_BROWSERS = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030"}


def _html(data: bytes, name: str) -> Draft:
    page = _decode_page(data, name)
    if page.count("<") > MAX_TAGS:
        raise BadArticle(f"{_shown(name)} has more than {MAX_TAGS:,} tags. Save the article alone and add that.")
    found = _article_of(page, name)
    if found is None or len(found.text or "") < MIN_PAGE_TEXT:
        raise BadArticle(f"{_shown(name)} is HTML with no article. Save the page of one article, with its text.")
    url = found.url if _is_web(found.url or "") and not is_home(found.url) else ""
    says = said(page, url, found.title or "", _readable_date, found.date or "")
    return Draft(
        text=found.text.replace("\n", "\n\n"),  # each line is a paragraph
        title=(found.title or "")[:MAX_FIELD],
        published=says.published,
        outlet=(found.sitename or "")[:MAX_FIELD],
        authors=_people(found.author or ""),
        url=url,
        modified=says.modified,
        section=says.section,
        language=says.language,
        kind=says.kind,
        paywalled=says.paywalled,
    )


def _article_of(page: str, name: str) -> Any:
    import trafilatura  # here: it loads lxml and 70 more modules

    _silence("trafilatura", "htmldate", "courlan")
    try:
        return trafilatura.bare_extraction(
            page,
            favor_precision=True,
            include_comments=False,
            include_links=False,
            with_metadata=True,
            date_extraction_params={"original_date": True, "extensive_search": False},  # no dates out of the prose
        )
    except Exception as error:  # libxml2 and four heuristics: what they raise is not documented
        raise BadArticle(f"{_shown(name)} is HTML that cannot be parsed. Save the page again, or as text.") from error


def _decode_page(data: bytes, name: str) -> str:
    """As browsers do, but UTF-8 wins where it fits: pages that say latin-1 and are UTF-8 outnumber the reverse."""
    declared = _declared(data)
    if declared != "iso2022_jp" and (data.startswith(tuple(mark for mark, _ in _BOMS)) or 0 in data):
        return decode(data, name)
    text = None if declared == "iso2022_jp" else _utf8(data)
    if text is not None:
        return text
    text = data.decode(declared, errors="replace") if declared else ""
    wrong = text.count("\ufffd") >= len(text) / 100  # a stray byte is no reason to doubt what the page says
    return decode(data, name) if wrong else text


def _declared(data: bytes) -> str:
    """The encoding that a meta tag names, as Python calls it; "" for none, an unknown or an unsafe one."""
    found = _META_CHARSET.search(data[:4096])
    try:
        codec = codecs.lookup(found[1].decode("ascii")).name if found else ""
    except (LookupError, UnicodeDecodeError):
        return ""
    return _AS_BROWSERS.get(codec, codec) if _DECLARED.fullmatch(codec) else ""


# PDF

_FILE_LIKE = re.compile(r"\.(?:docx?|pdf|indd|qxd|odt|rtf|txt|html?|pages|tex|dvi|ps|pptx?)\s*$", re.IGNORECASE)
_NO_TITLE = {"untitled", "word document", "document", "title", "unknown", "no title", "none", "print", "layout 1"}
_NO_AUTHOR = {"python-docx", "admin", "administrator", "user", "unknown", "author", "owner", "microsoft office user"}
_NO_AUTHOR.update("name date datum fecha autor autorin auteur autore follow unbenannt".split())  # labels
_BROKEN_WORD = re.compile(r"(?<!\w)(\w+)[-\u2010] *\n *([^\W\d_]\w*)([^\s]*)( ?)")
_COMPOUND = re.compile(r"(?<!\w)\w+-\w+")
_LONE_NUMBER = re.compile(r"\A\s*\d{1,4}\s*\n|\n\s*\d{1,4}\s*\Z")  # a page number above or below the text
_ENDS = ".!?…:\"'”’»)"


def _pdf(data: bytes, name: str) -> Draft:
    import pypdf  # here: only PDF needs it

    _silence("pypdf")
    try:
        reader = pypdf.PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadArticle(f"{_shown(name)} is protected by a password. Save a copy without one and add that.")
        pages = list(_page_texts(reader, name))
        title, author = (str(value or "") for value in _pdf_names(reader))
        made, modified = map(_file_date, _pdf_dates(reader))
    except BadArticle:
        raise
    except Exception as error:  # on damaged files pypdf raises errors of every kind
        raise BadArticle(f"{_shown(name)} is damaged, or no PDF. Open it in a viewer and save it again.") from error
    text = _unwrapped("\n".join(pages))
    if not text:
        raise BadArticle(f"{_shown(name)} is a PDF without text, perhaps a scan. Run it through OCR and add that.")
    return Draft(text, _sensible(title) or _title_from(name), made, authors=_people(author), **_dated(made, modified))


def _page_texts(reader: Any, name: str) -> Iterator[str]:
    if len(reader.pages) > MAX_PAGES:
        raise BadArticle(f"{_shown(name)} has {len(reader.pages):,} pages; the limit is {MAX_PAGES:,}. Split it.")
    length = 0
    for page in reader.pages:
        text = page.extract_text()
        length += len(text)
        if length > 2 * MAX_TEXT:  # before lines are joined
            raise BadArticle(f"{_shown(name)} has more than {MAX_TEXT:,} characters. Split it into articles.")
        yield _LONE_NUMBER.sub("", normalise(text.replace("\u00ad\n", "-\n")))


def _pdf_names(reader: Any) -> tuple[object, object]:
    return (reader.metadata.title, reader.metadata.author) if reader.metadata else ("", "")


def _pdf_dates(reader: Any) -> tuple[object, object]:
    """When the file was made and last changed, as it says; pypdf raises ValueError for what is no date."""
    dates: list[object] = []
    for name in ("creation_date", "modification_date"):
        try:
            dates.append(getattr(reader.metadata, name, None))
        except ValueError:
            dates.append(None)
    return dates[0], dates[1]


_TEMPLATE = datetime(2013, 12, 23, 23, 15, tzinfo=UTC)  # what python-docx writes where nobody says


def _file_date(value: object) -> datetime | None:
    """A date of a file's metadata; programs that know none write the beginning of some era, or their template's."""
    when = _readable_date(value) if isinstance(value, datetime) else None
    return when if when and when.year > 1990 and when != _TEMPLATE else None


def _dated(made: datetime | None, modified: datetime | None) -> dict[str, Any]:
    """What a file's own dates come to: marked, and never a change from before it was made."""
    later = modified if made and modified and modified > made else None
    return {"dated_by": "file" if made else "", "modified": later}


def _unwrapped(text: str) -> str:
    """Paragraphs from lines of print: broken words joined, lines joined unless a short one ends a sentence."""
    compounds = set(_COMPOUND.findall(text))
    text = _BROKEN_WORD.sub(lambda found: _mended(found, compounds), text)
    lines = normalise(text).split("\n")
    lengths = sorted(len(each) for each in lines if each)
    full = lengths[len(lengths) * 3 // 4] if lengths else 0  # characters of a full line
    ends = (_paragraph_ends(this, following, full) for this, following in zip(lines, [*lines[1:], ""], strict=True))
    return normalise("".join(each + ("\n\n" if end else " ") for each, end in zip(lines, ends, strict=True)))


def _mended(broken: re.Match[str], compounds: set[str]) -> str:
    """The whole word on the first line, with the hyphen where it is part of it: Anglo-American, or seen elsewhere."""
    first, second, mark, space = broken.groups()
    keep = not second[0].islower() or f"{first}-{second}" in compounds
    return first + ("-" if keep else "") + second + mark + ("\n" if space else "")


def _paragraph_ends(this: str, following: str, full: int) -> bool:
    if not this or not following:
        return True
    if this[-1] in _ENDS:
        return len(this) < 0.8 * full
    return len(this) < 0.6 * full and following[0].isupper()  # a headline or a crosshead


def _sensible(title: str) -> str:
    """A document's title where someone wrote one; "" for what programs put there."""
    title = line(title).removeprefix("Microsoft Word - ")
    bad = title.lower() in _NO_TITLE or _FILE_LIKE.search(title) or not re.search(r"[^\W\d_]{2}", title)
    return "" if bad or len(title) > MAX_NAME else title


def _people(names: str) -> tuple[str, ...]:
    people = (line(name) for name in names.split(";"))
    return tuple(name for name in people if name.lower() not in _NO_AUTHOR and len(name) <= MAX_NAME)


# DOCX

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # Office files before 2007, and any later one with a password
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def _docx(data: bytes, name: str) -> Draft:
    import docx  # here: only DOCX needs it

    _check_package(data, name)
    try:
        document = docx.Document(BytesIO(data))
        text = "\n\n".join(block for block in _word_blocks(document.element.body) if block.strip())
        properties = document.core_properties
        title, author = properties.title, properties.author
        made, modified = _file_date(properties.created), _file_date(properties.modified)
    except Exception as error:  # zip, XML and package errors have no common base
        raise BadArticle(f"{_shown(name)} is damaged, or no DOCX. Open it in a word processor and save it.") from error
    headline, below = _headline(text)
    if _sensible(title):
        return Draft(text, _sensible(title), made, authors=_people(author), **_dated(made, modified))
    title = headline or _title_from(name)
    return Draft(below, title, made, authors=_people(author), **_dated(made, modified))


def _check_package(data: bytes, name: str) -> None:
    """Refuses what must not be opened. zipfile never unpacks more of a part than the size that is summed here."""
    import zipfile  # here: only DOCX needs it

    if data.startswith(_OLE):
        raise BadArticle(f"{_shown(name)} has a password, or is an old .doc. Save it as a .docx without password.")
    try:
        parts = zipfile.ZipFile(BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BadArticle(f"{_shown(name)} is damaged, or no DOCX. Open it in a word processor and save it.") from error
    size = sum(part.file_size for part in parts)
    if size > MAX_UNZIPPED or len(parts) > MAX_PARTS:
        raise BadArticle(
            f"{_shown(name)} unpacks to {size:,} bytes; the limit is {MAX_UNZIPPED:,}. Save the text alone."
        )


def _word_blocks(element: Any) -> Iterator[str]:
    """Paragraphs and table rows in the order of the page, also those in content controls.

    Not by python-docx's tables: there a cell that says it spans a billion columns is a billion cells.
    """
    for child in element:
        if child.tag == f"{_W}p":
            yield _word_paragraph(child)
        elif child.tag == f"{_W}tr":
            cells = (" ".join(_word_blocks(cell)) for cell in child.iter(f"{_W}tc"))
            yield " | ".join(cell for cell in cells if cell.strip())
        else:
            yield from _word_blocks(child)


def _word_paragraph(element: Any) -> str:
    from docx.text.paragraph import Paragraph  # here: as docx above

    return Paragraph(element, None).text  # type: ignore[arg-type]  # the parent is asked for styles only


# What every reader uses

_READERS: dict[str, Callable[[bytes, str], Draft]] = {
    ".txt": _text,
    ".md": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
}
SUFFIXES = tuple(_READERS)

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlevel = 2  # YAML aliases can make a few lines into a billion items


def _shown(value: object) -> str:
    """`value` in quotes for a message: printable, and cut with "..." where long."""
    try:
        return _short.repr(value)
    except ValueError:
        return "a number of thousands of digits"  # Python does not print them


def _silence(*loggers: str) -> None:
    """Parsers grumble about every odd document; what matters of it is in the BadArticle. A level set before stays."""
    for logger in map(logging.getLogger, loggers):
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL + 1)
