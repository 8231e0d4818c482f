"""Running small TFLite models: one place that loads the interpreter and keeps it quiet."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError, ModelError

F32 = NDArray[np.float32]

_stderr_lock = threading.Lock()


class TfLite:
    """A TFLite model with one float input, on one CPU thread.

    Args:
        path: The `.tflite` file.

    Raises:
        ModelError: The file is not a model that the runtime can run.
        MissingExtraError: ai-edge-litert is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as err:
            raise MissingExtraError("ai-edge-litert", "perceive") from err
        try:
            with quiet_stderr():
                self._net = Interpreter(str(path), num_threads=1)
                self._net.allocate_tensors()
        except (ValueError, RuntimeError) as err:
            line = (str(err).splitlines() or ["?"])[0]
            raise ModelError(f"'{path.name}' does not load: {line}") from err
        self._input = self._net.get_input_details()[0]["index"]
        self._outputs = [out["index"] for out in self._net.get_output_details()]

    def __call__(self, x: F32) -> list[F32]:
        """Run the model; returns copies of all outputs."""
        self._net.set_tensor(self._input, x)
        self._net.invoke()
        return [self._net.get_tensor(index) for index in self._outputs]


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep C++ start-up chatter ("Created XNNPACK delegate …") off the terminal.

    It is written to file descriptor 2 directly, past Python, and no setting turns it off.
    Errors come back as exceptions, so nothing of worth is lost in these milliseconds.
    """
    with _stderr_lock:
        try:
            sys.stderr.flush()
            saved = os.dup(2)
        except (OSError, ValueError, AttributeError):  # no stderr at all: nothing to keep quiet
            yield
            return
        try:
            with Path(os.devnull).open("wb") as sink:
                os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
