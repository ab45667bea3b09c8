"""Sentence splitters side by side: hand-made news cases, and speed.

    python -m benchmarks.sentences ARTICLES.jsonl.gz

A library that is not installed is said to be so. Each is told the language of a case; ours finds out by itself.
"""

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

from corpus.article import normalise
from corpus.sentences import sentences

Splitter = Callable[[str, str], Iterable[str]]  # language, text -> sentences

SPEED_SECONDS = 5.0  # for each candidate

# (language, text): ¦ stands where a sentence begins.
CASES: tuple[tuple[str, str], ...] = (
    ("en", "U.S. President Joe Biden spoke. ¦He then left."),
    ("en", "He met Gen. Smith and Lt. Col. Jones. ¦They talked."),
    ("en", "They met at No. 10 Downing Street. ¦It rained."),
    ("en", "It cost 3.5 million dollars. ¦That is $4.2bn. ¦It is much."),
    ("en", "J. K. Rowling wrote it. ¦George W. Bush read it."),
    ("en", "At 8 a.m. Tuesday the polls opened. ¦They closed at 9 p.m. ET on time."),
    ("en", "He woke at 8 a.m. ¦The polls had opened."),
    ("en", "Apple Inc. said profit rose. ¦Alphabet Inc. Chief Executive Sundar Pichai agreed."),
    ("en", "Sen. Lisa Murkowski voted no. ¦Rep. Al Green and Gov. Kay Ivey did not."),
    ("en", "The Jan. 6 committee met. ¦It will meet again on Sept. 12 or Dec. 3."),
    ("en", "It was Alabama vs. Georgia. ¦Roe v. Wade was overturned."),
    ("en", "He lives in the U.S. ¦The rest is history."),
    ("en", "In Washington, D.C., Mayor Bowser spoke. ¦The U.K. Prime Minister listened."),
    ("en", "“We leave. We won't come back,” he said."),
    ("en", '"We leave. We won\'t come back," he said. ¦Then he left.'),
    ("en", "“We leave,” he said. ¦“We won't come back.” ¦Then he left."),
    ("en", "‘We leave. We don’t come back,’ he said. ¦Then he left."),
    ("en", "'We leave. We don't come back,' he said. ¦Then he left."),
    ("en", "“Did we lose?” Smith asked. ¦Nobody answered."),
    ("en", '"Did we lose?" the mayor asked. ¦Nobody answered.'),
    ("en", "“We won!” President Joe Biden said. ¦“It is over.”"),
    ("en", "“We lost.” ¦The minister spoke after the vote."),
    ("en", "He said: “Stay. Now.” ¦They stayed."),
    ("en", '"We go. ¦We stay. ¦He said "no" to us. ¦Then he left.'),
    ("en", "“We go. ¦He stayed here. ¦Then they left."),
    ("en", "The boys' club closed. ¦It was the players' choice. ¦The '90s were over."),
    ("en", "He said he was … unsure. ¦Then he left."),
    ("en", "“I… I don't know,” he said. ¦Then he left."),
    ("en", "Well ... he may be right. ¦Who knows?"),
    ("en", "Is it over? ¦It is! ¦Good."),
    ("en", "Yahoo! Inc. said so. ¦Panic! at the Disco played."),
    ("en", "St. Louis and Ft. Worth are cities. ¦Mt. Everest is not."),
    ("en", "Robert F. Kennedy Jr. spoke. ¦Ms. Lee met Ms. Park. ¦Mrs. May left."),
    ("en", "J.D. Vance and B.B. King met. ¦A.M. Best rated them."),
    ("en", "Spc. Adams, Amb. Jones and Atty. Gen. Bonta came. ¦Nobody else did."),
    ("en", "1. The first thing happened. ¦It was good."),
    ("en", "• The first thing happened. ¦It was good."),
    ("en", "WASHINGTON (Reuters) - He left. ¦She stayed (for now). ¦It ended."),
    ("en", "(He left. She too.) ¦Then it ended."),
    ("en", "The headline\n¦The first paragraph. ¦Its second sentence\n\n¦The next paragraph"),
    ("en", "He saw it on Amazon.com. ¦He paid $3.50 for it."),
    ("en", "The vote was 5-4. ¦In 2020. ¦It was won by 0.5 points."),
    ("en", "The show, e.g. this one, i.e. the best, etc., ended. ¦It was fun."),
    ("de", "Das gilt z. B. für Berlin und die Stadt Bonn. ¦Dr. Müller sagte das nicht."),
    ("de", "Er kam am 3. Oktober nach Berlin und das ist gut. ¦Er blieb."),
    ("de", "„Wir gehen. Wir kommen nicht zurück“, sagte er. ¦Dann ging er."),
    ("fr", "Hier, M. Macron a parlé dans la ville pour les élus. ¦Il est parti."),
    ("fr", "« Nous partons. Nous ne revenons pas », a-t-il dit pour les élus. ¦Il est parti."),
    ("es", "El Sr. Pérez y la Sra. López hablaron de los problemas en EE. UU. por la tarde. ¦Se fueron."),
    ("es", "¿Qué pasó con los votos? ¦¡Nada! ¦Se fueron por la tarde."),
    ("ru", "В 2020 г. он жил в г. Москве. ¦Это стоит 5 млн руб. в год. ¦Он не был там."),
    ("ru", "«Мы уходим. Мы не вернёмся», — сказал он. ¦Потом он ушёл."),
    ("uk", "У 2020 р. він жив у м. Києві. ¦Це коштує 5 тис. грн на рік. ¦Він не був там."),
)


