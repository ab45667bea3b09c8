"""The bot in Matrix: the real library against a real homeserver, whose state is what is asserted on.

The archive is real, the desk is a small one that cites the sentences which share words with the question.
"""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from bot import messages
from bot.channels.matrix import BAD, BOOKMARK, GOOD, MORE, NEXT, RECENT, TIMELINE, instead_of, render, serve
from bot.cli import cli
from bot.conversation import Office, Rules
from bot.notices import tell_admins
from bot.settings import BadSettings, Settings
from bot.store import Store, open_store
from corpus.archive import FOREVER, Archive, Revision, StoredPassage, open_archive
from corpus.article import make_article
from corpus.passages import passages
from retrieval.answer import Answer, Reason
from retrieval.citation import cite
from retrieval.question import Question
from tests import synapse
from tests.bot.test_slack import DEMAND, PAPER, QUOTE, REFUSED, SECOND, TALKS, Desk, Keeper
from tests.synapse import Person, Said, Synapse, until

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)  # noqa: T201 - whoever waits wants to know for what

    try:
        python = synapse.installed(say)
    except synapse.Unavailable as error:
        if os.environ.get(synapse.REQUIRED):
            raise
        pytest.skip(f"{error}: THE MATRIX CHANNEL IS NOT TESTED")
    with synapse.serving(python, tmp_path_factory.mktemp("synapse")) as started:
        yield started


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
        return archive.passages_of([one.id for _, one in archive.current()])

    return Office(Desk(archive), archive, alike, store, Keeper(), Rules(), today=lambda: date(2025, 5, 20))


@pytest.fixture
async def bot(server: Synapse) -> AsyncIterator[Person]:
    async with server.person("pullquote") as one:
        yield one


@pytest.fixture
async def ada(server: Synapse) -> AsyncIterator[Person]:
    async with server.person("ada") as one:
        yield one


@pytest.fixture
async def bo(server: Synapse) -> AsyncIterator[Person]:
    async with server.person("bo") as one:
        yield one


def settings(server: Synapse, bot: Person, folder: Path, **given: Any) -> Settings:
    account = {"matrix_homeserver": server.url, "matrix_user": bot.id, "matrix_password": SecretStr("pass")}
    return Settings(**{"data": folder, **account, **given})


@asynccontextmanager
async def running(
    server: Synapse, office: Office, bot: Person, folder: Path, /, later: float = 0.0, **given: Any
) -> AsyncIterator[None]:
    """The bot, listening. `later`: seconds that its clock is ahead."""
    stop = asyncio.Event()
    mark = folder / BOOKMARK
    before = mark.stat().st_mtime_ns if mark.exists() else 0
    started = settings(server, bot, folder, **given)
    task = asyncio.create_task(serve(office, started, stop, lambda: time.time() + later))
    await until(lambda: task.done() or (mark.exists() and mark.stat().st_mtime_ns != before))
    if task.done():
        await task
    try:
        yield
    finally:
        stop.set()
        await task


async def hall(ada: Person, bot: Person, *others: Person) -> str:
    """A room with the bot in it, and with somebody else at least."""
    room = await ada.room(bot.id, *(one.id for one in others))
    for one in others:
        await one.join(room)
    await joined(ada, room, bot)
    return room


async def joined(ada: Person, room: str, bot: Person) -> None:
    async def member() -> bool:
        return bool((await ada.state(room, "m.room.member", bot.id))["membership"] == "join")

    await until(member)


async def answered(person: Person, room: str, root: str, count: int = 1) -> list[Said]:
    """What stands in the thread below `root`, once it is `count` notices."""

    async def enough() -> list[Said]:
        found = [one for one in await person.thread(room, root) if one.content["msgtype"] == "m.notice"]
        return found if len(found) >= count else []

    found: list[Said] = await until(enough)
    return found


