"""Measurements of the whole street; `thymos bench` and `benchmarks/` print them."""
