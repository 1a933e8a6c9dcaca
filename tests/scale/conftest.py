import pytest

from tests.scale.hosts import Hosts, why_not


@pytest.fixture(scope="session")
def hosts():
    """Two hosts of one cluster, for all tests."""
    pytest.importorskip("ray", reason="Ray is not installed; pip install 'mmrecun[ray]', or make test-ray")
    if reason := why_not():
        pytest.skip(reason)
    found = Hosts()
    try:
        found.up()
        yield found
    finally:
        found.down()
