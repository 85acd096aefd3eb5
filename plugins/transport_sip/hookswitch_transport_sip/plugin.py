"""SIP legs: the plugin's hooks."""

from __future__ import annotations

from collections.abc import Sequence

from hookswitch.plugin import Operation, Settings, Switch, Transport, hookimpl
from hookswitch.settings import load

from .ladder.operation import ladder_operation
from .media import BANK
from .settings import SipSettings
from .transport import SipTransport


@hookimpl
def register_settings() -> type[Settings]:
    return SipSettings


@hookimpl
def register_banks() -> Sequence[str]:
    return (BANK,)


@hookimpl
def register_transports(switch: Switch) -> Sequence[Transport]:
    return (SipTransport(switch, load(SipSettings)),)


@hookimpl
def register_operations(switch: Switch) -> Sequence[Operation]:
    transport = switch.transports.get("sip")
    return (ladder_operation(transport.witness),) if isinstance(transport, SipTransport) else ()
