"""The terminal: answers as lines of text, styled and wrapped on a screen, plain and unwrapped in a pipe."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot import messages
from bot.conversation import (
    Conversation,
    End,
    Export,
    Reply,
    Shown,
    Sources,
    Verified,
    carried_by,
    index_current,
    notes,
    reports,
    told_of,
)
from corpus.archive import Revision
from corpus.article import Article, line
from corpus.changes import Changes, Paragraph
from corpus.corrections import corrections
from corpus.kinds import kind_of
from retrieval.answer import Answer, Reason
from retrieval.citation import Citation, link

WIDEST = 100  # columns; longer lines are hard to read
LONG_CELL = 20  # characters from which a cell of --explain may be wrapped
PIPE = 10_000  # columns of a table that nobody looks at


@dataclass(frozen=True, slots=True)
class Limits:
    """What the place of printing can do."""

    width: int | None = None  # columns to wrap at; None: do not wrap
    styled: bool = False  # whether dim and bold can be seen


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a message."""

    text: Text
    indent: int = 0
    wraps: bool = True  # False for links, which a terminal can open only while they are whole
    mark: str = ""  # stands in the margin of the first line


Message = list[Block]
BLANK = Block(Text())


def to_question(typed: str) -> str | None:
    """What a person typed, without what would steer a terminal; None: nothing was."""
    return line(typed) or None


def render(reply: Reply, limits: Limits) -> Message:
    if isinstance(reply, Answer):
        return _answer(reply, limits) if reply.quoted else _refusal(reply, limits)
    if isinstance(reply, Shown):
        return _shown(reply, limits)
    if isinstance(reply, Sources):
        return _headlines(reply.revisions, limits)
    if isinstance(reply, Verified):
        return [Block(Text(reply.differences)), *_citation(reply.citation, limits, known=told_of(reply.citation))]
    if isinstance(reply, Export):
        return [Block(Text(reply.text))]
    return [] if isinstance(reply, End) else [Block(Text(messages.printable(reply)))]


def write(message: Message, console: Console, limits: Limits) -> None:
    """Rich takes no markup from our texts: they are Text objects."""
    for block in message:
        rows: Iterable[Text] = [block.text]
        if block.wraps and limits.width:
            rows = block.text.wrap(console, max(limits.width - block.indent, 20))
        for number, row in enumerate(rows):
            row.rstrip()
            margin = (block.mark if number == 0 else "").ljust(block.indent)
            console.print(Text.assemble((margin, "cyan"), row), soft_wrap=True)


def screen(*, stderr: bool = False) -> tuple[Console, Limits]:
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        return console, Limits()
    return console, Limits(min(console.width, WIDEST), styled=not console.is_dumb_terminal)


def run(conversation: Conversation, welcome: str, ask: Callable[[str], str] = input) -> None:
    """Until the person ends it. An answer that takes too long can be stopped with Ctrl-C."""
    console, limits = screen()
    prompt = messages.PROMPT if sys.stdin.isatty() else ""
    if prompt:
        _line_editing()
        write([Block(Text(welcome)), BLANK], console, limits)
    while (typed := _typed(ask, prompt)) is not None:
        question = to_question(typed)
        if question is None:
            continue
        try:
            reply = conversation.reply(question)
        except KeyboardInterrupt:
            reply = messages.STOPPED
        if isinstance(reply, End):
            return
        write([BLANK, *render(reply, limits), BLANK] if prompt else [*render(reply, limits), BLANK], console, limits)
        console.file.flush()
    if prompt:
        console.print()


def _typed(ask: Callable[[str], str], prompt: str) -> str | None:
    try:
        return ask(prompt)
    except (EOFError, KeyboardInterrupt):
        return None


