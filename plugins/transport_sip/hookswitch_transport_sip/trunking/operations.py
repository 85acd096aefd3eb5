"""Operations on trunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from hookswitch.plugin import ApiModel, BadRequest, Operation, Switch
from hookswitch_transport_sip.registrations.views import rfc3339
from hookswitch_transport_sip.settings import LONGEST, SipSettings, outbound_proxy
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.trunks.config import Account, Peer

from .service import Trunks
from .trunk import Trunk

Answer = Mapping[str, Any]
Ids = Mapping[str, str]


def sip_uri(text: str) -> str:
    """Check the URI of a server or proxy."""
    try:
        uri = Uri.parse(text)
    except ParseError as error:
        raise ValueError(f"must be a SIP URI, such as sip:pbx.example.com ({error.what})") from None
    if not uri.is_sip or uri.headers:
        raise ValueError("must be a SIP URI, such as sip:pbx.example.com")
    return text


def user_uri(text: str) -> str:
    """Check the URI of a user."""
    if not Uri.parse(sip_uri(text)).user:
        raise ValueError("must name a user, such as sip:alice@pbx.example.com")
    return text


SipUri = Annotated[str, AfterValidator(sip_uri)]
UserUri = Annotated[str, AfterValidator(user_uri)]


class RegisterAt(ApiModel):
    """Where we register, as whom, and by which password."""

    registrar_uri: SipUri = Field(description="The registrar, such as sip:pbx.example.com:5060")
    aor: UserUri = Field(description="Whom we register and call as: sip:alice@pbx.example.com")
    username: str | None = Field(None, description="Digest user name; default the user of aor")
    password: str = Field(description="Digest password; never shown again")
    contact_user: str | None = Field(
        None, description="User part calls to us arrive for; default the user of aor"
    )
    expires_seconds: int | None = Field(
        None,
        ge=1,
        le=LONGEST,
        description="Asked for; default SIP_OUTBOUND_REGISTRATION_DEFAULT_EXPIRES_SECONDS",
    )
    outbound_proxy: SipUri | None = Field(
        None, description="Where REGISTERs and calls are sent; default SIP_OUTBOUND_PROXY"
    )

    def account(self, settings: SipSettings) -> Account:
        """The trunk this describes."""
        aor = Uri.parse(self.aor)
        user = aor.username or ""
        return Account(
            registrar=replace(Uri.parse(self.registrar_uri), user=None, password=None),
            aor=aor,
            username=self.username or user,
            password=self.password,
            expires=self.expires_seconds
            or settings.sip_outbound_registration_default_expires_seconds,
            contact_user=self.contact_user or user,
            outbound_proxy=self._proxy(settings.sip_outbound_proxy),
        )

    def _proxy(self, default: str) -> Uri | None:
        if self.outbound_proxy is not None:
            return Uri.parse(self.outbound_proxy)
        return outbound_proxy(default).uri if default else None


class PeerAt(ApiModel):
    """Who is there without registering."""

    addresses: list[SipUri] = Field(
        min_length=1, max_length=20, description="SIP URIs in the order in which they are called"
    )
    options_interval_seconds: float = Field(
        30.0, ge=0, le=3600, description="Time between OPTIONS; 0 sends none"
    )
    domain: str | None = Field(
        None, pattern=r"^[A-Za-z0-9.:\[\]_-]+$", description="Of the From of calls; default ours"
    )
    username: str | None = Field(None, description="Digest user name, if it asks for a password")
    password: str = Field("", description="Digest password; never shown again")

    def peer(self) -> Peer:
        """The trunk this describes."""
        addresses = tuple(dict.fromkeys(map(Uri.parse, self.addresses)))
        return Peer(
            addresses, self.options_interval_seconds, self.domain, self.username, self.password
        )


class CreateTrunk(ApiModel):
    """A trunk to set up."""

    type: Literal["sip_register", "peer"] = Field(description="Kind of trunk")
    sip_register: RegisterAt | None = Field(None, description="Required for type sip_register")
    peer: PeerAt | None = Field(None, description="Required for type peer")
    app_id: str | None = Field(None, description="Carried through to the trunk's events")

    def kind(self, settings: SipSettings) -> Account | Peer:
        """What it describes. Raises BadRequest."""
        if self.type == "sip_register" and self.sip_register is not None:
            return self.sip_register.account(settings)
        if self.type == "peer" and self.peer is not None:
            return self.peer.peer()
        raise BadRequest(f"{self.type}: required for this type")


def trunk_operations(trunks: Trunks, settings: SipSettings) -> Sequence[Operation]:
    """All of them."""

    async def create_trunk(switch: Switch, ids: Ids, request: CreateTrunk) -> Answer:
        trunk = await trunks.create(request.kind(settings), request.app_id)
        return {name: trunk_view(trunk)[name] for name in ("id", "type", "status")}

    async def list_trunks(switch: Switch, ids: Ids, request: None) -> Answer:
        return {"trunks": [trunk_view(trunk) for trunk in trunks]}

    async def get_trunk(switch: Switch, ids: Ids, request: None) -> Answer:
        return trunk_view(trunks.get(ids["id"]))

    async def delete_trunk(switch: Switch, ids: Ids, request: None) -> Answer:
        await trunks.delete(ids["id"])
        return {"status": "deleted"}

    one, unknown = "/sip/trunks/{id}", {404: "Trunk not found"}
    return [
        Operation("create_sip_trunk", "POST", "/sip/trunks", create_trunk,
                  "Set up a trunk: register with a PBX, or name a peer", CreateTrunk, 202,
                  tag="sip"),
        Operation("list_sip_trunks", "GET", "/sip/trunks", list_trunks, "List all trunks",
                  tag="sip"),
        Operation("get_sip_trunk", "GET", one, get_trunk, "Get a trunk", errors=unknown,
                  tag="sip"),
        Operation("delete_sip_trunk", "DELETE", one, delete_trunk,
                  "Take a trunk away, and unregister", None, 202, unknown, tag="sip"),
    ]  # fmt: skip


def trunk_view(trunk: Trunk) -> Answer:
    """A trunk, without its secrets."""
    config = trunk.config
    view = {
        "id": config.id,
        "type": config.type,
        "app_id": config.app_id,
        "created_at": rfc3339(config.created_at),
        **trunk.view(),
    }
    return {name: value for name, value in view.items() if value is not None}
