"""Recipes of the small models that ship with Thymos; `thymos eval` scores them.

    python -m thymos.train.face     DATA --out DIR     facial expression
    python -m thymos.train.speech   DATA --out DIR     speech emotion
    python -m thymos.train.text     DATA --out DIR     text emotion

`DATA` is the folder with `face/`, `speech/` and `text/` (see `thymos.train.data` for the layout).
Training needs torch and onnx, which Thymos itself does not: `pip install 'thymos[train]'`; a GPU
makes it minutes, a CPU hours.
"""
