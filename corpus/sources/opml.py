"""Lists of feeds as other readers write and read them: OPML."""

from collections.abc import Iterable
from datetime import UTC, datetime

from corpus.sources.listing import MAX_ENTRIES, Entry, Listing, NoListing, short, web_address


def read(data: bytes) -> Listing:
    """The feeds of all folders. Raises NoListing."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True, remove_comments=True
    )
    try:
        tree = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoListing("The file is no OPML that can be read. Export it again.") from error
    if tree is None:
        raise NoListing("The file is no OPML that can be read. Export it again.")
    found: dict[str, Entry] = {}
    for one in tree.iter("outline"):
        said = {str(name).lower(): value for name, value in one.attrib.items()}
        url = web_address(said.get("xmlurl"))
        if url and len(found) < MAX_ENTRIES:
            found.setdefault(url, Entry(url, short(said.get("title") or said.get("text") or "")))
    title = tree.findtext("head/title")
    return Listing("opml", short(title or ""), tuple(found.values()))


def written(feeds: Iterable[tuple[str, str]], now: datetime | None = None) -> bytes:
    """OPML 2.0 of (title, address); `read` gives them back."""
    from lxml import etree

    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = "Pullquote"
    etree.SubElement(head, "dateCreated").text = f"{now or datetime.now(UTC):%a, %d %b %Y %H:%M:%S %z}"
    for title, url in feeds:
        etree.SubElement(body, "outline", type="rss", text=short(title) or url, title=short(title) or url, xmlUrl=url)
    made: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return made
