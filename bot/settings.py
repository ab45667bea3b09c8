"""The settings: PULLQUOTE_ variables and `.env` in the current folder. The only reader of the environment."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot import messages

PREFIX = "PULLQUOTE_"
ENV_FILE = ".env"
JUDGED = 12  # passages; retrieval.reader's, not imported, for numpy is slow
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"  # retrieval.models's, as little imported
OLD_AFTER = 365  # days; retrieval.question's, as little imported


class BadSettings(ValueError):
    """A setting that cannot be used; the message names its variable and what it should be."""


def _home(path: Path) -> Path:
    return path.expanduser().absolute()


def _database(url: SecretStr) -> SecretStr:
    if not re.match(r"\w[\w+]*://", url.get_secret_value()):
        raise ValueError("not a database URL")
    return url


def _web(url: SecretStr) -> SecretStr:
    if not re.match(r"https?://[^\s/]", url.get_secret_value()):
        raise ValueError("not a web address")
    return url


def _networks(listed: str) -> str:
    networks(listed)
    return listed


def _like(pattern: str) -> AfterValidator:
    """A secret that has this form."""

    def checked(token: SecretStr) -> SecretStr:
        if not re.fullmatch(pattern, token.get_secret_value()):
            raise ValueError("not a token")
        return token

    return AfterValidator(checked)


def _hook_tokens(given: SecretStr) -> SecretStr:
    """One of Zulip at most: each organisation there counts its ids anew, so that two would share administrators."""
    every = [one.strip() for one in given.get_secret_value().split(",")]
    if not all(re.fullmatch(rf"(?:{HOOKS}):[^\s,]{{8,}}", one) for one in every):
        raise ValueError("not a list of tokens")
    if sum(one.startswith("zulip:") for one in every) > 1:
        raise ValueError("two organisations")
    return given


IDS = r"^\s*(-?\d+\s*(,\s*-?\d+\s*)*)?$"  # with commas between them
SLACK_IDS = r"^\s*([A-Z][A-Z0-9]+\s*(,\s*[A-Z][A-Z0-9]+\s*)*)?$"
MATTERMOST_IDS = r"^\s*([a-z0-9]{26}\s*(,\s*[a-z0-9]{26}\s*)*)?$"
HOOKS = "mattermost|zulip|rocketchat"
HOOK_IDS = rf"^\s*((?:{HOOKS}):[\w.-]+\s*(,\s*(?:{HOOKS}):[\w.-]+\s*)*)?$"
ORIGINS = r"^\s*(https?://[^\s/,@]+/?\s*(,\s*https?://[^\s/,@]+/?\s*)*)?$"
# People @name:server, rooms !id:server (newer rooms have no :server), whole servers.
_MATRIX_ID = r"(@[^\s,:@]+:[^\s,]+|![^\s,]+|[\w\[][\w.:\[\]-]*)"
MATRIX_IDS = rf"^\s*({_MATRIX_ID}\s*(,\s*{_MATRIX_ID}\s*)*)?$"
MATRIX_PEOPLE = r"^\s*(@[^\s,:@]+:[^\s,]+\s*(,\s*@[^\s,:@]+:[^\s,]+\s*)*)?$"
SECRET = (
    "telegram_token",
    "slack_bot_token",
    "slack_app_token",
    "slack_signing_secret",
    "hook_tokens",
    "matrix_password",
    "matrix_token",
    "mattermost_token",
    "discord_token",
)
Folder = Annotated[Path, AfterValidator(_home)]


class Settings(BaseSettings):
    """What is in force. Empty variables count as not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
    )

    data: Folder = Field(
        default_factory=lambda: user_data_path("pullquote", appauthor=False), description=messages.SETTING_DATA
    )
    archive: Annotated[SecretStr, AfterValidator(_database)] | None = Field(
        default=None, description=messages.SETTING_ARCHIVE
    )
    chroma: Annotated[SecretStr, AfterValidator(_web)] | None = Field(default=None, description=messages.SETTING_CHROMA)
    collection: str = Field(
        default="passages",
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]$",
        description=messages.SETTING_COLLECTION,
    )
    model: str = Field(default=DEFAULT_MODEL, description=messages.SETTING_MODEL)
    models: Folder | None = Field(default=None, description=messages.SETTING_MODELS)
    reranker: str = Field(default="", description=messages.SETTING_RERANKER)
    reader: str = Field(default="", description=messages.SETTING_READER)
    passages: int = Field(default=JUDGED, ge=4, le=40, description=messages.SETTING_PASSAGES)
    engine: Literal["auto", "onnxruntime", "openvino", "torch"] = Field(
        default="auto", description=messages.SETTING_ENGINE
    )
    threshold: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description=messages.SETTING_THRESHOLD
    )
    fetch_private: Annotated[str, AfterValidator(_networks)] = Field(
        default="", description=messages.SETTING_FETCH_PRIVATE
    )
    fetch_rate: float = Field(default=1.0, ge=0.01, le=20, allow_inf_nan=False, description=messages.SETTING_FETCH_RATE)
    fetch_contact: str = Field(
        default="", pattern=r"^[\x21-\x27\x2a-\x7e]{0,200}$", description=messages.SETTING_FETCH_CONTACT
    )
    refresh_minutes: int = Field(default=15, ge=1, le=1_440, description=messages.SETTING_REFRESH_MINUTES)
    old_after: int = Field(default=OLD_AFTER, ge=60, description=messages.SETTING_OLD_AFTER)
    citations: int = Field(default=3, ge=1, le=3, description=messages.SETTING_CITATIONS)
    telegram_token: Annotated[SecretStr, _like(r"\d+:[\w-]+")] | None = Field(
        default=None, description=messages.SETTING_TOKEN
    )
    telegram_api: str = Field(default="", pattern=r"^(https?://[^\s/]+/?)?$", description=messages.SETTING_API)
    telegram_admins: str = Field(default="", pattern=IDS, description=messages.SETTING_ADMINS)
    telegram_allowed: str = Field(default="", pattern=IDS, description=messages.SETTING_ALLOWED)
    slack_bot_token: Annotated[SecretStr, _like(r"xoxb-[\w-]+")] | None = Field(
        default=None, description=messages.SETTING_SLACK_BOT_TOKEN
    )
    slack_app_token: Annotated[SecretStr, _like(r"xapp-[\w-]+")] | None = Field(
        default=None, description=messages.SETTING_SLACK_APP_TOKEN
    )
    slack_signing_secret: SecretStr | None = Field(default=None, description=messages.SETTING_SLACK_SIGNING_SECRET)
    slack_api: str = Field(default="", pattern=r"^(https?://[^\s/]+/?)?$", description=messages.SETTING_SLACK_API)
    slack_listen: str = Field(
        default="127.0.0.1:3000", pattern=r"^[^\s:/]+:\d{1,5}$", description=messages.SETTING_SLACK_LISTEN
    )
    slack_admins: str = Field(default="", pattern=SLACK_IDS, description=messages.SETTING_SLACK_ADMINS)
    slack_allowed: str = Field(default="", pattern=SLACK_IDS, description=messages.SETTING_SLACK_ALLOWED)
    hook_tokens: Annotated[SecretStr, AfterValidator(_hook_tokens)] | None = Field(
        default=None, description=messages.SETTING_HOOK_TOKENS
    )
    hook_listen: str = Field(
        default="127.0.0.1:8080", pattern=r"^[^\s:/]+:\d{1,5}$", description=messages.SETTING_HOOK_LISTEN
    )
    hook_admins: str = Field(default="", pattern=HOOK_IDS, description=messages.SETTING_HOOK_ADMINS)
    hook_allowed: str = Field(default="", pattern=HOOK_IDS, description=messages.SETTING_HOOK_ALLOWED)
    hook_answers: str = Field(default="", pattern=ORIGINS, description=messages.SETTING_HOOK_ANSWERS)
    matrix_homeserver: str = Field(
        default="", pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$", description=messages.SETTING_MATRIX_HOMESERVER
    )
    matrix_user: str = Field(default="", pattern=r"^(@?[^\s:@]+(:\S+)?)?$", description=messages.SETTING_MATRIX_USER)
    matrix_password: SecretStr | None = Field(default=None, description=messages.SETTING_MATRIX_PASSWORD)
    matrix_token: Annotated[SecretStr, _like(r"\S+")] | None = Field(
        default=None, description=messages.SETTING_MATRIX_TOKEN
    )
    matrix_admins: str = Field(default="", pattern=MATRIX_PEOPLE, description=messages.SETTING_MATRIX_ADMINS)
    matrix_allowed: str = Field(default="", pattern=MATRIX_IDS, description=messages.SETTING_MATRIX_ALLOWED)
    mattermost_url: str = Field(
        default="", pattern=r"^(https?://[^\s/]+(/[^\s]*)?)?$", description=messages.SETTING_MATTERMOST_URL
    )
    mattermost_token: Annotated[SecretStr, _like(r"[a-z0-9]{26}")] | None = Field(
        default=None, description=messages.SETTING_MATTERMOST_TOKEN
    )
    mattermost_admins: str = Field(default="", pattern=MATTERMOST_IDS, description=messages.SETTING_MATTERMOST_ADMINS)
    mattermost_allowed: str = Field(default="", pattern=MATTERMOST_IDS, description=messages.SETTING_MATTERMOST_ALLOWED)
    mattermost_buttons: str = Field(
        default="", pattern=r"^(https?://[^\s/]+/?)?$", description=messages.SETTING_MATTERMOST_BUTTONS
    )
    mattermost_listen: str = Field(
        default="127.0.0.1:8081", pattern=r"^[^\s:/]+:\d{1,5}$", description=messages.SETTING_MATTERMOST_LISTEN
    )
    discord_token: Annotated[SecretStr, _like(r"[\w.-]{20,}")] | None = Field(
        default=None, description=messages.SETTING_DISCORD_TOKEN
    )
    discord_api: str = Field(default="", pattern=r"^(https?://[^\s/]+/?)?$", description=messages.SETTING_DISCORD_API)
    discord_admins: str = Field(default="", pattern=IDS, description=messages.SETTING_DISCORD_ADMINS)
    discord_allowed: str = Field(default="", pattern=IDS, description=messages.SETTING_DISCORD_ALLOWED)
    access: Literal["open", "list", "invite"] = Field(default="open", description=messages.SETTING_ACCESS)
    person_minute: int = Field(default=10, ge=1, description=messages.SETTING_PERSON_MINUTE)
    person_day: int = Field(default=300, ge=1, description=messages.SETTING_PERSON_DAY)
    chat_minute: int = Field(default=30, ge=1, description=messages.SETTING_CHAT_MINUTE)
    chat_day: int = Field(default=2_000, ge=1, description=messages.SETTING_CHAT_DAY)
    notices: int = Field(default=3, ge=0, description=messages.SETTING_NOTICES)
    notices_days: int = Field(default=30, ge=1, le=36_500, description=messages.SETTING_NOTICES_DAYS)
    follows: int = Field(default=10, ge=1, description=messages.SETTING_FOLLOWS)
    follow_hours: float = Field(default=6.0, gt=0, le=8_760, description=messages.SETTING_FOLLOW_HOURS)


