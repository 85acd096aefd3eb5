"""WebSockets that cannot be served: an unknown path, text that is none."""

from __future__ import annotations

import json
import logging

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hookswitch.testing.server import RunningSwitch


async def test_an_unknown_path_is_answered_like_any_other_error(
    running_switch: RunningSwitch,
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://{running_switch.address}/v1/nowhere"):
            pass
    assert refused.value.response.status_code == 404
    body = json.loads(refused.value.response.body or b"")
    assert body["instance_id"] == running_switch.switch.instance_id
    assert "/v1/nowhere" in body["error"]


async def test_text_that_is_no_utf8_closes_the_connection_with_one_line_in_the_log(
    running_switch: RunningSwitch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with connect(f"ws://{running_switch.address}/v1/vsi") as stream:
            await stream.send(b"\xff\xfe", text=True)
            await stream.wait_closed()
    assert stream.close_code == 1007
    lines = [record for record in caplog.records if "UTF-8" in record.getMessage()]
    assert len(lines) == 1
    assert not any(record.exc_info for record in caplog.records)
