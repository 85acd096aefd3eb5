"""Feed damaged requests to a call that is up: python fuzz_sip_dialog.py [iterations] [seed].

Ends with a traceback if anything is raised, or if the call cannot be ended afterwards.
"""

import random
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.transport_sip.sip.extended import established, network
from tests.transport_sip.sip.pair import ANSWER, A, B, Network

from hookswitch_transport_sip.sip.errors import StateError
from hookswitch_transport_sip.sip.events import OfferReceived, ReferReceived, ReinviteReceived

FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "INVITE": (("Contact", "<sip:a@192.0.2.1>"), ("Session-Expires", "100;refresher=uac")),
    "UPDATE": (("Contact", "<sip:a@192.0.2.1>"), ("Session-Expires", "90"), ("Min-SE", "90")),
    "PRACK": (("RAck", "1 1 INVITE"),),
    "REFER": (("Refer-To", "<sip:c@h?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>"), ("Refer-Sub", "x")),
    "NOTIFY": (("Event", "refer;id=2"), ("Subscription-State", "active;expires=60")),
    "INFO": (("Content-Type", "application/dtmf-relay"),),
}
PIECES = ("", ";", "=", ",", "<", ">", '"', "%", "?", "\\", "0", "-1", "99999999999", "\xff", " ")

PER_CALL = 20


def damage(text: str, source: random.Random) -> str:
    """Cut, insert or repeat at a random place."""
    at = source.randrange(len(text) + 1)
    piece = source.choice((*PIECES, text[at : at + 9] * 2))
    return text[:at] + piece + text[at + source.choice((0, 1, 4, 40)) :]


def answer(net: Network, event: object) -> None:
    """Do with a request what a user would do."""
    if isinstance(event, ReinviteReceived):
        event.call.accept_reinvite(ANSWER, net.now)
    elif isinstance(event, OfferReceived):
        event.call.accept_offer(ANSWER, net.now)
    elif isinstance(event, ReferReceived):
        event.call.referral.report(486, None, net.now)


def check(net: Network, source: random.Random) -> None:
    """Send one request of the caller's, odd in one of its fields."""
    caller = net.log[A][0].call  # type: ignore[union-attr]
    method = source.choice(tuple(FIELDS))
    request = caller.confirmed_dialog.request(method)
    branch = f"z9hG4bK{source.getrandbits(64):x}"
    request.headers.prepend("Via", f"SIP/2.0/UDP 192.0.2.1;branch={branch}")
    odd = source.choice(FIELDS[method])[0]
    for name, value in FIELDS[method]:
        request.headers.add(name, damage(value, source) if name == odd else value)
    if source.random() < 0.5:
        body = "SIP/2.0 180 Ringing\r\n" if method == "NOTIFY" else ANSWER.decode()
        kind = "message/sipfrag" if method == "NOTIFY" else "application/sdp"
        request.set_body(damage(body, source).encode("utf-8", "replace"), kind)
    net.inject(bytes(request), A, B)
    net.run(0.1)


def main(iterations: int = 2000, seed: int = 0) -> int:
    """Run, some requests to a call; return how many were not simply refused as malformed."""
    source = random.Random(seed)
    taken = 0
    for _ in range(iterations // PER_CALL):
        net = established(network({"session_expires": 1800}, {"session_expires": 1800}))
        net.react = {B: partial(answer, net)}
        for _ in range(PER_CALL):
            check(net, source)
        taken += sum(start not in ("400", "481") for start in net.starts(B))
        end(net)
    return taken


def end(net: Network) -> None:
    """Hang up; nothing may be left, however odd what came before was."""
    for agent in net.agents.values():
        for call in agent.calls:
            with suppress(StateError):  # it has ended
                call.bye(net.now)
    net.run(1000)
    if not all(agent.is_idle for agent in net.agents.values()):
        raise AssertionError("something is left")


if __name__ == "__main__":
    print("taken", main(*map(int, sys.argv[1:])))
