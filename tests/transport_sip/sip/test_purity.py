"""The core computes; it touches no socket, clock or event loop."""

import ast
from pathlib import Path

import pytest

import hookswitch_transport_sip.sip as package

ROOT = Path(package.__file__).parent
FORBIDDEN = {"asyncio", "socket", "time", "datetime", "threading", "select", "logging", "os"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.name)
def test_imports_no_io(path: Path) -> None:
    assert not imported(path) & FORBIDDEN


def test_the_check_sees_imports() -> None:
    assert "random" in imported(ROOT / "core.py")
