"""Shopping baskets: one customer a line, `anna: milk, bread`; an item that is bought again counts once."""

from pathlib import Path

import polars as pl

from mmrecun.data.dataset import Dataset
from mmrecun.data.importers.importer import Importer
from mmrecun.data.importers.options import Imported, ImportOptions
from mmrecun.data.importers.report import Report
from mmrecun.errors import DataError


class Baskets(Importer):
    """Lines of a customer and what the customer bought."""

    def read(self, source: Path, options: ImportOptions) -> Imported:
        """Read a text file; a random tenth of each customer's items is held out for validation, and one for test."""
        pairs: list[tuple[str, str]] = []
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
            customer, colon, bought = line.partition(":")
            if not colon:
                raise DataError(f"{source}, line {number}: no ':' after the customer")
            pairs += [(customer.strip(), item.strip()) for item in bought.split(",") if item.strip()]
        if not pairs:
            raise DataError(f"{source}: holds no basket")
        once = list(dict.fromkeys(pairs))
        report = Report(rows=len(pairs))
        again = len(pairs) - len(once)
        report.leave_out(again, "repeated", f"{source}: {again} items that were bought again were left out")
        table = pl.DataFrame(once, schema=["user", "item"], orient="row")
        return Imported(Dataset.from_frames(table, name=source.stem, seed=options.seed), report)
