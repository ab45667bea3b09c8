"""Questions made by rule, to train the cross-encoder on what the sets have too little of.

- **Swapped**: a name or a number of a question is exchanged for another, in the question, in the window or in both, so
  that the two agree or do not. It teaches to compare every part of a question with the text, as questions do that only
  look answerable (SQuAD 2.0: Rajpurkar et al., ACL 2018, who had people write them). That questions and texts are
  exchanged alike keeps the exchange itself from telling.
- **Turned**: a word's opposite, or "not", put into a question.
- **Cloze**: a sentence of the news with one name or number asked for, against other reports that hold it.
- **Headlines** against windows of their own article and of others.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.train_reader.data import (
    SMALL,
    Group,
    Pair,
    Text,
    Weights,
    article_texts,
    cut,
    found,
    nearest,
    rows,
)
from corpus.article import Span

NAME = re.compile(r"(?<=[\w,;] )(?:[A-Z][\w’'.-]*[\w](?: (?:of|the|and|de|van|von|al|bin) (?=[A-Z])| )?)+(?<! )")
NUMBER = re.compile(r"\$?\d[\d,.]*\d(?:st|nd|rd|th)?\b|\b\d+(?:st|nd|rd|th)?\b")
OPPOSITES = """first/last most/least highest/lowest before/after more/fewer north/south east/west northern/southern
eastern/western increase/decrease increased/decreased largest/smallest biggest/smallest best/worst
earliest/latest old/new oldest/newest men/women male/female right/left win/lose won/lost begin/end
began/ended opened/closed start/stop inside/outside always/never above/below good/bad like/dislike
liked/disliked strong/weak cheap/expensive easy/hard high/low long/short early/late minimum/maximum
positive/negative public/private major/minor rich/poor rise/fall rose/fell gained/lost arrive/leave
buy/sell bought/sold supported/opposed support/oppose accept/reject accepted/rejected allow/ban
allowed/banned""".split()
OPPOSITE = {a: b for pair in OPPOSITES for a, b in (pair.split("/"), pair.split("/")[::-1])}
AUXILIARY = re.compile(r"\b(is|are|was|were|did|does|do|can|could|will|would|has|have|had|should)\b")
NOT_NAMES = frozenset(
    "I I'm I'd I've I'll January February March April May June July August September October November December Monday "
    "Tuesday Wednesday Thursday Friday Saturday Sunday Mr Mrs Ms Dr The A An In On At But And".split()
)


def named(text: str) -> list[str]:
    """Names and numbers of a text, as they stand there; its first word is none."""
    found = [*NAME.findall(text), *NUMBER.findall(text)]
    return list(dict.fromkeys(one for one in found if one not in NOT_NAMES and len(one) > 1))


def swapped(groups: Sequence[Group], rng: random.Random) -> Iterator[Group]:
    """Of groups with a relevant window that has a span: up to two new groups each."""
    names = [one for group in groups for one in named(group[0].text)]
    for group in groups:
        right = group[0]
        if not right.relevant or right.span is None:
            continue
        answer = right.text[slice(*right.span)]
        asked = [one for one in named(right.question) if one not in answer and answer not in one]
        if not asked:
            continue
        one = rng.choice(asked)
        alike = [name for name in named(right.text) if _alike(name, one, right.question) and name not in answer]
        if alike and rng.random() < 0.5:
            yield (_impossible(right, _with(right.question, one, rng.choice(alike))),)
        elif _word(one).search(right.text):
            other = _another(names, one, f"{right.question} {right.text}", rng)
            if other and (moved := _moved(right, one, other)):
                question = _with(right.question, one, other)
                yield (right, _impossible(moved, right.question), *group[1:])
                yield (_asked(moved, question), _impossible(right, question))


def turned(groups: Sequence[Group], rng: random.Random) -> Iterator[Group]:
    """Questions that ask for the opposite, which the window does not tell; and windows turned along with them."""
    for group in groups:
        right = group[0]
        if not right.relevant or right.span is None:
            continue
        words = [word for word in re.findall(r"[a-z]+", right.question) if word in OPPOSITE]
        if words:
            word = rng.choice(words)
            question = _with(right.question, word, OPPOSITE[word])
            if _word(OPPOSITE[word]).search(right.text):
                continue
            yield (_impossible(right, question),)
            if _word(word).search(right.text) and (moved := _moved(right, word, OPPOSITE[word])):
                yield (_asked(moved, question), _impossible(right, question))
        elif rng.random() < 0.15 and AUXILIARY.search(right.question):
            yield (_impossible(right, AUXILIARY.sub(r"\1 not", right.question, count=1)),)


def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")


def _with(text: str, one: str, other: str) -> str:
    return _word(one).sub(lambda _: other, text)


def _alike(name: str, one: str, question: str) -> bool:
    """Whether it may take its place: both numbers or neither, and nothing of it in the question."""
    return name[-1].isdigit() == one[-1].isdigit() and not set(name.split()) & set(question.split())


def _another(names: Sequence[str], one: str, absent: str, rng: random.Random) -> str:
    for name in rng.sample(names, 30):
        if _alike(name, one, absent) and abs(len(name.split()) - len(one.split())) < 2:
            return name
    return ""


def _impossible(pair: Pair, question: str) -> Pair:
    return Pair(question, pair.title, pair.text, pair.sentences, tuple(0 for _ in pair.labels), relevant=False)


def _asked(pair: Pair, question: str) -> Pair:
    return Pair(question, pair.title, pair.text, pair.sentences, pair.labels, True, pair.span)


def _moved(pair: Pair, one: str, other: str) -> Pair | None:
    """The pair with its window changed, and every offset after it; None where the answer's own words would change."""
    places = [match.span() for match in _word(one).finditer(pair.text)]
    if pair.span is None or any(a < pair.span[1] and pair.span[0] < b for a, b in places):
        return None

    def to(at: int) -> int:
        return at + sum(len(other) - len(one) for _, b in places if b <= at)

    spans = tuple((to(a), to(b)) for a, b in pair.sentences)
    span = to(pair.span[0]), to(pair.span[1])
    return Pair(pair.question, pair.title, _with(pair.text, one, other), spans, pair.labels, pair.relevant, span)


