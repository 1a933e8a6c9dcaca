"""Folders on their way: whole or absent, on a file system and on S3."""

import io
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from mmrecun.errors import ArtifactError, ConfigError
from mmrecun.scale.archive import pack, unpack
from mmrecun.scale.remote_folders import RemoteFolders, check


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    (place / "a" / "empty").mkdir(parents=True)
    (place / "a" / "numbers").write_bytes(bytes(range(256)) * 300)
    (place / "word").write_text("word")
    return place


def test_an_archive_unpacks_to_the_same_folder_and_the_same_bytes_each_time(folder: Path, tmp_path: Path):
    os.utime(folder / "word", (1, 1))
    archive = pack(folder)
    os.utime(folder / "word", (2, 2))
    assert pack(folder) == archive
    unpack(archive, tmp_path / "back", "here")
    assert content(tmp_path / "back") == content(folder)
    assert (tmp_path / "back" / "a" / "empty").is_dir()


@pytest.mark.parametrize("kept", [0, 100, 40_000, 78_336, 79_000])
def test_half_an_archive_is_refused_and_leaves_nothing(folder: Path, tmp_path: Path, kept: int):
    with pytest.raises(ArtifactError, match=r"from there: (damaged|cut short); remove it"):
        unpack(pack(folder)[:kept], tmp_path / "back", "from there")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_archive_writes_nowhere_else(tmp_path: Path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    with pytest.raises(ArtifactError, match="damaged"):
        unpack(stream.getvalue(), tmp_path / "back", "from there")
    assert not list(tmp_path.iterdir())


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "depot").as_uri() if request.param == "file" else request.getfixturevalue("bucket")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch):
    server = pytest.importorskip("moto.server", reason="moto is not installed: no S3 to test against")
    fs = pytest.importorskip("pyarrow.fs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    query = f"scheme=http&endpoint_override={host}:{port}&region=us-east-1&allow_bucket_creation=true"
    files, path = fs.FileSystem.from_uri(f"s3://depot?{query}")
    files.create_dir(path)
    yield f"s3://depot/deep?{query}"
    running.stop()


def test_what_is_put_is_got_and_the_second_writer_leaves_it(url: str, folder: Path, tmp_path: Path):
    depot, name = RemoteFolders(url), "golds/mgcn-1000-0123456789abcdef"
    assert not depot.has(name)
    assert depot.names() == []
    with pytest.raises(ArtifactError, match=f"has no '{name}'"):
        depot.get(name, tmp_path / "absent")
    depot.put(folder, name)
    (folder / "word").write_text("later")
    RemoteFolders(url).put(folder, name)
    depot.get(name, tmp_path / "back")
    assert (tmp_path / "back" / "word").read_text() == "word"
    assert depot.names() == [name]
    check(depot, tmp_path / "check")
    depot.remove(name)
    depot.remove(name)
    assert depot.names() == []


def test_a_writer_that_is_killed_leaves_nothing_to_be_seen(folder: Path, tmp_path: Path):
    """Killed with half of a file read; the next writer has its way."""
    url = (tmp_path / "depot").as_uri()
    code = (
        "import sys; from pathlib import Path; import tarfile, mmrecun.scale.remote_folders as d\n"
        "def held(*a, **k):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
        "tarfile.TarFile.addfile = held\n"
        f"d.RemoteFolders({url!r}).put(Path({str(folder)!r}), 'name')"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"held\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    depot = RemoteFolders(url)
    assert not depot.has("name")
    assert depot.names() == []
    depot.put(folder, "name")
    depot.get("name", tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)


def test_a_writer_that_fails_leaves_nothing(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    depot = RemoteFolders(url)

    def full(folder, stream):
        stream.write(b"x" * 1000)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mmrecun.scale.remote_folders.pack_into", full)
        with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
            depot.put(folder, "name")
    assert depot.names() == []
    depot.put(folder, "name")
    assert depot.names() == ["name"]


@pytest.mark.parametrize("wrong", ["nowhere", "gopher://host/x"])
def test_another_kind_of_store_is_one_line(wrong: str):
    with pytest.raises(ConfigError, match=f"--store {wrong}: no such kind of store"):
        RemoteFolders(wrong)
