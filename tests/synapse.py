"""A real Matrix homeserver, Synapse, in a process of its own, and people who use it over HTTP.

It is installed once, into a virtual environment below the user's cache folder, and is never imported: its licence is
the AGPL. Used by tests and benchmarks.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

VERSION = "1.163.2"
INSTALL = 240.0  # seconds
START = 60.0
SERVER = "news.test"
SECRET = "only for tests"
REQUIRED = "REQUIRE_SYNAPSE"  # where this is set, as CI does, a homeserver that cannot be had is an error
GENEROUS = {"per_second": 10_000, "burst_count": 10_000}
T = TypeVar("T")
Json = Mapping[str, Any]


class Unavailable(RuntimeError):
    """Synapse cannot be had here; the message says why."""


def home() -> Path:
    return user_cache_path("pullquote-tests") / f"synapse-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"


def installed(say: Callable[[str], None] = lambda _: None) -> Path:
    """The Python that has Synapse, installed from wheels where that was not done yet. Raises Unavailable."""
    folder = home()
    done = folder / "installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{folder}.lock", timeout=INSTALL):
            if not done.exists():
                say(f"Installing matrix-synapse {VERSION} for the tests, once, into {folder} (240 MB) ...")
                _install(folder)
                done.touch()
    except Timeout as error:
        raise Unavailable(f"another process holds {folder}.lock") from error
    return folder / "bin" / "python"


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    options = ["-q", "--only-binary", ":all:", "--no-input", "--retries", "1"]
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", *options]
    commands: Sequence[Sequence[str | Path]] = (
        [sys.executable, "-m", "venv", folder],
        [*pip, f"matrix-synapse=={VERSION}"],
    )
    deadline = time.monotonic() + INSTALL
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=deadline - time.monotonic())
        except subprocess.CalledProcessError as error:
            why = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise Unavailable(f"matrix-synapse cannot be installed: {' '.join(why)}") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"matrix-synapse was not installed within {INSTALL:.0f} s") from error


class Synapse:
    """One homeserver with a folder of its own."""

    def __init__(self, python: Path, folder: Path, **config: Any) -> None:
        self._python, self._folder = python, folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "signing.key").write_text(f"ed25519 a_1 {_key()}\n")
        # JSON is YAML
        (folder / "homeserver.yaml").write_text(json.dumps(self._config() | config, indent=1))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _config(self) -> dict[str, Any]:
        listener = {"port": self._port, "type": "http", "bind_addresses": ["127.0.0.1"]}
        listener |= {"resources": [{"names": ["client"]}]}
        limits = ["rc_message", "rc_registration", "rc_admin_redaction", "rc_reports"]
        return {
            "server_name": SERVER,
            "listeners": [listener],
            "database": {"name": "sqlite3", "args": {"database": str(self._folder / "homeserver.db")}},
            "media_store_path": str(self._folder / "media"),
            "signing_key_path": str(self._folder / "signing.key"),
            "pid_file": str(self._folder / "pid"),
            "log_config": None,
            "registration_shared_secret": SECRET,
            "macaroon_secret_key": SECRET,
            "form_secret": SECRET,
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            **dict.fromkeys(limits, GENEROUS),
            "rc_login": dict.fromkeys(["address", "account", "failed_attempts"], GENEROUS),
            "rc_joins": dict.fromkeys(["local", "remote"], GENEROUS),
            "rc_joins_per_room": GENEROUS,
            "rc_invites": dict.fromkeys(["per_room", "per_user", "per_issuer"], GENEROUS),
            "rc_room_creation": GENEROUS,
        }

    def start(self) -> None:
        with (self._folder / "synapse.log").open("ab") as told:
            self._process = subprocess.Popen(
                [self._python, "-m", "synapse.app.homeserver", "-c", str(self._folder / "homeserver.yaml")],
                cwd=self._folder,
                env={**os.environ, "SYNAPSE_CACHE_FACTOR": "1", "PYTHONPATH": ""},
                stdout=told,
                stderr=told,
            )
        deadline = time.monotonic() + START
        while not self._serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Synapse did not start:\n{(self._folder / 'synapse.log').read_text()[-2_000:]}")
            time.sleep(0.1)

    def _serves(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        return False

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def register(self, name: str, password: str = "pass", *, admin: bool = False) -> tuple[str, str]:
        """Id and access token of a new account."""
        address = f"{self.url}/_synapse/admin/v1/register"
        nonce = httpx.get(address).raise_for_status().json()["nonce"]
        said = "\0".join([nonce, name, password, "admin" if admin else "notadmin"])
        mac = hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": password, "admin": admin, "mac": mac}
        made = httpx.post(address, json={**body, "displayname": name.title()}).raise_for_status().json()
        return made["user_id"], made["access_token"]

    @asynccontextmanager
    async def person(self, name: str = "", *, admin: bool = False) -> AsyncIterator["Person"]:
        """Somebody new; `name` begins the account's name."""
        name = f"{name or 'person'}-{secrets.token_hex(3)}"
        user, token = await asyncio.to_thread(self.register, name, admin=admin)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60) as http:
            yield Person(user, token, http)


@dataclass(frozen=True)
class Said:
    """A message as the server holds it, edits applied."""

    id: str
    sender: str
    content: Json
    original: Json
    when: float = 0.0  # seconds since 1970, by the server's clock

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))

    @property
    def html(self) -> str:
        return str(self.content.get("formatted_body", ""))

    @property
    def relates(self) -> Json:
        found: Json = self.original.get("m.relates_to", {})
        return found

    @property
    def thread(self) -> str:
        return str(self.relates["event_id"]) if self.relates.get("rel_type") == "m.thread" else ""

    @property
    def replied(self) -> str:
        return str(self.relates.get("m.in_reply_to", {}).get("event_id", ""))

    @property
    def edited(self) -> bool:
        return self.content is not self.original


