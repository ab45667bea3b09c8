"""A web server on loopback that gives what a test wants, good or bad."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.gives[self.path](self)

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


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.gives: dict[str, Callable[[Handler], None]] = {}
        self.port = int(self.server_address[1])
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.port}"

    def page(self, path: str, head: str = "") -> str:
        """An article at this path; its address."""
        self.gives[path] = lambda request: request.give(PAGE.format(head=head).encode())
        return self.url + path

    def handle_error(self, *_: object) -> None:
        """A client that hung up is what some tests want."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
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
