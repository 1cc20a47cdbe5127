"""Runs commands, accounts for their time and memory, and reports ratios."""

import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time


@dataclasses.dataclass
class Run:
    """What the kernel accounted for one finished command, its children included."""

    wall: float
    cpu: float
    peak_bytes: int

    def __add__(self, other):
        """Both runs, one after the other."""
        return Run(self.wall + other.wall, self.cpu + other.cpu, max(self.peak_bytes, other.peak_bytes))


def run(command, *, cwd=None, env=None, stdout=None, check=True):
    """Runs a command to its end. Raises when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=None if env is None else os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=stdout or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if check and process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {stderr.decode(errors='replace')[-2000:]}")
    return Run(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def tree_bytes(path):
    """The apparent size of all regular files below a path."""
    path = pathlib.Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum(p.lstat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())


def median(runs, field):
    return statistics.median(getattr(item, field) for item in runs)


def machine():
    """A fingerprint of the machine, so that results are never compared across machines by mistake."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


class Report:
    """Collects measures and prints them as one table."""

    def __init__(self):
        self.rows = []

    def add(self, measure, value, unit, *, peer=None, peer_value=None, ratio=None, must=None, aim=None, lower=False):
        if ratio is None and peer_value:
            ratio = value / peer_value
        reached = None if must is None or ratio is None else (ratio <= must if lower else ratio >= must)
        row = dict(
            measure=measure, value=value, unit=unit, peer=peer, peer_value=peer_value, ratio=ratio, must=must, aim=aim,
            reached=reached,
        )
        self.rows.append(row)
        self.show(row)

    @staticmethod
    def show(row):
        text = f"{row['measure']:<44} {row['value']:>12.2f} {row['unit']:<14}"
        if row["ratio"] is not None:
            against = f"{row['peer']} {row['peer_value']:.2f}" if row["peer_value"] else row["peer"] or ""
            text += f" {row['ratio']:>8.3f}x  {against}"
        if row["must"] is not None:
            text += f"  (must {row['must']:.3g}, aim {row['aim']:.3g}: {'reached' if row['reached'] else 'NOT reached'})"
        print(text, file=sys.stderr, flush=True)

    def finish(self, path, **extra):
        document = {"format": 1, "machine": machine(), "measures": self.rows} | extra
        text = json.dumps(document, indent=2)
        if path:
            pathlib.Path(path).write_text(text + "\n")
        else:
            print(text)
