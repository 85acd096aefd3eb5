"""Settings from the environment: each declared once, as a field.

The kernel's are below; a plugin declares its own class the same way and offers it by the hook
`register_settings`. A field `http_addr` is the variable HTTP_ADDR. An empty variable is an unset
one.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class SettingsError(Exception):
    """A variable of the environment cannot be used; the message names it."""


S = TypeVar("S", bound="Settings")


class Settings(BaseSettings):
    """Base of all settings classes."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, case_sensitive=False, extra="ignore", frozen=True
    )


def comma_separated(text: Any) -> Any:
    """``a, b`` as a tuple of strings."""
    if isinstance(text, str):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def number(text: Any) -> Any:
    """``8000`` as a number; choices among numbers are not read from text otherwise."""
    return int(text) if isinstance(text, str) and text.strip().isdecimal() else text


def host_port(text: str) -> str:
    """Check a ``host:port`` (``[::1]:8080``, ``:8080`` for all addresses)."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:8080")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("an IPv6 address stands in brackets, such as [::1]:8080")
    return text


def origins(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Check that each part is an origin of a web page, or ``*``."""
    for part in parts:
        if part != "*" and not re.fullmatch(r"https?://[^/\s]+", part):
            raise ValueError(f"{part!r} is no origin, such as https://app.example.com")
    return parts


def host_names(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Check that each part is the name of a host, or ``*``."""
    for part in parts:
        if part != "*" and not re.fullmatch(r"[\w.-]+", part):
            raise ValueError(f"{part!r} is no name of a host, such as voice.example.com")
    return parts


def networks(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Check that each part is an IP address or a CIDR network."""
    for part in parts:
        ipaddress.ip_network(part, strict=False)
    return parts


def web_address(text: str) -> str:
    """Check an http:// or https:// URL; empty is none."""
    try:
        if text:
            TypeAdapter(HttpUrl).validate_python(text)
    except ValidationError:
        raise ValueError("must be an http:// or https:// URL") from None
    return text


def _data_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "hookswitch"


def _media_workers() -> int:
    return max((os.cpu_count() or 2) - 1, 1)


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(comma_separated)]


class KernelSettings(Settings):
    """What the kernel itself reads."""

    instance_id: str = Field("", description="Name of this server in events and answers; made up "
                             "once and kept in DATA_DIR when empty")  # fmt: skip
    http_addr: Annotated[str, AfterValidator(host_port)] = Field(
        "127.0.0.1:8080", description="Address and port of the REST API"
    )
    data_dir: Path = Field(
        default_factory=_data_dir,
        description="Folder for what must survive a restart: events, instance id; default "
        "$XDG_STATE_HOME/hookswitch, that is ~/.local/state/hookswitch",
    )
    media_workers: int = Field(
        default_factory=_media_workers,
        ge=0,
        le=256,
        description="Processes that mix audio; default cores - 1; 0 mixes inside the API's process",
    )
    default_sample_rate: Annotated[Literal[8000, 16000, 48000], BeforeValidator(number)] = Field(
        16000, description="Sampling rate in Hz of rooms created without one"
    )
    comfort_noise_enabled: bool = Field(
        True, description="Send noise of about -75 dBFS where there would be digital silence"
    )
    speech_detection_enabled: bool = Field(
        False, description="Emit speaking.started and speaking.stopped unless a leg says otherwise"
    )
    speech_hangover_ms: int = Field(
        400, ge=20, le=10_000, description="Silence after which somebody has stopped to speak"
    )
    rtt_enabled: bool = Field(True, description="Take and send real-time text; false refuses it")
    media_dir: Path | None = Field(
        None, description="Folder below which file: URLs may be played; empty: nowhere"
    )
    play_url_deny: Annotated[CommaSeparated, AfterValidator(networks)] = Field(
        ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"),
        description="IPs and CIDRs that what is played must not come from; default: link-local "
        "and metadata addresses",
    )
    play_max_bytes: int = Field(
        1 << 30, gt=0, description="Size of the largest file that is fetched to be played"
    )
    play_timeout: float = Field(
        10.0, gt=0, description="Seconds to connect to a file's server, or between two pieces of it"
    )
    play_cache_bytes: int = Field(
        1 << 30, ge=0, description="Size of the cache of played files, in DATA_DIR/play"
    )
    recording_dir: Path = Field(
        Path("/tmp/recordings"), description="Folder of recordings; staged and published there"
    )
    webhook_url: Annotated[str, AfterValidator(web_address)] = Field(
        "", description="Where events go that no leg or room claims"
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signs what goes to WEBHOOK_URL (X-Signature-256)"
    )
    webhook_max_age: float = Field(
        86400.0, gt=0, description="Seconds an undelivered event is retried before it is given up"
    )
    vsi_event_buffer_size: int = Field(
        256, ge=1, description="Events held for one slow reader of the event stream"
    )
    vsi_replay_events: int = Field(
        10_000, ge=0, description="Events kept on disk for readers that come back (?after=)"
    )
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Callers then need one: name:secret[:read|control], comma-separated",
    )
    api_open: bool = Field(
        False, description="Serve a public address although anybody may then call the API"
    )
    allowed_ips: Annotated[CommaSeparated, AfterValidator(networks)] = Field(
        (), description="IPs and CIDRs that may connect; empty: all"
    )
    trust_proxy_headers: bool = Field(
        False, description="Take the caller's address from X-Forwarded-For (behind a proxy only)"
    )
    cors_origins: Annotated[CommaSeparated, AfterValidator(origins)] = Field(
        (), description="Origins of web pages that may call the API; * for any"
    )
    http_hosts: Annotated[CommaSeparated, AfterValidator(host_names)] = Field(
        (),
        description="Names, beside localhost, that callers may know this server by while no "
        "API_KEYS are set; * for any",
    )
    recording_keep_local: bool = Field(
        False, description="Keep a recording's local file when it was stored elsewhere (S3)"
    )
    drain_timeout: float = Field(
        30.0, ge=0, description="Seconds that running calls are given when the server stops"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged; digits and event payloads only at debug"
    )


def load(cls: type[S]) -> S:
    """Read a settings class from the environment. Raises SettingsError naming the variable."""
    try:
        return cls()
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(item) for item in error.errors())) from None


def _problem(item: ErrorDetails) -> str:
    """One thing that is wrong; a check of several variables names them itself."""
    message = item["msg"].removeprefix("Value error, ")
    return f"{str(item['loc'][0]).upper()}: {message}" if item["loc"] else message