def _line_editing() -> None:
    """Arrow keys and history for `input`, where Python has them."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return


# An answer


def _answer(answer: Answer, limits: Limits) -> Message:
    blocks = _understood(answer)
    for number, citation in enumerate(answer.quoted, 1):
        blocks += [BLANK] if blocks else []
        told = answer.differing if number == 1 else ()
        shown = Shown(citation, number, len(answer.quoted), answer.question, carried_by(answer, citation), told)
        blocks += _shown(replace(shown, sure=answer.answered), limits)
    return [*blocks, *_outdated(answer)]


def _refusal(answer: Answer, limits: Limits) -> Message:
    if answer.reason == Reason.EMPTY:
        return [Block(Text(messages.EMPTY_ARCHIVE))]
    blocks = [*_understood(answer), Block(Text(messages.printable(answer.reason)))]
    blocks += _outdated(answer)
    if answer.nearest:
        blocks += [BLANK, Block(Text(messages.CLOSEST, style="dim")), *_headlines(answer.nearest, limits, indent=2)]
    return blocks


def _understood(answer: Answer) -> Message:
    """What was made of the question: its filter, and a follow-up made whole."""
    question, scope = answer.question, answer.question.scope
    notes = []
    if question.completed:
        notes.append(messages.UNDERSTOOD.format(question=messages.printable(question.text)))
    filtered = messages.filters(scope.since, scope.until, scope.outlets, scope.as_of, question.read_as)
    notes += [messages.looked(messages.printable(filtered))] if filtered else []
    return [Block(Text(note, style="dim italic")) for note in notes]


def _outdated(answer: Answer) -> Message:
    return [Block(Text(one, style="dim italic")) for one in index_current(answer.outdated)]


def _shown(shown: Shown, limits: Limits) -> Message:
    blocks = [] if shown.sure else [Block(Text(messages.PERHAPS))]
    blocks += _citation(shown.citation, limits, f"{shown.number}" if shown.count > 1 else "", notes(shown))
    told = reports(shown)
    indent = 3 if shown.count > 1 else 0
    blocks += [Block(Text(messages.DIFFER, style="dim"), indent)] if told else []
    for text, url in told:
        blocks += [Block(Text(f"• {messages.printable(text)}"), indent), _link(url, url, indent + 2, limits)]
    return blocks


def _citation(citation: Citation, limits: Limits, number: str = "", known: Sequence[str] = ()) -> Message:
    indent = 3 if number else 0
    quote = _in_context(citation) if limits.styled else _marked(citation)
    blocks = [Block(quote[0], indent, mark=number)]
    for part in quote[1:]:
        blocks += [BLANK, Block(part, indent)] if limits.styled else [Block(part, indent)]
    blocks += [Block(Text(citation.article.title), indent), Block(_byline(citation.article), indent)]
    blocks += [Block(Text(messages.printable(one), style="dim"), indent) for one in known]
    return [*blocks, _link(citation.article.url, link(citation), indent, limits)]


def _in_context(citation: Citation) -> list[Text]:
    """The quote in its context, a paragraph each, with dots where the context does not begin or end one."""
    text = citation.article.text
    first, last = citation.start - len(citation.before), citation.end + len(citation.after)
    whole = Text("" if text[:first].endswith("\n") or not first else "… ", style="dim")
    whole.append(citation.before, style="dim")
    whole.append(citation.quote, style="not dim" if citation.words else "not dim bold")
    if citation.words:
        begun = len(whole) - len(citation.quote)
        whole.stylize("bold", begun + citation.words[0], begun + citation.words[1])
    whole.append(citation.after + ("" if text[last : last + 1] in ("\n", "") else " …"), style="dim")
    return [part for part in whole.split("\n") if part.plain.strip()]


def _marked(citation: Citation) -> list[Text]:
    """Where dim and bold cannot be told apart: the quote alone, marked as e-mail marks it."""
    return [Text(f"> {part}") for part in citation.quote.split("\n") if part]


def _byline(article: Article) -> Text:
    return Text(" · ".join(_known(article)), style="dim")


def _known(article: Article) -> list[str]:
    """Outlet, day and authors; what the source does not say is left out, but a missing date is worth saying."""
    parts = (article.outlet, messages.day(article.published), ", ".join(article.authors))
    return [part for part in parts if part]


def _link(url: str, target: str, indent: int, limits: Limits) -> Block:
    """On a screen the address, which opens at the quote when it is clicked; elsewhere the whole target."""
    if limits.styled:
        return Block(Text(url, style=Style(color="blue", link=target)), indent, wraps=False)
    return Block(Text(target), indent, wraps=False)


def _headlines(revisions: Sequence[Revision], limits: Limits, indent: int = 0) -> Message:
    blocks: Message = []
    for one in revisions:
        url = one.article.url
        blocks += [BLANK, Block(Text(one.article.title), indent), Block(_byline(one.article), indent)]
        blocks.append(_link(url, url, indent, limits))
    return blocks[1:]


def article(
    shown: Revision, revisions: Sequence[Revision], also: Sequence[str], copies: Sequence[Revision], limits: Limits
) -> Message:
    """A whole article, for `pullquote show`."""
    known = shown.article
    blocks = [Block(Text(known.title, style="bold")), Block(_byline(known))]
    blocks += [_link(url, url, 0, limits) for url in (known.url, *also)]
    if len(revisions) > 1:
        until = None if shown.current else shown.until
        said = messages.revision(shown.number, len(revisions), shown.since, until)
        blocks.append(Block(Text(said, style="dim")))
    about = messages.about(
        kind_of(known), known.section, known.language, known.paywalled, known.modified, known.dated_by
    )
    blocks += [Block(Text(about, style="dim"))] if about else []
    notes = (messages.CORRECTED.format(note=line(one)) for one in corrections(known.text))
    blocks += [Block(Text(note, style="yellow")) for note in notes]
    blocks += [BLANK, *(Block(Text(part)) for part in known.text.split("\n"))]
    if copies:
        blocks += [BLANK, Block(Text(messages.COPIES, style="dim")), *_headlines(copies, limits, indent=2)]
    return blocks


_SHAPES = {"same": ("", "", ""), "removed": ("[-", "-]", "red"), "added": ("{+", "+}", "green")}


def changes(old: Revision, new: Revision, found: Changes, limits: Limits) -> Message:
    """What `pullquote diff` prints: on a screen in red and green, elsewhere with [-marks-] and {+marks+}."""
    head = messages.COMPARED.format(
        old=old.number, old_day=messages.day(old.since), new=new.number, new_day=messages.day(new.since)
    )
    title = _pieces(found.title, limits) if found.title else Text(new.article.title)
    title.stylize("bold")
    blocks = [Block(title), Block(Text(head, style="dim"))]
    for name, before, after in found.fields:
        said = messages.FIELD_CHANGED.format(name=name, old=before or messages.NONE, new=after or messages.NONE)
        blocks.append(Block(Text(said)))
    for paragraph in found.paragraphs:
        blocks += [BLANK, Block(_pieces(paragraph, limits))]
    if not found.words:
        blocks += [BLANK, Block(Text(messages.unchanged(found.moved, found.respelled)))]
    elif found.moved:
        blocks += [BLANK, Block(Text(messages.also_moved(found.moved), style="dim"))]
    return blocks


def _pieces(paragraph: Paragraph, limits: Limits) -> Text:
    whole = Text()
    for piece in paragraph:
        opening, closing, colour = _SHAPES[piece.kind]
        text = messages.printable(piece.text).replace("\n", " ")
        if limits.styled:
            whole.append(text, style=f"{colour} strike" if piece.kind == "removed" else colour)
        else:
            whole.append(f"{opening}{text}{closing}")
    return whole


# Tables: --explain, list, status, settings


def table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, wraps: Sequence[int] = (), stderr: bool = False
) -> None:
    """To standard output, or to standard error. On a screen x; in a pipe none does."""
    console, limits = screen(stderr=stderr)
    rows = list(rows)
    made = Table(box=None, show_header=bool(head), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number in range(max(len(head), *map(len, rows), 1)):
        made.add_column(
            Text(head[number]) if head else "",
            no_wrap=number not in wraps,
            overflow="fold" if number in wraps else "ellipsis",
        )
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    if limits.width:
        console.print(made)
    else:
        console.width = PIPE
        with console.capture() as captured:
            console.print(made)
        console.file.write("".join(f"{each.rstrip()}\n" for each in captured.get().splitlines()))


def explain(answer: Answer) -> None:
    """What each stage found and how it was scored, whatever there is, as tables."""
    console, limits = screen()
    said = messages.confidence(answer.confidence, number=True)
    write([BLANK, Block(Text(f"confidence: {said}"))], console, limits)
    for name, value in answer.explained.items():
        console.print(Text(f"\n{messages.printable(name)}", style="bold"))
        rows, head = _as_table(value)
        table(rows, head, wraps=[n for n in range(len(head)) if any(len(row[n]) > LONG_CELL for row in rows)])


def _as_table(value: object) -> tuple[list[list[str]], list[str]]:
    if isinstance(value, Mapping):
        return [[messages.printable(str(key)), _cell(one)] for key, one in value.items()], []
    if isinstance(value, Sequence) and not isinstance(value, str) and value and isinstance(value[0], Mapping):
        head = list(dict.fromkeys(str(key) for row in value for key in row))
        return [[_cell(row.get(key, "")) for key in head] for row in value], head
    return [[_cell(value)]], []


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_cell(one)}" for key, one in value.items())
    return line("" if value is None else str(value))
