"""Feeds, sitemaps, OPML and pages: what is read, and that nothing hostile takes long or reads a file."""

import gzip
import json
import os
import re
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.article import BadArticle
from corpus.sources import opml
from corpus.sources.listing import Entry, Listing, NoListing, Reader, read, root_of, short, web_address
from corpus.sources.sitemaps import plain

BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench" / "feeds" / "feeds.tar.gz"
URL = "https://n.example/feed"
RSS = """<?xml version="1.0"?><rss version="2.0"><channel>
<title>The &lt;b&gt;Ledger&lt;/b&gt;</title>{}</channel></rss>"""
ITEM = """<item><title>Dairy &amp;amp; prize</title><link>/cheese?a=1&amp;b=2#top</link>
<guid isPermaLink="false">7</guid>
<author>mira@n.example (Mira Halvorsen)</author><pubDate>Fri, 16 May 2025 23:30:00 -0400</pubDate>
<description>&lt;p&gt;A dairy &lt;b&gt;won&lt;/b&gt;.&lt;/p&gt;&lt;p&gt;It was&lt;br&gt;late.&lt;/p&gt;
&lt;script&gt;x()&lt;/script&gt;</description></item>"""
DAIRY = Entry(
    url="https://n.example/cheese?a=1&b=2",
    title="Dairy & prize",
    text="A dairy won.\n\nIt was\nlate.",
    published="2025-05-16T23:30:00-04:00",
    authors=("Mira Halvorsen",),
    changed="Fri, 16 May 2025 23:30:00 -0400",
    id="7",
)
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://n.example/a/"><title>Atom</title><entry><id>tag:7</id>
<title type="html">&lt;i&gt;Dairy&lt;/i&gt;</title><link rel="enclosure" href="x.mp3"/><link href="cheese"/>
<published>2025-05-16T08:00:00Z</published><updated>2025-05-17T08:00:00Z</updated><author><name>Mira</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>All of it.</p></div></content>
<summary>Less.</summary>
</entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Rdf</title></channel><item><title>Dairy</title>
<link>https://n.example/cheese</link><dc:creator>Mira</dc:creator><dc:date>2025-05-16</dc:date></item></rdf:RDF>"""
JSON = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Json",
    "authors": [{"name": "Mira"}],
    "items": [
        {"id": "1", "url": "https://n.example/cheese", "title": "Dairy", "content_html": "<p>All <i>of</i> it.</p>"},
        {
            "id": 2,
            "content_text": "A note.",
            "date_published": "2025-05-16T08:00:00+02:00",
            "authors": [{"name": "Ben"}],
        },
        "no item",
    ],
}
CDF = '<CHANNEL HREF="https://n.example/"><TITLE>Cdf</TITLE><ITEM HREF="cheese"><TITLE>Dairy</TITLE></ITEM></CHANNEL>'


def listing(data: str | bytes, kind: str = "") -> Listing:
    return read(data.encode() if isinstance(data, str) else data, URL, kind)


def test_rss() -> None:
    assert listing(RSS.format(ITEM)) == Listing("feed", "The Ledger", (DAIRY,))


def test_atom_with_the_longest_text_and_the_page() -> None:
    [entry] = listing(ATOM).entries
    assert entry == Entry(
        url="https://n.example/a/cheese",
        title="Dairy",
        text="All of it.",
        published="2025-05-16T08:00:00+00:00",
        authors=("Mira",),
        changed="2025-05-17T08:00:00Z",
        id="tag:7",
    )


def test_rdf_and_cdf() -> None:
    [entry] = listing(RDF).entries
    assert (entry.url, entry.title, entry.authors) == ("https://n.example/cheese", "Dairy", ("Mira",))
    assert entry.published == "2025-05-16T00:00:00+00:00"
    assert [one.url for one in listing(CDF).entries] == ["https://n.example/cheese"]


