"""Own ROS domain, local discovery, node processes that are surely gone afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ros_testing import ROOT, Nodes, claim_domain

sys.path.insert(0, str(ROOT / "nodes"))  # what is tested is the source tree


@pytest.fixture(scope="session")
def ros_environment() -> Iterator[dict[str, str]]:
    """Variables for this process and for node processes."""
    pytest.importorskip("rclpy", reason="rclpy is not installed (pip install 'thymos[ros]')")
    pytest.importorskip("thymos_msgs", reason="the messages are not built (make setup)")
    from thymos_nodes import graph

    number, lock = claim_domain()
    path = [str(ROOT / "nodes"), os.environ.get("PYTHONPATH", "")]
    variables = {
        "ROS_DOMAIN_ID": str(number),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        graph.PROFILE_VARIABLE: str(graph.config_file("fastdds.xml")),
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
    }
    before = dict(os.environ)
    os.environ.update(variables)
    yield variables
    os.environ.clear()
    os.environ.update(before)
    lock.close()


@pytest.fixture
def ros(ros_environment: dict[str, str]) -> Iterator[None]:
    """rclpy, up and down for one test."""
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def nodes(ros_environment: dict[str, str], tmp_path: Path) -> Iterator[Nodes]:
    """Starts node processes and sees that none stays."""
    made = Nodes(tmp_path)
    yield made
    for child in made.all.values():
        if child.poll() is None:
            child.kill()
            child.wait()
