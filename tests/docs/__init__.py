"""What is written is true: samples run, lists are whole, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages() -> list[Path]:
    """All Markdown files of the repository."""
    folders = ("docs", "kernel", "plugins", "bench", "tests")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.md")]
    ours = [path for path in found if "/." not in str(path.relative_to(ROOT))]
    return [ROOT / "README.md", *sorted(ours)]


def without_code(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
