"""What a request named, as salted hashes: enough to look for survivors later, without keeping the names.

A salted hash hides a name from a casual reader, not from somebody who holds the salt and a list of candidates: it is a
pseudonym, and to be guarded like one.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Self

import numpy as np

from mmrecun.data.forget import ForgetRequest
from mmrecun.settings import Settings
from mmrecun.shapes import Bools

_BYTES = 16
_WHOLE = ""


class Requested(Settings):
    """Hashes of everything that was to be forgotten, in this run and in those it came from.

    Attributes:
        salt: the same for a run and all that are unlearned from it, as hexadecimal text.
        users, items, pairs, features: sorted hashes of user ids, item ids, (user, item), and (modality, item), where
            an empty item stands for the whole modality.
    """

    salt: str
    users: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @classmethod
    def by(cls, request: ForgetRequest, before: Self | None = None) -> Self:
        """What `request` names, added to what was requested `before`; a fresh salt where there is none yet."""
        known = before or cls(salt=secrets.token_hex(_BYTES))
        features = [
            (name, item)
            for name, items in request.modalities.items()
            for item in ((_WHOLE,) if items is None else items)
        ]
        return cls(
            salt=known.salt,
            users=known._with(known.users, ((user,) for user in request.users)),
            items=known._with(known.items, ((item,) for item in request.items)),
            pairs=known._with(known.pairs, request.pairs),
            features=known._with(known.features, features),
        )

    def _with(self, hashes: tuple[str, ...], names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(sorted({*hashes, *(self._hash(*parts) for parts in names)}))

    def _hash(self, *parts: str) -> str:
        """The first half of SHA-256, as hexadecimal text."""
        return _digest(self.salt, *parts).hex()

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
        if self._hash(modality, _WHOLE) in self.features:
            return np.ones(len(listed), dtype=bool)
        return self._among(self.features, ((modality, item) for item in listed))

    def _among(self, hashes: tuple[str, ...], names: Iterable[tuple[str, ...]]) -> Bools:
        if not hashes:
            return np.zeros(sum(1 for _ in names), dtype=bool)
        wanted = {bytes.fromhex(text) for text in hashes}
        return np.fromiter((_digest(self.salt, *parts) in wanted for parts in names), dtype=bool)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\x00".join(parts).encode()).digest()[:_BYTES]
