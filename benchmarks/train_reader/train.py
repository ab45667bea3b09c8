"""One pass of AdamW over groups of pairs, on two cores or a GPU."""

import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.train_reader.data import Group, Pair
from retrieval.pairs import END, EVIDENCE, RELEVANCE, START, Tokenizer, Tokens

BODY_RATE, HEAD_RATE = 1e-4, 1e-3
BATCH_TOKENS = 3_000  # padded; about 30 pairs
SORTED = 60  # batches within which groups of like length come together
RIGHT_WEIGHT = 2.0  # of a right sentence: one in four is right
TOLD = 50  # batches


@dataclass(frozen=True)
class Stage:
    rate: float  # share of the rates above
    warm_up: float  # share of the batches
    batches: int | None = None  # after which it is left
    averaged: bool = False  # with the weights that it began from: what is kept is their mean


@dataclass(frozen=True)
class Ready:
    """A pair as tokens with what the model should say of it."""

    pair: Pair
    tokens: Tokens
    sentences: tuple[tuple[int, int, int], ...]  # first and last token, label
    answer: tuple[int, int] | None  # first and last token; (0, 0) for none; None where unknown


def ready(tokenizer: Tokenizer, group: Group) -> list[Ready]:
    tokens = tokenizer(group[0].question, [(pair.title, pair.text) for pair in group])
    return [_ready(pair, one) for pair, one in zip(group, tokens, strict=True)]


def _ready(pair: Pair, tokens: Tokens) -> Ready:
    found = [(tokens.of(span), label) for span, label in zip(pair.sentences, pair.labels, strict=True)]
    answer: tuple[int, int] | None = None if pair.relevant else (0, 0)
    if pair.span and (inside := tokens.of(pair.span)):
        answer = inside[0], inside[-1]
    return Ready(pair, tokens, tuple((r[0], r[-1], label) for r, label in found if r and label >= 0), answer)


def batches(groups: Sequence[list[Ready]]) -> Iterator[list[list[Ready]]]:
    """Groups in the order given, but sorted by length within a stretch."""

    def width(group: list[Ready]) -> int:
        return max(len(one.tokens.ids) for one in group)

    stretch = 12 * SORTED
    for start in range(0, len(groups), stretch):
        made: list[list[list[Ready]]] = []
        batch: list[list[Ready]] = []
        for group in sorted(groups[start : start + stretch], key=width):
            if batch and (sum(map(len, batch)) + len(group)) * width(group) > BATCH_TOKENS:
                made.append(batch)
                batch = []
            batch.append(group)
        made.append(batch)
        random.Random(start).shuffle(made)
        yield from made


