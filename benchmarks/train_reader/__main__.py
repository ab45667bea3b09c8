"""Trains the cross-encoder and writes what training changed of the public weights.

    python -m benchmarks.train_reader BENCH retrieval/crossencoder.npz

BENCH holds train/ (SQuADShifts, SelQA, TREC QA, RealTimeQA 2023) and squad/. Two stages: the first is mostly of
SQuADShifts and is left after a thousand batches, the second is half of news. About an hour and a quarter on two cores.
Prints a line each fifty batches, and now and then how well questions are answered that were held out.
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

from benchmarks.train_reader import data
from benchmarks.train_reader.data import Group
from benchmarks.train_reader.train import Stage, ready, train
from retrieval.crossencoder import stored
from retrieval.models import default_folder, load_bert, load_tokenizer
from retrieval.pairs import Tokenizer

SEED = 7
SHIFTS, LATER_SHIFTS = 18_000, 5_000  # groups of SQuADShifts; of them in the second stage
STAGES = Stage(rate=1.0, warm_up=0.06, batches=1_000), Stage(rate=0.75, warm_up=0.02)
FROZEN = 1  # layers at the bottom, and the embeddings: they change least, and it saves a ninth of the time
OUTPUTS = 4


class Model(nn.Module):
    """The default encoder's transformer with a linear layer a token."""

    def __init__(self) -> None:
        super().__init__()
        self.body = load_bert(default_folder(), {})
        self.head = nn.Linear(self.body.config.hidden_size, OUTPUTS)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("changes", type=Path)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    first, second, held_out = stages(options.bench, random.Random(SEED))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, tokenizer = Model().train().to(device), Tokenizer(load_tokenizer(default_folder() / "tokenizer.json"))
    judged = [ready(tokenizer, group) for group in held_out]
    for groups, stage in zip((first, second), STAGES, strict=True):
        train(model, [ready(tokenizer, group) for group in groups], judged, stage)
        write(model, options.changes)


def stages(bench: Path, rng: random.Random) -> tuple[list[Group], list[Group], list[Group]]:
    """The groups of the first and the second stage, and those held out."""
    shifts = list(data.squadshifts(bench / "train", rng))
    rng.shuffle(shifts)
    shifts = shifts[:SHIFTS]
    passes = [list(data.realtimeqa(bench / "train", rng)) for _ in range(2)]
    days = set(sorted({day for day, _ in passes[0]})[::12])
    held_out = [group for day, group in passes[0] if day in days and group]
    news = [group for one in passes for day, group in one if day not in days and group]
    other = [*data.selqa(bench / "train", rng), *data.trecqa(bench / "train", rng)]
    other += [group for _ in range(2) for group in data.squad(bench / "squad", rng, data.trained_on(bench / "squad"))]
    for name, groups in (("SQuADShifts", shifts), ("news", news), ("other", other), ("held out", held_out)):
        print(name, data.counted(groups), file=sys.stderr, flush=True)
    rng.shuffle(news)
    rng.shuffle(other)
    cut, new, rest = len(shifts) * 6 // 10, len(news) // 4, len(other) // 4
    first = shifts[:cut] + news[:new] + other[:rest]
    second = shifts[cut : cut + LATER_SHIFTS] + news[new:] + other[rest:]
    rng.shuffle(first)
    rng.shuffle(second)
    late = shifts[cut:] + news[new:] + other[rest:]  # never reached, but the rate falls as if it were
    return first + late, second, held_out


def write(model: Model, file: Path) -> None:
    """What differs from the public weights, rounded."""
    public = load_bert(default_folder(), {}).state_dict()
    changes = {name: weights.cpu().numpy() for name, weights in model.head.state_dict(prefix="head.").items()}
    for name, weights in model.body.state_dict().items():
        change = (weights.cpu() - public[name]).numpy()
        if np.abs(change).max() > 0:
            changes[f"body.{name}"] = change
    np.savez_compressed(file, **stored(changes))  # type: ignore[arg-type]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    print(f"wrote {file}, {file.stat().st_size:,} bytes: CHANGES_SHA256 = {digest}", file=sys.stderr)


if __name__ == "__main__":
    main()
