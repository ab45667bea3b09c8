from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.article import Article, make_article, normalise
from corpus.changes import Changes, Paragraph, _key, between, nearest, reworded, stands, where
from corpus.sentences import sentences

TEXT = (
    "The bridge opened on Friday. It cost 12 million.\n\n“It holds,” the mayor said.\n\n"
    "The council will meet again on Tuesday in the town hall."
)


def an_article(text: str, title: str = "Bridge opens") -> Article:
    return make_article(url="https://x.test/1", title=title, text=text, retrieved=datetime(2025, 5, 3, tzinfo=UTC))


def changes(old: str, new: str) -> Changes:
    return between(an_article(old), an_article(new))


def marked(paragraphs: tuple[Paragraph, ...]) -> list[str]:
    shape = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return ["".join(shape[piece.kind].format(piece.text) for piece in pieces) for pieces in paragraphs]


# Whether a quote stands


@pytest.mark.parametrize(
    "quote",
    [
        "It cost 12 million.",
        "It cost 12 million",
        "‘It holds’, the mayor said.",
        '"It holds" the\n mayor said',
        "The bridge opened on Friday: It cost 12 million",
    ],
)
def test_a_quote_stands_however_it_is_punctuated(quote: str) -> None:
    assert stands(quote, TEXT)
    moved = "\n\n".join(reversed(TEXT.split("\n\n")))
    assert stands(quote, moved)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("It cost 12 million.", "It cost 14 million."),
        ("It cost 1.2 million.", "It cost 12 million."),
        ("It cost €12.", "It cost $12."),
        ("It fell by 5%.", "It fell by 5."),
        ("It was 5 degrees.", "It was -5 degrees."),
        ("It was \u22125 degrees.", "It was 5 degrees."),
        ("The Polish bank won.", "The polish bank won."),
        ("He said so.", "She said so."),
        ("We are here.", "We were here."),
        ("Smith is guilty.", "Smith is not guilty."),
        ("over the bridge", "Moreover the bridges"),
        ("Он сказал да.", "Он сказал нет."),
        ("東京は晴れ。", "東京は雨。"),
        ("", "Anything."),
    ],
)
def test_a_quote_whose_words_differ_does_not_stand(quote: str, text: str) -> None:
    assert (stands(quote, text), where(quote, text)) == (False, None)


def test_it_is_told_where_the_quote_stands_now() -> None:
    assert TEXT[slice(*where("It holds the mayor said", TEXT) or ())] == "It holds,” the mayor said"
    assert TEXT[slice(*where("12 million", TEXT) or ())] == "12 million"
    assert where("\u22125", "It was -5.") == (7, 9)
    assert where("…", "And so on … and on") == (10, 11)


def test_the_nearest_passage_is_whole_sentences() -> None:
    def found(quote: str) -> str:
        span = nearest(quote, TEXT)
        return TEXT[slice(*span)] if span else ""

    assert found("It cost 13 million dollars.") == "It cost 12 million."
    assert (
        found("The bridge opened on Sunday. It cost 14 million.") == "The bridge opened on Friday. It cost 12 million."
    )
    assert found("Zebras are seldom seen here.") == ""
    assert nearest("Anything at all.", "…") is None


WORD = st.sampled_from(["the", "Mayor", "12.5", "don’t", "été", "мост", "東京", "-3", "a", "x"])
SENTENCE = st.lists(WORD, min_size=1, max_size=8).map(" ".join)
ANY = st.lists(st.one_of(SENTENCE, st.text(max_size=20)), max_size=8).map("\n\n".join).map(normalise)


