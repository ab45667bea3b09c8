"""The bot in Slack: the real libraries against a server on loopback that refuses what Slack refuses.

The archive is real, the desk is a small one that cites the sentences which share words with the question.
"""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import SecretStr

from bot import messages
from bot.channels.slack import PATIENCE, PROMPTS, SHORTCUT, plain, serve
from bot.channels.telegram import serve as serve_telegram
from bot.cli import cli
from bot.conversation import Office, Rules
from bot.reception import until_stopped
from bot.settings import BadSettings, Settings
from bot.store import Store, open_store
from corpus.archive import Archive, StoredPassage, open_archive
from corpus.article import Article, make_article
from corpus.passages import passages
from corpus.sentences import sentences
from retrieval.answer import Answer, Reason
from retrieval.citation import Citation, check, cite
from retrieval.question import Question
from tests import telegram_api
from tests.slack_api import Message, Slack, serving, until

DEMAND = "what did Russia demand?"
QUOTE = "Russia demanded that Ukraine withdraw completely from four regions."
SECOND = "A paper that Russia handed over would demand four regions."
REFUSED = "who won the cheese prize in Narnia?"
MENTION = f"<@{Slack.me}>"
EMPTY = frozenset({"what", "that", "from", "with", "this", "about", "would", "have"})


def article(number: int, title: str, text: str, outlet: str, day: int) -> Article:
    return make_article(
        url=f"https://n.example/{number}?a=1&b=2",
        title=title,
        text=text,
        outlet=outlet,
        published=datetime(2025, 5, day, tzinfo=UTC),
        authors=["Mira Halvorsen"],
    )


TALKS = article(
    1,
    "Talks end <!channel> & nothing is signed",
    f"Delegations met in Istanbul.\n\n{'The hall was full. ' * 60}\n\n"
    f"{QUOTE} Ukraine did demand a truce of thirty days."
    f"\n\n{'The press waited outside. ' * 60}\n\n“We will not accept this,” said Oksana Melnyk, a deputy minister.",
    "The Harbour Courier",
    16,
)
PAPER = article(2, "What the paper says", f"{SECOND} It has nine pages.", "Pinewick Ledger", 15)


class Desk:
    """Cites, in each article, the sentence that shares most words with the question, if two at least."""

    def __init__(self, archive: Archive, seconds: float = 0.0) -> None:
        self._archive, self._seconds = archive, seconds
        self.asked: list[str] = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question.text)
        time.sleep(self._seconds)
        stored = [one for _, one in self._archive.current()]
        within = [one for one in stored if one.id in (question.scope.revisions or (one.id,))]
        wanted = words(question.text)
        ranked = []
        for one in within:
            spans = sentences(one.article.text)
            best = max(spans, key=lambda span: len(wanted & words(one.article.text[slice(*span)])))
            shared = len(wanted & words(one.article.text[slice(*best)]))
            ranked += [(shared, one.article.published, cite(one, best))] if shared > 1 else []
        found = tuple(one for _, _, one in sorted(ranked, key=lambda row: row[:2], reverse=True))[: question.citations]
        if not found:
            return Answer(question, False, 0.1, "", (), (), 0.0, reason=Reason.SILENT, nearest=tuple(stored))
        return Answer(question, True, 0.9, found[0].quote, found, (), 0.0)

    def proven(self, citation: Citation) -> Citation:
        return check(citation, self._archive)


def words(text: str) -> set[str]:
    """Roughly the stems of those that carry meaning."""
    found = re.findall(r"[^\W\d_]{4,}", text.lower())
    return {re.sub(r"(?:ed|s)$", "", one) for one in found} - EMPTY


class Keeper:
    def add_document(self, data: bytes, name: str) -> str:
        raise NotImplementedError

    def add_page(self, url: str) -> str:
        raise NotImplementedError

    def forget(self, name: str) -> tuple[str, str]:
        raise NotImplementedError

    def status(self) -> str:
        return "articles: 2"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path / "archive.sqlite")
    opened.store([(one, passages(one)) for one in (TALKS, PAPER)])
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "conversations.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def office(archive: Archive, store: Store) -> Office:
    def alike(text: str) -> list[StoredPassage]:
        revisions = [one for _, one in archive.current()]
        return archive.passages_of([one.id for one in revisions])

    return Office(
        Desk(archive), archive, alike, store, Keeper(), Rules(admins=frozenset({"U9"})), today=lambda: date(2025, 5, 20)
    )


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with serving() as server:
        yield server


