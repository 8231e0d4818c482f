"""Which odour it is: shipped and taught patterns, `unknown` for everything else.

    recogniser = load_recogniser(spec)          None: nothing learnt fits this nose
    recogniser.begin(onset_ns)                  a new smell
    recogniser.update(t_ns, values)             each reading, as `recogniser.wants` it
    recogniser.guess()                          OdourGuess, or None while there is too little

How good it is, on what data: docs/models/smell.md.
"""

from thymos.smell.recognise.guess import UNKNOWN, OdourGuess, odour_name
from thymos.smell.recognise.load import load_recogniser, shipped
from thymos.smell.recognise.model import OdourModel
from thymos.smell.recognise.online import Recogniser
from thymos.smell.recognise.store import TaughtStore
from thymos.smell.recognise.taught import Taught, TaughtOdour, TaughtSniff

__all__ = [
    "UNKNOWN",
    "OdourGuess",
    "OdourModel",
    "Recogniser",
    "Taught",
    "TaughtOdour",
    "TaughtSniff",
    "TaughtStore",
    "load_recogniser",
    "odour_name",
    "shipped",
]
