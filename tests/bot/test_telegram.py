"""The bot in Telegram: the real library against a server on loopback that refuses what Telegram refuses."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from bot import messages
from bot.build import House
from bot.channels.telegram import PATIENCE, UPDATES, application
from bot.conversation import KEYS, Desk, Office, Rules
from bot.keeper import office as office_of
from bot.length import units
from bot.sample import take_in_sample
from bot.settings import Settings
from bot.store import Store, open_store
from corpus.article import make_article
from corpus.intake import take_in
from corpus.sources.files import Item
from retrieval.answer import Answer, Reason
from retrieval.citation import Citation
from retrieval.question import Question
from tests.telegram_api import Chat, Person, Telegram, serving, until
from tests.unsure import Unsure
from tests.web_server import serving as serving_pages

ADA, BORIS, CHIEF = Person(1), Person(2, "Boris"), Person(9, "Chief")
HERE, THERE, OFFICE = Chat(1), Chat(2), Chat(9)
GROUP = Chat(-50, "group")
DEMAND = "what did Russia demand?"
REPORTED = "reports from May 2025 on what Russia did demand"
QUOTE = "Russia demanded that Ukraine withdraw completely from four regions"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[House]:
    house = House(Settings(data=tmp_path_factory.mktemp("data"), models=models, engine="onnxruntime"), sample=True)
    take_in_sample(house, 60.0, lambda: None)
    yield house
    house.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "conversations.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def office(stocked: House, store: Store) -> Office:
    return office_of(stocked, store, Rules(admins=frozenset({"9"})))


@asynccontextmanager
async def running(telegram: Telegram, office: Office) -> AsyncIterator[None]:
    app = application(office, telegram.token, telegram.url)
    await app.initialize()
    assert app.post_init
    await app.post_init(app)
    await app.start()
    assert app.updater
    await app.updater.start_polling(poll_interval=0, timeout=2, allowed_updates=UPDATES)
    try:
        yield
    finally:
        await app.updater.stop()
        await app.stop()
        await app.shutdown()


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with serving() as server:
        yield server


async def test_a_question_gets_one_message_with_the_quote_and_its_source(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        answer = await telegram.ask(HERE, ADA, DEMAND)
    assert QUOTE in answer.plain
    headline = "Ukraine rejects Russian demands in Istanbul, but prisoners will be exchanged"
    assert f"The Harbour Courier · {headline} · 2025-05-16 · Mira Halvorsen, Tomas Adeyemi" in answer.plain
    assert answer.plain.startswith(QUOTE)
    assert [one for one in answer.plain.splitlines() if one.startswith("This report is ")]
    assert answer.labels[-2:] == ["More context", "Not right"]
    assert not answer.preview
    assert telegram.refusals == []
    kinds = {one.kind for one in answer.text.entities}
    assert {"expandable_blockquote", "bold", "text_link"} <= kinds


async def test_a_follow_up_after_a_restart_leans_on_the_turn_before(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        await telegram.ask(HERE, ADA, DEMAND)
    async with running(telegram, office):
        answer = await telegram.ask(HERE, ADA, "and Ukraine?")
        fresh = await telegram.ask(HERE, ADA, "/new")
    assert "what did Ukraine demand?" in answer.plain
    assert fresh.plain == messages.NEW


async def test_who_said_it_is_answered_with_the_speaker(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        await telegram.ask(HERE, ADA, "who said it was never a red card?")
        again = await telegram.ask(HERE, ADA, "who said it?")
        exported = await telegram.ask(HERE, ADA, "/export")
        near = await telegram.ask(HERE, ADA, "/verify “It was never a red card, and nobody in the stadium saw it”")
    assert "“It was never a red card, and everyone in the stadium saw it,” Hale said." in again.plain
    for shown in (again, exported, near):
        assert "Speaker: Jorun Hale (“said”)" in shown.plain.splitlines()
    assert again.labels[-1] == "Not right"


async def test_buttons_work_after_a_restart(telegram: Telegram, office: Office, store: Store) -> None:
    async with running(telegram, office):
        answer = await telegram.ask(HERE, ADA, DEMAND)
    async with running(telegram, office):
        telegram.press(answer, "More context")
        wide = await telegram.wait_edit(answer)
        telegram.press(wide, "Not right")
        asked = await telegram.wait_edit(wide)
        assert asked.labels == ["Wrong answer", "Wrong quote", "Out of date", "Back"]
        said = await telegram.wait_answer(telegram.press(asked, "Wrong quote"))
        told = await telegram.ask(OFFICE, CHIEF, "/feedback")
    assert len(wide.plain) > len(answer.plain)
    assert said["text"] == messages.THANKS
    assert [(one.reason, one.question) for one in store.votes(9)] == [("q", DEMAND)]
    assert told.plain.endswith(f"Wrong quote · {DEMAND}")


async def test_an_administrator_adds_and_forgets_and_an_old_button_says_so(
    telegram: Telegram, tmp_path: Path, models: Path, store: Store
) -> None:
    own = Settings(data=tmp_path / "own", models=models, engine="onnxruntime", fetch_private="127.0.0.1")
    house = House(own, sample=True)
    take_in_sample(house, 60.0, lambda: None)
    async with running(telegram, office_of(house, store, Rules(admins=frozenset({"9"})))):
        answer = await telegram.ask(HERE, ADA, DEMAND)
        given = store.given(store.turn("telegram:1:")[0])
        assert given
        gone = await telegram.ask(OFFICE, CHIEF, f"/forget {given.marks[0].url}")
        said = await telegram.wait_answer(telegram.press(answer, "More context"))
        before = len(telegram.shown(OFFICE))
        telegram.send_document(OFFICE, CHIEF, "cheese.txt", b"Dairy wins\n\nA dairy in Larkhaven won the cheese prize.")
        taken = (await telegram.wait_for(OFFICE, before + 1))[-1]
        with serving_pages() as web:
            added = await telegram.ask(OFFICE, CHIEF, f"/add {web.page('/prize')}")
            missed = await telegram.ask(OFFICE, CHIEF, "/add http://10.0.0.1/")
        refused = await telegram.ask(HERE, ADA, f"/forget {given.marks[0].url}")
        unasked = await telegram.ask(HERE, ADA, "/add https://n.example/")
    house.close()
    assert gone.plain.startswith("Forgotten: “Ukraine rejects")
    assert said["text"] == messages.GONE
    assert taken.plain == "Taken in: Articles: 1 added, 0 revised, 0 unchanged."
    assert added.plain == taken.plain
    assert missed.plain.startswith("Not taken in: 10.0.0.1 is 10.0.0.1, which is not an address of the internet.")
    assert {refused.plain, unasked.plain} == {messages.ADMINS_ONLY}


STORM = "what number of homes were left without power in Pinewick?"
COUNTS = [
    ("It left 31,000 homes in Pinewick without power, the company said.", "Pinewick Ledger", 18),
    ("The storm that hit Pinewick left 28,000 homes in Pinewick without power, officials said.", "The Courier", 19),
]


async def test_reports_that_differ_stand_side_by_side_until_one_is_forgotten(
    telegram: Telegram, tmp_path: Path, models: Path, store: Store
) -> None:
    house = House(Settings(data=tmp_path / "own", models=models, engine="onnxruntime"))
    after = "\n\nThe mayor thanked the crews." * 60
    text = f"A storm crossed Pinewick during the night to Sunday. {{}} Trees fell on lines in many places.{after}"
    items = [
        Item(
            outlet,
            make_article(
                url=f"https://n.example/{day}",
                title="Storm leaves homes in Pinewick without power",
                text=text.format(said),
                outlet=outlet,
                published=datetime(2025, 5, day, tzinfo=UTC),
            ),
        )
        for said, outlet, day in COUNTS
    ]
    take_in(items, house.archive)
    house.index().catch_up()
    async with running(telegram, office_of(house, store, Rules(admins=frozenset({"9"})))):
        answer = await telegram.ask(HERE, ADA, STORM)
        telegram.press(answer, "More context")
        wide = await telegram.wait_edit(answer)
        told = answer.plain.splitlines()[-3:]
        house.archive.forget(
            "https://n.example/18" if "28,000" in answer.plain.splitlines()[0] else "https://n.example/19"
        )
        telegram.press(wide, "More context")
        alone = await telegram.wait_edit(wide)
    house.close()
    assert told == [
        messages.DIFFER,
        "• 28,000 homes · The Courier · 2025-05-19",
        "• 31,000 homes · Pinewick Ledger · 2025-05-18",
    ]
    assert [url.partition("#")[0] for _, url in answer.text.links][1:] == [
        "https://n.example/19",
        "https://n.example/18",
    ]
    assert wide.plain.splitlines()[-3:] == told
    assert messages.DIFFER not in alone.plain


async def test_in_a_group_only_what_is_meant_for_the_bot(telegram: Telegram, office: Office) -> None:
    telegram.meet(GROUP)
    async with running(telegram, office):
        telegram.say(GROUP, ADA, DEMAND)
        telegram.say(GROUP, ADA, "/ask@other_bot what now?")
        telegram.say(GROUP, ADA, "/unknown")
        asked = await telegram.ask(GROUP, ADA, f"/ask {DEMAND}")
        named = await telegram.ask(GROUP, BORIS, f"@pullquote_bot {DEMAND}")
        replied = await telegram.ask(GROUP, BORIS, "and Ukraine?", reply_to=named)
        await telegram.wait_delivered()
    assert [one.id for one in telegram.shown(GROUP)] == [asked.id, named.id, replied.id]
    assert QUOTE in asked.plain
    assert QUOTE in named.plain
    assert "what did Ukraine demand?" in replied.plain


async def test_each_topic_is_a_conversation(telegram: Telegram, office: Office) -> None:
    forum = Chat(-1_000_000_000_077, "supergroup", topics=(5, 6))
    telegram.meet(forum)
    async with running(telegram, office):
        first = await telegram.ask(forum, ADA, f"/ask {DEMAND}", topic=5)
        other = await telegram.ask(forum, ADA, "/export", topic=6)
    assert (first.topic, other.topic) == (5, 6)
    assert other.plain == messages.EXPORT_NONE


async def test_a_chat_that_migrates_keeps_its_conversation(telegram: Telegram, office: Office) -> None:
    telegram.meet(GROUP)
    async with running(telegram, office):
        await telegram.ask(GROUP, ADA, f"/ask {DEMAND}")
        moved = telegram.migrate(GROUP)
        await telegram.wait_delivered()
        exported = await telegram.ask(moved, ADA, "/export")
    assert QUOTE in exported.plain


async def test_inline_results_are_whole_answers(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        results = await telegram.wait_results(telegram.inline(ADA, DEMAND))
        nothing = await telegram.wait_results(telegram.inline(ADA, "what"))
    assert nothing == []
    assert QUOTE in results[0].text.plain
    assert results[0].description == "The Harbour Courier · 2025-05-16 · Mira Halvorsen, Tomas Adeyemi"


async def test_inline_what_may_be_meant_is_offered_as_no_more(telegram: Telegram, office: Office) -> None:
    async with running(telegram, replace(office, desk=Unsure(office.desk))):
        [result] = await telegram.wait_results(telegram.inline(ADA, DEMAND))
    about = "The Harbour Courier · 2025-05-16 · Mira Halvorsen, Tomas Adeyemi"
    assert result.description == f"{messages.PERHAPS} {about}"
    assert result.text.plain.splitlines()[0] == messages.PERHAPS
    assert result.text.plain.count(QUOTE) == 1


async def test_limits_are_told_in_words(telegram: Telegram, office: Office) -> None:
    async with running(telegram, replace(office, rules=Rules(person=(5, 1)))):
        await telegram.ask(HERE, ADA, DEMAND)
        over = await telegram.ask(HERE, ADA, DEMAND)
        other = await telegram.ask(THERE, BORIS, DEMAND)
    assert over.plain == messages.say(messages.DAY_LIMIT, limit=1)
    assert QUOTE in other.plain


async def test_a_code_lets_one_stranger_in(telegram: Telegram, office: Office, store: Store) -> None:
    rules = Rules(admins=frozenset({"9"}), access="invite")
    async with running(telegram, replace(office, rules=rules)):
        link = (await telegram.ask(OFFICE, CHIEF, "/invite")).plain.rpartition(" ")[2]
        code = link.removeprefix("https://t.me/pullquote_bot?start=")
        refused = await telegram.ask(HERE, ADA, DEMAND)
        note = (await telegram.wait_for(OFFICE, 2))[-1]
        welcome = await telegram.ask(HERE, ADA, f"/start {code}")
        answer = await telegram.ask(HERE, ADA, DEMAND)
        used = await telegram.ask(THERE, BORIS, f"/start {code}")
    assert refused.plain == messages.STRANGER
    assert note.plain.startswith("Ada (1) wrote to the bot")
    assert welcome.plain == messages.WELCOME_IN
    assert QUOTE in answer.plain
    assert used.plain == messages.BAD_CODE


async def test_an_update_that_comes_twice_is_answered_once(telegram: Telegram, office: Office) -> None:
    telegram.duplicated = True
    async with running(telegram, office):
        await telegram.ask(HERE, ADA, DEMAND)
        telegram.deliver_again()
        await telegram.wait_delivered()
        await telegram.ask(HERE, ADA, "/new")
    assert len(telegram.shown(HERE)) == 2


async def test_an_edited_question_edits_its_answer(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        answer = await telegram.ask(HERE, ADA, DEMAND)
        question = next(one for one in telegram.history.values() if one[-1].plain == DEMAND)[-1]
        telegram.edit(question, "who won the cheese prize in Narnia?")
        edited = await telegram.wait_edit(answer)
    assert edited.plain.startswith(Reason.NOTHING)
    assert QUOTE not in edited.plain


async def test_it_waits_when_telegram_says_slow_down(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        telegram.slow_down(1, "sendMessage")
        answer = await telegram.ask(HERE, ADA, DEMAND)
    assert QUOTE in answer.plain


async def test_a_deep_link_opens_a_stored_answer(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        await telegram.ask(HERE, ADA, DEMAND)
        exported = await telegram.ask(HERE, ADA, "/export")
        code = exported.plain.partition("https://t.me/pullquote_bot?start=")[2]
        opened = await telegram.ask(THERE, BORIS, f"/start {code}")
        unknown = await telegram.ask(THERE, BORIS, "/start nothing")
    assert QUOTE in opened.plain
    assert unknown.plain == messages.UNKNOWN_ANSWER


async def test_an_unexpected_error_is_one_sentence_with_an_id(
    telegram: Telegram, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def ask(self, question: object) -> object:
            raise RuntimeError("secret path")

    async with running(telegram, replace(office, desk=Broken())):  # type: ignore[arg-type]
        said = await telegram.ask(HERE, ADA, DEMAND)
    name = said.plain.split("noted as ")[1].split(".")[0]
    assert "secret" not in said.plain
    assert [one.exc_info is not None for one in caplog.records if name in one.getMessage()] == [True]


async def test_verify_never_shows_a_near_match_as_exact(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        exact = await telegram.ask(HERE, ADA, f"/verify “{QUOTE}”")
        near = await telegram.ask(HERE, ADA, f"/verify “{QUOTE.replace('four', 'five')} that Moscow claims”")
        none = await telegram.ask(HERE, ADA, "/verify “purple elephants sang about arithmetic in Oslo”")
    assert exact.plain.startswith(messages.VERIFY_EXACT)
    assert near.plain.startswith("Not exact.")
    assert "[-five-] {+four+}" in near.plain
    assert none.plain == messages.VERIFY_NONE


async def test_a_question_below_a_message_takes_it_as_context(telegram: Telegram, office: Office) -> None:
    telegram.meet(GROUP)
    async with running(telegram, office):
        rumour = telegram.say(GROUP, BORIS, f"So what did Russia demand? I read: {QUOTE}")
        asked = await telegram.ask(GROUP, ADA, "@pullquote_bot and Ukraine?", reply_to=rumour, quote=DEMAND)
        verified = await telegram.ask(GROUP, ADA, "/verify", reply_to=rumour, quote=QUOTE)
        near = await telegram.ask(GROUP, ADA, "/verify", reply_to=rumour)
    assert "what did Ukraine demand?" in asked.plain
    assert verified.plain.startswith(messages.VERIFY_EXACT)
    assert near.plain == messages.VERIFY_NONE


@pytest.mark.parametrize(
    "text", ["<b>&lt;</b> who?", "is \U0001f469‍\U0001f467 \u202eevil?", "/since <x>", "who? " * 400]
)
async def test_hostile_texts_are_answered(telegram: Telegram, office: Office, text: str) -> None:
    async with running(telegram, office):
        said = await telegram.ask(HERE, replace(ADA, name="<i>&"), text)
    assert said.plain
    assert units(said.plain) <= 4_096
    assert telegram.refusals == []


async def test_who_blocked_the_bot_stops_nobody_else(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        await telegram.ask(HERE, ADA, DEMAND)
        telegram.block(HERE)
        telegram.say(HERE, ADA, DEMAND)
        answer = await telegram.ask(THERE, BORIS, DEMAND)
    assert QUOTE in answer.plain


async def test_the_commands_are_listed_in_every_language(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        await asyncio.sleep(0)
    assert set(telegram.commands) == {"", *messages.LANGUAGES}
    assert {one["command"] for one in telegram.commands["de"]} >= {"ask", "verify", "export"}


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


async def test_telegram_may_call_instead_of_being_polled(telegram: Telegram, office: Office) -> None:
    app = application(office, telegram.token, telegram.url)
    port = free_port()
    here = f"http://127.0.0.1:{port}/telegram"
    async with app:
        assert app.updater
        await app.start()
        await app.updater.start_webhook("127.0.0.1", int(port), "telegram", webhook_url=here, secret_token="s" * 20)
        answer = await telegram.ask(HERE, ADA, DEMAND)
        async with aiohttp.ClientSession() as session, session.post(here, json={"update_id": 1}) as forged:
            status = forged.status
        await app.updater.stop()
        await app.stop()
    assert QUOTE in answer.plain
    assert status == 403


class Slow:
    """The desk, each answer so many seconds later."""

    def __init__(self, desk: Desk, seconds: float) -> None:
        self._desk, self._seconds = desk, seconds
        self.asked: list[str] = []

    def ask(self, question: Question) -> Answer:
        self.asked.append(question.text)
        time.sleep(self._seconds)
        return self._desk.ask(question)

    def proven(self, citation: Citation) -> Citation:
        return self._desk.proven(citation)


async def test_typing_is_shown_when_an_answer_takes_long(telegram: Telegram, office: Office) -> None:
    async with running(telegram, replace(office, desk=Slow(office.desk, PATIENCE + 0.5))):
        begun = time.monotonic()
        await telegram.ask(HERE, ADA, DEMAND)
        took = time.monotonic() - begun
        await telegram.ask(THERE, BORIS, "/new")
    assert took > PATIENCE
    assert len(telegram.typed(HERE)) == 1
    assert telegram.typed(THERE) == []


async def test_a_query_that_was_typed_over_is_let_go(telegram: Telegram, office: Office) -> None:
    desk = Slow(office.desk, 0.3)
    async with running(telegram, replace(office, desk=desk)):
        queries = [telegram.inline(ADA, DEMAND[:length]) for length in range(8, len(DEMAND) + 1)]
        results = await telegram.wait_results(queries[-1])
    assert QUOTE in results[0].text.plain
    assert desk.asked[-1] == DEMAND
    assert len(desk.asked) < 6


async def test_inline_results_speak_the_language_of_who_asks(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        results = await telegram.wait_results(telegram.inline(Person(3, "Dora", "de"), REPORTED))
    assert results[0].text.plain.startswith("Durchgesehen: Artikel, veröffentlicht von 2025-05-01")


async def test_inline_searches_have_a_limit(telegram: Telegram, office: Office) -> None:
    async with running(telegram, replace(office, rules=Rules(person=(100, 1)))):
        found = [await telegram.wait_results(telegram.inline(ADA, DEMAND)) for _ in range(KEYS + 1)]
    assert [bool(one) for one in found] == [True] * KEYS + [False]


async def test_buttons_keep_what_was_understood(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        answer = await telegram.ask(HERE, ADA, REPORTED)
        telegram.press(answer, "More context")
        wide = await telegram.wait_edit(answer)
    [looked] = [one for one in answer.plain.splitlines() if one.startswith("Looked at")]
    assert "“from May 2025”" in looked
    assert looked in wide.plain.splitlines()


async def test_a_button_pressed_too_long_ago_is_no_error(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        answer = await telegram.ask(HERE, ADA, DEMAND)
        telegram.hold()
        telegram.press(answer, "More context")
        telegram.expire_queries()
        telegram.release()
        wide = await telegram.wait_edit(answer)
        await telegram.wait_delivered()
        await telegram.ask(HERE, ADA, "/new")
    assert len(wide.plain) > len(answer.plain)
    assert len(telegram.shown(HERE)) == 2


@pytest.mark.parametrize("after", [False, True])
async def test_a_broken_connection_loses_no_answer(telegram: Telegram, office: Office, after: bool) -> None:
    async with running(telegram, office):
        telegram.lose_connections(2, "getUpdates")
        telegram.lose_connections(1, "sendMessage", after=after)
        answer = await telegram.ask(HERE, ADA, DEMAND)
        seen = await telegram.wait_for(HERE, 2 if after else 1)
    assert QUOTE in answer.plain
    assert {one.plain for one in seen} == {answer.plain}  # where the send was not confirmed, it may stand there twice


async def test_updates_in_the_wrong_order_give_one_answer(telegram: Telegram, office: Office) -> None:
    async with running(telegram, office):
        await telegram.ask(HERE, ADA, "/new")
        telegram.hold()
        question = telegram.say(HERE, ADA, "who won the cheese prize in Narnia?")
        telegram.edit(question, DEMAND)
        telegram.release(lambda held: held[::-1])
        await telegram.wait_for(HERE, 2)
        await telegram.wait_delivered()
        await telegram.ask(HERE, ADA, "/new")
    answers = telegram.shown(HERE)
    assert len(answers) == 3
    assert QUOTE in answers[1].plain


@asynccontextmanager
async def started(
    telegram: Telegram, stocked: House, place: Path, *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`pullquote telegram` as a person starts it."""
    given = {"PULLQUOTE_TELEGRAM_TOKEN": telegram.token, "PULLQUOTE_TELEGRAM_API": telegram.url}
    given |= {"PULLQUOTE_DATA": str(stocked.settings.data), "PULLQUOTE_MODELS": str(stocked.settings.models)}
    given |= {"PULLQUOTE_ENGINE": "onnxruntime"}
    command = (sys.executable, "-m", "bot.cli", "telegram", "--sample", *options)
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **given}, cwd=place, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_an_address_that_telegram_does_not_call_is_one_sentence(
    telegram: Telegram, stocked: House, tmp_path: Path
) -> None:
    telegram.refuse("setWebhook", "bad webhook: An HTTPS URL must be provided for webhook")
    options = ("--webhook", "http://n.example/t", "--port", free_port())
    async with started(telegram, stocked, tmp_path, *options) as process:
        said = (await process.communicate())[1].decode().splitlines()[-1]
    assert process.returncode == 1
    assert said.startswith("Telegram does not take the address 'http://n.example/t' for --webhook: Bad webhook: ")
    assert said.endswith(" Give it a public https:// address.")


