"""Fills in what Markdown files copy: files of the repository, and tables of what there is.

<!-- file: docs/examples/tone.py -->      the code block that follows is that file
<!-- operations --> … <!-- end -->        a table of all operations
<!-- tones --> … <!-- end -->             a table of all tones
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from hookswitch.operations.operation import Operation
from hookswitch.playback.tone_table import COUNTRIES, Pulse, Tone
from hookswitch.plugins.builtin import load_plugins
from hookswitch.settings import KernelSettings, load
from hookswitch.switch import Switch

ROOT = Path(__file__).parent.parent
PAGES = (
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("api", "plugins", "tones")),
)

_FILE = re.compile(r"(<!-- file: (?P<path>\S+) -->\n```\w+\n)(?:.*?\n)??(```\n)", re.DOTALL)
_TONES = re.compile(r"(<!-- tones -->\n).*?(<!-- end -->)", re.DOTALL)
_OPERATIONS = re.compile(r"(<!-- operations -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with its copies made anew."""
    text = _FILE.sub(lambda m: m[1] + (ROOT / m["path"]).read_text() + m[3], text)
    text = _TONES.sub(lambda m: f"{m[1]}\n{tones_table()}\n\n{m[2]}", text)
    if _OPERATIONS.search(text):
        table = operations_table()
        text = _OPERATIONS.sub(lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text)
    return text


def tones_table() -> str:
    """All tones, as they are generated."""
    lines = ["| tone | Hz | on, off … in s | dBm0 |", "|---|---|---|---|"]
    for country, tones in COUNTRIES.items():
        for kind, tone in tones.items():
            pulses = ", ".join(map(_pulse, tone.cadence)) if tone.cadence[0].off else "continuous"
            lines.append(f"| `{country}_{kind}` | {_pitch(tone)} | {pulses} | {tone.level:.0f} |")
    return "\n".join(lines)


def _pitch(tone: Tone) -> str:
    pitch = "+".join(map(str, tone.frequencies))
    by = f" \N{MULTIPLICATION SIGN} {tone.modulation} ({tone.depth:.0%})"
    return pitch + by if tone.modulation else pitch


def _pulse(pulse: Pulse) -> str:
    weaker = f" ({pulse.db:g} dB)" if pulse.db else ""
    return f"{pulse.on / 1000:g}{weaker}, {pulse.off / 1000:g}"


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
