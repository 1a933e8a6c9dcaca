"""Encode sound by statistics of its log-mel spectrogram. This needs no weights, and only NumPy and SciPy."""

from collections.abc import Sequence
from math import gcd

import numpy as np
from scipy.signal import resample_poly

from mmrecun.arrays import Floats
from mmrecun.data.modality import Provenance
from mmrecun.encoders.base import Kind
from mmrecun.encoders.content import Sound

RATE = 16_000  # samples a second
WINDOW, HOP = 512, 160  # samples: 32 ms and 10 ms
BANDS = 64
_LONGEST = 120  # seconds of a sound that are read
_FLOOR = 1e-6  # power below which it counts as silence; -60 dB of a full-scale tone
_CENTRE, _SPREAD = -4.0, 2.0  # of typical log10 powers, so that features are of the order of 1


class LogMel:
    """Gives 192 numbers for a sound: mean, standard deviation and mean change of log power in 64 mel bands."""

    kind = Kind.AUDIO
    batch = 32
    provenance = Provenance(encoder="log-mel", version="1", pooling="mean, deviation and mean change over time")

    def encode(self, contents: Sequence[Sound]) -> Floats:
        """Return float32 [B, 192]."""
        return np.stack([_statistics(log_mel(sound)) for sound in contents])


def log_mel(sound: Sound) -> Floats:
    """Return the log10 power of each mel band over time, shifted and scaled by constants; float32 [frames, 64]."""
    samples = _resampled(sound)[: RATE * _LONGEST]
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, axis=1) / window.sum()) ** 2
    logs = np.log10(power @ mel_filters().T + _FLOOR)
    scaled: Floats = ((logs - _CENTRE) / _SPREAD).astype(np.float32)
    return scaled


def mel_filters() -> Floats:
    """Return triangular filters, evenly spaced on the mel scale from 0 to 8 kHz, float32 [64, 257].

    mel = 2595 log10(1 + Hz / 700) (O'Shaughnessy 1987). The corners are the mel points, so that each filter peaks at 1.
    """
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    left, middle, right = (corners[part, None] for part in (slice(0, -2), slice(1, -1), slice(2, None)))
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _resampled(sound: Sound) -> Floats:
    common = gcd(sound.rate, RATE)
    if sound.rate == RATE:
        return sound.samples
    heard = sound.samples[: sound.rate * (_LONGEST + 1)]  # a second more, for the filter at the end
    resampled: Floats = resample_poly(heard, RATE // common, sound.rate // common).astype(np.float32)
    return resampled


def _statistics(logs: Floats) -> Floats:
    change = np.abs(np.diff(logs, axis=0)).mean(axis=0) if len(logs) > 1 else np.zeros(BANDS)
    return np.concatenate([logs.mean(axis=0), logs.std(axis=0), change]).astype(np.float32)
