"""Correction notes: what an outlet says, in an article's own text, that it got wrong in it.

A note begins a paragraph with its label ("Correction:", "Berichtigung:"), or a sentence with what such notes say ("An
earlier version of this article ..."). An editor's note counts where it says that something was corrected. Articles that
tell of corrections do neither.
"""

import re
from collections.abc import Iterator
from itertools import islice

from corpus.article import Span

MAX_NOTE = 600  # characters that are shown of one
MOST = 3  # notes; a page with more lists the corrections of other articles
FEWEST = 2  # words behind a label; with fewer the next paragraph is the note

_LABELS = (
    *("corrections?", "clarifications?", "corrections? (?:and|&) clarifications?", "correction notice", "retraction"),
    *("corrections? (?:to|from) [^:\n]{3,60}", "correction appended", "amendment", "erratum", "errata"),
    *("korrektur(?:hinweis)?", "berichtigung", "richtigstellung", "klarstellung", "gegendarstellung"),
    *("correctif", "rectificatif", "rectification", "précision", "mise au point"),
    *("corrección", "rectificación", "aclaración", "fe de erro?ratas", "fe de err?or(?:es)?", "errata corrige"),
    *("correzione", "rettifica", "precisazione", "corre(?:ç|c|cç)ão", "retificação", "esclarecimento", "erramos"),
    *("correctie", "rectificatie", "verduidelijking", "rechtzetting", "sprostowanie", "korekta"),
    *("исправление", "поправка", "уточнение", "опровержение", "виправлення", "уточнення", "спростування"),
    *("düzeltme", "düzeltme ve özür", "tekzip"),
)
_EDITORS = (
    *("editor(?:[’']s|s[’']|s|ial)? note", "note (?:from|by) the editors?", "note to readers", "updated?"),
    *("anm(?:erkung|\\.) der redaktion", "hinweis der redaktion", "anm\\. d\\. red\\.?", "transparenzhinweis"),
    *("note de la rédaction", "ndlr", "nota del editor", "nota de (?:la )?redacción", "nota della redazione"),
    *("nota d[ae] redação", "nota do editor", "noot van de redactie", "naschrift(?: van de redactie)?"),
    *("от редакции", "примечание редакции", "від редакції", "примітка редакції", "editör(?:ün)? notu"),
)
_OPENING = r"[\W_]{0,4}(?:\d{1,2}[./]\d{1,2}[./]\d{2,4}\W{1,3})?"  # brackets, asterisks, a date
_DATED = r"(?:\s*[(,][^)\n:]{3,40}[),]?|\s+(?:on|of|am|vom)?\s*[\w., ]{3,24}\d{4})?"  # (May 3, 2025), of 3 May 2025
_LABEL = re.compile(rf"{_OPENING}(?:{'|'.join(_LABELS)}){_DATED}\s*(?:[:：—–]|-\s|\n|\.\s|\*)", re.IGNORECASE)
_EDITOR = re.compile(rf"{_OPENING}(?:{'|'.join(_EDITORS)}){_DATED}\s*[:：—–.\-*\n]", re.IGNORECASE)
_CORRECTS = re.compile(
    r"\b(?:correct(?:s|ed|ion|ing)|clarif(?:y|ies|ied|ication)|amended|retract(?:ed|ion)|misstated|misspelled"
    r"|misidentified|misattributed|incorrect(?:ly)?|inaccura\w+|erroneous(?:ly)?|in error|mistakenly"
    r"|(?:earlier|previous|prior|original) version"
    r"|korrigiert|berichtigt|fehlerhaft|irrtümlich|fälschlich\w*|richtiggestellt|früheren (?:version|fassung)"
    r"|corrigé|rectifié|erreur|version (?:précédente|antérieure)|corregido|rectificado|error|versión anterior"
    r"|corretto|rettificat|errore|versione precedente|corrigid|incorret|versão anterior"
    r"|gecorrigeerd|aangepast|onjuist|eerdere versie|исправлен|ошиб|уточнен|виправлен|помилк|düzeltil|hatal)",
    re.IGNORECASE,
)
_THING = (
    "(?:article|story|report|headline|post|piece|column|page|item|caption|graphic|newsletter|transcript|video|obituary"
    "|editorial|review|photo caption|summary|quiz|essay|analysis|interview)"
)
_SAYINGS = (
    rf"(?:in )?an? (?:earlier|previous|prior|original|initial|older) version of this {_THING}\b",
    rf"(?:in )?(?:earlier|previous|prior) versions of this {_THING}\b",
    rf"the original version of this {_THING}\b",
    rf"this {_THING} (?:(?:has|have) (?:since )?been|was)(?: \w+,?)? (?:corrected|amended)\b",
    rf"this {_THING} (?:(?:has|have) been|was) (?:updated|revised|edited|changed|modified)"
    r" (?:\w+ )?to (?:correct|clarify|fix|remove)\b",
    rf"this (?:\w+ \d+ |\w+ ){{0,3}}{_THING} (?:has been |was |is )?(?:corrected|corrects|refiled?s?) ",
    r"\((?:this .{3,60} )?(?:corrects|clarifies|refiles|removes) [^)\n]{5,300}\)",
    rf"(?:we|this {_THING}) (?:incorrectly|mistakenly|erroneously) (?:stated|said|reported|identified|named)\b",
    r"(?:in )?ein(?:e|er) (?:frühere|vorherige|vorige|ältere|erste|ursprüngliche)n?r? (?:version|fassung)"
    r" (?:dies\w+ \w+|des (?:artikels|textes|beitrags|berichts))\b",
    r"(?:in )?der ursprünglichen (?:version|fassung) dies\w+ \w+",
    r"(?:dieser|der) (?:artikel|text|beitrag) wurde (?:nachträglich )?(?:korrigiert|berichtigt)",
    r"(?:dans )?une (?:version (?:précédente|antérieure|initiale)|première version|précédente version)"
    r" de (?:cet|ce|cette) \w+",
    r"cet article a été (?:corrigé|rectifié|modifié)",
    r"(?:en )?una (?:versión (?:anterior|previa|inicial)|primera versión) de est[ea] \w+",
    r"est[ea] (?:artículo|noticia|información|texto) ha sido (?:corregid|rectificad|modificad)[oa]",
    r"(?:in )?una (?:versione (?:precedente|iniziale)|precedente versione|prima versione) di quest\W?\s?\w+",
    r"quest\W\s?articolo è stato (?:corretto|rettificato|modificato)",
    r"(?:em )?uma versão (?:anterior|inicial|prévia) dest[ea] \w+",
    r"est[ea] (?:texto|reportagem|artigo|matéria|notícia) foi (?:corrigid|retificad)[oa]",
    r"(?:in )?een (?:eerdere|vorige|oudere) versie van dit \w+",
    r"dit (?:artikel|bericht|stuk) is (?:gecorrigeerd|aangepast|gerectificeerd)",
    r"в (?:более ранней|предыдущей|первоначальной|прежней|первой|ранней) версии"
    r" (?:этого |этой |данного |данной )?(?:стать|материал|текст|новост|заметк|публикаци)\w+",
    r"у (?:попередній|ранішій|першій|початковій|ранній) версії"
    r" (?:цього |цієї |даного )?(?:статт|матеріал|текст|новин|публікаці)\w+",
    r"bu (?:haberin|yazının|makalenin|metnin) (?:daha )?(?:önceki|ilk|eski)(?: bir)? (?:versiyon|sürüm|hal|şekl)\w+",
    r"we wcześniejszej wersji (?:tego )?(?:artykułu|tekstu)",
)
_BEGIN = r"""(?:\A|(?<=[.!?…)\]”"»:*]\s)|(?<=\s[—–-]\s))[^\w\s"“”„«»‘’']{0,3}\s?"""  # of a sentence that is not quoted
_SAYING = re.compile(rf"{_BEGIN}(?:{'|'.join(_SAYINGS)})", re.IGNORECASE)
# One of these stands in whatever _SAYING finds; looking for them first is what makes this quick.
_HINTS = (
    *(
        "version",
        "versión",
        "versão",
        "versie",
        "fassung",
        "верси",
        "версі",
        "wersji",
        " correct",
        "(correct",
        "clarif",
    ),
    *(
        "(correct",
        "clarif",
        "amended",
        " refile",
        "(refile",
        "removes",
        "incorrectly",
        "mistakenly",
        "erroneously",
        " fix",
        " remove",
    ),
    *("korrigiert", "berichtigt", "corrigé", "rectifi", "modifi", "corregid", "corrett", "rettificat", "corrigid"),
    *("retificad", "gecorrigeerd", "aangepast", "bu haberin", "bu yazının", "bu makalenin", "bu metnin"),
)


