"""The self-contained HTML page of a run: `write_report`, and `TraceCollector` to feed it."""

from __future__ import annotations

from thymos.report.page import write_report
from thymos.report.pictures import PictureCollector
from thymos.report.session import Session
from thymos.report.traces import Trace, TraceCollector

__all__ = ["PictureCollector", "Session", "Trace", "TraceCollector", "write_report"]
