import hashlib
import json

import numpy as np

from mmrecun.data.forget import ForgetRequest
from mmrecun.data.requested import Requested

REQUEST = ForgetRequest(
    users=("ann",), items=("vase",), pairs=(("bob", "lamp"),), modalities={"image": ("lamp",), "audio": None}
)


def test_what_was_asked_for_is_recognised_and_nothing_else():
    known = Requested.by(REQUEST)
    assert known.users_in(["ann", "bob"]).tolist() == [True, False]
    assert known.items_in(["lamp", "vase"]).tolist() == [False, True]
    assert known.pairs_in(["bob", "bob", "ann"], ["lamp", "vase", "lamp"]).tolist() == [True, False, False]
    assert known.features_in("image", ["lamp", "vase"]).tolist() == [True, False]
    assert known.features_in("audio", ["lamp", "vase"]).tolist() == [True, True]
    assert known.features_in("text", ["lamp"]).tolist() == [False]
    assert known.users_in([]).dtype == np.bool_


def test_kinds_and_neighbouring_names_are_not_confused():
    known = Requested.by(ForgetRequest(users=("ab",), pairs=(("a", "bc"),)))
    assert not known.items_in(["ab"]).any()
    assert not known.pairs_in(["ab"], ["c"]).any()


def test_later_requests_add_to_earlier_ones_under_one_salt():
    first = Requested.by(REQUEST)
    both = Requested.by(ForgetRequest(users=("eve",)), first)
    assert both.salt == first.salt
    assert both.users_in(["ann", "eve", "bob"]).tolist() == [True, True, False]
    assert set(first.features) <= set(both.features)


def test_names_are_not_written_and_salts_differ():
    first, second = Requested.by(REQUEST), Requested.by(REQUEST)
    text = json.dumps(first.model_dump())
    assert not [name for name in ("ann", "bob", "vase", "lamp", "image") if name in text]
    assert first.users != second.users
    assert Requested.of(json.loads(text)) == first


def test_hashes_are_half_of_sha_256_of_salt_and_names():
    known = Requested(salt="5a")
    expected = hashlib.sha256(b"5a\x00bob\x00lamp").hexdigest()[:32]
    assert Requested.by(REQUEST, known).pairs == (expected,)
