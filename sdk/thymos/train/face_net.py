"""The expression network and the augmentation of its training pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Residual block with squeeze and excitation (Hu et al., CVPR 2018)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.na = nn.BatchNorm2d(after)
        self.b = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.nb = nn.BatchNorm2d(after)
        self.down = nn.Linear(after, after // 8)
        self.up = nn.Linear(after // 8, after)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.skip = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y = self.nb(self.b(functional.relu(self.na(self.a(x)))))
        gate = torch.sigmoid(self.up(functional.relu(self.down(y.mean((2, 3))))))
        return functional.relu(y * gate[:, :, None, None] + self.skip(x))


class FaceNet(nn.Module):
    """ResNet on grey faces [n, 1, 48, 48], values 0 to 255, to 7 logits.

    Each picture is standardised inside, so brightness and contrast do not matter.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128, 192),
        strides: tuple[int, ...] = (1, 2, 2, 2),
        depths: tuple[int, ...] = (1, 2, 2, 2),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, widths[0], 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        blocks: list[nn.Module] = []
        before = widths[0]
        for width, stride, depth in zip(widths, strides, depths, strict=True):
            for i in range(depth):
                blocks.append(Block(before, width, stride if i == 0 else 1))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(before, 7)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        mean = x.mean((2, 3), keepdim=True)
        spread = (x - mean).pow(2).mean((2, 3), keepdim=True).add(25.0).sqrt()
        y = self.blocks(functional.relu(self.norm(self.stem((x - mean) / spread))))
        return self.head(self.drop(y.mean((2, 3))))


def student() -> FaceNet:
    """Return the network that ships: about 2 million weights."""
    return FaceNet((24, 64, 128, 192), (2, 1, 2, 2), (1, 2, 2, 2))


def teacher() -> FaceNet:
    """Return the larger network the student learns from: about 8 million weights."""
    return FaceNet((64, 128, 256, 384), (2, 1, 2, 2), (1, 2, 2, 2), dropout=0.4)


def augment(x: Tensor) -> Tensor:
    """Vary pictures [n, 1, 48, 48] as a face detector, a camera and a room would."""
    n, dev = len(x), x.device

    def rand(low: float, high: float) -> Tensor:
        return torch.rand(n, device=dev) * (high - low) + low

    angle, zoom = rand(-0.3, 0.3), torch.exp(rand(-0.2, 0.2))
    stretch, flip = torch.exp(rand(-0.08, 0.08)), torch.where(rand(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack(
        [
            torch.stack([cos * flip * stretch, -sin, rand(-0.16, 0.16)], 1),
            torch.stack([sin * flip, cos / stretch, rand(-0.16, 0.16)], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    # Gamma, contrast, a light from one side.
    x = (x / 255).clamp(0, 1) ** torch.exp(rand(-0.5, 0.5))[:, None, None, None]
    ramp = torch.linspace(-1, 1, 48, device=dev)
    side = rand(-0.3, 0.3)[:, None, None] * ramp[None, None, :]
    above = rand(-0.2, 0.2)[:, None, None] * ramp[None, :, None]
    x = x * (1 + side + above)[:, None] * torch.exp(rand(-0.4, 0.4))[:, None, None, None]
    x = _blur(x, torch.where(rand(0, 1) < 0.4, rand(0.0, 1.0), torch.zeros(n, device=dev)))
    x = x + torch.randn_like(x) * (rand(0, 0.05) * (rand(0, 1) < 0.5))[:, None, None, None]
    return _cut(x.clamp(0, 1) * 255)


def _blur(x: Tensor, amount: Tensor) -> Tensor:
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device) / 16
    soft = functional.conv2d(x, (kernel[:, None] * kernel)[None, None], padding=2)
    mix = amount[:, None, None, None]
    return x * (1 - mix) + soft * mix


def _cut(x: Tensor) -> Tensor:
    """Hide a square of up to 18 pixels in half of the pictures (random erasing)."""
    n, dev = len(x), x.device
    place = torch.arange(48, device=dev)
    centre = torch.rand(2, n, device=dev) * 48
    half = torch.rand(n, device=dev) * 9 * (torch.rand(n, device=dev) < 0.5)
    rows = (place[None] - centre[0][:, None]).abs() < half[:, None]
    cols = (place[None] - centre[1][:, None]).abs() < half[:, None]
    hole = (rows[:, :, None] & cols[:, None, :])[:, None]
    return torch.where(hole, x.mean((2, 3), keepdim=True), x)
