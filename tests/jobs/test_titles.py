"""Titles of items as text, whatever their table holds."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from mmrecun import jobs, runs
from mmrecun.data.dataset import Dataset
from mmrecun.jobs._titles import titles_of

TITLES = {
    "numbers": ([1984, None], ["1984", None]),
    "fractions": ([float("nan"), 2.5], [None, "2.5"]),
    "several": ([["Alien", None, "8"], []], ["Alien, 8", None]),
    "texts": (["nan", ""], ["nan", ""]),
}


@pytest.mark.parametrize("case", TITLES)
def test_titles_are_text_in_lists_and_json(case: str, dataset: Dataset, run_folder):
    given, wanted = TITLES[case]
    size = len(dataset.items)
    titled = replace(dataset, item_attributes=pl.DataFrame({"title": (given * size)[:size]}))
    assert titles_of(titled, np.array([1, 0])) == wanted[::-1]
    run = replace(runs.load(run_folder), dataset=titled)
    listed = jobs.recommend(run, dataset.users.names[0], k=size)
    assert {entry["title"] for entry in listed} == set(wanted)
    json.dumps(listed, allow_nan=False)


def test_items_may_have_no_titles(dataset: Dataset):
    assert titles_of(replace(dataset, item_attributes=pl.DataFrame()), np.arange(2)) == [None, None]
