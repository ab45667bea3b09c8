"""Whatever an article holds and a person asks: no chat reads any of it as markup, and every character stays."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot import messages
from bot.conversation import Export, Reply, Shown, Sources, Verified, known_of
from bot.length import FIELD, units
from bot.markdown import DISCORD, MATTERMOST, NO_JOIN, ROCKETCHAT, ZULIP, plain, render
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
from tests.markdown import Read, read
from tests.unsure import perhaps

DIALECTS = {"mattermost": MATTERMOST, "zulip": ZULIP, "rocketchat": ROCKETCHAT, "discord": DISCORD}
CHATS = st.sampled_from(sorted(DIALECTS))
MARKS = st.text("*_`~[]()<>#@$|\\!:;.&/+-= \nabAB12é", max_size=60)


def seen(chat: str, reply: Reply, below: str = "") -> Read:
    source = render(reply, DIALECTS[chat], "0123456789a", below)
    assert 0 < units(source) <= DIALECTS[chat].longest
    return read(chat, source)


def bare(text: str) -> str:
    return text.replace(NO_JOIN, "")


@given(CHATS, st.one_of(MARKS, texts.map(normalise), long_texts.map(line)))
@example("zulip", "@**all** #**general** [x](http://y.example) &#64; /me :smile: example.com")
@example("mattermost", "@all @channel ~town-square #tag www.x.example \\\\*a\\* $x$ :) <3 [a][b]")
@example("rocketchat", "@all #general *b* _i_ `c` a@b.example +4912345 ||s|| [x](y) \\*")
@example("discord", "@everyone <@1> <#2> <:a:1> <t:1:R> **b** ||s|| https://x.example \\*x*")
@example("mattermost", "- a\n1. b\n# c\n> d\n    e\n===\n---\n| a | b |\n/invite")
def test_no_text_from_outside_is_markup_and_every_character_stays(chat: str, text: str) -> None:
    found = read(chat, plain(text, DIALECTS[chat]))
    assert found.plain == bare(text)
    assert (found.markup, found.bold, found.links, found.quote) == ((), (), (), "")


@settings(max_examples=40)
@given(CHATS, citations(), typed)
@example(
    "discord", cite(revision(make_article(url="https://n.example/1", title="T", text="a" * 9_000)), (0, 9_000)), "?"
)
@example(
    "zulip", cite(revision(make_article(url="https://n.example/1", title="*" * 256, text="*" * 900)), (0, 900)), "?"
)
@example(
    "discord",
    cite(revision(make_article(url=f"https://n.example/{'a' * 1_900}", title="&[" * 128, text="a b")), (0, 3)),
    "?",
)
def test_an_answer_has_the_quote_with_every_character(chat: str, citation: Citation, question: str) -> None:
    found = seen(chat, answer(citation, question), "more context")
    assert found.markup == ()
    assert found.plain.endswith("more context")
    whole, quote = bare(citation.quote), bare(found.quote)
    if whole not in quote:
        assert units(render(answer(citation, question), DIALECTS[chat])) > DIALECTS[chat].longest // 2
        assert any(one.rstrip("…") in whole for one in quote.split("\n") if one.endswith("…"))
    if units(citation.quote) < DIALECTS[chat].longest // 40:
        for field in (citation.article.title, *known_of(citation.article)):
            if units(field) <= FIELD // 4:
                assert bare(field) in bare(found.plain)


@given(CHATS, st.data())
def test_the_words_that_answer_are_bold_in_front(chat: str, data: st.DataObject) -> None:
    text = data.draw(st.text("abc ABC 12 .,“”", min_size=3, max_size=80).filter(lambda one: normalise(one)))
    article = make_article(url="https://n.example/1", title="T", text=text)
    spans = [one.span() for one in re.finditer(r"\w+(?: \w+)*", article.text)]
    assume(spans)
    start, end = data.draw(st.sampled_from(spans))
    citation = replace(cite(revision(article), (0, len(article.text))), words=(start, end))
    found = seen(chat, answer(citation))
    assert found.bold[0] == article.text[start:end]
    assert article.text in found.plain
    assert found.links[0][1].startswith("https://n.example/1")


@settings(max_examples=40)
@given(CHATS, citations(), st.lists(citations(), max_size=6))
def test_every_note_below_an_answer_has_room(chat: str, citation: Citation, others: list[Citation]) -> None:
    told = tuple(Differing(one, one.quote[:300], True) for one in others)
    shown = Shown(citation, 2, 3, Question("who?", DAY), ("Other & Sons",) * 40, told, "0123456789a", 1)
    assert seen(chat, shown).markup == ()


@settings(max_examples=40)
@given(CHATS, citations(), st.booleans(), typed)
def test_a_verified_quotation(chat: str, citation: Citation, exact: bool, differences: str) -> None:
    found = seen(chat, Verified(citation, exact, differences))
    assert found.markup == ()
    assert found.quote


@settings(max_examples=40)
@given(CHATS, st.lists(articles(), min_size=1, max_size=5), long_texts.map(line))
def test_a_refusal_cites_nothing(chat: str, nearest: list[Article], question: str) -> None:
    for reply in (refusal(question, *map(revision, nearest)), Sources(tuple(map(revision, nearest)))):
        found = seen(chat, reply)
        assert (found.markup, found.quote, found.bold) == ((), "", ())


@pytest.mark.parametrize("chat", DIALECTS)
def test_what_may_be_meant_is_marked_in_its_passage_and_nowhere_else(chat: str) -> None:
    article = make_article(url="https://n.example/1", title="Talks end", text="They met. They parted early. It rained.")
    found = seen(chat, perhaps(answer(replace(cite(revision(article), (10, 28)), words=(0, 4)))))
    assert (found.quote, found.bold) == ("They met. They parted early. It rained.", ("They parted early.",))
    assert found.plain.splitlines()[2:5] == [messages.PERHAPS, found.quote, ""]


@given(CHATS, long_texts.filter(str.strip))
def test_a_sentence_and_an_export_keep_their_words(chat: str, said: str) -> None:
    said = normalise(f"Said: {said}")
    for reply in (said, Export(said)):
        shown = bare(seen(chat, reply).plain)
        assert shown == bare(said) or (shown.endswith("…") and bare(said).startswith(shown[:-1]))


REPLIES: list[Callable[[Citation, str], Reply]] = [
    lambda citation, said: answer(citation, said),
    lambda citation, said: perhaps(answer(citation, said)),
    lambda citation, said: Verified(citation, False, said),
]


@pytest.mark.parametrize("chat", DIALECTS)
@pytest.mark.parametrize("name", ["naughty_strings.json", "injections.json"])
def test_hostile_strings_in_every_place(chat: str, name: str) -> None:
    tried = [one for one in strings(hostile(name)) if normalise(one)]
    assert len(tried) > 70
    for said in tried:
        url = f"https://n.example/{said}"[:500]
        article = make_article(url=url, title=said[:1_000], text=said, outlet=said[:1_000], authors=[said[:1_000]])
        citation = cite(revision(article), (0, len(article.text)))
        for reply in REPLIES:
            assert seen(chat, reply(citation, line(said))).markup == ()
        assert seen(chat, refusal(line(said), revision(article))).bold == ()


@pytest.mark.parametrize("chat", DIALECTS)
def test_a_refusal_of_an_empty_archive_is_one_sentence(chat: str) -> None:
    assert seen(chat, replace(refusal("who?"), reason=Reason.EMPTY.value)).plain == messages.EMPTY_CHAT
