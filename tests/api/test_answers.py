"""What all answers have in common: the stamp, the form of errors, the limits of bodies."""

from __future__ import annotations

import json

import pytest

from hookswitch.api.answers import MAX_BODY
from hookswitch.testing.server import RunningSwitch

HTTP_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


async def raw(server: RunningSwitch, body: bytes, path: str = "/v1/rooms") -> tuple[int, str]:
    answer = await server.http.post(path, content=body)
    told = answer.json()
    assert told["instance_id"] == "test-instance"
    return answer.status_code, told.get("error", "")


async def test_a_body_that_is_no_json_object_is_refused(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    for body in (
        b"{",
        b"{]",
        b"nonsense",
        b"'id'",
        b'{"id": "r",}',
        b"[]",
        b'"r"',
        b"5",
        b"null",
        b"[" * 100_000,
        b'{"id": "\xff"}',
        b"\xff\xfe{\x00",
        b'{"id": "\\ud800"}',
        b'{"app_id": "r\\udfff"}',
        b'{"\\ud800": 1}',
        b'{"id": "' + b"x" * MAX_BODY + b'"}',
    ):
        with subtests.test(body[:20].decode("latin-1")):
            status, error = await raw(running_switch, body)
            assert status == 400
            assert error.startswith("body: ")
    assert await running_switch.ask("GET", "/v1/rooms") == []


async def test_an_empty_body_is_an_empty_object(running_switch: RunningSwitch) -> None:
    for body in (b"", b"  \r\n"):
        assert (await raw(running_switch, body))[0] == 201


async def test_any_text_comes_back_as_it_was(running_switch: RunningSwitch) -> None:
    name = 'caf\u00e9 \u2028 \U0001f4de " \\ \x7f'
    room = await running_switch.ask("POST", "/v1/rooms", {"id": "r", "app_id": name})
    assert room["app_id"] == name
    assert (await running_switch.ask("GET", "/v1/rooms/r"))["app_id"] == name
    event = await running_switch.events.wait("room.created")
    assert event["app_id"] == name


async def test_a_path_that_is_none_is_not_found(running_switch: RunningSwitch) -> None:
    for path in ("/", "/v1", "/v2/legs", "/v1/v1/legs", "/legs/a/b/c"):
        assert path in await running_switch.problem(404, "GET", path)
    await running_switch.problem(404, "GET", "/v1/rooms/%00%ff")


async def test_a_wrong_method_says_which_are_right(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    paths: dict[str, set[str]] = {}
    for operation in running_switch.switch.operations:
        paths.setdefault(operation.path, set()).add(operation.method)
    for path, right in paths.items():
        where = "/v1" + path.replace("{", "").replace("}", "")
        for method in HTTP_METHODS - right:
            with subtests.test(f"{method} {path}"):
                answer = await running_switch.http.request(method, where)
                assert answer.status_code == 405
                assert answer.json().keys() == {"instance_id", "error"}
                assert set(answer.headers["allow"].split(", ")) == right


async def test_answers_are_compact_utf8_json(running_switch: RunningSwitch) -> None:
    answer = await running_switch.http.post("/v1/rooms", json={"id": "caf\u00e9"})
    assert answer.headers["content-type"] == "application/json"
    assert (
        answer.content
        == json.dumps(answer.json(), separators=(",", ":"), ensure_ascii=False).encode()
    )
