from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.address import canonical, claimed, is_home, same_site, site

STORY = "https://news.test/world/2025/bridge-opens-4711"


@pytest.mark.parametrize(
    "variant",
    [
        "http://news.test/world/2025/bridge-opens-4711",
        "HTTPS://WWW.News.Test/world/2025/bridge-opens-4711",
        "https://news.test:443/world/2025/bridge-opens-4711/",
        "http://news.test:80/world/2025/bridge-opens-4711//",
        "https://m.news.test/world/2025/bridge-opens-4711",
        "https://mobile.news.test/world/2025/bridge-opens-4711",
        "https://amp.news.test/world/2025/bridge-opens-4711",
        "https://www.m.news.test/world/2025/bridge-opens-4711",
        "https://news.test./world/2025/bridge-opens-4711",
        "https://news.test/amp/world/2025/bridge-opens-4711",
        "https://news.test/world/2025/bridge-opens-4711/amp",
        "https://news.test/world/2025/bridge-opens-4711/amp/",
        "https://news.test/world/2025/bridge-opens-4711.amp",
        "https://news.test/world/2025/bridge-opens-4711/index.html",
        "https://news.test/world/2025/bridge-opens-4711/print",
        "https://news.test/world/2025/bridge-opens-4711?outputType=amp",
        "https://news.test/world/2025/bridge-opens-4711?amp",
        "https://news.test/world/2025/bridge-opens-4711?amp=1&amp_js_v=0.1",
        "https://news.test/world/2025/bridge-opens-4711?print=true",
        "https://news.test/world/2025/bridge-opens-4711?view=print",
        "https://news.test/world/2025/bridge-opens-4711?utm_source=a&utm_medium=b&fbclid=IwAR0&gclid=x",
        "https://news.test/world/2025/bridge-opens-4711?UTM_Source=a&at_medium=RSS&CMP=share&xtor=AD-1",
        "https://news.test/world/2025/bridge-opens-4711?source=rss&ref=newsletter",
        "https://news.test/world/2025/bridge-opens-4711?",
        "https://news.test/world/2025/bridge-opens-4711#comments",
        "https://news.test/world/2025/bridge-opens-4711#:~:text=it%20holds",
        "https://news.test/world/2025/bridge-opens-4711#Echobox=1652",
        "https://news.test/world/2025/bridge-opens-4711#xtor=RSS-1",
        "https://news.test/sport/../world/./2025/bridge-opens-4711",
        "https://news.test/world/2025/%62ridge%2Dopens-4711",
        "https://news.test/world/2025/bridge-opens-4711;jsessionid=A1B2",
        "https://news-test.cdn.ampproject.org/c/s/news.test/world/2025/bridge-opens-4711",
        "https://www.google.com/amp/s/amp.news.test/world/2025/bridge-opens-4711",
        " https://news.test/world/2025/bridge-opens-4711\n",
    ],
)
def test_variants_of_an_address_are_one(variant: str) -> None:
    assert canonical(variant) == STORY


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.test/b?b=2&a=1", "https://x.test/b?a=1&b=2"),
        ("https://müller.test/ü", "https://xn--mller-kva.test/%c3%bc"),
        ("https://x.test/story.amp.html", "https://x.test/story.html"),
        ("https://x.test/my-slug/amp/", "https://x.test/my-slug"),
        ("https://x.test/index.php?id=7", "https://x.test/?id=7"),
        ("https://x.test", "https://www.x.test/"),
        ("http://[::1]:80/a", "https://[::1]/a"),
    ],
)
def test_two_spellings_are_one(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


APART = [
    *("https://x.test/", "https://x.test/?id=1", "https://x.test/?id=2", "https://x.test/?p=1", "https://x.test/?p=2"),
    *("https://x.test/?cid=1", "https://x.test/?ref=4711", "https://x.test/?source=7", "https://x.test/?print=4711"),
    *("https://x.test/a", "https://x.test/A", "https://x.test/a?page=2", "https://x.test/a/2", "https://x.test/a%2Fb"),
    *("https://x.test/a/b", "https://x.test/a#story-1", "https://x.test/a#story-2", "https://x.test/a#!/1"),
    *("https://x.test/a#/story/2", "https://x.test/a#id=3", "https://x.test/a#id=4", "https://x.test/amp"),
    *("https://x.test/amp/news", "https://x.test/news", "https://x.test/news/print", "https://x.test:8080/a"),
    *("https://sub.x.test/a", "https://x.test/amplifier-1", "https://x.test/a?format=long", "https://x.test/a?type=2"),
    *("https://m.co.uk/a-1", "https://co.uk/a-1", "https://x.test/blueprint", "https://x.test/a?id=1&id=2"),
    *("https://x.test/a?id=2&id=1", "https://x.test/a?q=a%26b", "https://x.test/a?q=a&b", "file:///x.test/a"),
    *("ftp://x.test/a", "https://x.test/a+b", "https://x.test/a%20b", "https://x.test/a;v=1", "https://y.test/a"),
]


def test_different_articles_stay_apart() -> None:
    assert [(one, other) for one, other in combinations(APART, 2) if canonical(one) == canonical(other)] == []


@pytest.mark.parametrize(
    "url", ["file:///home/a/%7Eb/../c.html", "urn:isbn:1", "", "u", "https://", "https://[bad/", "http://x.test:99999/"]
)
def test_what_is_no_address_of_the_web_stays_as_it_is(url: str) -> None:
    assert canonical(url) == url
    assert (same_site(url, url), site(url)) == (False, "")


def test_an_address_that_would_grow_too_long_stays_as_it_is() -> None:
    url = f"https://x.test/{'я' * 900}?utm_source=a"
    assert canonical(url) == url


PART = st.text(st.sampled_from("ab1-.~%/é я%2F%41;=&?#!:@+_A"), max_size=12)
VARIANT = st.sampled_from(["", "/amp", "/print", ".amp", "/index.html", "/", ";jsessionid=1", "/amp/", "?amp=1", "#a"])
URL = st.one_of(
    st.builds(
        "{}://{}{}/{}{}{}".format,
        st.sampled_from(["http", "https", "HTTP"]),
        st.sampled_from(["", "www.", "m.", "amp.", "www.amp."]),
        st.sampled_from(["x.test", "X.test:80", "x.test:8080", "ü.test", "co.uk", "1.2.3.4"]),
        PART,
        VARIANT,
        VARIANT,
    ),
    st.text(max_size=40),
    st.text(max_size=40).map("https://x.test/".__add__),
)


@given(URL)
def test_the_canonical_form_is_its_own(url: str) -> None:
    assert canonical(canonical(url)) == canonical(url)


NAME = st.text(st.sampled_from("abcxyz"), min_size=1, max_size=4)


@given(st.dictionaries(NAME, st.integers(0, 99), min_size=1, max_size=3), st.data())
def test_another_value_of_a_parameter_is_another_article(query: dict[str, int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(query)))
    one, other = (
        canonical("https://x.test/story?" + "&".join(f"{key}={value}" for key, value in each.items()))
        for each in (query, {**query, name: query[name] + 1})
    )
    assert one != other


@given(st.lists(NAME, min_size=1, max_size=4), st.lists(NAME, min_size=1, max_size=4))
def test_another_path_is_another_article(one: list[str], other: list[str]) -> None:
    first, second = (canonical(f"https://x.test/{'/'.join(steps)}") for steps in (one, other))
    assert (first == second) == (one == other)


@given(URL, URL)
def test_whose_word_counts_never_leaves_the_site(url: str, at: str) -> None:
    found = claimed(url, at)
    assert found in (url, at)
    assert found == at or same_site(found, at)


@pytest.mark.parametrize(
    ("url", "at", "believed"),
    [
        (STORY, f"{STORY}?utm_source=a", True),
        (STORY, "https://amp.news.test/world/2025/bridge-opens-4711/amp", True),
        (STORY, "https://news.test/?p=4711", True),
        (STORY, f"{STORY}/2", True),
        (STORY, f"{STORY}/page/2", True),
        ("https://www.news.test/world/2025/bridge-opens-4711", STORY, True),
        ("https://bank.test/world/2025/bridge-opens-4711", STORY, False),
        ("https://news.test.evil.test/world/2025/bridge-opens-4711", STORY, False),
        ("https://news.test@evil.test/world/2025/bridge-opens-4711", STORY, False),
        ("https://news.test/", STORY, False),
        ("https://news.test", STORY, False),
        ("https://news.test/index.html?utm_source=a", STORY, False),
        ("https://news.test/world", STORY, False),
        ("https://news.test/world/2025/", STORY, False),
        ("", STORY, False),
        ("https://[bad/", STORY, False),
        ("file:///etc/passwd", STORY, False),
    ],
)
def test_a_page_is_believed_on_its_own_site_and_about_an_article(url: str, at: str, believed: bool) -> None:
    assert claimed(url, at) == (url if believed else at)


def test_a_home_page_is_known() -> None:
    assert all(map(is_home, ["https://x.test", "https://www.x.test/?utm_source=a", "http://x.test/index.html#top"]))
    assert not any(map(is_home, [STORY, "https://x.test/?p=1", "https://x.test/#!/story"]))
