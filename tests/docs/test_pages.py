"""Links, lines and copies of the Markdown files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts import fill_docs, settings_table

from . import DOCS, ROOT, pages, without_code

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(without_code(page.read_text())):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS.glob("*.md")], ids=lambda p: p.name)
def test_lines_are_short_where_they_can_be(page: Path) -> None:
    long = [line for line in page.read_text().splitlines() if len(line) > 100]
    assert [line for line in long if not line.startswith("|")] == []


@pytest.mark.parametrize("page", fill_docs.PAGES, ids=lambda page: page.name)
def test_what_a_page_copies_is_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert fill_docs.filled(text) == text, "run scripts/fill_docs.py"


def test_the_page_of_settings_is_up_to_date() -> None:
    text = (DOCS / "settings.md").read_text()
    assert text == settings_table.page(), "run scripts/settings_table.py"
