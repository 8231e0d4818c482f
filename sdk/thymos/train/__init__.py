"""Recipes of the small models that ship with Thymos, and the script that scores them.

    python -m thymos.train.face     DATA --out DIR     facial expression
    python -m thymos.train.speech   DATA --out DIR     speech emotion
    python -m thymos.train.text     DATA --out DIR     text emotion
    python -m thymos.train.evaluate DATA [face|speech|text]   the numbers of the model cards

`DATA` is the folder with `face/`, `speech/` and `text/` (see `thymos.train.data` for the layout).
Training needs torch and onnx, which Thymos itself does not: `pip install 'thymos[train]'`; a GPU
makes it minutes, a CPU hours. Scoring needs only what runs the models: numpy and onnxruntime.
"""
