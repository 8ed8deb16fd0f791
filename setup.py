"""Builds the compiled core; VINES_BUILD chooses how: release, debug, trace or sanitize."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = sorted(source.stem for source in Path("vines/_core").glob("*.pyx"))
HEADERS = sorted(str(header) for header in Path("vines/_core").glob("*.h"))

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
}

UNIX = sys.platform != "win32"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
PROFILES: dict[str, dict[str, list[str]]] = {
    "release": {
        "compile": ["-O3", "-g0"] if UNIX else ["/O2"],
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

profile = os.environ.get("VINES_BUILD", "release")
if profile not in PROFILES:
    sys.exit(f"VINES_BUILD={profile}: choose one of {', '.join(PROFILES)}")
options = PROFILES[profile]
macros = [
    (name, value or None)
    for name, _, value in (macro.partition("=") for macro in options["macros"])
]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"vines._core.{name}",
                [f"vines/_core/{name}.pyx"],
                include_dirs=["vines/_core"],
                depends=HEADERS,
                extra_compile_args=options["compile"],
                extra_link_args=options["link"],
                define_macros=macros,
            )
            for name in MODULES
        ],
        compiler_directives={**DIRECTIVES, "linetrace": profile == "trace"},
        build_dir=None if profile == "trace" else f"build/cython-{profile}",
    )
)
