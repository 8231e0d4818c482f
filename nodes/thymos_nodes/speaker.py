"""`python -m thymos_nodes.speaker`: runs `thymos_nodes.speaker_node.SpeakerNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.speaker_node:SpeakerNode")


if __name__ == "__main__":
    main()