# Of the news


def cloze(folder: Path, rng: random.Random, most: int, depth: int = 30) -> Iterator[Group]:
    """A sentence of each article, one of its names or numbers asked for; where it stands itself is left out mostly."""
    articles = rows(folder / "realtimeqa-2023-articles.jsonl.gz")
    texts = article_texts(articles)
    whole = [f"{title} {text}" for title, text, _ in texts]
    weigh = Weights(whole)
    made = [one for n in rng.sample(range(len(texts)), min(len(texts), 2 * most)) if (one := _cloze(texts[n], rng))]
    near = nearest([question for question, _, _ in made], whole, depth)
    told = 0
    for (text, answer, source), places in zip(made, near, strict=True):
        others = [texts[p] for p in places if source not in texts[p][1] or rng.random() < 0.3]
        group = found(weigh(text), [answer], others, rng)
        if any(pair.relevant for pair in group) and len(group) > 2 and told < most:
            told += 1
            yield tuple(group)


def _cloze(text: tuple[str, str, list[Span]], rng: random.Random) -> tuple[str, str, str] | None:
    """(question, answer, the sentence)."""
    _, body, spans = text
    fit = [body[a:b] for a, b in spans if 60 <= b - a <= 220 and "“" not in body[a:b]]
    if not fit:
        return None
    sentence = rng.choice(fit)
    words = [one for one in named(sentence) if len(one) > 3 and len(_word(one).findall(sentence)) == 1]
    if not words:
        return None
    answer = rng.choice(words)
    asked = "how many" if answer[0].isdigit() or answer[0] == "$" else rng.choice(["who", "which", "what"])
    place = _word(answer).search(sentence)
    assert place  # counted above
    before, after = sentence[: place.start()], sentence[place.end() :]
    if rng.random() < 0.5 and len(after) > 40:  # "Which ... demanded that Ukraine withdraw?"
        return f"{asked.capitalize()}{after.rstrip('.”')}?", answer, sentence
    return f"{before}{asked}{after.rstrip('.”')}?", answer, sentence


def headlines(folder: Path, rng: random.Random, most: int) -> Iterator[Group]:
    """A headline as the question; headlines are taken from the windows."""
    articles = [row for row in rows(folder / "realtimeqa-2023-articles.jsonl.gz") if len(row["title"]) > 30]
    texts = article_texts(articles)
    weigh = Weights([text for _, text, _ in texts])
    titles = rng.sample(sorted({row["title"] for row in articles}), most)
    near = nearest(titles, [text for _, text, _ in texts], 12)
    for title, places in zip(titles, near, strict=True):
        question = weigh(title)
        own = [texts[p] for p in places if texts[p][0] == title][:2]
        other = [texts[p] for p in places if texts[p][0] != title][:4]
        if own and other and question.weights:
            pairs = [(cut("", text, spans), mine) for some, mine in ((own, 1), (other, 0)) for _, text, spans in some]
            yield tuple(
                _headline(title, text, text.window(question, rng.randint(SMALL, 500)), mine) for text, mine in pairs
            )


def _headline(title: str, text: Text, run: Span, mine: int) -> Pair:
    return text.pair(title, run, [-1 if mine else 0] * len(text.spans), None, relevant=bool(mine))
