"""The engine: ports, rooms and edges, mixed 20 ms at a time by array operations.

`apply` changes the topology between two ticks, wholly or not at all; `tick` is a plain function
of the arrays. There is no clock, socket or event loop here: banks bring the audio, the caller the
time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .bank import PORT_RATES, Bank, BankError, Frames, PortReport, PortSpec, Samples
from .commands import ClosePort, Command, OpenPort, SetGains, SignalPort, StopOn, UpdatePort
from .frames import RateFrames
from .plan import EMPTY, Copy, Group, Lanes, Layer, Mix, Pair, Plan, compile_plan
from .processors import Processor, ProcessorFactory, Processors
from .resample import ConverterBank, Index
from .speech import Detector, SpeechDetector
from .table import PortTable, RoomTable
from .topology import CommandError, Topology

log = logging.getLogger(__name__)

BankFactory = Callable[[str], Bank]
"""Makes the bank that a port's specification names."""

DetectorFactory = Callable[[int], Detector]
"""Makes what tells who speaks, for ports of a rate in Hz."""

Converted = dict[Pair, Samples]


class Engine:
    """Mixes the ports of its banks. Not thread-safe: one thread applies and ticks."""

    def __init__(
        self,
        make_bank: BankFactory,
        comfort_noise: bool = True,
        make_processor: ProcessorFactory | None = None,
        make_detector: DetectorFactory = SpeechDetector,
    ) -> None:
        self.topology = Topology()
        self._make_bank = make_bank
        self._comfort_noise = comfort_noise
        self._banks: dict[str, Bank] = {}
        self._ports = PortTable()
        self._rooms = RoomTable()
        self._frames = {rate: RateFrames(rate, make_detector(rate)) for rate in PORT_RATES}
        self._input_lanes: dict[Pair, ConverterBank] = {}
        self._output_lanes: dict[Pair, ConverterBank] = {}
        self._hear_lanes: dict[Pair, ConverterBank] = {}
        self._processors = Processors(make_processor or _no_processor)
        self._plan: Plan = EMPTY
        self._changed = False
        self._reports: list[PortReport] = []
        self._stops: dict[str, dict[str, frozenset[str]]] = {}
        """Source port of `StopOn` -> target -> kinds."""
        self._respliced: set[str] = set()
        """Ports whose mix has been weighed anew since the last tick."""
        self._ticks = 0
        self._unsettled = 0
        """Ticks in which limiters follow gains or paths that were changed: that one and the next,
        since of its end a frame can tell the level only by what came shortly before."""

    def apply(self, batch: Sequence[Command]) -> None:
        """Apply a batch of commands. Raises CommandError, and then nothing has changed.

        The descriptors of ports to open are the engine's from here on, whatever happens.

        A batch may not close and open a port of the same name: an opening that fails is taken
        back, a closing cannot be.
        """
        opening = [c.spec for c in batch if isinstance(c, OpenPort)]
        closing = [
            self.topology.ports[c.port].spec
            for c in batch
            if isinstance(c, ClosePort) and c.port in self.topology.ports
        ]
        touched = self._touched(batch)
        try:
            if {spec.id for spec in opening} & {c.port for c in batch if isinstance(c, ClosePort)}:
                raise CommandError("one batch cannot close and open the same port")
            undo = self.topology.apply(batch)
        except CommandError:
            _close_fds(opening)
            raise
        try:
            self._open_all(opening)
        except BankError as error:
            undo()
            raise CommandError(str(error)) from error
        banks = {spec.id: spec.bank for spec in closing}  # what they are told comes before the end
        for command in batch:
            self._tell_bank(command, banks)
            if isinstance(command, SetGains) and command.room in self.topology.rooms:
                self._respliced.update(self.topology.rooms[command.room].members)
        for spec in closing:
            self._close(spec)
        self._refresh(touched | self._touched(batch))

    def gather(self, now: float) -> None:
        """Have the banks fetch what has arrived; a tick follows soon."""
        self._each_bank(lambda bank: bank.gather(now))

    def tick(self, now: float) -> None:
        """Mix 20 ms: pull all banks, mix, push all banks. ``now`` in seconds, monotonic."""
        self._ticks += 1
        for frames in self._frames.values():
            frames.turn()
        inputs = {rate: frames.inputs for rate, frames in self._frames.items()}
        self._each_bank(lambda bank: bank.pull(inputs, now))
        spliced = self._replan() if self._changed else {}
        plan = self._plan
        for key, lanes in plan.processed.items():
            self._processors.process(key, lanes.keys, lanes.rows, inputs[key[1]])
        self._detect_speech(plan)
        moving = [frames.amplify(plan.gains.get(r)) for r, frames in self._frames.items()]
        converted = _convert(self._input_lanes, plan.inputs, inputs)
        for mix in plan.mixes:
            self._deliver(mix, _mixed(mix, inputs[mix.rate], converted))
        for rate, rows in plan.deaf.items():
            self._frames[rate].outputs[rows] = 0.0
        for rate, rows in spliced.items():
            self._frames[rate].splice(rows)
        outputs = {rate: frames.outputs for rate, frames in self._frames.items()}
        self._overhear(plan, outputs)
        self._unsettled = 2 if spliced or any(moving) else max(self._unsettled - 1, 0)
        for rate, frames in self._frames.items():
            frames.finish(self._ticks, plan.direct.get(rate), remixed=self._unsettled > 0)
        self._each_bank(lambda bank: bank.push(outputs, now))

    def catch_up(self) -> None:
        """Ticks were given up: have the banks skip what piled up meanwhile."""
        self._each_bank(lambda bank: bank.catch_up())

    def reports(self) -> list[PortReport]:
        """Hand over, and forget, what banks and engine noticed."""
        self._each_bank(lambda bank: self._reports.extend(bank.reports()))
        reports, self._reports = self._reports, []
        for report in reports:
            if report.port in self._stops:
                self._stop_others(report)
        return reports

    def shutdown(self) -> None:
        """Close every port of every bank."""
        for name, bank in self._banks.items():
            _guarded(name, bank.shutdown)
        self._banks.clear()

    # -- between ticks

    def _open_all(self, specs: Sequence[PortSpec]) -> None:
        opened: list[PortSpec] = []
        try:
            for spec in specs:
                self._open(spec)
                opened.append(spec)
        except BankError:
            for spec in opened:
                self._close(spec)
            _close_fds(specs[len(opened) + 1 :])
            raise

    def _open(self, spec: PortSpec) -> None:
        if spec.bank not in self._banks:
            try:
                self._banks[spec.bank] = self._make_bank(spec.bank)
            except BankError:
                _close_fds([spec])  # there is no bank to own them
                raise
        noise = spec.comfort_noise and self._comfort_noise
        frames = self._frames[spec.rate]
        row = frames.open(noise)
        try:
            self._banks[spec.bank].open(spec, row)
        except Exception as error:
            frames.close(row)
            raise _as_refusal(spec.bank, error) from error
        self._ports.add(spec.id, spec.rate, row, spec.speaks)

    def _close(self, spec: PortSpec) -> None:
        row = self._ports.row_of(spec.id)
        if (bank := self._banks.get(spec.bank)) is not None:
            _guarded(spec.bank, lambda: bank.close(spec.id))
        self._ports.remove(spec.id)
        self._frames[spec.rate].close(row)

    def _tell_bank(self, command: Command, closing: Mapping[str, str]) -> None:
        if not isinstance(command, UpdatePort | SignalPort):
            return
        port = self.topology.ports.get(command.port)
        name = port.spec.bank if port is not None else closing.get(command.port)
        if name is None:
            return
        bank = self._banks[name]
        try:
            if isinstance(command, UpdatePort):
                bank.update(command.port, command.params)
            else:
                bank.signal(command.port, command.message)
        except Exception as error:
            what = "update" if isinstance(command, UpdatePort) else "signal"
            data = {"command": what, "error": str(_as_refusal(name, error))}
            self._reports.append(PortReport(command.port, "refused", data))

    def _touched(self, batch: Sequence[Command]) -> set[str]:
        """Names of the ports and rooms a batch may change, as the topology is now."""
        names: set[str] = set()
        for command in batch:
            if isinstance(command, UpdatePort | SignalPort):
                continue
            if isinstance(command, OpenPort):
                names.add(f"port {command.spec.id}")
            if isinstance(command, StopOn):
                names.add(f"port {command.source}")
            if isinstance(command, ClosePort):
                stopped = [s for s, target in self.topology.stops if target == command.port]
                names.update(f"port {source}" for source in stopped)
            if (room := getattr(command, "room", None)) is not None:
                names.add(f"room {room}")
                if room in self.topology.rooms:
                    names.update(f"port {member}" for member in self.topology.rooms[room].members)
            if (name := getattr(command, "port", None)) is not None:
                names.add(f"port {name}")
                port = self.topology.ports.get(name)
                if port is not None and port.room is not None:
                    names.add(f"room {port.room}")
            if not names:
                names.add("edges")
        return names

    def _refresh(self, touched: set[str]) -> None:
        split = [name.partition(" ") for name in touched]
        for kind, _, name in split:
            if kind == "room":
                self._rooms.refresh(self.topology, name)
        for kind, _, name in split:
            if kind == "port" and name in self.topology.ports:
                self._ports.refresh(self.topology, self._rooms, name)
        self._stops = {}
        for (source, target), kinds in self.topology.stops.items():
            self._stops.setdefault(source, {})[target] = kinds
        self._changed = self._changed or bool(touched)

    def _replan(self) -> dict[int, Index]:
        """Compile the topology; answers the output rows whose path now has another rate."""
        before, watched = self._plan.mix_rate, self._plan.speech
        plan = self._plan = compile_plan(self.topology, self._ports, self._rooms)
        self._changed = False
        _arrange(self._input_lanes, plan.inputs, self._frames, "past_inputs")
        _arrange(self._output_lanes, plan.outputs, self._frames, None)
        _arrange(self._hear_lanes, plan.hear_lanes, self._frames, "past_outputs")
        self._processors.arrange({key: lanes.keys for key, lanes in plan.processed.items()})
        self._end_speech(watched, plan.speech)
        moved = {s for s, rate in plan.mix_rate.items() if before.get(s, rate) != rate}
        weighed = [self._ports.names[p] for p in self._respliced if p in self._ports.names]
        self._respliced.clear()
        moved.update(self._ports.serial[weighed].tolist())
        return self._ports.rows_by_rate(moved) if moved else {}

    def _end_speech(self, before: dict[int, Lanes], now: dict[int, Lanes]) -> None:
        """Ports that are watched no longer (muted, say) do not go on speaking."""
        for rate, lanes in before.items():
            kept = now[rate].keys if rate in now else np.zeros(0, np.intp)
            gone = ~np.isin(lanes.keys, kept)
            if gone.any():
                spoke = self._frames[rate].speech.silence(lanes.rows[gone])
                self._report_speech(rate, lanes, spoke)

    # -- within a tick

    def _detect_speech(self, plan: Plan) -> None:
        for rate, lanes in plan.speech.items():
            frames = self._frames[rate]
            changed = frames.speech.detect(frames.inputs, lanes.rows)
            if len(changed):
                self._report_speech(rate, lanes, changed)

    def _report_speech(self, rate: int, lanes: Lanes, rows: Index) -> None:
        speaking = self._frames[rate].speech.speaking
        changed = np.isin(lanes.rows, rows)
        for line, row in zip(
            lanes.keys[changed].tolist(), lanes.rows[changed].tolist(), strict=True
        ):
            if (name := self._ports.by_line.get(line)) is not None:
                self._reports.append(PortReport(name, "speech", {"speaking": bool(speaking[row])}))

    def _deliver(self, mix: Mix, mixed: Samples) -> None:
        for copy in mix.deliver:
            if copy.pair is None:
                self._frames[mix.rate].outputs[copy.dest] = mixed[copy.origin]
            else:
                lanes = self._plan.outputs[copy.pair]
                audio = self._output_lanes[copy.pair].convert(mixed, lanes.rows)
                self._frames[copy.pair[1]].outputs[copy.dest] = audio

    def _overhear(self, plan: Plan, outputs: Frames) -> None:
        """Edges on what a port hears: listeners get it as it goes out, before the limiter."""
        if not plan.hearings:
            return
        converted = _convert(self._hear_lanes, plan.hear_lanes, outputs)
        for hearing in plan.hearings:
            matrix = outputs[hearing.rate]
            heard = _gather(hearing.heard_rows, hearing.heard, matrix, converted)
            _add_layers(matrix, heard, hearing.layers)

    def _stop_others(self, report: PortReport) -> None:
        """Something happened at a port that others are to stop for, at once."""
        begins = report.kind != "speech" or report.data["speaking"]
        for target, kinds in self._stops[report.port].items():
            if begins and report.kind in kinds:
                self._tell_bank(SignalPort(target, {"stop": report.kind}), {})

    def _each_bank(self, work: Callable[[Bank], None]) -> None:
        for name, bank in list(self._banks.items()):
            try:
                work(bank)
            except Exception:
                log.exception("bank %s failed; its ports are closed", name)
                self._drop_bank(name, bank)

    def _drop_bank(self, name: str, bank: Bank) -> None:
        specs = [p.spec for p in self.topology.ports.values() if p.spec.bank == name]
        self.apply([ClosePort(spec.id) for spec in specs])
        self._reports.extend(PortReport(spec.id, "closed", {"error": f"{name} failed"})
                             for spec in specs)  # fmt: skip
        _guarded(name, lambda: self._reports.extend(bank.reports()))
        _guarded(name, bank.shutdown)
        del self._banks[name]


