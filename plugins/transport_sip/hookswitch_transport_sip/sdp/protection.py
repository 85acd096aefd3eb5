"""Whether and how one stream of a call is protected, over all its offers and answers.

A stream that is agreed on goes on as it is: under the suite, and in the profile, of before.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookswitch_transport_sip.rtp.keys import Secret, SrtpKeys

from .audio import Srtp
from .crypto import Crypto, accepted, agreed, chosen, offered
from .description import MediaDescription
from .errors import NotAcceptable
from .streams import is_secure


class Protection:
    """Our half of the offers and answers of ``a=crypto``."""

    def __init__(self) -> None:
        self._offered: list[Crypto] = []
        self._insists = False
        """Whether our last offer was of RTP/SAVP: its answer must be (RFC 3264 section 6)."""
        self._proto: str | None = None

    def proto(self, policy: Srtp) -> str:
        """What we offer: what was agreed on last, else as the policy says.

        With ``preferred`` the keys come with RTP/AVP, as a caller is understood by those who know
        nothing of SRTP as well.
        """
        if self._proto is not None:
            return self._proto
        return "RTP/SAVP" if policy == "required" else "RTP/AVP"

    def offer(
        self,
        media: MediaDescription,
        policy: Srtp,
        keys: Mapping[str, Secret],
        in_use: SrtpKeys | None,
    ) -> None:
        """Add to an offer of ours what is ``in_use``, or all we can do."""
        self._offered, self._insists = [], is_secure(media)
        if in_use is not None or policy != "off":
            self._offered = offered(keys, in_use.suite if in_use else None)
        for crypto in self._offered:
            media.add("a", f"crypto:{crypto}")

    def accepted(self, media: MediaDescription, policy: Srtp) -> SrtpKeys | None:
        """The keys of an answer. Raises NotAcceptable where there must be some."""
        keys = accepted(media, self._offered)
        if keys is None and (self._insists or _must(media, policy)):
            raise NotAcceptable(f"the answer's {media.media.kind} is not protected, but must be")
        return keys

    def answer(
        self, offer: MediaDescription, policy: Srtp, keys: Mapping[str, Secret]
    ) -> tuple[SrtpKeys | None, Crypto | None]:
        """What an offered stream that `suits` is protected by, and the line that says so."""
        self._proto = offer.media.proto
        theirs = chosen(offer, keys)
        if theirs is None or (policy == "off" and not is_secure(offer)):
            return None, None  # who insists on none and offers some gets none
        ours = keys[theirs.suite]
        return agreed(theirs, ours), Crypto(theirs.tag, theirs.suite, ours)


def suits(media: MediaDescription, policy: Srtp, keys: Mapping[str, Secret]) -> bool:
    """Whether an offered stream can be had as it is to be: protected, or in the clear."""
    return not _must(media, policy) or chosen(media, keys) is not None


def _must(media: MediaDescription, policy: Srtp) -> bool:
    return policy == "required" or is_secure(media)
