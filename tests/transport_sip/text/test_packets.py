"""Packets and their redundancy: what is written is read again, what is broken is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.text.packets import TextPacket
from hookswitch_transport_sip.text.redundancy import Block, RedundantPayload

PACKET = TextPacket(99, 65535, 2**32 - 1, 0xCAFE, b"hello", marker=True)


def test_a_packet_survives_the_wire() -> None:
    data = PACKET.pack()
    assert data.hex() == "80e3ffffffffffff0000cafe68656c6c6f"
    assert TextPacket.unpack(data) == PACKET


def test_sources_extension_and_padding_are_read_over() -> None:
    plain = PACKET.pack()
    head, payload = bytearray(plain[:12]), plain[12:]
    head[0] |= 0x32  # padding, extension, two contributing sources
    extension = b"\xbe\xde\0\1abcd"
    data = bytes(head) + b"12345678" + extension + payload + b"\0\0\3"
    assert TextPacket.unpack(data) == PACKET


def test_what_is_no_packet() -> None:
    whole = PACKET.pack()
    for broken in (b"", whole[:11], b"\0" + whole[1:], b"\xa0" + whole[1:12] + b"\x09"):
        assert TextPacket.unpack(broken) is None


def test_redundancy_as_in_the_standard() -> None:
    payload = RedundantPayload((Block(600, b"a"), Block(300, b"bc")), b"d")
    data = payload.pack(98)
    # F=1 PT=98 offset=600 length=1 | F=1 PT=98 offset=300 length=2 | F=0 PT=98
    assert data.hex() == "e2096001" + "e204b002" + "62" + b"abcd".hex()
    assert RedundantPayload.unpack(data, (98,)) == payload


def test_what_does_not_fit_a_header_is_sent_empty() -> None:
    payload = RedundantPayload((Block(20000, b"old"), Block(1, b"x" * 1024)), b"new")
    read = RedundantPayload.unpack(payload.pack(98), (98,))
    assert read == RedundantPayload((Block(0x3FFF, b""), Block(1, b"")), b"new")


@given(
    st.lists(st.builds(Block, st.integers(0, 0x3FFF), st.binary(max_size=40)), max_size=5),
    st.binary(max_size=40),
    st.integers(0, 127),
)
def test_redundancy_round_trip(earlier: list[Block], primary: bytes, payload_type: int) -> None:
    payload = RedundantPayload(tuple(earlier), primary)
    assert RedundantPayload.unpack(payload.pack(payload_type), (payload_type,)) == payload


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read = RedundantPayload.unpack(data, (98,))
    if read is not None:
        assert sum(len(b.text) for b in read.earlier) + len(read.primary) <= len(data)
    TextPacket.unpack(data)
