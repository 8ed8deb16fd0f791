"""Builds the compiled core; VINES_BUILD chooses how: release, debug, trace or sanitize."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

CORE = sorted(Path("vines/_core").glob("*.pyx"))
TYPED = sorted(
    types.with_suffix(".py")
    for part in ("callbacks", "protocol", "simulation")
    for types in Path("vines", part).rglob("*.pxd")
)
"""Modules of Python that have their types beside them."""
HEADERS = sorted(str(header) for header in Path("vines/_core").glob("*.h"))

DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "annotation_typing": False,  # types are those beside a module
}
UNCHECKED = {
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}
"""Of the core, which checks for itself; what is Python goes on to mean what it means there."""

UNIX = sys.platform != "win32"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
PROFILES: dict[str, dict[str, list[str]]] = {
    # Only here modules of Python are compiled, too: elsewhere bugs are planted in them as they are.
    "release": {
        "compile": ["-O3", "-g0"] if UNIX else ["/O2"],
        # They call the interpreter all the time: more takes twice as long to build for little.
        "typed": ["-O1", "-g0"] if UNIX else ["/O1"],
        "link": [],
        "macros": [],
    },
    "debug": {
        "compile": ["-O1", "-g"] if UNIX else ["/Od", "/Zi"],
        "link": [],
        "macros": ["VINES_PLANTED"],
    },
    "trace": {
        "compile": ["-O0", "-g"] if UNIX else ["/Od"],
        "link": [],
        "macros": ["CYTHON_TRACE=1", "CYTHON_USE_SYS_MONITORING=0", "VINES_PLANTED"],
    },
    "sanitize": {
        "compile": [*SANITIZERS, "-O1", "-g", "-fno-omit-frame-pointer"],
        "link": SANITIZERS,
        "macros": ["VINES_PLANTED"],
    },
}

PROCESSORS = os.cpu_count() or 1

profile = os.environ.get("VINES_BUILD", "release")
if profile not in PROFILES:
    sys.exit(f"VINES_BUILD={profile}: choose one of {', '.join(PROFILES)}")
options = PROFILES[profile]
macros = [
    (name, value or None)
    for name, _, value in (macro.partition("=") for macro in options["macros"])
]


def compiled(sources: list[Path], flags: list[str], **directives: bool) -> list[Extension]:
    """The extension modules of these sources."""
    extensions = [
        Extension(
            ".".join(source.with_suffix("").parts),
            [str(source)],
            include_dirs=["vines/_core"],
            depends=HEADERS,
            extra_compile_args=flags,
            extra_link_args=options["link"],
            define_macros=macros,
        )
        for source in sources
    ]
    made: list[Extension] = cythonize(
        extensions,
        # Elsewhere processes begin by importing this file again.
        nthreads=PROCESSORS if sys.platform == "linux" else 0,
        compiler_directives={**DIRECTIVES, **directives, "linetrace": profile == "trace"},
        # The same for all, but for what traces its lines: what differs is up to the C compiler.
        build_dir=None if profile == "trace" else "build/cython",
    )
    return made


setup(
    options={"build_ext": {"parallel": str(PROCESSORS)}},
    ext_modules=[
        *compiled(CORE, options["compile"], **UNCHECKED),
        *(compiled(TYPED, options["typed"]) if "typed" in options else ()),
    ],
)
