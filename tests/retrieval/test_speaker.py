"""Who said it. A wrong name is the worst answer, so that half of these cases are of nobody."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.sentences import sentences
from retrieval.speaker import Attribution, attribution


def who(text: str, sure: float = 0.9) -> str:
    """The speaker of what stands in ⟦ ⟧, and the cue."""
    start = text.index("⟦")
    end = text.index("⟧") - 1
    found = attribution(text.replace("⟦", "").replace("⟧", ""), (start, end), sure)
    return f"{found.speaker} | {found.cue}" if found else ""


# Direct speech: the name behind the quotation, within it, before it.
DIRECT = {
    "⟦“The bridge is safe,” Mayor Ada Brunner said.⟧": "Mayor Ada Brunner | said",
    "⟦“The bridge is safe,” said Mayor Ada Brunner.⟧": "Mayor Ada Brunner | said",
    '⟦"The bridge is safe," said Ada Brunner, who became mayor in May.⟧': "Ada Brunner | said",
    "⟦«The bridge is safe», said Ada Brunner.⟧": "Ada Brunner | said",
    "⟦''The bridge is safe,'' Ms. Brunner said on Monday.⟧": "Ms. Brunner | said",
    "⟦“Is the bridge safe?” asked Ada Brunner.⟧": "Ada Brunner | asked",
    "⟦“The bridge,” Ada Brunner said, “is safe.”⟧": "Ada Brunner | said",
    "⟦Ada Brunner said: “The bridge is safe.”⟧": "Ada Brunner | said",
    "⟦Ada Brunner told the Courier, “The bridge is safe.”⟧": "Ada Brunner | told",
    "⟦Brunner called the bridge “perfectly safe” for now.⟧": "Brunner | called",
    "⟦Brunner was quoted as saying “the bridge is perfectly safe”.⟧": "Brunner | quoted",
    "⟦“The bridge is safe,” Ada Brunner, 51, the mayor of Lindau, said.⟧": "Ada Brunner | said",
    "⟦Ada Brunner, the mayor of Lindau, said: “The bridge is safe.”⟧": "Ada Brunner | said",
    "⟦“The bridge is safe,” Brunner’s spokesman said.⟧": "Brunner’s spokesman | said",
    "⟦“It is safe,” said Brunner's chief of staff, Tom Okafor.⟧": "Brunner's chief of staff, Tom Okafor | said",
    "⟦“The bridge is safe,” said a spokeswoman for the railway.⟧": "a spokeswoman for the railway | said",
    "⟦“The bridge is safe,” according to the ministry.⟧": "the ministry | according to",
    "⟦The bridge is “perfectly safe”, Brunner said.⟧": "Brunner | said",
    "⟦The Transport Ministry tweeted: “The bridge is safe.”⟧": "The Transport Ministry | tweeted",
    "⟦“Wir sind sicher,” said U.S. Sen. Lee Park (R-Ohio).⟧": "U.S. Sen. Lee Park | said",
}

# A sentence that is all quotation: its neighbours tell.
NEIGHBOURS = {
    "“The bridge is safe,” Ada Brunner said. ⟦“It will stay open all winter.”⟧": "Ada Brunner | said",
    "⟦“It will stay open all winter. The bridge is safe,” Ada Brunner said.⟧": "Ada Brunner | said",
    "⟦“The bridge is safe.”⟧ “It will stay open,” said Ada Brunner.": "Ada Brunner | said",
    "⟦“The bridge is safe,” Ada Brunner said. “It will stay open.”⟧": "Ada Brunner | said",
    "Ada Brunner wrote:\n\n⟦“The bridge is safe. It will stay open.”⟧": "Ada Brunner | wrote",
    "“It is safe,” Ada Brunner said. “We looked at it.\n\n⟦“It will stay open.”⟧": "Ada Brunner | said",
    "Ada Brunner said the bridge was safe.\n\n⟦“It will stay open.”⟧": "Ada Brunner | said",
}

INDIRECT = {
    "⟦Ada Brunner said that the bridge was safe.⟧": "Ada Brunner | said",
    "⟦The bridge was safe, Ada Brunner said on Monday.⟧": "Ada Brunner | said",
    "⟦Lindau (AP) — Ada Brunner said that the bridge was safe.⟧": "Ada Brunner | said",
    "⟦(CNN) Ada Brunner said on Monday that the bridge was safe.⟧": "Ada Brunner | said",
    "⟦LINDAU – Ada Brunner said that the bridge was safe.⟧": "Ada Brunner | said",
    "⟦The bridge was safe, said Ada Brunner.⟧": "Ada Brunner | said",
    "⟦According to Ada Brunner, the bridge was safe.⟧": "Ada Brunner | According to",
    "⟦The bridge was safe, according to Ada Brunner.⟧": "Ada Brunner | according to",
    "⟦Russia demanded the withdrawal of all troops.⟧": "Russia | demanded",
    "⟦Russia demanded the withdrawal of all troops, spokesman Dmitry Peskov said.⟧": "spokesman Dmitry Peskov | said",
    "⟦Brunner on Tuesday warned that the bridge would have to close.⟧": "Brunner | warned",
    "⟦But Brunner, in a letter, has denied that the bridge is old.⟧": "Brunner | denied",
}

# The full name from its first mention, and whom he or she stands for.
IN_FULL = {
    "Mayor Ada Brunner came by boat.\n\n⟦“The bridge is safe,” Brunner said.⟧": "Ada Brunner | said",
    "Mayor Anna Brunner came by boat.\n\n⟦“The bridge is safe,” she said.⟧": "Mayor Anna Brunner | said",
    "“It is old,” Anna Brunner said.\n\n⟦“The bridge is safe,” she added.⟧": "Anna Brunner | added",
    "Anna Brunner met Peter Falk.\n\n⟦“The bridge is safe,” she said.⟧": "Anna Brunner | said",
    "Peter Falk said Mark Stone was wrong.\n\n⟦“The bridge is safe,” he said.⟧": "Peter Falk | said",
    "Anna Brunner and Tom Brunner came.\n\n⟦“The bridge is safe,” Brunner said.⟧": "Brunner | said",
    "Peter Falk and Mark Stone came.\n\n⟦“The bridge is safe,” he said.⟧": "",
    "Peter Falk met Mark Stone. Stone laughed at Falk.\n\n⟦“The bridge is safe,” she said.⟧": "",
    "Peter Falk was there. A farmer came by.\n\n⟦“The bridge is safe,” he said.⟧": "",
    "Peter Falk was there.\n\nThe mayor said it was late.\n\n⟦“The bridge is safe,” he said.⟧": "",
    "⟦“The bridge is safe,” he said.⟧": "",
    "⟦“The bridge is safe,” they said.⟧": "",
}

NOBODY = [
    "⟦The bridge was closed for the winter.⟧",
    "⟦Brunner Calls Bridge Safe⟧",
    "⟦“Old Bridge” is a book about the river.⟧",
    "⟦“The bridge is safe.”⟧",
    "“It is safe,” Ada Brunner said.\n\nRain fell.\n\n⟦“It will stay open.”⟧",
    "⟦Ada Brunner did not say that the bridge was safe.⟧",
    "⟦Ada Brunner declined to say whether the bridge was safe.⟧",
    "⟦After Brunner said the bridge was safe, traffic doubled.⟧",
    "⟦Brunner said the bridge was safe, but Falk said it was not.⟧",
    "⟦“It is safe,” Brunner said, while Falk said “it is a ruin of a bridge”.⟧",
    "⟦“It is safe,” Ada Brunner said. “It is not safe,” Peter Falk said.⟧",
    "⟦“It is safe,” Ada Brunner said. The bridge was closed in 1990.⟧",
    "⟦Ada Brunner was told that the bridge was safe.⟧",
    "⟦Ada Brunner wrote a letter to the railway.⟧",
    "⟦Sixty percent of drivers said the bridge was safe.⟧",
    "⟦“It is safe,” some say.⟧",
    "⟦Tanks and soldiers take part in an exercise called “Cold Bridge 2022”.⟧",
    "⟦Brunner said:⟧",
]


@pytest.mark.parametrize(("text", "expected"), {**DIRECT, **NEIGHBOURS, **INDIRECT, **IN_FULL}.items())
def test_the_speaker_is_named(text: str, expected: str) -> None:
    assert who(text) == expected


@pytest.mark.parametrize("text", NOBODY)
def test_nobody_is_named(text: str) -> None:
    assert who(text) == ""


def test_each_part_is_at_its_place() -> None:
    text = "Peter Falk came.\n\n“The bridge is safe,” he said."
    start = text.index("“")
    assert attribution(text, (start, len(text))) == Attribution(
        speaker="Peter Falk",
        cue="said",
        name=(0, 10),
        verb=(text.index("said"), len(text) - 1),
        mention=(text.index("he said"), text.index(" said")),
        way="after pronoun",
        confidence=0.98 * 0.98,
    )


def test_only_what_is_asked_about_counts() -> None:
    text = "“It is safe,” Ada Brunner said, while Peter Falk called it “a ruin of a bridge”."
    first, second = text.index("“"), text.rindex("“")
    asked = [(first, text.index("”")), (second, text.rindex("”")), (first, len(text))]
    found = [attribution(text, span, sure=0.8) for span in asked]
    assert [one.speaker if one else "" for one in found] == ["Ada Brunner", "Peter Falk", ""]


def test_a_surer_answer_may_be_asked_for() -> None:
    text = "⟦Ada Brunner said that the bridge was safe.⟧"
    assert who(text, sure=0.94) == "Ada Brunner | said"
    assert who(text, sure=0.99) == ""


PIECES = st.sampled_from(
    [
        *("“", "”", '"', "''", "'", "«", "»", "„", "‘", "’", ",", ".", ":", "?", "—", "(", ")", "\n", "\n\n", "\ue000"),
        *("said", "says", "told", "saying", "according to", "who", "he", "she", "He", "Peter", "Falk", "Mr.", "Anna"),
        *("Falk's", "the mayor", "that", "and", "but", "was", "on Monday", "İstanbul", "ǅ", "39", "x" * 70, "\n\x1f\n"),
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=60).map(" ".join)), st.data())
@example("Ad. He said. “", None)
def test_any_text_has_a_speaker_in_its_own_words_or_none(text: str, data: st.DataObject | None) -> None:
    spans = [(0, len(text)), *sentences(text)]
    if data is not None and text:
        start = data.draw(st.integers(0, len(text) - 1))
        spans.append((start, data.draw(st.integers(start + 1, len(text)))))
    for span in spans:
        found = attribution(text, span, sure=0.0)
        if found is not None:
            assert (text[slice(*found.name)], text[slice(*found.verb)]) == (found.speaker, found.cue)
            assert found.speaker.strip()
            assert found.cue.strip()
            assert text[slice(*found.mention)].strip()
            assert 0 < found.confidence <= 1


@pytest.mark.parametrize(
    "unit",
    [
        "Peter Falk said. ",
        "“x” said Falk “y” ",
        "Falk, ",
        '"',
        "“",
        "'A",
        "‘",
        "he said ",
        "Anna Falk ",
        "\n",
        "(",
        "A-",
    ],
)
def test_a_hostile_text_takes_no_time(unit: str) -> None:
    text = unit * (2_000_000 // len(unit)) + "\n\n" + unit * 200 + "he said: “It is over.”"
    start = text.rindex("\n") + 1
    begun = time.perf_counter()
    attribution(text, (len(text) - 20, len(text)))
    attribution(text, (start, min(start + 1_000, len(text))))
    attribution(text, (1_000_000, 1_000_500))
    assert time.perf_counter() - begun < 1.0
