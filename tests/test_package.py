"""The package's own names, whichever part of it is imported first."""

import subprocess
import sys

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


FORKED = """
import os, sys
import matplotlib.figure, polars, pydantic, scipy.sparse, torch  # what takes long, once for all
for first in sys.argv[2:]:
    child = os.fork()
    if not child:
        exec(first + sys.argv[1])
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), first)
"""


def test_audit_is_the_function_whatever_was_imported_first():
    words = [sys.executable, "-c", FORKED, CHECK, *FIRST]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"0 {first}" for first in FIRST], done.stderr
