"""What a person reads of a message in each chat's Markdown, and what in it is markup: by the patterns of the chats'
own parsers, as far as these are public.
"""

import re
from dataclasses import dataclass
from html import unescape

JOINER = "\u200b"
HIDDEN = 0xE000  # an escaped mark stands so far behind itself while the rest is read


@dataclass(frozen=True, slots=True)
class Reader:
    """One chat's Markdown."""

    escape: str  # finds a mark that a backslash keeps from being markup
    bold: str
    markup: str  # finds anything else that is no plain text
    entities: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    plain: str
    quote: str  # the lines of the quotation
    bold: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    markup: tuple[str, ...]  # all that is none of these


LINK = re.compile(r"\[([^\[\]\n]+)\]\((https?://[^\s()]+)\)")
BLOCKS = r"^(?:[-+*] |#{1,6} |\d+[.)] |~~~|```|=+ *$|-{2,}|\||[ \t]+\S|/\w)"
READERS = {
    "mattermost": Reader(
        r"\\([`*{}\[\]()#+\-.!_>|~]|\\(?!\w))",
        r"\*\*([^\n]+?)\*\*(?!\*)",
        r"`|\*\S|\b_\S|__|~~|(?:^|\W)@[a-z0-9]|(?:^|\W)#[^\W\d_]|~[a-z0-9]|<[a-z/!?]|:[\w+-]+:|:-?[)D(]|<3"
        r"|[A-Za-z][\w.+-]*:(?:/{1,3}|\w)|www\d{0,3}\.|[\w-]+\.[a-z]{2,4}/|\$[^$\n]+\$(?!\w)|\[[^\]]*\](?:\(|\[)",
        entities=True,
    ),
    "zulip": Reader(
        r"(?!)()",
        r"\*\*([^\n]+?)\*\*",
        r"`|\*\S|~~|@\S|#\*|\$\$|<time:|:\w+:|:[)(|/]|<3|!avatar|https?:/|[\w-]+\.[a-z]{2,}\b|\[[^\]]*\]\(",
        entities=True,
    ),
    "rocketchat": Reader(
        r"\\([*_~`#.])",
        r"\*([^*\n]+)\*",
        r"[*`~]|(?<![a-zA-Z0-9])_|(?<!\w)@[\w.-]|(?<!\w)#\w|<[\w/]+|:[\w+.-]+:|\|\||https?:/|[\w-]+\.[a-z]{2,}\b"
        r"|\[[^\]]*\]\(|\+\d",
    ),
    "discord": Reader(
        r"\\([^0-9A-Za-z\s])",
        r"\*\*([^\n]+?)\*\*(?!\*)",
        r"[*`]|\b_|__|~~|\|\||<[@#:a/t]|@everyone|@here|https?:/|\[[^\]]*\]\(",
    ),
}


def read(chat: str, source: str) -> Read:
    reader = READERS[chat]
    links: list[tuple[str, str]] = []
    bold: list[str] = []

    def linked(found: re.Match[str]) -> str:
        links.append((_shown(found[1], reader), found[2]))
        return found[1]

    def emboldened(found: re.Match[str]) -> str:
        bold.append(_shown(found[1], reader))
        inside = found[1].replace(".", chr(HIDDEN + ord("."))) if chat == "rocketchat" else found[1]
        return f"{JOINER}{inside}{JOINER}"  # in bold Rocket.Chat looks for no address

    rest = re.sub(reader.escape, lambda found: chr(HIDDEN + ord(found[1])) if ord(found[1]) < 128 else found[0], source)
    lines = re.sub(reader.bold, emboldened, LINK.sub(linked, rest)).split("\n")
    quoted = [one.startswith(">") for one in lines]
    bare = [re.sub(r"^> ?", "", one) if quotes else one for one, quotes in zip(lines, quoted, strict=True)]
    markup = [found[0] for one in bare for found in re.finditer(f"{BLOCKS}|{reader.markup}", one)]
    plain = [_shown(one, reader) for one in bare]
    quote = "\n".join(one for one, quotes in zip(plain, quoted, strict=True) if quotes)
    return Read("\n".join(plain), quote, tuple(bold), tuple(links), tuple(markup))


def _shown(text: str, reader: Reader) -> str:
    text = unescape(text) if reader.entities else text
    return re.sub("[\ue000-\ue07f]", lambda found: chr(ord(found[0]) - HIDDEN), text).replace(JOINER, "")
