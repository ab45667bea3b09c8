"""Servers that call an outgoing webhook, as Mattermost, Zulip and Rocket.Chat do, and show people its reply."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from tests.markdown import Read, read

LONGEST = {"mattermost": 16_383, "zulip": 10_000, "rocketchat": 5_000}
TOKENS = {name: f"{name}-tests-only" for name in LONGEST}


@dataclass
class Hook:
    """One server that calls the bot at `url` in its own way."""

    name: str
    url: str
    session: aiohttp.ClientSession
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def fields(self, text: str, user: str = "U1", channel: str = "C1", **more: Any) -> dict[str, Any]:
        number = next(self.numbers)
        known = {"token": TOKENS[self.name], "channel_id": channel, "channel_name": "desk", "user_id": user}
        known |= {"user_name": "ada", "timestamp": str(int(time.time()))}
        if self.name == "mattermost":
            known |= {"team_id": "t1", "team_domain": "d", "post_id": f"p{number}", "trigger_word": "@pullquote"}
            return {**known, "text": f"@pullquote {text}", "file_ids": "", **more}
        if self.name == "zulip":
            known |= {"team_id": "T2", "team_domain": "d", "trigger_word": "mention", "service_id": str(number)}
            return {**known, "text": f"@**Pullquote** {text}", **more}
        known |= {"bot": False, "message_id": f"m{number}", "siteUrl": "http://r.example", "trigger_word": "pullquote"}  # type: ignore[dict-item]
        return {**known, "text": f"pullquote {text}", **more}

    async def post(self, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Rocket.Chat sends JSON, the others a form."""
        body = {"json": fields} if self.name == "rocketchat" else {"data": fields}
        async with self.session.post(self.url, **body) as answer:  # type: ignore[arg-type]
            assert answer.content_type == "application/json"
            return answer.status, json.loads(await answer.text())

    async def ask(self, text: str, user: str = "U1", channel: str = "C1", **more: Any) -> Read:
        """What people see of the reply."""
        status, body = await self.post(self.fields(text, user, channel, **more))
        assert status == 200
        return self.seen(body)

    def seen(self, body: dict[str, Any]) -> Read:
        assert 0 < len(body["text"]) <= LONGEST[self.name]
        return read(self.name, body["text"])
