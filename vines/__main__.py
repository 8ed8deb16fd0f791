"""`python -m vines` is the command `vines`."""

from __future__ import annotations

import sys

from vines.cli import main

if __name__ == "__main__":
    sys.exit(main())
