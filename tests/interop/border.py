"""A border proxy: Kamailio, which speaks UDP to phones and TCP to us, and stays in the route."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from . import processes

_CONFIG = """\
#!KAMAILIO
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
children=1
tcp_children=1
log_stderror=yes
debug=1
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("rr", "enable_double_rr", 1)
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); }} else if (is_method("ACK")) {{ t_relay(); }}
        else {{ sl_send_reply("404", "Not here"); }}
        exit;
    }}
    loose_route();
    record_route();
    if ($rU == "inside") $du = "sip:127.0.0.1:{inside};transport=tcp";
    t_relay();
}}
"""


@asynccontextmanager
async def border(folder: Path, inside: int) -> AsyncIterator[int]:
    """Run it before a server on this port; answers its own."""
    processes.need("kamailio")
    port = processes.free_port()
    _furnish(folder, _CONFIG.format(port=port, inside=inside))
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            "kamailio",
            *("-f", "kamailio.cfg", "-DD", "-E", "-m", "32", "-M", "4"),
            *("-w", str(folder), "-Y", str(folder), "-P", str(folder / "pid")),
            cwd=folder,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
        )
    try:
        await processes.until_bound(port)
        await processes.until_bound(port, protocol="tcp")
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _furnish(folder: Path, config: str) -> None:
    folder.mkdir()
    (folder / "kamailio.cfg").write_text(config)
