"""Rooms over a bare WebSocket."""

from fastapi import APIRouter

from hookswitch.switch import Switch


def room_ws_routes(switch: Switch) -> APIRouter:
    """The route ``/rooms/{id}/ws``."""
    return APIRouter()
