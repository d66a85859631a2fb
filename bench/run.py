"""Measures the bgpipe in a folder of programs against others: whole processes, output to a file (README.md).

What is compared runs in turn, round after round, so that a machine that slows down slows all of it. Nothing
here fails because of a time; the figures are for people.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE / "data"
# Memory, where there is room for a gigabyte or four: what is measured is the programs, not the disk.
MEMORY = Path("/dev/shm")
ONE_PERCENT = "as_origin == 13118"  # of the messages of updates.mrt
ZEROS = bytes(1 << 20)
OUT = (MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 << 30 else DATA) / "bgpipe-bench"


def warm(size: int) -> None:
    """Have the machine own as much memory as the output is going to take.

    A virtual machine gives free memory back to its host, and each page that it gets again costs 5 us: a second for a
    gigabyte, which whoever came first after a slow program would pay.
    """
    with open(OUT / "warm", "wb") as file:
        for _ in range(size >> 20):
            file.write(ZEROS)
    (OUT / "warm").unlink()


@dataclass
class Contender:
    """A command, what it reads (a file of bench/data) and what came of it."""

    name: str
    command: list[str]
    source: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_kib: int = 0
    written: int = 0

    def run(self) -> None:
        """Once; wall seconds, CPU seconds and peak memory from wait4(2), as /usr/bin/time -v takes them."""
        OUT.mkdir(exist_ok=True)
        warm(self.written)
        with open(OUT / "stdout", "wb") as stdout, open(OUT / "stderr", "wb") as stderr:
            start = time.perf_counter()
            process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=OUT
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{self.command} exits with {process.returncode}:\n{(OUT / 'stderr').read_text()}")
        self.seconds.append(seconds)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.peak_kib = max(self.peak_kib, usage.ru_maxrss)
        self.written = (OUT / "stdout").stat().st_size
        shutil.rmtree(OUT)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass
class Measure:
    """Contenders that do the same work, ours first; the last one is what they are compared with."""

    title: str
    unit: str
    contenders: list[Contender]
    targets: str = ""


def measures(programs: Path) -> list[Measure]:
    bgpipe, python = str(programs / "bgpipe"), str(programs / "python")

    def ours(source: str, output: str, threads: int) -> Contender:
        # To stdout as the others do: `write` would wait for the disk at the end.
        command = [bgpipe, "--threads", str(threads), "read", str(DATA / source), "--"]
        command += ["stdout", "--format", output]
        return Contender(f"bgpipe, {threads} thread{'s' * (threads > 1)}", command, source)

    def grep(name: str, text: str) -> Contender:
        command = [bgpipe, "--threads", "1", "read", str(DATA / "updates.mrt"), "--", "grep", text, "--", "stdout"]
        return Contender(name, command, "updates.mrt")

    def peer(name: str, source: str, *command: str) -> Contender:
        return Contender(name, [*command, str(DATA / source)], source)

    found = [
        Measure(
            "MRT to JSON",
            "messages",
            [
                ours("updates.mrt", "json", 1),
                ours("updates.mrt", "json", 2),
                peer("pybgpkit-parser", "pass.mrt", python, str(HERE / "peers" / "pybgpkit.py")),
                peer("mrtparse", "tenth.mrt", python, str(HERE / "peers" / "mrtparse_json.py")),
                peer("bgpdump -m", "pass.mrt", "bgpdump", "-m"),
            ],
            "40x and 55x bgpdump -m; 4 M/s and 6.5 M/s",
        ),
        Measure(
            "Filters, what matches as JSON",
            "messages",
            [
                grep("a type", "open"),
                grep("a prefix, 1% match", "prefix ~ 192.0.0.0/10"),
                grep("an origin", "as_origin == 15169"),
                grep("a regular expression", "aspath ~ ,15169$"),
                grep("a file of 1 M prefixes", f"prefix in file({DATA / 'prefixes.txt'})"),
                Contender(
                    "framing alone",
                    [bgpipe, "--threads", "1", "read", "--type", "OPEN", str(DATA / "updates.mrt"), "--", "stdout"],
                    "updates.mrt",
                ),
            ],
            "type 1.3x framing alone, prefix 10 M/s, regular expression 2 M/s, file 5 M/s",
        ),
        Measure(
            "MRT to lines of prefixes",
            "messages",
            [
                ours("updates.mrt", "bgpdump", 1),
                ours("updates.mrt", "bgpdump", 2),
                peer("bgpdump -m, the same lines", "pass.mrt", "bgpdump", "-m"),
            ],
            "3 M lines/s: 1 M/s",
        ),
        Measure(
            "BMP to JSON",
            "messages",
            [
                ours("updates.bmp", "json", 1),
                ours("updates.bmp", "json", 2),
                ours("updates.bmp", "bmp", 1),
                peer("tshark -T json", "tenth.pcap", "tshark", "-d", "tcp.port==11019,bmp", "-T", "json", "-r"),
            ],
            "3 M/s",
        ),
        Measure("MRT to MRT", "messages", [ours("updates.mrt", "mrt", n) for n in (1, 2)], "10 M/s"),
        Measure("JSON to MRT", "messages", [ours("updates.json", "mrt", n) for n in (1, 2)], "1 M/s"),
        Measure(
            "TABLE_DUMP_V2 to JSON",
            "routes",
            [
                ours("rib.mrt", "json", 1),
                ours("rib.mrt", "json", 2),
                peer("bgpdump -m", "ribpass.mrt", "bgpdump", "-m"),
            ],
            "10x bgpdump -m, 5 M/s",
        ),
        Measure(
            "gzip, MRT to JSON",
            "messages",
            [
                ours("updates.mrt.gz", "json", 1),
                ours("updates.mrt.gz", "json", 2),
                peer("gzip -dc alone", "updates.mrt.gz", "gzip", "-dc"),
            ],
            "2.3 M/s and 3.2 M/s",
        ),
    ]
    functions = HERE / "scripts" / "function.py"
    by_hand = [bgpipe, "--", "read", str(DATA / "pass.mrt"), "--", "exec", "-A", python]
    by_hand += [str(HERE / "scripts" / "by_hand.py"), "--", "stdout", "--format", "mrt"]

    def cat(form: str) -> Contender:
        command = [bgpipe, "--", "read", str(DATA / "updates.mrt"), "--", "exec", "--format", form, "-A", "cat"]
        return Contender(f"{form} there and back", [*command, "--", "stdout", "--format", "mrt"], "updates.mrt")

    def calling(name: str, threads: int, *stages: str) -> Contender:
        command = [bgpipe, "--threads", str(threads), "--", "read", str(DATA / "updates.mrt"), "--"]
        return Contender(name, [*command, *stages, "--", "stdout", "--format", "mrt"], "updates.mrt")

    found += [
        Measure(
            "A Python function for each message, MRT to MRT",
            "messages",
            [
                calling("msg -> msg, 1 thread", 1, "python", f"{functions}:same"),
                calling("msg -> msg, 2 threads", 2, "python", f"{functions}:same"),
                calling("batch -> batch", 1, "python", "--batch", f"{functions}:same_batch"),
                calling("async msg -> msg", 1, "python", f"{functions}:same_later"),
                calling("looks at AS paths", 1, "python", f"{functions}:look"),
                Contender("the same by exec, as JSON", by_hand, "pass.mrt"),
                ours("updates.mrt", "mrt", 1),
            ],
            "1 M/s where it returns the message",
        ),
        Measure(
            "A Python function behind a filter that passes 1%",
            "messages",
            [
                calling("grep, then msg -> msg", 1, "grep", ONE_PERCENT, "--", "python", f"{functions}:same"),
                calling("grep alone", 1, "grep", ONE_PERCENT),
            ],
            "1.2x the time of grep alone",
        ),
        Measure(
            "exec cat, MRT to MRT",
            "messages",
            [cat("json"), cat("mrt"), cat("raw"), ours("updates.mrt", "mrt", 1)],
            "JSON 300,000/s, MRT and raw 1 M/s",
        ),
        Measure(
            "update and tag, MRT to MRT",
            "messages",
            [
                calling("--add-com, 1 thread", 1, "update", "--add-com", "65000:1"),
                calling("--add-com, 2 threads", 2, "update", "--add-com", "65000:1"),
                calling("--prepend, 1 thread", 1, "update", "--prepend", "65000x3"),
                calling("--drop-com=, none there", 1, "update", "--drop-com=1:1"),
                calling("tag --add, 1 thread", 1, "tag", "--add", "a=1"),
                ours("updates.mrt", "mrt", 1),
            ],
        ),
        Measure(
            "metrics",
            "messages",
            [
                calling("metrics, 3 filters", 1, "metrics", "-A", ONE_PERCENT, "ipv6", "type == open"),
                ours("updates.mrt", "mrt", 1),
            ],
        ),
    ]
    unpackers = [
        ["bzip2", "-dc"],
        ["lbzip2", "-dc"],
        ["pbzip2", "-dc"],
        [str(programs / "rapidgzip"), "-q", "-dc", "-P", "2"],
    ]
    found.append(
        Measure(
            "bzip2, MRT to JSON",
            "messages",
            [
                ours("updates.mrt.bz2", "json", 1),
                ours("updates.mrt.bz2", "json", 2),
                *(peer(f"{Path(command[0]).name} alone", "updates.mrt.bz2", *command) for command in unpackers),
            ],
            "1.15x the time of the fastest decompressor alone",
        )
    )
    bare = Contender("python -c pass", [python, "-c", "pass"], "messages500.mrt")
    found += [
        Measure(
            "500 messages, start to end",
            "",
            [ours("messages500.mrt", "json", 2), bare],
            "3x python -c pass",
        ),
        Measure(
            "--version and -h",
            "",
            [
                Contender("bgpipe --version", [bgpipe, "--version"], ""),
                Contender("bgpipe -h", [bgpipe, "-h"], ""),
                Contender("python -c pass", [python, "-c", "pass"], ""),
            ],
            "50 ms and 110 ms over python -c pass",
        ),
    ]
    return found


def report(measure: Measure, counts: dict[str, int]) -> None:
    print(f"\n{measure.title}" + (f"   (target: {measure.targets})" if measure.targets else ""))
    last = measure.contenders[-1]
    print(f"  {'':24} {'median':>9} {'least':>9} {'most':>9} {'CPU':>9} {'peak':>9}", end="")
    print(f" {measure.unit + '/s':>12} {'us each':>8} {'times':>7}" if measure.unit else f" {'times':>7}")

    def each(contender: Contender) -> float:
        return contender.median / counts.get(contender.source.removesuffix(".gz").removesuffix(".bz2"), 1)

    for c in measure.contenders:
        row = f"  {c.name:24} {c.median * 1e3:6.0f} ms {min(c.seconds) * 1e3:6.0f} ms"
        row += f" {max(c.seconds) * 1e3:6.0f} ms {statistics.median(c.cpu) * 1e3:6.0f} ms"
        row += f" {c.peak_kib / 1024:5.0f} MiB"
        if measure.unit:
            row += f" {1 / each(c) / 1e6:10.2f} M {each(c) * 1e6:8.3f} {each(last) / each(c):6.1f}x"
        else:
            row += f" {c.median / last.median:6.2f}x"
        print(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="measures whose title holds this")
    arguments = parser.parse_args()
    counts = json.loads((DATA / "counts.json").read_text())
    results = []
    for measure in measures(arguments.programs.absolute()):
        if arguments.only not in measure.title:
            continue
        for contender in [c for c in measure.contenders if not shutil.which(c.command[0])]:
            print(f"\n{contender.command[0]} is not there: {measure.title} goes without {contender.name}")
            measure.contenders.remove(contender)
        rounds = arguments.rounds if measure.unit else max(arguments.rounds, 21)
        for contender in measure.contenders:  # one round for nothing: caches, and how much each writes
            contender.run()
            contender.seconds.clear()
            contender.cpu.clear()
        for _ in range(rounds):
            for contender in measure.contenders:
                contender.run()
        report(measure, counts)
        sys.stdout.flush()
        results.append({c.name: c.seconds for c in measure.contenders} | {"title": measure.title})
    (DATA / "results.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
