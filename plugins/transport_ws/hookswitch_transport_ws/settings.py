"""What the plugin reads from the environment."""

from __future__ import annotations

from pydantic import Field

from hookswitch.plugin import Settings


class WebSocketSettings(Settings):
    """Settings of WebSocket legs."""

    ws_ping_interval: float = Field(
        30.0, gt=0, description="Seconds between two pings to the peer of a WebSocket leg"
    )
    ws_ping_timeout: float = Field(
        10.0, gt=0, description="Seconds after a ping without any sign of life until `timeout`"
    )
    ws_backlog: float = Field(
        5.0, gt=0, le=60, description="Seconds of audio a peer may leave unread until `peer_slow`"
    )
