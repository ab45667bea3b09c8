"""SQuAD 2.0 with the paragraph given: does the cross-encoder find the words, and know when there are none?

    python -m benchmarks.squad MODELS SQUAD

MODELS is a folder for exported models (`models` in a data folder), SQUAD holds articles.jsonl.gz and questions.jsonl.
Only articles that the cross-encoder was not trained on are asked. Whether to answer is decided by a logistic regression
on what the model says, fitted on the other of these articles. Exact match and F1 by the official rules.
"""

import argparse
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut

from benchmarks.train_reader.data import rows, trained_on
from corpus.sentences import sentences
from retrieval.crossencoder import CrossEncoder, load_crossencoder
from retrieval.measure import auc
from retrieval.pairs import head

DRAWS = 1_000  # of the bootstrap


@dataclass(frozen=True)
class Tried:
    article: str
    accepted: Sequence[str]  # none: impossible
    said: tuple[float, ...]  # relevance, evidence of the best sentence, score of the words above "no answer"
    words: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("squad", type=Path)
    options = parser.parse_args()
    tried = read(load_crossencoder(options.models, bulk=True), options.squad)
    groups = [one.article for one in tried]
    said, possible = np.array([one.said for one in tried]), np.array([bool(one.accepted) for one in tried])
    sure = np.zeros(len(tried))
    for train, test in LeaveOneGroupOut().split(said, groups=groups):
        sure[test] = LogisticRegression().fit(said[train], possible[train]).predict_proba(said[test])[:, 1]
    given = [one.words if chance >= 0.5 else "" for one, chance in zip(tried, sure, strict=True)]
    told = f"n={len(tried)}, {possible.sum()} possible, of {', '.join(sorted(set(groups)))}"
    show("F1", [f1(words, one.accepted) for words, one in zip(given, tried, strict=True)])
    show("exact match", [exact(words, one.accepted) for words, one in zip(given, tried, strict=True)])
    show("always refusing", [float(not one.accepted) for one in tried])
    print(f"answerable AUC    {auc(list(sure[possible]), list(sure[~possible])):.3f}  {told}")


def read(model: CrossEncoder, folder: Path) -> list[Tried]:
    seen = trained_on(folder)
    paragraphs = {one["url"]: one for one in rows(folder / "articles.jsonl.gz") if one["title"] not in seen}
    out = []
    for row in rows(folder / "questions.jsonl"):
        if (paragraph := paragraphs.get(row["gold_urls"][0])) is None:
            continue
        text = paragraph["text"]
        [judged] = model.judge(row["question"], [(head(paragraph["title"], ""), text)])
        score, words = judged.answer((0, len(text)))
        evidence = max(judged.of_sentence(span) for span in sentences(text))
        said = (judged.relevance, evidence, score)
        out.append(Tried(paragraph["title"], row["answers"], said, text[slice(*words)]))
    return out


def plain(text: str) -> list[str]:
    """Words in lower case without punctuation and articles, as the official script compares them."""
    bare = "".join(one for one in text.lower() if one not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def f1(words: str, accepted: Sequence[str]) -> float:
    return max((_overlap(plain(words), plain(one)) for one in accepted), default=float(not words))


def exact(words: str, accepted: Sequence[str]) -> float:
    return max((float(plain(words) == plain(one)) for one in accepted), default=float(not words))


def _overlap(one: list[str], other: list[str]) -> float:
    common = sum((Counter(one) & Counter(other)).values())
    return 2 * common / (len(one) + len(other)) if common else float(one == other)


def show(name: str, values: Sequence[float]) -> None:
    rng = np.random.default_rng(7)
    means = np.mean(rng.choice(np.array(values), (DRAWS, len(values))), axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    print(f"{name:17} {np.mean(values):.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
