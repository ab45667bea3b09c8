"""Every sentence of a chat stands in every language, with the same gaps to fill."""

import json
from importlib.resources import files
from string import Formatter

import pytest

from bot import messages
from retrieval.answer import Reason
from retrieval.question import SENTENCES


def gaps(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_sentence_is_translated_with_its_gaps(language: str) -> None:
    found = json.loads(files("bot").joinpath(f"translations/{language}.json").read_text("utf-8"))
    assert list(found) == list(dict.fromkeys((*messages.CHAT, *SENTENCES)))
    assert {one: gaps(one) for one in found} == {one: gaps(other) for one, other in found.items()}
    assert all(other.strip() for other in found.values())


def test_reasons_are_those_of_an_answer() -> None:
    assert tuple(Reason) == messages.REASONS


def test_an_unknown_language_is_answered_in_english() -> None:
    assert messages.say(messages.MINUTE_LIMIT, "xx", limit=3, seconds=20) == (
        "That was 3 questions in a minute, which is the limit. Ask again in 20 seconds."
    )
    assert messages.say(messages.NEW) == messages.NEW
