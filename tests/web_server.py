"""A web server on loopback that gives what a test wants, good or bad."""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = "text/html; charset=utf-8"
PAGE = """<!doctype html><html lang="en"><head><title>Dairy wins cheese prize</title>
<meta property="og:site_name" content="The Ledger"><meta name="author" content="Mira Halvorsen">
<meta property="article:published_time" content="2025-05-16T08:00:00+00:00">{head}</head>
<body><nav><a href="/">Home</a></nav><article><h1>Dairy wins cheese prize</h1>
<p>A dairy in Larkhaven won the national cheese prize on Sunday. The jury praised its blue cheese for its depth.</p>
<p>The prize has been awarded since 1951. Last year it went to a cooperative in Port Ellery, which came second now.</p>
</article></body></html>"""


class Handler(BaseHTTPRequestHandler):
    """One request; what a path gives writes to it."""

    server: "Server"

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.told()
        self.server.asked.append(self.path)
        self.server.gives.get(self.path, missing)(self)

    def give(self, body: bytes, kind: str = HTML, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        fields = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in (fields | {name.replace("_", "-"): value for name, value in headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def lead(self, to: str) -> None:
        self.give(b"", status=302, Location=to)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at `asked`."""


def missing(request: Handler) -> None:
    request.give(b"", status=404)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Handler)
        self.asked: list[str] = []
        self.told: Callable[[], object] = lambda: None  # called at each request
        self.good: dict[str, Callable[[Handler], None]] = {}  # what the paths give when all is well
        self.stories: list[str] = []  # entries of its feed
        self.connections = 0
        self.unchanged: list[str] = []  # paths that were answered with 304
        self.gives: dict[str, Callable[[Handler], None]] = {}
        self.port = int(self.server_address[1])
        self.closing = threading.Event()
        self.url = f"http://{host}:{self.port}"

    def process_request(self, *args: Any) -> None:
        self.connections += 1
        super().process_request(*args)

    def page(self, path: str, head: str = "") -> str:
        """An article at this path; its address."""
        self.gives[path] = lambda request: request.give(PAGE.format(head=head).encode())
        return self.url + path

    def file(self, path: str, body: str | bytes, kind: str = "application/xml") -> str:
        """A file at this path, with an ETag that is heeded; its address."""
        data = body.encode() if isinstance(body, str) else body
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'

        def give(request: Handler) -> None:
            if request.headers.get("If-None-Match") == etag:
                self.unchanged.append(path)
                request.send_response(304)
                request.end_headers()
            else:
                request.give(data, kind, ETag=etag)

        self.gives[path] = give
        return self.url + path

    def handle_error(self, *_: object) -> None:
        """A client that hung up is what some tests want."""


@contextmanager
def serving(host: str = "127.0.0.1", port: int = 0, poll: float = 0.01) -> Iterator[Server]:
    with Server(host, port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": poll})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def reset(request: Handler) -> None:
    """The connection breaks in the middle of the head."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-")
    request.connection.shutdown(socket.SHUT_RDWR)
