"""Variation of training speech: pitch and speed, rooms, noise, microphones, bands, gaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

RATE = 16000


def _rand(n: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.rand(n, device=device) * (high - low) + low


def vary(wave: Tensor, rough: bool = False) -> Tensor:
    """Vary one clip [samples]: speed and pitch, at times only a part of it, another room.

    Args:
        wave: The clip.
        rough: Always in a room, through a microphone and in much noise.
    """
    choice = torch.rand(3)
    share = 1.0 if choice[0] < 0.6 else float(torch.rand(1)) * 0.5 + 0.5
    speed = float(torch.exp((torch.rand(1) * 2 - 1) * 0.12))  # pitch, tempo: another throat
    samples = int(len(wave) * share / speed)
    start = float(torch.rand(1)) * (len(wave) - samples * speed)
    at = (start + torch.arange(samples) * speed).clamp(max=len(wave) - 2)
    low = at.floor().long()
    out = wave[low].lerp(wave[low + 1], at - low)[None]
    if rough or choice[1] < 0.7:
        out = colour(out, rough)
    return out[0] / out.abs().max()


def colour(pcm: Tensor, rough: bool = False) -> Tensor:
    """Put clips [n, samples] into a room, through a microphone, into noise; more if rough."""
    n, samples = pcm.shape
    dev = pcm.device
    size = 1 << 16  # one size for all: each new one costs the GPU a plan
    bins = size // 2 + 1
    hz = torch.linspace(0, RATE / 2, bins, device=dev)
    spectrum = torch.fft.rfft(pcm, size) * _microphone(n, hz, 0.6 if rough else 0.3)
    spectrum = spectrum * torch.fft.rfft(_room(n, dev), size)
    pcm = torch.fft.irfft(spectrum, size)[:, :samples]
    slope = _rand(n, -0.6 if rough else 0.0, 1.2, dev).clamp(min=0.0)  # 0: white
    tilt = (hz.clamp(min=50)[None] / 1000) ** -slope[:, None]
    noise = torch.fft.irfft(torch.fft.rfft(torch.randn(n, size, device=dev)) * tilt, size)
    noise = noise[:, :samples]
    snr = torch.where(torch.rand(n, device=dev) < 0.6, _rand(n, 3, 35, dev), _rand(n, 35, 60, dev))
    if rough:
        snr = _rand(n, 3, 20, dev)
    power = pcm.pow(2).mean(1).clamp(min=1e-9) / noise.pow(2).mean(1).clamp(min=1e-9)
    return pcm + noise * (power * 10 ** (-snr / 10)).sqrt()[:, None]


def _microphone(n: int, hz: Tensor, narrow: float) -> Tensor:
    """Return a smooth random response, cut above and below with the probability `narrow`."""
    dev = hz.device
    points = torch.randn(n, 1, 10, device=dev) * 4.0
    decibel = functional.interpolate(points, size=len(hz), mode="linear", align_corners=True)[:, 0]
    top = torch.where(torch.rand(n, device=dev) < narrow, _rand(n, 3000, 7500, dev), 1e5)
    bottom = torch.where(torch.rand(n, device=dev) < narrow, _rand(n, 60, 300, dev), 0.0)
    passed = torch.sigmoid((top[:, None] - hz) / 100) * torch.sigmoid((hz - bottom[:, None]) / 15)
    return 10 ** (decibel / 20) * passed


def _room(n: int, dev: torch.device) -> Tensor:
    """Return impulse responses: a direct sound, and in half of them an exponential tail."""
    t = torch.arange(RATE // 2, device=dev) / RATE
    fall = math.log(1000.0) / _rand(n, 0.1, 0.9, dev)
    tail = torch.randn(n, len(t), device=dev) * torch.exp(-t[None] * fall[:, None])
    tail = tail / tail.pow(2).sum(1, keepdim=True).sqrt()
    wet = _rand(n, 0.05, 1.0, dev) * (torch.rand(n, device=dev) < 0.5)
    response = tail * wet[:, None]
    response[:, 0] += 1.0
    return response


def mask(mel: Tensor) -> Tensor:
    """Stretch time and frequency of log-mel [n, 80, frames] a little and hide bands and moments."""
    n, bands, frames = mel.shape
    dev = mel.device
    theta = torch.zeros(n, 2, 3, device=dev)
    theta[:, 0, 0] = torch.exp(_rand(n, -0.15, 0.0, dev))  # slower: part of the time, stretched
    theta[:, 0, 2] = (1 - theta[:, 0, 0]) * _rand(n, -1, 1, dev)
    warp = torch.exp(_rand(n, -0.08, 0.08, dev))  # vocal tract length
    theta[:, 1, 1], theta[:, 1, 2] = warp, warp - 1
    grid = functional.affine_grid(theta, [n, 1, bands, frames], align_corners=False)
    mel = functional.grid_sample(mel[:, None], grid, padding_mode="border", align_corners=False)[
        :, 0
    ]
    quiet = mel.amin((1, 2), keepdim=True)
    for _ in range(2):
        mel = torch.where(_span(n, bands, 12, dev)[:, :, None], quiet, mel)
        mel = torch.where(_span(n, frames, frames // 9, dev)[:, None, :], quiet, mel)
    return mel


def _span(n: int, size: int, longest: int, dev: torch.device) -> Tensor:
    start = torch.rand(n, device=dev) * size
    length = torch.rand(n, device=dev) * longest
    place = torch.arange(size, device=dev)[None]
    return (place >= start[:, None]) & (place < (start + length)[:, None])
