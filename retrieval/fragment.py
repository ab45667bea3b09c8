"""Links that open an article at the quote: `#:~:text=[prefix-,]start[,end][,-suffix]`.

After the WICG draft "URL Fragment Text Directives" (https://wicg.github.io/scroll-to-text-fragment/). A browser takes
the first place where the terms match whole words, whatever their case or accents; no term crosses a block of the
page, which is a line of our text; between a prefix, the start and a suffix there may only be white space.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

MAX_DIRECTIVE = 2_000  # characters added to the URL; chats and mail programs cut or refuse much longer links
MAX_WHOLE = 300  # characters of a quote that is given whole; a longer one as its first and last words
MAX_WHOLE_ENCODED = 1_000  # the same once percent-encoded: a Cyrillic letter is 6 characters

_TERM_WORDS = (4, 8, 16, 32, 64, 2, 1)  # words of a range's start and end, in the order tried
_CONTEXT_WORDS = (3, 6, 12, 24, 48, 96)  # words of a prefix or a suffix, in the order tried

# Scripts written without spaces: a clause counts as one word, and every character may be a word's edge.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"[^\W{_UNSPACED}]"
_WORD = re.compile(rf"{_LETTER}+|[{_UNSPACED}]{{1,40}}")
_EDGE = rf"(?:(?<!{_LETTER})|(?!{_LETTER}))"


@dataclass(frozen=True, slots=True)
class _Directive:
    """The terms as they stand in the text; "" where there is none."""

    start: str
    end: str = ""
    prefix: str = ""
    suffix: str = ""

    def __str__(self) -> str:
        terms = (
            f"{_encoded(self.prefix)}-" if self.prefix else "",
            _encoded(self.start),
            _encoded(self.end),
            f"-{_encoded(self.suffix)}" if self.suffix else "",
        )
        return "text=" + ",".join(term for term in terms if term)

    def pattern(self) -> re.Pattern[str]:
        """Finds in folded text what a browser would highlight, as the group "found"."""
        before = rf"{_EDGE}{_words(self.prefix)}\s*" if self.prefix else _EDGE
        body = _words(self.start) + (rf"{_EDGE}.*?{_EDGE}{_words(self.end)}" if self.end else "")
        after = rf"\s*{_words(self.suffix)}{_EDGE}" if self.suffix else _EDGE
        return re.compile(f"{before}(?P<found>{body}){after}", re.S)


def fragment_link(url: str, text: str, start: int, end: int) -> str:
    """`url`, opening at text[start:end]; a URL that is not http(s), or a quote without words, comes back unchanged.

    A quote that starts or ends inside a word is widened to whole words. Where the lines around the quote are repeated
    word for word, no link can tell the copies apart, and it opens the first.
    """
    start, end = _whole_words(text, start, end)
    if not url.lower().startswith(("http://", "https://")) or start >= end:
        return url
    directive = _resolving(text, start, end)
    if directive is None:
        return url
    page, _, section = url.partition("#")
    return f"{page}#{section.split(':~:')[0]}:~:{directive}"


def _resolving(text: str, start: int, end: int) -> _Directive | None:
    """The first directive that resolves to the span, else the plainest; None if all are too long."""
    folded, fallback = _folded(text), None
    for directive in _directives(text, start, end):
        if len(f"#:~:{directive}") > MAX_DIRECTIVE:
            continue
        fallback = fallback or directive
        found = directive.pattern().search(folded)
        if found and found.span("found") == (start, end):
            return directive
    return fallback


def _directives(text: str, start: int, end: int) -> Iterator[_Directive]:
    """Ways to point at the span, plainest first."""
    bodies = list(_bodies(text[start:end]))
    yield from bodies
    for count in _CONTEXT_WORDS:
        prefix, suffix = _last_words(text[:start], count), _first_words(text[end:], count)
        for body in bodies:
            for before, after in ((prefix, ""), ("", suffix), (prefix, suffix)):
                if before or after:
                    yield _Directive(body.start, body.end, before, after)


def _bodies(words: str) -> Iterator[_Directive]:
    """Whole where short, else its first and last words; whole after all where those stand in it twice."""
    short = len(words) <= MAX_WHOLE and len(_encoded(words)) <= MAX_WHOLE_ENCODED
    if "\n" in words or not short:
        first, last = words.split("\n", 1)[0], words.rsplit("\n", 1)[-1]
        terms = [(_first_words(first, count), _last_words(last, count)) for count in _TERM_WORDS]
        yield from (_Directive(start, end) for start, end in terms if len(start) + len(end) < len(words))
    if "\n" not in words:
        yield _Directive(words)


def _first_words(text: str, count: int) -> str:
    """The first line's first words, with the punctuation before and between them."""
    line = text[: count * 200].lstrip().split("\n", 1)[0]
    ends = [word.end() for word in _WORD.finditer(line)]
    return line[: ends[min(count, len(ends)) - 1]] if ends else line.rstrip()


def _last_words(text: str, count: int) -> str:
    """The last line's last words, with the punctuation between and after them."""
    line = text[-count * 200 :].rstrip().rsplit("\n", 1)[-1]
    starts = [word.start() for word in _WORD.finditer(line)]
    return line[starts[-min(count, len(starts))] :] if starts else line.lstrip()


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its edges, widened to the words that it begins and ends in; empty if no word."""
    quoted = text[start:end]
    start, end = start + len(quoted) - len(quoted.lstrip()), end - len(quoted) + len(quoted.rstrip())
    if not _WORD.search(text, start, max(start, end)):
        return start, start
    edge = re.compile(_EDGE)
    while not edge.match(text, start):
        start -= 1
    while not edge.match(text, end):
        end += 1
    return start, end


def _encoded(term: str) -> str:
    """Percent-encoded, with the three characters that the directive's own syntax uses."""
    return quote(" ".join(term.split()), safe="", errors="replace").replace("-", "%2D")


def _words(term: str) -> str:
    """Matches the words of a term within a line: a browser lets no term cross from one block to the next."""
    return r"[^\S\n]+".join(map(re.escape, _folded(term).split()))


def _folded(text: str) -> str:
    """Without case and accents, character for character, so that offsets stay."""
    return text.lower() if text.isascii() else "".join(map(_base, text))


@lru_cache(4096)
def _base(character: str) -> str:
    base, *marks = list(unicodedata.normalize("NFD", character))
    kept = base if all(unicodedata.combining(mark) for mark in marks) else character
    return kept.lower() if len(kept.lower()) == 1 else kept
