"""`python -m thymos_nodes.responder`: runs `thymos_nodes.responder_node.ResponderNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.responder_node:ResponderNode")


if __name__ == "__main__":
    main()
