"""The bot in Mattermost: real HTTP and WebSocket against a server on loopback that refuses what Mattermost refuses."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from bot import messages
from bot.channels.mattermost import serve
from bot.cli import cli
from bot.conversation import Office, Rules
from bot.porter import PATIENCE
from bot.settings import BadSettings, Settings
from bot.store import Store
from corpus.archive import Archive
from retrieval.answer import Answer, Reason
from retrieval.question import Question
from tests.bot.test_slack import DEMAND, QUOTE, REFUSED, SECOND, TALKS, Desk, Keeper, archive, office, store  # noqa: F401
from tests.mattermost_api import Mattermost, name
from tests.slack_api import until

ADA, BORIS, CHIEF = name("u1"), name("u2"), name("u9")
DESK, ALONE = name("c1"), f"d{ADA}"[:26]


@pytest.fixture
async def server() -> AsyncIterator[Mattermost]:
    async with Mattermost().serving() as serving:
        yield serving


def settings(server: Mattermost, **given: Any) -> Settings:
    return Settings(**{"mattermost_url": server.url, "mattermost_token": SecretStr(server.token), **given})


@asynccontextmanager
async def running(server: Mattermost, office: Office, port: int = 0, **given: Any) -> AsyncIterator[None]:  # noqa: F811
    if port:
        given |= {"mattermost_buttons": f"http://127.0.0.1:{port}", "mattermost_listen": f"127.0.0.1:{port}"}
    stop, before = asyncio.Event(), server.connected
    task = asyncio.create_task(serve(office, settings(server, **given), stop))
    await until(lambda: server.connected > before or task.done())
    if task.done():
        await task
    try:
        yield
    finally:
        stop.set()
        await task


async def test_a_mention_is_answered_in_its_thread(server: Mattermost, office: Office) -> None:  # noqa: F811
    async with running(server, office):
        question = server.say(DESK, ADA, f"@pullquote {DEMAND}")
        [answer] = await until(lambda: server.shown(DESK))
        server.say(DESK, ADA, DEMAND)
        server.say(DESK, ADA, f"@pullquoter {DEMAND}")
        follow_up = await server.ask(DESK, BORIS, "and Ukraine?", question.id)
        refused = await server.ask(DESK, ADA, f"{REFUSED} @pullquote")
    assert answer.root == follow_up.root == question.id
    assert answer.seen.plain.splitlines()[0] == QUOTE
    assert QUOTE in answer.seen.bold
    assert QUOTE in answer.seen.quote
    assert answer.seen.links[0][1].startswith("https://n.example/1?a=1&b=2#:~:text=Russia")
    assert f"The Harbour Courier · {TALKS.title} · 2025-05-16 · Mira Halvorsen" in answer.seen.plain
    assert "Understood as: what did Ukraine demand?" in follow_up.seen.plain
    assert refused.seen.plain.startswith(Reason.SILENT)
    assert len(server.shown(DESK)) == 3
    assert server.refusals == []


async def test_a_follow_up_outlives_the_program(server: Mattermost, office: Office) -> None:  # noqa: F811
    async with running(server, office):
        first = await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
    async with running(server, office):
        second = await server.ask(DESK, ADA, "and Ukraine?", first.root)
    assert "Understood as: what did Ukraine demand?" in second.seen.plain


async def test_a_direct_message_is_one_conversation(server: Mattermost, office: Office) -> None:  # noqa: F811
    async with running(server, replace(office, rules=Rules(chat=(1, 1)))):
        first = await server.ask(ALONE, ADA, DEMAND)
        second = await server.ask(ALONE, ADA, "and Ukraine?")
        within = await server.ask(ALONE, ADA, "and Russia?", first.id)
        narrowed = await server.ask(ALONE, ADA, "since 2025-05-16")
    assert first.root == second.root == ""
    assert within.root == first.id
    assert "Understood as: what did Ukraine demand?" in second.seen.plain
    assert "Understood as: what did Russia demand?" in within.seen.plain
    assert "2025-05-16" in narrowed.seen.plain


async def test_buttons_work_after_a_restart_and_only_with_their_secret(
    server: Mattermost,
    office: Office,  # noqa: F811
    store: Store,  # noqa: F811
    unused_tcp_port: int,
) -> None:
    async with running(server, office, unused_tcp_port):
        answer = await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
    narrow, labels = answer.seen, answer.labels
    async with running(server, office, unused_tcp_port):
        statuses = [await server.press(answer, "More context", ADA)]
        wide = answer.seen
        statuses += [await server.press(answer, "Next source", ADA), await server.press(answer, "Wrong quote", BORIS)]
        forged = [
            await server.press(answer, "Right", ADA, secret="0" * 64),
            await server.press(answer, "Right", ADA, value=answer.actions[0]["integration"]["context"]["value"]),
        ]
    assert labels == ["Next source", "More context", "Right", "Wrong answer", "Wrong quote", "Out of date"]
    assert len(wide.quote) > len(narrow.quote)
    assert SECOND in answer.seen.bold
    assert server.told[2] == {"ephemeral_text": messages.THANKS}
    assert (statuses, forged) == ([200] * 3, [401] * 2)
    assert [(one.person, one.reason) for one in store.votes(9)] == [(f"mattermost:{BORIS}", "q")]


async def test_reactions_do_what_buttons_do(server: Mattermost, office: Office, store: Store) -> None:  # noqa: F811
    async with running(server, office):
        answer = await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
        narrow = answer.seen
        server.react(answer, ADA, "arrow_down")
        await until(lambda: len(answer.seen.quote) > len(narrow.quote))
        server.react(answer, ADA, "arrow_right")
        await until(lambda: SECOND in answer.seen.bold)
        server.react(answer, ADA, "+1")
        server.react(answer, BORIS, "thumbsdown")
        await until(lambda: len(store.votes(9)) == 2)
    assert narrow.plain.splitlines()[-1] == messages.MATTERMOST_REACTIONS
    assert sorted((one.person, one.reason) for one in store.votes(9)) == [
        (f"mattermost:{ADA}", "r"),
        (f"mattermost:{BORIS}", "a"),
    ]


async def test_an_edited_question_edits_its_answer_and_a_deleted_one_takes_it_along(
    server: Mattermost,
    office: Office,  # noqa: F811
) -> None:
    async with running(server, office):
        question = server.say(DESK, ADA, f"@pullquote {REFUSED}")
        [answer] = await until(lambda: server.shown(DESK))
        server.edit(question, f"@pullquote {DEMAND}")
        await until(lambda: QUOTE in answer.message)
        watchlist = office.store.watchlist
        await until(lambda: watchlist.to_look_at("mattermost", (), 9))
        server.delete(question)
        await until(lambda: not server.shown(DESK))
        await until(lambda: not watchlist.to_look_at("mattermost", (), 9))
        late = server.say(ALONE, ADA, REFUSED)
        [direct] = await until(lambda: server.shown(ALONE))
        server.edit(late, DEMAND)
        await until(lambda: QUOTE in direct.message)
    assert server.refusals == []


async def test_bots_and_what_comes_twice(server: Mattermost, office: Office) -> None:  # noqa: F811
    server.duplicated = True
    async with running(server, office):
        server.say(DESK, BORIS, f"@pullquote {DEMAND}", props={"from_webhook": "true"})
        server.say(DESK, BORIS, f"@pullquote {DEMAND}", props={"from_bot": "true"})
        server.say(DESK, BORIS, f"@pullquote {DEMAND}", type="system_join_channel")
        await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
        await server.ask(DESK, ADA, "@pullquote sources")
    assert len(server.shown(DESK)) == 2


async def test_limits_and_broken_connections_are_waited_out(server: Mattermost, office: Office) -> None:  # noqa: F811
    async with running(server, office):
        server.limited, begun = 2, time.monotonic()
        limited = await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
        waited = time.monotonic() - begun
        server.broken = 1
        await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
        await server.drop()
        await until(lambda: server.connected == 2)
        await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
    assert QUOTE in limited.message
    assert waited >= 2
    assert len(server.shown(DESK)) == 3


@pytest.mark.parametrize(
    "strange", ["{", "[]", "[" * 100_000, '{"event": "posted"}', '{"event": "posted", "data": {"post": "{}"}}']
)
async def test_a_strange_event_does_not_end_the_others(server: Mattermost, office: Office, strange: str) -> None:  # noqa: F811
    async with running(server, office):
        await server._links[-1].send_str(strange)
        await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
    assert server.connected == 1


async def test_who_waits_sees_that_the_bot_is_at_work(server: Mattermost, office: Office, archive: Archive) -> None:  # noqa: F811
    async with running(server, replace(office, desk=Desk(archive, PATIENCE + 0.4))):
        await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
    assert server.typed == 1


async def test_strangers_and_administrators(server: Mattermost, office: Office) -> None:  # noqa: F811
    rules = Rules(admins=frozenset({CHIEF}), allowed=frozenset({ADA}), access="list")
    async with running(server, replace(office, rules=rules)):
        refused = await server.ask(DESK, BORIS, f"@pullquote {DEMAND}")
        [told] = await until(lambda: server.shown(f"d{CHIEF}"[:26]))
        first = await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
        server.say(DESK, BORIS, "and Ukraine?", first.root)
        await server.ask(DESK, ADA, "and Ukraine?", first.root)
    assert refused.seen.plain == messages.STRANGER
    assert told.seen.plain.startswith("u20 (u2000")
    assert len(server.shown(DESK)) == 3


async def test_a_document_of_an_administrator_is_taken_in(server: Mattermost, office: Office) -> None:  # noqa: F811
    class Taking(Keeper):
        def add_document(self, data: bytes, name: str) -> str:
            return f"{name}: {len(data):,} bytes"

    server.contents = {"f1": b"text" * 100_000, "f2": b"x" * 60_000_000}
    async with running(server, replace(office, keeper=Taking())):
        server.say(DESK, ADA, "", files=("f1",))
        server.say(ALONE, name("u9"), "", files=("f1", "f2"))
        await asyncio.sleep(0.1)
        rules = Rules(admins=frozenset({CHIEF}))
    async with running(server, replace(office, keeper=Taking(), rules=rules)):
        server.say(f"d{CHIEF}"[:26], CHIEF, "", files=("f1", "f2"))
        taken, large = await until(lambda: len(found := server.shown(f"d{CHIEF}"[:26])) == 2 and found)
    assert server.shown(DESK) == server.shown(ALONE) == []
    assert taken.seen.plain == "Taken in: f1.md: 400,000 bytes"
    assert "MB" in large.seen.plain


async def test_an_unexpected_error_is_one_sentence_with_an_id(
    server: Mattermost,
    office: Office,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Desk):
        def ask(self, question: Question) -> Answer:
            raise RuntimeError("secret path")

    async with running(server, replace(office, desk=Broken(office.archive))):
        said = await server.ask(DESK, ADA, f"@pullquote {DEMAND}")
    code = said.seen.plain.split("noted as ")[1].split(".")[0]
    assert "secret" not in said.message
    assert [one.exc_info is not None for one in caplog.records if code in one.getMessage()] == [True]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"mattermost_token": SecretStr("w" * 26)}, messages.BAD_MATTERMOST_TOKEN),
        (
            {"mattermost_buttons": "http://n.example", "mattermost_listen": "256.0.0.1:99999"},
            "PULLQUOTE_MATTERMOST_LISTEN cannot be '256.0.0.1:99999': ",
        ),
    ],
)
async def test_what_is_wrong_at_the_start_is_one_sentence(
    server: Mattermost,
    office: Office,  # noqa: F811
    given: dict[str, Any],
    sentence: str,
) -> None:
    with pytest.raises(BadSettings) as raised:
        await asyncio.wait_for(serve(office, settings(server, **given), asyncio.Event()), 30)
    assert str(raised.value).startswith(sentence)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, messages.NO_MATTERMOST_TOKEN),
        ({"TOKEN": "secret"}, f"_TOKEN is wrong. {messages.SETTING_NEEDS['mattermost_token']}."),
        ({"ADMINS": "ada"}, f"_ADMINS cannot be 'ada'. {messages.SETTING_NEEDS['mattermost_admins']}."),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in given.items():
        monkeypatch.setenv(f"PULLQUOTE_MATTERMOST_{variable}", value)
    result = CliRunner().invoke(cli, ["mattermost"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip().endswith(sentence)
