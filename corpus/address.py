"""Addresses of articles: which of them lead to the same one, and whose word counts for that.

`url-normalize` knows the syntax (case, ports, percent-encoding, dots, international names); what this file adds is
news: trackers, mobile, AMP and print variants. A form that could be two articles is left apart: merging is for good.
"""

import re
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from corpus.article import MAX_URL, line

_WEB = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_HOST_VARIANTS = ("www.", "m.", "mobile.", "mobil.", "amp.")
_SECOND_LEVEL = frozenset("ac co com edu gob gov gv ne net or org".split())  # of co.uk: no site of its own
_AMP_CACHE = re.compile(
    r"https?://(?:[\w-]+\.cdn\.ampproject\.org/[a-z]|(?:www\.)?google\.[a-z.]{2,6}/amp)/(s/)?(?=[^/])"
)

_TRACKERS = re.compile(
    r"(?:utm|at|ns|pk|mtm|matomo|piwik|hsa|oly|vero|sara|wt|guce|itm|mc|_hs\w*|__twitter|fb_action|amp)_\w*"
    r"|(?:fbc|gc|dc|yc|ysc|msclk|twc|ttc)l?id|[gw]braid|gclsrc|igshid|igsh|li_fat_id|epik|s_kwcid|_ga|_gl|_ke|mkt_tok"
    r"|guccounter|cmpid|cmp|ito|ocid|smid|smtyp|smprod|sr_share|ncid|icid|xtor|xtcr|ref_src|ref_url|referr?er|taid"
    r"|feedname|feedtype|wtrid|soc_src|soc_trk|tsrc|mbid|fb_source|fb_ref|echobox|jsessionid|phpsessid|_hsmi|_hsenc"
)
_FLAGS = frozenset("amp _amp isamp print printable printerfriendly mobile rss".split())  # ?amp, ?print=1
_ON = frozenset(["", "1", "true", "yes", "on"])
_VIEWS = frozenset("outputtype output view mode format type".split())  # ?outputType=amp
_VIEWED = frozenset(["amp", "print", "mobile"])
_CHANNELS = frozenset("source src ref via".split())  # ?source=rss
_CHANNEL = frozenset("rss atom feed twitter facebook email mail newsletter whatsapp telegram share social".split())

_VARIANT_END = re.compile(r"(?:/amp|/amp\.html?|/print|/print\.html?|\.amp|\.print)$", re.IGNORECASE)
_VARIANT_FILE = re.compile(r"\.(?:amp|print)(?=\.html?$)", re.IGNORECASE)
_INDEX = re.compile(r"/(?:index\.(?:html?|php|aspx?|jsp)|default\.aspx?)$", re.IGNORECASE)
_SESSION = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)
_STORY = re.compile(r"[!/]|(?:story|article|item|news|id)[-_/:=]?\d|[^=]+=", re.IGNORECASE)  # a fragment that names one
_NEXT_PAGE = re.compile(r"(?:/(?:page|seite|p)?[-/]?\d{1,2}|/(?:amp|print|full|all))$", re.IGNORECASE)


def canonical(url: str) -> str:
    """The form that the addresses of one article share; idempotent. For comparing, not for showing or fetching.

    An address that is not of the web, or is none, stays as it is.
    """
    try:
        found = _canonical(_AMP_CACHE.sub(lambda cache: "https://" if cache[1] else "http://", line(url)))
    except ValueError:  # no address, or a host that no name server knows
        return url
    return found if found and len(found.encode()) <= MAX_URL else url


def same_site(one: str, other: str) -> bool:
    """Whether two addresses are of one host, mobile, AMP and www variants aside."""
    hosts = {site(one), site(other)}
    return len(hosts) == 1 and hosts != {""}


def site(url: str) -> str:
    """The host without the beginnings that stand for the same pages; "" where there is none."""
    found = canonical(url)
    try:
        return (urlsplit(found).hostname or "") if found.startswith("https://") else ""
    except ValueError:
        return ""


def is_home(url: str) -> bool:
    """Whether it is a whole site's address, so of no article."""
    parts = urlsplit(canonical(url))
    return parts.path in ("", "/") and not parts.query and not parts.fragment


def claimed(url: str, at: str) -> str:
    """The address that a page fetched from `at` gives itself, where it can be believed; else `at`.

    It cannot where it is another site's, which the page could so overwrite, or the home page or a section above the
    page, which many pages would share.
    """
    if not same_site(url, at):
        return at
    own, here = urlsplit(canonical(url)), urlsplit(canonical(at))
    if own == here:
        return url
    above = here.path.startswith(own.path.rstrip("/") + "/") and not own.query
    return at if is_home(url) or (above and not _NEXT_PAGE.fullmatch(here.path[len(own.path) :])) else url


def _canonical(url: str) -> str:
    """ "" for what is not of the web. Raises ValueError, which an error of IDNA is too."""
    from url_normalize import url_normalize  # here: a question needs none of it

    if not _WEB.match(url):
        return ""
    parts = urlsplit(url_normalize(url) or "")
    return urlunsplit(("https", _host(parts), _path(parts.path), _query(parts.query), _fragment(parts.fragment)))


def _host(parts: SplitResult) -> str:
    host, port = parts.hostname or "", parts.port
    name, shorter = host, _without_variant(host)
    while shorter != name:
        name, shorter = shorter, _without_variant(shorter)
    name = f"[{name}]" if ":" in name else name
    return name if port in (None, 80, 443) else f"{name}:{port}"


def _without_variant(host: str) -> str:
    for beginning in _HOST_VARIANTS:
        rest = host.removeprefix(beginning)
        labels = rest.split(".")
        if rest != host and len(labels) > 1 and not (len(labels) == 2 and labels[0] in _SECOND_LEVEL):
            return rest
    return host


def _path(path: str) -> str:
    before = None
    while before != path:
        before = path
        path = re.sub("/+", "/", _SESSION.sub("", path)).rstrip("/")
        path = _VARIANT_FILE.sub("", _INDEX.sub("", path))
        path = _named(path, _VARIANT_END.sub("", path))
        if path.lower().startswith("/amp/"):
            path = _named(path, path[len("/amp") :])
    return path or "/"


def _named(path: str, shorter: str) -> str:
    """The shorter one where it still names an article: two steps deep, or with a hyphen or a digit."""
    return shorter if shorter.count("/") > 1 or re.search(r"[-\d]", shorter) else path


def _query(query: str) -> str:
    kept = [one for one in query.split("&") if one and not _is_idle(*_name_and_value(one))]
    return "&".join(sorted(kept, key=lambda one: one.partition("=")[0]))  # stable: repeated names keep their order


def _name_and_value(parameter: str) -> tuple[str, str]:
    name, _, value = parameter.partition("=")
    return unquote(name).lower(), unquote(value).lower()


def _is_idle(name: str, value: str) -> bool:
    """Whether the parameter changes how one came or how the page looks, but not which article it is."""
    return (
        _TRACKERS.fullmatch(name) is not None
        or (name in _FLAGS and value in _ON)
        or (name in _VIEWS and value in _VIEWED)
        or (name in _CHANNELS and value in _CHANNEL)
    )


def _fragment(fragment: str) -> str:
    """Kept only where it may name an article of its own, as some pages' scripts read it."""
    fragment = unquote(fragment).partition(":~:")[0]
    idle = all(_is_idle(*_name_and_value(one)) for one in fragment.split("&"))
    return quote(fragment, safe="/!=&") if fragment and not idle and _STORY.match(fragment) else ""
