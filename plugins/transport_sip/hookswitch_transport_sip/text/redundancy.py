"""Redundant payloads (RFC 2198): a packet repeats what the packets before it carried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_BLOCK = 0x3FF
LONGEST_OFFSET = 0x3FFF
_MORE = 0x80
_HEADER = 4


@dataclass(frozen=True, slots=True)
class Block:
    """Text of an earlier packet: ``offset`` is how many timestamp units older it is."""

    offset: int
    text: bytes


@dataclass(frozen=True, slots=True)
class RedundantPayload:
    """Blocks from the oldest to the newest, then what the packet itself brings.

    RFC 4103 section 4 has the blocks be those of the packets just before, one each: the last block
    belongs to the sequence number before the packet's own.
    """

    earlier: tuple[Block, ...]
    primary: bytes

    def pack(self, payload_type: int) -> bytes:
        """As bytes, every block under the payload type of t140.

        A block too old or too long for its header is sent empty; those behind it keep their place.
        """
        earlier = [_fitting(block) for block in self.earlier]
        heads = b"".join(
            ((_MORE | payload_type) << 24 | block.offset << 10 | len(block.text)).to_bytes(
                _HEADER, "big"
            )
            for block in earlier
        )
        texts = b"".join(block.text for block in earlier)
        return heads + bytes((payload_type,)) + texts + self.primary

    @classmethod
    def unpack(cls, payload: bytes, payload_types: Sequence[int]) -> RedundantPayload | None:
        """None when it is cut off, or holds something else than these payload types."""
        heads: list[tuple[int, int]] = []
        at = 0
        while at < len(payload) and payload[at] & _MORE:
            head = int.from_bytes(payload[at : at + _HEADER], "big")
            if at + _HEADER > len(payload) or payload[at] & 0x7F not in payload_types:
                return None
            heads.append((head >> 10 & LONGEST_OFFSET, head & LONGEST_BLOCK))
            at += _HEADER
        if at >= len(payload) or payload[at] not in payload_types:
            return None
        at += 1
        if at + sum(length for _, length in heads) > len(payload):
            return None
        blocks = []
        for offset, length in heads:
            blocks.append(Block(offset, payload[at : at + length]))
            at += length
        return cls(tuple(blocks), payload[at:])


def _fitting(block: Block) -> Block:
    if block.offset <= LONGEST_OFFSET and len(block.text) <= LONGEST_BLOCK:
        return block
    return Block(min(block.offset, LONGEST_OFFSET), b"")
