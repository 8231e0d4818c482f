"""`python -m thymos_nodes.enose`: runs `thymos_nodes.enose_node.EnoseNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.enose_node:EnoseNode")


if __name__ == "__main__":
    main()
