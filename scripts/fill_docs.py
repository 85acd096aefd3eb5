"""Fills in what Markdown files copy: files of the repository, and the table of operations.

<!-- file: docs/examples/tone.py -->      the code block that follows is that file
<!-- operations --> … <!-- end -->        a table of all operations
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from hookswitch.operations.operation import Operation
from hookswitch.plugins.builtin import load_plugins
from hookswitch.settings import KernelSettings, load
from hookswitch.switch import Switch

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "api.md", ROOT / "docs" / "plugins.md")

_FILE = re.compile(r"(<!-- file: (?P<path>\S+) -->\n```\w+\n)(?:.*?\n)??(```\n)", re.DOTALL)
_OPERATIONS = re.compile(r"(<!-- operations -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with its copies made anew."""
    text = _FILE.sub(lambda m: m[1] + (ROOT / m["path"]).read_text() + m[3], text)
    if _OPERATIONS.search(text):
        table = operations_table()
        text = _OPERATIONS.sub(lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text)
    return text


def operations_table() -> str:
    """All operations with all installed plugins."""
    lines = ["| command | request | does |", "|---|---|---|"]
    lines += [
        f"| `{operation.command}` | `{operation.method} {operation.path}` | {operation.summary} |"
        for operation in asyncio.run(_operations())
    ]
    return "\n".join(lines)


async def _operations() -> list[Operation]:
    with tempfile.TemporaryDirectory() as folder:
        settings = load(KernelSettings).model_copy(
            update={"data_dir": Path(folder), "media_workers": 0}
        )
        return Switch(settings, load_plugins(), "docs").operations


def main() -> int:
    """Rewrite the pages; with ``--check`` only say which are stale."""
    stale = [page for page in PAGES if filled(page.read_text()) != page.read_text()]
    for page in stale:
        print(f"stale: {page.relative_to(ROOT)}")
        if "--check" not in sys.argv:
            page.write_text(filled(page.read_text()))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
