"""`get`, `set`, `delete`, `ls`: one look at the keys of a cluster, or one change of them.

A change is done when a member holds it, so whoever types it, or a script, may go away at once.
"""

from __future__ import annotations

from argparse import Namespace

from vines import Vine
from vines.cli.connecting import connected
from vines.cli.exits import DONE, NO, UNREACHED, Failure
from vines.cli.output import Output, shown, shown_key
from vines.cli.values import parse_value
from vines.errors import TimedOut
from vines.values.codec import pack
from vines.values.keys import encode_key, encode_prefix

ABSENT = object()


def get(arguments: Namespace, output: Output) -> int:
    """Print the value of a key."""
    key: str = arguments.key
    encode_key(key)
    with connected(arguments) as vine:
        value = vine.get(key, ABSENT)
    if value is ABSENT:
        return _absent(key, output)
    output.value(value, key=key)
    return DONE


def set_(arguments: Namespace, output: Output) -> int:
    """Set a key, and wait until a member holds it."""
    key: str = arguments.key
    value = parse_value(arguments.value, arguments.form)
    # What cannot be carried is said before anybody is asked.
    encode_key(key)
    pack(value)
    with connected(arguments) as vine:
        vine.gossip(key, value, ttl=arguments.ttl)
        _confirm(vine, arguments.timeout)
    output.line(f"{shown_key(key)} = {shown(value)}", key=key, value=value)
    return DONE


def delete(arguments: Namespace, output: Output) -> int:
    """Delete a key, and wait until a member knows it."""
    key: str = arguments.key
    encode_key(key)
    with connected(arguments) as vine:
        if key not in vine:
            return _absent(key, output)
        vine.delete(key)
        _confirm(vine, arguments.timeout)
    output.line(f"{shown_key(key)} deleted", key=key, deleted=True)
    return DONE


def ls(arguments: Namespace, output: Output) -> int:
    """Print the keys that begin with a prefix, perhaps with their values."""
    prefix: str = arguments.prefix
    encode_prefix(prefix)
    with connected(arguments) as vine:
        if output.as_json or arguments.long:
            found = vine.snapshot(prefix)
        else:
            found = dict.fromkeys(vine.keys(prefix))
    if output.as_json:
        for key, value in found.items():
            output.line("", key=key, value=value)
    elif arguments.long:
        output.table(("KEY", "VALUE"), [(shown_key(key), shown(found[key])) for key in found])
    else:
        output.raw("".join(f"{shown_key(key)}\n" for key in found))
    return DONE


def _absent(key: str, output: Output) -> int:
    if output.as_json:
        output.line("", key=key, absent=True)
        return NO
    raise Failure(NO, f"there is no value under {key!r}")


def _confirm(vine: Vine, timeout: float) -> None:
    try:
        vine.flush(timeout)
    except TimedOut:
        text = f"no member confirmed the change within {timeout:g} s; it may still arrive"
        raise Failure(UNREACHED, text) from None
