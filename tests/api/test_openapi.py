"""The API describes itself, wholly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from hookswitch.testing.server import RunningSwitch


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


async def test_it_can_be_read_by_people(running_switch: RunningSwitch) -> None:
    page = await running_switch.http.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text
