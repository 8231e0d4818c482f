"""What the three recipes share: one training loop with a moving average of the weights."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


def pick_device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def log(text: str) -> None:
    """Print at once, with the seconds since the start of the process."""
    print(f"[{time.monotonic() - _START:6.1f} s] {text}", flush=True)


_START = time.monotonic()


def batches(n: int, size: int, generator: torch.Generator) -> Iterable[Tensor]:
    """Yield row numbers in shuffled batches; the last, incomplete one is left out."""
    order = torch.randperm(n, generator=generator)
    for i in range(0, n - size + 1, size):
        yield order[i : i + size]


def train(  # noqa: PLR0917
    model: nn.Module,
    loss_of: Callable[[nn.Module, Tensor], Tensor],
    n: int,
    epochs: int,
    batch: int,
    groups: list[dict[str, Any]],
    seed: int,
    decay: float = 0.999,
    warmup: float = 0.1,
    weight_decay: float = 0.02,
    seconds: float = math.inf,
) -> nn.Module:
    """Train with AdamW and one cosine cycle; return the exponential moving average of the weights.

    Args:
        model: On its device.
        loss_of: Takes the model and row numbers, returns the loss of that batch.
        n: Number of rows.
        epochs: Passes over the rows.
        batch: Rows a step.
        groups: Parameter groups with their peak `lr`.
        seed: Seed of order; augmentation draws from torch's global generators, seeded here too.
        decay: Of the moving average.
        warmup: Share of the steps in which the rate rises.
        weight_decay: Of AdamW.
        seconds: If the passes would take longer, the cycle is shortened to end by then.
    """
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    order = torch.Generator().manual_seed(seed)
    steps = max(1, epochs * (n // batch))
    optimiser = torch.optim.AdamW(
        groups, weight_decay=weight_decay, betas=(0.9, 0.98), fused=device.type == "cuda"
    )
    peaks = [g["lr"] for g in groups]
    began = time.monotonic()
    average = copy.deepcopy(model).eval().requires_grad_(False)
    mine, theirs = list(average.state_dict().values()), list(model.state_dict().values())
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a.is_floating_point()]
    mine, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    done = 0
    for epoch in range(epochs):
        model.train()
        total = torch.zeros((), device=device)
        for rows in batches(n, batch, order):
            progress = max(done / steps, (time.monotonic() - began) / seconds)
            if progress >= 1:
                return average
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * _rate(progress, warmup)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = loss_of(model, rows.to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimiser.step()
            done += 1
            with torch.no_grad():
                torch._foreach_lerp_(mine, theirs, 1.0 - min(decay, (1 + done) / (10 + done)))
            total += loss.detach()
        if epoch % max(1, epochs // 6) == 0 or epoch == epochs - 1:
            log(f"  epoch {epoch + 1}/{epochs} loss {float(total) / max(1, n // batch):.4f}")
    return average


def _rate(progress: float, warmup: float) -> float:
    """Rise linearly, then fall along half a cosine."""
    if progress < warmup:
        return progress / warmup
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warmup) / (1 - warmup))