def test_an_atom_entry_without_a_summary_has_its_content_without_markup() -> None:
    only = re.sub(r"<summary>.*</summary>", "", ATOM)
    assert listing(only).entries[0].text == "All of it."
    for field, kind in (("content:encoded", ""), ("content", ' type="html"')):
        more = f"<{field}{kind}>&lt;p&gt;A &amp;lt; B.&lt;/p&gt;&lt;p&gt;Then.&lt;/p&gt;</{field}>"
        atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>T</title>{more}</entry></feed>'
        rss = RSS.format(f"<item><title>T</title>{more}</item>").replace(
            "<rss ", '<rss xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        )
        assert listing(atom if kind else rss).entries[0].text == "A < B.\n\nThen."


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ('<guid isPermaLink="false">abc-1</guid>', ""),
        ("<guid>1</guid>", ""),
        ("<guid>https://n.example/a</guid>", "https://n.example/a"),
        ('<guid isPermaLink="false">https://n.example/a</guid>', "https://n.example/a"),
        ("<guid>7</guid><link>/a</link>", "https://n.example/a"),
    ],
)
def test_a_name_that_is_no_address_is_made_none(name: str, url: str) -> None:
    assert listing(RSS.format(f"<item><title>T</title>{name}</item>")).entries[0].url == url
    within = name.partition(">")[2].partition("<")[0]
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>{within}</id></entry></feed>'
    assert listing(atom).entries[0].url == ("" if "<link>" in name else url)


@pytest.mark.parametrize(
    ("said", "published"),
    [
        ("1747382400", "2025-05-16T08:00:00+00:00"),
        ("1747382400000", "2025-05-16T08:00:00+00:00"),
        ("17473824", ""),
        ("Thu, 01 Jan 1970 00:00:00 GMT", ""),
        ("0", ""),
        ("Fri, 16 May 25 08:00:00 +0530", "2025-05-16T08:00:00+05:30"),
    ],
)
def test_no_day_is_made_of_a_number_that_is_none(said: str, published: str) -> None:
    assert (
        listing(RSS.format(f"<item><title>T</title><pubDate>{said}</pubDate></item>")).entries[0].published == published
    )


def test_json_feed() -> None:
    found = listing(json.dumps(JSON))
    assert found == Listing(
        "feed",
        "Json",
        (
            Entry("https://n.example/cheese", "Dairy", "All of it.", authors=("Mira",), id="1"),
            Entry(
                text="A note.",
                published="2025-05-16T08:00:00+02:00",
                authors=("Ben",),
                changed="2025-05-16T08:00:00+02:00",
                id="2",
            ),
        ),
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_sitemap_is_read_newest_first(pack: object) -> None:
    text = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:n="http://www.google.com/schemas/sitemap-news/0.9">
    <url><loc>https://n.example/old</loc><lastmod>2025-05-01</lastmod></url><url><loc>ftp://n.example/no</loc></url>
    <url><loc> https://n.example/new </loc><n:news><n:publication><n:name>Ledger</n:name></n:publication>
    <n:publication_date>2025-05-16T08:00:00Z</n:publication_date><n:title>Dairy</n:title></n:news></url></urlset>"""
    assert callable(pack)
    assert listing(pack(text.encode())) == Listing(
        "sitemap",
        "",
        (
            Entry("https://n.example/new", "Dairy", published="2025-05-16T08:00:00Z", changed="2025-05-16T08:00:00Z"),
            Entry("https://n.example/old", changed="2025-05-01"),
        ),
    )


def test_an_index_of_sitemaps() -> None:
    found = listing("<sitemapindex><sitemap><loc>/a.xml.gz</loc><lastmod>2025</lastmod></sitemap></sitemapindex>")
    assert found == Listing("index", "", (Entry("https://n.example/a.xml.gz", changed="2025"),))


def test_a_page_names_its_feeds() -> None:
    found = listing(
        """<!doctype html><html><head><base href="https://n.example/x/"><title>Ledger</title>
        <link rel="alternate" type="application/rss+xml; charset=utf-8" title="All" href="all.xml">
        <link rel="ALTERNATE home" type="application/atom+xml" href="/atom">
        <link rel="alternate" hreflang="de" href="/de">
        <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)"></head><body></body></html>"""
    )
    assert found == Listing(
        "page", "Ledger", (Entry("https://n.example/x/all.xml", "All"), Entry("https://n.example/atom"))
    )


