"""Trains the cross-encoder and writes what training changed of the public weights.

    python -m benchmarks.train_reader BENCH retrieval/crossencoder.npz [--from STAGE]

BENCH holds train/ (SQuADShifts, SelQA, TREC QA, RealTimeQA 2023) and squad/. Four stages: the first is mostly of
SQuADShifts and is left after a thousand batches, the second is half of news, the third has questions made by rule
among all the others, the fourth has more of everything. With --from 3 or 4 only the later ones, from what the file
holds. Prints a line each fifty batches, and now and then how well questions are answered that were held out.
"""

import argparse
import hashlib
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.train_reader import data, made
from benchmarks.train_reader.data import Group
from benchmarks.train_reader.train import Stage, ready, train
from retrieval.crossencoder import restored, split_head, stored
from retrieval.models import default_folder, load_bert, load_tokenizer
from retrieval.pairs import Tokenizer

SEED = 7
SHIFTS, LATER_SHIFTS = 18_000, 5_000  # groups of SQuADShifts; of them in the second stage
STAGES = (
    Stage(rate=1.0, warm_up=0.06, batches=1_000),
    Stage(rate=0.75, warm_up=0.02),
    Stage(rate=0.75, warm_up=0.03, averaged=True),
    Stage(rate=0.75, warm_up=0.03, averaged=True),
)
FROZEN = 1  # layers at the bottom, and the embeddings: they change least, and it saves a ninth of the time
OUTPUTS = 4


@dataclass(frozen=True)
class Mixed:
    """Groups of a later stage, at most, and how many of those are taken: of texts with a headline, and of others."""

    titled: float
    untitled: float
    shifts: int
    others: int  # windows of other texts for each of them
    swapped: int
    turned: int
    cloze: int
    headlines: int


THIRD = Mixed(titled=1.0, untitled=1.0, shifts=4_000, others=1, swapped=5_000, turned=1_500, cloze=1_500, headlines=300)
FOURTH = Mixed(
    titled=0.66, untitled=0.32, shifts=26_000, others=2, swapped=9_000, turned=3_000, cloze=4_000, headlines=300
)


class Model(nn.Module):
    """The default encoder's transformer with a linear layer a token."""

    def __init__(self, changes: Path | None = None) -> None:
        super().__init__()
        body, head = _changes(changes) if changes else ({}, None)
        self.body = load_bert(default_folder(), body)
        self.head = nn.Linear(self.body.config.hidden_size, OUTPUTS)
        if head:
            self.head.load_state_dict({"weight": torch.tensor(head[0]), "bias": torch.tensor(head[1])})
        for part in self.body.modules():  # one pass over so much does not overfit, and it is a third quicker without
            if isinstance(part, nn.Dropout):
                part.p = 0.0
            if hasattr(part, "dropout_prob"):
                part.dropout_prob = 0.0
        for part in (self.body.embeddings, *self.body.encoder.layer[:FROZEN]):
            for weights in part.parameters():
                weights.requires_grad_(False)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, segments: torch.Tensor) -> Any:
        device = self.head.weight.device
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
        hidden = self.body(**{name: one.to(device) for name, one in inputs.items()}).last_hidden_state
        return self.head(hidden).cpu()  # what is said of it is small, and compared there


