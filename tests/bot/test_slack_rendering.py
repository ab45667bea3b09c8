"""Whatever an article holds and a person asks: Slack takes the message, calls nobody, and keeps every character."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot import messages
from bot.channels.slack import LONGEST, Message, home, render
from bot.conversation import Export, Reply, Shown, Sources, Verified, known_of
from bot.length import FIELD, units
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
    typed,
)
from tests.slack_api import Message as Seen
from tests.slack_api import check, pings
from tests.unsure import perhaps


def seen(message: Message) -> Seen:
    """What a person sees. Raises Refusal."""
    sent = message.to_dict()
    check(sent["text"], sent["blocks"])
    assert pings(sent["text"], sent["blocks"]) == []
    return Seen("C1", "1.1", sent["text"], "UBOT", blocks=tuple(sent["blocks"]))


def small(text: str) -> bool:
    """Whether it need not be cut in small print: escapes count."""
    return units(text) <= FIELD and len(text) + 5 * sum(map(text.count, "&<>*_~`:")) <= 2 * FIELD


def shows(message: Seen, citation: Citation) -> None:
    """The quote with every character, or its beginning with dots; the source whole."""
    [bold] = message.bold
    assert bold in message.quote
    assert bold == citation.quote or (bold.endswith("…") and citation.quote.startswith(bold[:-1]))
    if units(citation.quote) < 2_000:
        assert bold == citation.quote
    article = citation.article
    for field in (article.title, *known_of(article)):
        if small(field):
            assert field.replace("\u200b", "") in message.plain.replace("\u200b", "")


@given(citations(), typed)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="a" * 19_000)), (0, 19_000)), "?" * 900)
@example(cite(revision(make_article(url="https://n.example/1", title="T", text="😀" * 9_000)), (1, 8_999)), "?")
@example(cite(revision(make_article(url=f"https://n.example/{'&' * 1_900}", title="&" * 256, text="a b")), (0, 3)), "?")
def test_an_answer_has_the_quote_with_every_character(citation: Citation, question: str) -> None:
    message = seen(render(answer(citation, question), "0123456789a"))
    shows(message, citation)
    if units(citation.quote) < 2_000:
        assert citation.quote in message.plain.partition(message.quote)[0] + message.quote
    assert message.labels[0] == messages.BUTTON_NEXT


@given(citations(), st.data())
def test_the_words_that_answer_are_bold_in_front(citation: Citation, data: st.DataObject) -> None:
    assume(units(citation.quote) < 2_000)
    start = data.draw(st.integers(0, len(citation.quote) - 1))
    end = data.draw(st.integers(start + 1, len(citation.quote)))
    message = seen(render(answer(replace(citation, words=(start, end))), "0123456789a"))
    assert message.bold == [citation.quote[start:end], citation.quote]


@given(citations())
def test_what_may_be_meant_is_no_answer_in_a_notification_either(citation: Citation) -> None:
    message = seen(render(perhaps(answer(replace(citation, words=(0, 1)))), "0123456789a"))
    shows(message, citation)
    assert message.text.startswith(messages.PERHAPS)
    assert f"{messages.PERHAPS}\n{message.quote}" in message.plain
    assert message.labels[0] == messages.BUTTON_MORE


@given(citations(), st.lists(citations(), max_size=6), st.booleans())
def test_every_note_below_an_answer_has_room(citation: Citation, others: list[Citation], alone: bool) -> None:
    told = tuple(Differing(one, one.quote[:300], True) for one in others)
    shown = Shown(citation, 2, 3, Question("who?", DAY), ("Other & Sons",) * 40, told, "0123456789a", 1)
    message = seen(render(shown, alone=alone))
    shows(message, citation)
    assert (messages.SLACK_SHARE in message.labels) is alone


@given(citations(), st.booleans(), typed)
def test_a_verified_quotation(citation: Citation, exact: bool, differences: str) -> None:
    shows(seen(render(Verified(citation, exact, differences))), citation)


@given(st.lists(articles(), min_size=1, max_size=5), long_texts.map(line))
def test_a_refusal_cites_nothing_and_has_its_headlines(found: list[Article], question: str) -> None:
    for reply in (refusal(question, *map(revision, found)), Sources(tuple(map(revision, found)))):
        message = seen(render(reply))
        assert (message.quote, message.bold, message.labels) == ("", [], [])
        for article in found:
            if small(article.title):
                assert article.title.replace("\u200b", "") in message.plain.replace("\u200b", "")


@given(st.lists(articles(), max_size=5), long_texts.map(normalise))
def test_the_home_tab(found: list[Article], held: str) -> None:
    view = home(f"Held: {held}", list(map(revision, found))).to_dict()
    check("", view["blocks"], 100)
    assert pings("", view["blocks"]) == []


@given(long_texts.filter(str.strip))
def test_a_sentence_and_an_export_keep_their_words(said: str) -> None:
    said = normalise(f"Said: {said}")
    for reply in (said, Export(said)):
        plain = seen(render(reply)).plain
        assert plain == said or (plain.endswith("…") and said.startswith(plain[:-1]) and units(plain) > LONGEST - 700)


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
            shows(seen(render(reply(citation, line(said)), "0123456789a")), citation)
        assert seen(render(refusal(line(said), revision(article)))).bold == []


@pytest.mark.parametrize(
    "said",
    [
        *("<!channel>", "<!here|x>", "<@U1>", "<#C1>", "&lt;!channel&gt;", "<!subteam^S1>", "<http://x.example|y>"),
        *("@channel", "*bold* _it_ ~no~ `code`", ":smile:", "> quoted", "a|b"),
    ],
)
def test_nothing_from_outside_is_markup(said: str) -> None:
    article = make_article(url="https://n.example/1", title=said, text=f"{said} or so", outlet=said, authors=[said])
    message = seen(render(answer(cite(revision(article), (0, len(article.text))), said), "0123456789a"))
    [source] = [one for one in message.blocks if one["type"] == "context"][:1]
    text = re.sub(r"<[^|]*\|", "<", source["elements"][0]["text"])  # what an address holds is not read as markup
    assert source["elements"][0]["verbatim"] is True
    assert text.count("<") == text.count(">") == 1  # our own link
    for mark in ("*bold*", "_it_", "~no~", "`code`", ":smile:", "\n&gt;"):
        assert mark not in text
    assert not text.startswith("&gt;")
    assert message.plain.count(said) >= 4  # answer, passage, outlet and author; the title too, where it has no bar


def test_a_refusal_of_an_empty_archive_is_one_sentence() -> None:
    empty = replace(refusal("who?"), reason=Reason.EMPTY.value)
    assert seen(render(empty)).plain == messages.EMPTY_CHAT
