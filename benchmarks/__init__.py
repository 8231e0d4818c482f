"""Every performance figure of the README: `make bench`, or `python -m benchmarks`."""
