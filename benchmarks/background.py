"""Counts in how many passages of news each stem stands, and writes the table that comes with the package.

python -m benchmarks.background BENCH retrieval/background.json
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.train_reader.data import cut_up, rows
from retrieval.background import idf
from retrieval.keywords import stems

SEEN = 4  # passages that a stem stands in, at least: rarer ones count as unknown


def main() -> None:
    bench, out = map(Path, sys.argv[1:3])
    articles = rows(bench / "train" / "realtimeqa-2023-articles.jsonl.gz")
    articles += rows(bench / "asked" / "train.articles.jsonl.gz")
    counts: Counter[str] = Counter()
    total = 0
    for article in articles:
        for passage in cut_up(article["title"], article["published"], article["text"]):
            counts.update(set(stems(passage.text)))
            total += 1
    alike = defaultdict(list)
    for stem, seen in sorted(counts.items()):
        if seen >= SEEN:
            alike[f"{idf(total, seen):.1f}"].append(stem)
    table = {value: " ".join(alike[value]) for value in sorted(alike, key=float)}
    out.write_text(json.dumps({"passages": total, "stems": table}, ensure_ascii=False, indent=0) + "\n", "utf-8")
    print(f"{len(articles):,} articles, {total:,} passages, {sum(map(len, alike.values())):,} stems")


if __name__ == "__main__":
    main()