def expected(case: str) -> list[str]:
    return [" ".join(part.split()) for part in case.split("¦")]


def correct(split: Splitter) -> list[bool]:
    results = []
    for language, case in CASES:
        found = [" ".join(part.split()) for part in split(language, normalise(case.replace("¦", "")))]
        results.append([part for part in found if part] == expected(case))
    return results


def ours(language: str, text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def sentencex(language: str, text: str) -> list[str]:
    return list(import_module("sentencex").segment(language, text))


def pysbd(language: str, text: str) -> list[str]:
    known = language if language in ("en", "de", "fr", "es", "ru") else "en"
    return [str(part) for part in _pysbd(known).segment(text)]


@cache
def _pysbd(language: str) -> Any:
    return import_module("pysbd").Segmenter(language=language, clean=False)


def syntok(language: str, text: str) -> list[str]:
    paragraphs = import_module("syntok.segmenter").analyze(text)
    return ["".join(token.spacing + token.value for token in part) for whole in paragraphs for part in whole]


def nltk(language: str, text: str) -> list[str]:
    """Punkt without its trained data, which is a separate download."""
    return list(_punkt().tokenize(text))


@cache
def _punkt() -> Any:
    return import_module("nltk.tokenize.punkt").PunktSentenceTokenizer()


def blingfire(language: str, text: str) -> list[str]:
    _, spans = import_module("blingfire").text_to_sentences_and_offsets(text)
    return [text[start:end] for start, end in spans]


CANDIDATES: dict[str, Splitter] = {
    splitter.__name__: splitter for splitter in (sentencex, pysbd, syntok, nltk, blingfire)
}


def speed(split: Splitter, texts: Sequence[str]) -> float:
    """Millions of characters per second, over as many of the texts as SPEED_SECONDS allow."""
    done, start = 0, time.perf_counter()
    for text in texts:
        split("en", text)
        done += len(text)
        if time.perf_counter() - start > SPEED_SECONDS:
            break
    return done / 1e6 / (time.perf_counter() - start)


def row(name: str, split: Splitter, texts: Sequence[str]) -> str:
    try:
        release = "" if split is ours else version(name)
        results = correct(split)
    except ImportError:
        return f"{name:10} not installed"
    wrong = [str(number) for number, right in enumerate(results) if not right]
    score = f"{sum(results):3} of {len(CASES)}"
    return f"{name:10} {release:8} {score} {speed(split, texts):8.2f} MB/s  wrong: {' '.join(wrong) or '-'}"


def main() -> None:
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as file:
        texts = [normalise(json.loads(record)["text"]) for record in file]
    for name, split in {"ours": ours, **CANDIDATES}.items():
        print(row(name, split, texts), flush=True)


if __name__ == "__main__":
    main()
