"""What kind of piece an article is, from what the outlet says: its tags, section, address, headline and byline."""

import re
from urllib.parse import urlsplit

from corpus.article import Article, Kind

_OPINION = (
    r"opinions?|op-?eds?|editorials?|commentisfree|commentary|comment|columnists?|columns?|letters|meinung(?:en)?"
    r"|kommentare?|leitartikel|opini[oó]n(?:es)?|tribunas?|tribunes?|d[ée]bats|id[ée]es|editoriali?|commenti|opinioni"
    r"|opini[ãa]o|opinie|мнени[ея]|думк[аи]|блоги|колонки|yazarlar|g[öo]r[üu][şs]"
)
_PRESS = r"press-?releases?|news-?releases?|pressemitteilung(?:en)?|communiqu[ée]s?(?:-de-presse)?|comunicati-stampa"
_IN_SECTIONS: tuple[tuple[Kind, str], ...] = (
    ("opinion", _OPINION),
    ("press release", _PRESS),
    ("live", r"live-?blogs?|live-news|live-updates?|live|liveticker|en-direct|en-vivo"),
    ("correction", r"corrections?(?:-(?:and-)?clarifications?)?"),
)
_SECTIONS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _IN_SECTIONS)
_IN_FRONT: tuple[tuple[Kind, str], ...] = (
    ("opinion", r"opinion|editorial|comment|kommentar|meinung|opinión|tribune|opinione|opinião|opinie|мнение"),
    ("press release", r"press release|pressemitteilung|communiqué(?: de presse)?|comunicato stampa"),
    ("live", r"live(?: updates?| blog)?|liveticker|en direct|en vivo"),
    ("correction", r"corrections?|clarification|berichtigung"),
)
_HEADS = tuple((kind, re.compile(rf"\W?(?:{pattern})\s*[:|]", re.IGNORECASE)) for kind, pattern in _IN_FRONT)
_AGENCY = r"associated press|the associated press|ap|reuters|afp|agence france-presse|dpa|efe|ansa|upi|xinhua|tass"
_BY_AGENCY = re.compile(_AGENCY, re.IGNORECASE)
_DATELINE = re.compile(rf"[^\n]{{0,60}}\((?:{_AGENCY})\)", re.IGNORECASE)


def kind_of(article: Article) -> Kind:
    """ "" where the outlet does not say. What it says outright counts before where it put the piece."""
    if article.kind and article.kind != "news":
        return article.kind
    return _filed(article) or article.kind or _wire(article)


def _filed(article: Article) -> Kind:
    steps = [article.section, *_path(article.url).split("/")[:-1]]
    for kind, pattern in _SECTIONS:
        if any(pattern.fullmatch(step.strip().replace(" ", "-")) for step in steps):
            return kind
    return next((kind for kind, pattern in _HEADS if pattern.match(article.title)), "")


def _path(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.path if parts.scheme in ("http", "https") else ""


def _wire(article: Article) -> Kind:
    """By an agency, in an outlet that is not its own."""
    if _BY_AGENCY.fullmatch(article.outlet):
        return ""
    signed = any(_BY_AGENCY.fullmatch(name) for name in article.authors)
    return "wire" if signed or _DATELINE.match(article.text) else ""
