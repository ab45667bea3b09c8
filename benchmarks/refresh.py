"""Visiting sources on loopback, at 127.0.0.x, by the program itself.

python -m benchmarks.refresh unchanged [--pages 5000] [--hosts 250]     nothing has changed: how long, what is encoded
python -m benchmarks.refresh day [--feeds 200] [--hours 24]             servers that fail in every way, a clock of ours
"""

import argparse
import random
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

from bot.build import House
from bot.newsroom import Newsroom
from bot.progress import Counted
from bot.settings import Settings
from corpus.rounds import EXTRACT, Round
from tests.clock import FakeClock
from tests.corpus.test_rounds import FAILURES, feed, item, story
from tests.web_server import HTML, Handler, Server, serving

NET = "127.0.0.0/8"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["unchanged", "day"])
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--hosts", type=int, default=250)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--feeds", type=int, default=200)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.what == "unchanged":
            unchanged(Path(folder), args.pages, args.hosts, args.rate, args.models)
        else:
            day(Path(folder), args.feeds, args.hours, args.seed)


def unchanged(folder: Path, pages: int, hosts: int, rate: float, models: Path | None) -> None:
    with many(hosts) as servers:
        asked = watched(servers)
        urls = [
            servers[n % hosts].file(f"/{n}", story(f"Story {n}", f"Number {n} happened."), HTML) for n in range(pages)
        ]
        locs = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
        source = servers[0].file("/map.xml", f"<urlset>{locs}</urlset>")
        house = House(Settings(data=folder, models=models, fetch_private=NET, fetch_rate=rate))
        encoded: list[int] = []
        newsroom = Newsroom(
            house, catch_up=lambda: house.index(lambda encoder: Counted(encoder, encoded.append)).catch_up()
        )
        house.register.add(source, "sitemap", "", time.time())
        taken, seconds = timed(newsroom, everything=False)
        for one in taken.taken.problems[:3]:
            print(f"  {one.where}: {one.reason}")
        print(f"first round: {seconds:.1f} s, {dict(taken.taken.counts)}, {sum(encoded):,} passages encoded")
        encoded.clear()
        asked.clear()
        taken, seconds = timed(newsroom, everything=True)
        newsroom.close()
        house.close()
    print(
        f"round over {pages:,} unchanged pages on {hosts} hosts: {seconds:.1f} s, {taken.unchanged:,} answered 304, "
        f"{sum(encoded)} passages encoded, {sum(taken.taken.counts.values())} pages read, "
        f"{len(taken.taken.problems)} problems"
    )
    for one in taken.taken.problems[:3]:
        print(f"  {one.where}: {one.reason}")
    gaps = [later - earlier for times in asked.values() for earlier, later in pairwise(times)]
    print(f"shortest gap between two requests to one host: {min(gaps):.3f} s (set: {1 / rate:.3f} s)")


def timed(newsroom: Newsroom, *, everything: bool) -> tuple[Round, float]:
    report, begun = Round(), time.monotonic()
    newsroom.refresh(report, everything=everything)
    return report, time.monotonic() - begun


@contextmanager
def many(hosts: int) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving(f"127.0.{1 + n // 250}.{1 + n % 250}", poll=1.0)) for n in range(hosts)]


def watched(servers: list[Server]) -> dict[str, list[float]]:
    """When each host was asked, from now on."""
    asked: dict[str, list[float]] = {}
    for server in servers:
        server.told = partial(note, asked, server.url)
    return asked


def note(asked: dict[str, list[float]], host: str) -> None:
    asked.setdefault(host, []).append(time.monotonic())


# A day


def day(folder: Path, feeds: int, hours: int, seed: int) -> None:
    chance, clock = random.Random(seed), FakeClock(time.time() - hours * 3_600)
    published: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    with many(max(feeds // 5, 1)) as servers, insecure(folder) as bad:
        ways = {name(give): give for give in (*FAILURES, certificate(bad))}
        paths = [(server, f"/feed{n}") for n, server in enumerate(servers * 5)][:feeds]
        house = House(Settings(data=folder / "data", fetch_private=NET, fetch_rate=1.0, refresh_minutes=30))
        newsroom = Newsroom(house, clock=clock, seconds=0.5, catch_up=lambda: None)
        told: dict[tuple[int, str], list[str]] = {}
        for server, path in paths:
            server.file(path, feed())
            house.register.add(f"{server.url}{path}", "feed", path, clock.now())
        begun, memory = time.monotonic(), []
        for half in range(hours * 2):
            for server, path in paths:
                if chance.random() < 0.1:
                    published[publish(server, path, told.setdefault((server.port, path), []), clock.now())] += 1
            for server in servers:
                unreliable(server, chance, ways, tried)
            newsroom.turn()
            clock.sleep(1_800)
            if half % max(hours // 4, 1) == 0:
                memory.append(resident())
                print(f"hour {half // 2:2}: {len(published):,} published, {memory[-1]} MiB", flush=True)
        newsroom.close()
        for server in servers:
            server.gives |= server.good
        newsroom = Newsroom(house, clock=clock, seconds=30, catch_up=lambda: None)
        for _ in range(2):
            clock.sleep(8 * 86_400)
            newsroom.turn()
        newsroom.close()
        stored = {one.article.url: one.article.title for _, one in house.archive.current()}
        status = house.archive.status()
        house.close()
    print(f"{hours} hours, {feeds} feeds, seed {seed}, {time.monotonic() - begun:.0f} s; failures: {dict(tried)}")
    print(
        f"published {len(published):,}, stored {status.articles:,}, lost {len(set(published) - set(stored))}, "
        f"doubled {status.articles - len(set(published) & set(stored))}, "
        f"extracts left {sum(title.endswith(EXTRACT) for title in stored.values())}; memory {memory} MiB"
    )


def publish(server: Server, path: str, items: list[str], now: float) -> str:
    here = f"/story{len(server.stories)}"
    url = server.file(here, story(f"Story at {server.url}{here}", f"This is at {server.url}{here}."), HTML)
    server.stories.append(here)
    items.append(item(url, here, f"What happened at {url} is told here at some length.", now))
    server.file(path, feed(*reversed(items[-20:])))
    server.good |= {one: server.gives[one] for one in (here, path)}
    return url


def unreliable(
    server: Server, chance: random.Random, ways: dict[str, Callable[[Handler], None]], tried: Counter[str]
) -> None:
    for path, give in server.good.items():
        server.gives[path] = give
        if chance.random() < 0.1:
            how = chance.choice(sorted(ways))
            tried[how] += 1
            server.gives[path] = ways[how]


def name(give: Callable[[Handler], None]) -> str:
    return give.__name__ if give.__name__ != "<lambda>" else f"answer {FAILURES.index(give)}"


def certificate(port: int) -> Callable[[Handler], None]:
    def certificate_error(request: Handler) -> None:
        request.lead(f"https://127.0.0.1:{port}/")

    return certificate_error


@contextmanager
def insecure(folder: Path) -> Iterator[int]:
    """The port of a server whose certificate nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed_by_itself(folder))
    with Server() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        yield server.port
        server.shutdown()
        thread.join()


def signed_by_itself(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def resident() -> int:
    """MiB of memory of this process, the servers in it included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096 // 2**20


if __name__ == "__main__":
    main()
