"""Contract of importers; an importer's test class inherits it."""

from pathlib import Path

import pytest

from mmrecun.data import files
from mmrecun.data.importers.importer import importer_class
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.read import read
from mmrecun.errors import DataError, MMRecUnError


class ImporterContract:
    """The test class states the importer's registered `name` and has a fixture `source`, a file or folder to read."""

    name: str

    def imported(self, source: Path, **options: object) -> Imported:
        """Read `source` as `mmrecun data import --format` does."""
        return read(source, ImportOptions.of(options), self.name)

    def test_every_row_is_an_interaction_or_counted(self, source: Path) -> None:
        """The dataset and the counts of the report add up to the rows of the source."""
        made = importer_class(self.name)().read(source, ImportOptions())
        assert made.report.rows > 0
        made.report.check(len(made.dataset.interactions))

    def test_it_is_the_same_each_time(self, source: Path) -> None:
        """To the last bit."""
        assert self.imported(source).dataset.digest == self.imported(source).dataset.digest

    def test_saved_and_loaded_it_is_the_same(self, source: Path, tmp_path: Path) -> None:
        """In a dataset folder."""
        made = self.imported(source).dataset
        files.save(made, tmp_path / "saved")
        assert files.load(tmp_path / "saved").digest == made.digest

    def test_an_empty_file_is_one_clear_line(self, source: Path, tmp_path: Path) -> None:
        """So is one that is not there."""
        empty = tmp_path / f"empty{source.suffix}"
        empty.write_bytes(b"")
        for path in (empty, tmp_path / "nowhere"):
            with pytest.raises((DataError, MMRecUnError)) as refused:
                self.imported(path)
            assert "\n" not in str(refused.value)
            assert path.name in str(refused.value)
