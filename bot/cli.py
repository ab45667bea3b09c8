"""The command `pullquote`: reads the settings, builds the parts, one verb per job.

What a verb needs is imported by that verb, so that a question does not wait for what only an intake uses.
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from bot import messages

if TYPE_CHECKING:
    from bot.build import House
    from bot.newsroom import Newsroom
    from bot.settings import Settings
    from bot.store import Store
    from bot.watchlist import Follow
    from corpus.archive import Revision
    from corpus.changes import Changes
    from corpus.intake import Report
    from corpus.rounds import Round
    from corpus.sources.files import Item
    from corpus.sources.finding import Offer
    from retrieval.answer import Answer
    from retrieval.desk import Desk
    from retrieval.scope import Scope

SEATS = min(os.cpu_count() or 1, 4)  # questions that a bot answers at a time
SAMPLE_WAIT = 60.0  # seconds that a question waits for another process to take the sample in


class Refused(click.ClickException):
    """An error as a reply: one sentence on standard error, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(messages.printable(self.message), file=file or sys.stderr)


class Verbs(click.Group):
    """The one place where errors become sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # so that a reader that is gone is noticed here, quietly
            return result
        except KeyboardInterrupt:
            click.echo(messages.STOPPED, err=True)
            ctx.exit(130)
        except _foreseen() as error:  # looked up only when something was raised
            raise Refused(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise Refused(messages.system_refused(error.strerror or "", error.filename)) from error


def _foreseen() -> tuple[type[Exception], ...]:
    """The errors whose message is written for a person."""
    from bot.settings import BadSettings
    from corpus.archive import NoSuchArticle
    from corpus.article import BadArticle
    from corpus.database import DatabaseError
    from corpus.intake import Busy
    from corpus.sources.register import NoSuchSource
    from retrieval.models import BadModel
    from retrieval.question import BadQuestion
    from retrieval.vectors import WrongIndex

    archive = (DatabaseError, NoSuchArticle, BadArticle, Busy, NoSuchSource)
    return (*archive, BadSettings, BadModel, BadQuestion, WrongIndex)


class Day(click.ParamType[date]):
    """A date in any usual spelling."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        from bot.conversation import read_day
        from retrieval.question import BadQuestion

        try:
            return value if isinstance(value, date) else read_day(value)
        except BadQuestion as error:
            self.fail(str(error), param, ctx)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pullquote", prog_name="pullquote", message="%(prog)s %(version)s")
