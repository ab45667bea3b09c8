"""The real client library against the fake Bot API: what it grants, refuses, delivers and loses."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputTextMessageContent,
    LinkPreviewOptions,
    ReplyParameters,
    Update,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    InlineQueryHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from tests.tdlib import Entity, Text, detect, parse, shown
from tests.telegram_api import Chat, Person, Telegram, serving, until

ADA = Person(11, "Ada", "de")
HOME = Chat(11)
GROUP = Chat(-5, "group", "Newsroom")
FORUM = Chat(-1005, "supergroup", "Desk", topics=(7,))


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with serving() as server:
        server.meet(HOME, GROUP, FORUM)
        yield server


@pytest.fixture
async def bot(telegram: Telegram) -> AsyncIterator[Bot]:
    async with Bot(telegram.token, f"{telegram.url}/bot", f"{telegram.url}/file/bot") as one:
        yield one


def keyboard(*data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(one[:20], callback_data=one) for one in data]])


async def test_a_message_is_kept_as_it_is_read(telegram: Telegram, bot: Bot) -> None:
    question = telegram.say(HOME, ADA, "what?")
    await bot.send_message(
        11,
        'A &lt;b&gt; <blockquote expandable>said <b>😀 no</b></blockquote> <a href="https://n.example/#:~:text=a">x</a>',
        parse_mode="HTML",
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        reply_parameters=ReplyParameters(question.id),
        reply_markup=keyboard("next:1"),
    )
    [message] = telegram.shown(HOME)
    assert message.plain == "A <b> said 😀 no x"
    assert message.text.entities == (
        Entity("expandable_blockquote", 6, 10, "said 😀 no"),
        Entity("bold", 11, 5, "😀 no"),
        Entity("text_link", 17, 1, "x", "https://n.example/#:~:text=a"),
    )
    assert (message.reply_to, message.labels, message.preview) == (question.id, ["next:1"], False)


def test_what_telegram_deletes_from_a_text_is_deleted() -> None:
    text = parse("  <b>a\u202eb</b>\tc\x00<i>\u2028</i> ")
    assert shown(text) == Text("ab c", (Entity("bold", 0, 2, "ab"),))
    assert shown(parse(" \n<b> </b>")) == Text("")


def test_what_a_person_typed_has_its_mentions_and_commands() -> None:
    text = detect("😀 @pullquote_bot /ask@pullquote_bot who?")
    assert text.entities == (
        Entity("mention", 3, 14, "@pullquote_bot"),
        Entity("bot_command", 18, 18, "/ask@pullquote_bot"),
    )


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"text": ""}, "Message text is empty"),
        ({"text": "<b> </b>\n"}, "Message text is empty"),
        ({"text": "a < b"}, "Can't parse entities: unsupported start tag"),
        ({"text": "<b>a"}, "Can't parse entities: can't find end tag"),
        ({"text": "😀" * 2048 + "a"}, "Message is too long"),
        ({"text": "a", "reply_markup": keyboard("x" * 65)}, "Button_data_invalid"),
        ({"text": "a", "reply_parameters": ReplyParameters(99)}, "Message to be replied not found"),
        ({"text": "a", "message_thread_id": 8}, "Message thread not found"),
        ({"text": "a", "chat_id": 404}, "Chat not found"),
    ],
)
async def test_a_message_that_telegram_refuses(telegram: Telegram, bot: Bot, how: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRequest) as error:
        await bot.send_message(**{"chat_id": FORUM.id, "parse_mode": "HTML", **how})
    assert error.value.message.lower().startswith(why.lower())
    assert telegram.shown(FORUM) == []
    assert [(one.method, one.status) for one in telegram.refusals] == [("sendMessage", 400)]


async def test_a_message_as_long_as_may_be_with_a_reply_to_nothing(telegram: Telegram, bot: Bot) -> None:
    reply = ReplyParameters(99, allow_sending_without_reply=True)
    await bot.send_message(11, f"<b>{'&amp;' * 4096}</b>", parse_mode="HTML", reply_parameters=reply)
    [message] = telegram.shown(HOME)
    assert (message.plain, message.reply_to) == ("&" * 4096, None)


async def test_edits(telegram: Telegram, bot: Bot) -> None:
    asked = telegram.say(HOME, ADA, "what?")
    sent = await bot.send_message(11, "one", reply_markup=keyboard("a"))
    await bot.edit_message_text("two", 11, sent.message_id, reply_markup=keyboard("a"))
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("<b></b>two", 11, sent.message_id, parse_mode="HTML", reply_markup=keyboard("a"))
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("two", 11, 99)
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("two", 11, asked.id)
    await bot.edit_message_reply_markup(11, sent.message_id)
    [versions] = [one for one in telegram.history.values() if one[0].sender is None]
    assert [(one.plain, one.labels) for one in versions] == [("one", ["a"]), ("two", ["a"]), ("two", [])]
    await bot.delete_message(11, sent.message_id)
    assert telegram.shown(HOME) == []


async def test_a_chat_that_is_closed_or_moved(telegram: Telegram, bot: Bot) -> None:
    telegram.block(HOME)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(11, "a")
    telegram.unblock(HOME)
    await bot.send_message(11, "a")
    moved = telegram.migrate(GROUP)
    with pytest.raises(ChatMigrated) as error:
        await bot.send_message(GROUP.id, "a")
    assert error.value.new_chat_id == moved.id
    await bot.send_message(moved.id, "here")
    assert [one.plain for one in telegram.shown(moved)] == ["here"]
    await bot.leave_chat(moved.id)
    with pytest.raises(Forbidden, match="not a member of the supergroup"):
        await bot.get_chat(moved.id)


async def test_limits_and_lost_connections(telegram: Telegram, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # otherwise the library warns of what its next version does
    telegram.slow_down(1, "sendMessage", retry_after=3)
    with pytest.raises(RetryAfter, match=r"Retry in .*3"):
        await bot.send_message(11, "a")
    telegram.lose_connections(1)
    with pytest.raises(NetworkError):
        await bot.send_message(11, "b")
    telegram.lose_connections(1, "sendMessage", after=True)
    with pytest.raises(NetworkError):
        await bot.send_message(11, "c")
    await bot.send_message(11, "d")
    assert [one.plain for one in telegram.shown(HOME)] == ["c", "d"]


async def test_another_token_and_an_unknown_method(telegram: Telegram, bot: Bot) -> None:
    with pytest.raises(InvalidToken):
        async with Bot("1:wrong", f"{telegram.url}/bot"):
            pass
    async with aiohttp.ClientSession() as session, session.get(f"{telegram.url}/bot{telegram.token}/fly") as response:
        assert (response.status, await response.json()) == (
            404,
            {"ok": False, "error_code": 404, "description": "Error: Not Found"},
        )


async def test_commands_and_chats(telegram: Telegram, bot: Bot) -> None:
    await bot.set_my_commands([("ask", "Ask")], language_code="de")
    assert telegram.commands == {"de": [{"command": "ask", "description": "Ask"}]}
    with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
        await bot.set_my_commands([("Ask", "Ask")])
    assert (await bot.get_chat(FORUM.id)).is_forum


async def test_documents_go_both_ways(telegram: Telegram, bot: Bot) -> None:
    received = telegram.send_document(HOME, ADA, "a.txt", b"said \xf0")
    assert received.document is not None
    file = await bot.get_file(received.document["file_id"])
    assert bytes(await file.download_as_bytearray()) == b"said \xf0"
    await bot.send_document(11, b"export", filename="b.txt", caption="<b>b</b>", parse_mode="HTML")
    [sent] = telegram.shown(HOME)
    assert sent.document is not None
    assert (sent.document["file_name"], sent.document["file_size"], sent.text.all("bold")) == ("b.txt", 6, ["b"])


async def reply(update: Update, _: Any) -> None:
    assert update.message is not None
    await update.message.reply_text(f"you said {update.message.text}", reply_markup=keyboard("again"))


async def pressed(update: Update, _: Any) -> None:
    assert update.callback_query is not None
    await update.callback_query.edit_message_text(f"pressed {update.callback_query.data}")
    await update.callback_query.answer("done")


async def typed(update: Update, _: Any) -> None:
    assert update.inline_query is not None
    content = InputTextMessageContent(f"<b>{update.inline_query.query}</b>", parse_mode="HTML")
    await update.inline_query.answer([InlineQueryResultArticle("1", "T", content, reply_markup=keyboard("again"))])


def application(telegram: Telegram) -> Application[Any, Any, Any, Any, Any, Any]:
    builder = ApplicationBuilder().token(telegram.token).base_url(f"{telegram.url}/bot")
    app = builder.base_file_url(f"{telegram.url}/file/bot").build()
    app.add_handler(MessageHandler(filters.TEXT & filters.UpdateType.MESSAGE, reply))
    app.add_handler(CallbackQueryHandler(pressed))
    app.add_handler(InlineQueryHandler(typed))
    return app


@asynccontextmanager
async def polling(telegram: Telegram) -> AsyncIterator[Application[Any, Any, Any, Any, Any, Any]]:
    async with application(telegram) as app:
        assert app.updater is not None
        await app.updater.start_polling(allowed_updates=Update.ALL_TYPES)
        await app.start()
        yield app
        await app.updater.stop()
        await app.stop()


async def test_a_conversation_by_polling(telegram: Telegram) -> None:
    async with polling(telegram):
        answer = await telegram.ask(FORUM, ADA, "who?", topic=7)
        assert (answer.plain, answer.topic) == ("you said who?", 7)
        query = telegram.press(answer, "again", ADA)
        assert (await telegram.wait_edit(answer)).plain == "pressed again"
        assert (await telegram.wait_answer(query))["text"] == "done"
        [result] = await telegram.wait_results(telegram.inline(ADA, "what"))
        assert (result.title, result.text) == ("T", Text("what", (Entity("bold", 0, 4, "what"),)))
        chosen = telegram.choose(result, ADA, GROUP)
        telegram.press(chosen, "again", ADA)
        assert (await telegram.wait_edit(chosen)).plain == "pressed again"
        await telegram.wait_delivered()
    assert telegram.refusals == []


async def test_a_query_is_answered_once_and_in_time(telegram: Telegram, bot: Bot) -> None:
    sent = await bot.send_message(11, "a", reply_markup=keyboard("x"))
    assert telegram.now(telegram.shown(HOME)[0]).id == sent.message_id
    query = telegram.press(telegram.shown(HOME)[0], "x")
    await bot.answer_callback_query(query)
    late = telegram.inline(ADA, "who")
    telegram.expire_queries()
    for answering in (bot.answer_callback_query(query), bot.answer_inline_query(late, [])):
        with pytest.raises(BadRequest, match="Query is too old"):
            await answering


@pytest.mark.parametrize(
    ("number", "text", "why"), [(51, "a", "results_too_much"), (1, "<b>", "Can't parse"), (1, "a" * 4097, "too long")]
)
async def test_an_inline_answer_that_telegram_refuses(
    telegram: Telegram, bot: Bot, number: int, text: str, why: str
) -> None:
    content = InputTextMessageContent(text, parse_mode="HTML")
    results = [InlineQueryResultArticle(str(one), "T", content) for one in range(number)]
    with pytest.raises(BadRequest, match=f"(?i){why}"):
        await bot.answer_inline_query(telegram.inline(ADA, "who"), results)


async def test_updates_are_delivered_again_until_they_are_confirmed(telegram: Telegram, bot: Bot) -> None:
    telegram.say(HOME, ADA, "one")
    telegram.say(HOME, ADA, "two")
    first = await bot.get_updates()
    assert [one.update_id for one in await bot.get_updates()] == [one.update_id for one in first]
    assert await bot.get_updates(offset=first[-1].update_id + 1) == ()
    telegram.deliver_again(1)
    assert [one.update_id for one in await bot.get_updates()] == [first[-1].update_id]


async def test_updates_twice_and_in_another_order(telegram: Telegram, bot: Bot) -> None:
    telegram.duplicated = True
    telegram.hold()
    edited = telegram.edit(telegram.say(HOME, ADA, "one"), "two")
    assert await bot.get_updates() == ()
    telegram.release(lambda held: held[::-1])
    got = [one.effective_message.text for one in await bot.get_updates() if one.effective_message]
    assert got == ["two", "two", "one", "one"]
    assert telegram.now(edited).plain == "two"


async def test_polling_goes_on_after_lost_connections(telegram: Telegram) -> None:
    async with polling(telegram):
        telegram.lose_connections(2, "getUpdates", after=True)
        assert (await telegram.ask(HOME, ADA, "still there?")).plain == "you said still there?"


async def test_a_long_poll_waits_for_news(telegram: Telegram, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=5))
    await until(lambda: telegram.polled)
    assert not poll.done()
    telegram.say(HOME, ADA, "news")
    [update] = await poll
    assert update.message is not None
    assert update.message.text == "news"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_a_webhook_with_its_secret(telegram: Telegram) -> None:
    port, seen = free_port(), []

    async def keep(update: Update, _: Any) -> None:
        seen.append(update.update_id)

    async with application(telegram) as app:
        app.add_handler(TypeHandler(Update, keep), group=-1)
        assert app.updater is not None
        await app.start()
        url = f"http://127.0.0.1:{port}/hook"
        await app.updater.start_webhook("127.0.0.1", port, "hook", webhook_url=url, secret_token="s3cret")
        assert (await telegram.ask(HOME, ADA, "who?")).plain == "you said who?"
        await telegram.wait_delivered()
        assert seen == sorted(seen)
        assert len(seen) == 1
        with pytest.raises(Conflict, match="while webhook is active"):
            await app.bot.get_updates()
        telegram.webhook["secret_token"] = "wrong"
        telegram.say(HOME, ADA, "unheard")
        await until(lambda: "403" in telegram.webhook.get("last_error_message", ""))
        assert (await app.bot.get_webhook_info()).pending_update_count == 1
        await app.updater.stop()
        await app.stop()
    assert len(seen) == 1
