"""pybgpkit-parser: each element of an MRT file as a line of JSON."""

import sys

from pybgpkit_parser import Parser

for element in Parser(url=sys.argv[1]):
    sys.stdout.write(f"{element}\n")
