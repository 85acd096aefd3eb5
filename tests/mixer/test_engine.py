"""The engine when things go wrong, and what it does besides mixing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from hookswitch.mixer.bank import FULL_SCALE, BankError, Frames, PortReport, PortSpec
from hookswitch.mixer.commands import (
    ClosePort,
    Command,
    Join,
    OpenPort,
    OpenRoom,
    SetPort,
    SignalPort,
    UpdatePort,
)
from hookswitch.mixer.engine import Engine
from hookswitch.mixer.topology import CommandError
from hookswitch.testing.memory_bank import MemoryBank, tone


class FragileBank(MemoryBank):
    """Raises in the methods named, what is named."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[str, Exception] = {}
        self.is_shut_down = False

    def _try(self, method: str) -> None:
        if method in self.fails:
            raise self.fails[method]

    def open(self, spec: PortSpec, row: int) -> None:
        self._try("open")
        super().open(spec, row)

    def update(self, port: str, params: Mapping[str, Any]) -> None:
        self._try("update")
        super().update(port, params)

    def signal(self, port: str, message: Mapping[str, Any]) -> None:
        self._try("signal")
        super().signal(port, message)

    def close(self, port: str) -> None:
        self._try("close")
        super().close(port)

    def pull(self, inputs: Frames, now: float) -> None:
        self._try("pull")
        super().pull(inputs, now)

    def push(self, outputs: Frames, now: float) -> None:
        self._try("push")
        super().push(outputs, now)

    def reports(self) -> Sequence[PortReport]:
        self._try("reports")
        return super().reports()

    def shutdown(self) -> None:
        self.is_shut_down = True
        self._try("shutdown")
        super().shutdown()


class Bench:
    """An engine with a good bank and a fragile one."""

    def __init__(self, comfort_noise: bool = False) -> None:
        self.good, self.fragile = MemoryBank(), FragileBank()
        self.engine = Engine(self._make, comfort_noise)
        self.now = 0.0

    def _make(self, name: str) -> MemoryBank:
        if name == "missing":
            raise BankError("no such bank")
        return {"good": self.good, "fragile": self.fragile}[name]

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.engine.tick(self.now)
            self.now += 0.02

    def reports(self) -> list[tuple[str, str]]:
        return [(report.port, report.kind) for report in self.engine.reports()]


@pytest.fixture
def bench() -> Bench:
    """Two good ports and two fragile ones in one room, all speaking."""
    bench = Bench()
    bench.engine.apply([OpenRoom("r", 8000)])
    for name, bank in (("g1", "good"), ("g2", "good"), ("f1", "fragile"), ("f2", "fragile")):
        bench.engine.apply([OpenPort(PortSpec(name, 8000, bank)), Join(name, "r")])
        getattr(bench, bank).voices[name] = tone(440)
    bench.tick(3)
    return bench


def healthy(bench: Bench) -> None:
    """The good ports hear each other, and nobody else."""
    heard = len(bench.good.heard["g1"])
    bench.tick(3)
    assert len(bench.good.heard["g1"]) == heard + 3
    np.testing.assert_allclose(bench.good.heard["g1"][-1], tone(440)(heard + 2, 160), atol=1.0)


