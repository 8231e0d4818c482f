"""`thymos eval`: labelled clips in, answers kept one by one, scores out.

items       what is asked: LABELS CSV (`labels`), or the layout of a public set (`presets`)
speech, face, text, street    who answers; each gives one `Answer` an item
journal     answers on disk, appended whole; a killed run goes on where it stopped
work        one process, several (`--jobs`), or a Ray cluster (`--ray`)
score, show, picture          the result, as JSON, tables and SVG
"""
