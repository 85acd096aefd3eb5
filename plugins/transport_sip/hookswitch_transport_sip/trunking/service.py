"""All trunks of the server."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator

from hookswitch.plugin import NotFound, Switch
from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.signalling.driver import Signalling
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.store import SipStore
from hookswitch_transport_sip.trunks.config import Account, Peer, TrunkConfig

from .account import AccountTrunk
from .peer import PeerTrunk
from .trunk import Surroundings, Trunk

log = logging.getLogger(__name__)

FAREWELL = 2.0
"""Seconds that registrars are given to take note of our end."""


class Trunks:
    """Created and deleted by the application, kept on disk. `start` when SIP runs, `stop` before
    it ends."""

    def __init__(self, switch: Switch, settings: SipSettings, store: SipStore) -> None:
        self._switch, self._settings, self._store = switch, settings, store
        self._around: Surroundings
        self._trunks: dict[str, Trunk] = {}
        self._leaving: set[Trunk] = set()

    def __iter__(self) -> Iterator[Trunk]:
        return iter(list(self._trunks.values()))

    # -- life

    def start(self, signalling: Signalling) -> None:
        """Take over what an earlier run has kept, and register."""
        offset = time.time() - signalling.now()
        self._around = Surroundings(self._switch, self._settings, signalling, offset)
        for trunk_id, packed in self._store.load("trunks").items():
            try:
                self._begin(TrunkConfig.unpack(trunk_id, packed))
            except (KeyError, TypeError, ValueError) as error:
                log.error("trunk %s cannot be read: %s", trunk_id, error)

    async def stop(self) -> None:
        """Unregister, as far as there is somebody to answer."""
        leaving = {*self._trunks.values(), *self._leaving}
        for trunk in self._trunks.values():
            trunk.stop()
        waiting = [asyncio.create_task(trunk.gone.wait()) for trunk in leaving]
        if waiting:
            await asyncio.wait(waiting, timeout=FAREWELL)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for trunk in leaving:
            trunk.close()
            trunk.gone.set()

    # -- what is asked of it

    async def create(self, kind: Account | Peer, app_id: str | None) -> Trunk:
        """Add a trunk; it registers in the background."""
        config = TrunkConfig(str(uuid.uuid4()), kind, time.time(), app_id)
        await self._store.write("trunks", [(config.id, config.pack())])
        return self._begin(config)

    async def delete(self, trunk_id: str) -> None:
        """Take a trunk away; it unregisters in the background. Raises NotFound."""
        trunk = self.get(trunk_id)
        del self._trunks[trunk_id]
        await self._store.write("trunks", [(trunk_id, None)])
        self._leaving.add(trunk)
        trunk.stop()
        self._switch.spawn(self._see_off(trunk))

    def get(self, trunk_id: str) -> Trunk:
        """A trunk by its id. Raises NotFound."""
        if trunk_id not in self._trunks:
            raise NotFound(f"trunk {trunk_id} not found")
        return self._trunks[trunk_id]

    def of_caller(self, name: str | None) -> Trunk | None:
        """The trunk that calls as somebody: an address of record, or its user part."""
        accounts = [t for t in self if isinstance(t, AccountTrunk) and t.is_active]
        named = (t for t in accounts if name is not None and name in (str(t.aor), t.user))
        return next(named, None)

    def of_source(self, source: Hop, request: Request) -> str | None:
        """The id of the trunk an INVITE comes from, None if it comes from none."""
        there = [trunk for trunk in self if trunk.is_at(source.host)]
        if len(there) > 1:
            there = [trunk for trunk in there if trunk.is_for(request)] or there[:1]
        return there[0].config.id if there else None

    def has_host(self, host: str) -> bool:
        """Whether a trunk is at this address."""
        return any(trunk.is_at(host) for trunk in self)

    # -- within

    def _begin(self, config: TrunkConfig) -> Trunk:
        kind = config.kind
        trunk: Trunk
        if isinstance(kind, Account):
            trunk = AccountTrunk(config, kind, self._around)
        else:
            trunk = PeerTrunk(config, kind, self._around)
        self._trunks[config.id] = trunk
        trunk.start()
        return trunk

    async def _see_off(self, trunk: Trunk) -> None:
        await trunk.gone.wait()
        self._leaving.discard(trunk)
