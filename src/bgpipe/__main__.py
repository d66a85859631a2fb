"""python -m bgpipe"""

import sys

from bgpipe.cli import main

if __name__ == "__main__":
    sys.exit(main())
