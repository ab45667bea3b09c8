"""Whatever an article and a question hold: nobody is called by what the bot says, in any chat."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bot import messages
from bot.channels import discord, matrix, slack, telegram
from bot.conversation import Export, Reply, Shown, Sources, Verified, first
from bot.markdown import DISCORD, MATTERMOST, ROCKETCHAT, ZULIP, render
from corpus.archive import FOREVER, Revision
from corpus.article import make_article
from retrieval.answer import Answer, Differing, Reason
from retrieval.citation import cite
from retrieval.question import Question
from tests import markdown
from tests.tdlib import detect, parse
from tests.unsure import perhaps

CALLS = (
    "@here @channel @everyone @all @room @durov @ada:example.org @**all** @*ops* @_**Ada|5** <!channel> <!here|here> "
    "<@U012AB3CD> <@123456789> <@&77> <!subteam^S1> <users/all> "
    "<a href='https://matrix.to/#/@ada:example.org'>Ada</a> [Ada](https://matrix.to/#/@ada:example.org) tg://user?id=1"
)
DAY = date(2025, 5, 16)
ARTICLE = make_article(
    url="https://matrix.to/#/@ada:example.org",
    title=f"{CALLS} {CALLS}"[:300],
    text=f"{CALLS}. {CALLS} said so. {CALLS}.",
    published=datetime(2025, 5, 16, tzinfo=UTC),
    outlet=CALLS[:200],
    authors=[CALLS[60:200]],
)
REVISION = Revision(1, 1, ARTICLE, DAY, FOREVER)
START = len(CALLS) + 2
CITED = replace(cite(REVISION, (START, START + len(CALLS) + 9)), words=(0, 30), speaker=CALLS[:90], cue="@here")
ASKED = Question(CALLS, DAY, said=f"and {CALLS}?", read_as=CALLS)
ANSWER = Answer(
    ASKED, True, 0.9, CITED.quote, (CITED, CITED), (), 0.1, differing=(Differing(CITED, CALLS[:80], True),) * 2
)
REPLIES: dict[str, Reply] = {
    "an answer": ANSWER,
    "news": replace(first(ANSWER, "abcdefghijk"), heading=messages.say(messages.NEWS, number=1, question=CALLS)),
    "what may be meant": perhaps(ANSWER),
    "a refusal": Answer(ASKED, False, 0.1, "", (), (), 0.1, reason=Reason.SILENT.value, nearest=(REVISION,)),
    "a correction": messages.say(messages.CORRECTION, question=CALLS) + f"\n{CALLS}\n{CALLS}",
    "a followed question": messages.say(messages.FOLLOWED, number=1, question=CALLS, hours="6"),
    "a verified quotation": Verified(CITED, False, CALLS),
    "sources": Sources((REVISION,)),
    "an export": Export(CALLS),
}


def in_telegram(reply: Reply) -> list[str]:
    text = parse(telegram.render(reply, "", "abcdefghijk", "bot").html)
    hidden = [one.text for one in text.entities if one.kind == "pre"]
    plain = text.plain
    for one in hidden:  # Telegram looks for no names in it
        plain = plain.replace(one, "")
    return [*detect(plain).all("mention"), *text.all("text_mention")]


def in_slack(reply: Reply) -> list[str]:
    """Elements that name somebody, and marks in the small print or the notification that do."""
    message = slack.render(reply, "abcdefghijk").to_dict()
    assert not {"link_names", "parse"} & message.keys()
    named = re.findall(r'"type": "(?:user|usergroup|broadcast|channel)"', json.dumps(message["blocks"]))
    texts = [message["text"], *re.findall(r'"type": "mrkdwn", "text": "([^"]*)"', json.dumps(message["blocks"]))]
    texts += re.findall(r'"text": "([^"]*)", "type": "mrkdwn"', json.dumps(message["blocks"]))
    return named + [one for text in texts for one in re.findall(r"<[@!#][^>]*>?", text)]


def in_matrix(reply: Reply) -> list[str]:
    message = matrix.render(reply, "abcdefghijk")
    for content in (message.content(), matrix.instead_of("$1", message)):
        assert content["m.mentions"] == {}  # which says that nobody is, whatever the text holds
    return re.findall(r"<a [^>]*matrix\.to", message.html)


def by_markdown(name: str, dialect: Any) -> Callable[[Reply], list[str]]:
    return lambda reply: list(markdown.read(name, render(reply, dialect, "abcdefghijk")).markup)


CHATS = {
    "telegram": in_telegram,
    "slack": in_slack,
    "matrix": in_matrix,
    "mattermost": by_markdown("mattermost", MATTERMOST),
    "zulip": by_markdown("zulip", ZULIP),
    "rocketchat": by_markdown("rocketchat", ROCKETCHAT),
    "discord": by_markdown("discord", DISCORD),
}


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("reply", REPLIES)
def test_nobody_is_called(chat: str, reply: str) -> None:
    assert CHATS[chat](REPLIES[reply]) == []


def test_discord_is_told_so_besides() -> None:
    assert list(discord.QUIET.to_dict().items()) == [("parse", [])]


def test_the_calls_would_be_heard() -> None:
    """Or this file would show nothing."""
    assert detect(CALLS).all("mention")[:3] == ["@here", "@channel", "@everyone"]
    for name in ("mattermost", "zulip", "rocketchat", "discord"):
        assert len(markdown.read(name, CALLS).markup) >= 3
    assert isinstance(REPLIES["news"], Shown)
