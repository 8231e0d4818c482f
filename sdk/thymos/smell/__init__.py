"""Olfaction: what an electronic nose measured, what it may be, and what that means for a person.

The rooms, in the order of the street: `frame` (one reading, written down), `formats` (files of
others), `signal` (from raw values to responses, phases and events), `drift` (the same odour on an
older or another sensor), `recognise` (which odour), `meaning` (pleasant, dangerous, remembered).
"""
