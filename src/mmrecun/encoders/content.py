"""Read one piece of content. If it cannot be read, an error gives the reason."""

import codecs
import struct
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile

from mmrecun.arrays import Floats
from mmrecun.encoders.base import Kind
from mmrecun.encoders.sources import Piece
from mmrecun.errors import DataError
from mmrecun.extras import library
from mmrecun.text import reason_of

_LARGEST_TEXT = 1 << 20  # bytes; what follows is not read
_HIGHEST_RATE = 1_000_000  # samples a second; more are a damaged header, and would take much memory to resample


@dataclass(frozen=True)
class Sound:
    """One channel of sound: float32 [T] between -1 and 1, and the number of samples per second."""

    samples: Floats
    rate: int


def read_content(piece: str | Path, kind: Kind) -> Any:
    """Return the text, picture (uint8 [H, W, 3]) or `Sound` of a piece.

    Raises:
        DataError: when it cannot be read, with the reason.
        ConfigError: when the library that reads it is missing.
    """
    if kind is Kind.TEXT:
        return _text(piece)
    path = Path(piece)
    if not path.is_file():
        raise DataError("no such file")
    return _picture(path) if kind is Kind.IMAGE else _sound(path)


def _text(piece: Piece) -> str:
    if not isinstance(piece, Path):
        return piece or ""
    try:
        with piece.open("rb") as file:
            content, more = file.read(_LARGEST_TEXT), bool(file.read(1))
        # an incremental decoder passes over a character that the end cuts in two
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=not more).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"not UTF-8 text: {error}") from None
    if not text:
        raise DataError("empty")
    return text


def _picture(path: Path) -> np.ndarray:
    images = library("PIL.Image", "image", "reading pictures")
    try:
        with images.open(path) as image:
            return _deep_grey(np.asarray(image)) if image.mode[0] in "IF" else np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, images.DecompressionBombError) as error:
        raise DataError(f"not a readable picture: {reason_of(error)}") from None


def _deep_grey(values: np.ndarray) -> np.ndarray:
    """Return grey pixels of 16 bits, numbers [H, W], as uint8 [H, W, 3]; Pillow would show all above 255 as white.

    Pillow gives 32 bits for some files of 16.

    Raises:
        DataError: for pixels of another range, whose white is not known.
    """
    if values.dtype.kind == "f" or values.min() < 0 or values.max() >= 1 << 16:
        raise DataError("its pixels are fractions, or have more than 16 bits; save it with 8 bits a colour")
    eight = values.dtype.itemsize > 2 and values.max() < 1 << 8
    return np.repeat((values if eight else values >> 8).astype(np.uint8)[:, :, None], 3, axis=2)


def _sound(path: Path) -> Sound:
    rate, samples = _wav(path) if path.suffix.lower() == ".wav" else _other_sound(path)
    if not len(samples):
        raise DataError("no sample of sound")
    if not 0 < rate <= _HIGHEST_RATE:
        raise DataError(f"{rate:,} samples a second, which is no sound")
    if samples.dtype.kind in "iu":  # 8-bit samples are unsigned around 128, all others signed around 0
        whole = np.iinfo(samples.dtype)
        middle = (int(whole.max) + int(whole.min) + 1) // 2
        samples = (samples.astype(np.float32) - middle) / (int(whole.max) - middle + 1)
    mono = samples.reshape(len(samples), -1).mean(axis=1, dtype=np.float64).astype(np.float32)
    if not np.isfinite(mono).all():
        raise DataError("samples are not finite numbers")
    return Sound(mono, rate)


def _wav(path: Path) -> tuple[int, np.ndarray]:
    try:
        return wavfile.read(path)  # type: ignore[no-any-return]
    except (ValueError, OSError, EOFError, wave.Error, MemoryError) as error:
        raise DataError(f"not a readable WAV file: {reason_of(error)}") from None
    except (struct.error, ArithmeticError, LookupError, NameError, TypeError):  # SciPy checks few fields of a header
        raise DataError("not a readable WAV file: its header is damaged, or it is cut off") from None


def _other_sound(path: Path) -> tuple[int, np.ndarray]:
    soundfile = library("soundfile", "audio", f"reading {path.suffix or 'sound without a suffix'} (WAV needs nothing)")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(f"not a readable sound: {reason_of(error)}") from None
    return rate, samples
