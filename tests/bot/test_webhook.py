"""The address for outgoing webhooks: real HTTP, called as Mattermost, Zulip and Rocket.Chat call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner
from pydantic import SecretStr

from bot import messages
from bot.channels import webhook
from bot.channels.webhook import serve
from bot.cli import cli
from bot.conversation import Office, Rules
from bot.listening import listening
from bot.settings import BadSettings, Settings
from bot.store import Store
from corpus.archive import Archive
from retrieval.answer import Answer, Reason
from retrieval.question import Question
from tests.bot.test_slack import DEMAND, QUOTE, REFUSED, SECOND, TALKS, Desk, archive, office, store  # noqa: F401
from tests.hooks import TOKENS, Hook
from tests.slack_api import until

NAMES = sorted(TOKENS)
Started = Callable[..., AbstractAsyncContextManager[dict[str, Hook]]]


@pytest.fixture
def started(unused_tcp_port: int) -> Started:
    @asynccontextmanager
    async def start(office: Office, **given: Any) -> AsyncIterator[dict[str, Hook]]:  # noqa: F811
        known = SecretStr(", ".join(f"{name}:{token}" for name, token in TOKENS.items()))
        settings = Settings(**{"hook_tokens": known, "hook_listen": f"127.0.0.1:{unused_tcp_port}", **given})
        stop = asyncio.Event()
        task = asyncio.create_task(serve(office, settings, stop))
        async with aiohttp.ClientSession() as session:
            try:
                await _healthy(session, unused_tcp_port)
                url = f"http://127.0.0.1:{unused_tcp_port}/hooks/ask"
                yield {name: Hook(name, url, session) for name in NAMES}
            finally:
                stop.set()
                await task

    return start


async def _healthy(session: aiohttp.ClientSession, port: int) -> None:
    for _ in range(500):
        try:
            async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                assert await answer.json() == {"ok": True}
                return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.01)
    raise TimeoutError


@pytest.mark.parametrize("name", NAMES)
async def test_a_question_gets_the_quote_and_its_source(started: Started, office: Office, name: str) -> None:  # noqa: F811
    async with started(office) as hooks:
        answer = await hooks[name].ask(DEMAND)
        follow_up = await hooks[name].ask("and Ukraine?")
        elsewhere = await hooks[name].ask("and Ukraine?", channel="C2")
        refused = await hooks[name].ask(REFUSED)
    assert answer.plain.splitlines()[0] == QUOTE
    assert QUOTE in answer.quote
    assert QUOTE in answer.bold
    assert answer.markup == ()
    assert answer.links[0][1].startswith("https://n.example/1?a=1&b=2#:~:text=Russia")
    for said in (TALKS.title, "The Harbour Courier · ", " · 2025-05-16 · Mira Halvorsen", "Source 1 of 2"):
        assert said in answer.plain
    assert answer.plain.splitlines()[-1] == messages.HOOK_BUTTONS
    assert "Understood as: what did Ukraine demand?" in follow_up.plain
    assert "Understood as" not in elsewhere.plain
    assert refused.plain.startswith(Reason.SILENT)
    assert (refused.quote, refused.bold) == ("", ())


@pytest.mark.parametrize("name", NAMES)
async def test_words_stand_for_buttons_and_commands(started: Started, office: Office, store: Store, name: str) -> None:  # noqa: F811
    async with started(office) as hooks:
        ask = hooks[name].ask
        none = await ask("next source")
        first = await ask(DEMAND)
        wide = await ask("More context")
        second = await ask("next source.")
        thanks = await ask("wrong quote")
        held = [(await ask(one)).plain for one in ("help", "sources", "since 2025-05-16", DEMAND, "new", "export")]
        near = await ask(f"verify “{QUOTE.replace('four', 'five')}”")
    assert none.plain
    assert len(wide.quote) > len(first.quote)
    assert SECOND in second.bold
    assert "Source 2 of 2" in second.plain
    assert thanks.plain == messages.THANKS
    assert [(one.person, one.reason) for one in store.votes(9)] == [(f"hook:{name}:U1", "q")]
    assert held[0].endswith(messages.HOOK_HELP)
    assert held[1].startswith("2 articles")
    assert "since 2025-05-16" in held[2]
    assert held[4:] == [messages.NEW, messages.EXPORT_NONE]
    assert "[-five-] {+four+}" in near.plain


async def test_a_wrong_token_is_refused_with_a_sentence(started: Started, office: Office) -> None:  # noqa: F811
    async with started(office) as hooks:
        hook = hooks["zulip"]
        for token in ("", "zulip-tests-onl", "zulip-tests-only2", "ü" * 9):
            assert await hook.post({**hook.fields(DEMAND), "token": token}) == (401, {"text": messages.HOOK_TOKEN})
    assert isinstance(office.desk, Desk)
    assert office.desk.asked == []


async def test_what_is_no_request_is_refused_with_a_sentence(started: Started, office: Office) -> None:  # noqa: F811
    async with started(office) as hooks:
        url, session = hooks["zulip"].url, hooks["zulip"].session
        kind = {"Content-Type": "application/json"}
        for raw in ("[1]", "{", "7", "[" * 30_000):
            async with session.post(url, data=raw, headers=kind) as answer:
                assert (answer.status, await answer.json()) == (400, {"text": messages.HOOK_UNREADABLE})
        async with session.post(url, json={"text": "x" * 70_000}) as answer:
            assert (answer.status, await answer.json()) == (413, {"text": messages.HOOK_TOO_LARGE})


@pytest.mark.parametrize("name", NAMES)
async def test_what_comes_twice_is_answered_once(started: Started, office: Office, name: str) -> None:  # noqa: F811
    async with started(office) as hooks:
        fields = hooks[name].fields(DEMAND)
        replies = await asyncio.gather(*(hooks[name].post(fields) for _ in range(3)))
        others = [await hooks[other].post({**fields, "token": TOKENS[other]}) for other in NAMES if other != name]
    assert sorted(len(body) for _, body in replies) == [0, 0, 2]
    assert [len(body) for _, body in others] == [2, 2]
    assert isinstance(office.desk, Desk)
    assert len(office.desk.asked) == 3


async def test_no_bot_is_answered_nor_a_text_of_ours(started: Started, office: Office) -> None:  # noqa: F811
    async with started(office) as hooks:
        rocket = hooks["rocketchat"]
        _, answer = await rocket.post(rocket.fields(DEMAND))
        silent = [
            await rocket.post(rocket.fields(DEMAND, bot=True)),
            await rocket.post(rocket.fields(DEMAND, bot={"i": "b1"})),
            await rocket.post(rocket.fields(DEMAND, user="")),
            await rocket.post({**rocket.fields(""), "text": answer["text"], "trigger_word": ""}),
        ]
    assert silent == [(200, {})] * 4


async def test_a_reply_that_takes_too_long_follows_where_that_is_allowed(
    started: Started,
    office: Office,  # noqa: F811
    archive: Archive,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    came: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        came.append(await request.json())
        return web.Response()

    monkeypatch.setitem(webhook.PLATFORMS, "mattermost", replace(webhook.PLATFORMS["mattermost"], window=0.2))
    app, port = web.Application(), unused_tcp_port_factory()
    app.add_routes([web.post("/hooks/commands/x", take)])
    slow = replace(office, desk=Desk(archive, 0.6))
    async with (
        listening(app, f"127.0.0.1:{port}", "TESTS"),
        started(slow, hook_answers=f"http://127.0.0.1:{port}/") as all_,
    ):
        hook, command = all_["mattermost"], {"command": "/ask", "trigger_word": ""}
        there = {**command, "response_url": f"http://127.0.0.1:{port}/hooks/commands/x"}
        allowed = await hook.post({**hook.fields(""), "text": DEMAND, **there})
        [sent] = await until(lambda: came)
        for url in ("", "http://127.0.0.1:1/", f"http://127.0.0.1:{port}@n.example/", "http://["):
            again = await hook.post({**hook.fields(""), "text": DEMAND, **command, "response_url": url})
            assert again[1]["text"] == messages.HOOK_AGAIN
    assert allowed == (200, {"text": messages.HOOK_LATER, "response_type": "ephemeral"})
    assert QUOTE in hook.seen(sent).bold
    assert len(came) == 1


async def test_who_may_ask_and_how_often(started: Started, office: Office) -> None:  # noqa: F811
    listed = Rules(allowed=frozenset({"zulip:U1", "mattermost:C7"}), access="list", person=(1, 9))
    async with started(replace(office, rules=listed)) as hooks:
        said = [
            (await hooks[name].ask(DEMAND, user, channel)).plain
            for name, user, channel in [
                *(("zulip", "U1", "C1"), ("zulip", "U1", "C2"), ("zulip", "U2", "C1")),
                *(("mattermost", "U1", "C1"), ("mattermost", "U3", "C7")),
            ]
        ]
    assert QUOTE in said[0]
    assert said[1].startswith("That was 1 questions in a minute")
    assert said[2:4] == [messages.STRANGER] * 2
    assert QUOTE in said[4]


async def test_an_administrator_is_named_with_the_platform(started: Started, office: Office) -> None:  # noqa: F811
    async with started(replace(office, rules=Rules(admins=frozenset({"mattermost:U9"})))) as hooks:
        admin = await hooks["mattermost"].ask("status", "U9")
        other = await hooks["zulip"].ask("status", "U9")
    assert (admin.plain, other.plain) == ("articles: 2", messages.ADMINS_ONLY)


async def test_an_unexpected_error_is_one_sentence_with_an_id(
    started: Started,
    office: Office,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Desk):
        def ask(self, question: Question) -> Answer:
            raise RuntimeError("secret path")

    async with started(replace(office, desk=Broken(office.archive))) as hooks:
        said = await hooks["zulip"].ask(DEMAND)
    name = said.plain.split("noted as ")[1].split(".")[0]
    assert "secret" not in said.plain
    assert [one.exc_info is not None for one in caplog.records if name in one.getMessage()] == [True]


async def test_a_taken_port_is_one_sentence(office: Office) -> None:  # noqa: F811
    given = Settings(hook_tokens=SecretStr("zulip:12345678"), hook_listen="256.0.0.1:99999")
    with pytest.raises(BadSettings, match=r"^PULLQUOTE_HOOK_LISTEN cannot be '256\.0\.0\.1:99999': "):
        await serve(office, given, asyncio.Event())


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, messages.NO_HOOK_TOKENS),
        ({"TOKENS": "slack:secret-12"}, f"HOOK_TOKENS is wrong. {messages.SETTING_NEEDS['hook_tokens']}."),
        ({"TOKENS": "zulip:secret-12,zulip:secret-34"}, f"_TOKENS is wrong. {messages.SETTING_NEEDS['hook_tokens']}."),
        ({"ADMINS": "U8"}, f"_ADMINS cannot be 'U8'. {messages.SETTING_NEEDS['hook_admins']}."),
        ({"ANSWERS": "chat"}, f"_ANSWERS cannot be 'chat'. {messages.SETTING_NEEDS['hook_answers']}."),
    ],
)
def test_a_missing_or_wrong_setting_is_one_sentence(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"PULLQUOTE_HOOK_{name}", value)
    result = CliRunner().invoke(cli, ["serve"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip().endswith(sentence)
    assert "secret" not in result.stderr
