"""How rare a word is in news at large: a table that comes with the package, so that one article alone can be searched.

Inverse document frequencies of a small archive mean nothing: in one article every word is as frequent as any other.
`background.json` was counted over the passages of 8,480 news articles (`python -m benchmarks.background`).
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from math import log

TABLE = "background.json"


def weights(stems: Iterable[str]) -> dict[str, float]:
    """Inverse document frequency (as in BM25) of each stem; of one that the table lacks, that of one seen once."""
    table = _table()
    return {stem: table.get(stem, table[""]) for stem in stems}


def coverage(weights: Mapping[str, float], words: frozenset[str]) -> float:
    """Share, 0..1, of the weight of a question's stems that stands in `words`."""
    total = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in words) / total if total else 0.0


def idf(passages: int, holding: int) -> float:
    return log(1 + (passages - holding + 0.5) / (holding + 0.5))


@lru_cache(maxsize=1)
def _table() -> Mapping[str, float]:
    stored = json.loads((files("retrieval") / TABLE).read_text("utf-8"))
    known = {stem: float(value) for value, stems in stored["stems"].items() for stem in stems.split()}
    return known | {"": idf(stored["passages"], 1)}
