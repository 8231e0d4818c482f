"""How every node process starts and ends.

The main thread does nothing but wait for SIGINT or SIGTERM, which are blocked in all other
threads; ROS and the node run in a second thread. So a signal is heard at once, also while a model
loads, and any further one stays pending in a process that is already on its way out. The exit code
is 0 after a signal, 1 if the node could not be made.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.node import Node

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOK_S = 0.5
GRACE_S = 4.0  # how long a node may take to let go of devices and models before it is left behind


def run(target: str, args: list[str] | None = None) -> None:
    """Run one node until a signal comes, then end the process.

    Args:
        target: `module:Class`. It is imported here, after the signals are in hand, since importing
            ROS takes a while and people are impatient.
        args: ROS arguments; None takes those of the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # inherited by every thread made from now on
    work = _Work(target, args)
    work.start()
    signal.sigwait(SIGNALS)
    work.stop.set()
    work.join(GRACE_S)
    sys.stdout.flush()
    sys.stderr.flush()
    if work.is_alive():
        # A library is busy in native code (loading a model) in a thread that cannot be interrupted.
        # Nothing is half written at this point.
        os._exit(0)
    sys.exit(work.code)  # the interpreter's own end gives the shared memory of DDS back


class _Work(threading.Thread):
    """The second thread: make the node, spin, take it down."""

    def __init__(self, target: str, args: list[str] | None) -> None:
        super().__init__(name="ros", daemon=True)
        self._target = target
        self._args = args
        self.stop = threading.Event()
        self.code = 0

    def run(self) -> None:
        """Runs until `stop`, or until the node ends by itself or fails; then wakes the main."""
        try:
            self.code = self._spin()
        except Exception as err:  # noqa: BLE001  the last resort: one line, no traceback
            if not self.stop.is_set():
                self.code = 1
                _tell(err)
        finally:
            if not self.stop.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    def _spin(self) -> int:
        faulthandler.enable()
        module, _, name = self._target.partition(":")
        import rclpy
        from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        made = getattr(importlib.import_module(module), name)
        if self.stop.is_set():
            return 0
        rclpy.init(args=self._args, signal_handler_options=SignalHandlerOptions.NO)
        node = None
        executor = SingleThreadedExecutor()
        done = threading.Event()
        try:
            node = made()
            if hasattr(node, "finish"):  # a node that comes to an end by itself
                node.finish = done.set
            executor.add_node(node)
            while not (self.stop.is_set() or done.is_set()):
                # Waking an executor does not end its wait: a node that hears nothing must look.
                executor.spin_once(timeout_sec=LOOK_S)
        except ExternalShutdownException:
            pass
        finally:
            if node is not None:
                _take_down(node, executor)
            rclpy.try_shutdown()
        return int(getattr(node, "exit_code", 0))


def _take_down(node: Node, executor: Executor) -> None:
    release = getattr(node, "release", None)
    if release is not None:
        release()
    executor.remove_node(node)
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()


def _tell(err: Exception) -> None:
    from thymos.errors import ThymosError

    known = isinstance(err, ThymosError)
    print(f"error: {err}" if known else f"error: {type(err).__name__}: {err}", file=sys.stderr)
    if hint := getattr(err, "hint", ""):
        print(f"next: {hint}", file=sys.stderr)
    if os.environ.get("THYMOS_DEBUG"):
        traceback.print_exc()