@given(st.lists(SENTENCE, min_size=1, max_size=6), st.randoms())
def test_every_sentence_stands_in_any_order(parts: list[str], chance: object) -> None:
    shuffled = sorted(parts, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert all(stands(f"“{part.replace('’', chr(39))}!”", "\n\n".join(f"{one}." for one in shuffled)) for part in parts)


@given(ANY, ANY)
def test_what_stands_is_there_word_for_word(quote: str, text: str) -> None:
    span = where(quote, f"{text}\n\n{quote}")
    assert (span is None) == (quote == "")
    assert span is None or _key(f"{text}\n\n{quote}"[slice(*span)]) == _key(quote)


# What changed


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (TEXT.replace("12", "14"), ["The bridge opened on Friday. It cost [-12-] {+14+} million."]),
        (TEXT.replace("\n\n“It holds,” the mayor said.", ""), ["[-“It holds,” the mayor said.-]"]),
        (TEXT.replace(" It cost 12 million.", ""), ["The bridge opened on Friday. [-It cost 12 million.-]"]),
        (
            TEXT.replace("million.", "million. That is three times what had been planned."),
            ["The bridge opened on Friday. It cost 12 million. {+That is three times what had been planned.+}"],
        ),
        (
            TEXT.replace("Friday", "a Sunday").replace("town hall", "big new town hall"),
            [
                "The bridge opened on [-Friday-] {+a Sunday+}. It cost 12 million.",
                "The council will meet again on Tuesday in the {+big new+} town hall.",
            ],
        ),
        (TEXT.replace("The bridge", "Bridge"), ["[-The bridge-] {+Bridge+} opened on Friday. It cost 12 million."]),
        (f"Correction: the price was wrong.\n\n{TEXT}", ["{+Correction: the price was wrong.+}"]),
        (f"{TEXT}\n\nIt rained.", ["{+It rained.+}"]),
        ("Zebra.", [*(f"[-{part}-]" for part in TEXT.split("\n\n")), "{+Zebra.+}"]),
    ],
)
def test_changes_are_marked_word_by_word(new: str, expected: list[str]) -> None:
    found = changes(TEXT, new)
    assert (marked(found.paragraphs), found.moved, found.respelled, found.words) == (expected, 0, False, True)


@pytest.mark.parametrize(
    "new",
    [
        TEXT.replace("“It holds,”", '"It holds"'),
        TEXT.replace("\n\n", "\n"),
        TEXT.replace(". It", ": It"),
        TEXT.replace("\n\n", " "),
    ],
)
def test_punctuation_and_white_space_alone_are_no_change(new: str) -> None:
    found = changes(TEXT, new)
    assert (found.paragraphs, found.words) == ((), False)
    assert found.respelled == (new not in (TEXT.replace("\n\n", "\n"), TEXT.replace("\n\n", " ")))


def test_what_moved_is_no_change() -> None:
    parts = TEXT.split("\n\n")
    assert changes(TEXT, "\n\n".join([parts[2], parts[0], parts[1]])) == Changes((), (), (), 1, False)
    moved = changes(TEXT, "\n\n".join([parts[2], parts[0].replace("12", "14"), parts[1]]))
    assert marked(moved.paragraphs) == ["The bridge opened on Friday. It cost [-12-] {+14+} million."]


def test_sentences_that_were_joined_are_no_change_beside_one_that_is() -> None:
    joined = TEXT.replace("Friday. It", "Friday; It").replace("Tuesday", "Monday")
    assert marked(changes(TEXT, joined).paragraphs) == [
        "The council will meet again on [-Tuesday-] {+Monday+} in the town hall."
    ]


def test_a_changed_headline_and_changed_fields_are_told() -> None:
    old = replace(an_article(TEXT), outlet="The Courier", published=datetime(2025, 5, 2, tzinfo=UTC))
    new = replace(old, title="Bridge opens at last", authors=("Ann Lee", "Bo"), published=None)
    assert marked((between(old, new).title,)) == ["Bridge opens {+at last+}"]
    assert between(old, new).fields == (("authors", "", "Ann Lee, Bo"), ("published", "2025-05-02 00:00:00+00:00", ""))
    assert between(old, replace(old, title="Bridge, opens!")) == Changes((), (), (), 0, True)


def test_long_unchanged_stretches_are_cut() -> None:
    filler = " ".join(f"Sentence number {n} says nothing new at all." for n in range(60))
    [paragraph] = changes(f"{filler} It cost 12. {filler}", f"{filler} It cost 14. {filler}").paragraphs
    assert [piece.kind for piece in paragraph] == ["same", "removed", "same", "added", "same"]
    assert len(paragraph[0].text) < 200 > len(paragraph[-1].text)
    assert (paragraph[0].text[:2], paragraph[-1].text[-2:]) == (" …", "… ")


@given(ANY, ANY)
def test_no_word_is_lost(old: str, new: str) -> None:
    for pieces in [(reworded(old, new),), changes(f"{old}\n\nx", f"{new}\n\nx").paragraphs]:
        went, came = (
            Counter(word for one in pieces for piece in one if piece.kind == kind for word in _key(piece.text))
            for kind in ("removed", "added")
        )
        before, after = Counter(_key(old)), Counter(_key(new))
        assert before + came == after + went


@given(ANY)
def test_a_text_has_not_changed_from_itself(text: str) -> None:
    found = changes(f"{text}\n\nx", f"{text}\n\nx")
    assert found == Changes((), (), (), 0, False)
    assert all(stands(text[slice(*span)], text) for span in sentences(text))
