"""examples.py BIN PAGE...: runs the examples of pages against the bgpipe installed in BIN.

Each ```sh block is a script for bash, each ```python block one for Python; one that begins with a comment which is a
name, such as `# guard.py`, is the content of that file. A ```text or ```json block behind a block is, to the letter,
what it must print. The blocks of a page run in turn, in a folder that holds the samples, the policies of examples/ and
nothing else of the source tree, so that what the wheel lacks is not found by accident.
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
FILE = re.compile(r"# (\w+\.py)\n")
SKIP = re.compile(r"^(make|pip install|git clone) ", re.MULTILINE)  # what has run before this does


def run(page: Path, env: dict[str, str]) -> int:
    """Run the examples of a page; return how many there were. Exits where one fails."""
    blocks = BLOCK.findall(page.read_text("utf-8"))
    ran = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("samples", "examples"):
            shutil.copytree(Path(__file__).parents[1] / part, folder / part)
        for i, (kind, text) in enumerate(blocks):
            if kind in ("text", "json") or SKIP.search(text):
                continue
            if kind == "python" and (named := FILE.match(text)):
                (folder / named[1]).write_text(text, "utf-8")
                continue
            command = ["bash", "-euo", "pipefail", "-c"] if kind == "sh" else ["python", "-c"]
            done = subprocess.run(
                [*command, text], cwd=folder, env=env, capture_output=True, text=True, check=False
            )
            ran += 1
            follower = blocks[i + 1] if i + 1 < len(blocks) else ("", "")
            wanted = follower[1] if follower[0] in ("text", "json") else None
            if done.returncode or (wanted is not None and done.stdout != wanted):
                sys.exit(
                    f"this example of {page} fails:\n{text}exit code {done.returncode}, it prints:\n"
                    f"{done.stdout}{done.stderr}"
                )
    return ran


def main() -> None:
    binaries = Path(sys.argv[1]).absolute()
    env = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    for page in map(Path, sys.argv[2:]):
        print(f"{run(page, env)} examples of {page} do what it says")


if __name__ == "__main__":
    main()
