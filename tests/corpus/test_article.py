import json
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.article import Article, BadArticle, Passage, line, make_article, normalise

REPO = Path(__file__).resolve().parents[2]
NAUGHTY = REPO.parent / "shared" / "bench" / "hostile" / "naughty_strings.json"

TRICKY_PARTS = (
    "a e\u0301\u0327\u00ad\u200b\u200c\u200d\ufeff\u202e\u2060\u00a0\u3000\r\n\t\v\f\x00\x85\u2028\u2029\ud800"
)
WHOLE = ("\U000e0041", "👩\u200d🚀", "نمی\u200cخواهم", "क्\u200dष", "\u1100", "\u1161")
TRICKY = st.lists(st.sampled_from([*TRICKY_PARTS, *WHOLE]), max_size=30).map("".join)
ANY_TEXT = st.one_of(TRICKY, st.text(), st.text(st.characters()))
HIDDEN = set("\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff") | set(map(chr, range(0x202A, 0x202F)))
LINE_ENDS = set("\r\v\f\x85\u2028\u2029")


def assert_normal(text: str) -> None:
    normal = normalise(text)
    assert normalise(normal) == normal
    assert unicodedata.normalize("NFC", normal) == normal
    assert normal.strip() == normal
    assert not set(normal) & (HIDDEN | LINE_ENDS)
    assert [char for char in normal if unicodedata.category(char) in ("Cc", "Cs") and char != "\n"] == []
    assert {char for char in normal if unicodedata.category(char) == "Zs"} <= {" "}
    assert not any(bad in normal for bad in ("  ", " \n", "\n ", "\n\n\n"))
    assert normal.encode("utf-8").decode("utf-8") == normal


@given(ANY_TEXT)
def test_normal_text_is_normal_and_stays_so(text: str) -> None:
    assert_normal(text)


@given(ANY_TEXT)
def test_a_line_is_one_line_and_stays_so(text: str) -> None:
    assert "\n" not in line(text)
    assert line(line(text)) == line(text)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("a\u00a0b\u3000 \t c", "a b c"),
        ("  a \n  b\n\n\n\nc  ", "a\nb\n\nc"),
        ("co\u00adop\u200b\ufeff\u202e\u2060", "coop"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("a\ud800b", "a\ufffdb"),
        ("pass\u200dword", "password"),
        ("👩\u200d🚀 نمی\u200cخواهم", "👩\u200d🚀 نمی\u200cخواهم"),
        ("a\U000e0041b", "ab"),
        ("\u200b \u00a0\n", ""),
    ],
)
def test_normalise(given: str, normal: str) -> None:
    assert normalise(given) == normal


def test_naughty_strings_become_normal() -> None:
    if not NAUGHTY.exists():
        pytest.skip(f"no naughty strings here: {NAUGHTY} is missing")
    for text in json.loads(NAUGHTY.read_text(encoding="utf-8")):
        assert_normal(text)
        assert_normal(f"x{text}y\r\n{text}")


def test_an_article_is_normalised_once() -> None:
    when = datetime(2025, 5, 16, tzinfo=UTC)
    article = make_article(
        url=" https://x.test/ a\n",
        title="A\u00a0title\n",
        text="One.\r\n\r\n\r\nTwo. ",
        published=when,
        outlet=" The  Post ",
        authors=["A B", "", "A  B", "C"],
        retrieved=when,
    )
    assert article == Article("https://x.test/a", "A title", "One.\n\nTwo.", when, "The Post", ("A B", "C"), when)
    assert Passage(article, 6, 10, ((6, 10),)).text == "Two."


def test_an_article_without_a_title_takes_its_first_words() -> None:
    assert make_article(url="u", title="", text="word " * 40).title == "word " * 15 + "word …"
    assert make_article(url="u", title="", text="Short\nmore").title == "Short"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": " \u200b"}, "The article has no text. Check that the source holds more than its headline."),
        (
            {"text": "x" * 2_000_001},
            "The text has 2,000,001 characters; the limit is 2,000,000. Split it into articles.",
        ),
        ({"url": " "}, "The URL is empty or longer than 2,000 bytes. Give each article its address."),
        ({"title": "x" * 1_001}, "The title has 1,001 characters; the limit is 1,000. Shorten it."),
    ],
)
def test_a_bad_article_says_what_to_do(fields: dict[str, str], message: str) -> None:
    with pytest.raises(BadArticle) as error:
        make_article(**{"url": "u", "title": "t", "text": "x", **fields})  # type: ignore[arg-type]
    assert str(error.value) == message


def test_a_date_needs_a_time_zone() -> None:
    with pytest.raises(BadArticle, match="has no time zone"):
        make_article(url="u", title="t", text="x", published=datetime(2025, 5, 16))
