"""A call that takes the place of another (RFC 3891): what it inherits."""

from __future__ import annotations

from dataclasses import replace

from hookswitch.plugin import Leg, LegOptions


def replacement_options(own: LegOptions, replaced: Leg) -> LegOptions:
    """How the new leg is to be: as the old one is now, in its room."""
    before = replaced.options
    return replace(
        own,
        app_id=replaced.app_id,
        room_id=replaced.room_id or replaced.pending_room,
        webhook=before.webhook,
        accept_dtmf=replaced.accept_dtmf,
        accept_text=replaced.accept_text,
        speech_detection=before.speech_detection,
        max_duration=before.max_duration,
        role=replaced.role,
        muted=replaced.muted,
        deaf=replaced.deaf,
        gain_db=replaced.gain_db,
    )