def corrections(text: str) -> tuple[str, ...]:
    """The correction notes in an article's text, in its words, each cut to MAX_NOTE characters; () for none."""
    notes = [text[start:end] for start, end in islice(_found(text), MOST + 1)]
    if len(notes) > MOST:
        return ()
    return tuple(note if len(note) <= MAX_NOTE else f"{note[:MAX_NOTE].rsplit(' ', 1)[0]} …" for note in notes)


def _found(text: str) -> Iterator[Span]:
    paragraphs = [found.span() for found in re.finditer(r"[^\n]+", text)]
    done = 0
    for number, (start, end) in enumerate(paragraphs):
        if start >= done:
            after = paragraphs[number + 1][1] if number + 1 < len(paragraphs) else end
            note = _labelled(text, start, end, after) or _said(text, start, end)
            if note:
                done = note[1]
                yield note


def _labelled(text: str, start: int, end: int, after: int) -> Span | None:
    """The paragraph where it begins with a label; with the next one, which ends at `after`, where it is no more."""
    paragraph = f"{text[start : min(end, start + 200)]}\n"
    label = _LABEL.match(paragraph) or _EDITOR.match(paragraph)
    if label is None:
        return None
    end = after if len(paragraph[label.end() :].split()) < FEWEST else end
    note = text[start:end]
    fits = _is_note(note) if _LABEL.match(paragraph) else _CORRECTS.search(note)
    return (start, end) if fits else None


def _is_note(note: str) -> bool:
    """More than a label."""
    return len(note.split()) >= 5


def _said(text: str, start: int, end: int) -> Span | None:
    """From a sentence that says what correction notes say to the end of its paragraph."""
    paragraph = text[start:end]
    low = paragraph.lower()
    found = _SAYING.search(paragraph) if any(hint in low for hint in _HINTS) else None
    return (start + found.start(), end) if found else None