def cli() -> None:
    """Answers questions from a news archive in the articles' own words, with proven citations.

    Settings: see `pullquote settings`. Exit codes: 0 done (a refusal to answer is an answer), 1 something failed and
    is named on standard error, 2 the command was not understood, 130 stopped by Ctrl-C.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


main = cli

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
sample_option = click.option("--sample", is_flag=True, help="Use the sample articles that come with pullquote.")
wait_option = click.option(
    "--wait", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Wait so long for another intake."
)


def _filters(verb: Callable[..., None]) -> Callable[..., None]:
    """The options that narrow a question."""
    for option in (
        click.option("--as-of", type=Day(), help="Answer from the archive as it stood at the end of this day."),
        click.option("--outlet", "outlets", multiple=True, help="Only this outlet; may be given several times."),
        click.option("--until", type=Day(), help="Only articles published until then."),
        click.option("--since", type=Day(), help="Only articles published since then."),
    ):
        verb = option(verb)
    return verb


# Articles in


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@wait_option
@as_json
def ingest(paths: tuple[str, ...], dry_run: bool, wait: float, as_json: bool) -> None:
    """Take in articles: files, folders, JSON lines (.jsonl, .jsonl.gz), or - for JSON lines on standard input."""
    from corpus.sources.files import read

    with _house() as house, _alone(house, wait):
        report = _taken_in(house, read(paths, sys.stdin.buffer), dry_run)
    _tell(report, dry_run, as_json)


@cli.command()
@click.argument("named", nargs=-1, required=True, metavar="URL...")
@click.option("--yes", is_flag=True, help="Add every feed that a site names, without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@wait_option
@as_json
def add(named: tuple[str, ...], yes: bool, dry_run: bool, wait: float, as_json: bool) -> None:
    """Take in pages of the web, and make feeds and sitemaps sources that `refresh` and `run` visit again and again.

    URL: a page, a feed, a sitemap, a site whose feeds are offered for choosing, or a file of feeds.opml. Only public
    addresses are fetched.
    """
    from bot.newsroom import Added

    added = Added()
    choose = (lambda url, offers: offers) if yes else _choose
    with _house() as house, _newsroom(house, wait) as newsroom, _interruptible(added.round.taken):
        newsroom.find(named, choose, added, dry_run)
        with _shown(house, newsroom, dry_run):
            newsroom.take(added, dry_run)
    if not as_json:
        for one, new in added.sources:
            click.echo(messages.source_added(one.title, one.url, one.kind, new, dry_run))
    more = {
        "sources": [{**asdict(one), "new": new} for one, new in added.sources],
        "offered": [{"at": url, "feeds": [asdict(one) for one in offers]} for url, offers in added.offered],
    }
    for url, offers in added.offered:
        click.echo(messages.not_chosen(url, offers[0].url), err=True)
    quiet = bool(added.sources or added.offered) and not (added.round.taken.counts or added.round.taken.problems)
    _tell_round(added.round, dry_run, as_json, more, quiet=quiet, failed=bool(added.offered))


def _choose(url: str, offers: Sequence["Offer"]) -> Sequence["Offer"]:
    """From the feeds of a site, by a person where there is one; all are named in any case."""
    from bot.channels import terminal

    click.echo(messages.offered(url), err=True)
    rows = [(str(number), one.kind, messages.printable(one.title), one.url) for number, one in enumerate(offers, 1)]
    terminal.table(rows, messages.OFFER_HEAD, wraps=(2, 3), stderr=True)
    while sys.stdin.isatty():
        said = click.prompt(messages.CHOOSE, default="", show_default=False, err=True).strip().lower()
        numbers = (
            range(1, len(offers) + 1) if said == "all" else [int(n) for n in said.split(",") if n.strip().isdigit()]
        )
        if all(1 <= number <= len(offers) for number in numbers) and (numbers or not said):
            return [offers[number - 1] for number in numbers]
        click.echo(messages.NOT_A_CHOICE.format(count=len(offers)), err=True)
    return ()


# Sources


@cli.group(invoke_without_command=True)
@as_json
@click.pass_context
def feeds(context: click.Context, as_json: bool) -> None:
    """List the sources: when each was had last, its newest article, its rhythm, and what is wrong with it."""
    if context.invoked_subcommand:
        return
    with _house() as house:
        from bot.sources import as_objects, as_rows

        found = house.register.sources()
        if as_json:
            for row in as_objects(found):
                _print_json(row)
            return
    from bot.channels import terminal

    if not found:
        click.echo(messages.NO_SOURCES)
        return
    terminal.table(as_rows(found), messages.SOURCES_HEAD, wraps=(1,))
    for one in found:
        if one.failures:
            click.echo(messages.source_failed(one.id, one.name, one.failures, one.reason))


@feeds.command("export")
@click.argument("file", required=False, type=click.File("wb", atomic=True), default="-")
def feeds_export(file: IO[bytes]) -> None:
    """Write the feeds and sitemaps as OPML, which other readers take, and `add` too."""
    from bot.newsroom import exported

    with _house() as house:
        file.write(exported(house.register.sources()))


@feeds.command("remove")
@click.argument("source")
@as_json
def feeds_remove(source: str, as_json: bool) -> None:
    """Visit a source no longer. SOURCE: its number, its address, or part of its title. Its articles stay."""
    with _house() as house:
        found = house.register.source(source)
        house.register.remove(found)
    if as_json:
        _print_json({"removed": found.url, "title": found.title})
    else:
        click.echo(messages.printable(messages.REMOVED.format(name=found.name, url=found.url)))


@cli.command()
@click.option("--all", "everything", is_flag=True, help="Look at every page that is known, not only at those due.")
@wait_option
@as_json
def refresh(everything: bool, wait: float, as_json: bool) -> None:
    """Visit every source once, take in what is new, and look whether recent pages have changed.

    Exit code 1 where a source or a page could not be had; the reasons stand at the end.
    """
    from corpus.rounds import Round

    report = Round()
    with (
        _house() as house,
        _newsroom(house, wait) as newsroom,
        _interruptible(report.taken),
        _shown(house, newsroom),
    ):
        newsroom.refresh(report, everything=everything)
    _tell_round(report, False, as_json)


@cli.command()
@click.argument("folder", type=click.Path())
@click.option(
    "--withdraw/--keep", default=False, help="Whether the articles of a deleted file go too. Default: they stay."
)
@click.option("--once", is_flag=True, help="Look once and end.")
@wait_option
@as_json
def watch(folder: str, withdraw: bool, once: bool, wait: float, as_json: bool) -> None:
    """Take in what lies in FOLDER, and go on: new, changed, moved and deleted files are noticed within seconds.

    The folder becomes a source: `run` and `refresh` look at it too, until `feeds remove FOLDER`.
    """
    import time

    from bot.newsroom import POLL, watched
    from corpus.rounds import Round

    with _house() as house, _newsroom(house, wait) as newsroom:
        path = watched(folder)
        house.register.add(path, "folder", "", time.time(), withdraw=withdraw)
        source = house.register.source(path)
        if not once:
            click.echo(messages.printable(messages.WATCHING.format(folder=path)), err=True)
        report = Round()
        with _interruptible(report.taken), _shown(house, newsroom):
            newsroom.look(source, report)
        while not once:
            if report.taken.counts or report.taken.problems or report.missing or report.withdrawn:
                _told_round(report, False, as_json)
            time.sleep(POLL)
            report = Round()
            newsroom.look(source, report)
    _tell_round(report, False, as_json)


@contextmanager
def _newsroom(house: "House", wait: float) -> Iterator["Newsroom"]:
    from bot.newsroom import WAIT, Newsroom

    _ = house.archive  # whether it opens matters more than anything that comes
    newsroom = Newsroom(house, wait=max(wait, WAIT))
    try:
        yield newsroom
    finally:
        newsroom.close()


@contextmanager
def _shown(house: "House", newsroom: "Newsroom", dry: bool = False) -> Iterator[None]:
    """How far it is."""
    from bot.progress import shown

    with shown(messages.READ if dry else messages.STORED) as progress:
        newsroom.show(lambda _: progress.read(), lambda: _catch_up(house, progress))
        yield


@contextmanager
def _interruptible(report: "Report") -> Iterator[None]:
    """Ctrl-C says what is stored."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(messages.interrupted(report.counts), err=True)
        raise click.exceptions.Exit(130) from None


