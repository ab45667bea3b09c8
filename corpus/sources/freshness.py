"""How far the archive follows its sources. Apart from the register, whose libraries no answer should wait for."""

from dataclasses import dataclass
from pathlib import Path

from corpus.database import engine_at, reading


@dataclass(frozen=True, slots=True)
class Freshness:
    current: float | None  # when the last round ended, with the indexes in step
    sources: int
    silent: int


def last_round(register: Path) -> float | None:
    """When it ended, in seconds since 1970, by the register in this file. Raises DatabaseError."""
    engine = engine_at(register)
    try:
        with reading(engine) as connection:
            found: float | None = connection.exec_driver_sql("SELECT max(finished) FROM rounds").scalar()
    finally:
        engine.dispose()
    return found
