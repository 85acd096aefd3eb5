"""Kamailio: a registrar and proxy nobody here wrote.

As a PBX it registers users itself: ``switch`` has the password ``PASSWORD`` and is asked for it,
for REGISTER and INVITE; everybody else is let in. As an edge it stands before the server: REGISTERs
go there with a Path (RFC 3327), and calls from there to the phones.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from . import processes

PASSWORD = "opensesame"

MODULES = """\
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
"""
"""What every proxy needs."""

IN_DIALOG = """\
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); } else if (is_method("ACK")) { t_relay(); }
        else { sl_send_reply("404", "Not here"); }
        exit;
    }
"""
"""What every proxy does with requests that belong to something it has seen."""

_CONFIG = """\
#!KAMAILIO
listen=udp:127.0.0.1:{port}
children=1
tcp_children=1
disable_tcp=yes
{modules}loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "kex.so"
loadmodule "path.so"
modparam("auth", "nonce_expire", {nonce_seconds})
modparam("auth", "qop", "auth")
modparam("registrar", "min_expires", {min_expires})
modparam("registrar", "max_expires", 3600)
modparam("usrloc", "timer_interval", 1)
modparam("path", "use_received", 0)
request_route {{
{in_dialog}    {edge}
    remove_hf("Route");
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if ($tU == "switch" && !pv_www_authenticate("kamailio", "{password}", "0")) {{
            www_challenge("kamailio", "1");
            exit;
        }}
        save("location");
        exit;
    }}
    if ($fU == "switch" && !pv_proxy_authenticate("kamailio", "{password}", "0")) {{
        proxy_challenge("kamailio", "1");
        exit;
    }}
    consume_credentials();
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    t_relay();
}}
"""

_EDGE = """
    if (is_method("REGISTER")) {{
        remove_hf("Route"); add_path(); $du = "sip:127.0.0.1:{port}"; t_relay(); exit;
    }}
    if ($sp == {port}) loose_route(); else $du = "sip:127.0.0.1:{port}";
    record_route();
    t_relay();
    exit;
"""


@dataclass(frozen=True, slots=True)
class Kamailio:
    """A running one."""

    port: int

    @property
    def uri(self) -> str:
        return f"sip:127.0.0.1:{self.port}"

    def user(self, name: str) -> str:
        """The address of record of one of its users."""
        return f"sip:{name}@127.0.0.1:{self.port}"


@asynccontextmanager
async def kamailio(
    folder: Path,
    *,
    port: int | None = None,
    nonce_seconds: int = 300,
    min_expires: int = 1,
    edge_of: int | None = None,
) -> AsyncIterator[Kamailio]:
    """Run it on loopback, all it writes in a folder of its own: as a PBX, or as the edge of a
    server on this port."""
    port = port or processes.free_port()
    config = _CONFIG.format(
        modules=MODULES,
        in_dialog=IN_DIALOG,
        port=port,
        nonce_seconds=nonce_seconds,
        min_expires=min_expires,
        password=PASSWORD,
        edge="" if edge_of is None else _EDGE.format(port=edge_of),
    )
    async with running(folder, config, port):
        yield Kamailio(port)


@asynccontextmanager
async def running(
    folder: Path, config: str, port: int, protocols: Sequence[str] = ("udp",)
) -> AsyncIterator[None]:
    """Run it with a configuration, until it is there by these protocols and then meanwhile."""
    processes.need("kamailio")
    _furnish(folder, config)
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
        try:
            for protocol in protocols:
                await processes.until_bound(port, protocol=protocol)
        except TimeoutError:
            raise AssertionError((folder / "log").read_text()) from None
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _furnish(folder: Path, config: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "kamailio.cfg").write_text(config)
