"""What setup.cfg cannot say: the files that ROS looks for outside of Python packages."""

from pathlib import Path

from setuptools import setup

NAME = "thymos_nodes"


def files(pattern: str) -> list[str]:
    """Paths below this folder, in a fixed order."""
    return sorted(str(path) for path in Path().glob(pattern) if path.is_file())


setup(
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch/*.launch.py")),
        (f"share/{NAME}/config", files("launch/config/*")),
        # `ros2 run` and launch look here; pip does not honour install_scripts of setup.cfg.
        (f"lib/{NAME}", files("libexec/*")),
    ],
)