def _changes(file: Path) -> tuple[dict[str, Any], tuple[Any, Any]]:
    with np.load(file) as kept:
        return split_head(restored(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("changes", type=Path)
    parser.add_argument("--from", type=int, choices=(1, 3, 4), default=1, dest="begin", metavar="STAGE")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    stages: list[tuple[Stage, list[Group]]] = []
    if options.begin == 1:
        stages += zip(STAGES[:2], first_stages(options.bench, random.Random(SEED)), strict=True)
    for number, mixed in ((3, THIRD), (4, FOURTH)):
        if options.begin <= number:
            stages.append((STAGES[number - 1], later_stage(options.bench, random.Random(SEED + number - 2), mixed)))
    _, held_out = _news(options.bench, random.Random(SEED))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Model(options.changes if options.begin > 1 else None)
    tokenizer = Tokenizer(load_tokenizer(default_folder() / "tokenizer.json"))
    judged = [ready(tokenizer, group) for group in held_out]
    for stage, groups in stages:
        train(model.train().to(device), [ready(tokenizer, group) for group in groups], judged, stage)
        write(model, options.changes, options.changes if stage.averaged else None)
        model = Model(options.changes)


def first_stages(bench: Path, rng: random.Random) -> list[list[Group]]:
    """The groups of the first and the second stage."""
    shifts = list(data.squadshifts(bench / "train", rng))
    rng.shuffle(shifts)
    shifts = shifts[:SHIFTS]
    news, _ = _news(bench, rng)
    other = _other(bench, rng)
    _tell(SQuADShifts=shifts, news=news, other=other)
    rng.shuffle(news)
    rng.shuffle(other)
    cut, new, rest = len(shifts) * 6 // 10, len(news) // 4, len(other) // 4
    first = shifts[:cut] + news[:new] + other[:rest]
    second = shifts[cut : cut + LATER_SHIFTS] + news[new:] + other[rest:]
    rng.shuffle(first)
    rng.shuffle(second)
    late = shifts[cut:] + news[new:] + other[rest:]  # never reached, but the rate falls as if it were
    return [first + late, second]


def later_stage(bench: Path, rng: random.Random, mixed: Mixed) -> list[Group]:
    """All sets again, with other windows, and what is made of them by rule."""
    shifts = list(data.squadshifts(bench / "train", rng, mixed.others))
    rng.shuffle(shifts)
    known = list(data.squad(bench / "squad", rng, data.trained_on(bench / "squad")))
    swapped = list(made.swapped(shifts + known, rng))
    turned = list(made.turned(shifts + known, rng))
    rng.shuffle(swapped)
    rng.shuffle(turned)
    cloze = list(made.cloze(bench / "train", rng, mixed.cloze))
    headlines = list(made.headlines(bench / "train", rng, mixed.headlines))
    news, _ = _news(bench, rng)
    groups = {
        "shifts": shifts[-mixed.shifts :],
        "swapped": swapped[: mixed.swapped],
        "turned": turned[: mixed.turned],
        "cloze": cloze,
        "headlines": headlines,
        "news": news,
        "other": _other(bench, rng),
    }
    _tell(**groups)
    every = [group for some in groups.values() for group in some]
    rng.shuffle(every)
    return [group for group in every if rng.random() < (mixed.titled if group[0].title else mixed.untitled)]


def _news(bench: Path, rng: random.Random) -> tuple[list[Group], list[Group]]:
    """RealTimeQA 2023 twice, with other windows; and the days of it that are held out."""
    passes = [list(data.realtimeqa(bench / "train", rng)) for _ in range(2)]
    days = set(sorted({day for day, _ in passes[0]})[::12])
    held_out = [group for day, group in passes[0] if day in days and group]
    return [group for one in passes for day, group in one if day not in days and group], held_out


def _other(bench: Path, rng: random.Random) -> list[Group]:
    other = [*data.selqa(bench / "train", rng), *data.trecqa(bench / "train", rng)]
    return other + [
        group for _ in range(2) for group in data.squad(bench / "squad", rng, data.trained_on(bench / "squad"))
    ]


def _tell(**sets: list[Group]) -> None:
    for name, groups in sets.items():
        print(name, data.counted(groups), file=sys.stderr, flush=True)


def write(model: Model, file: Path, before: Path | None = None) -> None:
    """What differs from the public weights, rounded; the mean of that and of `before`, where that is given.

    Weights of one training's ends do better together than each alone (Wortsman et al., Model soups, ICML 2022): here
    the later stages are better at refusing what only looks answerable, the earlier ones at the news.
    """
    public = load_bert(default_folder(), {}).state_dict()
    changes = {name: weights.cpu().numpy() for name, weights in model.head.state_dict(prefix="head.").items()}
    for name, weights in model.body.state_dict().items():
        change = (weights.cpu() - public[name]).numpy()
        if np.abs(change).max() > 0:
            changes[f"body.{name}"] = change
    if before:
        with np.load(before) as kept:
            earlier = restored(kept)
        changes = {name: (change + earlier.get(name, 0)) / 2 for name, change in changes.items()}
    np.savez_compressed(file, **stored(changes))  # type: ignore[arg-type]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    print(f"wrote {file}, {file.stat().st_size:,} bytes: CHANGES_SHA256 = {digest}", file=sys.stderr)


if __name__ == "__main__":
    main()
