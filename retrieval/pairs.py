"""A question and a window of an article as one sequence of tokens, for a cross-encoder that reads both at once.

[CLS] question [SEP] headline [SEP] window [SEP], segment 0 for the question and 1 for the rest (Devlin et al., BERT,
NAACL 2019). The model gives four numbers a token: start and end of the answer, evidence, relevance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from corpus.article import Span

QUESTION_TOKENS, TITLE_TOKENS, MOST_TOKENS = 48, 24, 320  # what is longer is cut
START, END, EVIDENCE, RELEVANCE = range(4)  # columns of the model's output; relevance is read at [CLS] alone


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sequence. Tokens from `first` on stand for `places`, characters of the window."""

    ids: list[int]
    segments: list[int]
    first: int
    places: list[Span]

    def of(self, span: Span) -> range:
        """The tokens of the sequence that begin within a span of characters of the window."""
        inside = [n for n, (start, _) in enumerate(self.places, self.first) if span[0] <= start < span[1]]
        return range(inside[0], inside[-1] + 1) if inside else range(0)


class Tokenizer:
    """Turns pairs into tokens. `tokenizer` is one of the tokenizers library, without truncation or padding."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._start, self._stop = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))

    def __call__(self, question: str, windows: Sequence[tuple[str, str]]) -> list[Tokens]:
        """One sequence for each (headline, text)."""
        every = [question, *(part for window in windows for part in window)]
        cut = self._tokenizer.encode_batch(every, add_special_tokens=False)
        asked = cut[0].ids[:QUESTION_TOKENS]
        return [self._joined(asked, title, text) for title, text in zip(cut[1::2], cut[2::2], strict=True)]

    def _joined(self, asked: list[int], title: Any, text: Any) -> Tokens:
        before = [self._start, *asked, self._stop]
        head = [*title.ids[:TITLE_TOKENS], self._stop]
        first = len(before) + len(head)
        room = MOST_TOKENS - first - 1
        ids = [*before, *head, *text.ids[:room], self._stop]
        return Tokens(ids, [0] * len(before) + [1] * (len(ids) - len(before)), first, text.offsets[:room])