@pytest.mark.parametrize("also", [(), ("close",), ("close", "reports", "shutdown")], ids=str)
@pytest.mark.parametrize("method", ["pull", "push", "reports"])
def test_a_bank_that_raises_is_closed_and_the_tick_goes_on(
    bench: Bench, method: str, also: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    for name in (method, *also):
        bench.fragile.fails[name] = ZeroDivisionError(name)
    bench.tick()
    closed = [report for report in bench.reports() if report[1] == "closed"]
    assert sorted(closed) == [("f1", "closed"), ("f2", "closed")]
    assert set(bench.engine.topology.ports) == {"g1", "g2"}
    assert set(bench.engine.topology.rooms["r"].members) == {"g1", "g2"}
    assert bench.fragile.is_shut_down
    assert "bank fragile failed" in caplog.text
    healthy(bench)
    assert bench.reports() == []


def test_a_bank_that_failed_can_be_used_again(bench: Bench) -> None:
    bench.fragile.fails["pull"] = RuntimeError()
    bench.tick()
    bench.fragile.fails.clear()
    bench.engine.apply([OpenPort(PortSpec("f3", 8000, "fragile")), Join("f3", "r")])
    bench.tick(2)
    assert bench.fragile.sound("f3").any()


@pytest.mark.parametrize("command", [UpdatePort("f1", {"a": 1}), SignalPort("f1", {"a": 1})])
@pytest.mark.parametrize("error", [BankError("no"), KeyError("no")], ids=["refuses", "raises"])
def test_what_a_bank_refuses_is_reported(bench: Bench, command: Command, error: Exception) -> None:
    what = "update" if isinstance(command, UpdatePort) else "signal"
    bench.fragile.fails[what] = error
    bench.engine.apply([command, SetPort("g1", mute=True)])
    reports = bench.engine.reports()
    assert [(r.port, r.kind, r.data["command"]) for r in reports] == [("f1", "refused", what)]
    assert "no" in reports[0].data["error"]
    assert bench.engine.topology.ports["g1"].mute
    bench.tick()


def test_what_a_port_is_told_in_the_batch_that_closes_it_comes_first(bench: Bench) -> None:
    bench.engine.apply([SignalPort("f1", {"handover": True}), ClosePort("f1")])
    assert bench.fragile.signals == [("f1", {"handover": True})]
    assert "f1" not in bench.fragile._open


@pytest.mark.parametrize("error", [BankError("no"), KeyError("no")], ids=["refuses", "raises"])
def test_a_port_that_cannot_be_opened_takes_its_batch_along(bench: Bench, error: Exception) -> None:
    bench.fragile.fails["open"] = error
    before = set(bench.good._open)
    with pytest.raises(CommandError, match="no"):
        bench.engine.apply(
            [
                OpenRoom("other", 8000),
                OpenPort(PortSpec("g3", 8000, "good")),
                Join("g3", "other"),
                OpenPort(PortSpec("f3", 16000, "fragile")),
                OpenPort(PortSpec("g4", 8000, "good")),
                SetPort("g1", mute=True),
            ]
        )
    assert set(bench.good._open) == before
    assert set(bench.engine.topology.ports) == {"g1", "g2", "f1", "f2"}
    assert set(bench.engine.topology.rooms) == {"r"}
    assert not bench.engine.topology.ports["g1"].mute
    bench.tick(2)
    del bench.fragile.fails["open"]
    bench.engine.apply([OpenPort(PortSpec("f3", 16000, "fragile")), Join("f3", "r")])
    bench.tick(2)
    assert bench.fragile.sound("f3").any()


def test_a_bank_whose_close_fails_does_not_keep_its_port(bench: Bench) -> None:
    bench.fragile.fails["close"] = KeyError("f1")
    bench.engine.apply([ClosePort("f1")])
    assert "f1" not in bench.engine.topology.ports
    bench.tick()


# -- descriptors


@pytest.fixture
def fds() -> Iterator[Callable[[], int]]:
    """Makes descriptors; those that are open afterwards are closed."""
    made: list[int] = []

    def make() -> int:
        made.append(os.open(os.devnull, os.O_RDONLY))
        return made[-1]

    yield make
    for fd in made:
        if is_open(fd):
            os.close(fd)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


class Owner(MemoryBank):
    """Keeps its part of the contract about descriptors."""

    def __init__(self) -> None:
        super().__init__()
        self.fds: dict[str, tuple[int, ...]] = {}

    def open(self, spec: PortSpec, row: int) -> None:
        if spec.id in self.refuse:
            for fd in spec.fds:
                os.close(fd)
            raise BankError("refused")
        super().open(spec, row)
        self.fds[spec.id] = spec.fds

    def close(self, port: str) -> None:
        for fd in self.fds.pop(port):
            os.close(fd)
        super().close(port)


def owning() -> tuple[Engine, Owner]:
    owner = Owner()

    def make(name: str) -> Owner:
        if name != "owner":
            raise BankError(f"no bank {name}")
        return owner

    return Engine(make), owner


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("how", ["the bank refuses", "there is no bank", "the batch does not fit"])
def test_a_refused_batch_leaves_no_descriptor(
    fds: Callable[[], int], position: int, how: str
) -> None:
    engine, owner = owning()
    engine.apply([OpenPort(PortSpec("here", 8000, "owner", fds=(kept := fds(),)))])
    specs = [PortSpec(str(n), 8000, "owner", fds=(fds(), fds())) for n in range(3)]
    batch: list[Command] = [OpenPort(spec) for spec in specs]
    if how == "the bank refuses":
        owner.refuse = {str(position)}
    elif how == "there is no bank":
        spec = specs[position]
        batch[position] = OpenPort(PortSpec(spec.id, 8000, "missing", fds=spec.fds))
    else:
        batch.insert(position, Join("nobody", "nowhere"))
    with pytest.raises(CommandError):
        engine.apply(batch)
    assert [fd for spec in specs for fd in spec.fds if is_open(fd)] == []
    assert is_open(kept)
    assert set(owner.fds) == {"here"}


def test_a_closed_port_has_no_descriptor(fds: Callable[[], int]) -> None:
    engine, _ = owning()
    fd = fds()
    engine.apply([OpenPort(PortSpec("a", 8000, "owner", fds=(fd,)))])
    engine.tick(0.0)
    assert is_open(fd)
    engine.apply([ClosePort("a")])
    assert not is_open(fd)


def test_one_batch_cannot_close_and_open_the_same_port(fds: Callable[[], int]) -> None:
    engine, owner = owning()
    engine.apply([OpenPort(PortSpec("a", 8000, "owner"))])
    fd = fds()
    with pytest.raises(CommandError, match="close and open"):
        engine.apply([ClosePort("a"), OpenPort(PortSpec("a", 8000, "owner", fds=(fd,)))])
    assert not is_open(fd)
    assert set(owner.fds) == {"a"}


# -- comfort noise, speech


@pytest.mark.parametrize("rate", [8000, 48000])
def test_silence_is_comfort_noise_where_it_is_wanted(rate: int) -> None:
    bench = Bench(comfort_noise=True)
    bench.engine.apply(
        [
            OpenRoom("r", 16000),
            OpenPort(PortSpec("listener", rate, "good")),
            OpenPort(PortSpec("recorder", rate, "good", comfort_noise=False)),
            OpenPort(PortSpec("loud", rate, "good")),
            *(Join(port, "r") for port in ("listener", "recorder", "loud")),
        ]
    )
    bench.tick(20)
    rms = np.sqrt(np.mean(np.square(bench.good.sound("listener"))))
    assert 20 * np.log10(rms / FULL_SCALE) == pytest.approx(-75, abs=1)
    assert not bench.good.sound("recorder").any()
    bench.good.voices["loud"] = tone(440, rate=rate)
    bench.tick(5)
    heard = bench.good.heard
    np.testing.assert_array_equal(heard["listener"][-1], heard["recorder"][-1])


def test_speech_is_reported_at_its_edges_only() -> None:
    bench = Bench()
    bench.engine.apply([OpenPort(PortSpec("a", 8000, "good")), SetPort("a", speech=True)])
    bench.tick(10)
    assert bench.reports() == []
    bench.good.voices["a"] = tone(300)
    bench.tick(10)
    assert [(r.kind, r.data["speaking"]) for r in bench.engine.reports()] == [("speech", True)]
    bench.engine.apply([SetPort("a", mute=True)])
    bench.tick(10)
    assert [(r.kind, r.data["speaking"]) for r in bench.engine.reports()] == [("speech", False)]
    bench.engine.apply([SetPort("a", mute=False)])
    bench.tick(10)
    assert [(r.kind, r.data["speaking"]) for r in bench.engine.reports()] == [("speech", True)]


def test_a_banks_reports_come_out(bench: Bench) -> None:
    bench.good.report(PortReport("g1", "digit", {"digit": "5"}))
    assert bench.reports() == [("g1", "digit")]
    assert bench.reports() == []


def test_ports_come_and_go_by_the_hundred(bench: Bench) -> None:
    for _ in range(3):
        names = [f"n{i}" for i in range(200)]
        for name in names:
            bench.engine.apply([OpenPort(PortSpec(name, 16000, "good")), Join(name, "r")])
        bench.tick()
        bench.engine.apply([ClosePort(name) for name in names])
        bench.tick()
    bench.engine.apply([ClosePort("f1"), ClosePort("f2")])
    bench.tick()
    healthy(bench)
