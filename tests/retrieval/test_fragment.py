"""Text-fragment links, checked by a small reference reading of the draft."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from retrieval.fragment import MAX_DIRECTIVE, fragment_link

URL = "https://example.org/news/1"
TALKS = (
    "Talks opened in Istanbul. Russia demanded a withdrawal. Ukraine refused.\n\n"
    "Mr Putin stayed away. Ukraine refused. The well-known envoy left, angry & tired."
)


# --- the reference: what a browser would highlight -------------------------------------------------------------


def _terms(link: str) -> tuple[str, str, str, str]:
    """prefix, start, end, suffix; "" where there is none."""
    parts = link.rsplit(":~:text=", 1)[1].split(",")
    prefix = parts.pop(0)[:-1] if parts[0].endswith("-") else ""
    suffix = parts.pop()[1:] if parts[-1].startswith("-") else ""
    start, end = (*parts, "")[:2]
    assert len(parts) in (1, 2)
    return unquote(prefix), unquote(start), unquote(end), unquote(suffix)


def _is_edge(text: str, at: int) -> bool:
    return not (0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum())


def _places(text: str, term: str, at: int, left: bool, right: bool) -> list[tuple[int, int]]:
    """Where `term` stands from `at` on, whatever its case; at the edge of a word on the sides asked for."""
    found = [hit.span() for hit in re.finditer(f"(?={re.escape(term)})", text, re.I) if hit.start() >= at]
    spans = [(start, start + len(term)) for start, _ in found]
    return [(a, b) for a, b in spans if (not left or _is_edge(text, a)) and (not right or _is_edge(text, b))]


def _skip_space(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip())


def _resolved(link: str, text: str) -> tuple[int, int] | None:
    prefix, start, end, suffix = _terms(link)
    whole = bool(end) or not suffix
    if prefix:
        afters = [_skip_space(text, b) for _, b in _places(text, prefix, 0, left=True, right=False)]
        starts = [s for at in afters for s in _places(text, start, at, left=False, right=whole) if s[0] == at]
    else:
        starts = _places(text, start, 0, left=True, right=whole)
    for begin, stop in starts:
        ends = [b for _, b in _places(text, end, stop, left=True, right=not suffix)] if end else [stop]
        for last in ends:
            at = _skip_space(text, last)
            if not suffix or (at, at + len(suffix)) in _places(text, suffix, at, left=False, right=True):
                return begin, last
    return None


# --- links as they should read -----------------------------------------------------------------------------------


def _link(words: str, text: str = TALKS, url: str = URL, nth: int = 0) -> str:
    start = [hit.start() for hit in re.finditer(re.escape(words), text)][nth]
    link = fragment_link(url, text, start, start + len(words))
    assert ":~:" not in link or _resolved(link, text) == (start, start + len(words))
    return link


@pytest.mark.parametrize(
    ("words", "nth", "directive"),
    [
        ("Russia demanded a withdrawal.", 0, "Russia%20demanded%20a%20withdrawal."),
        ("Ukraine refused.", 0, "Ukraine%20refused."),
        ("Ukraine refused.", 1, "Putin%20stayed%20away.-,Ukraine%20refused."),
        (
            "The well-known envoy left, angry & tired.",
            0,
            "The%20well%2Dknown%20envoy%20left%2C%20angry%20%26%20tired.",
        ),
        (
            "Ukraine refused.\n\nMr Putin stayed away.",
            0,
            "Ukraine%20refused,Mr%20Putin%20stayed%20away.",
        ),
    ],
)
def test_a_quote_is_named_by_its_words(words: str, nth: int, directive: str) -> None:
    assert _link(words, nth=nth) == f"{URL}#:~:text={directive}"


def test_a_long_quote_is_named_by_its_first_and_last_words() -> None:
    words = " ".join(f"word{n}" for n in range(90)) + "."
    link = _link(words, f"Before. {words} After.")
    assert link == f"{URL}#:~:text=word0%20word1%20word2%20word3,word86%20word87%20word88%20word89."


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://example.org/a", "https://example.org/a#:~:text="),
        ("HTTPS://example.org/a?b=1&c=2", "HTTPS://example.org/a?b=1&c=2#:~:text="),
        ("https://example.org/a#section", "https://example.org/a#section:~:text="),
        ("https://example.org/a#section:~:text=old,-words", "https://example.org/a#section:~:text="),
        ("https://example.org/a#:~:text=old", "https://example.org/a#:~:text="),
    ],
)
def test_a_section_is_kept_and_an_old_directive_replaced(url: str, start: str) -> None:
    assert _link("Russia demanded", url=url) == start + "Russia%20demanded"


@pytest.mark.parametrize("url", ["file:///news/1.html", "urn:isbn:1", "", "mailto:desk@example.org", "news/1"])
def test_only_web_addresses_get_a_fragment(url: str) -> None:
    assert _link("Russia demanded", url=url) == url


@pytest.mark.parametrize("span", [(0, 0), (5, 3), (24, 25), (72, 74), (9999, 99999)])
def test_a_quote_without_words_gets_no_fragment(span: tuple[int, int]) -> None:
    assert fragment_link(URL, TALKS, *span) == URL


def test_a_quote_inside_words_is_widened_to_them() -> None:
    start = TALKS.index("ussia demanded a with")
    link = fragment_link(URL, TALKS, start, start + len("ussia demanded a with"))
    assert link == f"{URL}#:~:text=Russia%20demanded%20a%20withdrawal"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Переговоры начались. Россия отказалась. Украина ждёт. Россия отказалась.", "Россия отказалась."),
        ("谈判开始了。俄罗斯拒绝了。乌克兰等待。", "俄罗斯拒绝了。"),
        ("بدأت المحادثات. رفضت روسيا. أوكرانيا تنتظر.", "رفضت روسيا."),
        ("การเจรจาเริ่มขึ้น รัสเซียปฏิเสธ ยูเครนรอ", "รัสเซียปฏิเสธ"),
        ("Die Äpfel fielen. Die Apfel fielen.", "Die Apfel fielen."),
        ("İstanbul’da görüşme. ISTANBUL. Istanbul!", "Istanbul!"),
    ],
)
def test_other_scripts(text: str, words: str) -> None:
    assert ":~:" in _link(words, text)


def test_accents_do_not_make_a_word_unique() -> None:
    text = "The resume was read. The résumé was read."
    assert _link("résumé", text) == f"{URL}#:~:text=was%20read.%20The-,r%C3%A9sum%C3%A9"


def test_a_sentence_that_follows_its_own_copies_is_told_from_them() -> None:
    text = "Russia refused.\nRussia refused. Russia refused. Russia refused."
    assert _resolved(fragment_link(URL, text, 48, 63), text) == (48, 63)


# --- for any text ------------------------------------------------------------------------------------------------

_SENTENCES = st.sampled_from(
    [
        "Russia refused.",
        "russia REFUSED.",
        "Ukraine, too, refused.",
        "No.",
        "Why not?",
        "The well-known envoy said: “We & they agreed, 5,000-fold.”",
        "Россия отказалась.",
        "谈判开始了。",
        "Rain fell all night over the hills and the towns along the river, said the weather office.",
        " ".join(f"On day {n} it snowed" for n in range(12)) + ".",
    ]
)
_JOINED = st.lists(st.tuples(_SENTENCES, st.sampled_from([" ", " ", "\n", "\n\n"])), min_size=1, max_size=8)


@settings(deadline=None)
@given(_JOINED, st.data())
def test_a_link_opens_exactly_the_quote(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    text = "".join(sentence + space for sentence, space in parts).strip()
    starts = [0]
    for sentence, space in parts[:-1]:
        starts.append(starts[-1] + len(sentence + space))
    first = data.draw(st.integers(0, len(parts) - 1))
    last = data.draw(st.integers(first, len(parts) - 1))
    start, end = starts[first], starts[last] + len(parts[last][0])
    link = fragment_link(URL, text, start, end)
    assert len(link) <= len(URL) + MAX_DIRECTIVE
    assert not any("\n" in term for term in _terms(link))
    assume(not _has_twin(text, start, end) and not _ends_twice(text[start:end]))
    assert _resolved(link, text) == (start, end)


def _has_twin(text: str, start: int, end: int) -> bool:
    """Whether the quote, or the first of its several lines, stands earlier with the same lines around it.

    No directive can tell them apart: its terms do not cross lines.
    """
    first, *more = text[start:end].lower().split("\n", 1)
    before, after = _line_before(text, start), "" if more else _line_after(text, end)
    return any(
        _line_before(text, hit.start()).endswith(before[-300:])
        and _line_after(text, hit.start() + len(first)).startswith(after[:300])
        for hit in re.finditer(f"(?={re.escape(first)})", text.lower()[: start + len(first) - 1])
    )


def _ends_twice(quoted: str) -> bool:
    """Whether the last of several lines also stands before: the range may end there."""
    *before, last = quoted.lower().split("\n")
    return last in "\n".join(before)


def _line_before(text: str, at: int) -> str:
    return text[:at].rstrip().rsplit("\n", 1)[-1].lower()


def _line_after(text: str, at: int) -> str:
    return text[at:].lstrip().split("\n", 1)[0].lower()


@settings(deadline=None)
@given(st.text(), st.integers(0, 50), st.integers(0, 50), st.sampled_from([URL, "", "file:/a", "http://a#b:~:c"]))
def test_any_span_of_any_text_gives_a_link_of_bounded_length(text: str, start: int, end: int, url: str) -> None:
    link = fragment_link(url, text, start, end)
    assert len(link) <= len(url) + MAX_DIRECTIVE
    assert link.startswith(url.split(":~:")[0])
