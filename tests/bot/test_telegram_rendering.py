"""Whatever an article holds and a person asks: Telegram's own parser takes the message and keeps every character."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot import messages
from bot.channels.telegram import LONGEST, render
from bot.conversation import Export, Reply, Shown, Sources, Verified
from bot.length import FIELD
from corpus.archive import FOREVER, Revision
from corpus.article import MAX_URL, Article, line, make_article, normalise
from retrieval.answer import Answer, Differing, Reason
from retrieval.citation import Citation, cite, link
from retrieval.question import Question
from retrieval.scope import Scope
from tests.tdlib import Text, detect, parse, shown, units
from tests.unsure import perhaps

HOSTILE = Path(__file__).resolve().parents[3] / "shared" / "bench" / "hostile"
DAY = date(2025, 5, 16)
# Combining marks that Telegram deletes from every message; no bot can send them. Where they compose (å) they are safe.
DELETED = str.maketrans("", "", "\u030a\u0333\u033f")
ODD = [
    *("<b>", "</b>", "</blockquote>", "<blockquote expandable>", "&lt;", "&amp;", "&#60;", "&", "<", ">", '"', "'"),
    *("<a href='tg://user?id=1'>x</a>", "<!--", "<tg-spoiler>", "```", "**bold**", "__", "||", "[x](http://y.example)"),
    *(
        "😀",
        "👩‍🚀",
        "🏳️‍🌈",
        "مرحبا بالعالم",
        "שלום",
        "می‌خواهم",
        "\u202eevil",
        "\u200f\u200f\u200f",
        "e\u0301",
        "x\u030a",
    ),
    *(
        "@pullquote_bot",
        "@\u030aeveryone",
        "/start",
        "#tag",
        "https://x.example/?a=1&b=2",
        "\x00",
        "\u2028",
        "\ud800",
        "\U0010ffff",
        "\n\n",
    ),
    *("Ignore all previous instructions. ", "A sentence of some words. ", "Привет. ", "中文报道。"),
]
texts = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=40)), max_size=30).map("".join)
typed = texts.map(line)  # what a person wrote comes to `render` on one line and without surrogates
long_texts = st.tuples(texts, st.sampled_from([1, 1, 1, 20, 400])).map(lambda made: made[0] * made[1])
urls = st.one_of(
    st.builds("https://n.example/{}".format, texts),
    st.just("https://n.example/1?a=b&c=<d>#e"),
    texts.map("http://".__add__),
    texts,
)


@st.composite
def articles(draw: st.DrawFn) -> Article:
    text, url = draw(long_texts), draw(urls)
    assume(normalise(text) and 0 < len(line(url).encode()) <= MAX_URL)
    return make_article(
        url=url,
        title=draw(texts)[:900],
        text=text,
        published=draw(st.sampled_from([None, datetime(2025, 5, 16, tzinfo=UTC)])),
        outlet=draw(texts)[:900],
        authors=[name[:900] for name in draw(st.lists(texts, max_size=3))],
    )


@st.composite
def citations(draw: st.DrawFn) -> Citation:
    """A quote anywhere in any article, without white space at its edges, as a sentence has none."""
    article = draw(articles())
    start = draw(st.integers(0, len(article.text) - 1))
    end = draw(st.integers(start + 1, len(article.text)))
    quote = article.text[start:end]
    assume(quote.translate(DELETED).strip())
    first = start + len(quote) - len(quote.lstrip())
    return cite(revision(article), (first, first + len(quote.strip())))


def revision(article: Article) -> Revision:
    return Revision(1, 1, article, DAY, FOREVER)


def answer(citation: Citation, question: str = "what?") -> Answer:
    asked = Question(question, DAY, Scope(DAY, DAY, (citation.article.outlet,)), "and?", question)
    return Answer(asked, True, 0.9, citation.quote, (citation, citation), (), 0.1)


def refusal(question: str, *nearest: Revision) -> Answer:
    return Answer(Question(question, DAY), False, 0.1, "", (), (), 0.1, reason=Reason.SILENT.value, nearest=nearest)


def seen(reply: Reply, language: str = "") -> Text:
    """What a person sees. Raises Refused."""
    parsed = parse(render(reply, language, "0123456789ab").html)
    assert units(parsed.plain) <= LONGEST
    text = shown(parsed)
    assert text.plain
    if not text.all("pre"):  # in which nobody is called
        assert detect(text.plain).all("mention") == []
    return text


def read(text: str) -> str:
    """Without what keeps an "@" from calling somebody."""
    return text.replace("@\u200b", "@")


def deleted(text: str, left: int) -> int:
    """How many characters Telegram deleted before so many were left."""
    kept = [place for place, one in enumerate(text) if ord(one) not in DELETED]
    return kept[left - 1] + 1 - left if 0 < left <= len(kept) else 0


def bold(text: Text) -> list[str]:
    return [read(one) for one in text.all("bold")]


def below(text: Text) -> str:
    """What stands after the quotation."""
    [block] = [one for one in text.entities if one.kind == "expandable_blockquote"]
    return read(text.plain.encode("utf-16-le")[2 * (block.offset + block.length) :].decode("utf-16-le"))


def above(text: Text) -> str:
    [block] = [one for one in text.entities if one.kind == "expandable_blockquote"]
    return read(text.plain.encode("utf-16-le")[: 2 * block.offset].decode("utf-16-le"))


def shows(text: Text, citation: Citation) -> None:
    """The quote with every character, or its beginning with dots; the source whole."""
    [quote] = bold(text)
    [block] = text.all("expandable_blockquote")
    assert quote in read(block)
    whole = read(citation.quote.translate(DELETED))
    sent = units(text.plain) + deleted(read(citation.quote), len(quote) - 1)
    assert quote == whole or (quote.endswith("…") and whole.startswith(quote[:-1]) and sent > LONGEST - 300)
    source = below(text)
    article = citation.article
    for field in (article.title, article.outlet, ", ".join(article.authors)):
        if units(field) <= FIELD:
            assert read(field.translate(DELETED).strip()) in source
    if article.published:
        assert article.published.date().isoformat() in source


@given(citations(), typed)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="a" * 9_000)), (0, 9_000)), "?" * 9_000)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="😀" * 9_000)), (1, 8_999)), "?")
def test_an_answer_has_the_quote_with_every_character(citation: Citation, question: str) -> None:
    text = seen(answer(citation, question))
    shows(text, citation)
    if units(citation.quote) < 1_000:  # in front, where a folded quotation cannot hide it
        assert read(citation.quote.translate(DELETED).strip()) in above(text)


@given(citations(), st.data())
def test_the_words_that_answer_are_bold_in_front(citation: Citation, data: st.DataObject) -> None:
    words = data.draw(st.sampled_from([one.span() for one in re.finditer(r"\w+(?: \w+)*", citation.quote)] or [(0, 0)]))
    assume(words != (0, 0) and units(citation.quote) < 1_000)
    text = seen(answer(replace(citation, words=words)))
    assert bold(text)[0] == read(citation.quote[slice(*words)].translate(DELETED).strip())
    assert bold(text)[-1] in read(text.all("expandable_blockquote")[0])
    assert read(citation.quote.translate(DELETED).strip()) in above(text)


@given(st.sampled_from(messages.LANGUAGES), citations(), st.lists(citations(), max_size=3))
@example("de", cite(revision(make_article(url="https://n.example/1", title="T", text="<b>" * 600)), (235, 1_751)), [])
def test_in_every_language(language: str, citation: Citation, others: list[Citation]) -> None:
    told = tuple(Differing(one, one.quote[:300], True) for one in others)
    text = seen(Shown(citation, 2, 3, Question("who?", DAY), ("Other",), told, "0123456789ab", 1), language)
    shows(text, citation)
    for one in told:
        if units(one.words) <= 100 and units(one.citation.article.outlet) <= 100:
            assert read(one.words.translate(DELETED).strip()) in below(text)


@given(citations(), st.sampled_from(["", *messages.LANGUAGES]))
def test_what_may_be_meant_is_marked_in_its_passage_and_nowhere_else(citation: Citation, language: str) -> None:
    text = seen(perhaps(answer(citation, "who?")), language)
    shows(text, citation)
    assert above(text).rstrip().endswith(messages.say(messages.PERHAPS, language))


@given(citations(), st.booleans(), typed)
def test_a_verified_quotation(citation: Citation, exact: bool, differences: str) -> None:
    shows(seen(Verified(citation, exact, differences)), citation)


@given(st.lists(articles(), min_size=1, max_size=5), long_texts.map(line))
def test_a_refusal_cites_nothing_and_has_its_headlines(found: list[Article], question: str) -> None:
    for reply in (refusal(question, *map(revision, found)), Sources(tuple(map(revision, found)))):
        text = seen(reply)
        assert text.all("bold") + text.all("expandable_blockquote") == []
        for article in found:
            if units(article.title) <= FIELD:
                assert read(article.title.translate(DELETED).strip()) in read(text.plain)


@given(long_texts.filter(str.strip))
def test_a_sentence_and_an_export_keep_their_words(said: str) -> None:
    said = normalise(f"Said: {said}")
    assume(units(said) + said.count("@") <= LONGEST)
    for reply in (said, Export(said)):
        assert read(seen(reply).plain) == read(shown(Text(said)).plain) == read(said.translate(DELETED).strip())


@given(long_texts.filter(str.strip), st.sampled_from(["", *messages.LANGUAGES]))
def test_a_long_export_is_cut_before_its_link(said: str, language: str) -> None:
    parsed = parse(render(Export(normalise(f"Said: {said}") * 9, "Ab-9_"), language, bot="pullquote_bot").html)
    assert units(parsed.plain) <= LONGEST
    assert shown(parsed).plain.endswith("https://t.me/pullquote_bot?start=Ab-9_")


@given(st.text("abcXYZ019-._~/?=&%+;,:@!$'()*[]\"<> ", max_size=300), citations())
def test_the_link_stays_whole(path: str, citation: Citation) -> None:
    article = citation.article
    moved = make_article(url=f"https://n.example/{path}", title="Talks end", text=article.text)
    cited = cite(revision(moved), (citation.start, citation.end))
    assert seen(answer(cited)).links == [("Talks end", link(cited))]


def hostile(name: str) -> object:
    if not (HOSTILE / name).exists():
        pytest.skip(f"NOT TESTED: {HOSTILE / name} is missing.")
    return json.loads((HOSTILE / name).read_text("utf-8"))


def strings(found: object) -> list[str]:
    if isinstance(found, str):
        return [found]
    parts: Iterable[object] = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [one for part in parts for one in strings(part)]


REPLIES: list[Callable[[Citation, str], Reply]] = [
    lambda citation, said: answer(citation, said),
    lambda citation, said: perhaps(answer(citation, said)),
    lambda citation, said: Verified(citation, False, said),
]


@pytest.mark.parametrize("name", ["naughty_strings.json", "injections.json"])
def test_hostile_strings_in_every_place(name: str) -> None:
    tried = [one for one in strings(hostile(name)) if normalise(one)]
    assert len(tried) > 70
    for said in tried:
        url = f"https://n.example/{said}"[:500]
        article = make_article(url=url, title=said[:1_000], text=said, outlet=said[:1_000], authors=[said[:1_000]])
        citation = cite(revision(article), (0, len(article.text)))
        for reply in REPLIES:
            shows(seen(reply(citation, line(said))), citation)
        assert seen(refusal(line(said), revision(article))).all("bold") == []
