"""`python -m thymos_nodes.microphone`: runs `thymos_nodes.sensors.MicrophoneNode`."""

from __future__ import annotations

from thymos_nodes.process import run


def main() -> None:
    """Run the node until a signal comes."""
    run("thymos_nodes.sensors:MicrophoneNode")


if __name__ == "__main__":
    main()
