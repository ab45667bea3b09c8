"""Training: AdamW over groups of passages, on one or two cores (a process each, gradients summed), resumable."""

import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from benchmarks.train_reader import made
from benchmarks.train_reader.data import Group, Passage
from retrieval.crossencoder import restored, split_head
from retrieval.models import default_folder, load_bert, load_tokenizer
from retrieval.pairs import BESIDE, COLUMNS, END, EVIDENCE, RELEVANCE, START, Tokenizer, Tokens, head

BATCH_TOKENS = 4_500  # of a process and step
CHUNK_TOKENS = 2_400  # padded, of passages of like length that go through the transformer together
HEAD_RATE = 10  # times the transformer's
WEIGHTS = {"choice": 1.0, "relevance": 0.3, "sentence": 0.5, "span": 0.2}
SIZES = (1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 8, 12)  # passages of a question, drawn
WIDE = (2, 3, 4, 5, 6, 8, 10, 12)  # where they are what the search found: as many as the reader will meet
NEAR = 8  # passages of other articles that a question has where they were not searched for
SAVED = 240.0  # seconds between two states that a training can go on from
TOLD = 50  # steps


@dataclass(frozen=True)
class Stage:
    minutes: float
    rate: float = 6e-5  # of the transformer, at its highest
    warm_up: float = 0.03  # of the time; then the rate falls in a straight line to nothing
    frozen: int = 1  # layers at the bottom that stay as they are, beside the embeddings


class Model(nn.Module):
    """The default encoder's transformer with a linear layer a token."""

    def __init__(self, changes: Path | None, frozen: int = 0) -> None:
        super().__init__()
        body, kept = _changes(changes) if changes else ({}, None)
        self.body = load_bert(default_folder(), body)
        self.body.set_attn_implementation("eager")  # without dropout the quicker of the two on a processor
        self.head = nn.Linear(self.body.config.hidden_size, COLUMNS)
        if kept:
            self.head.load_state_dict({"weight": torch.tensor(kept[0]), "bias": torch.tensor(kept[1])})
        for part in self.body.modules():  # so much data is not learnt by heart, and dropout costs a third or more
            if isinstance(part, nn.Dropout):
                part.p = 0.0
            if hasattr(part, "dropout_prob"):
                part.dropout_prob = 0.0
        for part in (self.body.embeddings, *self.body.encoder.layer[:frozen]):
            for weights in part.parameters():
                weights.requires_grad_(False)

    def forward(self, every: Sequence[Tokens]) -> list[torch.Tensor]:
        """(tokens, COLUMNS) of each sequence."""
        device = self.head.weight.device
        out: list[torch.Tensor] = [torch.empty(0)] * len(every)
        for rows in _chunks([len(one.ids) for one in every]):
            width = max(len(every[row].ids) for row in rows)
            ids, mask, kinds = (torch.zeros((len(rows), width), dtype=torch.long) for _ in range(3))
            for n, row in enumerate(rows):
                one = every[row]
                ids[n, : len(one.ids)] = torch.tensor(one.ids)
                kinds[n, : len(one.ids)] = torch.tensor(one.segments)
                mask[n, : len(one.ids)] = 1
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
            hidden = self.body(**{name: one.to(device) for name, one in inputs.items()}).last_hidden_state
            scores = self.head(hidden).float().cpu()
            for n, row in enumerate(rows):
                out[row] = scores[n, : len(every[row].ids)]
        return out


def _changes(file: Path) -> tuple[dict[str, Any], tuple[Any, Any]]:
    with np.load(file) as kept:
        return split_head(restored(kept))


def _chunks(lengths: Sequence[int]) -> Iterator[list[int]]:
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if rows and (len(rows) + 1) * lengths[rows[0]] > CHUNK_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    yield rows


# Drawing


