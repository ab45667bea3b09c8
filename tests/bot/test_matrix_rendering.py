"""Whatever an article holds and a person asks: the HTML has only the allowed tags and every character, the text too."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot import messages
from bot.channels.matrix import HEAVIEST, Me, Message, addressed, read, render, to_question
from bot.conversation import Export, Reply, Shown, Sources, Verified, known_of
from bot.length import FIELD, on_the_web, units
from bot.reception import Asked
from corpus.article import Article, line, make_article, normalise
from retrieval.answer import Differing, Reason
from retrieval.citation import Citation, cite
from retrieval.question import Question
from tests.bot.test_telegram_rendering import (
    DAY,
    answer,
    articles,
    citations,
    hostile,
    long_texts,
    refusal,
    revision,
    strings,
    texts,
    typed,
)
from tests.unsure import perhaps

ALLOWED = {"p", "br", "strong", "blockquote", "a", "ul", "li", "pre", "code"}
ME = Me("@pullquote:news.test", "Pullquote")


@dataclass
class Seen(HTMLParser):
    """What an app shows. Raises AssertionError for what is not allowed or not closed."""

    text: str = ""
    quote: str = ""
    marked: str = ""  # the same with two stars around what is bold, as Markdown has it
    bold: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        if tag == "br":
            self.handle_data("\n")
            return
        self.open.append(tag)
        self.bold += [""] if tag == "strong" else []
        self._mark(tag)
        self.links += [attrs[0][1] or ""] if tag == "a" else []

    def handle_endtag(self, tag: str) -> None:
        self._mark(tag)
        assert self.open.pop() == tag
        self.text += "\n" if tag in ("p", "blockquote", "li") else ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if "blockquote" in self.open:
            self.quote += data
            self.marked += data
        if "strong" in self.open:
            self.bold[-1] += data

    def _mark(self, tag: str) -> None:
        if tag == "strong" and "blockquote" in self.open:
            self.marked += "**"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def seen(message: Message) -> Seen:
    assert message.weight <= HEAVIEST
    parsed = Seen()
    parsed.feed(message.html)
    parsed.close()
    assert parsed.open == []
    assert all(on_the_web(one) for one in parsed.links)
    assert message.content()["m.mentions"] == {}
    return parsed


def shows(message: Message, citation: Citation, *, answers: bool = True) -> Seen:
    """The quote with every character, or its beginning with dots; the source whole; the same in plain text, marked
    there where it does not stand above as the answer.
    """
    parsed = seen(message)
    quote = parsed.bold[-1]
    assert quote in parsed.quote
    assert quote == citation.quote or (quote.endswith("…") and citation.quote.startswith(quote[:-1]))
    if len(citation.quote.encode()) < 3_000:
        assert quote == citation.quote
    article = citation.article
    for known in (article.title, *known_of(article)):
        if units(known) <= FIELD:
            assert known in parsed.text.replace("\n", " ") or known in parsed.text
            assert known in message.text
    whole = parsed.quote if answers else parsed.marked
    assert "\n".join(f"> {one}".rstrip() for one in whole.split("\n")) in message.text
    return parsed


@given(citations(), typed)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="a" * 19_000)), (0, 19_000)), "?" * 900)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="&" * 19_000)), (0, 19_000)), "?" * 900)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="😀" * 9_000)), (1, 8_999)), "?")
@example(cite(revision(make_article(url=f"https://n.example/{'&' * 1_900}", title="&" * 256, text="a b")), (0, 3)), "?")
def test_an_answer_has_the_quote_with_every_character(citation: Citation, question: str) -> None:
    message = render(answer(citation, question), "0123456789a")
    parsed = shows(message, citation)
    if len(citation.quote.encode()) < 3_000:
        assert citation.quote in parsed.text.partition(parsed.quote)[0] + parsed.quote
        assert message.text.count(citation.quote.split("\n")[0]) >= 2
    assert message.shown == "1:0"


@given(citations(), st.data())
def test_the_words_that_answer_are_bold_in_front(citation: Citation, data: st.DataObject) -> None:
    assume(units(citation.quote) < 1_000)
    start = data.draw(st.integers(0, len(citation.quote) - 1))
    end = data.draw(st.integers(start + 1, len(citation.quote)))
    parsed = seen(render(answer(replace(citation, words=(start, end))), "0123456789a"))
    assert parsed.bold == [citation.quote[start:end], citation.quote]


@given(citations())
def test_what_may_be_meant_is_marked_in_its_passage_and_nowhere_else(citation: Citation) -> None:
    message = render(perhaps(answer(replace(citation, words=(0, 1)))), "0123456789a")
    parsed = shows(message, citation, answers=False)
    assert len(parsed.bold) == 1
    assert f"{messages.PERHAPS}\n{parsed.quote}" in parsed.text
    assert (f"{messages.PERHAPS}\n> " in message.text, message.shown) == (True, "1:0")


@given(citations(), st.lists(citations(), max_size=6))
def test_every_note_below_an_answer_has_room(citation: Citation, others: list[Citation]) -> None:
    told = tuple(Differing(one, one.quote[:300], True) for one in others)
    shown = Shown(citation, 2, 3, Question("who?", DAY), ("Other & Sons",) * 40, told, "0123456789a", 1)
    message = render(shown)
    shows(message, citation)
    assert message.shown == "2:1"
    assert messages.SOURCE_OF.format(number=2, count=3) in message.text


@given(citations(), st.booleans(), typed)
def test_a_verified_quotation(citation: Citation, exact: bool, differences: str) -> None:
    shows(render(Verified(citation, exact, differences)), citation, answers=False)


@given(st.lists(articles(), min_size=1, max_size=5), long_texts.map(line))
def test_a_refusal_cites_nothing_and_has_its_headlines(found: list[Article], question: str) -> None:
    for reply in (refusal(question, *map(revision, found)), Sources(tuple(map(revision, found)))):
        message = render(reply)
        parsed = seen(message)
        assert (parsed.quote, parsed.bold, message.shown) == ("", [], "")
        for article in found:
            if units(article.title) <= FIELD:
                assert article.title in parsed.text
                assert article.title in message.text


@given(long_texts.filter(str.strip))
def test_a_sentence_and_an_export_keep_their_words(said: str) -> None:
    said = normalise(f"Said: {said}")
    for reply in (said, Export(said)):
        message = render(reply)
        plain = seen(message).text.removesuffix("\n")
        assert plain == message.text
        assert plain == said or (plain.endswith("…") and said.startswith(plain[:-1]) and units(plain) > 5_000)


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
        for n, reply in enumerate(REPLIES):
            shows(render(reply(citation, line(said)), "0123456789a"), citation, answers=n == 0)
        assert seen(render(refusal(line(said), revision(article)))).bold == []


@pytest.mark.parametrize(
    "url", ["https://matrix.to/#/@ada:news.test", "javascript:alert(1)", "http://[", 'https://n.example/" onclick="x']
)
def test_an_address_that_would_do_something_else_is_no_link(url: str) -> None:
    article = make_article(url=url, title="Title", text="Words of it.")
    parsed = seen(render(answer(cite(revision(article), (0, len(article.text))))))
    assert all("matrix.to" not in one and '"' not in one for one in parsed.links)


def test_a_refusal_of_an_empty_archive_is_one_sentence() -> None:
    empty = replace(refusal("who?"), reason=Reason.EMPTY.value)
    assert render(empty).text == messages.EMPTY_CHAT


json = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
KEYS = ["msgtype", "body", "formatted_body", "m.mentions", "m.relates_to", "m.new_content", "url", "user_ids"]
contents = st.dictionaries(st.sampled_from([*KEYS, "rel_type", "event_id", "m.in_reply_to", "is_falling_back"]), json)


@given(contents, contents, st.booleans(), st.sampled_from(["m.text", "m.file", "m.notice"]))
def test_no_content_of_an_event_is_too_strange(content: object, inner: object, direct: bool, kind: str) -> None:
    for strange in (content, {**dict.fromkeys(KEYS, inner), "msgtype": kind}, {"msgtype": kind, "m.relates_to": inner}):
        event = {"type": "m.room.message", "event_id": "$1", "sender": "@eve:x.example", "content": strange}
        post = read(event, "!r:x.example", direct, ME)
        if post:
            assert post.kind != "m.notice"
            asked = to_question(post, ME)
            assert asked is None or (asked.text and "\n" not in asked.text)
            assert isinstance(addressed(post, ME), bool)


@given(
    typed.filter(lambda one: one and not one.startswith(("!", "/"))),
    st.sampled_from(["Pullquote: ", "!ask ", f"{ME.id} "]),
)
def test_the_question_behind_a_mention_is_whole(question: str, front: str) -> None:
    assume(not re.match(r"@?pullquote", question, re.IGNORECASE) and ME.id not in question)
    content = {"msgtype": "m.text", "body": f"{front}{question}"}
    event = {"type": "m.room.message", "event_id": "$1", "sender": "@eve:x.example", "content": content}
    post = read(event, "!r:x.example", False, ME)
    assert post
    asked = to_question(post, ME)
    assert asked
    assert asked.text == question


@pytest.mark.parametrize(
    ("body", "direct", "named", "text"),
    [
        ("Pullquote what did they say?", False, True, "what did they say?"),
        ("what did they say, Pullquote?", False, True, "what did they say?"),
        (f"what did they say {ME.id}", False, True, "what did they say"),
        ("@pullquote: what did they say?", False, False, "what did they say?"),
        ("Pullquote, /since 2025-05-20", False, False, "/since 2025-05-20"),
        ("!ask !Since 2025-05-20", False, False, "/since 2025-05-20"),
        ("!ask !follow what did Russia demand?", False, False, "/follow what did Russia demand?"),
        ("!ask !following", False, False, "/following"),
        ("!ask !unfollow 1", False, False, "/unfollow 1"),
        ("!ask !notices off", False, False, "/notices off"),
        ("following", True, False, "/following"),
        ("!ask /nonsense", False, False, "/nonsense"),
        ("!ask", False, False, "/ask"),
        ("!ask help", False, False, "/help"),
        ("help", True, False, "/help"),
        ("start 0123456789a", True, False, "/start 0123456789a"),
        ("!important?", True, False, "!important?"),
        ("!ask " * 12_000 + "who?", False, False, "/ask " + "!ask " * 11_998 + "who?"),
        (" " * 60_000 + "who?", True, False, "who?"),
        ("," * 60_000, True, True, "," * 60_000),
        ("Pullquote is slow", False, False, None),
        ("Pullquoted: what?", False, False, None),
        ("!asked and answered", False, False, None),
        (f"mail {ME.id} about it", False, False, None),
    ],
)
def test_what_a_message_asks(body: str, direct: bool, named: bool, text: str | None) -> None:
    content = {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": [ME.id] if named else []}}
    event = {"type": "m.room.message", "event_id": "$1", "sender": "@eve:x.example", "content": content}
    post = read(event, "!r:x.example", direct, ME)
    assert post
    assert to_question(post, ME) == (None if text is None else Asked(text))
