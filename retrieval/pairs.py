"""A question and a passage as one sequence of tokens, for a cross-encoder that reads both at once.

[CLS] question [SEP] headline (day). text [SEP], segment 0 for the question and 1 for the rest (Devlin et al., BERT,
NAACL 2019). The model gives five numbers a token: start and end of the answer, evidence; and, read at [CLS] alone, what
the passage as a whole adds to the score of each of its sentences, and its relevance.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.article import Span

QUESTION_TOKENS, HEAD_TOKENS, MOST_TOKENS = 64, 40, 320  # what is longer is cut
TITLE = 120  # characters of a headline that are read
START, END, EVIDENCE, BESIDE, RELEVANCE = range(5)  # columns of the model's output
COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sequence. Tokens from `first` on stand for `places`, characters of the passage's text."""

    ids: list[int]
    segments: list[int]
    first: int
    places: list[Span]

    def of(self, span: Span) -> range:
        """The tokens of the sequence that begin within a span of characters of the text."""
        inside = [n for n, (start, _) in enumerate(self.places, self.first) if span[0] <= start < span[1]]
        return range(inside[0], inside[-1] + 1) if inside else range(0)


def head(title: str, day: str) -> str:
    """What is read before a passage's text: its article's headline and day (ISO, or "")."""
    return (title[:TITLE] + (f" ({day})" if day else "") + ". ") if title or day else ""


class Tokenizer:
    """Turns pairs into tokens. `tokenizer` is one of the tokenizers library, without truncation or padding."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._start, self._stop = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))

    def __call__(self, question: str, passages: Sequence[tuple[str, str]]) -> list[Tokens]:
        """One sequence for each (head, text)."""
        every = [question, *(part for passage in passages for part in passage)]
        cut = self._tokenizer.encode_batch(every, add_special_tokens=False)
        asked = [self._start, *cut[0].ids[:QUESTION_TOKENS], self._stop]
        return [self._joined(asked, *parts) for parts in zip(cut[1::2], cut[2::2], strict=True)]

    def _joined(self, asked: Iterable[int], title: Any, text: Any) -> Tokens:
        before = [*asked]
        ids = [*before, *title.ids[:HEAD_TOKENS]]
        first = len(ids)
        room = MOST_TOKENS - first - 1
        ids += [*text.ids[:room], self._stop]
        return Tokens(ids, [0] * len(before) + [1] * (len(ids) - len(before)), first, text.offsets[:room])
