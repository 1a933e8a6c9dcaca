import pytest

from tests.scale.hosts import Hosts, why_not


@pytest.fixture(autouse=True)
def no_command_stays(request: pytest.FixtureRequest):
    """A command that a test began ends with it."""
    yield
    if "hosts" in request.fixturenames:
        request.getfixturevalue("hosts").end_commands()


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
