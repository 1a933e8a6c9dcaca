"""Raw content to features: who has some, what cannot be read, going on, provenance."""

import shutil
from contextlib import suppress
from pathlib import Path
from warnings import catch_warnings

import numpy as np
import polars as pl
import pytest
from scipy.io import wavfile

from mmrecun import jobs, runs
from mmrecun.data import files
from mmrecun.data.dataset import Dataset
from mmrecun.data.ids import IdMap
from mmrecun.encoders import encode as encode_module
from mmrecun.encoders.base import Kind
from mmrecun.encoders.content import read_content
from mmrecun.encoders.log_mel import LogMel
from mmrecun.encoders.made_content import sound_of
from mmrecun.encoders.registry import ENCODERS, open_encoder
from mmrecun.encoders.sources import find_contents
from mmrecun.errors import ArtifactError, ConfigError, DataError

MISSING, BROKEN, SILENT = 4, 9, 12


@pytest.fixture(scope="module")
def sounds(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WAV file for each item but one; one that is none, one that is empty, one for an unknown item."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for row, item in enumerate(dataset.items.names):
        if row != MISSING:
            wavfile.write(folder / f"{item}.wav", 16_000, sound_of(row % 4, rng)[:4000])
    (folder / f"{dataset.items.names[BROKEN]}.wav").write_bytes(b"RIFF this is no sound")
    wavfile.write(folder / f"{dataset.items.names[SILENT]}.wav", 16_000, np.zeros(0, dtype=np.int16))
    wavfile.write(folder / "stranger.wav", 16_000, np.zeros(800, dtype=np.int16))
    return folder


@pytest.fixture
def data(data_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(data_folder, tmp_path / "data")
    return tmp_path / "data"


def test_items_without_readable_content_are_absent_and_named(data: Path, sounds: Path, dataset: Dataset):
    done = jobs.encode(data, "sound", str(sounds), "log-mel", licence="CC0-1.0", owner="somebody")
    made = files.load(data).modalities["sound"]
    absent = {MISSING, BROKEN, SILENT}
    assert set(np.flatnonzero(~made.present)) == absent
    assert not made.features[sorted(absent)].any()
    names = dataset.items.names
    without, unreadable, ignored = done.warnings
    assert f"1 item without content, and so without features: {names[MISSING]}" in without
    assert "2 items with unreadable content" in unreadable
    assert f"{names[BROKEN]} ({names[BROKEN]}.wav: not a readable WAV file" in unreadable
    assert f"{names[SILENT]} ({names[SILENT]}.wav: no sample of sound" in unreadable
    assert "content under 1 id was left out" in ignored


def test_rows_are_those_of_the_items_one_by_one(data: Path, sounds: Path, dataset: Dataset):
    jobs.encode(data, "sound", str(sounds), "log-mel")
    made = files.load(data).modalities["sound"]
    for row in (0, 5, len(dataset.items) - 1):
        piece = read_content(sounds / f"{dataset.items.names[row]}.wav", Kind.AUDIO)
        np.testing.assert_allclose(made.features[row], LogMel().encode([piece])[0], rtol=1e-6)


def test_provenance_is_in_dataset_toml(data: Path, sounds: Path):
    jobs.encode(data, "sound", str(sounds), "log-mel", licence="CC0-1.0", owner="somebody")
    origin = files.load(data).modalities["sound"].provenance
    assert (origin.encoder, origin.version, origin.licence, origin.owner) == ("log-mel", "1", "CC0-1.0", "somebody")
    text = (data / "dataset.toml").read_text(encoding="utf-8")
    assert 'pooling = "mean, deviation and mean change over time"' in text


def test_a_dataset_of_before_still_opens(data: Path):
    path = data / "dataset.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    new = ("version =", "pooling =", "checksum =")
    path.write_text("\n".join(line for line in lines if not line.startswith(new)) + "\n", encoding="utf-8")
    assert files.load(data).modalities["image"].provenance.encoder == "planted"


def test_a_copy_leaves_the_dataset_as_it_was(data: Path, sounds: Path, tmp_path: Path):
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    jobs.encode(data, "audio", str(sounds), out=tmp_path / "copy")
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    assert files.load(tmp_path / "copy").modalities["audio"].provenance.encoder == "log-mel"
    assert set(tmp_path.iterdir()) == {data, tmp_path / "copy"}


def test_the_dataset_of_a_run_is_not_added_to(run_folder: Path, tmp_path: Path, sounds: Path):
    """The run would not be readable any more, since its manifest knows the dataset by digest."""
    after = tmp_path / "after"
    jobs.unlearn(run_folder, {"users": ["u00003"]}, after, "unlink")
    with pytest.raises(ArtifactError, match=r"is the dataset of a run, which could not be read any more; .* 'out'"):
        jobs.encode(after / "dataset", "sound", str(sounds), "log-mel")
    assert not list(after.glob(".*"))
    runs.load(after)


def test_an_interrupted_call_goes_on(data: Path, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LogMel, "batch", 4)
    jobs.encode(data, "whole", str(sounds), "log-mel", tmp_path / "whole")
    calls = []

    def encode(self, contents, real=LogMel.encode):
        calls.append(len(contents))
        if len(calls) == 8:
            raise KeyboardInterrupt
        return real(self, contents)

    monkeypatch.setattr(LogMel, "encode", encode)
    with pytest.raises(KeyboardInterrupt):
        jobs.encode(data, "sound", str(sounds), "log-mel")
    kept = list(jobs.partial_folder(data, "sound").rglob("*.npz"))
    assert len(kept) == 1
    assert "sound" not in files.load(data).modalities
    jobs.encode(data, "sound", str(sounds), "log-mel")
    total = len(files.load(data).items) - 1
    assert sum(calls[8:]) < total - 12
    assert not jobs.partial_folder(data, "sound").exists()
    one, other = files.load(data).modalities["sound"], files.load(tmp_path / "whole").modalities["whole"]
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.present, other.present)


def test_an_interrupted_copy_keeps_its_part_beside_itself(data: Path, sounds: Path, tmp_path: Path, monkeypatch):
    """Beside DATA perhaps nothing can be written, and two copies that are made at once would share it."""

    def interrupted(self, contents):
        raise KeyboardInterrupt

    monkeypatch.setattr(LogMel, "encode", interrupted)
    copy = tmp_path / "copies" / "one"
    with pytest.raises(KeyboardInterrupt):
        jobs.encode(data, "sound", str(sounds), "log-mel", copy)
    assert jobs.partial_folder(copy, "sound").is_dir()
    assert not jobs.partial_folder(data, "sound").exists()


def test_what_was_kept_of_other_content_is_not_used(data: Path, sounds: Path, tmp_path: Path, monkeypatch):
    changed = tmp_path / "changed"
    shutil.copytree(sounds, changed)
    contents = find_contents(str(changed), files.load(data).items, Kind.AUDIO, data)
    path = next(iter(sorted(changed.iterdir())))
    wavfile.write(path, 16_000, np.ones(900, dtype=np.int16))
    again = find_contents(str(changed), files.load(data).items, Kind.AUDIO, data)
    assert contents.digest != again.digest
    assert encode_module._key(contents, LogMel()) != encode_module._key(again, LogMel())


def test_a_table_may_name_files(data: Path, sounds: Path, dataset: Dataset):
    ids = dataset.items.names.to_list()
    table = pl.DataFrame({"id": ids, "clip": [None if row == 2 else f"{name}.wav" for row, name in enumerate(ids)]})
    table.write_csv(sounds.parent / "clips.csv")
    shutil.copytree(sounds, sounds.parent / "beside", dirs_exist_ok=True)
    table.write_csv(sounds.parent / "beside" / "clips.csv")
    jobs.encode(data, "sound", f"{sounds.parent / 'beside' / 'clips.csv'}:clip", "log-mel")
    assert set(np.flatnonzero(~files.load(data).modalities["sound"].present)) == {2, MISSING, BROKEN, SILENT}


def test_texts_of_columns_are_joined(data: Path, dataset: Dataset):
    contents = find_contents("items.parquet:title,category", dataset.items, Kind.TEXT, data)
    title, category = (dataset.item_attributes[name][0] for name in ("title", "category"))
    assert contents.pieces[0] == f"{title}. {category}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "no such folder; of a table name a column too"),
        ("items.parquet:words", "column 'words' is missing; there are: id, title"),
        ("gone.parquet:title", "no such file"),
    ],
)
def test_a_source_of_no_use_is_said(data: Path, source: str, message: str):
    with pytest.raises(DataError, match=message):
        jobs.encode(data, "words", source, "log-mel")