def _tell_round(
    report: "Round",
    dry: bool,
    as_json: bool,
    more: dict[str, Any] | None = None,
    *,
    quiet: bool = False,
    failed: bool = False,
) -> None:
    """As `_tell`, with what was visited; `quiet`: nothing is said of articles."""
    failed |= _told_round(report, dry, as_json, more, quiet=quiet)
    if failed:
        raise click.exceptions.Exit(1)


def _told_round(
    report: "Round", dry: bool, as_json: bool, more: dict[str, Any] | None = None, *, quiet: bool = False
) -> bool:
    """Whether something failed."""
    counts = ("visited", "unchanged", "waiting", "withdrawn", "missing")
    if as_json:
        _print_json({**_as_object(report.taken), **{name: getattr(report, name) for name in counts}, **(more or {})})
        return bool(report.taken.problems)
    if report.visited:
        click.echo(messages.went_round(report.visited, report.unchanged))
    if not quiet and (report.taken.counts or report.taken.problems or not report.visited):
        _tell_lines(report.taken, dry)
    if report.withdrawn:
        click.echo(messages.withdrawn(report.withdrawn))
    if report.missing:
        click.echo(messages.kept_files(report.missing))
    if report.waiting:
        click.echo(messages.waiting_pages(report.waiting))
    return bool(report.taken.problems)


def _taken_in(house: "House", items: Iterator["Item"], dry: bool) -> "Report":
    from bot.progress import shown
    from corpus.intake import Report, take_in

    report = Report()
    try:
        with shown(messages.READ if dry else messages.STORED) as progress:
            take_in(items, house.archive, dry=dry, progress=lambda _: progress.read(), report=report)
            if not dry:
                _catch_up(house, progress)
    except KeyboardInterrupt:
        click.echo(messages.interrupted(report.counts), err=True)
        raise click.exceptions.Exit(130) from None
    return report


def _catch_up(house: "House", progress: Any) -> None:
    from bot.progress import Counted

    _prepare_model(house)
    index = house.index(lambda encoder: Counted(encoder, progress.indexed))
    progress.expect(index.waiting())
    index.catch_up()


def _prepare_model(house: "House") -> None:
    if not house.prepared:
        click.echo(messages.PREPARING_MODEL.format(model=house.settings.model), err=True)
        house.prepare()


def _tell(report: "Report", dry: bool, as_json: bool) -> None:
    """What an intake did; exit code 1 where something was not taken in."""
    if as_json:
        _print_json(_as_object(report))
    else:
        _tell_lines(report, dry)
    if report.problems:
        raise click.exceptions.Exit(1)


def _as_object(report: "Report") -> dict[str, Any]:
    return {
        "counts": dict(report.counts),
        "notes": [asdict(note) for note in report.notes],
        "problems": [asdict(problem) for problem in report.problems],
    }


def _tell_lines(report: "Report", dry: bool) -> None:
    if report.counts:
        click.echo(messages.taken_in(report.counts, dry))
    elif not report.problems:
        click.echo(messages.NOTHING_READ)
    for note in report.notes:
        click.echo(messages.printable(f"  {note.where}: {note.reason}."))
    if report.problems:
        click.echo(messages.not_taken_in(len(report.problems)), err=True)
    for problem in report.problems:
        click.echo(messages.printable(f"  {problem.where}: {problem.reason}"), err=True)


