"""The API describes itself, wholly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from hookswitch.testing.server import RunningSwitch, run_switch


async def document(server: RunningSwitch) -> Any:
    return await server.ask("GET", "/openapi.json", status=200)


async def test_it_is_a_valid_document(running_switch: RunningSwitch) -> None:
    validate(await document(running_switch))


async def test_every_operation_is_in_it_once(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    paths = (await document(running_switch))["paths"]
    for operation in running_switch.switch.operations:
        with subtests.test(operation.command):
            described = paths[f"/v1{operation.path}"][operation.method.lower()]
            assert described["summary"] == operation.summary
            assert described["tags"] == [operation.tag]
            statuses = {str(operation.status), "400", *map(str, operation.errors)}
            assert set(described["responses"]) == statuses
            ids = [p["name"] for p in described.get("parameters", []) if p["in"] == "path"]
            assert ids == re.findall(r"{(\w+)}", operation.path)
            assert ("requestBody" in described) == (operation.request is not None)
    assert all(path.startswith(("/v1/", "/healthz", "/readyz", "/metrics")) for path in paths)
    names = [op["operationId"] for path in paths.values() for op in path.values()]
    assert len(names) == len(set(names))


async def test_every_reference_leads_somewhere(running_switch: RunningSwitch) -> None:
    described = await document(running_switch)
    found = set(references(described))
    assert "#/components/schemas/CreateFakeLeg" in found
    for reference in found:
        target = described
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


async def test_fields_are_described_under_the_names_they_are_sent_by(
    running_switch: RunningSwitch,
) -> None:
    schema = (await document(running_switch))["components"]["schemas"]["CreateFakeLeg"]
    assert {"type", "to", "from", "ring_timeout", "room_id", "webhook_url"} <= set(
        schema["properties"]
    )
    assert schema["required"] == ["type", "to"]
    assert all("description" in field for name, field in schema["properties"].items()
               if name != "type")  # fmt: skip


SOCKETS = {"/vsi": {"app_id", "after"}, "/rooms/{room_id}/ws": {"room_id"}}


async def test_websockets_are_in_it(running_switch: RunningSwitch) -> None:
    paths = (await document(running_switch))["paths"]
    for path, parameters in SOCKETS.items():
        described = paths[f"/v1{path}"]["get"]
        assert {"101", "426"} <= set(described["responses"])
        assert {parameter["name"] for parameter in described["parameters"]} == parameters
        assert {"key_in_query": []} in described["security"]


async def test_who_forgets_to_upgrade_is_told(running_switch: RunningSwitch) -> None:
    for path in SOCKETS:
        for prefix in ("", "/v1"):
            where = prefix + path.format(room_id="r")
            assert path in await running_switch.problem(426, "GET", where)
            answer = await running_switch.http.get(where)
            assert answer.headers["upgrade"] == "websocket"
            assert answer.headers["connection"] == "Upgrade"


async def test_refusals_of_new_calls_are_in_it(running_switch: RunningSwitch) -> None:
    paths = (await document(running_switch))["paths"]
    for path, method in (
        ("/readyz", "get"),
        ("/v1/legs", "post"),
        ("/v1/rooms/{room_id}/ws", "get"),
    ):
        refusal = paths[path][method]["responses"]["503"]
        assert refusal["content"]["application/json"]["schema"]["$ref"].endswith("/Error")


@pytest.mark.parametrize("keys", ["", "ops:s3cret"])
async def test_keys_are_in_it(tmp_path: Path, keys: str) -> None:
    async with run_switch(tmp_path, api_keys=keys) as server:
        described = await document(server)
    schemes = described["components"]["securitySchemes"]
    assert (schemes["key"]["type"], schemes["key"]["scheme"]) == ("http", "bearer")
    assert (schemes["key_in_query"]["in"], schemes["key_in_query"]["name"]) == ("query", "api_key")
    assert described["security"] == ([{"key": []}] if keys else [{"key": []}, {}])
    for path in ("/healthz", "/readyz"):
        assert described["paths"][path]["get"]["security"] == []
    assert "security" not in described["paths"]["/metrics"]["get"]


async def test_it_can_be_read_by_people_without_a_key_and_without_the_internet(
    tmp_path: Path,
) -> None:
    async with run_switch(tmp_path, api_keys="ops:s3cret") as server:
        page = await server.http.get("/docs")
        assert page.status_code == 200
        assert "/openapi.json" in page.text
        assets = re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text)
        assert {asset.rpartition(".")[2] for asset in assets} == {"js", "css", "png"}
        for asset in assets:
            assert asset.startswith("/docs/assets/")
            answer = await server.http.get(asset)
            assert answer.status_code == 200, asset
            assert len(answer.content) > 1000
        assert "//cdn" not in page.text
        for above in ("/docs/assets/../../v1/rooms", "/docs/assets/%2e%2e/%2e%2e/v1/rooms"):
            answer = await server.http.get(f"http://{server.address}{above}")
            assert answer.status_code in (401, 404)
