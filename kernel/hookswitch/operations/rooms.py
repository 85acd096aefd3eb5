"""Operations on rooms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, HttpUrl, ValidationInfo, field_validator

from hookswitch.errors import BadRequest
from hookswitch.events.record import WebhookTarget
from hookswitch.rooms.registry import Entrance

from .model import ApiModel
from .operation import Answer, Operation
from .views import room_view

if TYPE_CHECKING:
    from hookswitch.switch import Switch

Ids = Mapping[str, str]


class CreateRoom(ApiModel):
    """A room to open."""

    id: str | None = Field(None, max_length=200, description="Made up when absent")
    sample_rate: Literal[8000, 16000, 48000] | None = Field(
        None, description="Hz; default DEFAULT_SAMPLE_RATE"
    )
    app_id: str | None = Field(None, description="Carried through to the room's events")
    webhook_url: HttpUrl | None = Field(
        None, description="Where events go of the room, and of legs in it that have no webhook"
    )
    webhook_secret: str | None = Field(None, description="Signs what goes to webhook_url")


class AddLeg(ApiModel):
    """A leg to put into a room; what is given is applied before it enters the mix."""

    leg_id: str = Field(description="The leg")
    mute: bool | None = Field(None, description="Not heard by the others")
    deaf: bool | None = Field(None, description="Does not hear the others")
    accept_dtmf: bool | None = Field(None, description="Receives the others' digits")
    role: str | None = Field(None, description="Role in the room's routing")


class Routing(ApiModel):
    """A whole routing matrix."""

    matrix: dict[str, list[str]] = Field(description="Listener role -> source roles it hears")


class RoutingUpdate(ApiModel):
    """One row of a routing matrix."""

    listener_role: str = Field(description="The row")
    sources: list[str] | None = Field(None, description="What it hears; null takes the row away")


class Gain(ApiModel):
    """How one leg of a room hears another."""

    listener: str = Field(description="The leg that hears")
    source: str = Field(description="The leg that is heard")
    db: float = Field(ge=-96, le=24, description="How much louder, in dB")

    @field_validator("source")
    @classmethod
    def _is_another(cls, source: str, info: ValidationInfo) -> str:
        if source == info.data.get("listener"):
            raise ValueError("nobody hears itself")
        return source


class Gains(ApiModel):
    """All gains of a room; pairs that are not named hear each other as they are."""

    gains: list[Gain]


class RoutingUpdates(ApiModel):
    """Rows to change."""

    updates: list[RoutingUpdate]


async def create_room(switch: Switch, ids: Ids, request: CreateRoom) -> Answer:
    url = request.webhook_url
    target = WebhookTarget(str(url), request.webhook_secret) if url else None
    room = await switch.rooms.create(request.id, request.sample_rate, request.app_id, target)
    return room_view(room, switch.instance_id)


async def list_rooms(switch: Switch, ids: Ids, request: None) -> Answer:
    return [room_view(room, switch.instance_id) for room in switch.rooms]


async def get_room(switch: Switch, ids: Ids, request: None) -> Answer:
    return room_view(switch.rooms.get(ids["room_id"]), switch.instance_id)


async def delete_room(switch: Switch, ids: Ids, request: None) -> Answer:
    await switch.rooms.delete(ids["room_id"])
    return {"status": "deleted"}


async def add_leg(switch: Switch, ids: Ids, request: AddLeg) -> Answer:
    leg = switch.legs.find(request.leg_id)
    if leg is None:
        raise BadRequest(f"leg_id: leg {request.leg_id} not found")
    entrance = Entrance(request.mute, request.deaf, request.accept_dtmf, request.role)
    before = await switch.rooms.add(ids["room_id"], leg, entrance)
    if before is None:
        return {"status": "added"}
    return {"status": "moved", "from": before, "to": ids["room_id"]}


async def remove_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    switch.rooms.get(ids["room_id"])
    await switch.rooms.remove(ids["room_id"], switch.legs.get(ids["leg_id"]))
    return {"status": "removed"}


async def get_routing(switch: Switch, ids: Ids, request: None) -> Answer:
    room = switch.rooms.get(ids["room_id"])
    return {"matrix": {listener: list(sources) for listener, sources in room.matrix.items()}}


async def put_routing(switch: Switch, ids: Ids, request: Routing) -> Answer:
    matrix = {listener: tuple(sources) for listener, sources in request.matrix.items()}
    await switch.rooms.route(ids["room_id"], matrix, "replaced")
    return await get_routing(switch, ids, None)


async def patch_routing(switch: Switch, ids: Ids, request: RoutingUpdates) -> Answer:
    updates = {update.listener_role: update.sources for update in request.updates}
    await switch.rooms.reroute(ids["room_id"], updates, "updated")
    return await get_routing(switch, ids, None)


async def get_gains(switch: Switch, ids: Ids, request: None) -> Answer:
    gains = switch.rooms.get(ids["room_id"]).gains
    return {"gains": [{"listener": a, "source": b, "db": db} for (a, b), db in gains.items()]}


async def put_gains(switch: Switch, ids: Ids, request: Gains) -> Answer:
    gains = {(gain.listener, gain.source): float(gain.db) for gain in request.gains}
    await switch.rooms.set_gains(ids["room_id"], gains)
    return await get_gains(switch, ids, None)


_NOT_FOUND = {404: "Room not found"}


def room_operations() -> list[Operation]:
    """All of them."""
    room = "/rooms/{room_id}"
    return [
        Operation("create_room", "POST", "/rooms", create_room, "Open a room", CreateRoom, 201,
                  {409: "The id is taken"}, "rooms"),
        Operation("list_rooms", "GET", "/rooms", list_rooms, "List all rooms", tag="rooms"),
        Operation("get_room", "GET", room, get_room, "Get a room", errors=_NOT_FOUND, tag="rooms"),
        Operation("delete_room", "DELETE", room, delete_room,
                  "Close a room and hang up its participants", errors=_NOT_FOUND, tag="rooms"),
        Operation("add_leg_to_room", "POST", f"{room}/legs", add_leg,
                  "Put a leg into a room, which is created if it does not exist", AddLeg,
                  tag="rooms"),
        Operation("remove_leg_from_room", "DELETE", f"{room}/legs/{{leg_id}}", remove_leg,
                  "Take a leg out of a room", errors={404: "Not in this room"}, tag="rooms"),
        Operation("get_room_routing", "GET", f"{room}/routing", get_routing,
                  "Get a room's routing matrix", errors=_NOT_FOUND, tag="rooms"),
        Operation("set_room_routing", "PUT", f"{room}/routing", put_routing,
                  "Replace a room's routing matrix", Routing, errors=_NOT_FOUND, tag="rooms"),
        Operation("update_room_routing", "PATCH", f"{room}/routing", patch_routing,
                  "Change rows of a room's routing matrix", RoutingUpdates, errors=_NOT_FOUND,
                  tag="rooms"),
        Operation("get_room_gains", "GET", f"{room}/gains", get_gains,
                  "Get how loud legs of a room hear each other", errors=_NOT_FOUND, tag="rooms"),
        Operation("set_room_gains", "PUT", f"{room}/gains", put_gains,
                  "Set how loud legs of a room hear each other", Gains, errors=_NOT_FOUND,
                  tag="rooms"),
    ]  # fmt: skip