@dataclass
class Person:
    """Somebody with an app: everything is said and read over HTTP."""

    id: str
    token: str
    http: httpx.AsyncClient
    rooms: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As others see it."""
        return self.id[1:].partition(":")[0].title()

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        sent = await self.http.request(method, f"/_matrix/client/{path}", json=body, params=query)
        sent.raise_for_status()
        return sent.json()

    async def room(self, *invited: str, encrypted: bool = False, **given: Any) -> str:
        """A new room."""
        state = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        body = {"invite": list(invited), "initial_state": [state] if encrypted else [], **given}
        made = await self.call("POST", "v3/createRoom", body)
        self.rooms.append(made["room_id"])
        return str(made["room_id"])

    async def invite(self, room: str, user: str) -> None:
        await self.call("POST", f"v3/rooms/{quote(room)}/invite", {"user_id": user})

    async def join(self, room: str) -> None:
        await self.call("POST", f"v3/join/{quote(room)}", {})

    async def send(self, room: str, content: Json, kind: str = "m.room.message") -> str:
        """The event's id."""
        path = f"v3/rooms/{quote(room)}/send/{kind}/{secrets.token_hex(8)}"
        return str((await self.call("PUT", path, content))["event_id"])

    async def say(self, room: str, body: str, *mentions: str, thread: str = "", **more: Any) -> str:
        """A message; the mentioned are named to the server, as apps do since 2023."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": list(mentions)}}
        if thread:
            content["m.relates_to"] = {
                **{"rel_type": "m.thread", "event_id": thread, "is_falling_back": True},
                "m.in_reply_to": {"event_id": thread},
            }
        return await self.send(room, content | more)

    async def edit(self, room: str, event: str, body: str, *mentions: str) -> str:
        new = {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": list(mentions)}}
        relates = {"rel_type": "m.replace", "event_id": event}
        said = {"msgtype": "m.text", "body": f"* {body}", "m.mentions": {}, "m.new_content": new}
        return await self.send(room, {**said, "m.relates_to": relates})

    async def react(self, room: str, event: str, key: str) -> str:
        relates = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return await self.send(room, {"m.relates_to": relates}, "m.reaction")

    async def redact(self, room: str, event: str) -> None:
        await self.call("PUT", f"v3/rooms/{quote(room)}/redact/{quote(event)}/{secrets.token_hex(8)}", {})

    async def upload(self, data: bytes, name: str) -> str:
        """The file's mxc address."""
        path = f"/_matrix/media/v3/upload?filename={quote(name)}"
        sent = await self.http.post(path, content=data, headers={"Content-Type": "application/octet-stream"})
        return str(sent.raise_for_status().json()["content_uri"])

    async def state(self, room: str, kind: str, key: str) -> Json:
        found: Json = await self.call("GET", f"v3/rooms/{quote(room)}/state/{kind}/{quote(key)}")
        return found

    async def relations(self, room: str, event: str, kind: str) -> list[Json]:
        """What the server holds as related to an event, oldest first."""
        path = f"v1/rooms/{quote(room)}/relations/{quote(event)}/{kind}"
        found: list[Json] = (await self.call("GET", path, dir="f", limit=100))["chunk"]
        return found

    async def thread(self, room: str, root: str) -> list[Said]:
        """What was said in a thread, oldest first, what was redacted left out."""
        return [said(one) for one in await self.relations(room, root, "m.thread") if one["content"].get("body")]

    async def heard(self, room: str) -> list[Said]:
        """Everything that was said in a room, oldest first; what was redacted is left out, and edits are applied."""
        found: list[Json] = []
        start: dict[str, str] = {}
        while True:
            page = await self.call("GET", f"v3/rooms/{quote(room)}/messages", dir="f", limit=1_000, **start)
            found += page["chunk"]
            if not page.get("end"):
                break
            start = {"from": page["end"]}
        spoken = [one for one in found if one["type"] == "m.room.message" and one["content"].get("body")]
        return [said(one) for one in spoken if one["content"].get("m.relates_to", {}).get("rel_type") != "m.replace"]

    async def answers(self, room: str, bot: str) -> list[Said]:
        return [one for one in await self.heard(room) if one.sender == bot]


def said(event: Json) -> Said:
    new = event.get("unsigned", {}).get("m.relations", {}).get("m.replace", {}).get("content", {}).get("m.new_content")
    content = event["content"]
    return Said(event["event_id"], event["sender"], new or content, content, event["origin_server_ts"] / 1_000)


async def until(found: Callable[[], Any], patience: float = 30.0) -> Any:
    """What `found` returns, or what it awaits, once that is something."""
    deadline = time.monotonic() + patience
    while True:
        value = found()
        value = await value if asyncio.iscoroutine(value) else value
        if value or time.monotonic() > deadline:
            assert value, "it did not come"
            return value
        await asyncio.sleep(0.1)


@contextmanager
def serving(python: Path, folder: Path, **config: Any) -> Iterator[Synapse]:
    server = Synapse(python, folder, **config)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _key() -> str:
    """A signing key: 32 bytes in base64 without padding."""
    import base64

    return base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def unread(events: Sequence[Said], known: Sequence[str]) -> list[Said]:
    return [one for one in events if one.id not in known]
