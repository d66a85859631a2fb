"""Builds the compiled core; everything else is in pyproject.toml.

Switches, by environment:
  BGPIPE_DEBUG=1           -O0 -g, C assertions on
  BGPIPE_TRACE=1           line tracing, for coverage of the compiled modules
  BGPIPE_SANITIZE=LIST     e.g. address,undefined; with CC=clang also fuzzer-no-link
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("BGPIPE_DEBUG") == "1"
TRACE = os.environ.get("BGPIPE_TRACE") == "1"
SANITIZE = os.environ.get("BGPIPE_SANITIZE", "")

compile_args = ["-std=c11", "-Wall", "-Wextra", "-Wno-unused-function", "-Wno-unused-parameter"]
compile_args += ["-O0", "-g"] if DEBUG else ["-O2", "-g1"]
link_args: list[str] = []
macros: list[tuple[str, str | None]] = [] if DEBUG else [("NDEBUG", None)]
if TRACE:
    macros += [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1")]
if SANITIZE:
    compile_args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined"]
    link_args += [f"-fsanitize={SANITIZE}"]

extensions = [
    Extension(
        f"bgpipe.{source.stem}",
        [str(source)],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        define_macros=macros,
    )
    for source in sorted(Path("src/bgpipe").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        include_path=["src"],
        nthreads=0 if TRACE else os.cpu_count() or 1,
        compiler_directives={
            "language_level": 3,
            "embedsignature": False,  # functions tell theirs by themselves, and it gives those of classes wrong
            "linetrace": TRACE,
            "cdivision": True,
            "boundscheck": True,
        },
    ),
)