def test_mistakes_are_said_before_anything_is_read(data: Path, sounds: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"already has a modality 'audio'; .* 'out'"):
        jobs.encode(data, "audio", str(sounds))
    with pytest.raises(ConfigError, match=r"unknown encoder 'logmel'; did you mean 'log-mel'.*local folder"):
        jobs.encode(data, "sound", str(sounds), "logmel")
    with pytest.raises(ConfigError, match="no default encoder for 'smell'"):
        jobs.encode(data, "smell", str(sounds))
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "other.wav").touch()
    with pytest.raises(DataError, match=r"content of none of the 50 items; its ids are such as other"):
        jobs.encode(data, "sound", str(tmp_path / "strange"), "log-mel")


def test_nothing_readable_is_an_error_and_changes_nothing(data: Path, dataset: Dataset, tmp_path: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / f"{dataset.items.names[0]}.wav").write_bytes(b"no")
    with pytest.raises(DataError, match="none of the contents of 1 item for 'sound' can be read; the first: "):
        jobs.encode(data, "sound", str(tmp_path / "broken"), "log-mel")
    assert "sound" not in files.load(data).modalities


@pytest.mark.parametrize(
    ("rows", "message"), [("i1,b\ni1,c\n", "occur more than once: i1; keep one"), (",b\n", "line 3: 'id' is missing")]
)
def test_two_texts_of_one_item_and_a_text_of_none_are_refused(rows: str, message: str, tmp_path: Path):
    (tmp_path / "texts.csv").write_text("id,text\ni0,a\n" + rows)
    with pytest.raises(DataError, match=message):
        find_contents(f"{tmp_path / 'texts.csv'}:text", IdMap.of("item", ["i0", "i1"]), Kind.TEXT, tmp_path)


