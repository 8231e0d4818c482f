"""`thymos train face|speech|text|enose`: the small models, made anew with one command."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from thymos.cli.output import stderr
from thymos.errors import ConfigError, MissingExtraError
from thymos.models import ModelStore

app = typer.Typer(
    help="Train the small models anew (extra 'train'; all but `enose` take hours without a GPU).",
    no_args_is_help=True,
)

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

Data = Annotated[
    Path, typer.Argument(help="Folder of the data sets; docs/models.md says what must be in it.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for weights and scores; a run goes on.")]


@app.command(context_settings=_PASS_ON)
def face(ctx: typer.Context, data: Data, out: Out = Path("thymos-train/face")) -> None:
    """Face expression, from FER2013. Other options go to the recipe: `--epochs 50 --limit 200`."""
    _run("face", data, out, None, ctx.args)


@app.command(context_settings=_PASS_ON)
def speech(ctx: typer.Context, data: Data, out: Out = Path("thymos-train/speech")) -> None:
    """Speech emotion, from RAVDESS. Other options go to the recipe: `--limit 12`."""
    _run("speech", data, out, "speech_encoder", ctx.args)


@app.command(context_settings=_PASS_ON)
def text(ctx: typer.Context, data: Data, out: Out = Path("thymos-train/text")) -> None:
    """Text emotion, from GoEmotions. Other options go to the recipe: `--epochs 8 --limit 500`."""
    _run("text", data, out, "sentence_encoder", ctx.args)


@app.command(context_settings=_PASS_ON)
def enose(ctx: typer.Context, data: Data, out: Out = Path("thymos-train/enose")) -> None:
    """Odours, from SmellNet, BME688 scans and UCI drift; half a minute, no GPU, no torch.

    Other options go to the recipe: `--only smellnet --limit 10`.
    """
    _run("enose", data, out, None, ctx.args, needs=("sklearn",))


def _run(
    recipe: str,
    data: Path,
    out: Path,
    role: str | None,
    rest: list[str],
    *,
    needs: Sequence[str] = ("torch", "onnx", "safetensors"),
) -> None:
    """Run a recipe with the encoder of `role`, unless another one is named."""
    for library in needs:  # asked now, not after an hour
        if find_spec(library) is None:
            raise MissingExtraError(library, "train")
    if not data.is_dir():
        raise ConfigError(f"there is no folder '{data}'", hint="name the folder of the data sets")
    arguments = [str(data), "--out", str(out), *rest]
    if role and not any(a.split("=")[0] == "--encoder" for a in rest):
        encoder = ModelStore().path(role)
        if role == "speech_encoder":
            encoder /= "model.bin"
        arguments += ["--encoder", str(encoder)]
    import_module(f"thymos.train.{recipe}").main(arguments)
    stderr.print(f"{out}: new weights and their scores", markup=False)
    stderr.print(f"next: thymos eval {recipe} --help; docs/models/ holds the card", markup=False)
