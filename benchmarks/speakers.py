"""Who said it: the speaker of quotations and of reported speech, against PolNeAR's annotation.

    python -m benchmarks.speakers ATTRIBUTIONS.jsonl.gz [--part dev] [--ways]

Each line of the file is an article: split, text, attributions with the character spans of source, cue and content.
The task: for each attribution, given the article and the span from the first to the last character of its content,
say who the source is, or nothing. Content with quotation marks in it is direct; other content is indirect.
Content whose annotation names no source counts among the attributions; whatever is answered for it is wrong.

An answer is correct where the words it takes for the speaker beside the verb, or the name it shows, overlap the
annotated source (a possessor does not: Trump is not "Trump's spokesman"), or where the last word of the name that it
shows is a word of the annotated source, which must not be a pronoun. Precision is the share of the answers that are
correct, recall the share of all attributions that are answered correctly.

PolNeAR does not say whom a pronoun means: where source is "he", an answer is correct that goes by that "he", whomever
it takes him for. "names only" leaves those attributions and those answers out. How often a pronoun is taken for
the right person is measured apart ("as if he"): each surname before or behind a verb of saying is read as if it were
"he" or "she", and the person found is compared with it. Writers put a name where a pronoun would not be plain, so
that this is the harder half.

"in its sentences" gives the whole sentences around the content instead of its span, as the bot cites them.
Intervals: 95 %, from a thousand draws of articles.
"""

import argparse
import gzip
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from corpus.article import Span
from corpus.sentences import sentences
from retrieval.people import referent, sex
from retrieval.speaker import SURE, Attribution, attribution, scene_around

