"""Keys: str for users, UTF-8 bytes in the table."""

from __future__ import annotations

from vines._core.wire import KEY_BYTES_MAX
from vines.errors import InvalidKey
from vines.hints import Any


def encode_key(key: Any) -> bytes:
    """The bytes of a key. Raises InvalidKey."""
    try:
        encoded = str.encode(key)
    except (TypeError, UnicodeEncodeError):
        raise _refusal(key) from None
    if 0 < len(encoded) <= KEY_BYTES_MAX:
        return encoded
    size = f"1 to {KEY_BYTES_MAX:,} bytes in UTF-8, not {len(encoded):,}"
    raise InvalidKey(f"a key has {size}; nothing changed")


def encode_prefix(prefix: Any) -> bytes:
    """The bytes of the beginning of keys, of any length. Raises InvalidKey."""
    try:
        return str.encode(prefix)
    except (TypeError, UnicodeEncodeError):
        raise _refusal(prefix) from None


def decode_key(encoded: bytes) -> str | None:
    """The key these bytes stand for; None if a peer wrote what is none: nobody can name it."""
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return None


def _refusal(key: object) -> InvalidKey:
    if isinstance(key, str):
        return InvalidKey("a key cannot have lone surrogates; nothing changed")
    return InvalidKey(f"a key is a str, not {type(key).__name__}; nothing changed")
