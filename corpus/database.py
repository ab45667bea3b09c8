"""Databases through SQLAlchemy Core: one SQLite file by default, or any that SQLAlchemy knows by URL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_schema = sa.Table("schema", sa.MetaData(), sa.Column("version", sa.Integer, nullable=False))


class DatabaseError(RuntimeError):
    """The archive, or what a bot remembers, cannot be used; the message says why and what to do."""


def engine_at(where: Path | str) -> sa.Engine:
    """How the archive is reached; its tables may be missing or of another version. Raises DatabaseError."""
    try:
        if isinstance(where, Path):
            where.parent.mkdir(parents=True, exist_ok=True)
        url = sa.URL.create("sqlite", database=str(where)) if isinstance(where, Path) else sa.make_url(where)
        engine = sa.create_engine(url)
    except OSError as error:
        raise DatabaseError(
            f"The folder {str(error.filename)!r} cannot be made: {error.strerror}. Give PULLQUOTE_DATA another one."
        ) from error
    except (sa.exc.ArgumentError, ImportError) as error:  # no URL, no such database, or its driver is not installed
        raise DatabaseError(
            f"The database address cannot be used: {type(error).__name__}. Write PULLQUOTE_ARCHIVE like "
            "postgresql+psycopg://user:password@host/name, and install its driver."
        ) from error
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """WAL: readers go on while an intake writes. FULL: a commit that was reported survives a power cut too.

    secure_delete: what is forgotten is overwritten in the file.
    """
    connection.isolation_level = None  # SQLAlchemy says BEGIN itself, so that DDL is in the transaction too
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("lower", 1, str.lower, deterministic=True)  # SQLite's own knows only ASCII


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes the lock when it begins; one that read before would be refused instead of made to wait."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(engine: sa.Engine, tables: sa.MetaData, migrations: Sequence[Sequence[str]]) -> None:
    """Makes the tables, or takes them from their version to this program's, in one transaction. Raises DatabaseError.

    `migrations[0]` are the statements that lead from version 1 to 2.
    """
    newest = 1 + len(migrations)
    with reading(engine) as connection:
        if _version(connection) == newest:
            return
    with writing(engine) as connection:
        version = _version(connection)  # again: another program may have been quicker
        if version > newest:
            raise DatabaseError(
                f"{_name(engine)} has schema version {version}; this program knows {newest}. Install a newer pullquote."
            )
        if version == 0:
            _schema.create(connection)
            tables.create_all(connection)
            connection.execute(sa.insert(_schema), {"version": newest})
            return
        for statement in chain.from_iterable(migrations[version - 1 :]):
            connection.exec_driver_sql(statement)
        connection.execute(sa.update(_schema), {"version": newest})


def _version(connection: sa.Connection) -> int:
    """Of the schema; 0 where there is none yet."""
    if not sa.inspect(connection).has_table(_schema.name):
        return 0
    return connection.scalar(sa.select(_schema.c.version)) or 0


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose failures come out as DatabaseError: disk full, locked, damaged."""
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise _explained(error, engine) from error


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """As `reading`, committed at the end. It waits for another writer at its start, where waiting is safe."""
    try:
        with engine.execution_options(writes=True).begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise _explained(error, engine) from error


def _explained(error: sa.exc.SQLAlchemyError, engine: sa.Engine) -> DatabaseError:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0]
    advice = {
        "full": "The disk is full: free some space and run the command again. What was reported as stored is safe.",
        "disk I/O": "The disk is full or failing: look at its space, then run the command again.",
        "locked": "Another program is writing to it: wait until it has finished.",
        "malformed": "The file is damaged: put a backup in its place, or ingest an export into a new one.",
        "readonly": "It cannot be written: check the folder's permissions.",
        "not a database": "The file is something else: give PULLQUOTE_DATA another folder.",
        "unable to open": "It cannot be opened: check that the folder exists and its permissions.",
        "connection": "The database server cannot be reached: check its address, and that it runs.",
    }
    hint = next((text for word, text in advice.items() if word in cause), "See the message and try again.")
    return DatabaseError(f"{_name(engine)} refused: {cause}. {hint}")


def _name(engine: sa.Engine) -> str:
    return f"The database {Path(engine.url.database or '').name}"
