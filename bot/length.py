"""How long a text is as chat platforms count, and texts made to fit."""

from urllib.parse import urlsplit

FIELD = 256  # units of a title, a name, a question, in a chat


def units(text: str) -> int:
    """UTF-16 code units: a letter is one, most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, room: int) -> str:
    """At most `room` units, with dots where something was cut."""
    if units(text) <= room:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: max(room - 1, 0) * 2].decode("utf-16-le", "ignore")
    return f"{kept}…" if room > 0 else ""


def around(before: str, quote: str, after: str, room: int) -> tuple[str, str, str]:
    """A quote with what stands around it: where that is too long, the context is cut, then the quote."""
    quote = cut(quote, room)
    side = max(room - units(quote) - 4, 0) // 2
    before = before.lstrip()
    if units(before) > side:
        before = f"…{cut(before[::-1], side - 1)[::-1].lstrip('…')}" if side > 1 else ""
    return before, quote, cut(after.rstrip(), side)


def on_the_web(url: str) -> bool:
    """Whether it is an address that a chat opens: of http or https, with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # "http://[": an address in name only
        return False
