"""Every sentence that a person can see, apart from the errors of the layers below, which are sentences themselves."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from importlib.resources import files

# Settings

SETTING_DATA = "folder of the archive, its indexes and the models"
SETTING_ARCHIVE = "database of the articles"
SETTING_CHROMA = "address of a Chroma server; empty: Chroma runs inside"
SETTING_COLLECTION = "name of the vectors in Chroma; archives that share a Chroma server need different ones"
SETTING_MODEL = "name or folder of the model that turns text into vectors"
SETTING_MODELS = "folder of the models as exported"
SETTING_ENGINE = "what runs the models: auto, onnxruntime, openvino or torch"
SETTING_RERANKER = "name or folder of a cross-encoder whose order of the passages counts; empty: our own"
SETTING_READER = "name or folder of a question-answering model that tells the words that answer; empty: our own"
SETTING_PASSAGES = "passages read closely for a question, 4 to 40: fewer answer sooner, more find more"
SETTING_THRESHOLD = "confidence below which a question is refused; empty: the fitted one"
SETTING_FETCH_PRIVATE = "networks that pages may be fetched from although they are not public, with commas between them"
SETTING_FETCH_RATE = "requests to one host a second at most, from 0.01 to 20"
SETTING_FETCH_CONTACT = "address or page where those whose servers are visited can reach you; goes into the user agent"
SETTING_REFRESH_MINUTES = "minutes between two visits to a source"
SETTING_OLD_AFTER = "days after which a report is called old, below its citation"
SETTING_CITATIONS = "citations of an answer at most, 1 to 3"

SETTING_TOKEN = "token of the Telegram bot, from @BotFather"
SETTING_API = "address of another Bot API server, without /bot; empty: Telegram's own"
SETTING_ADMINS = "Telegram ids of the administrators, with commas between them"
SETTING_ALLOWED = "Telegram ids of the people and chats that may ask where access is list or invite"
SETTING_SLACK_BOT_TOKEN = "Slack bot token, xoxb-..."
SETTING_SLACK_APP_TOKEN = "Slack app-level token, xapp-..., for Socket Mode"
SETTING_SLACK_SIGNING_SECRET = "Slack signing secret, for requests over HTTP where there is no app-level token"
SETTING_SLACK_API = "address of another Slack API server, without /api; empty: Slack's own"
SETTING_SLACK_LISTEN = "address and port where requests over HTTP are awaited"
SETTING_SLACK_ADMINS = "Slack ids of the administrators, with commas between them"
SETTING_SLACK_ALLOWED = "Slack ids of the people, user groups and channels that may ask where access is list or invite"
SETTING_HOOK_TOKENS = (
    "tokens of outgoing webhooks and slash commands, as mattermost:TOKEN, zulip:TOKEN, rocketchat:TOKEN"
)
SETTING_HOOK_LISTEN = "address and port where outgoing webhooks are awaited"
SETTING_HOOK_ADMINS = "ids of the administrators with their platform, such as zulip:U8, with commas between them"
SETTING_HOOK_ALLOWED = "ids of the people and channels that may ask where access is list or invite, such as zulip:U8"
SETTING_HOOK_ANSWERS = "servers that late replies may be sent to, such as https://chat.example.org, with commas between"
SETTING_MATRIX_HOMESERVER = "address of the Matrix homeserver, https://..."
SETTING_MATRIX_USER = "Matrix account that the bot uses, @name:server"
SETTING_MATRIX_PASSWORD = "password of that account"
SETTING_MATRIX_TOKEN = "access token of that account, instead of its password"
SETTING_MATRIX_ADMINS = "Matrix ids of the administrators, with commas between them"
SETTING_MATRIX_ALLOWED = "Matrix ids of people and rooms, and servers, that may ask where access is list or invite"
SETTING_MATTERMOST_URL = "address of the Mattermost server"
SETTING_MATTERMOST_TOKEN = "access token of the Mattermost bot"
SETTING_MATTERMOST_ADMINS = "Mattermost ids of the administrators, with commas between them"
SETTING_MATTERMOST_ALLOWED = "Mattermost ids of the people and channels that may ask where access is list or invite"
SETTING_MATTERMOST_BUTTONS = "address under which the Mattermost server reaches this program, for buttons; empty: none"
SETTING_MATTERMOST_LISTEN = "address and port where presses of buttons are awaited"
SETTING_DISCORD_TOKEN = "token of the Discord bot"
SETTING_DISCORD_API = "address of another Discord server, for tests; empty: Discord's own"
SETTING_DISCORD_ADMINS = "Discord ids of the administrators, with commas between them"
SETTING_DISCORD_ALLOWED = "Discord ids of the people, roles and channels that may ask where access is list or invite"
SETTING_ACCESS = "who may ask: open (everyone), list, or invite (list, and whoever has a code)"
SETTING_PERSON_MINUTE = "questions of one person a minute"
SETTING_PERSON_DAY = "questions of one person a day"
SETTING_CHAT_MINUTE = "questions in one group a minute"
SETTING_CHAT_DAY = "questions in one group a day"

SETTING_NOTICES = "corrections told in a conversation a day at most, the rest summed up; 0: none"
SETTING_NOTICES_DAYS = "days after which an answer's corrections are told no more"
SETTING_FOLLOWS = "standing questions of one person; twice as many in one chat"
SETTING_FOLLOW_HOURS = "hours between two answers to a standing question"

SETTING_NEEDS = {
    "notices": "Give it a number from 0",
    "notices_days": "Give it a number of days from 1 on",
    "follows": "Give it a number from 1",
    "follow_hours": "Give it a number of hours such as 6 or 0.5",
    "telegram_token": "Give it the token from @BotFather, such as 123456:ABC-DEF",
    "telegram_api": "Give it the address of a Bot API server such as http://localhost:8081",
    "telegram_admins": "Give it numbers with commas between them, such as 4711,4712",
    "telegram_allowed": "Give it numbers with commas between them, such as 4711,-1004712",
    "slack_bot_token": "Give it the bot token of the app's page OAuth & Permissions, which begins with xoxb-",
    "slack_app_token": "Give it the app-level token of the app's page Basic Information, which begins with xapp-",
    "slack_signing_secret": "Give it the signing secret of the app's page Basic Information",
    "slack_api": "Give it the address of a Slack API server such as http://localhost:8081",
    "slack_listen": "Give it an address and a port, such as 127.0.0.1:3000",
    "slack_admins": "Give it ids with commas between them, such as U012AB3CD,U045EF6GH",
    "slack_allowed": "Give it ids with commas between them, such as U012AB3CD,S0615G0KT,C061EG9T2",
    "hook_tokens": "Give it a platform and its token for each, such as mattermost:TOKEN,zulip:TOKEN,rocketchat:TOKEN",
    "hook_listen": "Give it an address and a port, such as 127.0.0.1:8080",
    "hook_admins": "Give it ids with their platform and commas between them, such as mattermost:4xp9,zulip:U8",
    "hook_allowed": "Give it ids with their platform and commas between them, such as mattermost:4xp9,zulip:C5",
    "hook_answers": "Give it addresses of servers with commas between them, such as https://chat.example.org",
    "matrix_homeserver": "Give it the address of a homeserver such as https://matrix.example.org",
    "matrix_user": "Give it the account's id, such as @pullquote:example.org",
    "matrix_password": "Give it the account's password",
    "matrix_token": "Give it an access token of the account",
    "matrix_admins": "Give it ids with commas between them, such as @ada:example.org,@bo:example.org",
    "matrix_allowed": "Give it ids and servers with commas between them, such as @ada:example.org,!abc:x.org,x.org",
    "mattermost_url": "Give it the address of a Mattermost server such as https://chat.example.org",
    "mattermost_token": "Give it the token of the bot account, 26 letters and digits",
    "mattermost_admins": "Give it ids of 26 letters and digits with commas between them",
    "mattermost_allowed": "Give it ids of 26 letters and digits with commas between them",
    "mattermost_buttons": "Give it an address such as http://10.0.0.7:8081 that the Mattermost server reaches",
    "mattermost_listen": "Give it an address and a port, such as 127.0.0.1:8081",
    "discord_token": "Give it the token of the application's page Bot",
    "discord_api": "Give it the address of a server such as http://localhost:8081",
    "discord_admins": "Give it numbers with commas between them, such as 80351110224678912",
    "discord_allowed": "Give it numbers with commas between them, such as 80351110224678912",
    "access": "Give it open, list or invite",
    "person_minute": "Give it a number from 1",
    "person_day": "Give it a number from 1",
    "chat_minute": "Give it a number from 1",
    "chat_day": "Give it a number from 1",
    "data": "Give it a folder",
    "archive": "Give it a database URL such as postgresql+psycopg://user:password@host/pullquote",
    "chroma": "Give it the address of a Chroma server such as http://localhost:8000",
    "collection": "Give it 3 to 512 letters, digits, dots, hyphens or underscores",
    "model": "Give it a model name or a folder",
    "models": "Give it a folder",
    "engine": "Give it auto, onnxruntime, openvino or torch",
    "reranker": "Give it a model name or a folder",
    "reader": "Give it a model name or a folder",
    "passages": "Give it a number from 4 to 40",
    "threshold": "Give it a number from 0 to 1",
    "fetch_rate": "Give it a number from 0.01 to 20",
    "fetch_contact": "Give it an address without spaces and brackets, such as news@example.org",
    "refresh_minutes": "Give it a number of minutes from 1 to 1440",
    "old_after": "Give it a number of days from 60 on",
    "citations": "Give it 1, 2 or 3",
    "fetch_private": "Give it networks with commas between them, such as 10.0.0.0/8,127.0.0.1",
}
NO_TOKEN = "PULLQUOTE_TELEGRAM_TOKEN is not set. Create a bot with @BotFather and put its token in .env."
BAD_TOKEN = "Telegram does not know the token in PULLQUOTE_TELEGRAM_TOKEN. Copy it again from @BotFather."
NO_TELEGRAM = "Telegram's server cannot be reached. Check the connection, and PULLQUOTE_TELEGRAM_API if it is set."
NO_TELEGRAM_LIBRARY = "The Telegram channel is not installed. Install it with: pip install 'pullquote[telegram]'"
NO_SLACK_TOKEN = (
    "PULLQUOTE_SLACK_BOT_TOKEN is not set. Create an app from bot/channels/slack_manifest.yaml, install it, and put "
    "its bot token in .env."
)
NO_SLACK_WAY = (
    "Neither PULLQUOTE_SLACK_APP_TOKEN nor PULLQUOTE_SLACK_SIGNING_SECRET is set. Set the first for Socket Mode, which "
    "needs no public address, or the second for requests over HTTP."
)
BAD_SLACK_TOKEN = (
    "Slack does not know the token in PULLQUOTE_SLACK_BOT_TOKEN. Install the app and copy its token again."
)
BAD_SLACK_APP_TOKEN = (
    "Slack does not take the token in PULLQUOTE_SLACK_APP_TOKEN. Switch Socket Mode on and make an app-level token "
    "with the scope connections:write."
)
NO_SLACK = "Slack cannot be reached. Check the connection, and PULLQUOTE_SLACK_API if it is set."
NO_SLACK_LIBRARY = "The Slack channel is not installed. Install it with: pip install 'pullquote[slack]'"
NO_HOOK_TOKENS = (
    "PULLQUOTE_HOOK_TOKENS is not set. Make an outgoing webhook in Mattermost, Zulip or Rocket.Chat and put its token "
    "in .env, such as mattermost:TOKEN."
)
NO_SERVE_LIBRARY = "The webhook channel is not installed. Install it with: pip install 'pullquote[serve]'"
NO_MATRIX_HOMESERVER = (
    "PULLQUOTE_MATRIX_HOMESERVER is not set. Make an account for the bot on a Matrix server, and put that server's "
    "address in .env."
)
NO_MATRIX_WAY = (
    "Neither PULLQUOTE_MATRIX_TOKEN nor PULLQUOTE_MATRIX_USER with PULLQUOTE_MATRIX_PASSWORD is set. Put one of them "
    "in .env."
)
NO_MATRIX_LIBRARY = "The Matrix channel is not installed. Install it with: pip install 'pullquote[matrix]'"
BAD_MATRIX_PASSWORD = (
    "The Matrix server does not take PULLQUOTE_MATRIX_USER with PULLQUOTE_MATRIX_PASSWORD. Check both by logging in to "
    "the account with any Matrix app."
)
BAD_MATRIX_TOKEN = (
    "The Matrix server does not know the token in PULLQUOTE_MATRIX_TOKEN. Make a new one, or set PULLQUOTE_MATRIX_USER "
    "and PULLQUOTE_MATRIX_PASSWORD."
)
MATRIX_LOGGED_OUT = "The Matrix server has logged the bot out. Start it again, with a new token if it uses one."
NO_MATTERMOST_TOKEN = (
    "PULLQUOTE_MATTERMOST_URL and PULLQUOTE_MATTERMOST_TOKEN are not both set. Make a bot account in Mattermost and "
    "put the server's address and the bot's token in .env."
)
BAD_MATTERMOST_TOKEN = (
    "Mattermost does not know the token in PULLQUOTE_MATTERMOST_TOKEN. Make a new one for the bot account."
)
NO_MATTERMOST = "Mattermost cannot be reached. Check the connection, and PULLQUOTE_MATTERMOST_URL."
NO_MATTERMOST_LIBRARY = "The Mattermost channel is not installed. Install it with: pip install 'pullquote[serve]'"
NO_DISCORD_TOKEN = (
    "PULLQUOTE_DISCORD_TOKEN is not set. Make an application in Discord's developer portal and put its bot's token "
    "in .env."
)
BAD_DISCORD_TOKEN = "Discord does not know the token in PULLQUOTE_DISCORD_TOKEN. Reset it on the page Bot and copy it."
NO_DISCORD = "Discord cannot be reached. Check the connection, and PULLQUOTE_DISCORD_API if it is set."
NO_DISCORD_LIBRARY = "The Discord channel is not installed. Install it with: pip install 'pullquote[discord]'"
NO_CHANNEL = (
    "No channel has its settings. Set PULLQUOTE_TELEGRAM_TOKEN, PULLQUOTE_SLACK_BOT_TOKEN, "
    "PULLQUOTE_MATRIX_HOMESERVER, PULLQUOTE_MATTERMOST_TOKEN, PULLQUOTE_DISCORD_TOKEN or PULLQUOTE_HOOK_TOKENS; "
    "see: pullquote settings"
)
UNFORESEEN = "It ended with an error that nobody foresaw."
UNREADABLE_ENV = "The file .env cannot be read. Save it as UTF-8 text that this user may read."


def not_running(channel: str, why: str, seconds: float) -> str:
    """Of one channel beside others or the visits to sources."""
    return f"{channel} is NOT RUNNING: {why} Next try in {seconds:.0f} s; all else goes on."


def bad_webhook(url: str, why: str) -> str:
    refused = f"Telegram does not take the address {printable(url)!r} for --webhook: {why}."
    return f"{refused} Give it a public https:// address."


def no_port(variable: str, listen: str, why: str) -> str:
    return f"{variable} cannot be {printable(listen)!r}: {why}. Give it a free address and port."


def no_matrix(server: str) -> str:
    return f"The Matrix server {printable(server)} cannot be reached. Check PULLQUOTE_MATRIX_HOMESERVER."


def no_homeserver(server: str) -> str:
    return (
        f"{printable(server)} does not answer as a Matrix server. Give PULLQUOTE_MATRIX_HOMESERVER the address that "
        "“m.homeserver” has in https://YOUR.SERVER/.well-known/matrix/client."
    )


def no_matrix_password(server: str) -> str:
    return f"{printable(server)} takes no passwords. Set PULLQUOTE_MATRIX_TOKEN instead of PULLQUOTE_MATRIX_PASSWORD."


def other_matrix_user(user: str, owner: str) -> str:
    return (
        f"PULLQUOTE_MATRIX_USER is {printable(user)!r}, but the token in PULLQUOTE_MATRIX_TOKEN is of "
        f"{printable(owner)}. Leave the first out or take its own token."
    )


def bad_setting(variable: str, value: str, need: str) -> str:
    return f"{variable} cannot be {printable(value[:100])!r}. {need}." if value else f"{variable} is wrong. {need}."


def unknown_variable(variable: str, close: Sequence[str]) -> str:
    hint = f"Did you mean {close[0]}?" if close else "See what there is with: pullquote settings"
    return f"{printable(variable)} is not a setting and changes nothing. {hint}"


# Taking articles in

READ = "{count:,} articles read"
STORED = "{count:,} articles stored"
INDEXED = "{done:,} of {total:,} passages indexed, {rate:.0f} a second, {left} left"
INDEXING = "indexing passages"
READING = "reading articles"
ASKING = "questions asked"
CATCHING_UP = "The index is behind the archive: catching up first."
BEHIND = "Another pullquote is changing the archive; this answer comes from what is indexed so far."
PREPARING_MODEL = "Preparing the model {model}; this happens once."
PREPARING_SAMPLE = "Taking in the sample articles; this happens once."
NOTHING_READ = "There was no article to read."
REINDEXED = "The indexes were made anew: {passages}."


def taken_in(counts: Mapping[str, int], dry: bool = False) -> str:
    """One line: how many articles became what."""
    known, changed = counts.get("unchanged", 0), counts.get("added", 0) + counts.get("revised", 0)
    same = counts.get("same as", 0)
    if not changed and not same:
        stands = "article is" if known == 1 else "articles are"
        return f"Nothing new: {known:,} {stands} already stored as {'it is' if known == 1 else 'they are'}."
    parts = [f"{counts.get('added', 0):,} added", f"{counts.get('revised', 0):,} revised", f"{known:,} unchanged"]
    if same:
        parts.append(f"{same:,} known under another address")
    return f"{'Would be' if dry else 'Articles'}: {', '.join(parts)}."


def not_taken_in(number: int) -> str:
    return f"Not taken in: {plural(number, 'item')}."


def interrupted(counts: Mapping[str, int]) -> str:
    return f"Stopped. {taken_in(counts)} What is stored is safe; run the same command again to go on."


STOPPED = "Stopped."

# Sources

SOURCES_HEAD = ("number", "source", "kind", "last success", "newest", "usual gap", "next visit", "state")
NO_SOURCES = "There are no sources. Add a feed, a sitemap or a site with: pullquote add URL"
NEVER = "never"
OK, SILENT_STATE = "ok", "SILENT"
OFFER_HEAD = ("number", "kind", "title", "address")
CHOOSE = "Which of them? Numbers with commas, all, or nothing"
NOT_A_CHOICE = "Write numbers from 1 to {count} with commas between them, or all, or nothing."
WATCHING = "Watching {folder}. Ctrl-C ends this; `pullquote run` goes on with it."
REMOVED = "No longer visited: {name} ({url}). Its articles stay in the archive."


def offered(url: str) -> str:
    return f"{printable(url)} is a site with these feeds:"


def not_chosen(url: str, first: str) -> str:
    return (
        f"{printable(url)}: nothing was added. Add one of its feeds with: pullquote add {printable(first)}\n"
        "Or all of them with: --yes"
    )


def source_added(title: str, url: str, kind: str, new: bool, dry: bool) -> str:
    did = ("Would be added" if dry else "Added") if new else "Known already"
    return printable(f"{did}: {kind} {f'“{title}” ' if title else ''}{url}")


def went_round(sources: int, unchanged: int) -> str:
    same = f", {plural(unchanged, 'page')} unchanged" if unchanged else ""
    return f"{plural(sources, 'source')} visited{same}."


def kept_files(number: int) -> str:
    return f"{plural(number, 'file')} gone; what they held stays in the archive (watch --withdraw takes it out)."


def withdrawn(number: int) -> str:
    their = "file or page is" if number == 1 else "files or pages are"
    return f"{plural(number, 'article')} withdrawn, whose {their} gone."


def waiting_pages(number: int) -> str:
    """Of a large source."""
    return f"{plural(number, 'page')} more to be fetched; go on with: pullquote refresh"


def went_silent(name: str, newest: float | None, gap: float | None, reason: str) -> str:
    """For administrators, of a source."""
    last = f"its newest article is of {moment(newest)}" if newest else "it has had no article"
    usual = f", the usual gap is {span(gap)}" if gap else ""
    failed = f". It cannot be visited: {reason}" if reason else "."
    return printable(f"The source {name} has gone silent: {last}{usual}{failed}")


def moment(when: float | None) -> str:
    """Local: 14:05 today, else the day with it."""
    if when is None:
        return NEVER
    local = datetime.fromtimestamp(when).astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d %H:%M}"


def day_or_time(when: float | None) -> str:
    """As `moment`, shorter, for a table: 14:05 today, else 24 Nov, else 2025-11-24."""
    if when is None:
        return NEVER
    local, now = datetime.fromtimestamp(when).astimezone(), datetime.now().astimezone()
    if local.date() == now.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b}" if local.year == now.year else f"{local:%Y-%m-%d}"


def span(seconds: float | None) -> str:
    """About so long: 45 min, 6 h, 3 days."""
    if seconds is None:
        return ""
    if seconds < 5_400:
        return f"{max(round(seconds / 60), 1)} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 129_600 else f"{seconds / 86_400:.0f} days"


def source_state(silent: bool, failures: int, waiting: int) -> str:
    said = [SILENT_STATE] if silent else []
    said += ["failed"] if failures else []
    said += [f"{waiting:,} waiting"] if waiting else []
    return ", ".join(said) or OK


def source_failed(number: int, name: str, failures: int, reason: str) -> str:
    """Below the table."""
    often = f" {failures} times in a row" if failures > 1 else ""
    return printable(f"{number} {name} failed{often}: {reason}")


def fresh(current: float | None, sources: int, silent: int) -> str:
    since = f"current to {moment(current)}" if current else "not visited yet"
    return f"{since}; {silent:,} of {plural(sources, 'source')} silent"


# Answers

EMPTY_ARCHIVE = (
    "The archive is empty. Take articles in with: pullquote ingest PATH\n"
    'Or try the sample articles: pullquote ask --sample "what did Russia demand?"'
)
UNDATED = "undated"
NOT_KNOWN = "unknown"
UNDERSTOOD = "Understood as: {question}"
SURE, FAIRLY_SURE, UNSURE = "sure", "fairly sure", "not very sure"


def looked(filtered: str) -> str:
    return f"Looked at articles {filtered}."


def confidence(value: float, *, number: bool = False) -> str:
    word = SURE if value >= 0.8 else FAIRLY_SURE if value >= 0.5 else UNSURE
    return f"{word} ({value:.2f})" if number else word


def filters(since: date | None, until: date | None, outlets: Sequence[str], as_of: date | None, words: str) -> str:
    """ "published 1-31 May 2025, from “in May 2025”"; "" where nothing was filtered."""
    parts = [f"published {days(since, until)}"] if since or until else []
    parts += [f"by {' or '.join(outlets)}"] if outlets else []
    parts += [f"as of {day(as_of)}"] if as_of else []
    return ", ".join(parts) + (f", from “{words}”" if words and parts else "")


def days(since: date | None, until: date | None) -> str:
    if since is None or until is None:
        return f"since {day(since)}" if since else f"until {day(until)}" if until else ""
    if since == until:
        return f"on {day(since)}"
    if (since.year, since.month) == (until.year, until.month):
        return f"{since.day}–{day(until)}"
    return f"{since.day} {since:%B} – {day(until)}" if since.year == until.year else f"{day(since)} – {day(until)}"


def day(when: date | None) -> str:
    return f"{when.day} {when:%B} {when.year}" if when else UNDATED


# One bad line of a batch

NOT_JSON = 'The line is not a JSON object. Put one question on each line, such as {"id": 1, "question": "..."}.'
NO_QUESTION = 'The line has no question. Give it a "question" in quotes.'
BAD_FIELD = "The {field} is not readable. {need}."
NO_DATE = "The date is empty. Write it like 2025-05-16."
BAD_DAY = "The date '{day}' is not readable. Write day, month and year like 2025-05-16."
A_DATE = "Write it like 2025-05-16"
AN_OUTLET = "Give the name of an outlet or a list of names"

# Articles

FORGET = "Forget “{title}” ({url}) and its {revisions} for good?"
FORGOTTEN = "Forgotten: “{title}” ({url})."
KEPT = "Nothing was changed."
COPIES = "The same story elsewhere, the agency's or the earliest first:"
CONFIRM = "This deletes an article for good. Say so with --yes."
FIGURES_HEAD = ("figure", "value", "questions")
LIST_HEAD = ("number", "published", "outlet", "headline")
SETTINGS_HEAD = ("name", "variable", "value", "from", "meaning")
EXPORTED = "{rows} written to {file}."
IN_STEP = "in step with the archive"


def no_articles(outlet: str) -> str:
    return f"No article of {outlet} is in the archive." if outlet else EMPTY_ARCHIVE


def more_listed(shown: int, total: int) -> str:
    return f"{shown:,} of {total:,} articles. See more with: pullquote list -n {total}"


def no_revision(number: int, revisions: int) -> str:
    return f"The article has {plural(revisions, 'revision')}, none with the number {number}."


def unwritable(file: str, why: str) -> str:
    return f"{printable(file)} cannot be written: {why}. Choose another file."


def system_refused(why: str, file: object) -> str:
    where = f" at {file}" if file else ""
    return f"The system refused: {why or 'an error of input or output'}{where}. Check its space and its permissions."


def short_day(when: date | None) -> str:
    return when.isoformat()[:10] if when else UNDATED


def outlets(counts: Sequence[tuple[str, int]], more: int) -> str:
    named = [f"{name or 'not named'} ({count:,})" for name, count in counts]
    return ", ".join([*named, f"{more:,} more"] if more else named)


def last_intake(when: datetime | None, counts: Mapping[str, int]) -> str:
    if when is None:
        return "never"
    counted = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items() if count)
    return f"{when.astimezone():%Y-%m-%d %H:%M}" + (f": {counted}" if counted else "")


def sizes(archive: int, indexes: int) -> str:
    return f"{size(archive)} archive, {size(indexes)} indexes" if archive else f"{size(indexes)} indexes"


# An article as `show` prints it


def revision(number: int, of: int, since: date, until: date | None) -> str:
    stood = f"from {day(since)} to {day(until)}" if until else f"since {day(since)}"
    return f"revision {number} of {of}, {stood}"


PAYWALLED, FREE = "behind a paywall", "free to read"
MODIFIED = "changed by its outlet on {day}, {time}"


def about(
    kind: str, section: str, language: str, paywalled: bool | None, modified: datetime | None, dated_by: str
) -> str:
    """What the source says of an article besides its byline; "" where that is nothing."""
    parts = [kind, f"section {section}" if section else "", f"language {language}" if language else ""]
    parts.append("" if paywalled is None else PAYWALLED if paywalled else FREE)
    if modified:
        zone = f"{modified:%z}"
        zone = "UTC" if zone == "+0000" else f"UTC{zone[:3]}:{zone[3:5]}"
        parts.append(MODIFIED.format(day=day(modified), time=f"{modified:%H:%M} {zone}"))
    parts.append("dated by its file" if dated_by else "")
    return " · ".join(filter(None, parts))


# What changed between two revisions

COMPARED = "from revision {old} ({old_day}) to revision {new} ({new_day})"
ONE_REVISION = "The article has one revision, so there is nothing to compare it with."
SAME_REVISION = "Both are revision {number}. Name two different ones."
RESPELLED = "Only punctuation or white space changed; the words are the same."
MOVED_ONLY = "Nothing changed but the place of {sentences}; the words are the same."
NO_CHANGE = "Headline and text are the same."
FIELD_CHANGED = "{name}: {old} → {new}"
NONE = "none"


def unchanged(moved: int, respelled: bool) -> str:
    """Why there is nothing to show between two revisions."""
    if moved:
        return MOVED_ONLY.format(sentences=plural(moved, "sentence"))
    return RESPELLED if respelled else NO_CHANGE


def also_moved(moved: int) -> str:
    return f"{plural(moved, 'sentence')} moved, which is not shown as a change."


def behind(changes: int) -> str:
    return f"{plural(changes, 'change')} behind; the next question or intake catches up"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(number: int) -> str:
    amount, unit = float(number), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1_000:
            break
        amount, unit = amount / 1_000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


def time_left(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


# Standing questions in the terminal

FOLLOWED_HERE = "Followed as number {number}: {question}\nSee what is new on it with: pullquote following --new"
FOLLOWING_HEAD = ("number", "question")
FOLLOWING_NOTHING = 'No question is followed. Follow one with: pullquote follow "what is Russia demanding?"'
FOLLOWING_NO_NEWS = "Nothing new."
UNFOLLOWED_HERE = "No longer followed: {question}"
TOO_MANY_FOLLOWED = (
    "{limit} questions are followed, which is the limit (PULLQUOTE_FOLLOWS). End one with: pullquote unfollow NUMBER"
)


def not_followed(number: int) -> str:
    return f"No question is followed as number {number}. See the numbers with: pullquote following"


# Chat

WELCOME = "Ask about {articles}. /help lists what else you can do; /quit ends."
PROMPT = "? "
HELP = """\
Ask a question. The next one may lean on it: "and what did Ukraine say?"
/more           more of the article around the quote
/next           the next citation
/sources        every article that the last answer cites or was chosen from
/since DATE     only articles published since then; /since alone lifts it
/until DATE     only articles published until then; /until alone lifts it
/outlet NAME    only articles of this outlet; /outlet alone lifts it
/new            forget the conversation so far
/quit           end"""
NEW = "A new conversation."
NOTHING_ASKED = "Ask something first."
NOTHING_CITED = "The last answer cites nothing."
LAST_CITATION = "That was the last one of {count}."
WHOLE_ARTICLE = "That is the whole article."
EVERYTHING = "Answers come from the whole archive."


def only(filtered: str) -> str:
    return f"Answers come only from articles {filtered}." if filtered else EVERYTHING


def unknown_command(name: str, close: Sequence[str]) -> str:
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"There is no {printable(name)}. {hint}/help lists the commands."


# Controls but the line end, and what turns the direction of writing; joiners stay, which shape Persian and emoji.
_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Text from outside as it may be printed: what would steer a terminal stands as an escape."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


# Conversations in a chat: what a bot says is English here and looked up in translations/LANGUAGE.json by its English.

START = (
    "Ask a question about the news. I answer in an article's own words, with the article, or say that I found no "
    "answer. /help lists what else you can do."
)
CHAT_HELP = """\
Ask a question. The next one may lean on it: “and what did Ukraine say?” Reply to an answer of mine to ask about it.
/ask – a question, in a group
/new – forget the conversation so far
/since – only articles published since a day; alone it lifts that
/until – only articles published until a day; alone it lifts that
/outlet – only articles of one outlet; alone it lifts that
/sources – outlets, dates, and how fresh the archive is
/verify – which article has these exact words
/export – the last answer as a citation to paste
/follow – be told here when a new article answers a question; alone: the last one
/following – the questions that are followed here; /unfollow and a number ends one
/notices – off: not to be told here when words that I quoted no longer stand"""
ADMIN_HELP = """\
For you as an administrator:
Send a document to take an article in.
/add – take a page in, by its address
/forget – delete an article for good, by its address or number
/status – what the archive holds
/feedback – what people said about answers
/invite – a code that lets one person in"""
COMMAND_ASK = "ask a question"
COMMAND_NEW = "forget the conversation so far"
COMMAND_SINCE = "only articles published since a day"
COMMAND_UNTIL = "only articles published until a day"
COMMAND_OUTLET = "only articles of one outlet"
COMMAND_SOURCES = "what the archive holds"
COMMAND_VERIFY = "which article has these exact words"
COMMAND_EXPORT = "the last answer as a citation to paste"
COMMAND_FOLLOW = "be told when a new article answers a question"
COMMAND_FOLLOWING = "the questions that are followed here"
COMMAND_UNFOLLOW = "no longer follow a question, by its number"
COMMAND_NOTICES = "on or off: be told when words that I quoted no longer stand"
COMMAND_HELP = "what you can do here"

ASK_WHAT = "Write the question behind the command, for example: /ask what did Russia demand?"
BUTTON_NEXT = "Next source"
BUTTON_MORE = "More context"
BUTTON_WRONG = "Not right"
BUTTON_BACK = "Back"
WHY_WRONG = "What is not right?"
WRONG_ANSWER = "Wrong answer"
WRONG_QUOTE = "Wrong quote"
OUT_OF_DATE = "Out of date"
RIGHT = "Right"
THANKS = "Thank you. It is noted with the question and the state of the archive."
GONE = "The article of this answer is no longer in the archive."
UNKNOWN_ANSWER = "This answer is not stored any more. Ask the question again."
OPEN = "open"
SOURCE_OF = "Source {number} of {count}"
PERHAPS = "Not sure. The closest I have:"
LOOKED_FOR = "Looked for: {question}"
LOOKED_AT = "Looked at articles {filters}."
CLOSEST = "The nearest headlines, which are no answer:"
READ_AS = "Understood as: {question}"
NO_DAY = "undated"
SPEAKER = "Speaker: {speaker} (“{cue}”)"
NO_SPEAKER = "Speaker: not determined"
NO_ONE_SPEAKER = "Not determined: the article names no single speaker of these words."
DIFFER = "Reports differ, newest first:"
UPDATE = "update"
OLD = "This report is {months} months old."
OLD_YEARS = "This report is {years} years old."  # from two
OPINION = "This is an opinion piece."
PRESS_RELEASE = "This is a press release."
LIVE = "This is a live report, which may have been written on since."
WIRE = "This is an agency report."
A_CORRECTION = "This is a correction of another report."
CORRECTED = "The article carries a correction note: {note}"
FILE_DATE = "The day is the one that the file says it was made on."
SINCE_DAY = "published since {day}"
UNTIL_DAY = "published until {day}"
BETWEEN_DAYS = "published from {first} to {last}"
BY_OUTLET = "by {outlets}"
FROM_WORDS = "from “{words}”"
CHAT_ONLY = "Answers come only from articles {filters}."
CHAT_ALSO = "Also carried by {outlets}"
CHAT_ALSO_MANY = "Also in {count} outlets: {outlets} and others"
EMPTY_CHAT = "The archive is empty. Whoever runs this bot has to take articles in first."
NO_SUCH_COMMAND = "There is no {command}. /help lists the commands."

HOLDINGS = "{articles} articles, published {first} to {last}; newest intake {intake}."
FRESH = "Index current to {time}; {silent} of {count} sources silent."
NOTHING_HELD = "The archive holds no dated article; newest intake {intake}."
OUTLETS_HELD = "Outlets: {outlets}"
NO_INTAKE = "never"

VERIFY_WHAT = "Write the quotation behind the command, at least three words: /verify “the exact words”"
VERIFY_EXACT = "Exact. These words stand in the archive:"
VERIFY_NEAR = (
    "Not exact. The nearest passage differs; [-words-] are only in your text, {{+words+}} only in the article:"
)
VERIFY_NONE = "Not found. No article in the archive has these words, or nearly these."
EXPORT_NONE = "There is no answer to export. Ask something first."
EXPORT_ACCESSED = "accessed {day}"
EXPORT_HASH = "SHA-256 of the stored text: {digest}"

STRANGER = "This bot answers only people who were invited. Send /start with your code, or ask whoever runs it."
STRANGER_NOTE = "{name} ({id}) wrote to the bot and is not allowed to use it. /invite makes a code for one person."
WELCOME_IN = "Welcome. Ask a question about the news; /help lists what else you can do."
BAD_CODE = "This code is not valid, or it was used. Ask for a new one."
INVITED = "A code for one person: {code}"
DEEP_LINK = "A link that opens it here: {link}"
ADMINS_ONLY = "Only an administrator of this bot may do that."
MINUTE_LIMIT = "That was {limit} questions in a minute, which is the limit. Ask again in {seconds} seconds."
DAY_LIMIT = "That was {limit} questions today, which is the limit. Ask again tomorrow."
WENT_WRONG = "Something went wrong here, and it was noted as {id}. Ask again, or tell whoever runs this bot."
TOO_LARGE = "The document has more than {size} MB. Split it."
ADDED = "Taken in: {counts}"
NOT_ADDED = "Not taken in: {why}"
ADD_WHAT = "Write the page's address behind the command, or send the document itself."
FORGET_WHAT = "Write the article's address, number or part of its headline behind the command."
CHAT_FORGOTTEN = "Forgotten: “{title}” ({url})."
NO_FEEDBACK = "Nobody has said anything yet."
FEEDBACK_LINE = "{day} · {reason} · {question}"

# What the bot says unasked: corrections of what it quoted, and news on standing questions

CORRECTION = "A correction to what I quoted on “{question}”:"
CORRECTION_THEN = "I quoted: “{quote}”"
CORRECTION_NOW = "Since {day} it reads: “{quote}”"
CORRECTION_NOTHING = "Since {day} nothing like it stands there."
WITHDRAWN_ONE = "The article that I quoted is no longer in the archive; found on {day}."
WITHDRAWN = "The article of source {number} of {count} is no longer in the archive; found on {day}."
CORRECTIONS_ENDED = "/notices off ends such messages here."
CORRECTIONS_MORE = "Corrections to more answers of mine here ({count}); what I quoted no longer stands:"
NOTICES_ON = "Where words that I quoted here no longer stand, I say so here. /notices off ends that."
NOTICES_OFF = "Nothing is said here where words that I quoted no longer stand. /notices on changes that."
NOTICES_WHAT = "Write /notices on or /notices off."
FOLLOWED = (
    "Followed here as number {number}: {question}\n"
    "When a new article answers it, I say so, at most every {hours} hours. /unfollow {number} ends that."
)
FOLLOWING = "Followed here; /unfollow and a number ends one:"
FOLLOWING_NONE = "No question is followed here. /follow and a question begins it."
FOLLOW_WHAT = "Write the question behind the command, for example: /follow what is Russia demanding?"
FOLLOW_LIMIT = (
    "That is too many: {limit} questions for a person and {chat} in a chat are followed. End one with /unfollow."
)
FOLLOW_NOT_HERE = "I cannot write here unless I am asked, so no question can be followed here."
UNFOLLOWED = "No longer followed: {question}"
UNFOLLOW_WHAT = "There is no such number. /following lists the questions that are followed here."
NEWS = "New on a question followed here, number {number}: {question}"

# In Slack alone, which tells a bot no language

SLACK_COMMANDS = (
    "In Slack, write a command behind my name or behind /ask: “@Pullquote /sources”, “/ask /since 2025-05-20”. In a "
    "direct message, “help”, “new”, “sources” and “export” alone do too."
)
SLACK_STATUS = "is looking through the archive…"
SLACK_SHARE = "Share in channel"
SLACK_SHARED = "{who} asked: {question}"
SLACK_PROMPTS = "Ask about the newest reports"
SLACK_PROMPT = "What is reported under “{title}”?"
SLACK_ARCHIVE = "The archive"
SLACK_NEWEST = "Newest headlines"
SLACK_HOW = "How to ask"
SLACK_HOW_TO = """\
Write to me under Messages, mention me in a channel that I was invited to, or use /ask, whose answer only you see.
In a thread where I have answered, just ask on: “and what did Ukraine say?”
To look up a quotation, open the menu of the message that has it and choose “Check this quotation”.
Each answer is an article's own words, compared with the stored article before you see them."""

