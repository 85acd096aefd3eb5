"""Who may call: addresses, and keys with what each allows."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from hookswitch.settings import KernelSettings, SettingsError, comma_separated

SCOPES = ("read", "control")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller's key. ``scope`` read allows looking, control everything."""

    name: str
    secret: str
    scope: str = "control"


def parse_keys(setting: SecretStr) -> tuple[ApiKey, ...]:
    """Keys from ``name:secret[:read|control]``, comma-separated. Raises SettingsError."""
    keys: list[ApiKey] = []
    for text in comma_separated(setting.get_secret_value()):
        name, _, rest = text.partition(":")
        secret, _, scope = rest.partition(":")
        if not name or not secret or (scope or "control") not in SCOPES:
            raise SettingsError(
                "API_KEYS: each key is name:secret, name:secret:read or name:secret:control"
            )
        if name in (key.name for key in keys):
            raise SettingsError(f"API_KEYS: two keys are named {name}")
        keys.append(ApiKey(name, secret, scope or "control"))
    return tuple(keys)


def key_for(keys: Sequence[ApiKey], secret: str) -> ApiKey | None:
    """The key with this secret; every one is compared, so that time tells nothing."""
    found = None
    for key in keys:
        if hmac.compare_digest(key.secret.encode(), secret.encode("utf-8", "replace")):
            found = key
    return found


class AllowedAddresses:
    """Addresses that may connect; with none listed, all may."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._networks = [_unmapped(ipaddress.ip_network(text, strict=False)) for text in texts]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _unmapped(network: Network) -> Network:
    """An IPv4 network that is written as IPv6 (``::ffff:10.0.0.0/104``) as what it is."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        address = network.network_address.ipv4_mapped
        if address is not None:
            return ipaddress.IPv4Network((address, network.prefixlen - 96))
    return network


def check_exposure(settings: KernelSettings) -> None:
    """Raise SettingsError where anybody on the network could call the API unasked."""
    host = settings.http_addr.rpartition(":")[0].strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if (
        loopback
        or settings.api_keys.get_secret_value()
        or settings.allowed_ips
        or settings.api_open
    ):
        return
    raise SettingsError(
        f"HTTP_ADDR: {settings.http_addr} can be reached from outside and anybody could place "
        "calls; set API_KEYS or ALLOWED_IPS (or API_OPEN=true if that is what you want)"
    )
