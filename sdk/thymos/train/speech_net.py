"""The speech-emotion network: log-mel front end, the lower layers of a Whisper encoder, pooling."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

RATE, WINDOW, HOP, MELS = 16000, 400, 160, 80


def mel_filters() -> NDArray[np.float32]:
    """Return the [80, 201] mel filters Whisper uses (Slaney's scale and area normalisation)."""

    def to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(
            hz < 1000, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4)
        )

    def to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) * (mel - 15) / 27))

    top = to_mel(np.array([RATE / 2.0]))[0]
    edges = to_hz(np.linspace(0.0, top, MELS + 2))
    bins = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    ramps = edges[:, None] - bins[None, :]
    width = np.diff(edges)
    lower, upper = -ramps[:-2] / width[:-1, None], ramps[2:] / width[1:, None]
    filters = np.maximum(0, np.minimum(lower, upper)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)


class LogMel(nn.Module):
    """PCM [n, samples] at 16 kHz to log10 mel power [n, 80, samples // 160].

    The Fourier transform is written as a convolution so that it exports to plain ONNX operators.
    """

    def __init__(self) -> None:
        super().__init__()
        t = np.arange(WINDOW)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * t / WINDOW)
        angle = 2 * np.pi * np.outer(np.arange(WINDOW // 2 + 1), t) / WINDOW
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) * hann
        self.register_buffer("fourier", torch.from_numpy(waves[:, None].astype(np.float32)))
        self.register_buffer("filters", torch.from_numpy(mel_filters()))

    def forward(self, pcm: Tensor) -> Tensor:
        """See the class."""
        with torch.autocast(pcm.device.type, enabled=False):
            padded = functional.pad(pcm[:, None].float(), (WINDOW // 2, WINDOW // 2 - HOP))
            both = functional.conv1d(padded, self.fourier, stride=HOP)
            half = WINDOW // 2 + 1
            power = both[:, :half] ** 2 + both[:, half:] ** 2
            return torch.log10(torch.matmul(self.filters, power).clamp(min=1e-10))


class Layer(nn.Module):
    """Pre-norm transformer layer of Whisper."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        n, t, _ = x.shape
        c = self.width
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, c // self.heads).unbind(2)
        y = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        )
        x = x + self.out(y.transpose(1, 2).reshape(n, t, c))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class SpeechNet(nn.Module):
    """PCM [n, samples] at 16 kHz, any level, to emotion logits [n, classes] and pooled features.

    The level is taken out: the loudest mel value of a clip is set to a fixed one. What every layer
    says is pooled over time (mean and spread) and read by one linear head. The lower layers of
    speech encoders say more of emotion than the last (Pasad et al., ASRU 2021).
    """

    def __init__(self, width: int, layers: int, heads: int, classes: int) -> None:
        super().__init__()
        self.logmel = LogMel()
        self.conv1 = nn.Conv1d(MELS, width, 3, 1, 1)
        self.conv2 = nn.Conv1d(width, width, 3, 2, 1)
        self.register_buffer("places", torch.zeros(1500, width))
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(layers)])
        self.answer = nn.Linear(2 * width * layers, classes)

    def forward(self, pcm: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        pooled = self.pool(self.level(self.logmel(pcm)))
        return self.answer(pooled), pooled

    @staticmethod
    def level(mel: Tensor) -> Tensor:
        """Log-mel [n, 80, frames] without the level of the clip, in the encoder's range."""
        peak = mel.amax((1, 2), keepdim=True)
        return (torch.maximum(mel - peak, torch.full_like(peak, -8.0)) + 5.5) / 4

    def pool(self, mel: Tensor) -> Tensor:
        """Levelled mel [n, 80, frames] to mean and spread of layers, [n, layers * 2 * width]."""
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.places[: x.shape[1]]
        found = []
        for layer in self.layers:
            x = layer(x)
            found += [x.mean(1), x.std(1)]
        return torch.cat(found, 1)


def from_whisper(weights: dict[str, NDArray[np.float32]], layers: int, classes: int) -> SpeechNet:
    """Build the network on the first `layers` layers of a Whisper encoder."""
    width = weights["conv1/weight"].shape[0]
    net = SpeechNet(width, layers, width // 64, classes)

    def put(target: Tensor, name: str) -> None:
        target.data.copy_(torch.from_numpy(weights[name]))

    put(net.places, "position_encodings/encodings")
    for conv in ("conv1", "conv2"):
        put(getattr(net, conv).weight, f"{conv}/weight")
        put(getattr(net, conv).bias, f"{conv}/bias")
    for i, layer in enumerate(net.layers):
        for mine, name in (
            ("qkv", "self_attention/linear_0"), ("out", "self_attention/linear_1"),
            ("up", "ffn/linear_0"), ("down", "ffn/linear_1"),
        ):  # fmt: skip
            put(getattr(layer, mine).weight, f"layer_{i}/{name}/weight")
            put(getattr(layer, mine).bias, f"layer_{i}/{name}/bias")
        for mine, name in (("norm1", "self_attention"), ("norm2", "ffn")):
            put(getattr(layer, mine).weight, f"layer_{i}/{name}/layer_norm/gamma")
            put(getattr(layer, mine).bias, f"layer_{i}/{name}/layer_norm/beta")
    return net