def test_a_long_text_is_cut_between_characters(tmp_path: Path):
    (tmp_path / "long.txt").write_text("\ufeffa" + "\u00e4" * (1 << 20), encoding="utf-8")
    text = read_content(tmp_path / "long.txt", Kind.TEXT)
    assert set(text) == {"a", "\u00e4"}
    assert len(text) == (1 << 19) - 1  # of two bytes each, behind a mark of three and one of one
    (tmp_path / "cut.txt").write_bytes("\u00e4".encode()[:1])
    with pytest.raises(DataError, match="not UTF-8 text"):
        read_content(tmp_path / "cut.txt", Kind.TEXT)


def test_grey_pictures_of_16_bits_keep_their_shades(tmp_path: Path):
    images = pytest.importorskip("PIL.Image")
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for name, deep in (("16.png", shades.astype(np.uint16) << 8), ("32.tif", shades.astype(np.int32))):
        images.fromarray(deep).save(tmp_path / name)
        assert np.array_equal(read_content(tmp_path / name, Kind.IMAGE), np.stack([shades] * 3, axis=2))
    for odd in (shades.astype(np.float32) / 255, shades.astype(np.int32) << 20):
        images.fromarray(odd).save(tmp_path / "odd.tif")
        with pytest.raises(DataError, match="more than 16 bits; save it with 8 bits a colour"):
            read_content(tmp_path / "odd.tif", Kind.IMAGE)


def test_damaged_sounds_are_told_whatever_is_wrong(tmp_path: Path):
    whole, path, random = tmp_path / "whole.wav", tmp_path / "damaged.wav", np.random.default_rng(0)
    wavfile.write(whole, 8000, np.arange(400, dtype=np.int16))
    for number in range(600):
        content = bytearray(whole.read_bytes()[: random.integers(1, 844) if number % 3 == 0 else None])
        content[random.integers(min(len(content), 44))] = random.integers(256)
        path.write_bytes(content)
        with suppress(DataError), catch_warnings(action="ignore"):
            read_content(path, Kind.AUDIO)
    wavfile.write(path, 1_000_000_007, np.arange(400, dtype=np.int16))
    with pytest.raises(DataError, match="1,000,000,007 samples a second"):
        read_content(path, Kind.AUDIO)


def test_what_was_kept_and_is_damaged_is_encoded_again(tmp_path: Path):
    (tmp_path / "0.npz").write_bytes(b"PK\x03\x04")
    assert encode_module._Part.read(tmp_path / "0.npz") is None


def test_two_files_of_one_item_are_refused(data: Path, sounds: Path, dataset: Dataset, tmp_path: Path):
    shutil.copytree(sounds, tmp_path / "sounds")
    (tmp_path / "sounds" / f"{dataset.items.names[0]}.mp3").touch()
    with pytest.raises(DataError, match="two files for item"):
        jobs.encode(data, "sound", str(tmp_path / "sounds"), "log-mel")


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"log-mel"}))
def test_a_missing_encoder_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch):
    for module in ("wordllama", "efficientnet_lite_pytorch"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ConfigError, match=r"pip install 'mmrecun\[(text|image)\]'"):
        open_encoder(name, "x")
