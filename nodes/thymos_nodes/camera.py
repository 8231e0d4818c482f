"""`python -m thymos_nodes.camera`: runs `thymos_nodes.sensors.CameraNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.sensors:CameraNode")


if __name__ == "__main__":
    main()
