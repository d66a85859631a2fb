"""mrtparse: each record of an MRT file as a line of JSON."""

import json
import sys

from mrtparse import Reader

for record in Reader(sys.argv[1]):
    sys.stdout.write(json.dumps(record.data) + "\n")
