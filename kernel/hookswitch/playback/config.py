"""How the player is to work, from the settings."""

from __future__ import annotations

from hookswitch.settings import KernelSettings

from .messages import PlayerConfig


def player_config(settings: KernelSettings) -> PlayerConfig:
    """What the environment says."""
    return PlayerConfig(
        media_dir=settings.media_dir,
        deny=settings.play_url_deny,
        max_bytes=settings.play_max_bytes,
        timeout_s=settings.play_timeout,
        cache_dir=settings.data_dir / "play",
        cache_bytes=settings.play_cache_bytes,
    )
