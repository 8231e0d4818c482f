"""`python -m thymos_nodes.replay`: runs `thymos_nodes.replay_node.ReplayNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until the recording is over or a signal comes."""
    run("thymos_nodes.replay_node:ReplayNode")


if __name__ == "__main__":
    main()
