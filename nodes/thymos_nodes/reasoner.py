"""`python -m thymos_nodes.reasoner`: runs `thymos_nodes.reasoner_node.ReasonerNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.reasoner_node:ReasonerNode")


if __name__ == "__main__":
    main()
