"""Groups of copies, kept in the archive: each article is placed as it is stored, and no other is looked at but those
whose sketch shares enough with its own.

A group is everything that a chain of copies joins, so that the order of arrival makes no difference, up to what a
sketch misses (about one in a thousand of texts cut to half) and NEAREST.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import sqlalchemy as sa

from corpus.article import Article
from corpus.duplicates import SHARED, Print, same_story

NEAREST = 100  # articles compared with a new one, most in common first
_PAGE = 500  # ids in one statement

tables = sa.MetaData()
_stories = sa.Table(  # every article that was placed
    "stories",
    tables,
    sa.Column("article_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("story", sa.Integer, nullable=False, index=True),  # the lowest article id of its group
)
_sketches = sa.Table(
    "sketches",
    tables,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("article_id", sa.Integer, primary_key=True, autoincrement=False),
)
MIGRATION = (
    "CREATE TABLE stories (article_id INTEGER NOT NULL, story INTEGER NOT NULL, PRIMARY KEY (article_id))",
    "CREATE INDEX ix_stories_story ON stories (story)",
    "CREATE TABLE sketches (key INTEGER NOT NULL, article_id INTEGER NOT NULL, PRIMARY KEY (key, article_id))",
)

Load = Callable[[Collection[int]], Mapping[int, Article]]  # article ids -> the articles as they stand


class Groups:
    """The groups within one transaction."""

    def __init__(self, connection: sa.Connection, load: Load) -> None:
        self._connection = connection
        self._load = load
        self._prints: dict[int, Print] = {}

    def place(self, article_id: int) -> None:
        """Puts an article that stands anew, and is in no group yet, where it belongs."""
        mine = self._known([article_id])[article_id]
        likely = self._known(self._likely(article_id, mine.sketch))
        copies = [one for one, its in likely.items() if same_story(mine, its)]
        rows = [{"key": key, "article_id": article_id} for key in mine.sketch]
        self._connection.execute(sa.insert(_sketches), rows)
        story = self._joined(copies, article_id) if copies else article_id
        self._connection.execute(sa.insert(_stories), {"article_id": article_id, "story": story})

    def remove(self, article_id: int, article: Article) -> None:
        """Takes an article, which stood as given, out of its group, and what only it had held together apart."""
        keys = Print(article).sketch
        mine = _sketches.c.article_id == article_id
        self._connection.execute(sa.delete(_sketches).where(_sketches.c.key.in_(keys), mine))
        story = self._connection.scalar(sa.select(_stories.c.story).where(_stories.c.article_id == article_id))
        self._connection.execute(sa.delete(_stories).where(_stories.c.article_id == article_id))
        self._prints.pop(article_id, None)
        if story is not None:
            self._part(story)

    def _likely(self, article_id: int, sketch: Collection[int]) -> list[int]:
        shared = sa.func.count()
        query = (
            sa.select(_sketches.c.article_id)
            .where(_sketches.c.key.in_(sketch), _sketches.c.article_id != article_id)
            .group_by(_sketches.c.article_id)
            .having(shared >= min(SHARED, len(sketch)))
            .order_by(shared.desc(), _sketches.c.article_id)
        )
        return list(self._connection.scalars(query.limit(NEAREST)))

    def _joined(self, copies: Collection[int], article_id: int) -> int:
        """The one group that a new article makes of those that its copies are in."""
        of_these = sa.select(_stories.c.story).where(_stories.c.article_id.in_(copies))
        stories: set[int] = {article_id, *self._connection.scalars(of_these)}
        story = min(stories)
        if len(stories) > 1:
            others = _stories.c.story.in_(stories - {story})
            self._connection.execute(sa.update(_stories).where(others).values(story=story))
        return story

    def _part(self, story: int) -> None:
        """Names the group anew, in as many parts as it has fallen into."""
        left = set(self._connection.scalars(sa.select(_stories.c.article_id).where(_stories.c.story == story)))
        prints = self._known(left)
        while left:
            part = joined = {min(left)}
            while joined:
                left -= joined
                joined = {one for one in left if any(same_story(prints[one], prints[other]) for other in joined)}
                part = part | joined
            for page in _pages(sorted(part)):
                these = _stories.c.article_id.in_(page)
                self._connection.execute(sa.update(_stories).where(these).values(story=min(part)))

    def _known(self, ids: Collection[int]) -> dict[int, Print]:
        for page in _pages(sorted(set(ids) - self._prints.keys())):
            self._prints |= {one: Print(article) for one, article in self._load(page).items()}
        return {one: self._prints[one] for one in ids if one in self._prints}


def not_placed(articles: sa.Table, limit: int) -> sa.Select[Any]:
    """Articles that were stored before there were groups, newest first."""
    placed = sa.select(_stories.c.article_id)
    return sa.select(articles.c.id).where(articles.c.id.not_in(placed)).order_by(articles.c.id.desc()).limit(limit)


def story_of(article_id: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[int], sa.ColumnElement[bool]]:
    """An article's group, and the condition that it has another article."""
    other = _stories.alias()
    has_another = sa.exists().where(other.c.story == _stories.c.story, other.c.article_id != _stories.c.article_id)
    return _stories.c.story, sa.and_(_stories.c.article_id == article_id, has_another)


def members(article_id: int) -> sa.Select[Any]:
    """The other articles of its group."""
    mine = sa.select(_stories.c.story).where(_stories.c.article_id == article_id).scalar_subquery()
    return sa.select(_stories.c.article_id).where(_stories.c.story == mine, _stories.c.article_id != article_id)


def _pages(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE)]