def drawn(group: Group, names: list[str], rng: random.Random) -> Group:
    """Some of a group's passages in any order, one that answers among them where there is one; or changed by rule."""
    size = rng.choice(WIDE if len(group.others) > NEAR else SIZES)
    right = [one for one in group.own if one.right]
    rng.shuffle(right)
    right = right[: 2 if size > 3 else 1]
    wrong = [one for one in group.own if not one.right]
    near = wrong[: max(1, (size - len(right) + 1) // 2)] if not right or size > 1 else []
    rest = list(group.others[: 2 * size])
    rng.shuffle(rest)
    rest = rest[: max(0, size - len(right) - len(near))]
    return made.changed(Group(group.question, (*right, *near), tuple(rest)), names, rng)


@dataclass(frozen=True)
class Ready:
    """A question's passages as tokens, in any order."""

    tokens: list[Tokens]
    passages: list[Passage]


def ready(tokenize: Tokenizer, group: Group, rng: random.Random) -> Ready:
    passages = [*group.own, *group.others]
    rng.shuffle(passages)
    tokens = tokenize(group.question, [(head(one.title, one.day), one.text) for one in passages])
    return Ready(tokens, passages)


def stream(groups: Sequence[Group], rng: random.Random, tokenize: Tokenizer) -> Iterator[list[Ready]]:
    """Batches without end."""
    names = [one for group in rng.sample(groups, min(3_000, len(groups))) for one in made.named(group.own[0].text)]
    batch: list[Ready] = []
    size = 0
    while True:
        for group in rng.sample(groups, len(groups)):
            one = ready(tokenize, drawn(group, names, rng), rng)
            length = sum(len(tokens.ids) for tokens in one.tokens)
            if batch and size + length > BATCH_TOKENS:
                yield batch
                batch, size = [], 0
            if one.tokens:
                batch.append(one)
                size += length


# What is wanted


def losses(scores: Sequence[torch.Tensor], batch: Sequence[Ready]) -> dict[str, torch.Tensor]:
    """`scores` (tokens, COLUMNS) of all passages of the batch, in order."""
    at, choice, relevance, sentence = 0, [], [], []
    span: list[torch.Tensor] = []
    for one in batch:
        odds, labels = [], []
        for tokens, passage in zip(one.tokens, one.passages, strict=True):
            own = scores[at]
            at += 1
            spans = [(tokens.of(place), label) for place, label in zip(passage.sentences, passage.labels, strict=True)]
            inside = [(run, label) for run, label in spans if run]
            if not passage.unknown:
                relevance.append((own[0, RELEVANCE], float(passage.right)))
                span.extend(_span_loss(own, tokens, passage))
            odds += [sentence_odds(own, run) for run, label in inside if label >= 0]
            labels += [label for _, label in inside if label >= 0]
        if odds:
            every = torch.stack(odds)
            right = torch.tensor(labels, dtype=torch.bool)
            whole = torch.logsumexp(nn.functional.pad(every, (1, 0)), 0)
            choice.append(whole - (torch.logsumexp(every[right], 0) if right.any() else 0.0))
            sentence.append((every, right.float()))
    logits, wanted = torch.cat([one for one, _ in sentence]), torch.cat([one for _, one in sentence])
    binary = nn.functional.binary_cross_entropy_with_logits
    return {
        "choice": torch.stack(choice).mean(),
        "relevance": binary(torch.stack([one for one, _ in relevance]), torch.tensor([one for _, one in relevance])),
        "sentence": binary(logits, wanted),
        "span": torch.stack(span).mean() if span else logits.sum() * 0,
    }


def sentence_odds(scores: torch.Tensor, run: range) -> torch.Tensor:
    """Of one sentence: the mean of its tokens' evidence, and what the passage as a whole adds."""
    return scores[run[0] : run[-1] + 1, EVIDENCE].mean() + scores[0, BESIDE]


def _span_loss(scores: torch.Tensor, tokens: Tokens, passage: Passage) -> Iterator[torch.Tensor]:
    """Start and end among the text's tokens and [CLS], which stands for "no answer"; nothing where it is not known."""
    place = (0, 0)
    if passage.answer:
        inside = tokens.of(passage.answer)
        if not inside:
            return
        place = inside[0] - tokens.first + 1, inside[-1] - tokens.first + 1
    elif passage.right:
        return
    last = tokens.first + len(tokens.places)
    own = torch.cat([scores[:1], scores[tokens.first : last]])
    for column, wanted in zip((START, END), place, strict=True):
        yield nn.functional.cross_entropy(own[:, column], torch.tensor(wanted)) / 2


# The loop


def train(
    model: Model, groups: Sequence[Group], stage: Stage, state: Path, rank: int, workers: int, seed: int
) -> Iterator[int]:
    """Trains until the stage's minutes are over, the rates falling to nothing; goes on from `state` where that is.

    Yields the step now and then, when it may be measured. Every worker must be given the same stage.
    """
    tokenize = Tokenizer(load_tokenizer(default_folder() / "tokenizer.json"))
    own = list(model.head.parameters())
    body = [one for one in model.body.parameters() if one.requires_grad]
    rates = [{"params": body, "lr": stage.rate}, {"params": own, "lr": HEAD_RATE * stage.rate}]
    highest = [stage.rate, HEAD_RATE * stage.rate]
    optimiser = torch.optim.AdamW(rates, weight_decay=0.01)
    spent, step, tokens = 0.0, 0, 0
    if state.exists():
        kept = torch.load(state, weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        spent, step, tokens = kept["spent"], kept["step"], kept["tokens"]
    quick = not torch.cuda.is_available() and torch.cpu._is_avx512_bf16_supported()
    begun, saved, seen = time.time() - spent, time.time(), dict.fromkeys(WEIGHTS, 0.0)
    for batch in stream(groups, random.Random(seed + 100 * step + rank), tokenize):
        done = (time.time() - begun) / 60 / stage.minutes
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=quick):
            scores = model([one for some in batch for one in some.tokens])
        parts = losses(scores, batch)
        sum(WEIGHTS[name] * part for name, part in parts.items()).backward()  # type: ignore[union-attr]
        done = _together([*body, *own], done, rank, workers)
        if done >= 1:
            break
        for group, high in zip(optimiser.param_groups, highest, strict=True):
            group["lr"] = high * max(min(done / stage.warm_up, (1 - done) / (1 - stage.warm_up)), 0.01)
        nn.utils.clip_grad_norm_([*body, *own], 1.0)
        optimiser.step()
        optimiser.zero_grad()
        step += 1
        tokens += workers * sum(len(one.ids) for some in batch for one in some.tokens)
        for name, part in parts.items():
            seen[name] += float(part.detach())
        if rank == 0 and step % TOLD == 0:
            told = " ".join(f"{name} {value / TOLD:.3f}" for name, value in seen.items())
            say(f"{step} {time.time() - begun:.0f} s, {tokens} tokens: {told}")
            seen = dict.fromkeys(seen, 0.0)
        if rank == 0 and time.time() - saved > SAVED:
            _save(state, model, optimiser, spent=time.time() - begun, step=step, tokens=tokens)
            saved = time.time()
            yield step
    yield step


def _together(parameters: Sequence[nn.Parameter], done: float, rank: int, workers: int) -> float:
    """The mean of all workers' gradients, and how far the first of them is."""
    if workers == 1:
        return done
    flat = torch.cat([one.grad.flatten() for one in parameters if one.grad is not None])
    every = torch.cat([flat / workers, torch.tensor([done if rank == 0 else 0.0])])
    dist.all_reduce(every)
    at = 0
    for one in parameters:
        if one.grad is not None:
            one.grad.copy_(every[at : at + one.numel()].view_as(one))
            at += one.numel()
    return float(every[-1])


def _save(state: Path, model: Model, optimiser: torch.optim.Optimizer, **counted: float) -> None:
    part = state.with_suffix(".part")
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), **counted}, part)
    part.replace(state)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# Measuring


