"""Which ports calls get."""

from __future__ import annotations

import contextlib
import itertools

import pytest

from hookswitch.plugin import Unavailable
from hookswitch_transport_sip.rtp_ports import PortPair, RtpPorts

HOST = "127.0.0.9"
"""Where nobody else takes ports."""


def take(ports: RtpPorts, stack: contextlib.ExitStack, count: int) -> list[PortPair]:
    pairs = [ports.take() for _ in range(count)]
    for pair in pairs:
        stack.callback(pair.close)
    return pairs


def test_ports_are_in_no_order() -> None:
    with contextlib.ExitStack() as stack:
        found = [pair.port for pair in take(RtpPorts(HOST, 30000, 30999), stack, 100)]
    steps = {later - earlier for earlier, later in itertools.pairwise(found)}
    assert len(steps) > 50
    assert all(port % 2 == 0 and 30000 <= port < 30999 for port in found)


def test_two_servers_do_not_agree_on_the_order() -> None:
    orders = []
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            pairs = take(RtpPorts(HOST, 31000, 31999), stack, 20)
            orders.append([pair.port for pair in pairs])
    assert orders[0] != orders[1]


def test_the_last_free_pair_is_found() -> None:
    ports = RtpPorts(HOST, 32000, 32099)
    with contextlib.ExitStack() as stack:
        pairs = take(ports, stack, 50)
        with pytest.raises(Unavailable, match="32000-32099"):
            ports.take()
        for pair in pairs[::-7]:
            pair.close()
            again = ports.take()
            stack.callback(again.close)
            assert again.port == pair.port


def test_a_port_just_left_rests() -> None:
    ports = RtpPorts(HOST, 33000, 33099)
    left = ports.take()
    left.close()
    with contextlib.ExitStack() as stack:
        assert left.port not in {pair.port for pair in take(ports, stack, 49)}