def settings(slack: Slack, **given: Any) -> Settings:
    tokens = {"slack_bot_token": SecretStr(slack.bot_token), "slack_app_token": SecretStr(slack.app_token)}
    return Settings(**{"slack_api": slack.url, **tokens, **given})


@asynccontextmanager
async def running(slack: Slack, office: Office, **given: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(serve(office, settings(slack, **given), stop))
    ready = [until(lambda: slack.listened or task.done())] if not slack.events else [asyncio.sleep(0.3)]
    await asyncio.gather(*ready)
    if task.done():
        await task
    try:
        yield
    finally:
        stop.set()
        await task
        slack.listened = False


async def test_a_mention_is_answered_in_its_thread_with_the_quote_and_its_source(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        question = slack.say("C1", "U1", f"{MENTION} {DEMAND}")
        [answer] = await slack.wait_for("C1", 1)
        await slack.settled()
    assert answer.thread == question.ts
    assert answer.plain.splitlines()[0] == QUOTE
    assert QUOTE in answer.quote
    assert answer.bold == [QUOTE]
    title, url = answer.links[0]
    assert title == "Talks end <!channel> & nothing is signed"
    assert url.startswith("https://n.example/1?a=1&b=2#:~:text=Russia")
    assert (
        f"The Harbour Courier · {title} · 2025-05-16 · Mira Halvorsen\nSpeaker: Russia (“demanded”)\nSource 1 of 2"
        in answer.plain
    )
    assert answer.labels == ["Next source", "More context"]
    assert QUOTE in answer.text
    assert len(slack.shown("C1")) == 1
    assert (slack.refusals, slack.pings) == ([], [])


async def test_a_follow_up_in_its_thread_needs_no_mention_nor_the_same_program(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        first = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
    async with running(slack, office):
        second = await slack.ask("C1", "U2", "and Ukraine?", first.thread)
    assert "Understood as: what did Ukraine demand?" in second.plain
    assert second.thread == first.thread


async def test_what_is_not_meant_for_the_bot_is_let_pass(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        other = slack.say("C1", "U1", DEMAND)
        slack.say("C1", "U2", DEMAND, other.ts)
        first = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
        slack.say("C1", "U1", f"<@U2> {DEMAND}", first.thread)
        slack._tell({**slack._event(other), "bot_id": "B7", "text": f"{MENTION} {DEMAND}", "type": "app_mention"})
        slack._tell({**slack._event(other), "subtype": "channel_join", "text": f"{MENTION} {DEMAND}"})
        await slack.settled()
        last = await slack.ask("C1", "U1", f"{MENTION} /sources")
    assert [one.ts for one in slack.shown("C1")] == [first.ts, last.ts]
    assert last.plain.startswith("2 articles, published 2025-05-15 to 2025-05-16")


async def test_a_direct_message_is_a_conversation_in_and_out_of_threads(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        question = slack.say("DU1", "U1", DEMAND)
        [first] = await slack.wait_for("DU1", 1)
        beside = await slack.ask("DU1", "U1", "and Ukraine?")
        within = await slack.ask("DU1", "U1", "and Ukraine?", first.thread)
        helped = await slack.ask("DU1", "U1", "help")
        fresh = await slack.ask("DU1", "U1", "new")
    assert first.thread == question.ts
    for follow_up in (beside, within):
        assert "Understood as: what did Ukraine demand?" in follow_up.plain
    assert within.thread == first.thread
    assert messages.SLACK_COMMANDS in helped.plain
    assert fresh.plain == messages.NEW


async def test_a_refusal_has_no_source(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        refused = await slack.ask("C1", "U1", f"{MENTION} {REFUSED}")
    assert refused.plain.splitlines()[0] == Reason.SILENT
    assert (refused.quote, refused.bold, refused.labels) == ("", [], [])
    assert [title for title, _ in refused.links] == [TALKS.title, PAPER.title]
    assert slack.pings == []


async def test_buttons_work_after_a_restart(slack: Slack, office: Office, store: Store) -> None:
    async with running(slack, office):
        answer = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
    async with running(slack, office):
        slack.press(answer, "More context")
        wide = await slack.wait_edit(answer)
        slack.press(wide, "Next source")
        other = await slack.wait_edit(wide)
        slack.press(other, "Wrong quote")
        slack.press(other, "Right", "U2")
        await until(lambda: len(slack.whispers) == 2)
    assert len(wide.quote) > len(answer.quote)
    assert other.bold == [SECOND]
    assert [one.plain for one in slack.whispers] == [messages.THANKS] * 2
    assert sorted((one.person, one.reason) for one in store.votes(9)) == [("slack:U1", "q"), ("slack:U2", "r")]
    assert slack.refusals == []


async def test_a_button_below_a_forgotten_article_says_so(slack: Slack, office: Office, archive: Archive) -> None:
    async with running(slack, office):
        answer = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
        archive.forget(TALKS.url)
        slack.press(answer, "More context")
        said = await until(lambda: next(iter(slack.whispers), None))
    assert said.plain == messages.GONE
    assert slack.history["C1", answer.ts] == [answer]


@pytest.mark.parametrize("channel", ["C1", "C3"])
async def test_ask_is_answered_to_one_person_and_can_be_shared(slack: Slack, office: Office, channel: str) -> None:
    """C3 is a channel that the bot is not in."""
    async with running(slack, office):
        alone = await slack.whisper(channel, "U1", DEMAND)
        follow_up = await slack.whisper(channel, "U1", "and Ukraine?")
        stranger = await slack.whisper(channel, "U2", "and Ukraine?")
        slack.press(alone, "More context")
        await until(lambda: len(slack.whispers) == 4)
        wide = slack.whispers[-1]
        before = slack.shown(channel)
        slack.press(alone, messages.SLACK_SHARE)
        [shared] = await slack.wait_for(channel, 1)
        await until(lambda: alone.ts not in {one.ts for one in slack.whispers})
        if channel == "C1":
            threaded = await slack.ask(channel, "U2", "and Ukraine?", shared.ts)
            assert "Understood as: what did Ukraine demand?" in threaded.plain
    assert alone.whispered_to == "U1"
    assert alone.bold == [QUOTE]
    assert alone.labels == ["Next source", "More context", "Share in channel"]
    assert "Understood as: what did Ukraine demand?" in follow_up.plain
    assert "Understood as" not in stranger.plain
    assert (wide.ts, wide.labels) == (alone.ts, alone.labels)
    assert before == []
    assert shared.plain.splitlines()[0] == f" asked: {DEMAND}"
    assert shared.bold == [QUOTE]
    assert messages.SLACK_SHARE not in shared.labels
    assert [json.loads(one) for one in slack.pings] == [{"type": "user", "user_id": "U1"}]
    assert [why for why in slack.refusals if why != "not_in_channel"] == []


async def test_ask_without_a_question_says_what_to_write(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        said = await slack.whisper("C1", "U1", "  ")
    assert said.plain == messages.ASK_WHAT


async def test_the_shortcut_looks_a_quotation_up(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        for number, text in enumerate(
            [f"“{QUOTE}”", QUOTE.replace("four", "five"), "purple elephants sang in Oslo"], 1
        ):
            slack.check_quotation(slack.say("C1", "U2", text), "U1")
            await until(lambda number=number: len(slack.whispers) == number)  # type: ignore[misc]
    exact, near, none = slack.whispers
    assert exact.plain.startswith(messages.VERIFY_EXACT)
    assert "[-five-] {+four+}" in near.plain
    assert none.plain == messages.VERIFY_NONE
    assert {one.whispered_to for one in slack.whispers} == {"U1"}


async def test_the_home_tab_and_suggested_questions(slack: Slack, office: Office) -> None:
    async with running(slack, office):
        slack.open_home("U1", "home")
        view = await until(lambda: slack.homes.get("U1"))
        slack.open_home("U1", "messages")
        prompts = (await until(lambda: slack.prompts.get("DU1")))["prompts"]
        answer = await slack.ask("DU1", "U1", prompts[1]["message"])
    shown = Message("", "", "", "", blocks=tuple(view["blocks"]))
    assert "2 articles, published 2025-05-15 to 2025-05-16" in shown.plain
    assert [title for title, _ in shown.links] == [TALKS.title, PAPER.title]
    assert messages.SLACK_HOW_TO in shown.plain
    assert 0 < len(prompts) <= PROMPTS
    assert answer.plain
    assert slack.refusals == []


async def test_an_edited_question_edits_its_answer_and_a_deleted_one_takes_it_along(
    slack: Slack, office: Office
) -> None:
    async with running(slack, office):
        question = slack.say("C1", "U1", f"{MENTION} {REFUSED}")
        [refused] = await slack.wait_for("C1", 1)
        question = slack.edit(question, f"{MENTION} {DEMAND}")
        edited = await slack.wait_edit(refused)
        slack.edit(question, question.text)  # a preview was added
        follow_up = slack.say("C1", "U1", "and Ukraine?", question.ts)
        await slack.wait_for("C1", 2)
        slack.delete(follow_up)
        await until(lambda: len(slack.shown("C1")) == 1)
        slack.delete(question)  # leaves a tombstone
        await until(lambda: slack.shown("C1") == [])
        late = slack.say("C1", "U1", "what did they say?")
        slack.edit(late, f"{MENTION} {DEMAND}")
        [answer] = await slack.wait_for("C1", 1)
    assert edited.bold == [QUOTE]
    assert (answer.thread, answer.bold) == (late.ts, [QUOTE])
    assert len(slack.history["C1", refused.ts]) == 2


async def test_what_comes_twice_is_answered_once(slack: Slack, office: Office) -> None:
    slack.duplicated = True
    async with running(slack, office):
        await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
        await slack.settled()
    async with running(slack, office):
        slack.deliver_again()
        await slack.settled()
        await slack.ask("C1", "U1", f"{MENTION} /sources")
    assert len(slack.shown("C1")) == 2


async def test_what_came_before_a_crash_is_answered_at_the_next_start(
    slack: Slack, office: Office, store: Store
) -> None:
    question = slack.say("C1", "U1", f"{MENTION} {DEMAND}")
    kept = {"event_id": "Ev0", "type": "event_callback", "event": {**slack._event(question), "type": "app_mention"}}
    store.arrived("slack/T1/Ev0", json.dumps(kept))
    async with running(slack, office):
        [answer] = await slack.wait_for("C1", 1)
    assert answer.bold == [QUOTE]
    assert store.unfinished("slack/T1/") == []


async def test_what_could_not_be_sent_is_sent_at_the_next_start(slack: Slack, office: Office) -> None:
    slack.refuse("chat.postMessage", "service_unavailable")
    async with running(slack, office):
        slack.say("C1", "U1", f"{MENTION} {DEMAND}")
        await until(lambda: slack.refusals)
    assert slack.shown("C1") == []
    async with running(slack, office):
        await slack.wait_for("C1", 1)
    assert len(slack.shown("C1")) == 1


async def test_it_waits_when_slack_says_slow_down(slack: Slack, office: Office) -> None:
    slack.slow_down(2, "chat.postMessage")
    async with running(slack, office):
        begun = time.monotonic()
        answer = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
    assert answer.bold == [QUOTE]
    assert answer.when - begun >= 2
    assert len(slack.shown("C1")) == 1


async def test_a_broken_connection_loses_no_answer(slack: Slack, office: Office) -> None:
    slack.lose_connections(1, "chat.postMessage")
    async with running(slack, office):
        answer = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
    assert answer.bold == [QUOTE]


async def test_limits_are_told_in_words(slack: Slack, office: Office) -> None:
    async with running(slack, replace(office, rules=Rules(person=(5, 1)))):
        await slack.ask("DU1", "U1", DEMAND)
        over = await slack.ask("DU1", "U1", DEMAND)
        other = await slack.ask("DU2", "U2", DEMAND)
    assert over.plain == messages.say(messages.DAY_LIMIT, limit=1)
    assert other.bold == [QUOTE]


async def test_a_direct_message_counts_once(slack: Slack, office: Office) -> None:
    async with running(slack, replace(office, rules=Rules(person=(5, 5), chat=(1, 1)))):
        answers = [await slack.ask("DU1", "U1", DEMAND) for _ in range(2)]
    assert [one.bold for one in answers] == [[QUOTE]] * 2


@pytest.mark.parametrize(
    ("allowed", "heard"),
    [({"C1"}, ["C1"]), ({"U1"}, ["C1", "C2", "DU1"]), ({"S1"}, ["C1", "C2", "DU1"]), ({"U2"}, [])],
)
async def test_people_groups_and_channels_may_be_listed(
    slack: Slack, office: Office, allowed: set[str], heard: list[str]
) -> None:
    slack.groups = {"S1": ["U1"]}
    rules = Rules(admins=frozenset({"U9"}), allowed=frozenset(allowed), access="list")
    async with running(slack, replace(office, rules=rules)):
        said = {one: await slack.ask(one, "U1", f"{MENTION} {DEMAND}") for one in ("C1", "C2", "DU1")}
        told = await slack.wait_for("DU9", 1) if len(heard) < 3 else []
    assert [channel for channel, one in said.items() if one.bold == [QUOTE]] == heard
    assert {one.plain for one in said.values() if not one.bold} <= {messages.STRANGER}
    assert [one.plain for one in told] == [one.plain for one in slack.shown("DU9")]
    assert all(one.plain.startswith("U1 (U1) wrote to the bot") for one in told)


async def test_a_stranger_who_said_nothing_to_the_bot_hears_nothing(slack: Slack, office: Office) -> None:
    rules = Rules(allowed=frozenset({"U1"}), access="list")
    async with running(slack, replace(office, rules=rules)):
        first = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
        slack.say("C1", "U2", "and Ukraine?", first.thread)
        last = await slack.ask("C1", "U1", "and Ukraine?", first.thread)
        slack.open_home("U2", "home")
        view = await until(lambda: slack.homes.get("U2"))
    assert [one.ts for one in slack.shown("C1")] == [first.ts, last.ts]
    assert messages.STRANGER in Message("", "", "", "", blocks=tuple(view["blocks"])).plain
    assert TALKS.title not in json.dumps(view)


async def test_a_code_lets_one_stranger_in(slack: Slack, office: Office) -> None:
    rules = Rules(admins=frozenset({"U9"}), access="invite")
    async with running(slack, replace(office, rules=rules)):
        invited = await slack.ask("DU9", "U9", f"{MENTION} /invite")
        code = invited.plain.rpartition(" ")[2]
        refused = await slack.ask("DU1", "U1", DEMAND)
        welcome = await slack.ask("DU1", "U1", f"start {code}")
        answer = await slack.ask("DU1", "U1", DEMAND)
    assert refused.plain == messages.STRANGER
    assert welcome.plain == messages.WELCOME_IN
    assert answer.bold == [QUOTE]


async def test_who_waits_in_a_direct_message_sees_that_the_bot_is_at_work(
    slack: Slack, office: Office, archive: Archive
) -> None:
    async with running(slack, replace(office, desk=Desk(archive, PATIENCE + 0.5))):
        await slack.ask("DU1", "U1", DEMAND)
        await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
    [status] = slack.statuses
    assert (status["channel_id"], status["status"]) == ("DU1", messages.SLACK_STATUS)


async def test_an_unexpected_error_is_one_sentence_with_an_id(
    slack: Slack, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Desk):
        def ask(self, question: Question) -> Answer:
            raise RuntimeError("secret path")

    async with running(slack, replace(office, desk=Broken(office.archive))):
        said = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
        whispered = await slack.whisper("C1", "U1", DEMAND)
    for one in (said, whispered):
        name = one.plain.split("noted as ")[1].split(".")[0]
        assert "secret" not in one.plain
        assert [record.exc_info is not None for record in caplog.records if name in record.getMessage()] == [True]


async def test_what_is_in_hand_is_finished_before_the_end(slack: Slack, office: Office, archive: Archive) -> None:
    async with running(slack, replace(office, desk=Desk(archive, 0.5))):
        slack.say("C1", "U1", f"{MENTION} {DEMAND}")
        await until(lambda: slack.acknowledged)
    assert len(slack.shown("C1")) == 1


async def test_one_person_does_not_starve_another(slack: Slack, office: Office, archive: Archive) -> None:
    slow = replace(office, desk=Desk(archive, 0.05), rules=Rules(person=(100, 100)), seats=2)
    async with running(slack, slow):
        for _ in range(20):
            slack.say("DU1", "U1", DEMAND)
        slack.say("DU2", "U2", DEMAND)
        await slack.wait_for("DU2", 1)
        before = len(slack.shown("DU1"))
        everything = await slack.wait_for("DU1", 20)
    assert before < 10
    assert [one.thread for one in everything] == sorted(one.thread for one in everything)
    assert len(everything) == 20


@pytest.mark.parametrize(
    "text", ["&lt;!channel&gt; who *said* `it`?", "<!here> who?", "is \U0001f469‍\U0001f467 \u202eevil?", "who? " * 700]
)
async def test_hostile_texts_are_answered(slack: Slack, office: Office, text: str) -> None:
    async with running(slack, office):
        said = await slack.ask("DU1", "U1", text)
    assert said.plain
    assert (slack.refusals, slack.pings) == ([], [])


def test_a_message_is_read_as_a_person_reads_it() -> None:
    said = (
        "<@UBOT> did <@U1|ada> &amp; <#C1|desk> read &lt;b&gt; at <https://x.example/?a=1&amp;b=2|x.example>, <!here>?"
    )
    assert plain(said, "UBOT") == " did @ada & #desk read <b> at x.example, @here?"
    assert plain("<https://x.example> <!subteam^S1|@desk> <!date^1^{date}|today>") == "https://x.example @desk today"


# Over HTTP


@pytest.fixture
async def by_http(slack: Slack, unused_tcp_port: int) -> Callable[[Office], Any]:
    slack.events = f"http://127.0.0.1:{unused_tcp_port}/slack/events"
    given = {"slack_app_token": None, "slack_signing_secret": SecretStr(slack.secret)}
    return lambda office: running(slack, office, slack_listen=f"127.0.0.1:{unused_tcp_port}", **given)


async def test_signed_requests_are_answered_once_each(
    slack: Slack, office: Office, by_http: Callable[[Office], Any], archive: Archive
) -> None:
    async with by_http(replace(office, desk=Desk(archive, 0.5))):
        answer = await slack.ask("C1", "U1", f"{MENTION} {DEMAND}")
        slack.deliver_again()
        await slack.settled()
        whispered = await slack.whisper("C1", "U1", DEMAND)
        slack.press(answer, "More context")
        await slack.wait_edit(answer)
        await slack.settled()  # Python 3.11 loses a connection that is accepted while its server closes
    assert whispered.bold == [QUOTE]
    assert len(slack.shown("C1")) == 1
    assert {status for status, _ in slack.answers} == {200}
    assert max(seconds for _, seconds in slack.answers) < 3


async def test_unsigned_and_old_requests_are_refused(
    slack: Slack, office: Office, by_http: Callable[[Office], Any]
) -> None:
    question = slack._event(Message("C1", "1.1", f"{MENTION} {DEMAND}", "U1"))
    raw = json.dumps({"type": "event_callback", "event_id": "Ev1", "event": {**question, "type": "app_mention"}})
    async with by_http(office):
        refused = [
            await slack.post(raw, {}, secret="another"),
            await slack.post(raw, {}, signature="v0=00"),
            await slack.post(raw, {}, age=6 * 60),
            await slack.post(raw, {}, age=-6 * 60),
            await slack.post(raw, {"X-Slack-Retry-Num": "1"}, secret="another"),
        ]
        challenged = await slack.post(json.dumps({"type": "url_verification", "challenge": "x"}), {})
    assert refused == [401] * 5
    assert challenged == 200
    assert [method for method, _, _ in slack.calls if method != "auth.test"] == []


# At the start and at the end


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"slack_bot_token": SecretStr("xoxb-wrong")}, messages.BAD_SLACK_TOKEN),
        ({"slack_app_token": SecretStr("xapp-wrong")}, messages.BAD_SLACK_APP_TOKEN),
        ({"slack_app_token": None}, messages.NO_SLACK_WAY),
        ({"slack_api": "http://127.0.0.1:1"}, messages.NO_SLACK),
        (
            {"slack_app_token": None, "slack_signing_secret": SecretStr("s"), "slack_listen": "256.0.0.1:99999"},
            "PULLQUOTE_SLACK_LISTEN cannot be '256.0.0.1:99999': ",
        ),
    ],
)
async def test_what_is_wrong_at_the_start_is_one_sentence(
    slack: Slack, office: Office, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadSettings) as raised:
        await asyncio.wait_for(serve(office, settings(slack, **given), asyncio.Event()), 60)
    assert str(raised.value).startswith(sentence)


async def test_all_channels_end_on_sigterm_with_what_they_have_in_hand(
    slack: Slack, office: Office, archive: Archive
) -> None:
    slow = replace(office, desk=Desk(archive, 0.5))
    ended: list[str] = []

    async def other(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.append("other")

    async def ask_and_end() -> None:
        await until(lambda: slack.listened)
        slack.say("C1", "U1", f"{MENTION} {DEMAND}")
        await until(lambda: slack.acknowledged)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = asyncio.create_task(ask_and_end())
    await until_stopped([lambda stop: serve(slow, settings(slack), stop), other])
    await asking
    assert ended == ["other"]
    assert len(slack.shown("C1")) == 1


async def test_slack_and_telegram_answer_from_one_desk(slack: Slack, office: Office) -> None:
    async with telegram_api.serving() as telegram:
        given = {"telegram_token": SecretStr(telegram.token), "telegram_api": telegram.url}
        both = settings(slack, **given)
        starts = [partial(serve, office, both), partial(serve_telegram, office, both)]
        running = asyncio.create_task(until_stopped(starts))
        await until(lambda: slack.listened and telegram.polled)
        there = await telegram.ask(telegram_api.Chat(1), telegram_api.Person(1), DEMAND)
        here = await slack.ask("DU1", "U1", DEMAND)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert QUOTE in there.plain
    assert here.bold == [QUOTE]
    assert isinstance(office.desk, Desk)
    assert office.desk.asked == [DEMAND, DEMAND]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("verb", "given", "sentence"),
    [
        ("run", {}, messages.NO_CHANNEL),
        ("slack", {}, messages.NO_SLACK_TOKEN),
        ("slack", {"BOT_TOKEN": "xoxp-1-secret"}, f"_BOT_TOKEN is wrong. {messages.SETTING_NEEDS['slack_bot_token']}."),
        ("slack", {"ADMINS": "ada"}, f"_ADMINS cannot be 'ada'. {messages.SETTING_NEEDS['slack_admins']}."),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(
    verb: str, given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"PULLQUOTE_SLACK_{name}", value)
    result = CliRunner().invoke(cli, [verb])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip().endswith(sentence)
    assert "secret" not in result.stderr


@pytest.mark.usefixtures("bare")
def test_tokens_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BOT_TOKEN": "xoxb-hidden", "APP_TOKEN": "xapp-hidden", "SIGNING_SECRET": "hidden"}.items():
        monkeypatch.setenv(f"PULLQUOTE_SLACK_{name}", value)
    result = CliRunner().invoke(cli, ["settings", "--json"])
    assert "hidden" not in result.output
    assert result.output.count("***") == 3


async def test_a_channel_that_fails_ends_the_others_and_is_named(slack: Slack, office: Office) -> None:
    ended: list[str] = []

    async def other(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.append("other")

    wrong = settings(slack, slack_bot_token=SecretStr("xoxb-wrong"))
    with pytest.raises(BadSettings, match=re.escape(messages.BAD_SLACK_TOKEN)):
        await until_stopped([other, lambda stop: serve(office, wrong, stop)])
    assert ended == ["other"]


def test_the_manifest_asks_for_no_more_than_the_bot_uses() -> None:
    manifest = yaml.safe_load(files("bot.channels").joinpath("slack_manifest.yaml").read_text("utf-8"))
    features, events = manifest["features"], manifest["settings"]["event_subscriptions"]["bot_events"]
    assert features["agent_view"]["agent_description"]
    assert [one["command"] for one in features["slash_commands"]] == ["/ask"]
    assert [one["callback_id"] for one in features["shortcuts"]] == [SHORTCUT]
    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert events == ["app_home_opened", "app_mention", "message.channels", "message.groups", "message.im"]
    assert manifest["oauth_config"]["scopes"]["bot"] == [
        *("app_mentions:read", "assistant:write", "channels:history", "chat:write", "commands"),
        *("groups:history", "im:history"),
    ]
    assert manifest["settings"]["socket_mode_enabled"] is True
