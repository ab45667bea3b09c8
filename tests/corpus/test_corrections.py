import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.corrections import MAX_NOTE, corrections

REPO = Path(__file__).resolve().parents[2]
NEWS = REPO.parent / "shared" / "bench" / "realtimeqa-small" / "articles.jsonl.gz"
ABOVE = "The bridge opened on Friday.\n\nIt holds, the mayor said.\n\n"


@pytest.mark.parametrize(
    "note",
    [
        "Correction: The bridge cost 14 million, not 12.",
        "CORRECTION (May 3, 2025): The name of the mayor was misspelled.",
        "*Clarification: The company says it did not fire anyone.*",
        "Corrections & Clarifications: The mayor is Ann Lee, not Ann Leigh.",
        "Corrections and clarifications\n\nThe mayor is Ann Lee, not Ann Leigh.",
        "An earlier version of this article misstated the price.",
        "This story has been corrected to say that it cost 14 million.",
        "This story was updated to correct the price of the bridge.",
        "Editor’s note: This article has been corrected to say four.",
        "(Corrects paragraph 3 to show the price was 14 million)",
        "(This May 5 story has been corrected to say 14 million, paragraph 2)",
        "Korrektur: In der ersten Fassung stand ein falscher Name.",
        "Berichtigung vom 3. Mai 2025: Der Bürgermeister heißt Lee.",
        "In einer früheren Version dieses Artikels hieß es, die Brücke koste 12 Millionen.",
        "Anmerkung der Redaktion: Wir haben den Namen korrigiert.",
        "Rectificatif : le pont a coûté 14 millions d’euros.",
        "Une version précédente de cet article indiquait un prix faux.",
        "Corrección: el puente costó 14 millones de euros.",
        "Una versión anterior de este artículo decía 12 millones.",
        "Fe de errores: el alcalde se llama Lee.",
        "Errata corrige: il ponte è costato 14 milioni.",
        "Una versione precedente di questo articolo riportava 12.",
        "Correção: a ponte custou 14 milhões de euros.",
        "Uma versão anterior deste texto informava 12 milhões.",
        "Correctie: de brug kostte 14 miljoen, niet 12.",
        "In een eerdere versie van dit artikel stond 12 miljoen.",
        "Исправление: мост стоил 14 миллионов, а не 12.",
        "В более ранней версии этой статьи говорилось о 12 миллионах.",
        "От редакции: в тексте исправлена ошибка в имени мэра.",
        "Виправлення: міст коштував 14 мільйонів, а не 12.",
        "У попередній версії цієї статті йшлося про 12 мільйонів.",
        "Sprostowanie: most kosztował 14 milionów, nie 12.",
        "Düzeltme: Köprü 12 değil 14 milyona mal oldu.",
        "Bu haberin önceki versiyonunda köprünün 12 milyona mal olduğu yazıyordu.",
    ],
)
def test_a_correction_note_is_found_above_and_below(note: str) -> None:
    assert corrections(ABOVE + note) == (note,)
    assert corrections(f"{note}\n\n{ABOVE.strip()}") == (note,)


@pytest.mark.parametrize(
    "text",
    [
        "Correction:",
        "Correction territory: stocks fell.",
        "The market correction deepened on Friday, and an earlier version of the bill was rejected.",
        "Corrections officers were attacked. The Department of Correction: no comment.",
        "The paper published a correction on Friday. It said the story had been corrected.",
        "“An earlier version of this story misstated the year,” the Times wrote in a note.",
        "The Times said an earlier version of its story was wrong.",
        "In an earlier version of the story, the hero dies.",
        "Editor’s note: Ann Lee is a professor of law. The views are her own.",
        "This story has been updated with additional information.",
        "Updated: May 3, 2025",
        "Clarification is needed, the minister said.",
        "In einer früheren Version des Gesetzes stand etwas anderes.",
        "Die Korrektur der Zahlen war nötig.",
        "La correction des prix continue.",
    ],
)
def test_an_article_about_corrections_has_none(text: str) -> None:
    assert corrections(ABOVE + text) == ()


def test_a_note_behind_a_sentence_begins_where_it_begins() -> None:
    note = "An earlier version of this article misstated the price. It was 14."
    assert corrections(f"{ABOVE}It rained. {note}\n\nMore.") == (note,)


def test_a_page_that_lists_corrections_has_none_of_its_own() -> None:
    listed = [f"{day} May: A previous version of this story misstated figure {day}." for day in range(1, 6)]
    assert corrections("\n\n".join(listed)) == ()


def test_a_long_note_is_cut() -> None:
    [note] = corrections("Correction: " + "It was not so at all. " * 60)
    assert len(note) <= MAX_NOTE + 2
    assert note.endswith(" …")


@given(st.lists(st.sampled_from(["Correction", ":", "\n", " ", "An earlier version of this article", "(", "x", "."])))
def test_what_is_found_stands_in_the_text(parts: list[str]) -> None:
    text = "".join(parts).strip()
    assert all(note.removesuffix(" …") in text for note in corrections(text))


def test_few_news_articles_have_one() -> None:
    if not NEWS.exists():
        pytest.skip(f"{NEWS} is missing: correction notes are NOT looked for in real articles")
    with gzip.open(NEWS, "rt", encoding="utf-8") as lines:
        found = [notes for line in lines if (notes := corrections(json.loads(line)["text"]))]
    assert 3 <= len(found) <= 30
    words = ("correct", "clarif", "earlier version", "previous version")
    assert all(any(word in note.lower() for word in words) for notes in found for note in notes)