DRAWS = 1_000
SEED = 7
_QUOTED = re.compile("[“”\"«»„]|''")
_PRONOUN = re.compile(r"(?:i|we|you|he|she|it|they|who|his|her|their|my|our|him|them|its)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    article: int
    text: str
    content: Span
    source: tuple[Span, ...]

    @property
    def direct(self) -> bool:
        return bool(_QUOTED.search(self.text, *self.content))

    @property
    def pronoun(self) -> bool:
        return any(_PRONOUN.match(self.text[start:end]) for start, end in self.source)


@dataclass(frozen=True, slots=True)
class Result:
    case: Case
    found: Attribution | None
    right: bool


def cases(path: str, part: str) -> Iterator[Case]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, record in enumerate(map(json.loads, file)):
            for one in record["attributions"] if record["split"] == part else ():
                if content := one.get("content"):
                    source = tuple((start, end) for start, end in one.get("source", ()))
                    yield Case(number, record["text"], (content[0][0], content[-1][1]), source)


def is_right(case: Case, found: Attribution) -> bool:
    if any(_overlap(case.text, found.mention, span) or _overlap(case.text, found.name, span) for span in case.source):
        return True
    known = {word for start, end in case.source for word in re.findall(r"[\w.-]+", case.text[start:end])}
    return not case.pronoun and found.speaker.split()[-1] in known


def _overlap(text: str, said: Span, source: Span) -> bool:
    owns = text[said[1] : said[1] + 2] in ("'s", "’s")
    return source[0] < said[1] and said[0] < source[1] and not owns


def results(given: Iterable[Case], span: Callable[[Case], Span]) -> list[Result]:
    found = ((case, attribution(case.text, span(case), sure=0.0)) for case in given)
    return [Result(case, one, one is not None and is_right(case, one)) for case, one in found]


def in_sentences(case: Case) -> Span:
    start = case.text.rfind("\n", 0, case.content[0]) + 1
    end = case.text.find("\n", case.content[1])
    spans = sentences(case.text[start : end if end >= 0 else None])
    touched = [(a + start, b + start) for a, b in spans if a + start < case.content[1] and case.content[0] < b + start]
    return (touched[0][0], touched[-1][1]) if touched else case.content


def one_by_one(given: Iterable[Case]) -> Iterator[Case]:
    """Each sentence of each content as a case of its own."""
    for case in given:
        start, end = in_sentences(case)
        for first, last in sentences(case.text[start:end]):
            yield replace(case, content=(start + first, start + last))


def every_sentence(given: Iterable[Case]) -> Iterator[Case]:
    """All sentences of the articles, with the sources of every content that they touch; () where there is none."""
    articles: dict[int, list[Case]] = {}
    for case in given:
        articles.setdefault(case.article, []).append(case)
    for number, attributions in articles.items():
        text = attributions[0].text
        for start, end in sentences(text):
            touched = [one for one in attributions if one.content[0] < end and start < one.content[1]]
            source = tuple(dict.fromkeys(span for one in touched for span in one.source))
            yield Case(number, text, (start, end), source)


def figures(rows: Sequence[Result], sure: float) -> tuple[float, float]:
    answered = [one for one in rows if one.found is not None and one.found.confidence >= sure]
    right = sum(one.right for one in answered)
    return right / max(len(answered), 1), right / max(len(rows), 1)


def intervals(rows: Sequence[Result], sure: float) -> list[tuple[float, float]]:
    """Of precision and recall, drawing articles."""
    articles: dict[int, list[Result]] = {}
    for one in rows:
        articles.setdefault(one.case.article, []).append(one)
    drawn, draw = [], random.Random(SEED)
    for _ in range(DRAWS):
        sample = draw.choices(list(articles.values()), k=len(articles))
        drawn.append(figures([one for article in sample for one in article], sure))
    columns = [sorted(column) for column in zip(*drawn, strict=True)]
    return [(column[DRAWS // 40], column[-DRAWS // 40 - 1]) for column in columns]


def line(name: str, rows: Sequence[Result], sure: float) -> str:
    cells = [
        f"{value:.3f} [{low:.3f}, {high:.3f}]"
        for value, (low, high) in zip(figures(rows, sure), intervals(rows, sure), strict=True)
    ]
    return f"{name:34} {len(rows):6} {sure:6.2f}   " + "   ".join(cells)


def ways(rows: Sequence[Result]) -> Iterator[str]:
    """How each way of finding a speaker does, the most used first: what CONFIDENCE in retrieval/speaker.py holds."""
    used: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for one in rows:
        if one.found is not None:
            used[one.found.way] += 1
            right[one.found.way] += one.right
    for way, count in used.most_common():
        yield f"{way:34} {count:6} {right[way] / count:6.3f}"


def as_if_pronouns(rows: Iterable[Result]) -> tuple[int, int, int]:
    """Surnames read as pronouns: how many there are, how many are resolved, how many of those to that surname."""
    asked = resolved = right = 0
    for one in rows:
        if one.found is None or one.found.name == one.found.mention or not one.right or one.case.pronoun:
            continue
        scene = scene_around(one.case.text, one.found.mention)
        pronoun = sex(one.case.text, one.found.name)
        if scene is None or not pronoun:
            continue
        asked += 1
        start = one.found.mention[0] - scene.low
        mask = scene.mask[:start] + pronoun + scene.mask[start + len(pronoun) :]
        name = referent(one.case.text, scene.low, mask, (start, start + len(pronoun)))
        if name is not None:
            resolved += 1
            right += one.case.text[slice(*name)].split()[-1] == one.found.speaker.split()[-1]
    return asked, resolved, right


def main() -> None:
    parser = argparse.ArgumentParser(description="Speakers against PolNeAR's attributions.")
    parser.add_argument("attributions")
    parser.add_argument("--part", default="dev", choices=["train", "dev"])
    parser.add_argument("--ways", action="store_true", help="also print each way of finding a speaker")
    given = parser.parse_args()
    every = list(cases(given.attributions, given.part))
    direct, indirect = [one for one in every if one.direct], [one for one in every if not one.direct]
    start = time.perf_counter()
    rows = results(direct, lambda case: case.content)
    pace = (time.perf_counter() - start) / len(direct) * 1e3
    named = [one for one in rows if not one.case.pronoun and not (one.found and one.found.way.endswith("pronoun"))]
    print(f"{given.part:34} {'n':>6} {'sure':>6}   {'precision':21}   {'recall':21}")
    for sure in (0.0, 0.9, 0.95, 0.97, 0.98):
        print(line("direct", rows, sure))
    print(line("direct, names only", named, SURE))
    print(line("direct, in its sentences", results(direct, in_sentences), SURE))
    single = results(one_by_one(direct), lambda case: case.content)
    print(line("direct, a sentence at a time", single, SURE))
    reported = results(indirect, lambda case: case.content)
    print(line("indirect", reported, 0.0))
    print(line("indirect", reported, SURE))
    whole = list(every_sentence(every))
    quoting = results([one for one in whole if one.direct], lambda case: case.content)
    plain = results([one for one in whole if not one.direct], lambda case: case.content)
    print(line("all sentences that quote", quoting, SURE))
    print(line("all other sentences", plain, SURE))
    print("as if he: {} surnames, {} resolved, {} of them rightly".format(*as_if_pronouns(rows)))
    print(f"{pace:.2f} ms a quotation")
    if given.ways:
        print("", *ways(rows), "", *ways(single), "", *ways(reported), "", *ways(plain), sep="\n")


if __name__ == "__main__":
    main()
