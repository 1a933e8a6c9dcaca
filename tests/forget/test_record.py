import hashlib
import json

import numpy as np
import pytest

from mmrecun.errors import ConfigError
from mmrecun.forget.record import ForgetRecord
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import VARIABLE, read_key

REQUEST = ForgetRequest(
    users=("ann",), items=("vase",), pairs=(("bob", "lamp"),), modalities={"image": ("lamp",), "audio": None}
)


def test_what_was_asked_for_is_recognised_and_nothing_else():
    known = ForgetRecord.extended(REQUEST)
    assert known.users_in(["ann", "bob"]).tolist() == [True, False]
    assert known.items_in(["lamp", "vase"]).tolist() == [False, True]
    assert known.pairs_in(["bob", "bob", "ann"], ["lamp", "vase", "lamp"]).tolist() == [True, False, False]
    assert known.features_in("image", ["lamp", "vase"]).tolist() == [True, False]
    assert known.features_in("audio", ["lamp", "vase"]).tolist() == [True, True]
    assert known.features_in("text", ["lamp"]).tolist() == [False]
    assert known.users_in([]).dtype == np.bool_


def test_kinds_and_neighbouring_names_are_not_confused():
    known = ForgetRecord.extended(ForgetRequest(users=("ab",), pairs=(("a", "bc"),)))
    assert not known.items_in(["ab"]).any()
    assert not known.pairs_in(["ab"], ["c"]).any()


def test_later_requests_add_to_earlier_ones_under_one_salt():
    first = ForgetRecord.extended(REQUEST)
    both = ForgetRecord.extended(ForgetRequest(users=("eve",)), first)
    assert both.salt == first.salt
    assert both.users_in(["ann", "eve", "bob"]).tolist() == [True, True, False]
    assert set(first.features) <= set(both.features)


def test_names_are_not_written_and_salts_differ():
    first, second = ForgetRecord.extended(REQUEST), ForgetRecord.extended(REQUEST)
    text = json.dumps(first.model_dump())
    assert not [name for name in ("ann", "bob", "vase", "lamp", "image") if name in text]
    assert first.users != second.users
    assert ForgetRecord.of(json.loads(text)) == first


KEY, OTHER = b"sixteen bytes or more", b"another key, as long"


def test_a_run_keeps_counts_alone_without_a_key():
    kept = ForgetRecord.for_manifest(REQUEST, {"users": 1}, None, None)
    assert kept.counts == {"users": 1}
    assert not (kept.users)
    assert not (kept.items)
    assert not (kept.pairs)
    assert not (kept.features)
    assert not (kept.salt)
    assert not (kept.proof)
    assert not (kept.readable)
    assert not (kept.locked)
    assert ForgetRecord.for_manifest(REQUEST, {"users": 1}, ForgetRecord.extended(REQUEST), None) == kept


def test_a_run_keeps_hashes_that_only_the_key_can_read():
    kept = ForgetRecord.for_manifest(REQUEST, {"users": 1}, None, KEY)
    stored = ForgetRecord.of(json.loads(kept.model_dump_json()))
    assert KEY.hex() not in kept.model_dump_json()
    assert stored.locked
    assert not stored.readable
    assert stored.with_key(OTHER).locked
    opened = stored.with_key(KEY)
    assert opened.readable
    assert opened.users_in(["ann", "bob"]).tolist() == [True, False]
    assert opened.pairs_in(["bob"], ["lamp"]).all()
    assert opened.features_in("audio", ["lamp"]).all()
    assert ForgetRecord.for_manifest(REQUEST, {}, None, OTHER).users != kept.users


def test_a_key_reads_earlier_requests_too_unless_they_were_made_with_another():
    first = ForgetRecord.for_manifest(REQUEST, {}, None, KEY)
    both = ForgetRecord.for_manifest(ForgetRequest(users=["eve"]), {}, ForgetRecord.of(first.model_dump()), KEY)
    assert both.users_in(["ann", "eve"]).all()
    for before in (ForgetRecord.of(first.model_dump()), ForgetRecord.extended(REQUEST)):
        alone = ForgetRecord.for_manifest(ForgetRequest(users=["eve"]), {}, before, OTHER)
        assert alone.users_in(["ann", "eve"]).tolist() == [False, True]


def test_a_key_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert read_key() is None
    (tmp_path / "key").write_bytes(KEY + b"\n")
    assert read_key(tmp_path / "key") == KEY
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbf" + KEY + b"\r\n")
    assert read_key(tmp_path / "marked") == KEY
    monkeypatch.setenv(VARIABLE, OTHER.decode())
    assert (read_key(), read_key(tmp_path / "key")) == (OTHER, KEY)
    monkeypatch.setenv(VARIABLE, "short")
    with pytest.raises(ConfigError, match="16 bytes or more"):
        read_key()
    with pytest.raises(ConfigError, match="16 bytes or more"):
        read_key(b"short")
    with pytest.raises(ConfigError, match="a str is no key; give bytes"):
        read_key(OTHER.decode())
    assert read_key(KEY) == KEY
    with pytest.raises(ConfigError, match="nowhere: no key can be read"):
        read_key(tmp_path / "nowhere")


def test_hashes_are_half_of_sha_256_of_salt_and_names():
    known = ForgetRecord(salt="5a")
    expected = hashlib.sha256(b"5a\x00bob\x00lamp").hexdigest()[:32]
    assert ForgetRecord.extended(REQUEST, known).pairs == (expected,)
