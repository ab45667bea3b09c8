"""Trains the cross-encoder and writes what training changed of the public weights.

    python -m benchmarks.train_reader BENCH retrieval/crossencoder.npz [--go-on]

BENCH holds train/ (SQuADShifts, SelQA, TREC QA, RealTimeQA 2023) and squad/. Three stages: the first is mostly of
SQuADShifts and is left after a thousand batches, the second is half of news, the third has questions made by rule
among all the others. With --go-on the third alone, from what the file holds. Prints a line each fifty batches, and now
and then how well questions are answered that were held out.
"""

import argparse
import hashlib
import random
import sys
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
STAGES = Stage(rate=1.0, warm_up=0.06, batches=1_000), Stage(rate=0.75, warm_up=0.02), Stage(rate=0.75, warm_up=0.03)
LAST_SHIFTS, SWAPPED, TURNED, CLOZE, HEADLINES = 4_000, 5_000, 1_500, 1_500, 300  # groups of the third stage
FROZEN = 1  # layers at the bottom, and the embeddings: they change least, and it saves a ninth of the time
OUTPUTS = 4


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
    parser.add_argument("--go-on", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    groups: list[list[Group]] = [] if options.go_on else first_stages(options.bench, random.Random(SEED))
    third, held_out = last_stage(options.bench, random.Random(SEED + 1))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Model(options.changes if options.go_on else None).train().to(device)
    tokenizer = Tokenizer(load_tokenizer(default_folder() / "tokenizer.json"))
    judged = [ready(tokenizer, group) for group in held_out]
    for some, stage in zip([*groups, third], STAGES[-1 - len(groups) :], strict=True):
        train(model, [ready(tokenizer, group) for group in some], judged, stage)
        before = options.changes if stage is STAGES[-1] else None
        write(model, options.changes, before)


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


def last_stage(bench: Path, rng: random.Random) -> tuple[list[Group], list[Group]]:
    """All sets again, with other windows, and what is made of them by rule; and the groups that are held out."""
    shifts = list(data.squadshifts(bench / "train", rng))
    rng.shuffle(shifts)
    known = list(data.squad(bench / "squad", rng, data.trained_on(bench / "squad")))
    swapped = list(made.swapped(shifts + known, rng))
    turned = list(made.turned(shifts + known, rng))
    rng.shuffle(swapped)
    rng.shuffle(turned)
    cloze = list(made.cloze(bench / "train", rng, CLOZE))
    headlines = list(made.headlines(bench / "train", rng, HEADLINES))
    news, held_out = _news(bench, rng)
    groups = {
        "shifts": shifts[-LAST_SHIFTS:],
        "swapped": swapped[:SWAPPED],
        "turned": turned[:TURNED],
        "cloze": cloze,
        "headlines": headlines,
        "news": news,
        "other": _other(bench, rng),
    }
    _tell(**groups)
    every = [group for some in groups.values() for group in some]
    rng.shuffle(every)
    return every, held_out


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
    the third stage is better at refusing what only looks answerable, the second at the news.
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
