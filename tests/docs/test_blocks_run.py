"""Every block of code on every page is run, or its page says why not."""

from pathlib import Path

import pytest

from mmrecun import Dataset, jobs
from tests.docs.blocks import PAGES, blocks_of, name_of
from tests.docs.prepared import PREPARED, SIZES
from tests.docs.running import RUNNERS, run

# run by tests/test_contributing.py, tests/jobs/test_mapped.py and tests/adapters/test_page.py
OWN_TESTS = ("CONTRIBUTING.md", "docs/how-to/new-method.md", "docs/scale.md", "docs/your-model.md")
ELSEWHERE = {(page, "python") for page in OWN_TESTS}
SKIPPED = [block for page in PAGES for block in blocks_of(page) if block.skip]
RUN = [
    page
    for page in PAGES
    if any(not block.skip and (name_of(page), block.language) not in ELSEWHERE for block in blocks_of(page))
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, where synthetic data are small and trainings have two epochs."""
    monkeypatch.chdir(tmp_path)

    def synthetic(seed=0, **settings):
        return made(seed, **SIZES | settings)

    made = Dataset.synthetic
    monkeypatch.setattr(Dataset, "synthetic", synthetic)

    def train(data, model, out, settings=None, *rest, **more):
        return trained(data, model, out, {**(settings or {}), "epochs": 2}, *rest, **more)

    trained = jobs.train
    monkeypatch.setattr(jobs, "train", train)
    return tmp_path


@pytest.mark.parametrize("page", RUN, ids=name_of)
@pytest.mark.filterwarnings("ignore")
def test_blocks_run(page: Path, folder: Path):
    PREPARED.get(name_of(page), lambda: None)()
    run([block for block in blocks_of(page) if (name_of(page), block.language) not in ELSEWHERE], {})


@pytest.mark.parametrize("block", SKIPPED, ids=lambda block: block.name)
def test_blocks_that_are_not_run_say_why(block):
    pytest.skip(block.skip)


def test_every_language_is_known():
    assert {block.language for page in PAGES for block in blocks_of(page)} <= set(RUNNERS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_names_its_language(page: Path):
    fences = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("```")]
    assert all(line != "```" for line in fences[::2])
    assert len(fences) == 2 * len(blocks_of(page))
