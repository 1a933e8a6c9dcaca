"""What a request named: how much, and, for whoever holds a key, what exactly.

Hashes with a salt beside them hide nothing from somebody with a list of candidates, so a run keeps hashes only under a
key that lies outside of it (`data.secret`). Without one it keeps counts. Salted hashes are for use in memory, and in
runs of earlier versions.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
from pydantic import PrivateAttr

from mmrecun.arrays import Bools
from mmrecun.forget.request import ForgetRequest
from mmrecun.forget.secret import keyed
from mmrecun.settings import Settings

_BYTES = 16
_WHOLE = ""
_PROOF = "mmrecun: proof of the key"


class ForgetRecord(Settings):
    """What was to be forgotten, in this run and, as far as hashes are kept, in those it came from.

    Attributes:
        salt: as hexadecimal text, of hashes that were made without a key.
        proof: tells whether a key is the one that made the hashes; empty without a key.
        counts: how much the last request named: users, items, pairs of others, features.
        users, items, pairs, features: sorted hashes of user ids, item ids, (user, item), and (modality, item), where
            an empty item stands for the whole modality.
    """

    salt: str = ""
    proof: str = ""
    counts: Mapping[str, int] = {}
    users: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    _key: bytes = PrivateAttr(b"")

    @classmethod
    def extended(cls, request: ForgetRequest, before: Self | None = None) -> Self:
        """Return what `request` names, under a salt and for use in memory, added to what was requested `before`.

        Where no hashes can be read of what was before, they begin anew.
        """
        known = before if before is not None and before.readable else cls(salt=secrets.token_hex(_BYTES))
        return known.joined(request)

    @classmethod
    def for_manifest(
        cls, request: ForgetRequest, counts: Mapping[str, int], before: Self | None, key: bytes | None
    ) -> Self:
        """Return what a run may keep of `request`: counts, and with a key also hashes, added to those of `before`."""
        if key is None:
            return cls(counts=counts)
        earlier = before.with_key(key) if before is not None else None
        if earlier is None or not (earlier.proof and earlier.readable):
            earlier = cls(proof=keyed(key, _PROOF).hex()).with_key(key)
        return earlier.joined(request).model_copy(update={"counts": dict(counts)})

    def with_key(self, key: bytes | None) -> Self:
        """Return the same, able to read its hashes if `key` made them."""
        copy = self.model_copy()
        copy._key = key or b""
        return copy

    @property
    def readable(self) -> bool:
        """Whether ids can be compared with the hashes."""
        return bool(self.salt) or bool(self.proof and self._key and keyed(self._key, _PROOF).hex() == self.proof)

    @property
    def locked(self) -> bool:
        """Whether there are hashes that this key, or no key, cannot read."""
        return bool(self.proof) and not self.readable

    def joined(self, request: ForgetRequest) -> Self:
        """Return these and what `request` names."""
        features = [
            (name, item)
            for name, items in request.modalities.items()
            for item in ((_WHOLE,) if items is None else items)
        ]
        added = {
            "users": self._with(self.users, ((user,) for user in request.users)),
            "items": self._with(self.items, ((item,) for item in request.items)),
            "pairs": self._with(self.pairs, request.pairs),
            "features": self._with(self.features, features),
        }
        return self.model_copy(update=added)

    def _with(self, hashes: tuple[str, ...], names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted({*hashes, *(self._digest(*parts).hex() for parts in names)}))

    def _digest(self, *parts: str) -> bytes:
        """Under the key, or else the first half of SHA-256 of salt and parts."""
        if self.proof:
            return keyed(self._key, *parts)
        return hashlib.sha256("\x00".join((self.salt, *parts)).encode()).digest()[:_BYTES]

    def users_in(self, names: Iterable[str]) -> Bools:
        """Which of N user ids were to be forgotten; bool [N]."""
        return self._among(self.users, ((name,) for name in names))

    def items_in(self, names: Iterable[str]) -> Bools:
        """Which of N item ids were to be forgotten; bool [N]."""
        return self._among(self.items, ((name,) for name in names))

    def pairs_in(self, users: Iterable[str], items: Iterable[str]) -> Bools:
        """Which of N pairs of ids were to be forgotten; bool [N]."""
        return self._among(self.pairs, zip(users, items, strict=True))

    def features_in(self, modality: str, items: Iterable[str]) -> Bools:
        """Which of N items were to lose `modality`, alone or with all others; bool [N]."""
        listed = list(items)
        if self.features and self._digest(modality, _WHOLE).hex() in self.features:
            return np.ones(len(listed), dtype=bool)
        return self._among(self.features, ((modality, item) for item in listed))

    def _among(self, hashes: tuple[str, ...], names: Iterable[tuple[str, ...]]) -> Bools:
        if not hashes:
            return np.zeros(sum(1 for _ in names), dtype=bool)
        wanted = {bytes.fromhex(text) for text in hashes}
        return np.fromiter((self._digest(*parts) in wanted for parts in names), dtype=bool)
