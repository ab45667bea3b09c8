"""What is changed by rule in a group of passages when it is drawn: the sets have too little of it.

- **Cut**: the sentences that answer are taken out of their passages; then none answers.
- **Exchanged**: a name or a number of the question, or of question and passages alike, for another. In the question
  alone, the passages no longer answer it, as with questions that people wrote to look answerable (SQuAD 2.0: Rajpurkar
  et al., ACL 2018); in both they do, which keeps the exchange itself from telling.
- **In another language**, as far as its words tell (benchmarks.train_reader.foreign).
- **Typed**: lower case, no question mark, two neighbouring letters of one word exchanged.
"""

import random
import re
from dataclasses import replace

from benchmarks.train_reader import foreign
from benchmarks.train_reader.data import Group, Passage
from corpus.article import Span

NAME = re.compile(r"(?<=[\w,;] )(?:[A-Z][\w’'.-]*[\w](?: (?:of|the|and|de|van|von|al|bin) (?=[A-Z])| )?)+(?<! )")
NUMBER = re.compile(r"\$?\d[\d,.]*\d(?:st|nd|rd|th)?\b|\b\d+(?:st|nd|rd|th)?\b")
NOT_NAMES = frozenset(
    "I I'm I'd I've I'll January February March April May June July August September October November December Monday "
    "Tuesday Wednesday Thursday Friday Saturday Sunday Mr Mrs Ms Dr The A An In On At But And".split()
)
CUT, SWAPPED, SWAPPED_BOTH, LOWER, MARKLESS, MISTYPED = 0.1, 0.06, 0.04, 0.12, 0.15, 0.08  # of the groups
FOREIGN = 0.15  # of the groups


def named(text: str) -> list[str]:
    """Names and numbers of a text, as they stand there; its first word is none."""
    found = [*NAME.findall(text), *NUMBER.findall(text)]
    return list(dict.fromkeys(one for one in found if one not in NOT_NAMES and len(one) > 1))


def changed(group: Group, names: list[str], rng: random.Random, in_others: float = FOREIGN) -> Group:
    """A group as it is drawn: most are left as they are. `names` are some that may take a name's place; `in_others`
    is the share of groups that are put into another language.
    """
    chance = rng.random()
    if group.answerable and chance < CUT:
        group = _cut(group)
    elif group.answerable and chance < CUT + SWAPPED:
        group = _swapped(group, rng)
    elif chance < CUT + SWAPPED + SWAPPED_BOTH:
        group = _swapped_in_both(group, names, rng)
    if rng.random() < in_others:
        group = foreign.put(group, rng)
    return replace(group, question=_typed(group.question, rng))


def _cut(group: Group) -> Group:
    own = [_without(one) if one.right else one for one in group.own]
    return replace(
        group, own=tuple(one for one in own if one), others=tuple(one for one in group.others if not one.right)
    )


def _without(passage: Passage) -> Passage | None:
    """A passage less its sentences that answer, or may; None where nothing is left."""
    text, spans = "", []
    for (start, end), label in zip(passage.sentences, passage.labels, strict=True):
        if label == 0:
            text += " " if text else ""
            spans.append((len(text), len(text) + end - start))
            text += passage.text[start:end]
    return Passage(passage.title, passage.day, text, tuple(spans), (0,) * len(spans)) if spans else None


def _swapped(group: Group, rng: random.Random) -> Group:
    """Asked about another name or number of the passage that answers: no longer answered."""
    right = next(one for one in group.own if one.right) if any(one.right for one in group.own) else None
    if right is None or right.answer is None:
        return group
    answer = right.text[slice(*right.answer)]
    mine = [one for one in named(group.question) if one not in answer and answer not in one]
    if not mine:
        return group
    one = rng.choice(mine)
    alike = [name for name in named(right.text) if _alike(name, one, group.question) and name not in answer]
    if not alike:
        return group
    question = _with(group.question, one, rng.choice(alike))
    return Group(question, tuple(p.wrong() for p in group.own), tuple(p.wrong() for p in group.others))


def _swapped_in_both(group: Group, names: list[str], rng: random.Random) -> Group:
    every = (*group.own, *group.others)
    answers = " ".join(one.text[slice(*one.answer)] for one in every if one.answer)
    mine = [one for one in named(group.question) if one not in answers and any(one in p.text for p in group.own)]
    if not mine:
        return group
    one = rng.choice(mine)
    whole = f"{group.question} {group.own[0].text}"
    other = next((name for name in rng.sample(names, min(30, len(names))) if _alike(name, one, whole)), None)
    if other is None:
        return group
    moved = [_moved(passage, one, other) for passage in group.own]
    return replace(group, question=_with(group.question, one, other), own=tuple(p for p in moved if p))


def _moved(passage: Passage, one: str, other: str) -> Passage | None:
    """A passage with a name changed, and every offset after it; None where the answer's own words would change."""
    places = [match.span() for match in _word(one).finditer(passage.text)]
    if passage.answer and any(a < passage.answer[1] and passage.answer[0] < b for a, b in places):
        return None

    def to(at: int) -> int:
        return at + sum(len(other) - len(one) for _, b in places if b <= at)

    def both(span: Span) -> Span:
        return to(span[0]), to(span[1])

    return replace(
        passage,
        title=_with(passage.title, one, other),
        text=_with(passage.text, one, other),
        sentences=tuple(both(span) for span in passage.sentences),
        answer=both(passage.answer) if passage.answer else None,
    )


def _typed(question: str, rng: random.Random) -> str:
    """As it may be typed in a hurry."""
    if rng.random() < LOWER:
        question = question.lower()
    if rng.random() < MARKLESS:
        question = question.rstrip("?")
    if rng.random() < MISTYPED:
        long = [match.span() for match in re.finditer(r"[^\W\d_]{5,}", question)]
        if long:
            start, end = rng.choice(long)
            at = rng.randrange(start + 1, end - 1)
            question = question[:at] + question[at + 1] + question[at] + question[at + 2 :]
    return question


def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")


def _with(text: str, one: str, other: str) -> str:
    return _word(one).sub(lambda _: other, text)


def _alike(name: str, one: str, absent: str) -> bool:
    """Whether it may take its place: both numbers or neither, and nothing of it in `absent`."""
    return name[-1].isdigit() == one[-1].isdigit() and not set(name.split()) & set(absent.split())
