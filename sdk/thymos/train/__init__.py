"""Recipes of the small models that ship with Thymos; `thymos eval` scores them.

    python -m thymos.train.face     DATA --out DIR     facial expression
    python -m thymos.train.speech   DATA --out DIR     speech emotion
    python -m thymos.train.text     DATA --out DIR     text emotion
    python -m thymos.train.enose    DATA --out DIR     odours (scikit-learn only, half a minute)

`DATA` is the folder with `face/`, `speech/`, `text/` and `enose/` (layout: `thymos.train.data` and
`enose_data`). Training the first three needs torch and onnx, which
Thymos itself does not: `pip install 'thymos[train]'`; a GPU makes it minutes, a CPU hours.
"""
