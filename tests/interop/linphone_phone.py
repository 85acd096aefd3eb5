"""A Linphone, as a program: commands on stdin, what happens on stdout, a JSON object per line.

    python linphone_phone.py <sip port> [<line of its configuration>…]

Commands: ``{"dial": uri}``, ``{"write": text}``, ``{"press": digits}``, ``{"hang_up": true}``,
``{"lose": percent}`` of the packets it sends in calls to come, ``{"quit": true}``. It answers every
call. Events: ``{"ready": true}``, ``{"state": number}``, ``{"text": character}``,
``{"digit": key}``.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
from typing import Any

RECEIVED = 1
"""The state of a call that has just come in."""

_CONFIG = """\
[sip]
{lines}
[net]
mtu=1300
[misc]
rtt_enabled=1
[rtp]
audio_rtp_port=33000-33998
text_rtp_port=34000-34998
[video]
enabled=0
"""

_SIP = {"sip_tcp_port": "0", "sip_tls_port": "0", "media_encryption": "none"}

_lib = ctypes.CDLL("liblinphone.so.10")
_Call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
_Composing = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_Dtmf = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_lib, f"linphone_{name}")
    function.restype, function.argtypes = result, arguments
    return function


_P, _S, _I = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int


class _Network(ctypes.Structure):
    """OrtpNetworkSimulatorParams."""

    _fields_ = (
        ("enabled", ctypes.c_int),
        ("max_bandwidth", ctypes.c_float),
        ("max_buffer_size", ctypes.c_int),
        ("loss_rate", ctypes.c_float),
        ("latency", ctypes.c_uint32),
        ("consecutive_loss_probability", ctypes.c_float),
        ("jitter_burst_density", ctypes.c_float),
        ("jitter_strength", ctypes.c_float),
        ("rtp_only", ctypes.c_int),
        ("mode", ctypes.c_int),
    )


_OUTBOUND = 1


def tell(**event: Any) -> None:
    print(json.dumps(event), flush=True)


class Phone:
    """One core; everything happens in `run`."""

    def __init__(self, port: int, lines: list[str]) -> None:
        factory = _function("factory_get", _P)()
        settings = _SIP | {"sip_port": str(port)} | dict(line.split("=", 1) for line in lines)
        written = "\n".join(f"{name}={value}" for name, value in settings.items())
        config = _CONFIG.format(lines=written).encode()
        config = _function("config_new_from_buffer", _P, _S)(config)
        create = _function("factory_create_core_with_config_3", _P, _P, _P, _P)
        self._core = create(factory, config, None)
        _function("core_set_use_files", None, _P, _I)(self._core, 1)
        _function("core_enable_ipv6", None, _P, _I)(self._core, 0)
        _function("core_enable_realtime_text", None, _P, _I)(self._core, 1)
        self._call: int | None = None
        self._message: int | None = None
        self._callbacks = (
            _Call(self._state_changed), _Composing(self._composing), _Dtmf(self._pressed)
        )  # fmt: skip
        callbacks = _function("factory_create_core_cbs", _P, _P)(factory)
        names = ("call_state_changed", "is_composing_received", "dtmf_received")
        for name, callback in zip(names, self._callbacks, strict=True):
            _function(f"core_cbs_set_{name}", None, _P, type(callback))(callbacks, callback)
        _function("core_add_callbacks", None, _P, _P)(self._core, callbacks)
        assert _function("core_start", _I, _P)(self._core) == 0
        self._iterate = _function("core_iterate", None, _P)

    def run(self) -> None:
        tell(ready=True)
        pending = b""
        while True:
            self._iterate(self._core)
            if not select.select([0], [], [], 0.01)[0]:
                continue
            data = os.read(0, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if "quit" in command:
                    return
                self._do(**command)

    def _do(
        self,
        dial: str | None = None,
        write: str | None = None,
        press: str | None = None,
        lose: float | None = None,
        hang_up: bool = False,
    ) -> None:
        if lose is not None:
            network = _Network(enabled=1, loss_rate=lose, rtp_only=1, mode=_OUTBOUND)
            simulate = _function("core_set_network_simulator_params", None, _P, _P)
            simulate(self._core, ctypes.addressof(network))
        if dial is not None:
            invite = _function("core_invite_with_params", _P, _P, _S, _P)
            self._call = invite(self._core, dial.encode(), self._params(None))
        if write is not None:
            self._write(write)
        if press is not None:
            _function("call_send_dtmfs", _I, _P, _S)(self._call, press.encode())
        if hang_up:
            _function("call_terminate", _I, _P)(self._call)

    def _write(self, text: str) -> None:
        if self._message is None:
            room = _function("call_get_chat_room", _P, _P)(self._call)
            create = _function("chat_room_create_empty_message", _P, _P)
            self._message = create(room)
        put = _function("chat_message_put_char", _I, _P, ctypes.c_uint32)
        for character in text:
            assert put(self._message, ord(character)) == 0

    def _params(self, call: int | None) -> int:
        params = _function("core_create_call_params", _P, _P, _P)(self._core, call)
        _function("call_params_enable_realtime_text", _I, _P, _I)(params, 1)
        return int(params)

    def _state_changed(self, core: int, call: int, state: int, message: bytes) -> None:
        tell(state=state, why=message.decode())
        if state == RECEIVED:
            self._call = call
            accept = _function("call_accept_with_params", _I, _P, _P)
            accept(call, self._params(call))

    def _composing(self, core: int, room: int) -> None:
        character = _function("chat_room_get_char", ctypes.c_uint32, _P)(room)
        if character:
            tell(text=chr(character))

    def _pressed(self, core: int, call: int, digit: int) -> None:
        tell(digit=chr(digit))


if __name__ == "__main__":
    Phone(int(sys.argv[1]), sys.argv[2:]).run()