@cli.command()
@click.argument("article")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def forget(article: str, yes: bool, as_json: bool) -> None:
    """Delete an article, its revisions and its passages for good. ARTICLE: number, address, or part of a headline."""
    with _house() as house, _alone(house):
        revisions = house.archive.revisions(article)
        known = revisions[-1].article
        if not yes and not _confirmed(known.title, known.url, len(revisions)):
            click.echo(messages.KEPT)
            return
        house.forget(known.url)
        _prepare_model(house)
        house.index().catch_up()
    if as_json:
        _print_json({"forgotten": known.url, "title": known.title, "revisions": len(revisions)})
    else:
        click.echo(messages.FORGOTTEN.format(title=known.title, url=known.url))


def _confirmed(title: str, url: str, revisions: int) -> bool:
    if not sys.stdin.isatty():
        raise Refused(messages.CONFIRM)
    return click.confirm(messages.FORGET.format(title=title, url=url, revisions=messages.plural(revisions, "revision")))


@cli.command()
@wait_option
@as_json
def reindex(wait: float, as_json: bool) -> None:
    """Make every index anew from the archive."""
    from bot.progress import Counted, shown

    with _house() as house, _alone(house, wait), shown() as progress:
        _prepare_model(house)
        passages = house.archive.status().passages
        progress.expect(passages)
        house.index(lambda encoder: Counted(encoder, progress.indexed)).rebuild()
    if as_json:
        _print_json({"passages": passages})
    else:
        click.echo(messages.REINDEXED.format(passages=messages.plural(passages, "passage")))


# Questions


