"""What an administrator does to the archive from a chat: take in, forget, look. One at a time with other programs."""

import hashlib
from collections.abc import Sequence

from bot import messages
from bot.build import House
from bot.conversation import Office, Rules
from bot.settings import Settings, ids, networks
from bot.status import as_rows, state
from bot.store import Store
from bot.watchlist import Telling
from corpus.archive import StoredPassage
from corpus.article import BadArticle
from corpus.extract import extract
from corpus.intake import only_one, take_in
from corpus.sources.files import Item
from corpus.sources.web import pages
from retrieval.scope import Scope

WAIT = 10.0  # seconds for another intake
CANDIDATES = 200  # passages in which a quotation is looked for


class HouseKeeper:
    """Works on the archive of a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def add_document(self, data: bytes, name: str) -> str:
        """Takes in a document that was sent. Raises BadArticle or Busy.

        Its address has a digest: many a document is called "statement.pdf", and one is no revision of the other.
        """
        url = f"document:{hashlib.sha256(data).hexdigest()[:12]}/{name}"
        return self._take_in([Item(name, extract(data, name=name, url=url))])

    def add_page(self, url: str) -> str:
        """Fetches a page and takes it in. Raises BadArticle or Busy."""
        return self._take_in(list(pages([url], networks(self._house.settings.fetch_private))))

    def forget(self, name: str) -> tuple[str, str]:
        """(headline, address) of what was deleted. Raises NoSuchArticle or Busy."""
        with only_one(self._house.folder, wait=WAIT):
            article = self._house.forget(name)
            self._house.index().catch_up()
        return article.title, article.url

    def status(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in as_rows(state(self._house)))

    def _take_in(self, items: Sequence[Item]) -> str:
        with only_one(self._house.folder, wait=WAIT):
            report = take_in(items, self._house.archive)
            self._house.index().catch_up()
        if report.problems:
            raise BadArticle(" ".join(one.reason for one in report.problems[:3]))
        return messages.taken_in(report.counts)


def rules(settings: Settings, channel: str = "telegram") -> Rules:
    """Of one channel: who administers it and who is listed is set for each, the rest for all."""
    return Rules(
        admins=ids(getattr(settings, f"{channel}_admins")),
        allowed=ids(getattr(settings, f"{channel}_allowed")),
        access=settings.access,
        person=(settings.person_minute, settings.person_day),
        chat=(settings.chat_minute, settings.chat_day),
    )


def office(house: House, store: Store, rules: Rules) -> Office:
    """What the conversations of a channel share, on the archive of this house."""

    def alike(text: str) -> list[StoredPassage]:
        ids = [one for one, _ in house.keywords.search(text, CANDIDATES, Scope())]
        stored = house.archive.passages(ids)
        return [stored[one] for one in ids if one in stored]

    settings = house.settings
    return Office(
        house.desk,
        house.archive,
        alike,
        store,
        HouseKeeper(house),
        rules,
        settings.citations,
        settings.old_after,
        seats=house.seats,
        telling=telling(settings),
        in_step=lambda: house.indexed and not house.behind(),
        fresh=house.freshness,
        outdated=house.outdated,
    )


def telling(settings: Settings) -> Telling:
    return Telling(settings.notices, settings.notices_days, settings.follow_hours, settings.follows)


def admins(settings: Settings) -> list[str]:
    """The chats of all administrators, as places name them: "telegram:4711"."""
    channels = [name.removesuffix("_admins") for name in type(settings).model_fields if name.endswith("_admins")]
    return [f"{channel}:{one}" for channel in channels for one in sorted(ids(getattr(settings, f"{channel}_admins")))]