def test_opml_comes_in_as_it_went_out() -> None:
    feeds = [("A & B", "https://n.example/a?x=1&y=2"), ("", "https://n.example/b")]
    made = opml.written(feeds, datetime(2025, 5, 16, tzinfo=UTC))
    assert opml.read(made).entries == (
        Entry("https://n.example/a?x=1&y=2", "A & B"),
        Entry("https://n.example/b", "https://n.example/b"),
    )
    nested = listing('<opml><body><outline text="n"><outline xmlUrl="https://n.example/c"/></outline></body></opml>')
    assert (nested.kind, [one.url for one in nested.entries]) == ("opml", ["https://n.example/c"])


@pytest.mark.parametrize("data", [b"", b"just text", b"{}", b'{"items": []}', b"\x89PNG\r\n", b"[1]", b"/etc/passwd"])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(NoListing, match=r"There is no feed here\."):
        listing(data)


def test_a_file_is_not_opened_for_its_name(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text(RSS.format(ITEM))
    with pytest.raises(NoListing):
        listing(str(secret))


def test_no_entity_is_expanded_and_nothing_is_read_through_one(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    for root, wrap in (("rss", RSS.format("<item><title>&x;</title><link>/a</link></item>")), ("urlset", "")):
        text = (
            wrap.removeprefix('<?xml version="1.0"?>') or "<urlset><url><loc>https://n.example/&x;</loc></url></urlset>"
        )
        outside = f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>{text}'
        assert "hunter2" not in repr(listing(outside))
        bomb = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
        laughs = f'<!DOCTYPE {root} [<!ENTITY a "ha">{bomb}<!ENTITY x "&j;">]>{text}'
        assert len(repr(listing(laughs))) < 2_000


# Anything


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_any_feed_that_is_written_is_read_with_all_its_entries(items: list[tuple[str, str]]) -> None:
    written = "".join(
        f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{n}</guid>"
        f"<description>{escape(escape(text))}</description></item>"
        for n, (title, text) in enumerate(items)
    )
    found = listing(RSS.format(written).encode())
    assert [one.id for one in found.entries] == [str(n) for n in range(len(items))]


@given(st.lists(TEXT.map(lambda text: f"https://n.example/{text}"), max_size=5))
def test_any_sitemap_that_is_written_is_read(urls: list[str]) -> None:
    written = "".join(f"<url><loc>{escape(url)}</loc></url>" for url in urls)
    found = listing(f"<urlset>{written}</urlset>".encode())
    wanted = [web_address(url, URL) for url in urls if web_address(url, URL)]
    assert sorted(one.url for one in found.entries) == sorted(wanted)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_any_opml_that_is_written_is_read(feeds: list[tuple[str, str]]) -> None:
    named = [(title, f"https://n.example/{url}") for title, url in feeds]
    found = opml.read(opml.written(named)).entries
    assert [one.url for one in found] == list(dict.fromkeys(web_address(url) for _, url in named))


MARKS = st.sampled_from(
    ["<", ">", "&", "<p>", "</p>", "<br>", "<div", "<!--", "<![CDATA[", "]]>", "&#0;", "&amp;", "\0"]
)


@given(st.lists(st.one_of(MARKS, st.text(max_size=5)), max_size=30).map("".join))
def test_markup_is_made_plain_whatever_it_is(markup: str) -> None:
    assert isinstance(plain(markup), str)


def test_markup_is_made_plain() -> None:
    assert plain("<p>One <b>two</b>.</p>\n<ul><li>a<li>b</ul>x<br/>y<style>p{}</style><p></p>") == (
        "One two.\n\na\n\nb\n\nx\ny"
    )
    assert plain("1 &lt; 2 &amp; 3") == "1 < 2 & 3"
    assert plain("<div>" * 5_000 + "deep") in ("", "deep")


@given(st.one_of(st.binary(max_size=200), st.lists(MARKS, max_size=20).map(lambda parts: "".join(parts).encode())))
def test_the_root_of_anything(data: bytes) -> None:
    assert isinstance(root_of(data), str)


@pytest.mark.parametrize(
    ("data", "root"),
    [
        ("\ufeff <?xml version='1.0'?>\n<!-- <x> -->\n<rss>", "rss"),
        ("<!DOCTYPE rss [<!ENTITY a 'b'>]><rdf:RDF xmlns='x'>", "rdf"),
        ("<!doctype HTML><p>", "html"),
        ("<HTML>", "html"),
        (' {"version": 1}', "{"),
        ("text <rss>", ""),
    ],
)
def test_the_root(data: str, root: str) -> None:
    assert root_of(data.encode()) == root
    assert root_of(data.encode("utf-16")) == root


@given(st.text(max_size=80), st.sampled_from(["", "https://n.example/a/b"]))
def test_an_address_of_the_web_or_none(said: str, base: str) -> None:
    url = web_address(said, base)
    assert url == "" or url.startswith(("http://", "https://"))
    assert "#" not in url


@given(st.text())
def test_a_short_title(said: str) -> None:
    assert "\n" not in short(said)
    assert len(short(said)) <= 500


# In a process of its own


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[Reader]:
    made = Reader(longest=0.5)
    yield made
    made.close()


def test_another_process_reads_the_same(reader: Reader) -> None:
    assert reader.read(RSS.format(ITEM).encode(), URL) == listing(RSS.format(ITEM))
    with pytest.raises(NoListing, match="There is no feed here"):
        reader.read(b"nothing", URL)


def test_what_takes_too_long_is_ended_and_the_next_one_is_read() -> None:
    slow = RSS.format(
        "<item><author>" + "a." * 100_000 + "@</author></item>"
    ).encode()  # a library's regular expression
    impatient = Reader(longest=1.0)
    try:
        begun = time.monotonic()
        with pytest.raises(NoListing, match="took more than 1 seconds"):
            impatient.read(slow, URL)
        assert time.monotonic() - begun < 60
        impatient._longest = 30.0  # the first list after a start may be slow on a busy machine
        assert impatient.read(RSS.format(ITEM).encode(), URL).entries == (DAIRY,)
    finally:
        impatient.close()


def hostile() -> dict[str, bytes]:
    many = 100_000
    item = "<item><description>{}</description></item>"
    return {
        "deep": b"<rss><channel>" + b"<a>" * many,
        "items in items": b"<rss><channel>" + b"<item>" * many,
        "open": b"<rss><channel>" + b"<" * many,
        "declarations": b"<rss><channel>" + b"<!" * many,
        "comments": RSS.format(item.format("&lt;!--" * many)).encode(),
        "deep markup": RSS.format(item.format("&lt;div&gt;" * many)).encode(),
        "attributes": b"<rss " + b"".join(b'a%d="" ' % n for n in range(many)) + b">",
        "deep sitemap": b"<urlset>" + b"<url>" * many,
        "long sitemap": b"<urlset>" + b"<url><loc>https://n.example/a</loc></url>" * 200_000,
        "deep page": b"<html>" + b"<div>" * many,
        "deep json": b'{"version": "https://jsonfeed.org/version/1", "items": ' + b"[" * many,
        "bomb": gzip.compress(b"<rss>" + bytes(100_000_000)),
        "author": RSS.format("<item><author>" + "a." * many + "@</author></item>").encode(),
    }


@pytest.mark.parametrize("name", hostile())
def test_what_is_hostile_is_read_or_refused_in_bounded_time(hasty: Reader, name: str) -> None:
    """No time is asserted but that of the bound itself, which the reader keeps, and a start of its process."""
    begun = time.monotonic()
    try:
        found: object = hasty.read(hostile()[name], URL)
    except BadArticle as error:
        found = str(error)
    assert found
    assert time.monotonic() - begun < 90


def test_no_entry_of_feedparsers_own_feeds_is_lost(reader: Reader) -> None:
    """Each feed names what feedparser's authors expect of it; here every entry that these lines speak of is there."""
    if not BENCH.exists():
        pytest.skip("NOT TESTED: 2,000 feeds. They lie in ../shared/bench/feeds.")
    expected = re.compile(rb"entries\[(\d+)\]")
    count = 0
    with tarfile.open(BENCH) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is None or os.sep + "wellformed" not in os.sep + member.name:
                continue
            data = file.read()
            head = re.search(rb"Expect:(.*)", data)
            wanted = max((int(n) + 1 for n in expected.findall(head[1])), default=0) if head else 0
            if wanted and b"not bozo" in head[1] if head else False:
                count += 1
                assert len(reader.read(data, URL).entries) >= wanted, member.name
    assert count > 500
