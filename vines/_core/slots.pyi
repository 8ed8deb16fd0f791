"""Slots: the places of an object that does not change any more, filled in one step."""

from typing import Any, TypeVar

_Kind = TypeVar("_Kind", bound=Filled)
_Tuple = TypeVar("_Tuple", bound=tuple[Any, ...])

def fill(one: object, names: tuple[str, ...], values: tuple[object, ...]) -> None:
    """Set the attributes of these names, in order, as `object.__setattr__` does whatever the class
    says. ValueError if they are not as many, before anything is set; AttributeError for a name that
    the object has no place for, TypeError for one that is no str, after those before it are set."""

def filled(kind: type[_Kind], values: tuple[object, ...]) -> _Kind:
    """What kind(*values) makes, without the price of a call. TypeError unless there is a value for
    each field, and all of them are given by place.
    """

def named(kind: type[_Tuple], values: tuple[object, ...]) -> _Tuple:
    """The same of a named tuple. TypeError."""

class Filled:
    """What is made of the values of the attributes that its class names in `fields`, all of them by
    place (`_places` says how many); or whatever its `_fill` makes of other arguments. Then it may
    check itself (`_checked`, `__post_init__`).
    """

    def __init__(self, *values: Any, **named: Any) -> None: ...
