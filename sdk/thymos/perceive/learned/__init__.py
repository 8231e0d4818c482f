"""Small emotion models trained for Thymos; the weights lie beside this file, in `weights/`.

    face = FaceExpression()
    face.predict(crops)             [n, h, w] or [n, h, w, 3] uint8 -> [n, 7], columns EMOTIONS
    face.crop(frame, box)           the square around a detected face that the model wants

    voice = SpeechEmotion()
    r = voice.predict(pcm)          [samples] float32 or int16, mono, 16 kHz, 0.3 s or longer
    r.probs                         [8], columns voice.labels (RAVDESS: calm beside neutral)
    r.emotion                       [7], columns EMOTIONS;  r.valence, r.arousal in -1 to 1

    text = TextEmotion()
    r = text.predict(["I am not happy about this."])
    r.labels                        [n, 28], columns text.labels (GoEmotions), each on its own
    r.emotion                       [n, 7], columns EMOTIONS, rows sum to 1
    r.found                         [n, 7] bool: over the threshold (none, one or several)
    r.valence, r.arousal            [n]

Each class loads its file when made (`ModelError`, `MissingExtraError`), is deterministic, uses one
thread unless told otherwise, and is meant for one thread at a time. Probabilities are calibrated.
How good they are, on what data, and what they may be used for: `docs/models/`. The face and speech
weights come from data for non-commercial research.
"""

from thymos.perceive.learned.face import FaceExpression
from thymos.perceive.learned.speech import SpeechEmotion, SpeechReading
from thymos.perceive.learned.text import TextEmotion, TextReading

__all__ = ["FaceExpression", "SpeechEmotion", "SpeechReading", "TextEmotion", "TextReading"]
