"""How every node process starts and ends.

The main thread only waits for a signal; ROS and the node run in a second thread. So a SIGINT or
SIGTERM is heard at once, also while a model loads, and any further one meets a deaf process that is
already on its way out. The exit code is 0 after a signal, 1 if the node could not be made.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.node import Node

GRACE_S = 4.0  # how long a node may take to let go of devices and models before it is left behind


class _Signals:
    """Waits for the first SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stop.set()


def run(target: str, args: list[str] | None = None) -> None:
    """Run one node until a signal comes, then end the process.

    Args:
        target: `module:Class`. It is imported here, after the signal handlers are in place, since
            importing ROS takes a while and people are impatient.
        args: ROS arguments; None takes those of the process.
    """
    signals = _Signals()
    code: list[int] = []
    worker = threading.Thread(
        target=_work, args=(target, args, signals, code), name="ros", daemon=True
    )
    worker.start()
    signals.stop.wait()
    worker.join(GRACE_S)
    sys.stdout.flush()
    sys.stderr.flush()
    if worker.is_alive():
        # A library is busy in native code (loading a model) and cannot be interrupted. Nothing is
        # half written at this point, so the process ends without it.
        os._exit(0)
    sys.exit(code[0] if code else 0)


def _work(
    target: str,
    args: list[str] | None,
    signals: _Signals,
    code: list[int],
) -> None:
    """The second thread: make the node, spin, take it down."""
    try:
        code.append(_spin(target, args, signals.stop))
    except Exception as err:  # noqa: BLE001  the last resort: one line, no traceback
        if not signals.stop.is_set():
            code.append(1)
            print(f"error: {_words(err)}", file=sys.stderr)
            if hint := getattr(err, "hint", ""):
                print(f"next: {hint}", file=sys.stderr)
            if os.environ.get("THYMOS_DEBUG"):
                traceback.print_exc()
    finally:
        signals.stop.set()


def _words(err: Exception) -> str:
    from thymos.errors import ThymosError

    return str(err) if isinstance(err, ThymosError) else f"{type(err).__name__}: {err}"


def _spin(target: str, args: list[str] | None, stop: threading.Event) -> int:
    faulthandler.enable()
    module, _, name = target.partition(":")
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    made = getattr(importlib.import_module(module), name)
    if stop.is_set():
        return 0
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = made()
        if hasattr(node, "finish"):  # a node that comes to an end by itself
            node.finish = stop.set
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        wake = threading.Thread(target=_wake, args=(stop, executor), name="wake", daemon=True)
        wake.start()
        while not stop.is_set():
            executor.spin_once()
    except ExternalShutdownException:
        pass
    finally:
        if node is not None:
            _take_down(node)
        rclpy.try_shutdown()
    return int(getattr(node, "exit_code", 0))


def _wake(stop: threading.Event, executor: Executor) -> None:
    stop.wait()
    executor.wake()


def _take_down(node: Node) -> None:
    release = getattr(node, "release", None)
    if release is not None:
        release()
    node.destroy_node()
