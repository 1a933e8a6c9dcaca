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


def read_key(path: Path | None = None) -> bytes | None:
    """Return the key from a file, or else from the environment variable MMRECUN_KEY, or None.

    Blanks around it and a byte order mark do not belong to it.

    Raises:
        ConfigError: when the file cannot be read, or the key is shorter than 16 bytes.
    """
    if path is None:
        key, where = os.environ.get(VARIABLE, "").encode().strip(), VARIABLE
        if not key:
            return None
    else:
        try:
            key, where = path.read_bytes().removeprefix(codecs.BOM_UTF8).strip(), str(path)
        except OSError as error:
            raise ConfigError(f"{path}: no key can be read: {error.strerror}; name a file that holds it") from None
    if len(key) < _SHORTEST:
        raise ConfigError(f"{where}: a key has {_SHORTEST} bytes or more; such as those of 'openssl rand -hex 32'")
    return key


def keyed(key: bytes, *parts: str) -> bytes:
    """Return the first half of HMAC-SHA-256 of `parts`: 16 bytes that cannot be computed or guessed without the key."""
    return hmac.digest(key, "\x00".join(parts).encode(), hashlib.sha256)[:_BYTES]
