"""Bell: how one thread gets another out of its sleep."""

class Bell:
    """One thread sleeps, any thread rings. A ring that meets nobody asleep ends the next sleep;
    many count as one.
    """

    def __init__(self) -> None: ...
    def ring(self) -> None:
        """Wake the sleeper, and go on: it runs when this thread gives up the interpreter's lock."""

    def call(self) -> None:
        """Wake the sleeper, and let it run: gives up the interpreter's lock. For who has done what
        it had to do."""

    def lead(self, seconds: float) -> bool:
        """Wake the sleeper, and wait for that long at most until it has the interpreter's lock;
        whether it had by then. False, without waiting, if somebody rang before. For who knows that
        others want the interpreter, too, and that the sleeper comes first. ValueError for what is
        no number."""

    def sleep(self, seconds: float = -1.0) -> bool:
        """Sleep until somebody rings, for that long at most (an hour at most; less than 0: without
        end); whether somebody did. For one thread at a time. ValueError for what is no number."""
