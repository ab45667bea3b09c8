"""Keyword search with tantivy: BM25 over English stems, the headline weighted. The only file that imports tantivy."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import tantivy

from retrieval.scope import FIELD_NAMES, STANDING, UNDATED, Entry, Scope, outlet_code
from retrieval.vectors import Stamp, WrongIndex, failure, read_json, write_json

TITLE_WEIGHT = 0.5
_HEAP = 64_000_000  # bytes for the writer; tantivy wants at least 15 MB a thread


# Words that a question is made of and that an answer need not hold. Short on purpose: BM25 weighs the rest down.
_ASKING = frozenset(
    "a an and are as at be been by can could did do does for from had has have he her his how i if in into is it its "
    "just many me much my of on or our she should so some that the their them there these they this those to us was "
    "we were what when where which who whom whose why will with would you your according say says said saying tell "
    "told".split()
)
_AROUND = "?!.,;:…()[]\"'“”‘’«»"  # a word, in a question


class Keywords:
    """The index in `folder`; made when it is first written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: tuple[Stamp, Any] | None = None

    def stamp(self) -> Stamp | None:
        """How far the index has followed the archive; None where there is no index."""
        note = read_json(self._folder / "stamp.json")
        return Stamp(**note) if note else None

    def apply(self, entries: Sequence[Entry], revisions: Iterable[int], stamp: Stamp) -> None:
        """Puts these entries in the place of whatever these revisions had, in one commit; then moves the stamp."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._explained():
            writer = tantivy.Index(_schema(), path=str(self._folder)).writer(_HEAP, 1)
            for revision in set(revisions):
                writer.delete_documents_by_term("revision", revision)
            for one in entries:
                numbers = dict(zip(FIELD_NAMES, one.fields, strict=True))
                writer.add_document(tantivy.Document(**numbers, title=one.title, text=one.text))
            writer.commit()
            writer.wait_merging_threads()
        write_json(self._folder / "stamp.json", {name: getattr(stamp, name) for name in stamp.__dataclass_fields__})

    def clear(self) -> None:
        self._opened = None
        (self._folder / "stamp.json").unlink(missing_ok=True)  # first: what a kill leaves must not pass for an index
        shutil.rmtree(self._folder, ignore_errors=True)

    def search(self, question: str, k: int, scope: Scope) -> list[tuple[int, float]]:
        """(passage id, BM25) of the k best passages within the scope, best first; 0 results where no word is known."""
        words = _any_word(question)
        if words is None:
            return []
        searcher = self._searcher()
        must = [(tantivy.Occur.Must, words), *((tantivy.Occur.Must, limit) for limit in _limits(scope))]
        hits = searcher.search(tantivy.Query.boolean_query(must), k, count=False).hits
        ids = searcher.fast_field_values("id", [address for _, address in hits])
        return [(int(one), float(score)) for one, (score, _) in zip(ids, hits, strict=True)]

    def passages(self) -> int:
        return int(self._searcher().num_docs)

    def holding(self, words: Sequence[str]) -> list[int]:
        """In how many passages or headlines each word stands, in any inflection that has its stem."""
        frequency = self._searcher().doc_freq
        each = ([frequency(field, stem) for stem in stems(word) for field in ("text", "title")] for word in words)
        return [max(counts, default=0) for counts in each]

    def _searcher(self) -> Any:
        stamp = self.stamp()
        if stamp is None:
            raise WrongIndex("There is no keyword index yet. Make it with: pullquote reindex")
        opened = self._opened  # another thread may put it away meanwhile
        if opened is None or opened[0] != stamp:
            with self._explained():
                self._opened = opened = stamp, tantivy.Index.open(str(self._folder)).searcher()
        return opened[1]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """tantivy's errors, all of them ValueError, come out as WrongIndex."""
        try:
            yield
        except ValueError as error:
            raise WrongIndex(failure("keyword", self._folder, error)) from error


def stems(text: str) -> list[str]:
    """The words of a text as the index has them: lower case, English stems."""
    return list(_analyzer().analyze(text))


def asked(question: str) -> list[str]:
    """The stems of a question that its answer should share, in order; all stems where only small words are left."""
    words = question.replace("’", "'").replace("'s", " ").split()
    told = [word for word in words if not _asks_only(word.strip(_AROUND), shouted=question.isupper())]
    return list(dict.fromkeys(stems(" ".join(told)) or stems(question)))


def _asks_only(word: str, *, shouted: bool) -> bool:
    """Whether a word is one of _ASKING, and not the US, the WHO or IT in a question that is not all capitals."""
    return word.lower() in _ASKING and (shouted or len(word) == 1 or not word.isupper())


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for one in (tantivy.Filter.remove_long(40), tantivy.Filter.lowercase(), tantivy.Filter.stemmer("english")):
        builder = builder.filter(one)
    return builder.build()


@lru_cache(maxsize=1)
def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in FIELD_NAMES:
        builder.add_integer_field(name, stored=False, indexed=True, fast=True)
    builder.add_text_field("title", stored=False, tokenizer_name="en_stem", index_option="freq")
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
    return builder.build()


def _any_word(question: str) -> Any:
    """Should-match of every word in text and headline; built from terms, so nothing in a question is syntax."""
    schema, parts = _schema(), []
    for word in asked(question)[:64]:
        parts.append((tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", word, "freq")))
        title = tantivy.Query.term_query(schema, "title", word, "freq")
        parts.append((tantivy.Occur.Should, tantivy.Query.boost_query(title, TITLE_WEIGHT)))
    return tantivy.Query.boolean_query(parts) if parts else None


def _limits(scope: Scope) -> list[Any]:
    """The scope as queries that filter without scoring."""
    first, last = scope.days
    days = [_between("day", first, last), *([_between("day", UNDATED, UNDATED)] if scope.undated else [])]
    limits = [_any_of(days)] if scope.since or scope.until else []
    if scope.as_of:
        day = scope.as_of.toordinal()
        limits += [_between("since", 0, day), _between("until", day + 1, STANDING)]
    else:
        limits.append(_between("until", STANDING, STANDING))
    limits += [_one_of("outlet", map(outlet_code, scope.outlets))] if scope.outlets else []
    limits += [_one_of("revision", scope.revisions)] if scope.revisions else []
    return [tantivy.Query.const_score_query(limit, 0.0) for limit in limits]


def _one_of(field: str, values: Iterable[int]) -> Any:
    terms = [tantivy.Query.term_query(_schema(), field, value) for value in values]
    return _any_of(terms)


def _any_of(queries: Sequence[Any]) -> Any:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _between(field: str, low: int, high: int) -> Any:
    return tantivy.Query.range_query(_schema(), field, tantivy.FieldType.Integer, low, high)