@torch.no_grad()
def judge(model: Model, groups: Sequence[Group]) -> str:
    """On questions not trained on, each with its nearest passages: a right sentence first when made to choose; how
    well the chance that any answers tells answerable questions from near misses (AUC).
    """
    tokenize = Tokenizer(load_tokenizer(default_folder() / "tokenizer.json"))
    first: list[bool] = []
    yes: list[float] = []
    no: list[float] = []
    for group in groups:
        one = ready(tokenize, Group(group.question, group.own[:4], group.others[:4]), random.Random(1))
        odds, labels = [], []
        for scores, tokens, passage in zip(model(one.tokens), one.tokens, one.passages, strict=True):
            for place, label in zip(passage.sentences, passage.labels, strict=True):
                if run := tokens.of(place):
                    odds.append(float(sentence_odds(scores, run)))
                    labels.append(label)
        some = float(np.logaddexp.reduce([0.0, *odds]))
        (yes if group.answerable else no).append(some)
        if group.answerable:
            first.append(labels[int(np.argmax(odds))] == 1)
    wins = np.mean([[(a > b) + (a == b) / 2 for b in no] for a in yes]) if no else float("nan")
    return f"right sentence first {np.mean(first):.3f} (n={len(first)}), AUC {wins:.3f} (n={len(no)})"


def pin(rank: int) -> None:
    """One core a process: two threads of one process fall below one where anything else runs."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})


def mean_of(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Of the weights of one training's ends (Wortsman et al., Model soups, ICML 2022)."""
    for one, other in pairwise(states):
        assert one.keys() == other.keys()
    return {name: torch.stack([one[name].float() for one in states]).mean(0) for name in states[0]}
