"""Metrics of the field as a library, and `thymos eval`: see `docs/evaluation.md`.

Nothing heavy is imported here; each metric lives in the module of its name.
"""
