"""The door: addresses, keys, proxies, browsers from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hookswitch.api.keys import AllowedAddresses, ApiKey, check_exposure, key_for, parse_keys
from hookswitch.settings import KernelSettings, SettingsError
from hookswitch.testing.server import RunningSwitch, run_switch

KEYS = "eye:look:read,hand:touch,full:all:control"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def status(server: RunningSwitch, method: str, path: str, secret: str | None) -> int:
    headers = {} if secret is None else bearer(secret)
    return (await server.http.request(method, path, headers=headers)).status_code


async def upgrade(server: RunningSwitch, **query: str) -> int:
    try:
        async with server.vsi(**query):
            return 101
    except InvalidStatus as refused:
        body = json.loads(refused.response.body)
        return refused.response.status_code if body["error"] else 0


async def test_keys_open_what_they_are_for(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with run_switch(tmp_path, api_keys=KEYS) as server:
        for path in ("/v1/rooms", "/rooms"):
            for method, secret, expected in (
                ("GET", None, 401),
                ("GET", "wrong", 401),
                ("GET", "look", 200),
                ("GET", "touch", 200),
                ("GET", "all", 200),
                ("POST", None, 401),
                ("POST", "look", 403),
                ("POST", "touch", 201),
                ("POST", "all", 201),
                ("DELETE", "look", 403),
            ):
                with subtests.test(f"{method} {path} {secret}"):
                    assert await status(server, method, path, secret) == expected


async def test_a_refusal_has_the_form_of_all_errors(tmp_path: Path) -> None:
    async with run_switch(tmp_path, api_keys=KEYS) as server:
        assert "API key" in await server.problem(401, "GET", "/v1/rooms")
        answer = await server.http.get("/v1/rooms")
        assert answer.headers["www-authenticate"] == "Bearer"
        answer = await server.http.post("/v1/rooms", headers=bearer("look"))
        assert answer.json() == {
            "instance_id": "test-instance",
            "error": "key eye may only read",
        }


async def test_what_is_open_without_a_key(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with run_switch(tmp_path, api_keys=KEYS) as server:
        for path, expected in (
            ("/healthz", 200),
            ("/readyz", 200),
            ("/docs", 200),
            ("/openapi.json", 200),
            ("/metrics", 401),
            ("/nowhere", 401),
        ):
            with subtests.test(path):
                assert await status(server, "GET", path, None) == expected
        assert await status(server, "GET", "/metrics", "look") == 200


async def test_a_key_in_the_query_is_for_websockets_only(tmp_path: Path) -> None:
    async with run_switch(tmp_path, api_keys=KEYS) as server:
        assert await status(server, "GET", "/v1/rooms?api_key=touch", None) == 401
        assert await upgrade(server) == 401
        assert await upgrade(server, api_key="wrong") == 401
        assert await upgrade(server, api_key="look") == 101
        assert await upgrade(server, api_key="touch") == 101


async def test_a_read_key_opens_no_socket_that_speaks(tmp_path: Path) -> None:
    async with run_switch(tmp_path, api_keys=KEYS) as server:
        await server.http.post("/v1/rooms", json={"id": "r"}, headers=bearer("touch"))
        path = f"http://{server.address}/v1/rooms/r/ws?api_key="
        upgrade_headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
        }
        answer = await server.http.get(path + "look", headers=upgrade_headers)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (["127.0.0.1"], 200),
        (["127.0.0.0/8", "10.0.0.0/8"], 200),
        (["::ffff:127.0.0.1", "::1"], 200),
        (["10.0.0.0/8"], 403),
        (["::1"], 403),
    ],
)
async def test_only_allowed_addresses_come_in(
    tmp_path: Path, allowed: list[str], expected: int
) -> None:
    async with run_switch(tmp_path, allowed_ips=",".join(allowed)) as server:
        for path in ("/v1/rooms", "/metrics", "/healthz", "/docs"):
            assert await status(server, "GET", path, None) == expected, path
        assert await upgrade(server) == (101 if expected == 200 else 403)


@pytest.mark.parametrize(
    ("trust", "forwarded", "expected"),
    [
        (False, None, 403),
        (False, "10.0.0.1", 403),
        (True, None, 403),
        (True, "10.0.0.1", 200),
        (True, "192.0.2.1, 10.0.0.1", 200),
        (True, "10.0.0.1, 192.0.2.1", 403),  # the last is the one our proxy saw
        (True, "nonsense", 403),
    ],
)
async def test_a_proxys_word_counts_only_if_it_is_trusted(
    tmp_path: Path, trust: bool, forwarded: str | None, expected: int
) -> None:
    options = {"allowed_ips": "10.0.0.0/8", "trust_proxy_headers": trust}
    async with run_switch(tmp_path, **options) as server:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        answer = await server.http.get("/v1/rooms", headers=headers)
        assert answer.status_code == expected


ORIGIN = "https://app.example.com"


async def preflight(server: RunningSwitch) -> httpx.Response:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    return await server.http.options("/v1/rooms", headers=asked)


PLAIN = {"Content-Type": "text/plain"}
"""What a page may send anywhere without asking first."""


async def open_socket(server: RunningSwitch, path: str, **options: Any) -> int:
    try:
        async with connect(f"{server.ws}{path}", proxy=None, **options):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize(
    "origin", [ORIGIN, "null", "http://localhost:1", "https://{own}", "http://[", ""]
)
async def test_pages_from_elsewhere_can_do_nothing(tmp_path: Path, origin: str) -> None:
    async with run_switch(tmp_path) as server:
        assert "access-control-allow-origin" not in (await preflight(server)).headers
        await server.ask("POST", "/v1/rooms", {"id": "r"}, status=201)
        origin = origin.replace("{own}", server.address)
        headers = {**PLAIN, "Origin": origin}
        for method, path in (("POST", "/v1/rooms"), ("POST", "/rooms"), ("GET", "/v1/rooms")):
            answer = await server.http.request(method, path, headers=headers, content="{}")
            assert answer.status_code == 403
            assert "CORS_ORIGINS" in answer.json()["error"]
        for path in ("/v1/vsi", "/vsi", "/v1/rooms/r/ws", "/v1/legs/websocket"):
            assert await open_socket(server, path, additional_headers={"Origin": origin}) == 403
        assert [room["id"] for room in await server.ask("GET", "/v1/rooms")] == ["r"]


async def test_our_own_pages_and_programs_are_served(tmp_path: Path) -> None:
    async with run_switch(tmp_path) as server:
        port = server.address.rpartition(":")[2]
        for host in (server.address, f"localhost:{port}", f"[::1]:{port}"):
            headers = {**PLAIN, "Host": host, "Origin": f"http://{host}"}
            answer = await server.http.post("/v1/rooms", headers=headers, content="{}")
            assert answer.status_code == 201, host
        for written, origin in (("127.0.0.1:80", "127.0.0.1"), ("LocalHost", "localhost")):
            headers = {"Host": written, "Origin": f"http://{origin}"}
            assert (await server.http.get("/v1/rooms", headers=headers)).status_code == 200
        assert await open_socket(server, "/v1/vsi", origin=f"http://{server.address}") == 101
        assert await open_socket(server, "/v1/vsi") == 101


@pytest.mark.parametrize(("trust", "expected"), [(True, 200), (False, 403)])
async def test_a_proxy_tells_that_pages_come_over_tls(
    tmp_path: Path, trust: bool, expected: int
) -> None:
    async with run_switch(tmp_path, trust_proxy_headers=trust) as server:
        headers = {"Host": "127.0.0.1", "Origin": "https://127.0.0.1", "X-Forwarded-Proto": "https"}
        assert (await server.http.get("/v1/rooms", headers=headers)).status_code == expected


@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
async def test_pages_of_named_origins_open_sockets(tmp_path: Path, allowed: str) -> None:
    async with run_switch(tmp_path, cors_origins=allowed) as server:
        assert await open_socket(server, "/v1/vsi", origin=ORIGIN) == 101
        elsewhere = await open_socket(server, "/v1/vsi", origin=f"{ORIGIN}:8443")
        assert elsewhere == (101 if allowed == "*" else 403)


async def test_a_name_that_was_made_to_lead_here_is_refused(tmp_path: Path) -> None:
    async with run_switch(tmp_path) as server:
        for host in ("evil.example.com", "localhost.evil.example.com:80", "127.0.0.1.nip.io"):
            headers = {**PLAIN, "Host": host, "Origin": f"http://{host}"}
            for method, path in (("POST", "/v1/rooms"), ("GET", "/metrics"), ("GET", "/docs")):
                answer = await server.http.request(method, path, headers=headers, content="{}")
                assert answer.status_code == 421
                assert "HTTP_HOSTS" in answer.json()["error"]
            for path, expected in (("/healthz", 200), ("/readyz", 200)):
                assert (await server.http.get(path, headers=headers)).status_code == expected
        assert await server.ask("GET", "/v1/rooms") == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"http_hosts": "voice.example.com,other"}, 200),
        ({"http_hosts": "Voice.Example.com"}, 200),
        ({"http_hosts": "*"}, 200),
        ({"http_hosts": "example.com"}, 421),
        ({"http_addr": "voice.example.com:8080"}, 200),
        ({"api_keys": KEYS}, 200),
    ],
)
async def test_names_that_are_known_are_served(
    tmp_path: Path, settings: dict[str, str], expected: int
) -> None:
    async with run_switch(tmp_path, **settings) as server:
        headers = {"Host": "voice.example.com:8080", **bearer("touch")}
        assert (await server.http.get("/v1/rooms", headers=headers)).status_code == expected


async def test_pages_of_named_origins_are_served(tmp_path: Path) -> None:
    async with run_switch(tmp_path, cors_origins=ORIGIN, api_keys=KEYS) as server:
        answer = await preflight(server)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        headers = {**bearer("look"), "Origin": ORIGIN}
        answer = await server.http.get("/v1/rooms", headers=headers)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        answer = await server.http.get("/v1/rooms", headers={"Origin": ORIGIN})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        headers["Origin"] = "https://elsewhere.example.com"
        answer = await server.http.get("/v1/rooms", headers=headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


# -- without a server


def test_keys_are_parsed() -> None:
    assert parse_keys(SecretStr(" a:b , c:d:read,f:g:control ,")) == (
        ApiKey("a", "b", "control"),
        ApiKey("c", "d", "read"),
        ApiKey("f", "g", "control"),
    )


@pytest.mark.parametrize(
    "text", ["s3cret", ":s3cret", "a:", "a::read", "a:b,s3cret", "a:s3cret:admin", "a:s3cret,a:b"]
)
def test_a_key_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="API_KEYS") as refused:
        parse_keys(SecretStr(text))
    assert "s3cret" not in str(refused.value)  # it may be a secret


def test_a_key_is_found_by_its_secret() -> None:
    keys = parse_keys(SecretStr(KEYS))
    assert [key_for(keys, secret) for secret in ("touch", "", "tou", "tóuch", "\udc80")] == [
        keys[1],
        *[None] * 4,
    ]


def test_addresses() -> None:
    allowed = AllowedAddresses(
        ["192.0.2.7", "10.1.0.0/16", "2001:db8::/32", "::ffff:172.16.0.0/112"]
    )
    for address, expected in (
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("10.1.255.255", True),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.2.2.3", False),
        ("172.16.3.4", True),
        ("172.17.3.4", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("localhost", False),
    ):
        assert (address in allowed) is expected, address
    assert "anything" in AllowedAddresses([])


@pytest.mark.parametrize("address", ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "localhost:80"])
def test_loopback_may_be_open(address: str) -> None:
    check_exposure(KernelSettings(http_addr=address))


@pytest.mark.parametrize("address", ["0.0.0.0:80", ":80", "[::]:80", "192.0.2.1:80", "host:80"])
def test_a_public_address_needs_keys_or_a_list(address: str) -> None:
    with pytest.raises(SettingsError, match=r"HTTP_ADDR.*API_KEYS.*ALLOWED_IPS.*API_OPEN"):
        check_exposure(KernelSettings(http_addr=address))
    for protection in ({"api_keys": "a:b"}, {"allowed_ips": "10.0.0.1"}, {"api_open": True}):
        check_exposure(KernelSettings(http_addr=address, **protection))