def _no_processor(reference: str, rate: int) -> Processor:
    raise LookupError(f"this engine has no processors, not {reference}")


def _guarded(name: str, work: Callable[[], object]) -> None:
    """Have a bank do something that must not stop the engine."""
    try:
        work()
    except Exception:
        log.exception("bank %s failed while it was closing", name)


def _as_refusal(name: str, error: Exception) -> BankError:
    """What a bank raised instead of doing as it was told; only a BankError was meant to be."""
    if isinstance(error, BankError):
        return error
    log.error("bank %s failed", name, exc_info=error)
    return BankError(f"bank {name} failed: {error!r}")


def _close_fds(specs: Sequence[PortSpec]) -> None:
    for spec in specs:
        for fd in spec.fds:
            os.close(fd)


def _arrange(
    banks: dict[Pair, ConverterBank],
    wanted: dict[Pair, Lanes],
    frames: dict[int, RateFrames],
    past: str | None,
) -> None:
    """Give each pair of rates its lanes; new ones continue from the past frame, if there is one."""
    for pair in [pair for pair in banks if pair not in wanted]:
        del banks[pair]
    for pair, lanes in wanted.items():
        bank = banks.setdefault(pair, ConverterBank(*pair))
        new = bank.arrange(lanes.keys)
        if past is not None and len(new):
            bank.prime(new, getattr(frames[pair[0]], past)[lanes.rows[new]])