async def test_a_crash_loses_no_question(telegram: Telegram, stocked: House, tmp_path: Path) -> None:
    people = [Person(100 + number, f"P{number}") for number in range(12)]
    asked = [telegram.say(Chat(one.id), one, f"{DEMAND} {one.name}") for one in people]

    def answered() -> list[tuple[int, int | None]]:
        return [(one.chat.id, one.reply_to) for person in people for one in telegram.shown(Chat(person.id))]

    async with started(telegram, stocked, tmp_path):
        await until(lambda: len(answered()) > 2, 60)
        await telegram.wait_delivered()  # Telegram will not send them again
    before = len(answered())
    async with started(telegram, stocked, tmp_path):
        await until(lambda: len(set(answered())) == len(asked), 60)
    assert before < len(asked)
    assert len(answered()) <= len(asked) + 1  # the one in hand may come twice


async def test_one_person_does_not_starve_another(telegram: Telegram, office: Office) -> None:
    async with running(telegram, replace(office, rules=Rules(person=(100, 100)))):
        for number in range(30):
            telegram.say(HERE, ADA, f"{DEMAND} {number}")
        telegram.say(THERE, BORIS, DEMAND)
        await telegram.wait_for(THERE, 1)
        before = len(telegram.shown(HERE))
        everything = await telegram.wait_for(HERE, 30, 60)
    assert before < 15
    assert [one.reply_to for one in everything] == sorted(one.reply_to or 0 for one in everything)
    assert len(everything) == 30