# In Mattermost, Zulip and Rocket.Chat. Where an outgoing webhook asks, there are no buttons, and no slash

HOOK_BUTTONS = "To go on, write: next source, more context, right, wrong answer, wrong quote, out of date."
HOOK_HELP = (
    "Here, write a command without its slash: “help”, “new”, “sources”, “export”, “since 2025-05-20”, “verify” and the "
    "words. Below an answer: “next source”, “more context”, “right”, “wrong answer”, “wrong quote”, “out of date”."
)
MATTERMOST_REACTIONS = "React with 👍 or 👎, with ➡️ for the next source, with ⬇️ for more context."
NO_ROOM = "There is no room for more in one message here. The link opens the article at the quote."
BUTTON_UNKNOWN = "This button is not known here. Ask the question again."
HOOK_LATER = "This takes a while. The answer follows."
HOOK_AGAIN = "This takes longer than this chat waits for me. Ask the same again in a minute."
HOOK_TOKEN = "This token is not known here. Put it into PULLQUOTE_HOOK_TOKENS, with its platform in front."
HOOK_UNREADABLE = "The request cannot be read. Send the fields of an outgoing webhook, as a form or as JSON."
HOOK_TOO_LARGE = "The request is too large. Ask in fewer words."
HOOK_TOO_SLOW = "The request did not come in in time. Send it again."

