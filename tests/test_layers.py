"""Who may import whom, which big library lives where, and who reads the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
ALLOWED = {"corpus": {"corpus"}, "retrieval": {"corpus", "retrieval"}, "bot": {"corpus", "retrieval", "bot"}}
OURS = {*ALLOWED, "tests", "benchmarks"}
CHANNELS = "bot.channels."
COMPOSITION_ROOT = "bot/cli.py"
SETTINGS = "bot/settings.py"
HOMES = {
    "chromadb": "retrieval/vectors.py",
    "tantivy": "retrieval/keywords.py",
    **dict.fromkeys(
        ["transformers", "torch", "onnx", "onnxruntime", "openvino", "tokenizers"],
        "retrieval/models.py",
    ),
    "sentence_transformers": "retrieval/encoder.py",
    **dict.fromkeys(["langchain", "langchain_core"], "retrieval/langchain.py"),
    "sqlalchemy": "corpus/database.py",  # and those that keep something in one
    **dict.fromkeys(["telegram", "aiolimiter", "tornado"], "bot/channels/telegram.py"),
    "discord": "bot/channels/discord.py",
    **dict.fromkeys(["slack_bolt", "slack_sdk"], "bot/channels/slack.py"),
    "nio": "bot/channels/matrix.py",
    **dict.fromkeys(
        ["trafilatura", "lxml", "pypdf", "docx", "dateparser", "yaml", "markdown_it", "charset_normalizer"],
        "corpus/extract.py",
    ),
    "sentencex": "corpus/sentences.py",
    "url_normalize": "corpus/address.py",
    **dict.fromkeys(["httpx", "httpcore", "brotli"], "corpus/sources/web.py"),
    "protego": "corpus/sources/visitor.py",
    "feedparser": "corpus/sources/feeds.py",
    "filelock": "corpus/intake.py",
    **dict.fromkeys(["pydantic_settings", "platformdirs"], SETTINGS),
}
GUESTS = {
    *((f"bot/{name}.py", "sqlalchemy") for name in ("store", "watchlist")),
    *((f"corpus/{name}.py", "sqlalchemy") for name in ("archive", "groups", "sources/register")),
    *((f"corpus/{name}.py", "lxml") for name in ("page", "sources/sitemaps", "sources/opml")),
}


def breaches(root: Path) -> list[str]:
    """One line for each import or reading of the environment that the layout does not allow."""
    files = sorted(file for package in ALLOWED for file in (root / package).rglob("*.py"))
    return [
        f"{file}: {what}" for path in files for file in [path.relative_to(root).as_posix()] for what in _in(path, file)
    ]


def _in(path: Path, file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for module in _imported(node):
            top = module.split(".")[0]
            if not top:
                yield "a relative import"
            elif top in OURS and top not in ALLOWED[file.split("/")[0]]:
                yield f"imports {top}"
            elif f"{module}.".startswith(CHANNELS) and module.count(".") > 1 and file != COMPOSITION_ROOT:
                yield f"imports the channel {module}"
            elif HOMES.get(top, file) != file and (file, top) not in GUESTS:
                yield f"imports {top}, whose home is {HOMES[top]}"
        if _reads_environment(node) and file != SETTINGS:
            yield "reads the environment"


def _imported(node: ast.AST) -> list[str]:
    """Full names: `from bot.channels import slack` is bot.channels.slack."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    return []


def _reads_environment(node: ast.AST) -> bool:
    names = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv"}
    found = {ast.unparse(node)} if isinstance(node, ast.Attribute) else set(_imported(node))
    return not names.isdisjoint(found)


def test_the_layers_hold() -> None:
    assert breaches(REPO) == []


@pytest.mark.parametrize(
    ("file", "code", "expected"),
    [
        ("corpus/a.py", "import json\nfrom corpus.article import Article", []),
        ("corpus/a.py", "from retrieval import search", ["imports retrieval"]),
        ("corpus/a.py", "def f():\n    import bot.cli", ["imports bot"]),
        ("corpus/sources/web.py", "import retrieval", ["imports retrieval"]),
        ("corpus/a.py", "from . import archive", ["a relative import"]),
        ("retrieval/a.py", "import corpus.archive, bot.settings", ["imports bot"]),
        ("retrieval/a.py", "from tests import test_layers", ["imports tests"]),
        ("bot/a.py", "import corpus.archive, retrieval.desk, bot.conversation, bot.channels", []),
        ("bot/a.py", "from bot.channels import slack", ["imports the channel bot.channels.slack"]),
        ("bot/channels/slack.py", "import bot.channels.terminal", ["imports the channel bot.channels.terminal"]),
        ("bot/cli.py", "def f():\n    from bot.channels.slack import run", []),
        ("retrieval/search.py", "import chromadb.config", ["imports chromadb, whose home is retrieval/vectors.py"]),
        ("retrieval/vectors.py", "import chromadb.config", []),
        ("bot/a.py", "from sqlalchemy import text", ["imports sqlalchemy, whose home is corpus/database.py"]),
        ("bot/a.py", "import os\nx = os.environ['X']", ["reads the environment"]),
        ("bot/a.py", "from os import getenv", ["reads the environment"]),
        ("bot/settings.py", "import os, pydantic_settings\nx = os.getenv('X')", []),
    ],
)
def test_a_breach_is_seen(tmp_path: Path, file: str, code: str, expected: list[str]) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(code)
    assert breaches(tmp_path) == [f"{file}: {what}" for what in expected]
