"""The names of `typing` that annotations need, without its price at import.

Annotations are never evaluated here, yet to import `typing` for them costs an eighth of `import
vines`, and its NamedTuple compiles what the fields are annotated with. Type checkers find the real
ones; running, most are a name without a meaning, and what has one does no more than is needed.
What `import vines` loads takes its names from here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import ClassVar as ClassVar
    from typing import Final as Final
    from typing import Generic as Generic
    from typing import NamedTuple as NamedTuple
    from typing import Protocol as Protocol
    from typing import Self as Self
    from typing import TypeAlias as TypeAlias
    from typing import TypeGuard as TypeGuard
    from typing import TypeVar as TypeVar
    from typing import cast as cast
    from typing import dataclass_transform as dataclass_transform
    from typing import overload as overload
else:
    from collections import namedtuple

    Any = Self = object

    class Generic:
        """The base of classes that take types as parameters; here they have no meaning."""

        __slots__ = ()

        def __class_getitem__(cls, _):
            return cls

    ClassVar = Final = TypeAlias = TypeGuard = Generic

    class TypeVar:
        """Stands for a type in annotations."""

        def __init__(self, name, **_):
            self.__name__ = name

    class Protocol:
        """The base of what is asked of a class and never made."""

        __slots__ = ()

    class _NamedTupleType(type):
        def __new__(cls, name, bases, namespace):
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = namespace["__annotations__"]
            defaults = [namespace.pop(field) for field in fields if field in namespace]
            made = namedtuple(name, fields, defaults=defaults, module=namespace["__module__"])
            for attribute, value in namespace.items():
                setattr(made, attribute, value)
            return made

    class NamedTuple(metaclass=_NamedTupleType):
        """Makes a named tuple of the fields and methods of a class's body."""

    def cast(_kind, value):
        """The value."""
        return value

    def dataclass_transform(**_):
        """The class."""
        return lambda kind: kind

    def overload(function):
        """The function, which the one that follows it replaces."""
        return function
