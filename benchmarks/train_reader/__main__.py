"""Trains the reader's cross-encoder and writes what training changed of the public weights.

    python -m benchmarks.train_reader BENCH OUT.npz --minutes 90 [--from START.npz] [--workers 2]

BENCH holds train/, squad/ and asked/. One stage: the rate rises, then falls to nothing when the minutes are over, and
only then do figures mean something. A stage that was interrupted goes on from OUT.state when it is started again, with
as many workers as one likes. `--from` begins at what another stage gave. Groups are put together once, into OUT.groups.
`--found FILE` adds some of the questions once more, with what the search finds for them
(benchmarks.train_reader.found). `--share` takes so much of the sets that only widen it.
Prints a line each fifty steps, and now and then how well questions are answered whose articles were held out.
"""

import argparse
import hashlib
import pickle
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn as begin

from benchmarks.train_reader import data
from benchmarks.train_reader.data import Group
from benchmarks.train_reader.train import NEAR, Model, Stage, judge, pin, say, train
from retrieval.crossencoder import restored, stored
from retrieval.models import default_folder, load_bert

SEED = 7
MEASURED = 160  # questions held out that are asked now and then


@dataclass(frozen=True)
class Work:
    stage: Stage
    out: Path
    begin: Path | None
    workers: int
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rate", type=float, default=Stage(0).rate)
    parser.add_argument("--frozen", type=int, default=Stage(0).frozen)
    parser.add_argument("--from", type=Path, dest="begin")
    parser.add_argument("--found", type=Path)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=SEED, help="another for each stage: it orders what is drawn")
    options = parser.parse_args()
    kept = options.out.with_suffix(".groups")
    if not kept.exists():
        kept.write_bytes(pickle.dumps(groups(options.bench, random.Random(options.seed), options.found, options.share)))
    stage = Stage(options.minutes, options.rate, frozen=options.frozen)
    work = Work(stage, options.out, options.begin, options.workers, options.seed)
    with tempfile.TemporaryDirectory() as meeting:
        if options.workers == 1:
            one_worker(0, work, meeting)
        else:
            begin(one_worker, (work, meeting), nprocs=options.workers)  # type: ignore[no-untyped-call]


def one_worker(rank: int, work: Work, meeting: str) -> None:
    torch.manual_seed(work.seed)
    if not torch.cuda.is_available():
        pin(rank)
    if work.workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{meeting}/all", rank=rank, world_size=work.workers)
    trained, held = pickle.loads(work.out.with_suffix(".groups").read_bytes())
    model = Model(work.begin, work.stage.frozen).to("cuda" if torch.cuda.is_available() else "cpu").train()
    state = work.out.with_suffix(".state")
    for n, step in enumerate(train(model, trained, work.stage, state, rank, work.workers, work.seed)):
        if rank == 0 and n % 4 == 3:
            say(f"{step} held out: {judge(model, held)}")
    if rank == 0:
        say(f"at the end, held out: {judge(model, held)}")
        write(model, work.out)


def groups(
    bench: Path, rng: random.Random, found: Path | None = None, share: float = 1.0
) -> tuple[list[Group], list[Group]]:
    """What is trained on, each group as often as it stands there; and some questions whose articles are held out."""
    train, asked = bench / "train", bench / "asked"
    articles = [
        passage
        for row in data.rows(train / "realtimeqa-2023-articles.jsonl.gz")
        for passage in data.cut_up(row["title"], row["published"], row["text"])
    ]
    pool = articles + [
        passage
        for row in data.rows(asked / "train.articles.jsonl.gz")
        for passage in data.cut_up(row["title"], row["published"], row["text"][: row["seen"]])
    ]
    ours = list(data.with_others(list(data.people_ask(asked, held=False)), pool, NEAR))
    held = list(
        data.with_others(data.sample(data.people_ask(asked, held=True), MEASURED, random.Random(SEED)), pool, 4)
    )
    quiz = [group for _, group in data.realtimeqa(train, articles)]
    sets = {
        "newsqa": data.contexts(train / "newsqa_dev.jsonl.gz"),
        "nq": data.contexts(train / "nq_gold.jsonl.gz"),
        "quoref": data.contexts(train / "quoref_dev.jsonl.gz"),
        "timeqa": data.contexts(train / "timeqa.jsonl.gz"),
        "ester": data.contexts(train / "ester.jsonl.gz"),
        "clickbait": data.contexts(train / "clickbait_spoiling.jsonl.gz"),
        "fairytale": data.contexts(train / "fairytaleqa.jsonl.gz"),
        "squadshifts": data.squadshifts(train),
        "selqa": data.selqa(train),
    }
    most = {"quoref": 1_500, "timeqa": 1_500, "fairytale": 1_500, "squadshifts": 7_000}
    some = {name: data.sample(every, round(share * most.get(name, 4_000)), rng) for name, every in sets.items()}
    general = [group for every in some.values() for group in every]
    general = list(data.with_others(general, [one for group in general for one in group.own], 3))
    single = [*data.trecqa(train), *data.searched(train), *data.squad(bench / "squad")]
    single = data.sample(single, round(share * len(single)), rng)
    searched = pickle.loads(found.read_bytes()) if found else []
    for name, every in {"ours": ours, "found": searched, "quiz": quiz, **some, "single": single, "held": held}.items():
        say(f"{name} {data.counted(every)}")
    return [*ours, *searched, *quiz, *quiz, *general, *single], held


def write(model: Model, file: Path) -> None:
    """What differs from the public weights, rounded."""
    public = load_bert(default_folder(), {}).state_dict()
    changes = {name: weights.cpu().numpy() for name, weights in model.head.state_dict(prefix="head.").items()}
    for name, weights in model.body.state_dict().items():
        change = (weights.cpu() - public[name]).numpy()
        if np.abs(change).max() > 0:
            changes[f"body.{name}"] = change
    np.savez_compressed(file, **stored(changes))  # type: ignore[arg-type]
    assert restored(np.load(file)).keys() == changes.keys()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    say(f"wrote {file}, {file.stat().st_size:,} bytes: CHANGES_SHA256 = {digest}")


if __name__ == "__main__":
    main()
