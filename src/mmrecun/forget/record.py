"""Record of a request: its size and, with a key, hashes of its ids.

Hashes with a known salt do not hide ids from somebody with a list of candidates. So a run keeps hashes only under a
key that is stored elsewhere (`forget.secret`), and only counts without a key. Salted hashes are used in memory, and
are read in runs of earlier versions.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
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
    """The ids requested for this run and, where hashes are kept, for the runs it descends from.

    Attributes:
        salt: salt of hashes that were made without a key, as hexadecimal text.
        proof: digest by which a key is recognised as the one that made the hashes; empty without a key.
        counts: number of users, items, single pairs and features in the last request.
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
        """Return a record of `request` and what was requested `before`, salted, for use in memory.

        If the hashes of `before` cannot be read, they are left out.
        """
        known = before if before is not None and before.readable else cls(salt=secrets.token_hex(_BYTES))
        return known.joined(request)

    @classmethod
    def for_manifest(
        cls, request: ForgetRequest, counts: Mapping[str, int], before: Self | None, key: bytes | None
    ) -> Self:
        """Return what a run may keep of `request`: counts and, with a key, hashes, added to those of `before`."""
        if key is None:
            return cls(counts=counts)
        earlier = before.with_key(key) if before is not None else None
        if earlier is None or not (earlier.proof and earlier.readable):
            earlier = cls(proof=keyed(key, _PROOF).hex()).with_key(key)
        return earlier.joined(request).model_copy(update={"counts": dict(counts)})

    def with_key(self, key: bytes | None) -> Self:
        """Return the record with its hashes readable, if `key` made them."""
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

    @property
    def why_locked(self) -> str:
        """Why hashes cannot be read, in words, where they are locked."""
        return "the key given is not that of the run" if self._key else "the key of the run was not given"

    def joined(self, request: ForgetRequest) -> Self:
        """Return this record with what `request` names added."""
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
        """Hash the parts under the key, or else return the first half of SHA-256 of salt and parts."""
        if self.proof:
            return keyed(self._key, *parts)
        return hashlib.sha256("\x00".join((self.salt, *parts)).encode()).digest()[:_BYTES]

    def users_in(self, names: Iterable[str]) -> Bools:
        """Say which of N user ids were requested; bool [N]."""
        return self._among(self.users, ((name,) for name in names))

    def items_in(self, names: Iterable[str]) -> Bools:
        """Say which of N item ids were requested; bool [N]."""
        return self._among(self.items, ((name,) for name in names))

    def pairs_in(self, users: Iterable[str], items: Iterable[str]) -> Bools:
        """Say which of N pairs of ids were requested; bool [N]."""
        return self._among(self.pairs, zip(users, items, strict=True))

    def features_in(self, modality: str, items: Iterable[str]) -> Bools:
        """Say for which of N items the features of `modality` were requested, alone or with all others; bool [N]."""
        listed = list(items)
        if self.features and self._digest(modality, _WHOLE).hex() in self.features:
            return np.ones(len(listed), dtype=bool)
        return self._among(self.features, ((modality, item) for item in listed))

    def _among(self, hashes: tuple[str, ...], names: Iterable[tuple[str, ...]]) -> Bools:
        if not hashes:
            return np.zeros(sum(1 for _ in names), dtype=bool)
        wanted = {bytes.fromhex(text) for text in hashes}
        return np.fromiter((self._digest(*parts) in wanted for parts in names), dtype=bool)


def hashes_lost(run: Path, earlier: ForgetRecord | None, key: bytes | None) -> list[str]:
    """Return a warning if a run keeps hashes, `earlier`, that a new one under this key, or without one, would not."""
    if earlier is None or not earlier.with_key(key).locked:
        return []
    given = "no key was given" if key is None else "the key is another one"
    return [
        f"{run} keeps hashes of earlier requests, and {given}: the new run keeps none of them, "
        "and its audit cannot look for what they asked for"
    ]