# In Matrix alone, as little

MATRIX_COMMANDS = (
    "In Matrix, mention me, or begin with !ask; in a thread where I have answered, and in a room with me alone, just "
    "write. A command stands behind the mention or behind !ask, with / or !: “!ask /sources”, "
    "“!ask !since 2025-05-20”. React to an answer with ➡️ "
    "for the next source, ➕ for more context, 👍 or 👎 to say whether it is right."
)
MATRIX_NO_FILE = "The file could not be fetched from the Matrix server. Send it again."
MATRIX_ENCRYPTED = (
    "This room is encrypted, and I cannot read encrypted messages. Invite me to a room without encryption to ask me."
)

# retrieval.answer.Reason, in its order
REASONS = (
    "The archive is empty.",
    "Nothing on this was found in the archive.",
    "No answer was found within the dates asked for.",
    "No answer was found in the outlet asked for.",
    "I have articles on this, but found none that says it.",
    "Not sure that the closest passage says it.",
    "The quote that was found could not be proven against the archive.",
)
LANGUAGES = ("de", "es", "fr", "uk", "ru")  # besides English
CHAT = (
    *(START, CHAT_HELP, ADMIN_HELP),
    *(COMMAND_ASK, COMMAND_NEW, COMMAND_SINCE, COMMAND_UNTIL, COMMAND_OUTLET, COMMAND_SOURCES),
    *(COMMAND_VERIFY, COMMAND_EXPORT, COMMAND_FOLLOW, COMMAND_FOLLOWING, COMMAND_UNFOLLOW, COMMAND_NOTICES),
    *(COMMAND_HELP, ASK_WHAT),
    *(BUTTON_NEXT, BUTTON_MORE, BUTTON_WRONG, BUTTON_BACK, WHY_WRONG, WRONG_ANSWER, WRONG_QUOTE, OUT_OF_DATE),
    *(RIGHT, THANKS),
    *(GONE, UNKNOWN_ANSWER, SOURCE_OF, PERHAPS, LOOKED_FOR, LOOKED_AT, CLOSEST, READ_AS),
    *(DIFFER, UPDATE, NO_DAY, SPEAKER, NO_SPEAKER, NO_ONE_SPEAKER, OLD, OLD_YEARS, OPINION, PRESS_RELEASE, LIVE, WIRE),
    *(A_CORRECTION, CORRECTED, FILE_DATE, SINCE_DAY, UNTIL_DAY, BETWEEN_DAYS),
    *(BY_OUTLET, FROM_WORDS, CHAT_ONLY, CHAT_ALSO, CHAT_ALSO_MANY, EMPTY_CHAT),
    *(NO_SUCH_COMMAND, HOLDINGS, FRESH, NOTHING_HELD, OUTLETS_HELD, NO_INTAKE),
    *(VERIFY_WHAT, VERIFY_EXACT, VERIFY_NEAR, VERIFY_NONE, EXPORT_NONE, EXPORT_ACCESSED, EXPORT_HASH),
    *(STRANGER, STRANGER_NOTE, WELCOME_IN, BAD_CODE, INVITED, DEEP_LINK, ADMINS_ONLY),
    *(MINUTE_LIMIT, DAY_LIMIT, WENT_WRONG),
    *(TOO_LARGE, ADDED, NOT_ADDED, ADD_WHAT, FORGET_WHAT, CHAT_FORGOTTEN, NO_FEEDBACK, FEEDBACK_LINE),
    *(CORRECTION, CORRECTION_THEN, CORRECTION_NOW, CORRECTION_NOTHING, WITHDRAWN_ONE, WITHDRAWN, CORRECTIONS_ENDED),
    *(CORRECTIONS_MORE, NOTICES_ON, NOTICES_OFF, NOTICES_WHAT),
    *(FOLLOWED, FOLLOWING, FOLLOWING_NONE, FOLLOW_WHAT, FOLLOW_LIMIT, FOLLOW_NOT_HERE, UNFOLLOWED, UNFOLLOW_WHAT, NEWS),
    *(NEW, NOTHING_ASKED, NOTHING_CITED, LAST_CITATION, WHOLE_ARTICLE, EVERYTHING),
    *(NO_DATE, BAD_DAY),
    *REASONS,
)


