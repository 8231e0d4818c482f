"""`python -m thymos_nodes.perception`: runs `thymos_nodes.perception_node.PerceptionNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.perception_node:PerceptionNode")


if __name__ == "__main__":
    main()