Origin = Literal["default", ".env", "environment"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of `pullquote settings`."""

    name: str
    variable: str
    value: str  # as it may be shown: without passwords; "" where the default is to have none
    origin: Origin
    meaning: str


def load_settings() -> Settings:
    """The settings in force. Raises BadSettings."""
    try:
        return Settings()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise BadSettings(messages.bad_setting(_variable(name), _given(name), messages.SETTING_NEEDS[name])) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(messages.UNREADABLE_ENV) from error


def in_force(settings: Settings) -> list[Setting]:
    """Every setting with its value and where that came from."""
    return [
        Setting(name, _variable(name), _shown(settings, name), _origin(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def unknown_variables() -> Iterator[str]:
    """A sentence for each PULLQUOTE_ variable that is no setting."""
    known = [_variable(name) for name in Settings.model_fields]
    for variable in sorted({*_environment(), *_file()}):
        if variable.startswith(PREFIX) and variable not in known:
            close = get_close_matches(variable.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known], n=1)
            yield messages.unknown_variable(variable, [PREFIX + one for one in close])


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _environment() -> dict[str, str]:
    return {name.upper(): value for name, value in os.environ.items() if value}


@lru_cache(maxsize=1)
def _read_file(_path: str, _changed: int) -> dict[str, str]:
    return {name.upper(): value for name, value in dotenv_values(ENV_FILE).items() if value}


def _file() -> dict[str, str]:
    path = Path(ENV_FILE).absolute()
    return _read_file(str(path), path.stat().st_mtime_ns) if path.is_file() else {}


def _origin(name: str) -> Origin:
    variable = _variable(name)
    if variable in _environment():
        return "environment"
    return ".env" if variable in _file() else "default"


def _given(name: str) -> str:
    """What was set, as it may be shown; a URL that is none may hold a password anywhere, so it is not shown."""
    if name in ("archive", "chroma", *SECRET):
        return ""
    variable = _variable(name)
    return _environment().get(variable) or _file().get(variable, "")


def _shown(settings: Settings, name: str) -> str:
    if name in SECRET:
        return "***" if getattr(settings, name) else ""
    value = {
        "archive": settings.archive or SecretStr(f"sqlite:///{settings.data / 'archive.sqlite'}"),
        "models": settings.models or settings.data / "models",
    }.get(name, getattr(settings, name))
    if isinstance(value, SecretStr):
        return without_password(value.get_secret_value())
    return "" if value is None else str(value)


def without_password(url: str) -> str:
    """postgresql://me:secret@host/db -> postgresql://me:***@host/db; so too for `password=` and the like."""
    url = re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)((?:password|passwd|pwd|token|key|secret)\w*=)[^&]*", r"\1***", url)


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Of "10.0.0.0/8, 127.0.0.1". Raises ValueError."""
    return tuple(ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip())


def ids(text: str) -> frozenset[str]:
    """Of "4711, -1004712"."""
    return frozenset(filter(None, (one.strip() for one in text.split(","))))
