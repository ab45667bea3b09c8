import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extract import _readable_date, extract
from corpus.page import Said, said

URL = "https://n.test/world/talks-end"
NOTHING = Said(None, None, "", "", "", None)
MAY_16 = datetime(2025, 5, 16, 10, tzinfo=timezone(timedelta(hours=2)))


def ld(*nodes: object) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)


def read(head: str, body: str = "<p>Text.</p>", found: str = "", lang: str = "") -> Said:
    page = f'<html lang="{lang}"><head>{head}</head><body>{body}</body></html>'
    return said(page, URL, "Talks end", _readable_date, found)


def test_json_ld_says_it_all() -> None:
    node = {
        "@type": ["OpinionNewsArticle"],
        "datePublished": "2025-05-16T10:00:00+02:00",
        "dateModified": "2025-05-17T08:30:00Z",
        "articleSection": ["World", "Europe"],
        "inLanguage": "en-GB",
        "isAccessibleForFree": "False",
    }
    modified = datetime(2025, 5, 17, 8, 30, tzinfo=UTC)
    assert read(ld({"@graph": [{"@type": "WebSite"}, node]})) == Said(
        MAY_16, modified, "World", "en-GB", "opinion", True
    )


def test_meta_tags_say_it_all() -> None:
    tags = {
        "article:published_time": "2025-05-16T10:00:00+02:00",
        "article:modified_time": "2025-05-16T11:00:00+02:00",
        "article:section": "World",
        "og:locale": "de_DE",
        "article:opinion": "true",
        "article:content_tier": "free",
    }
    head = "".join(f'<meta property="{name}" content="{value}">' for name, value in tags.items())
    assert read(head) == Said(MAY_16, MAY_16.replace(hour=11), "World", "de_DE", "opinion", False)


@pytest.mark.parametrize(
    "head",
    [
        '<meta name="DC.date.issued" content="2025-05-16T10:00:00+02:00">',
        '<meta name="dcterms.issued" content="2025-05-16T10:00:00+02:00">',
        '<meta name="parsely-pub-date" content="2025-05-16T10:00:00+02:00">',
        '<meta property="article&#x3a;published_time" content="2025-05-16T10:00:00+02:00">',
        '<div itemscope itemtype="https://schema.org/NewsArticle"><meta itemprop="datePublished" '
        'content="2025-05-16T10:00:00+02:00"></div>',
        ld([{"@type": "LiveBlogPosting", "datePublished": "2025-05-16T10:00:00+02:00"}]),
        ld({"@type": "WebPage", "mainEntity": {"@type": "Article", "datePublished": "2025-05-16T10:00:00+02:00"}}),
        '<script type="application/ld+json">{broken</script>'
        + ld({"@type": "WebPage", "datePublished": "2025-05-16T10:00:00+02:00"}),
    ],
)
def test_the_publication_date_is_found_where_it_is_stated(head: str) -> None:
    assert read(head).published == MAY_16


@pytest.mark.parametrize(
    "head",
    [
        ld({"@type": "ItemList", "itemListElement": [{"@type": "Article", "datePublished": "2020-01-01"}]}),
        ld({"@type": "VideoObject", "datePublished": "2020-01-01"}),
        '<div itemscope itemtype="http://schema.org/Comment">'
        '<meta itemprop="datePublished" content="2020-01-01"></div>',
        '<meta property="og:updated_time" content="2020-01-01">',
        '<meta property="article:published_time" content="soon">',
        '<meta property="article:published_time" content="05/06/2025">',
        '<meta property="article:published_time" content="2999-01-01">',
        ld(*[[[]]] * 3, None, 7, "x", {"@type": 7, "datePublished": {"a": 1}}),
    ],
)
def test_no_other_date_is_taken_for_it(head: str) -> None:
    assert read(head).published is None


def test_the_article_of_this_address_counts_among_several() -> None:
    other = {"@type": "NewsArticle", "url": "https://n.test/other", "datePublished": "2020-01-01"}
    this = {"@type": "NewsArticle", "mainEntityOfPage": {"@id": f"{URL}/?utm_source=a"}, "datePublished": "2025-05-16"}
    assert read(ld(other, this)).published == datetime(2025, 5, 16, tzinfo=UTC)
    headed = {"@type": "NewsArticle", "headline": "Talks  end", "datePublished": "2025-05-17"}
    assert read(ld(other, headed)).published == datetime(2025, 5, 17, tzinfo=UTC)


def test_a_change_before_publication_is_none() -> None:
    node = {"@type": "Article", "datePublished": "2025-05-16", "dateModified": "2025-05-15"}
    assert read(ld(node)).modified is None


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('<time datetime="2025-05-16">16 May</time>', True),
        ('<span class="pub-date">Freitag, 16. Mai 2025</span>', True),
        ('<p class="byline">Ann Lee, 16.05.2025</p>', True),
        ("<p>They met on 16 May 2025.</p>", False),
        ('<div class="comment"><span class="date">16 May 2025</span></div>', False),
        ('<div class="related"><time datetime="2025-05-16">16 May 2025</time></div>', False),
        (f'<div class="date">{"x" * 200} 16 May 2025</div>', False),
        ('<p class="date">18 May 2025</p><article><p class="date">16 May 2025</p></article>', False),  # of a teaser
        ('<p class="date">Written: 2025-05-18 15:03:16 / Updated: 2025-05-18 15:30:46</p>', False),
        ('<p class="date">Written: 2025-05-16 15:03:30 / Updated: 2025-05-18 15:30:46</p>', True),
        ('<p class="date">May 2025</p><time datetime="2025-05-16T08:30:00+02:00">Friday</time>', True),
        ("<p>Nothing.</p>", False),
    ],
)
def test_a_day_that_was_found_counts_where_the_page_shows_when_it_was_published(body: str, shown: bool) -> None:
    assert read("", body, found="2025-05-16").published == (datetime(2025, 5, 16, tzinfo=UTC) if shown else None)


def test_the_language_of_the_page_counts() -> None:
    assert read("", lang="uk").language == "uk"
    assert read("", lang="x" * 40) == NOTHING


@pytest.mark.parametrize("page", ["", "<!-- only -->", "\x00", "<" * 2_000, "<html>" + "<div>" * 3_000])
def test_a_page_that_is_none_says_nothing(page: str) -> None:
    assert said(page, "", "", _readable_date) == NOTHING


VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["Article", "2025-05-16"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["@type", "@graph", "datePublished", "url", "headline"]), inner, max_size=4),
    ),
    max_leaves=8,
)


@given(VALUE)
def test_any_json_is_read(value: object) -> None:
    assert read(ld(value)).published in (None, datetime(2025, 5, 16, tzinfo=UTC))


def test_what_a_page_says_comes_with_its_article() -> None:
    head = ld({"@type": "LiveBlogPosting", "datePublished": "2025-05-16", "isAccessibleForFree": False})
    body = "<h1>Talks end</h1>" + "<p>The delegations met in the palace on Friday and went home.</p>" * 5
    page = (
        f'<html lang="en-US"><head><title>Talks end</title>{head}</head><body><article>{body}</article></body></html>'
    )
    found = extract(page.encode(), name="a.html", url=URL)
    assert (found.kind, found.language, found.paywalled, found.dated_by) == ("live", "en", True, "")


def test_a_page_that_calls_itself_its_home_page_is_not_believed() -> None:
    body = "<p>The delegations met in the palace on Friday and went home.</p>" * 5
    page = (
        f'<html><head><link rel="canonical" href="https://n.test/"></head><body><article>{body}</article></body></html>'
    )
    assert extract(page.encode(), name="a.html", url=URL).url == URL
