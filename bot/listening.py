"""An HTTP server for what platforms send us, at an address from the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot import messages
from bot.settings import BadSettings
from corpus.article import line

GRACE = 20  # seconds that requests in hand have at the end


@asynccontextmanager
async def listening(app: web.Application, listen: str, variable: str) -> AsyncIterator[None]:
    """Requests are answered meanwhile. Raises BadSettings where nothing can be awaited at `listen`, "host:port"."""
    host, _, port = listen.rpartition(":")
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, int(port)).start()
        except (OSError, OverflowError) as error:
            raise BadSettings(messages.no_port(variable, listen, line(str(error)))) from error
        yield
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)  # the closed connections let go of their sockets when the loop comes round once more
