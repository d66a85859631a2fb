"""examples.py BIN README: runs the examples of a README against the bgpipe installed in BIN.

Each ```sh block is a script for bash, each ```python block one for Python. A ```text or ```json block behind
it is, to the letter, what it must print. They run in turn, in a folder that holds the samples and nothing
else of the source tree, so that what the wheel lacks is not found by accident.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(sh|python|text|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SKIP = re.compile(r"^(make|pip install|git clone) ", re.MULTILINE)  # what has run before this does


def main() -> int:
    binaries, readme = Path(sys.argv[1]).absolute(), Path(sys.argv[2])
    blocks = BLOCK.findall(readme.read_text("utf-8"))
    env = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    ran = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(readme.parent / "samples", folder / "samples")
        for i, (kind, text) in enumerate(blocks):
            if kind in ("text", "json") or SKIP.search(text):
                continue
            command = ["bash", "-euo", "pipefail", "-c"] if kind == "sh" else ["python", "-c"]
            done = subprocess.run(
                [*command, text], cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            ran += 1
            follower = blocks[i + 1] if i + 1 < len(blocks) else ("", "")
            wanted = follower[1] if follower[0] in ("text", "json") else None
            if done.returncode or (wanted is not None and done.stdout != wanted):
                print(f"this example of {readme} fails:\n{text}exit code {done.returncode}, it prints:")
                print(done.stdout + done.stderr)
                return 1
    print(f"{ran} examples of {readme} do what it says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
