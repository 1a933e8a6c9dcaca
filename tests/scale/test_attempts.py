"""Where processes that train together find one another, when they are begun again."""

import pytest
import torch.distributed as dist

from mmrecun.scale.sharded_training import rendezvous_store


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch):
    """The environment of process 1 of 2 under torchrun, whose one store lasts for all attempts."""
    server = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in {**place, "RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    return server


def test_an_attempt_does_not_see_addresses_of_the_one_before(launched, monkeypatch: pytest.MonkeyPatch):
    """Both attempts have the same store below, so an address written straight to it is seen by the next."""
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    first, *place = rendezvous_store()
    assert place == [1, 2]
    first.set("address", "of a process that dies")
    assert rendezvous_store()[0].check(["address"])
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    again = rendezvous_store()[0]
    assert not again.check(["address"])
    again.set("address", "of its successor")
    assert first.get("address") == b"of a process that dies"
    assert launched.num_keys() >= 2


def test_without_torchrun_the_first_process_keeps_the_store(launched, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
    store, *place = rendezvous_store()
    store.set("address", "mine")
    assert (place, store.get("address")) == ([1, 2], b"mine")
