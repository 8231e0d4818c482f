"""`python -m thymos_nodes.enose`: runs `thymos_nodes.sensors.EnoseNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.sensors:EnoseNode")


if __name__ == "__main__":
    main()