def padded(batch: Sequence[Ready]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    width = max(len(one.tokens.ids) for one in batch)
    ids, mask, segments = (torch.zeros((len(batch), width), dtype=torch.long) for _ in range(3))
    for row, one in enumerate(batch):
        length = len(one.tokens.ids)
        ids[row, :length] = torch.tensor(one.tokens.ids)
        segments[row, :length] = torch.tensor(one.tokens.segments)
        mask[row, :length] = 1
    return ids, mask, segments


def losses(scores: torch.Tensor, groups: Sequence[list[Ready]]) -> dict[str, torch.Tensor]:
    """`scores` (pairs, tokens, 4): the four things the model should tell."""
    batch = [one for group in groups for one in group]
    relevance = scores[:, 0, RELEVANCE]
    right = torch.tensor([float(one.pair.relevant) for one in batch])
    out = {"relevance": nn.functional.binary_cross_entropy_with_logits(relevance, right)}
    order = list(_orders(relevance, groups))
    out["order"] = torch.stack(order).mean() if order else relevance.sum() * 0
    out["sentence"] = _sentence_loss(scores[:, :, EVIDENCE], batch)
    out["span"] = _span_loss(scores, batch)
    return out


def _orders(relevance: torch.Tensor, groups: Sequence[list[Ready]]) -> Iterator[torch.Tensor]:
    """Each relevant window of a question against all that are not."""
    at = 0
    for group in groups:
        own = relevance[at : at + len(group)]
        at += len(group)
        right = [n for n, one in enumerate(group) if one.pair.relevant]
        wrong = [n for n, one in enumerate(group) if not one.pair.relevant]
        if right and wrong:
            for n in right:
                yield torch.logsumexp(own[[n, *wrong]], 0) - own[n]


def _sentence_loss(evidence: torch.Tensor, batch: Sequence[Ready]) -> torch.Tensor:
    """A sentence's log odds are the mean over its tokens."""
    sums = nn.functional.pad(evidence.cumsum(1), (1, 0))
    places = [(row, *place) for row, one in enumerate(batch) for place in one.sentences]
    row, first, last, label = torch.tensor(places).T
    odds = (sums[row, last + 1] - sums[row, first]) / (last + 1 - first)
    return nn.functional.binary_cross_entropy_with_logits(odds, label.float(), pos_weight=torch.tensor(RIGHT_WEIGHT))


def _span_loss(scores: torch.Tensor, batch: Sequence[Ready]) -> torch.Tensor:
    known = [(row, *one.answer) for row, one in enumerate(batch) if one.answer is not None]
    row, first, last = torch.tensor(known).T
    allowed = torch.full(scores.shape[:2], -1e4)
    for n, one in enumerate(batch):
        allowed[n, 0] = 0
        allowed[n, one.tokens.first : one.tokens.first + len(one.tokens.places)] = 0
    start, end = (scores[row, :, column] + allowed[row] for column in (START, END))
    return (nn.functional.cross_entropy(start, first) + nn.functional.cross_entropy(end, last)) / 2


WEIGHTS = {"relevance": 0.5, "order": 1.0, "sentence": 1.0, "span": 0.5}


def train(model: Any, groups: Sequence[list[Ready]], held_out: Sequence[list[Ready]], stage: Stage) -> None:
    """One pass, or the beginning of it; the rates rise first and then fall to nothing at the end of the whole."""
    every = list(batches(groups))
    head = list(model.head.parameters())
    body = [p for p in model.body.parameters() if p.requires_grad]
    rates = [{"params": body, "lr": stage.rate * BODY_RATE}, {"params": head, "lr": stage.rate * HEAD_RATE}]
    optimiser = torch.optim.AdamW(rates, weight_decay=0.01)
    warm = stage.warm_up * len(every)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: min((n + 1) / warm, 1.0) * (1 - n / len(every)))
    quick = not torch.cuda.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    begun, tokens, seen = time.time(), 0, dict.fromkeys(WEIGHTS, 0.0)
    for step, batch in enumerate(every[: stage.batches], 1):
        inputs = padded([one for group in batch for one in group])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=quick):
            scores = model(*inputs)
        parts = losses(scores.float(), batch)
        sum(WEIGHTS[name] * part for name, part in parts.items()).backward()  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_([*body, *head], 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        tokens += inputs[0].numel()
        for name, part in parts.items():
            seen[name] += float(part.detach())
        if step % TOLD == 0:
            told = " ".join(f"{name} {value / TOLD:.3f}" for name, value in seen.items())
            say(f"{step}/{len(every)} {time.time() - begun:.0f} s, {tokens} tokens: {told}")
            seen = dict.fromkeys(seen, 0.0)
        if step % (10 * TOLD) == 0 or step == len(every):
            say(f"{step} held out: {judge(model, held_out)}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@torch.no_grad()
def judge(model: Any, groups: Sequence[list[Ready]]) -> str:
    """On questions not trained on: how often a right window comes first, and a right sentence in a right window."""
    first = n = chosen = windows = 0
    for group in groups:
        scores = model(*padded(group))
        right = [one.pair.relevant for one in group]
        if any(right) and not all(right):
            n += 1
            first += right[int(scores[:, 0, RELEVANCE].argmax())]
        for row, one in zip(scores, group, strict=True):
            if one.pair.relevant and 0 in [s[2] for s in one.sentences] and 1 in [s[2] for s in one.sentences]:
                windows += 1
                odds = [float(row[a : b + 1, EVIDENCE].mean()) for a, b, _ in one.sentences]
                chosen += one.sentences[odds.index(max(odds))][2]
    return f"right window first {first / n:.3f} (n={n}), right sentence first {chosen / windows:.3f} (n={windows})"