def _convert(
    banks: dict[Pair, ConverterBank], wanted: dict[Pair, Lanes], frames: Frames
) -> Converted:
    return {
        pair: banks[pair].convert(frames[pair[0]], lanes.rows) for pair, lanes in wanted.items()
    }


def _gather(rows: int, copies: Sequence[Copy], frames: Samples, converted: Converted) -> Samples:
    if len(copies) == 1:
        source = frames if copies[0].pair is None else converted[copies[0].pair]
        return source.take(copies[0].origin, axis=0)
    gathered = np.empty((rows, frames.shape[1]), np.float32)
    for copy in copies:
        source = frames if copy.pair is None else converted[copy.pair]
        gathered[copy.dest] = source[copy.origin]
    return gathered


def _mixed(mix: Mix, frames: Samples, converted: Converted) -> Samples:
    """What every row of a mix hears."""
    said = _gather(mix.joined, mix.fill, frames, converted)
    if len(mix.muted):
        said[mix.muted] = 0.0
    mixed = np.zeros((mix.rows, frames.shape[1]), np.float32)
    for group in mix.groups:
        _mix_group(group, said, mixed)
    if mix.heard_rows:
        _add_layers(mixed, _gather(mix.heard_rows, mix.heard, frames, converted), mix.layers)
    return mixed


def _mix_group(group: Group, said: Samples, mixed: Samples) -> None:
    shape = (-1, group.size, said.shape[1])
    rooms = said[group.start : group.stop].reshape(shape)
    heard = mixed[group.start : group.stop].reshape(shape)
    if group.hears is None:
        np.subtract(rooms.sum(axis=1, keepdims=True), rooms, out=heard)
    else:
        np.matmul(group.hears, rooms, out=heard)


def _add_layers(to: Samples, heard: Samples, layers: Sequence[Layer]) -> None:
    for layer in layers:
        audio = heard[layer.edges]
        to[layer.listeners] += audio if layer.gains is None else audio * layer.gains