@cli.command()
@click.argument("question", nargs=-1)
@_filters
@click.option("--undated", is_flag=True, help="With dates asked for: articles without a date too.")
@click.option("-k", "citations", type=click.IntRange(1, 3), help="Citations at most.")
@click.option(
    "--batch", type=click.File("rb"), metavar="FILE", help="Answer the questions of a file of JSON lines, or of -."
)
@click.option("--explain", is_flag=True, help="Show what each stage found and how it was scored.")
@sample_option
@as_json
def ask(
    question: tuple[str, ...],
    since: date | None,
    until: date | None,
    outlets: tuple[str, ...],
    as_of: date | None,
    undated: bool,
    citations: int | None,
    batch: IO[bytes] | None,
    explain: bool,
    sample: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from the archive. A refusal to answer has exit code 0 too: it is an answer.

    Lines of --batch: {"id": 1, "question": "...", "since": ..., "until": ..., "outlet": ..., "as_of": ...,
    "date": ...}; all but the question may be left out; `date` is the day from which "last week" is counted.
    """
    if bool(question) == bool(batch):
        raise click.UsageError("Give either a question or --batch FILE.")
    with _house(sample, stays=bool(batch)) as house:
        scope = _scope(since, until, outlets, as_of, undated)
        limit = citations or house.settings.citations
        answer = _answering(house).ask
        if batch:
            _ask_all(answer, _lines(batch), scope, limit, explain, as_json)
        else:
            _ask_one(answer, " ".join(question), scope, limit, explain, as_json)


def _ask_one(answer: Callable[..., "Answer"], text: str, scope: "Scope", limit: int, explain: bool, js: bool) -> None:
    from corpus.article import line
    from retrieval.question import read_question

    today = scope.as_of or date.today()
    _show(answer(read_question(line(text), today=today, scope=scope, citations=limit)), explain, js)


def _ask_all(
    answer: Callable[..., "Answer"], lines: Iterable[str], scope: "Scope", limit: int, explain: bool, js: bool
) -> None:
    from bot.batch import questions, unanswered

    failed = False
    for asked in questions(lines, scope, limit, date.today):
        if asked.question is None:
            failed = True
            _print_json(unanswered(asked)) if js else click.echo(messages.printable(f"{asked.id}: {asked.problem}\n"))
        else:
            if not js:
                click.secho(messages.printable(f"{asked.said}"), underline=True)
            _show(answer(asked.question), explain, js, asked.id)
            if not js:
                click.echo()
    if failed:
        raise click.exceptions.Exit(1)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    return (raw.decode("utf-8-sig", "replace") for raw in stream)


def _show(answer: "Answer", explain: bool, js: bool, name: object = None) -> None:
    if js:
        from retrieval.answer import to_json

        _print_json({**to_json(answer, name), **({"explained": dict(answer.explained)} if explain else {})})
        return
    from bot.channels import terminal

    console, limits = terminal.screen()
    terminal.write(terminal.render(answer, limits), console, limits)
    if explain:
        terminal.explain(answer)


def _scope(
    since: date | None, until: date | None, outlets: Sequence[str], as_of: date | None, undated: bool = False
) -> "Scope":
    from corpus.article import line
    from retrieval.scope import Scope

    return Scope(since, until, tuple(filter(None, map(line, outlets))), as_of, undated=undated)


def _answering(house: "House") -> "Desk":
    """The desk, its index in step."""
    _prepare_model(house)
    house.warm_up()
    if house.sample:
        _take_in_sample(house)
    if house.behind():
        _bring_up(house)
    return house.desk


def _bring_up(house: "House") -> None:
    from bot.progress import shown
    from corpus.intake import Busy

    try:
        with _alone(house, 0.0 if house.indexed else SAMPLE_WAIT):
            click.echo(messages.CATCHING_UP, err=True)
            with shown() as progress:
                _catch_up(house, progress)
    except Busy:
        if not house.indexed:
            raise
        click.echo(messages.BEHIND, err=True)


def _take_in_sample(house: "House") -> None:
    """The articles of corpus/sample, when they are missing or have changed since."""
    from bot.sample import take_in_sample

    take_in_sample(house, SAMPLE_WAIT, lambda: click.echo(messages.PREPARING_SAMPLE, err=True))


@cli.command()
@_filters
@sample_option
def chat(since: date | None, until: date | None, outlets: tuple[str, ...], as_of: date | None, sample: bool) -> None:
    """Ask in a conversation, where a question may lean on the one before."""
    from bot.channels import terminal
    from bot.conversation import Conversation

    with _house(sample, stays=True) as house:
        desk = _answering(house)
        conversation = Conversation(
            desk, scope=_scope(since, until, outlets, as_of), citations=house.settings.citations
        )
        articles = messages.plural(house.archive.articles_on(None, None), "article")
        terminal.run(conversation, messages.WELCOME.format(articles=articles))


@cli.command()
@click.argument("question", nargs=-1, required=True)
@sample_option
def follow(question: tuple[str, ...], sample: bool) -> None:
    """Follow QUESTION: `following --new` tells what new articles answer."""
    from bot.following import TERMINAL, begin
    from bot.keeper import telling
    from corpus.article import line

    with _house(sample) as house, _remembered(house) as store:
        asked, limits = line(" ".join(question)), telling(house.settings)
        number = begin(store.watchlist, house.archive, TERMINAL, asked, limits)
        if number is None:
            raise Refused(messages.TOO_MANY_FOLLOWED.format(limit=limits.follows))
    click.echo(messages.printable(messages.FOLLOWED_HERE.format(number=number, question=asked)))


@cli.command()
@click.argument("number", type=click.IntRange(min=1))
@sample_option
def unfollow(number: int, sample: bool) -> None:
    """Follow a question no longer. NUMBER: see `following`."""
    with _house(sample) as house, _remembered(house) as store:
        followed = next((one for one in _followed(store) if one.number == number), None)
        if followed is None:
            raise Refused(messages.not_followed(number))
        store.watchlist.unfollow(followed)
    click.echo(messages.printable(messages.UNFOLLOWED_HERE.format(question=followed.question)))


@cli.command()
@click.option("--new", is_flag=True, help="Print what is new on them since this was last asked.")
@sample_option
@as_json
def following(new: bool, sample: bool, as_json: bool) -> None:
    """List the questions that are followed in the terminal, or what is new on them."""
    with _house(sample, stays=new) as house, _remembered(house) as store:
        if new and _followed(store):
            _tell_news(house, store, as_json)
            return
        rows = [(str(one.number), one.question) for one in _followed(store)]
    if as_json:
        _print_json([{"number": int(number), "question": question} for number, question in rows])
        return
    from bot.channels import terminal

    if rows:
        terminal.table(rows, messages.FOLLOWING_HEAD, wraps=(1,))
    else:
        click.echo(messages.FOLLOWING_NOTHING)


def _followed(store: "Store") -> "Sequence[Follow]":
    from bot.following import TERMINAL

    return store.watchlist.following(TERMINAL.place.chat, TERMINAL.person)


def _tell_news(house: "House", store: "Store", js: bool) -> None:
    """Each is noted as told once it is printed."""
    from bot.following import news

    ask, newest, told = _answering(house).ask, house.archive.newest(), False
    for one in _followed(store):
        known = store.watchlist.told(one.id)
        found = news(ask, house.archive, one, known, newest, date.today()) if one.after < newest else None
        if found:
            told = True
            if not js:
                click.secho(messages.printable(f"{one.number}  {one.question}"), underline=True)
            _show(found.answer, False, js, one.number)
        store.watchlist.asked(one.id, newest, found.told if found else ())
    if not (told or js):
        click.echo(messages.FOLLOWING_NO_NEWS)


@contextmanager
def _remembered(house: "House") -> "Iterator[Store]":
    """What bots of this archive remember."""
    from bot.store import NAME, open_store

    store = open_store(house.folder / NAME)
    try:
        yield store
    finally:
        store.close()


@cli.command()
@click.option("--webhook", default="", metavar="URL", help="Be called by Telegram at this address instead of polling.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8443, help="Port for --webhook; default 8443.")
@sample_option
def telegram(webhook: str, port: int, sample: bool) -> None:
    """Answer in Telegram. The token comes from @BotFather: PULLQUOTE_TELEGRAM_TOKEN."""
    with _house(sample, stays=True, seats=SEATS) as house:
        settings = house.settings
        if settings.telegram_token is None:
            raise Refused(messages.NO_TOKEN)
        try:
            from bot.channels import telegram
        except ImportError as error:
            raise Refused(messages.NO_TELEGRAM_LIBRARY) from error
        from bot.keeper import office, rules
        from bot.store import NAME, open_store

        _answering(house)
        store = open_store(house.folder / NAME)
        try:
            telegram.run(office(house, store, rules(settings)), settings, webhook, port)
        finally:
            store.close()


@dataclass(frozen=True, slots=True)
class Channel:
    """One that `run` starts: `serve` of the module bot.channels.NAME."""

    name: str
    configured: Callable[["Settings"], bool]
    not_set: str
    not_installed: str
    settings: str = ""  # what its settings begin with; "": its name


CHANNELS = (
    Channel("telegram", lambda one: one.telegram_token is not None, messages.NO_TOKEN, messages.NO_TELEGRAM_LIBRARY),
    Channel("slack", lambda one: one.slack_bot_token is not None, messages.NO_SLACK_TOKEN, messages.NO_SLACK_LIBRARY),
    Channel(
        "webhook", lambda one: one.hook_tokens is not None, messages.NO_HOOK_TOKENS, messages.NO_SERVE_LIBRARY, "hook"
    ),
    Channel(
        "matrix", lambda one: bool(one.matrix_homeserver), messages.NO_MATRIX_HOMESERVER, messages.NO_MATRIX_LIBRARY
    ),
    Channel(
        "mattermost",
        lambda one: bool(one.mattermost_url) and one.mattermost_token is not None,
        messages.NO_MATTERMOST_TOKEN,
        messages.NO_MATTERMOST_LIBRARY,
    ),
    Channel(
        "discord", lambda one: one.discord_token is not None, messages.NO_DISCORD_TOKEN, messages.NO_DISCORD_LIBRARY
    ),
)


@cli.command()
@sample_option
def slack(sample: bool) -> None:
    """Answer in Slack: by Socket Mode with PULLQUOTE_SLACK_APP_TOKEN, else over HTTP with ..._SIGNING_SECRET.

    The bot token comes from a Slack app that was made from bot/channels/slack_manifest.yaml: PULLQUOTE_SLACK_BOT_TOKEN.
    """
    _serve([one for one in CHANNELS if one.name == "slack"], sample)


@cli.command()
@sample_option
def serve(sample: bool) -> None:
    """Answer outgoing webhooks and slash commands of Mattermost, Zulip and Rocket.Chat: PULLQUOTE_HOOK_TOKENS."""
    _serve([one for one in CHANNELS if one.name == "webhook"], sample)


@cli.command()
@sample_option
def matrix(sample: bool) -> None:
    """Answer in Matrix rooms, with the account of PULLQUOTE_MATRIX_USER on PULLQUOTE_MATRIX_HOMESERVER.

    Needs its password, PULLQUOTE_MATRIX_PASSWORD, or an access token, PULLQUOTE_MATRIX_TOKEN.
    """
    _serve([one for one in CHANNELS if one.name == "matrix"], sample)


@cli.command()
@sample_option
def mattermost(sample: bool) -> None:
    """Answer in Mattermost, as a bot account: PULLQUOTE_MATTERMOST_URL, PULLQUOTE_MATTERMOST_TOKEN."""
    _serve([one for one in CHANNELS if one.name == "mattermost"], sample)


@cli.command()
@sample_option
def discord(sample: bool) -> None:
    """Answer in Discord. The token comes from the developer portal: PULLQUOTE_DISCORD_TOKEN."""
    _serve([one for one in CHANNELS if one.name == "discord"], sample)


@cli.command()
@sample_option
def run(sample: bool) -> None:
    """Answer in every channel that has its settings, in one process. SIGTERM ends it when what is in hand is done."""
    _serve([], sample)


def _serve(channels: Sequence[Channel], sample: bool) -> None:
    """`channels`: none for those that have their settings."""
    import asyncio
    import logging
    from functools import partial

    with _house(sample, stays=True, seats=SEATS) as house:
        settings = house.settings
        visits = not (channels or sample)  # `run` alone keeps up with the sources
        channels = channels or [one for one in CHANNELS if one.configured(settings)]
        if not channels and not (visits and house.freshness()):
            raise Refused(messages.NO_CHANNEL)
        served = [(one, _served_by(one, settings)) for one in channels]
        from bot.keeper import admins, office, rules
        from bot.newsroom import Newsroom
        from bot.notices import tell_admins
        from bot.reception import Start, going_on, until_stopped
        from bot.store import NAME, open_store

        _answering(house)
        store = open_store(house.folder / NAME)
        newsroom = Newsroom(house, tell=partial(tell_admins, store.watchlist, admins(settings)))
        logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)
        try:
            starts: list[Start] = [
                partial(serve, office(house, store, rules(settings, one.settings or one.name)), settings)
                for one, serve in served
            ]
            if len(starts) > 1 or (visits and house.freshness()):  # something else that must go on
                starts = [going_on(one.name, start) for (one, _), start in zip(served, starts, strict=True)]
            if visits:
                starts.append(newsroom.serve)
            asyncio.run(until_stopped(starts))
        finally:
            newsroom.close()
            store.close()


def _served_by(channel: Channel, settings: "Settings") -> Callable[..., Any]:
    from importlib import import_module

    if not channel.configured(settings):
        raise Refused(channel.not_set)
    try:
        serve: Callable[..., Any] = import_module(f"bot.channels.{channel.name}").serve
    except ImportError as error:
        raise Refused(channel.not_installed) from error
    return serve


@cli.command()
@click.argument("questions", type=click.File("rb"))
@_filters
@as_json
def measure(
    questions: IO[bytes],
    since: date | None,
    until: date | None,
    outlets: tuple[str, ...],
    as_of: date | None,
    as_json: bool,
) -> None:
    """Ask QUESTIONS, a file as for `ask --batch` with accepted `answers` on each line, and print how good it went."""
    from bot.batch import questions as read_questions
    from bot.progress import counted
    from retrieval.measure import measure as measured

    with _house(stays=True) as house:
        answer = _answering(house).ask
        rows = list(read_questions(_lines(questions), _scope(since, until, outlets, as_of), 3, date.today))
        bad = next((one for one in rows if one.question is None), None)
        if bad:
            raise Refused(f"{bad.id}: {bad.problem}")
        figures = measured((one.row, answer(one.question)) for one in counted(rows, messages.ASKING) if one.question)
    if as_json:
        _print_json([asdict(figure) for figure in figures])
        return
    from bot.channels import terminal

    rows_shown = [(one.name, f"{one.value:.4f}", f"{one.count:,}") for one in figures]
    terminal.table(rows_shown, messages.FIGURES_HEAD)


# What is there


@cli.command()
@click.argument("article")
@click.option("--revision", type=click.IntRange(min=1), help="An earlier revision, by its number.")
@as_json
def show(article: str, revision: int | None, as_json: bool) -> None:
    """Print an article. ARTICLE: its number (see `list`), its address, or part of its headline."""
    with _house() as house:
        revisions = house.archive.revisions(article)
        shown = _chosen(revisions, revision)
        also = house.archive.addresses(shown.article.url)
        copies = house.archive.copies(shown.id)
    if as_json:
        from corpus.archive import as_row
        from corpus.corrections import corrections
        from retrieval.answer import also as listed

        notes = "\n".join(corrections(shown.article.text))
        more = {"also_at": also, "copies": listed(copies), "revisions": len(revisions), "correction": notes}
        _print_json({**as_row(shown), **more})
        return
    from bot.channels import terminal

    console, limits = terminal.screen()
    terminal.write(terminal.article(shown, revisions, also, copies, limits), console, limits)


def _chosen(revisions: Sequence["Revision"], number: int | None) -> "Revision":
    if number is None:
        return revisions[-1]
    chosen = next((one for one in revisions if one.number == number), None)
    if chosen is None:
        raise Refused(messages.no_revision(number, len(revisions)))
    return chosen


@cli.command()
@click.argument("article")
@click.argument("old", required=False, type=click.IntRange(min=1))
@click.argument("new", required=False, type=click.IntRange(min=1))
@as_json
def diff(article: str, old: int | None, new: int | None, as_json: bool) -> None:
    """Show what changed between two revisions of ARTICLE, word by word.

    OLD and NEW are numbers of revisions as `show` tells them; without them, the newest and the one before it.
    Punctuation, white space and moved text are no change.
    """
    from corpus.changes import between

    with _house() as house:
        revisions = house.archive.revisions(article)
    before, after = _two_of(revisions, old, new)
    found = between(before.article, after.article)
    if as_json:
        _print_json(_changes(before, after, found))
        return
    from bot.channels import terminal

    console, limits = terminal.screen()
    terminal.write(terminal.changes(before, after, found, limits), console, limits)


def _two_of(revisions: Sequence["Revision"], old: int | None, new: int | None) -> tuple["Revision", "Revision"]:
    """The revisions with these numbers; by default the newest, and the one that stood before the newer one."""
    if len(revisions) == 1:
        raise Refused(messages.ONE_REVISION)
    after = _chosen(revisions, new)
    at = revisions.index(after)
    before = _chosen(revisions, old) if old else revisions[max(at - 1, 0)]
    if before is after:
        raise Refused(messages.SAME_REVISION.format(number=after.number))
    return before, after


def _changes(old: "Revision", new: "Revision", found: "Changes") -> dict[str, object]:
    return {
        "url": new.article.url,
        "old": {"revision": old.number, "since": old.since.isoformat()},
        "new": {"revision": new.number, "since": new.since.isoformat()},
        "changed": found.words,
        "title": [asdict(piece) for piece in found.title],
        "fields": [{"field": name, "old": before, "new": after} for name, before, after in found.fields],
        "paragraphs": [[asdict(piece) for piece in paragraph] for paragraph in found.paragraphs],
        "moved": found.moved,
        "respelled": found.respelled,
    }


@cli.command("list")
@click.option("--outlet", default="", help="Only this outlet.")
@click.option("-n", "limit", type=click.IntRange(min=1), help="So many at most; default 20, or all with --json.")
@as_json
def list_(outlet: str, limit: int | None, as_json: bool) -> None:
    """List the articles, newest publication first, with the numbers by which other commands know them."""
    with _house() as house:
        articles = house.archive.current(outlet=outlet, limit=limit or (None if as_json else 20))
        if as_json:
            for number, one in articles:
                _print_json(_listed(number, one))
            return
        rows = [
            (str(number), messages.short_day(one.article.published), one.article.outlet, one.article.title)
            for number, one in articles
        ]
        total = house.archive.articles_on(None, None, outlet)
    from bot.channels import terminal

    if not rows:
        click.echo(messages.printable(messages.no_articles(outlet)))
        return
    terminal.table(rows, messages.LIST_HEAD, wraps=(3,))
    if total > len(rows):
        click.echo(messages.more_listed(len(rows), total), err=True)


def _listed(number: int, revision: "Revision") -> dict[str, object]:
    from corpus.archive import described

    article = revision.article
    return {
        "id": number,
        "url": article.url,
        "title": article.title,
        "outlet": article.outlet,
        "published": article.published.isoformat() if article.published else None,
        "authors": list(article.authors),
        "revision": revision.number,
        **described(article),
    }


@cli.command()
@as_json
def status(as_json: bool) -> None:
    """What the archive holds, how large it is, and whether the indexes agree with it."""
    from bot.status import as_object, as_rows, state

    with _house() as house:
        found = state(house)
    if as_json:
        _print_json(as_object(found))
        return
    from bot.channels import terminal

    terminal.table(as_rows(found), wraps=(1,))


@cli.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path | None) -> None:
    """Print every article with its revisions as JSON lines; `ingest` takes them back. FILE may end in .gz."""
    with _house() as house:
        if file is None:
            for row in house.archive.export():
                _print_json(row)
            return
        rows = _write_rows(file, house.archive.export())
    click.echo(messages.EXPORTED.format(rows=messages.plural(rows, "line"), file=messages.printable(str(file))))


def _write_rows(file: Path, rows: Iterable[dict[str, object]]) -> int:
    """Whole or not at all: a part of an export must not pass for one."""
    import gzip

    part, count = file.with_name(file.name + ".part"), 0
    try:
        with gzip.open(part, "wb") if file.suffix == ".gz" else part.open("wb") as stream:
            for row in rows:
                count += 1
                stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        part.replace(file)
    except OSError as error:
        raise Refused(messages.unwritable(str(file), error.strerror or "")) from error
    finally:
        part.unlink(missing_ok=True)
    return count


@cli.command()
@as_json
def settings(as_json: bool) -> None:
    """Print the settings in force and where each comes from."""
    from bot.settings import in_force

    found = in_force(_settings())
    if as_json:
        _print_json([asdict(one) for one in found])
        return
    from bot.channels import terminal

    rows = [(one.name, one.variable, one.value, one.origin, one.meaning) for one in found]
    terminal.table(rows, messages.SETTINGS_HEAD, wraps=(2, 4))


# What verbs share


def _settings() -> "Settings":
    from bot.settings import load_settings, unknown_variables

    for warning in unknown_variables():
        click.echo(warning, err=True)
    return load_settings()


@contextmanager
def _house(sample: bool = False, *, stays: bool = False, seats: int = 1) -> Iterator["House"]:
    from bot.build import opened

    with opened(_settings(), sample=sample, stays=stays, seats=seats) as house:
        yield house


@contextmanager
def _alone(house: "House", wait: float = 0.0) -> Iterator[None]:
    """Nobody else changes this archive meanwhile. Opens it first: whether that works matters more than a lock."""
    from corpus.intake import only_one

    _ = house.archive
    with only_one(house.folder, wait=wait):
        yield


def _print_json(value: object) -> None:
    """One line, at once: whoever reads may be waiting for it."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(value, ensure_ascii=plain), flush=True)  # noqa: T201 - the output


if __name__ == "__main__":
    main(prog_name="pullquote")
