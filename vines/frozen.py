"""Frozen: small immutable objects with named fields and slots.

What a frozen, slotted dataclass is, without its price at import: a dataclass writes and compiles
its methods when its class is made (about 1 ms each, and as much as ten of them for the modules
that do it), which was half of `import vines`. Type checkers see dataclasses (PEP 681). Fields are
annotations, defaults are values beside them; a class may check itself in `__post_init__`.
"""

from __future__ import annotations

from vines._core.slots import Filled, fill
from vines.hints import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class FrozenType(type):
    """Makes slots of a class's annotations. `kw_only`: fields are given by name; `uncompared`,
    `unhashed`, `hidden`: names of fields that equality (and hash), hash alone, or repr pass over.
    """

    fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        kw_only: bool = False,
        uncompared: tuple[str, ...] = (),
        unhashed: tuple[str, ...] = (),
        hidden: tuple[str, ...] = (),
    ) -> FrozenType:
        """The class, with its fields' names and defaults taken out of its body."""
        own = [
            field
            for field, kind in namespace.get("__annotations__", {}).items()
            if not str(kind).startswith("ClassVar")
        ]
        inherited = next((base.fields for base in bases if isinstance(base, FrozenType)), ())
        defaults = dict(
            next((base._defaults for base in bases if isinstance(base, FrozenType)), {})
        )
        defaults |= {field: namespace.pop(field) for field in own if field in namespace}
        names = (*inherited, *own)
        compared = tuple(field for field in names if field not in uncompared)
        namespace |= {
            "__slots__": tuple(own),
            "__match_args__": () if kw_only else names,
            "fields": names,
            "_defaults": defaults,
            "_positional": () if kw_only else names,
            "_places": -1 if kw_only and names else len(names),
            "_named": frozenset(names),
            "_compared": compared,
            "_hashed": tuple(field for field in compared if field not in unhashed),
            "_shown": tuple(field for field in names if field not in hidden),
            "_checked": any(isinstance(base, FrozenType) for base in bases)
            and (
                "__post_init__" in namespace
                or any(getattr(base, "_checked", False) for base in bases)
            ),
        }
        return super().__new__(cls, name, bases, namespace)

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_: Any
    ) -> None:
        super().__init__(name, bases, namespace)


class Frozen(Filled, metaclass=FrozenType):
    """The base of frozen classes."""

    fields: ClassVar[tuple[str, ...]]
    """The names of the fields, in order."""
    _defaults: ClassVar[dict[str, Any]]
    _positional: ClassVar[tuple[str, ...]]
    _places: ClassVar[int]
    """How many values fill all fields by place; -1: none may."""
    _named: ClassVar[frozenset[str]]
    _compared: ClassVar[tuple[str, ...]]
    _hashed: ClassVar[tuple[str, ...]]
    _shown: ClassVar[tuple[str, ...]]
    _checked: ClassVar[bool]
    """Whether the class checks itself."""

    def _fill(self, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Give each field its value, by place, by name or by default."""
        kind = type(self)
        if not values and named.keys() == kind._named:
            fill(self, tuple(named), tuple(named.values()))
            return
        if len(values) > len(kind._positional):
            raise TypeError(f"{kind.__name__} takes {len(kind._positional)} values by place")
        given = {**kind._defaults, **dict(zip(kind._positional, values, strict=False))}
        if named.keys() & set(kind._positional[: len(values)]):
            raise TypeError(f"{kind.__name__} was given a field twice")
        given |= named
        if given.keys() != set(kind.fields):
            wrong = sorted(given.keys() ^ set(kind.fields))
            raise TypeError(f"{kind.__name__} has {', '.join(kind.fields)}; see {', '.join(wrong)}")
        for field, value in given.items():
            object.__setattr__(self, field, value)

    def __post_init__(self) -> None:
        """Check the fields; for classes that want to."""

    def replace(self, **changes: Any) -> Self:
        """A copy with other values in some fields, checked like a new one."""
        return type(self)(**{name: getattr(self, name) for name in self.fields} | changes)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._compared)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self._hashed)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), {name: getattr(self, name) for name in self.fields}))


def _again(kind: type[Frozen], values: dict[str, Any]) -> Frozen:
    return kind(**values)
