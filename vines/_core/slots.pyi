"""Slots: the places of an object that does not change any more, filled in one step."""

def fill(one: object, names: tuple[str, ...], values: tuple[object, ...]) -> None:
    """Set the attributes of these names, in order, as `object.__setattr__` does whatever the class
    says. ValueError if they are not as many, before anything is set; AttributeError for a name that
    the object has no place for, TypeError for one that is no str, after those before it are set."""
