"""Every performance figure of Thymos: `make bench`, or `python -m benchmarks`.

Each benchmark is a module here with one function `run(repeats, quick) -> list[Figure]`; it runs
in a process of its own, so that none disturbs (or ends) another. How each is measured:
`docs/benchmarks.md`.
"""

BENCHMARKS = {
    "align": "joins of 30/50/10 Hz streams, against message_filters",
    "window": "a window query over 10 s of three streams, both backends",
    "hop": "pictures from process to process, against rclpy",
    "record": "size, quality and cost of recorded pictures and sound, against raw",
    "replay": "a recording through the windower, against plain reading",
    "clock": "capture times after drift and delay, against arrival and a base taken once",
    "growth": "cost as streams grow: 1 to 16 cameras, 1 to 64 channels",
    "perceive": "what a picture and a second of sound cost, by stage and by people in view",
    "smell": "a reading of a nose through the smell path; a week of them in constant memory",
    "frame": "a smell frame as message, JSON and Parquet: size and cost",
    "small": "start-up, decoding, the report page",
    "path": "the whole street in real time, with all models",
}
