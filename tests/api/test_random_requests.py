"""Whatever is asked, the answer is the documented form, and never "internal error"."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookswitch.testing.server import RunningSwitch, run_switch

NAMES = [
    *("type", "to", "from", "id", "leg_id", "room_id", "role", "digits", "codec", "matrix"),
    *("updates", "listener_role", "sources", "mute", "deaf", "accept_dtmf", "sample_rate"),
    *("ring_timeout", "max_duration", "headers", "webhook_url", "app_id", "reason", "amd"),
    *("text", "rtt", "inband_dtmf"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["fake", "sip", "PCMU", "r", "x", "LEG", 16000, 0, "", "http://x", "\ud800", 10**30]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("fake"),
        "to": st.just("x"),
        "leg_id": st.just("LEG"),
        "digits": st.just("1"),
        "role": st.text(max_size=3),
        "id": st.sampled_from(["r", "x"]),
    },
)
BODIES = st.one_of(
    st.builds(lambda a, b: json.dumps(a | b).encode(), FIELDS, LIKELY),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=30),
)
IDS = st.sampled_from(["LEG", "r", "x", "%00", "..", "\u00e9", "%F0%9F%93%9E", "*"])


class Loop:
    """A server in an event loop that outlives single examples."""

    def __init__(self, path: Path) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.server: RunningSwitch = self.run(self._stack.enter_async_context(run_switch(path)))

    def run(self, work: Any) -> Any:
        return self._runner.run(work)

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path)
    yield loop
    for path in ("/v1/legs", "/v1/rooms"):
        loop.run(loop.server.ask("GET", path, status=200))
    loop.close()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_requests(loop: Loop, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(loop.server.switch.operations))
    path = "/v1/" + "/".join(
        data.draw(IDS) if part.startswith("{") else part
        for part in operation.path.strip("/").split("/")
    )
    loop.run(check(loop.server, operation.method, path, data.draw(BODIES)))


async def check(server: RunningSwitch, method: str, path: str, body: bytes) -> None:
    legs = list(server.switch.legs)
    leg_id = legs[0].id if legs else "nobody"
    answer = await server.http.request(
        method,
        path.replace("LEG", leg_id),
        content=body.replace(b'"LEG"', b'"%b"' % leg_id.encode()),
    )
    told = answer.json()
    if answer.is_success:
        for item in told if isinstance(told, list) else [told]:
            assert item["instance_id"] == "test-instance"
    else:
        assert told.keys() == {"instance_id", "error"}
        if answer.status_code == 500:
            assert "DTMF" in told["error"]
        assert answer.status_code in {400, 404, 405, 409, 500}
    for leg in server.switch.legs:
        if len(server.switch.legs) > 3:
            await server.ask("DELETE", f"/v1/legs/{leg.id}", status=202)
            await leg.ended.wait()
