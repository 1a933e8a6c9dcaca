"""A short run of the byte-level fuzzer, and files of arbitrary text: only the package's own errors come out."""

import tempfile
from pathlib import Path

import pytest
from benchmarks.fuzz_artifacts import artifact_samples
from benchmarks.fuzz_readers import Sample, failure, prepared, samples
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrecun.data.importers.options import Format, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import MMRecUnError

SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_give_a_dataset_or_one_clear_line(name: str, tmp_path: Path):
    prepared(SAMPLES[name], tmp_path)
    found = [failure(SAMPLES[name], f"{name} {number}", tmp_path) for number in range(40)]
    assert not any(found), next(text for text in found if text)


@pytest.fixture(scope="module")
def artifacts() -> dict[str, Sample]:
    return artifact_samples()


def test_damaged_artifacts_are_read_or_one_clear_line(artifacts: dict[str, Sample], tmp_path: Path):
    """Requests, dataset and run folders, and models of other libraries; whole they are all read."""
    for name, sample in artifacts.items():
        folder = tmp_path / name
        prepared(sample, folder)
        sample.read(folder)
        found = [failure(sample, f"{name} {number}", folder) for number in range(12)]
        assert not any(found), (name, next(text for text in found if text))


@pytest.mark.parametrize("name", SAMPLES)
def test_whole_samples_are_read(name: str, tmp_path: Path):
    sample = SAMPLES[name]
    prepared(sample, tmp_path)
    assert len(sample.read(tmp_path).dataset.interactions) >= 20


CELLS = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(["u1", "i1", "1", '"', "", " ", "nan"])


@settings(max_examples=80)
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8),
    mark=st.sampled_from([",", "\t", " ", ";"]),
    suffix=st.sampled_from(["csv", "tsv", "txt", "inter", "jsonl"]),
    layout=st.sampled_from([Format.AUTO, Format.LISTS, Format.AMAZON, Format.UI, Format.UIR, Format.UITUP]),
    header=st.booleans(),
)
def test_any_text_gives_a_dataset_or_one_clear_line(rows, mark, suffix, layout, header):
    text = "\n".join([mark.join(["user", "item", "at"])] * header + [mark.join(row) for row in rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"e.{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            found = read(path, ImportOptions(duplicates="first"), layout)
        except MMRecUnError as error:
            said = str(error).splitlines()
        else:
            said = ["read"]
            assert found.report.rows == len(found.dataset.interactions) + sum(found.report.left_out.values())
        assert len(said) == 1
