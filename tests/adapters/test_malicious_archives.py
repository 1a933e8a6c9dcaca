"""Zips made to harm: names outside of any folder, bombs, encrypted and overlapping entries; each is one clear line."""

import io
import struct
import tracemalloc
import zipfile

import pytest
import torch

from mmrecun.adapters import checkpoints
from mmrecun.errors import ArtifactError

GOOD = b"\x80\x04}."


def zipped(entries, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


def changed(content, place, value):
    """Overwrite a field of the only entry in the list at the end of a zip."""
    at = content.rindex(b"PK\x01\x02") + place
    return content[:at] + value + content[at + len(value) :]


ONE = zipped([("model/data.pkl", GOOD)])
ARCHIVES = {
    "an absolute name": zipped([("/tmp/data.pkl", GOOD)]),
    "a name outside": zipped([("../../data.pkl", GOOD)]),
    "a name with a zero": zipped([("model/data.pkl\x00.txt", GOOD)]),
    "a bomb": zipped([("model/data.pkl", GOOD), ("model/data/0", b"\0" * (64 << 20))], zipfile.ZIP_DEFLATED),
    "a bomb as pickle": zipped([("model/data.pkl", b"\0" * (64 << 20))], zipfile.ZIP_DEFLATED),
    "bzip2": zipped([("model/data.pkl", GOOD)], zipfile.ZIP_BZIP2),
    "lzma": zipped([("model/data.pkl", GOOD)], zipfile.ZIP_LZMA),
    "encrypted": changed(ONE, 8, struct.pack("<H", 1)),
    "an unknown compression": changed(ONE, 10, struct.pack("<H", 99)),
    "a size of four gigabytes": changed(ONE, 24, struct.pack("<I", 0xFFFFFFF0)),
    "a stored size of four gigabytes": changed(ONE, 20, struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)),
    "an entry beyond the end": changed(ONE, 42, struct.pack("<I", 0x7FFFFFFF)),
    "a wrong checksum": changed(ONE, 16, struct.pack("<I", 1)),
    "a version of the future": changed(ONE, 6, struct.pack("<H", 90)),
    "two pickles": zipped([("model/data.pkl", GOOD), ("other/data.pkl", GOOD)]),
    "no pickle": zipped([("model/data/0", b"12")]),
    "nothing": zipped([]),
    "the end alone": ONE[ONE.index(b"PK\x05\x06") :],
    "cut off": ONE[: len(ONE) // 2],
    "an archive in the archive": zipped([("model/data.pkl", ONE)]),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_it_is_refused_in_one_line_and_nothing_is_unpacked(name, tmp_path, dataset, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = tmp_path / "model.pth"
    path.write_bytes(ARCHIVES[name])
    tracemalloc.start()
    with pytest.raises(ArtifactError) as refused:
        checkpoints.load(path, "state_dict/users", "state_dict/items", dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert peak < (8 << 20)
    assert not list(folder.iterdir())
    assert [one.name for one in tmp_path.iterdir() if one != folder] == ["model.pth"]


def test_entries_of_one_name_are_refused(tmp_path, dataset):
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped([("model/data.pkl", GOOD), ("model/data.pkl", b"N.")])
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(ArtifactError, match="overlap"):
        checkpoints.load(tmp_path / "model.pth", "a", "b", dataset)


def test_names_are_never_paths(ranked, dataset, tmp_path):
    """A checkpoint whose entries are named absolutely is read in memory, and nothing is made where they point."""
    plain = tmp_path / "plain.pth"
    torch.save({"u": torch.from_numpy(ranked[0]), "i": torch.from_numpy(ranked[1])}, plain)
    with zipfile.ZipFile(plain) as file:
        entries = [(f"{tmp_path}/pointed/{one.split('/', 1)[1]}", file.read(one)) for one in file.namelist()]
    (tmp_path / "absolute.pth").write_bytes(zipped(entries))
    mine = checkpoints.load(tmp_path / "absolute.pth", "u", "i", dataset)
    mine.save(tmp_path / "again.pth")
    assert not (tmp_path / "pointed").exists()
