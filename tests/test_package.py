"""The package's own names, whichever part of it is imported first."""

import subprocess
import sys

import pytest

FIRST = (
    "import mmrecun.auditing.result",
    "import mmrecun.jobs",
    "from mmrecun import *",
    "from mmrecun import audit",
)

CHECK = """
import mmrecun, mmrecun.auditing.residue
from types import FunctionType
from mmrecun import audit as named
from mmrecun.auditing.assess import assess
from mmrecun.jobs import audit as job
assert mmrecun.audit is named is job, (mmrecun.audit, named)
assert all(isinstance(getattr(mmrecun, name), FunctionType) for name in mmrecun.__all__ if name.islower())
assert dir(mmrecun) == mmrecun.__all__
"""


@pytest.mark.parametrize("first", FIRST)
def test_audit_is_the_function_whatever_was_imported_first(first: str):
    done = subprocess.run([sys.executable, "-c", first + CHECK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
