"""SIP legs: the plugin's hooks."""

from __future__ import annotations

from collections.abc import Sequence

from hookswitch.plugin import Operation, Settings, Switch, Transport, hookimpl
from hookswitch.settings import load

from .ladder.operation import ladder_operation
from .media import BANK
from .operations import leg_operations
from .registrations.operations import registration_operations
from .settings import SipSettings
from .transport import SipTransport
from .trunking.operations import trunk_operations


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
    if not isinstance(transport, SipTransport):
        return ()
    return [
        ladder_operation(transport.witness),
        *leg_operations(),
        *registration_operations(transport.registrations),
        *trunk_operations(transport.trunks, transport.settings),
    ]
