"""Corrections and news in every chat that can be written to: real libraries, servers that refuse as they do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from bot import messages
from bot.channels import discord as discord_channel
from bot.channels import mattermost as mattermost_channel
from bot.channels import slack as slack_channel
from bot.channels import telegram as telegram_channel
from bot.notices import Notices, tell_admins
from bot.reception import Seats
from bot.settings import Settings
from tests import discord_api, mattermost_api, slack_api, telegram_api
from tests.bot.test_notices import HOMES, STORM, Desks, article, report
from tests.slack_api import Slack
from tests.telegram_api import Chat, Person, Telegram

ADA, BORIS, HERE, THERE = Person(1), Person(2, "Boris"), Chat(1), Chat(2)
NOW = "The storm left 28,000 homes without power."
MENTION = f"<@{Slack.me}>"


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Desks]:
    desks = Desks(tmp_path)
    desks.put(report())
    yield desks
    desks.close()


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with telegram_api.serving() as server:
        yield server


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with slack_api.serving() as server:
        yield server


@asynccontextmanager
async def in_telegram(telegram: Telegram, bot: Desks) -> AsyncIterator[Notices]:
    app = telegram_channel.application(bot.office, telegram.token, telegram.url)
    async with app:
        await app.start()
        assert app.updater
        await app.updater.start_polling(poll_interval=0, timeout=2, allowed_updates=telegram_channel.UPDATES)
        yield Notices(bot.office, telegram_channel.Outgoing(app.bot, bot.store), Seats(1), clock=lambda: bot.now)
        await app.updater.stop()
        await app.stop()


@asynccontextmanager
async def in_slack(slack: Slack, bot: Desks) -> AsyncIterator[Notices]:
    """Without rounds of its own: two at one moment would both tell the same."""
    settings = slack_settings(slack)
    async with slack_channel.opened(bot.office, settings) as (app, desk):
        async with slack_channel.hearing(app, settings):
            yield Notices(bot.office, desk, Seats(1), clock=lambda: bot.now)
        await desk.finish()


def slack_settings(slack: Slack, **given: Any) -> Settings:
    tokens = {"slack_bot_token": SecretStr(slack.bot_token), "slack_app_token": SecretStr(slack.app_token)}
    return Settings(**{"slack_api": slack.url, **tokens, **given})


async def test_telegram_is_told_below_the_answer_in_its_topic_after_a_restart(telegram: Telegram, bot: Desks) -> None:
    forum = Chat(-1_000_000_000_077, "supergroup", topics=(5, 6))
    telegram.meet(forum)
    async with in_telegram(telegram, bot):
        private = await telegram.ask(HERE, ADA, STORM)
        public = await telegram.ask(forum, BORIS, f"/ask {STORM}", topic=6)
    bot.put(report(NOW, seen=20))
    for _ in range(2):
        async with in_telegram(telegram, bot) as notices:
            await notices.round()
    for chat, answer in ((HERE, private), (forum, public)):
        [_, notice] = telegram.shown(chat)
        assert (notice.reply_to, notice.topic) == (answer.id, answer.topic)
        assert notice.plain == (
            f"A correction to what I quoted on “{STORM}”:\n\nCourier · Storm hits Pinewick · 2025-05-16\n"
            f"I quoted: “{HOMES}”\nSince 2026-11-20 it reads: “{NOW}”\nhttps://n.example/1\n\n"
            "/notices off ends such messages here."
        )
        assert not notice.preview
    assert telegram.refusals == []


async def test_telegram_shows_hostile_text_as_it_is(telegram: Telegram, bot: Desks) -> None:
    bot.put(report("<b>Storm</b> & 5,000 homes lost power " + "x" * 5_000, 2))
    async with in_telegram(telegram, bot) as notices:
        await telegram.ask(HERE, ADA, "did <b>Storm</b> 5,000 homes lost power?")
        telegram.press(telegram.shown(HERE)[0], "Next source")
        await telegram.wait_edit(telegram.shown(HERE)[0])
        bot.put(
            article(1, "Nothing.", seen=20), report("<i>Storm</i> & 4,000 homes lost power " + "y" * 5_000, 2, seen=20)
        )
        await notices.round()
        notice = telegram.shown(HERE)[-1]
    assert "<b>Storm</b> & 5,000" in notice.plain
    assert "<i>Storm</i> & 4,000" in notice.plain
    assert telegram.refusals == []


async def test_telegram_waits_when_told_to_and_lets_go_who_blocked_it(telegram: Telegram, bot: Desks) -> None:
    async with in_telegram(telegram, bot) as notices:
        await telegram.ask(HERE, ADA, STORM)
        await telegram.ask(THERE, BORIS, STORM)
        telegram.block(HERE)
        telegram.slow_down(1, "sendMessage")
        bot.put(report(NOW, seen=20))
        for _ in range(2):
            await notices.round()
        telegram.unblock(HERE)
        await notices.round()
    assert len(telegram.shown(HERE)) == 1
    assert len(telegram.shown(THERE)) == 2
    assert [one.status for one in telegram.refusals] in ([429, 403], [429, 403, 403])


async def test_telegram_follows_a_group_that_moved(telegram: Telegram, bot: Desks) -> None:
    group = Chat(-50, "group")
    telegram.meet(group)
    async with in_telegram(telegram, bot):
        await telegram.ask(group, ADA, f"/ask {STORM}")
        await telegram.ask(group, ADA, f"/follow {STORM}")
    moved = telegram.migrate(group)  # the bot was not running and learns of it as it posts
    telegram._updates.clear()
    bot.put(report(NOW, seen=20), report("Now 45,000 homes lost power.", 2))
    async with in_telegram(telegram, bot) as notices:
        await notices.round()
    assert [one.plain.splitlines()[0] for one in telegram.shown(moved)] == [
        f"A correction to what I quoted on “{STORM}”:",
        f"New on a question followed here, number 1: {STORM}",
    ]


async def test_telegram_is_told_what_a_new_article_answers_with_buttons(telegram: Telegram, bot: Desks) -> None:
    async with in_telegram(telegram, bot) as notices:
        said = await telegram.ask(HERE, ADA, f"/follow {STORM}")
        bot.put(*(report(f"Now {homes} homes lost power.", homes, day=homes - 40) for homes in (45, 46)))
        await notices.round()
        news = telegram.shown(HERE)[-1]
        telegram.press(news, "Next source")
        second = await telegram.wait_edit(news)
        follow_up = await telegram.ask(HERE, ADA, "and 45 homes lost power?", reply_to=second)
        bot.put(article(45, "Nothing.", seen=20))
        await notices.round()
        correction = telegram.shown(HERE)[-1]
    heading = f"New on a question followed here, number 1: {STORM}"
    assert said.plain.startswith("Followed here as number 1:")
    assert news.plain.splitlines()[:2] == [heading, "Now 46 homes lost power."]
    assert news.labels == ["Next source", "More context", "Not right"]
    assert second.plain.splitlines()[:2] == [heading, "Now 45 homes lost power."]
    assert "Source 1 of 2" in follow_up.plain  # of the two that the news cites, where the archive has three
    assert correction.plain.startswith("A correction")
    assert telegram.refusals == []


async def test_telegram_tells_an_administrator(telegram: Telegram, bot: Desks) -> None:
    telegram.meet(Chat(9))
    tell_admins(bot.store.watchlist, ["telegram:9", "telegram:10"], ["The feed <x> is silent."])
    async with in_telegram(telegram, bot) as notices:
        await notices.round()
        await notices.round()
    assert [one.plain for one in telegram.shown(Chat(9))] == ["The feed <x> is silent."]
    assert [one.status for one in telegram.refusals] == [400]  # who never wrote to the bot


async def test_slack_is_told_in_the_thread_or_alone(slack: Slack, bot: Desks) -> None:
    async with in_slack(slack, bot) as notices:
        question = slack.say("C1", "U1", f"{MENTION} {STORM}")
        await slack.wait_for("C1", 1)
        direct = slack.say("DU2", "U2", STORM)
        await slack.wait_for("DU2", 1)
        await slack.whisper("C2", "U3", STORM)
        await slack.settled()
        bot.put(report(NOW, seen=20))
        await notices.round()
        await notices.round()
    in_channel, in_direct = slack.shown("C1"), slack.shown("DU2")
    assert [one.thread for one in in_channel] == [question.ts] * 2
    assert [one.thread for one in in_direct] == [direct.ts] * 2
    assert slack.shown("C2") == []
    [alone] = slack.shown("DU3")
    for notice in (in_channel[1], in_direct[1], alone):
        assert notice.plain.startswith(f"A correction to what I quoted on “{STORM}”:")
        assert f"Since 2026-11-20 it reads: “{NOW}”" in notice.plain
    assert (slack.refusals, slack.pings) == ([], [])


async def test_slack_tells_nothing_of_an_answer_that_went_with_its_question(slack: Slack, bot: Desks) -> None:
    async with in_slack(slack, bot) as notices:
        question = slack.say("C1", "U1", f"{MENTION} {STORM}")
        await slack.wait_for("C1", 1)
        await slack.settled()
        slack.delete(question)
        await slack_api.until(lambda: not slack.shown("C1"))
        await slack_api.until(lambda: not bot.store.watchlist.to_look_at("slack", (), 9))
        bot.put(report(NOW, seen=20))
        await notices.round()
    assert slack.shown("C1") == []


async def test_slack_follows_a_question_in_its_thread(slack: Slack, bot: Desks) -> None:
    async with in_slack(slack, bot) as notices:
        said = await slack.ask("C1", "U1", f"{MENTION} /follow {STORM}")
        bot.put(report("Now 45,000 homes lost power.", 2))
        await notices.round()
        [_, news] = slack.shown("C1")
        listed = await slack.ask("C1", "U2", f"{MENTION} /following")
        slack.channels.discard("C1")
        bot.now = datetime.now(UTC) + timedelta(days=1)
        bot.put(report("Now 46,000 homes lost power.", 3))
        await notices.round()
    assert news.thread == said.thread
    assert news.plain.splitlines()[:2] == [
        f"New on a question followed here, number 1: {STORM}",
        "Now 45,000 homes lost power.",
    ]
    assert "More context" in news.labels
    assert listed.plain == f"{messages.FOLLOWING}\n1. {STORM}"
    assert slack.refusals == ["not_in_channel"]


async def test_slack_decides_access_by_the_groups_that_somebody_is_in_now(slack: Slack, bot: Desks) -> None:
    slack.groups["S1"] = ["U1"]
    listed = replace(bot.office.rules, access="list", allowed=frozenset({"S1"}))
    bot.set(rules=listed)
    async with in_slack(slack, bot):
        await slack.ask("C1", "U1", f"{MENTION} {STORM}")
        await slack.settled()
    slack.groups["S1"] = []
    bot.put(report(NOW, seen=20))
    async with in_slack(slack, bot) as notices:
        await notices.round()
    assert len(slack.shown("C1")) == 1


@asynccontextmanager
async def served(serve: Any, bot: Desks, settings: Settings, ready: Any) -> AsyncIterator[None]:
    """A channel that looks at the archive all the time."""
    office = replace(bot.office, telling=replace(bot.office.telling, every=0.05))
    stop, before = asyncio.Event(), ready()
    task = asyncio.create_task(serve(office, settings, stop))
    await slack_api.until(lambda: ready() > before or task.done())
    yield
    stop.set()
    await task


async def test_mattermost_is_told_in_the_thread_and_alone_after_a_restart(bot: Desks) -> None:
    user, other = mattermost_api.name("u1"), mattermost_api.name("u2")
    channel, alone = mattermost_api.name("c1"), f"d{other}"[:26]
    async with mattermost_api.Mattermost().serving() as server:
        settings = Settings(mattermost_url=server.url, mattermost_token=SecretStr(server.token))
        async with served(mattermost_channel.serve, bot, settings, lambda: server.connected):
            question = server.say(channel, user, f"@pullquote {STORM}")
            await slack_api.until(lambda: len(server.shown(channel)) == 1)
            await server.ask(alone, other, STORM)
            await server.ask(alone, other, f"follow {STORM}")
        bot.put(report(NOW, seen=20), report("Now 45,000 homes lost power.", 2))
        for _ in range(2):
            async with served(mattermost_channel.serve, bot, settings, lambda: server.connected):
                await slack_api.until(lambda: len(server.shown(channel)) == 2 and len(server.shown(alone)) == 4)
                await asyncio.sleep(0.3)  # time for a second one, which there must not be
        assert len(server.shown(channel)) == 2
        assert len(server.shown(alone)) == 4
        notice = server.shown(channel)[1]
        assert notice.root == question.id
        for one in (notice, server.shown(alone)[2]):
            assert one.seen.plain.replace("\u200b", "").startswith(f"A correction to what I quoted on “{STORM}”:")
        news = server.shown(alone)[3]
        assert "New on a question followed here" in news.seen.plain


async def test_slack_mattermost_and_discord_tell_an_administrator_who_never_wrote(slack: Slack, bot: Desks) -> None:
    """Once, also after a restart."""
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY  # of the whole process
    silent, chief = "The feed <x> is silent.", mattermost_api.name("u9")
    bot.set(rules=replace(bot.office.rules, admins=frozenset({"U9", chief, "9"})))
    tell_admins(bot.store.watchlist, ["slack:U9", f"mattermost:{chief}", "discord:9"], [silent])
    async with mattermost_api.Mattermost().serving() as mattermost, discord_api.Discord().serving() as discord:
        for _ in range(2):
            slack.listened = False
            async with served(slack_channel.serve, bot, slack_settings(slack), lambda: slack.listened):
                await slack_api.until(lambda: slack.shown("DU9"))
                await asyncio.sleep(0.2)
            given = Settings(mattermost_url=mattermost.url, mattermost_token=SecretStr(mattermost.token))
            async with served(mattermost_channel.serve, bot, given, lambda: mattermost.connected):
                await slack_api.until(lambda: mattermost.shown(f"d{chief}"[:26]))
                await asyncio.sleep(0.2)
            given = Settings(discord_api=discord.url, discord_token=SecretStr(discord.token))
            async with served(discord_channel.serve, bot, given, lambda: discord.connected):
                await slack_api.until(lambda: discord.shown(discord_api.alone(9)))
                await asyncio.sleep(0.2)
        assert [one.seen.plain for one in mattermost.shown(f"d{chief}"[:26])] == [silent]
        assert [one.seen.plain for one in discord.shown(discord_api.alone(9))] == [silent]
    assert [one.plain for one in slack.shown("DU9")] == [silent]
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


async def test_discord_is_told_in_reply_to_the_answer_after_a_restart(bot: Desks) -> None:
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY  # of the whole process
    async with discord_api.Discord().serving() as server:
        settings = Settings(discord_api=server.url, discord_token=SecretStr(server.token))
        there = discord_api.alone(5)
        async with served(discord_channel.serve, bot, settings, lambda: server.connected):
            answer = await server.ask(there, 5, STORM)
            await server.ask(there, 5, f"follow {STORM}")
        bot.put(report(NOW, seen=20), report("Now 45,000 homes lost power.", 2))
        for _ in range(2):
            async with served(discord_channel.serve, bot, settings, lambda: server.connected):
                await slack_api.until(lambda: len(server.shown(there)) == 4)
                await asyncio.sleep(0.3)
        shown = server.shown(there)
        assert len(shown) == 4
        assert shown[2].reply_to == answer.id
        assert shown[2].seen.plain.replace("\u200b", "").startswith(f"A correction to what I quoted on “{STORM}”:")
        assert "New on a question followed here" in shown[3].seen.plain
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


async def test_discord_decides_access_by_the_roles_that_somebody_has_now(bot: Desks) -> None:
    """Boris has the role, Ada had it, Cleo has left."""
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY  # of the whole process
    bot.set(rules=replace(bot.office.rules, access="list", allowed=frozenset({"77"})))
    async with discord_api.Discord().serving() as server:
        settings = Settings(discord_api=server.url, discord_token=SecretStr(server.token))
        server.roles = {user: ["77"] for user in (1, 2, 3)}
        async with served(discord_channel.serve, bot, settings, lambda: server.connected):
            asked = {
                user: await server.ask(discord_api.ROOM, user, f"<@{discord_api.ME}> {STORM}") for user in (1, 2, 3)
            }
            await server.ask(discord_api.ROOM, 2, f"<@{discord_api.ME}> follow {STORM}")
        server.roles[1], server.left = [], {3}
        bot.put(report(NOW, seen=20), report("Now 45,000 homes lost power.", 2))
        async with served(discord_channel.serve, bot, settings, lambda: server.connected):
            await slack_api.until(lambda: len(server.shown(discord_api.ROOM)) == 6)
            await asyncio.sleep(0.3)
        told = server.shown(discord_api.ROOM)[4:]
    assert [one.reply_to for one in told] == [asked[2].id, 0]
    assert "A correction to what I quoted" in told[0].content
    assert "New on a question followed here" in told[1].content
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept


async def test_discord_tells_alone_what_was_asked_alone(bot: Desks) -> None:
    kept = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY  # of the whole process
    async with discord_api.Discord().serving() as server:
        settings = Settings(discord_api=server.url, discord_token=SecretStr(server.token))
        async with served(discord_channel.serve, bot, settings, lambda: server.connected):
            for room, user in ((discord_api.ROOM, 5), (discord_api.alone(6), 6)):
                await server.command(room, user, STORM)
                await server.command(room, user, f"follow {STORM}")
            listed = await server.ask(discord_api.ROOM, 7, f"<@{discord_api.ME}> following")
        bot.put(report(NOW, seen=20), report("Now 45,000 homes lost power.", 2))
        async with served(discord_channel.serve, bot, settings, lambda: server.connected):
            ada, boris = discord_api.alone(5), discord_api.alone(6)
            await slack_api.until(lambda: (len(server.shown(ada)), len(server.shown(boris))) == (2, 4))
        for told in (server.shown(ada), server.shown(boris)[2:]):
            assert "A correction to what I quoted" in told[0].content
            assert "New on a question followed here" in told[1].content
        in_public = [one for one in server.shown(discord_api.ROOM) if not one.alone]
    assert in_public == [listed]
    assert listed.seen.plain == messages.FOLLOWING_NONE
    assert server.refusals == []
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = kept