async def test_a_mention_is_answered_in_its_thread_with_the_quote_and_its_source(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.say(room, f"{bot.name}: {DEMAND}", bot.id)
        [answer] = await answered(ada, room, question)
        offered = await until(lambda: _offered(ada, room, answer.id, 4))
    assert answer.sender == bot.id
    assert answer.relates == {
        **{"rel_type": "m.thread", "event_id": question, "is_falling_back": True},
        "m.in_reply_to": {"event_id": question},
    }
    assert answer.body.splitlines()[0] == QUOTE
    url = "https://n.example/1?a=1&b=2#:~:text=Russia"
    assert f"The Harbour Courier · {TALKS.title} · 2025-05-16 · Mira Halvorsen\n{url}" in answer.body
    assert answer.body.endswith("Speaker: Russia (“demanded”)\nSource 1 of 2")
    assert f"<strong>{QUOTE}</strong>" in answer.html.partition("<blockquote>")[2].partition("</blockquote>")[0]
    assert '<a href="https://n.example/1?a=1&amp;b=2#:~:text=Russia' in answer.html
    assert answer.content["m.mentions"] == {}
    assert offered == [NEXT, MORE, GOOD, BAD]


async def _offered(person: Person, room: str, answer: str, count: int) -> list[str]:
    found = [one["content"]["m.relates_to"]["key"] for one in await person.relations(room, answer, "m.annotation")]
    return found if len(found) >= count else []


async def test_a_follow_up_in_its_thread_needs_no_mention_nor_the_same_program(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.say(room, DEMAND, bot.id)
        await answered(ada, room, question)
    async with running(server, office, bot, tmp_path):
        follow_up = await bo.say(room, "and Ukraine?", thread=question)
        first, second = await answered(ada, room, question, 2)
    assert "Understood as: what did Ukraine demand?" in second.body
    assert (second.thread, second.replied) == (question, follow_up)
    assert first.id != second.id


async def test_what_is_not_meant_for_the_bot_is_let_pass(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        other = await ada.say(room, DEMAND)
        await bo.say(room, DEMAND, thread=other)
        question = await ada.say(room, f"{bot.name} {DEMAND}", bot.id)
        await answered(ada, room, question)
        await ada.say(room, DEMAND, bo.id, thread=question)
        await ada.say(room, f"{bot.name}: {DEMAND}", bot.id, msgtype="m.notice")
        await ada.say(room, f"{bot.name} is slow, {DEMAND}")
        await ada.send(room, {"msgtype": "m.text", "body": DEMAND, "m.mentions": {"user_ids": bot.id}})
        await ada.send(room, {"msgtype": "m.text", "body": DEMAND, "m.relates_to": {"m.in_reply_to": [question]}})
        last = await ada.say(room, "!ask !sources")
        [sources] = await answered(ada, room, last)
        said = await ada.answers(room, bot.id)
    assert [one.thread for one in said] == [question, last]
    assert sources.body.startswith("2 articles, published 2025-05-15 to 2025-05-16")


@pytest.mark.parametrize(
    "content",
    [
        {"body": "{name}: {question}"},
        {"body": "{id} {question}"},
        {"body": "{id}: {question}", "m.mentions": {}},
        {"body": "!ask {question}"},
        {"body": "{question} {name}", "m.mentions": {"user_ids": ["{id}"]}},
        {"body": "> <@eve:x.example> hm\n\n{name}, {question}", "m.relates_to": {"m.in_reply_to": {"event_id": "$x"}}},
        {
            "body": "{name} {question}",
            "format": "org.matrix.custom.html",
            "formatted_body": '<a href="https://matrix.to/#/{id}">{name}</a> {question}',
        },
    ],
)
async def test_every_way_to_address_it(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path, content: dict[str, Any]
) -> None:
    filled = json.loads(
        json.dumps(content).replace("{id}", bot.id).replace("{name}", bot.name).replace("{question}", DEMAND)
    )
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.send(room, {"msgtype": "m.text", **filled})
        [answer] = await answered(ada, room, question)
    assert answer.body.splitlines()[0] == QUOTE
    assert isinstance(office.desk, Desk)
    assert office.desk.asked == [DEMAND]


async def test_with_one_person_no_mention_is_needed_in_and_out_of_threads(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot)
        question = await ada.say(room, DEMAND)
        await answered(ada, room, question)
        beside = await ada.say(room, "and Ukraine?")
        within = await ada.say(room, "and Ukraine?", thread=question)
        [one], [_, other] = await answered(ada, room, beside), await answered(ada, room, question, 2)
        helped = await ada.say(room, "help")
        [help_] = await answered(ada, room, helped)
        await ada.invite(room, bo.id)
        await bo.join(room)
        await until(lambda: _is_there(ada, room, bo))
        await ada.say(room, DEMAND)
        last = await ada.say(room, f"{bot.id} /new")
        [fresh] = await answered(ada, room, last)
        said = await ada.answers(room, bot.id)
    for follow_up in (one, other):
        assert "Understood as: what did Ukraine demand?" in follow_up.body
    assert other.replied == within
    assert messages.MATRIX_COMMANDS in help_.body
    assert fresh.body == messages.NEW
    assert len(said) == 5


async def _is_there(person: Person, room: str, other: Person) -> bool:
    return bool((await person.state(room, "m.room.member", other.id))["membership"] == "join")


async def test_a_refusal_has_no_source(
    server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot)
        question = await ada.say(room, REFUSED)
        [refused] = await answered(ada, room, question)
        await asyncio.sleep(0.5)
        offered = await ada.relations(room, refused.id, "m.annotation")
    assert refused.body.splitlines()[0] == Reason.SILENT
    assert "<blockquote>" not in refused.html
    assert re.findall(r'<a href="([^"]+)">', refused.html) == [one.url.replace("&", "&amp;") for one in (TALKS, PAPER)]
    assert offered == []


async def test_reactions_work_after_a_restart(
    server: Synapse, office: Office, store: Store, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.say(room, DEMAND, bot.id)
        [answer] = await answered(ada, room, question)

    async def now(*, other: str) -> Said | None:
        [found] = await answered(ada, room, question)
        return found if found.html != other else None

    async with running(server, office, bot, tmp_path):
        await ada.react(room, answer.id, MORE)
        wide = await until(lambda: now(other=answer.html))
        await bo.react(room, answer.id, MORE)
        wider = await until(lambda: now(other=wide.html))
        await ada.react(room, answer.id, NEXT.removesuffix("\ufe0f"))
        second = await until(lambda: now(other=wider.html))
        await bo.react(room, answer.id, NEXT)
        around_again = await until(lambda: now(other=second.html))
        await ada.react(room, answer.id, BAD)
        await bo.react(room, answer.id, "👍🏽")
        await bo.react(room, question, GOOD)
        await bo.react(room, answer.id, "🎉")
        await until(lambda: len(store.votes(9)) == 2)
    assert len(answer.html) < len(wide.html) < len(wider.html)
    assert second.body.splitlines()[0] == SECOND
    assert second.body.endswith("Source 2 of 2")
    assert around_again.body.startswith(answer.body.partition("Speaker")[0])
    assert around_again.body.endswith("Source 1 of 2")
    assert sorted((one.person, one.reason) for one in store.votes(9)) == sorted(
        [(f"matrix:{ada.id}", "a"), (f"matrix:{bo.id}", "r")]
    )


async def test_a_reaction_to_a_forgotten_article_is_told_so(
    server: Synapse, office: Office, archive: Archive, bot: Person, ada: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot)
        question = await ada.say(room, DEMAND)
        [answer] = await answered(ada, room, question)
        archive.forget(TALKS.url)
        await ada.react(room, answer.id, MORE)
        same, told = await answered(ada, room, question, 2)
    assert same == answer
    assert (told.body, told.thread, told.replied) == (messages.GONE, question, answer.id)


async def test_an_edited_question_edits_its_answer_and_a_redacted_one_takes_it_along(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.say(room, f"{bot.name}: {REFUSED}", bot.id)
        [refused] = await answered(ada, room, question)
        await bo.edit(room, question, f"{bot.name}: what did Ukraine demand?", bot.id)  # which is not his to edit
        await ada.edit(room, question, f"{bot.name}: {DEMAND}", bot.id)

        async def edited() -> Said | None:
            [one] = await answered(ada, room, question)
            return one if one.edited else None

        answer = await until(edited)
        late = await ada.say(room, "hello there")
        await ada.edit(room, late, f"{bot.name}: {DEMAND}", bot.id)
        [new] = await answered(ada, room, late)
        await ada.redact(room, question)
        await ada.redact(room, late)

        async def silent() -> bool:
            return await ada.answers(room, bot.id) == []

        await until(silent)
    assert (answer.id, answer.body.splitlines()[0]) == (refused.id, QUOTE)
    assert new.body.splitlines()[0] == QUOTE
    assert office.store.watchlist.to_look_at("matrix", (), 9) == []
    assert isinstance(office.desk, Desk)
    assert office.desk.asked == [REFUSED, DEMAND, DEMAND]


async def test_what_is_edited_or_redacted_before_it_is_answered(
    server: Synapse, office: Office, archive: Archive, bot: Person, ada: Person, tmp_path: Path
) -> None:
    async with running(server, replace(office, desk=Desk(archive, 1.0)), bot, tmp_path):
        room = await hall(ada, bot)
        first = await ada.say(room, DEMAND)
        edited, redacted = await ada.say(room, REFUSED), await ada.say(room, "and Ukraine?")
        await ada.edit(room, edited, DEMAND)
        await ada.redact(room, redacted)

        async def final() -> bool:
            return [one.body.splitlines()[0] for one in await ada.answers(room, bot.id)] == [QUOTE, QUOTE]

        await until(final)
        last = await ada.say(room, "sources")
        await answered(ada, room, last)
        said = await ada.answers(room, bot.id)
    assert [one.thread for one in said] == [first, edited, last]


@pytest.mark.parametrize("text", ["a" * 19_000, "&" * 19_000, '"' * 19_000, "中" * 19_000, "😀" * 9_500])
async def test_the_heaviest_answer_is_taken_as_a_message_and_as_an_edit(ada: Person, text: str) -> None:
    """An event has 64 KiB; an edit holds everything twice."""
    heavy = make_article(url=f"https://n.example/{'x' * 1_900}", title=text[:900], text=text, outlet=text[:900])
    citation = cite(Revision(1, 1, heavy, date(2025, 5, 16), FOREVER), (0, len(text)))
    message = render(Answer(Question("what?", date(2025, 5, 16)), True, 0.9, text, (citation, citation), (), 0.1), "id")
    room = await ada.room()
    sent = await ada.send(room, message.content())
    await ada.send(room, instead_of(sent, message))
    [held] = await ada.heard(room)
    assert held.edited
    assert held.content == message.content()
    assert len(held.body) > 4_000


async def test_after_a_restart_the_device_is_the_same_and_nothing_is_answered_twice(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        first = await ada.say(room, DEMAND, bot.id)
        await answered(ada, room, first)
    away = [await ada.say(room, DEMAND, bot.id) for _ in range(2)]
    devices = {one["device_id"] for one in (await bot.call("GET", "v3/devices"))["devices"]}
    for _ in range(2):
        async with running(server, office, bot, tmp_path):
            for one in away:
                await answered(ada, room, one)
            await asyncio.sleep(0.5)
    threads = [one.thread for one in await ada.answers(room, bot.id)]
    assert sorted(threads) == sorted([first, *away])
    assert {one["device_id"] for one in (await bot.call("GET", "v3/devices"))["devices"]} == devices
    assert json.loads((tmp_path / BOOKMARK).read_text())["device"] in devices


async def test_what_came_long_ago_is_not_answered(
    server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot)
    await ada.say(room, DEMAND)
    async with running(server, office, bot, tmp_path, later=RECENT + 60):
        await asyncio.sleep(0.5)
    async with running(server, office, bot, tmp_path):
        last = await ada.say(room, "sources")
        await answered(ada, room, last)
        said = await ada.answers(room, bot.id)
    assert [one.thread for one in said] == [last]


async def test_nothing_is_missed_where_much_was_said_meanwhile(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
    question = await ada.say(room, DEMAND, bot.id)
    await asyncio.gather(*(bo.say(room, f"chatter {number}") for number in range(TIMELINE + 70)))
    async with running(server, office, bot, tmp_path):
        await answered(ada, room, question)


async def test_what_was_sent_before_a_crash_is_not_sent_again(
    server: Synapse, office: Office, store: Store, bot: Person, ada: Person, tmp_path: Path
) -> None:
    """Stopped after the server had the answer, before the bot noted that: asked again, it is the same message."""
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot)
        question = await ada.say(room, DEMAND)
        [answer] = await answered(ada, room, question)
    event = await ada.call("GET", f"v3/rooms/{room}/event/{question}")
    other = open_store(tmp_path / "others.sqlite")
    body = {"name": question, "room": room, "direct": True, "event": event}
    other.arrived(f"matrix/{bot.id}/{question}", json.dumps(body))
    async with running(server, replace(office, store=other), bot, tmp_path):
        await until(lambda: other.message(f"matrix:{room}:{question}"))
    noted, left = other.message(f"matrix:{room}:{question}"), other.unfinished(f"matrix/{bot.id}/")
    other.close()
    assert noted == (noted[0] if noted else "", answer.id)
    assert left == []
    assert [one.id for one in await ada.answers(room, bot.id)] == [answer.id]


async def test_it_outlives_a_restart_of_the_server(
    server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot)
        await asyncio.to_thread(server.restart)
        question = await ada.say(room, DEMAND)
        await answered(ada, room, question)


async def test_a_strangers_invitation_is_declined_without_a_word(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    listed = replace(office, rules=Rules(access="list", allowed=frozenset({ada.id})))
    async with running(server, listed, bot, tmp_path):
        theirs = await bo.room(bot.id)
        room = await hall(ada, bot, bo)

        async def declined() -> bool:
            return bool((await bo.state(theirs, "m.room.member", bot.id))["membership"] == "leave")

        await until(declined)
        turned_away = await bo.say(room, DEMAND, bot.id)
        [told] = await answered(ada, room, turned_away)
        question = await ada.say(room, DEMAND, bot.id)
        await answered(ada, room, question)
        await bo.say(room, "and Ukraine?", thread=question)  # is not even said to the bot
        last = await ada.say(room, "and Ukraine?", thread=question)
        _, follow_up = await answered(ada, room, question, 2)
    assert told.body == messages.STRANGER
    assert follow_up.replied == last
    assert await bo.answers(theirs, bot.id) == []


@pytest.mark.parametrize("what", ["server", "room"])
async def test_a_server_or_a_room_may_be_listed(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path, what: str
) -> None:
    room = await ada.room(bot.id, bo.id)
    await bo.join(room)
    allowed = {"server": synapse.SERVER, "room": room}[what]
    listed = replace(office, rules=Rules(access="list", allowed=frozenset({allowed})))
    async with running(server, listed, bot, tmp_path):
        await joined(ada, room, bot)
        question = await bo.say(room, DEMAND, bot.id)
        [answer] = await answered(ada, room, question)
    assert answer.body.splitlines()[0] == QUOTE


async def test_an_encrypted_room_is_told_once_that_it_is_not_supported(
    server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path
) -> None:
    secret = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"}
    secret |= {"sender_key": "k", "device_id": "d"}
    async with running(server, office, bot, tmp_path):
        room = await ada.room(bot.id, encrypted=True)
        await joined(ada, room, bot)
        await until(lambda: ada.answers(room, bot.id))
    async with running(server, office, bot, tmp_path):
        await ada.send(room, secret, "m.room.encrypted")
        await ada.say(room, DEMAND)
        await asyncio.sleep(1)
    assert [one.body for one in await ada.answers(room, bot.id)] == [messages.MATRIX_ENCRYPTED]


async def test_it_waits_when_the_server_says_slow_down_and_offers_no_reactions_then(
    server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path
) -> None:
    async with server.person("root", admin=True) as root:
        limit = {"messages_per_second": 1, "burst_count": 1}
        address = f"/_synapse/admin/v1/users/{bot.id}/override_ratelimit"
        async with running(server, office, bot, tmp_path):
            room = await hall(ada, bot)
            (await root.http.post(address, json=limit)).raise_for_status()
            asked = [await ada.say(room, DEMAND) for _ in range(3)]
            answers = [one for question in asked for one in await answered(ada, room, question)]
            offered = [one for answer in answers for one in await ada.relations(room, answer.id, "m.annotation")]
    assert len(await ada.answers(room, bot.id)) == 3
    whens = sorted(one.when for one in answers)
    assert whens[2] - whens[0] >= 1.5
    assert len(offered) < 4


async def test_an_administrator_sends_a_file_and_others_may_not(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    taken: list[tuple[bytes, str]] = []

    class Taker(Keeper):
        def add_document(self, data: bytes, name: str) -> str:
            taken.append((data, name))
            return "1 added"

    kept = replace(office, keeper=Taker(), rules=Rules(admins=frozenset({ada.id})))
    async with running(server, kept, bot, tmp_path):
        said = []
        for person in (ada, bo):
            room = await hall(person, bot)
            url = await person.upload(b"Once upon a time.", "a.txt")
            sent = await person.send(room, {"msgtype": "m.file", "body": "a.txt", "filename": "a.txt", "url": url})
            [reply] = await answered(person, room, sent)
            said.append(reply.body)
        gone = await ada.send(room := ada.rooms[0], {"msgtype": "m.file", "body": "b.txt", "url": "mxc://news.test/x"})
        [missing] = await answered(ada, room, gone)
    assert said == [messages.ADDED.format(counts="1 added"), messages.ADMINS_ONLY]
    assert taken == [(b"Once upon a time.", "a.txt")]
    assert missing.body == messages.MATRIX_NO_FILE


async def test_a_reply_to_somebodys_message_can_have_it_verified(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    async with running(server, office, bot, tmp_path):
        room = await hall(ada, bot, bo)
        claim = await bo.say(room, f"“{QUOTE.replace('four', 'five')}”")
        relates: dict[str, Any] = {"m.relates_to": {"m.in_reply_to": {"event_id": claim}}}
        asked = await ada.say(room, f"{bot.name} /verify", bot.id, bo.id, **relates)
        [verified] = await answered(ada, room, asked)
        exported = await ada.say(room, "!ask !export")
        [nothing] = await answered(ada, room, exported)
    assert "[-five-] {+four+}" in verified.body
    assert nothing.body == messages.EXPORT_NONE


async def test_an_administrator_hears_of_a_stranger_once(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    listed = replace(office, rules=Rules(access="list", admins=frozenset({ada.id})))
    async with running(server, listed, bot, tmp_path):
        alone = await hall(ada, bot)
        room = await hall(ada, bot, bo)
        for _ in range(2):
            await answered(ada, room, await bo.say(room, DEMAND, bot.id))
        [note] = await until(lambda: ada.answers(alone, bot.id))
    assert note.body == messages.STRANGER_NOTE.format(name=bo.id, id=bo.id)


async def test_an_administrator_hears_of_a_silent_source_alone(
    server: Synapse, office: Office, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    told = replace(office, rules=Rules(admins=frozenset({ada.id})), telling=replace(office.telling, every=0.1))
    async with running(server, told, bot, tmp_path):
        room, alone = await hall(ada, bot, bo), await hall(ada, bot)
        tell_admins(office.store.watchlist, [f"matrix:{ada.id}"], ["The feed <x> is silent."])
        [note] = await until(lambda: ada.answers(alone, bot.id))
        assert await ada.answers(room, bot.id) == []
    assert note.body == "The feed <x> is silent."


async def test_a_token_logs_in_too(server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path) -> None:
    given: dict[str, Any] = {"matrix_token": SecretStr(bot.token), "matrix_user": "", "matrix_password": None}
    async with running(server, office, bot, tmp_path, **given):
        room = await hall(ada, bot)
        question = await ada.say(room, DEMAND)
        await answered(ada, room, question)
    assert len((await bot.call("GET", "v3/devices"))["devices"]) == 1
    assert bot.token not in (tmp_path / BOOKMARK).read_text()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"matrix_password": SecretStr("wrong")}, messages.BAD_MATRIX_PASSWORD),
        ({"matrix_token": SecretStr("wrong")}, messages.BAD_MATRIX_TOKEN),
        ({"matrix_password": None}, messages.NO_MATRIX_WAY),
        ({"matrix_homeserver": "http://127.0.0.1:1"}, messages.no_matrix("http://127.0.0.1:1")),
        ({"matrix_homeserver": "https://matrix.invalid/"}, messages.no_matrix("https://matrix.invalid")),
    ],
)
async def test_what_is_wrong_at_the_start_is_one_sentence(
    server: Synapse, office: Office, bot: Person, tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadSettings, match=f"^{re.escape(sentence)}$"):
        await serve(office, settings(server, bot, tmp_path, **given), asyncio.Event())


async def test_a_token_of_somebody_else_and_a_server_of_something_else(
    server: Synapse, office: Office, bot: Person, ada: Person, tmp_path: Path
) -> None:
    other = settings(server, bot, tmp_path, matrix_token=SecretStr(ada.token))
    with pytest.raises(BadSettings, match=re.escape(messages.other_matrix_user(bot.id, ada.id))):
        await serve(office, other, asyncio.Event())
    web = settings(server, bot, tmp_path, matrix_homeserver=f"{server.url}/_matrix/static")
    with pytest.raises(BadSettings, match="does not answer as a Matrix server"):
        await serve(office, web, asyncio.Event())


async def test_a_bot_that_is_logged_out_ends_with_one_sentence(
    server: Synapse, office: Office, bot: Person, tmp_path: Path
) -> None:
    given = settings(server, bot, tmp_path, matrix_token=SecretStr(bot.token), matrix_password=None)
    task = asyncio.create_task(serve(office, given, asyncio.Event()))
    await until((tmp_path / BOOKMARK).exists)
    await bot.call("POST", "v3/logout", {})
    with pytest.raises(BadSettings, match=re.escape(messages.MATRIX_LOGGED_OUT)):
        await task


@pytest.mark.usefixtures("place")
async def test_the_program_answers_from_the_sample_and_ends_when_it_is_told_to(
    server: Synapse, bot: Person, ada: Person
) -> None:
    account = {"HOMESERVER": server.url, "USER": bot.id, "PASSWORD": "pass"}
    variables = {f"PULLQUOTE_MATRIX_{name}": value for name, value in account.items()}
    command = sys.executable, "-m", "bot.cli", "matrix", "--sample"
    given = {**os.environ, **variables, "PYTHONPATH": str(REPO)}
    process = await asyncio.create_subprocess_exec(*command, env=given, stderr=asyncio.subprocess.PIPE)
    try:
        room = await ada.room(bot.id)
        question = await ada.say(room, DEMAND)  # before it has come in
        await until(lambda: process.returncode is not None or _is_there(ada, room, bot), 120)
        [answer] = await answered(ada, room, question)
    finally:
        process.send_signal(signal.SIGTERM)
        _, told = await process.communicate()
    assert "Russia demanded that Ukraine withdraw completely from four regions" in answer.body
    assert "https://example.org/harbour-courier/2025/05/16/" in answer.html
    assert process.returncode == 0
    assert b"Traceback" not in told
    assert b"pass" not in told


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, messages.NO_MATRIX_HOMESERVER),
        ({"HOMESERVER": "example.org"}, messages.SETTING_NEEDS["matrix_homeserver"]),
        ({"USER": "a b"}, messages.SETTING_NEEDS["matrix_user"]),
        ({"TOKEN": "secret with spaces"}, f"_TOKEN is wrong. {messages.SETTING_NEEDS['matrix_token']}"),
        ({"ADMINS": "ada"}, f"_ADMINS cannot be 'ada'. {messages.SETTING_NEEDS['matrix_admins']}"),
        ({"ALLOWED": "@ada"}, f"_ALLOWED cannot be '@ada'. {messages.SETTING_NEEDS['matrix_allowed']}"),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"PULLQUOTE_MATRIX_{name}", value)
    result = CliRunner().invoke(cli, ["matrix"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip().rstrip(".").endswith(sentence.rstrip("."))
    assert "secret" not in result.stderr


@pytest.mark.usefixtures("bare")
def test_secrets_are_not_shown_and_ids_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"PASSWORD": "hidden", "TOKEN": "hidden", "ADMINS": "@a:x.org, @b:y.org:8448"}
    given["ALLOWED"] = "@a:x.org,!opaque:x.org,!newer,x.org,[::1]:8448"
    for name, value in given.items():
        monkeypatch.setenv(f"PULLQUOTE_MATRIX_{name}", value)
    result = CliRunner().invoke(cli, ["settings", "--json"])
    assert result.exit_code == 0
    assert "hidden" not in result.output
    assert result.output.count("***") == 2


async def test_a_correction_and_news_come_once_unasked_in_the_thread(
    server: Synapse, office: Office, archive: Archive, bot: Person, ada: Person, bo: Person, tmp_path: Path
) -> None:
    often = replace(office, telling=replace(office.telling, every=0.05), today=date.today)
    async with running(server, often, bot, tmp_path):
        room = await hall(ada, bot, bo)
        question = await ada.say(room, f"{bot.name}: {DEMAND}", bot.id)
        [answer] = await answered(ada, room, question)
        followed = await ada.say(room, f"!ask /follow {DEMAND}")
        await answered(ada, room, followed)
    later = TALKS.retrieved + timedelta(days=1)
    changed = replace(TALKS, text=TALKS.text.replace("four regions", "five regions"), retrieved=later)
    news = replace(
        PAPER, url="https://n.example/9", title="New paper", text="Russia would demand a canal.", retrieved=later
    )
    archive.store([(one, passages(one)) for one in (changed, news)])
    for _ in range(2):
        async with running(server, often, bot, tmp_path):
            _, notice = await answered(ada, room, question, 2)
            _, told = await answered(ada, room, followed, 2)
            await asyncio.sleep(0.5)  # time for a second one, which there must not be
    assert len(await answered(ada, room, question, 2)) == len(await answered(ada, room, followed, 2)) == 2
    assert notice.body.startswith(f"A correction to what I quoted on “{DEMAND}”:")
    assert "five regions" in notice.body
    assert notice.replied == answer.id
    assert told.body.startswith(f"New on a question followed here, number 1: {DEMAND}")
