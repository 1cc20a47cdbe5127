"""The stores that Coffer is measured against, each behind the same four calls."""

import os
import pathlib
import shutil
import subprocess

from .measure import run, tree_bytes

PACKAGES = {"restic": "restic", "borg": "borgbackup", "casync": "casync", "ostree": "ostree", "bup": "bup"}


def install_peers():
    """Installs the missing ones from Debian; needs root."""
    missing = [package for command, package in PACKAGES.items() if not shutil.which(command)]
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True)


class Store:
    """A store in a directory of its own. `missing` states the guarantees of Coffer's that it does not give."""

    name = ""
    missing = ""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / self.name
        self.env = {}

    def prepare(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)

    def stored_bytes(self):
        return tree_bytes(self.folder)


class Coffer(Store):
    name = "coffer"

    def __init__(self, folder, encoder=None):
        super().__init__(folder)
        self.binary = os.environ["COFFER_BENCH"]
        self.env = {"COFFER_ENCODER": encoder} if encoder else {}

    def ingest(self, tree, again=False):
        return run([self.binary, "ingest", tree, "--data", self.folder], env=self.env)

    def restore(self, target):
        return run([self.binary, "restore", target, "--data", self.folder])

    def present(self, target):
        return run([self.binary, "zip", target, "--data", self.folder])


class Restic(Store):
    name = "restic"

    def __init__(self, folder):
        super().__init__(folder)
        self.env = {"RESTIC_PASSWORD": "bench", "GOMAXPROCS": "2", "RESTIC_CACHE_DIR": str(self.folder) + "-cache"}

    def prepare(self):
        super().prepare()
        shutil.rmtree(self.env["RESTIC_CACHE_DIR"], ignore_errors=True)
        run(["restic", "init", "--repository-version", "2", "-r", self.folder], env=self.env)

    def ingest(self, tree, again=False):
        force = ["--force"] if again else []
        return run(
            ["restic", "backup", "--quiet", "--compression", "auto", *force, "-r", self.folder, "."], cwd=tree, env=self.env
        )

    def restore(self, target):
        return run(["restic", "restore", "--quiet", "latest", "-r", self.folder, "--target", target], env=self.env)

    def start_up(self):
        """What opening the repository costs (its key derivation), to be stated beside the rest."""
        return run(["restic", "snapshots", "--quiet", "-r", self.folder], env=self.env)


class Borg(Store):
    name = "borg"

    def __init__(self, folder):
        super().__init__(folder)
        base = str(self.folder) + "-home"
        self.env = {
            "BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": base, "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }
        self.count = 0

    def prepare(self):
        super().prepare()
        shutil.rmtree(self.env["BORG_BASE_DIR"], ignore_errors=True)
        run(["borg", "init", "-e", "repokey-blake2", self.folder], env=self.env)

    def ingest(self, tree, again=False):
        self.count += 1
        return run(
            ["borg", "create", "-C", "zlib,1", "--files-cache=disabled", f"{self.folder}::a{self.count}", "."],
            cwd=tree, env=self.env,
        )

    def restore(self, target):
        pathlib.Path(target).mkdir(parents=True, exist_ok=True)
        return run(["borg", "extract", f"{self.folder}::a{self.count}"], cwd=target, env=self.env)


class Casync(Store):
    name = "casync"
    missing = "encryption, flush to disk"

    def prepare(self):
        super().prepare()
        self.folder.mkdir(parents=True)
        self.count = 0

    def ingest(self, tree, again=False):
        self.count += 1
        index = self.folder / f"a{self.count}.caidx"
        return run(["casync", "make", "--without=all", f"--store={self.folder}/store.castr", index, tree])

    def restore(self, target):
        index = self.folder / f"a{self.count}.caidx"
        return run(["casync", "extract", f"--store={self.folder}/store.castr", index, target])


def installed(folder):
    """The peers that this machine has."""
    stores = [Restic(folder), Borg(folder), Casync(folder)]
    return [store for store in stores if shutil.which(store.name)]
