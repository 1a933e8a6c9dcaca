import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import stft

from mmrecun.encoders.base import Kind
from mmrecun.encoders.content import Sound, read_content
from mmrecun.encoders.log_mel import BANDS, HOP, RATE, WINDOW, LogMel, log_mel, mel_filters


def tone(pitch: float, rate: int = RATE, seconds: float = 0.5) -> Sound:
    return Sound(np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate).astype(np.float32), rate)


def test_power_is_that_of_scipy():
    sound = tone(700)
    _, _, spectrum = stft(sound.samples, RATE, "hann", WINDOW, WINDOW - HOP, boundary=None, padded=False)
    logs = np.log10(np.abs(spectrum.T) ** 2 @ mel_filters().T + 1e-6)
    np.testing.assert_allclose(log_mel(sound), (logs + 4) / 2, atol=1e-3)


@pytest.mark.parametrize("pitch", [300, 1000, 3000])
def test_a_tone_is_loudest_in_its_band(pitch: float):
    centres = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), BANDS + 2)[1:-1] / 2595) - 1)
    loudest = centres[log_mel(tone(pitch)).mean(axis=0).argmax()]
    assert loudest == pytest.approx(pitch, rel=0.1)


def test_another_rate_says_nearly_the_same():
    one, other = LogMel().encode([tone(440), tone(440, rate=44_100)])
    assert np.abs(one[:BANDS] - other[:BANDS]).mean() < 0.1


def test_a_batch_changes_nothing_and_short_sounds_are_taken():
    sounds = [tone(300), tone(900), Sound(np.ones(3, dtype=np.float32), 8000)]
    whole = LogMel().encode(sounds)
    assert whole.shape == (3, 3 * BANDS)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole, np.concatenate([LogMel().encode([sound]) for sound in sounds]))


@pytest.mark.parametrize(("dtype", "scale", "middle"), [("int16", 32768, 0), ("int32", 2**31, 0), ("uint8", 128, 128)])
def test_samples_of_every_width_are_read_between_minus_one_and_one(tmp_path, dtype: str, scale: int, middle: int):
    wanted = np.array([-1, -0.5, 0, 0.5], dtype=np.float64)
    samples = (wanted * scale + middle).astype(dtype)
    wavfile.write(tmp_path / "a.wav", 8000, np.stack([samples, samples], axis=1))
    sound = read_content(tmp_path / "a.wav", Kind.AUDIO)
    np.testing.assert_allclose(sound.samples, wanted, atol=1e-6)
    assert sound.rate == 8000
