"""The key of the hashes in a run's record of a request; it is stored outside of every run."""

import codecs
import hashlib
import hmac
import os
from pathlib import Path

from mmrecun.errors import ConfigError

VARIABLE = "MMRECUN_KEY"
_SHORTEST = 16
_BYTES = 16


def read_key(given: Path | bytes | None = None) -> bytes | None:
    """Return the key given, or that in a file, or else that of the environment variable MMRECUN_KEY, or None.

    In a file or variable, blanks around it and a byte order mark do not belong to it.

    Raises:
        ConfigError: when the file cannot be read, the key is shorter than 16 bytes, or it is of another type.
    """
    if isinstance(given, bytes):
        key, where = given, "key"
    elif given is None:
        key, where = os.environ.get(VARIABLE, "").encode().strip(), VARIABLE
        if not key:
            return None
    elif isinstance(given, Path):
        try:
            key, where = given.read_bytes().removeprefix(codecs.BOM_UTF8).strip(), str(given)
        except OSError as error:
            raise ConfigError(f"{given}: no key can be read: {error.strerror}; name a file that holds it") from None
    else:
        raise ConfigError(f"key: a {type(given).__name__} is no key; give bytes, such as text.encode()")
    if len(key) < _SHORTEST:
        raise ConfigError(f"{where}: a key has {_SHORTEST} bytes or more; such as those of 'openssl rand -hex 32'")
    return key


def keyed(key: bytes, *parts: str) -> bytes:
    """Return the first half of HMAC-SHA-256 of `parts`: 16 bytes that cannot be computed or guessed without the key."""
    return hmac.digest(key, "\x00".join(parts).encode(), hashlib.sha256)[:_BYTES]
