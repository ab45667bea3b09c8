import pytest

from corpus.article import Kind, make_article
from corpus.kinds import kind_of


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, ""),
        ({"kind": "opinion"}, "opinion"),
        ({"kind": "news", "url": "https://x.test/opinion/2025/05/we-must"}, "opinion"),
        ({"url": "https://x.test/story/opinion/voices/2025/a-1"}, "opinion"),
        ({"url": "https://x.test/commentisfree/a-1"}, "opinion"),
        ({"url": "https://x.test/meinung/a-1"}, "opinion"),
        ({"url": "https://x.test/public-opinion-falls"}, ""),
        ({"url": "https://x.test/world/opinion"}, ""),  # the last step is the piece itself
        ({"section": "Op-Ed"}, "opinion"),
        ({"section": "Opinión"}, "opinion"),
        ({"title": "Opinion | We must build it"}, "opinion"),
        ({"title": "Kommentar: Baut sie"}, "opinion"),
        ({"title": "Opinions differ on the bridge"}, ""),
        ({"url": "https://x.test/press-releases/2025/a-1"}, "press release"),
        ({"title": "Pressemitteilung: Die Brücke"}, "press release"),
        ({"url": "https://x.test/world/live-news/a-1"}, "live"),
        ({"title": "Live updates: the bridge"}, "live"),
        ({"title": "Correction: Bridge story"}, "correction"),
        ({"kind": "live", "section": "Opinion"}, "live"),
        ({"authors": ["Reuters"]}, "wire"),
        ({"authors": ["Reuters"], "outlet": "Reuters"}, ""),
        ({"text": "LONDON (AP) — The bridge opened."}, "wire"),
        ({"text": "LONDON (AP) — The bridge opened.", "kind": "news"}, "news"),
        ({"url": "https://[bad/opinion/a"}, ""),
        ({"url": "file:///home/opinion/a.txt"}, ""),
    ],
)
def test_the_kind_is_what_the_outlet_says(fields: dict[str, object], kind: Kind) -> None:
    base = {"url": "https://x.test/a-1", "title": "Bridge opens", "text": "The bridge opened."}
    assert kind_of(make_article(**{**base, **fields})) == kind  # type: ignore[arg-type]
