"""A mixer that is slow and obvious: one port at a time, whole signals, no shared arrays.

It says what the engine must sound like; the engine is held against it sample by sample.
"""

from __future__ import annotations

from math import lcm

import numpy as np

from hookswitch.mixer.bank import ROOM_RATES, frame_samples
from hookswitch.mixer.level import (
    ATTACK_MS,
    CEILING,
    RELEASE_DB_PER_TICK,
    RELIEVED,
    RISE_DB_PER_PIECE,
    THRESHOLD,
)
from hookswitch.mixer.resample import _prototype
from hookswitch.mixer.topology import Port, Room, Topology


def resampled(signal: np.ndarray, source: int, target: int, samples: int) -> np.ndarray:
    """The last ``samples`` of a whole signal converted from one rate to another."""
    if source == target:
        return signal[-samples:]
    common = lcm(source, target)
    up, down = common // source, common // target
    taps = _prototype(common, min(source, target)) * up
    needed = 3 * frame_samples(source)  # whole frames, to keep the phase of the decimation
    signal = np.concatenate([np.zeros(max(0, needed - len(signal))), signal[-needed:]])
    stuffed = np.zeros(len(signal) * up)
    stuffed[::up] = signal
    return np.convolve(stuffed, taps)[: len(stuffed)][::down][-samples:]