def say(sentence: str, language: str = "", /, **values: object) -> str:
    """A sentence of CHAT in the user's language ("de", "pt-br"; English where there is no translation), filled in."""
    return translations(language.lower()[:2]).get(sentence, sentence).format(**values)


def old(months: int, language: str = "") -> str:
    """How old a report is: in whole years once there are two of them."""
    return say(OLD, language, months=months) if months < 24 else say(OLD_YEARS, language, years=months // 12)


def chat_filters(since: date | None, until: date | None, outlets: Sequence[str], words: str, language: str) -> str:
    """What was filtered, in the user's language; "" where nothing was. Days as 2025-05-16, which every reader knows."""
    first, last = short_day(since), short_day(until)
    parts = [say(BETWEEN_DAYS, language, first=first, last=last)] if since and until else []
    parts += [say(SINCE_DAY, language, day=first)] if since and not until else []
    parts += [say(UNTIL_DAY, language, day=last)] if until and not since else []
    parts += [say(BY_OUTLET, language, outlets=", ".join(outlets))] if outlets else []
    parts += [say(FROM_WORDS, language, words=words)] if words and parts else []
    return ", ".join(parts)


@cache
def translations(language: str) -> Mapping[str, str]:
    """English sentence -> translation; empty for English and for languages without a file."""
    if language not in LANGUAGES:
        return {}
    file = files("bot").joinpath("translations", f"{language}.json")
    found: dict[str, str] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found
