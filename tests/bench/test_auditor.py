"""An auditor of a bench scans what each run itself holds."""

from pathlib import Path

import pytest

from mmrecun import jobs
from mmrecun.auditing.outcome import Outcome
from mmrecun.bench.auditor import RunAuditor
from mmrecun.data.dataset import Dataset
from mmrecun.forget.request import ForgetRequest
from mmrecun.runs import load


def pair(dataset: Dataset, place: int) -> tuple[str, str]:
    train = dataset.train
    return dataset.users.names[int(train.users[place])], dataset.items.names[int(train.items[place])]


@pytest.mark.parametrize(("forgotten", "state"), [(5, Outcome.PASSED), (9, Outcome.FAILED)])
def test_a_run_that_forgot_another_pair_still_holds_the_one_asked_for(
    run_folder: Path, tmp_path: Path, forgotten: int, state: Outcome
):
    original = load(run_folder)
    asked, done = (ForgetRequest(pairs=(pair(original.dataset, place),)) for place in (5, forgotten))
    for name, request in (("gold", asked), ("run", done)):
        jobs.unlearn(original, request, tmp_path / name, "unlink")
    auditor = RunAuditor(original.dataset, asked, [load(tmp_path / "gold")])
    checks = {check.name: check for check in auditor.report(original, load(tmp_path / "run")).checks}
    assert checks["residue: graphs"].state is state