class ReferencePort:
    """All that is remembered of one port."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.said = np.zeros(0)
        self.mixed = np.zeros(0)
        """What it heard at its mix rate since that last changed."""
        self.mix_rate: int | None = None
        self.was_joined = False
        self.last_out = 0.0
        self.gain = 1.0
        """Of the limiter."""
        self.loudness = 1.0


class ReferenceMixer:
    """Mixes by the rules, from a topology and each port's frame."""

    def __init__(self) -> None:
        self.topology = Topology()
        self.ports: dict[str, ReferencePort] = {}
        self.weighed: set[str] = set()
        """Ports in rooms whose gains have changed since the last tick."""
        self.remixed = self.was_remixed = False
        """Whether gains or paths were changed in this tick, and in the one before."""

    def tick(self, said: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        for name, port in self.topology.ports.items():
            self.ports.setdefault(name, ReferencePort(port.spec.rate))
        for name in set(self.ports) - set(self.topology.ports):
            del self.ports[name]
        for name, frame in said.items():
            port = self.ports[name]
            before, after = port.loudness, 10 ** (self.topology.ports[name].gain_db / 20)
            self.remixed = self.remixed or after != before
            ramp = [before * (after / before) ** ((i + 1) / len(frame)) for i in range(len(frame))]
            port.said = np.concatenate([port.said, frame * ramp])[-4800:]
            port.loudness = after
        outs = {name: self._heard(name) for name in self.ports}
        self._overhear(outs)
        self.weighed.clear()
        direct = {name: edge for name in self.ports if (edge := self._only_edge(name))}
        finished = {
            name: self._limited(self.ports[name], out)
            for name, out in outs.items()
            if name not in direct
        }
        for name, (source, tap) in direct.items():
            state = self.ports[name]
            said = self.ports[source].said[-frame_samples(state.rate) :]
            if tap == "hears":
                out = finished[source]
            elif self.remixed or self.was_remixed:
                out = self._limited(state, said.copy())
            else:
                out, state.gain = np.clip(said, -CEILING, CEILING), 1.0
            finished[name], state.last_out = out, out[-1]
        self.was_remixed, self.remixed = self.remixed, False
        return finished

    def _only_edge(self, name: str) -> tuple[str, str] | None:
        """The source and tap of one who hears one port of its rate as it is, and nothing else."""
        edges, port = self.topology.edges, self.topology.ports[name]
        incoming = [edge for edge in edges if edge[1] == name]
        overheard = any(edge[0] == name and edge[2] == "hears" for edge in edges)
        if len(incoming) != 1 or port.mixed_in is not None or port.hears_nothing or overheard:
            return None
        ((source, _, tap),) = incoming
        other = self.topology.ports[source]
        if edges[incoming[0]] != 0.0 or other.spec.rate != port.spec.rate:
            return None
        if tap == "hears" and other.unsent:
            return None
        if tap == "says" and other.gain_db != 0.0:
            return None
        return source, tap

    def _heard(self, name: str) -> np.ndarray:
        port, state = self.topology.ports[name], self.ports[name]
        edges = {k: g for k, g in self.topology.edges.items() if k[1] == name and k[2] == "says"}
        if port.mixed_in is None and not edges:
            state.mix_rate, state.mixed, state.was_joined = None, np.zeros(0), False
            return self._out(state, np.zeros(frame_samples(port.spec.rate)), name in self.weighed)
        rate = port.spec.rate if port.mixed_in is None else self._mix_rate(port.mixed_in)
        samples = frame_samples(rate)
        heard = np.zeros(samples)
        for other in self.topology.rooms[port.mixed_in].members if port.mixed_in else ():
            source = self.topology.ports[other]
            if other == name or source.mute or source.apart:
                continue
            weight = _weight(self.topology.rooms[port.mixed_in], port, source)
            if weight:
                said = resampled(self.ports[other].said, source.spec.rate, rate, samples)
                heard += weight * said
        for (source_name, _, _), gain in edges.items():
            origin = self.ports[source_name]
            heard += 10 ** (gain / 20) * resampled(origin.said, origin.rate, rate, samples)
        before = state.mix_rate
        spliced = port.mixed_in is not None and state.was_joined and before not in (None, rate)
        spliced = spliced or name in self.weighed
        if before != rate:
            state.mixed = np.zeros(0)
        state.mix_rate = rate
        state.was_joined = port.mixed_in is not None
        state.mixed = np.concatenate([state.mixed, heard])[-4800:]
        out = resampled(state.mixed, rate, state.rate, frame_samples(state.rate)).copy()
        if port.hears_nothing:
            out[:] = 0.0
        return self._out(state, out, spliced)

    def _out(self, state: ReferencePort, out: np.ndarray, spliced: bool) -> np.ndarray:
        if not spliced:
            return out
        self.remixed = True
        fade = state.rate * 5 // 1000
        jump = state.last_out - out[0]
        for i in range(fade):
            out[i] += jump * (1 - i / fade)
        return out

    def _mix_rate(self, room: str) -> int:
        members = [self.topology.ports[m] for m in self.topology.rooms[room].members]
        specs = [port.spec for port in members if not port.apart]
        fastest = max((spec.rate for spec in specs if spec.speaks), default=0)
        ceiling = next((r for r in ROOM_RATES if r >= fastest), ROOM_RATES[-1])
        return min(ceiling, self.topology.rooms[room].rate)

    def _overhear(self, outs: dict[str, np.ndarray]) -> None:
        said = {name: out.copy() for name, out in outs.items()}
        for (source, listener, tap), gain in self.topology.edges.items():
            if tap == "hears":
                a, b = self.ports[source], self.ports[listener]
                assert a.rate == b.rate
                outs[listener] += 10 ** (gain / 20) * said[source]

    def _limited(self, state: ReferencePort, out: np.ndarray) -> np.ndarray:
        peak = np.abs(out).max()
        if peak > THRESHOLD or state.gain < 1.0:
            attack = int(state.rate * ATTACK_MS / 1000)
            if self.remixed or self.was_remixed:
                ends = self._followed(state, out, attack)
            else:
                ends = self._settled(state, peak)
            gain = state.gain
            for i in range(len(out)):
                piece = min(i // attack, len(ends) - 1)
                start = gain if piece == 0 else ends[piece - 1]
                out[i] *= start + (ends[piece] - start) * min((i - piece * attack + 1) / attack, 1)
                if abs(out[i]) > THRESHOLD:
                    room = CEILING - THRESHOLD
                    bent = THRESHOLD + room * np.tanh((abs(out[i]) - THRESHOLD) / room)
                    out[i] = np.copysign(bent, out[i])
            state.gain = ends[-1]
        state.last_out = out[-1]
        return out

    def _settled(self, state: ReferencePort, peak: float) -> list[float]:
        """The gain after its first piece, which is that of the rest."""
        return [min(state.gain * 10 ** (RELEASE_DB_PER_TICK / 20), _allowed(peak), 1.0)]

    def _followed(self, state: ReferencePort, out: np.ndarray, attack: int) -> list[float]:
        """The gain after each piece."""
        starts = range(0, len(out), attack)
        allowed = [_allowed(np.abs(out[i : i + attack]).max()) for i in starts]
        count, before = len(allowed), state.gain
        if before < 1.0 and np.abs(out).max() * before <= THRESHOLD * RELIEVED:
            end = count * 3 // 4
            allowed[end:] = [min(allowed[end:])] * (count - end)
            rise = 10 ** (RISE_DB_PER_PIECE / 20)
            return [min(min(allowed[k:]), before * rise ** (k + 1)) for k in range(count)]
        return [min(before, *allowed[: k + 2]) for k in range(count)]


def _allowed(peak: float) -> float:
    return float(min(1.0, THRESHOLD / max(peak, THRESHOLD)))


def _weight(room: Room, listener: Port, source: Port) -> float:
    """By what factor one member of a room hears another."""
    routed = listener.role != "" and listener.role in room.matrix
    if routed and not source.broadcast and source.role not in room.matrix[listener.role]:
        return 0.0
    return float(10 ** (room.gains.get((listener.spec.id, source.spec.id), 0.0) / 20))
