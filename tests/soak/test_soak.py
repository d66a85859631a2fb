"""The soak for some seconds, to see that all of it works; `make soak` runs it for 20 minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_soak() -> None:
    command = [sys.executable, Path(__file__).with_name("soak.py"), "15"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
