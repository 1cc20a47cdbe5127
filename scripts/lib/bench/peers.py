"""The stores that Coffer is measured against, each behind the same four calls."""

import os
import pathlib
import shutil
import subprocess

from .measure import run, tree_bytes

PACKAGES = {
    "restic": "restic", "borg": "borgbackup", "casync": "casync", "ostree": "ostree", "bup": "bup", "git": "git",
    "rclone": "rclone",
}


def install_peers():
    """Installs the missing ones from Debian; needs root."""
    missing = [package for command, package in PACKAGES.items() if not shutil.which(command)]
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-qq", *missing], check=True)


class Store:
    """A store in a directory of its own. `missing` states the guarantees of Coffer's that it does not give."""

    name = ""
    missing = ""
    # Whether what it restores is executable where the original was.
    keeps_modes = True

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / self.name
        self.env = {}

    def prepare(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)

    def stored_bytes(self):
        return tree_bytes(self.folder)

    def flushed(self, timed):
        """Adds to a run of a peer that does not flush what it wrote what flushing costs."""
        return timed + run(["sync", "-f", self.folder])


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
        return self.flushed(run(["casync", "make", "--without=all", f"--store={self.folder}/store.castr", index, tree]))

    def restore(self, target):
        index = self.folder / f"a{self.count}.caidx"
        return run(["casync", "extract", f"--store={self.folder}/store.castr", index, target])


class Ostree(Store):
    name = "ostree"
    missing = "chunks, encryption"

    def prepare(self):
        super().prepare()
        run(["ostree", "init", "--mode=archive", f"--repo={self.folder}"])

    def ingest(self, tree, again=False):
        return run(
            ["ostree", "commit", f"--repo={self.folder}", "--branch=bench", "--fsync=true", f"--tree=dir={tree}"]
        )

    def restore(self, target):
        return run(["ostree", "checkout", f"--repo={self.folder}", "--user-mode", "--disable-cache", "bench", target])


class Bup(Store):
    name = "bup"
    missing = "encryption, flush to disk"

    def __init__(self, folder):
        super().__init__(folder)
        self.env = {"BUP_DIR": str(self.folder)}

    def prepare(self):
        super().prepare()
        run(["bup", "init"], env=self.env)

    def ingest(self, tree, again=False):
        # An index of its own each time: a directory that did not change would not even be read.
        (self.folder / "bupindex").unlink(missing_ok=True)
        listed = run(["bup", "index", "--update", tree], env=self.env)
        saved = run(["bup", "save", "--quiet", "--strip", "-1", "-n", "bench", tree], env=self.env)
        return self.flushed(listed + saved)

    def restore(self, target):
        return run(["bup", "restore", "--quiet", "-C", target, "/bench/latest/."], env=self.env)


class Git(Store):
    name = "git"
    missing = "encryption, empty directories; stored bytes after a repack that is not timed"

    def git(self, *words, tree=None):
        place = ["--git-dir", self.folder, *(["--work-tree", tree] if tree else [])]
        settings = ["-c", "core.fsync=all", "-c", "core.fsyncMethod=batch", "-c", "core.autocrlf=false", "-c", "gc.auto=0"]
        return run(["git", *settings, "-c", "user.name=bench", "-c", "user.email=bench@example.org", *place, *words])

    def prepare(self):
        super().prepare()
        run(["git", "init", "--quiet", "--bare", self.folder])

    def ingest(self, tree, again=False):
        # Without an index every file is read and hashed.
        (self.folder / "index").unlink(missing_ok=True)
        added = self.git("add", "--all", "--force", ".", tree=tree)
        return added + self.git("commit", "--quiet", "--allow-empty", "--message", "next", tree=tree)

    def restore(self, target):
        pathlib.Path(target).mkdir(parents=True, exist_ok=True)
        (self.folder / "index").unlink(missing_ok=True)
        return self.git("read-tree", "HEAD") + self.git("checkout-index", "--all", f"--prefix={target}/", tree=target)

    def stored_bytes(self):
        self.git("repack", "-a", "-d", "--quiet")
        return super().stored_bytes()


class Rclone(Store):
    name = "rclone"
    missing = "deduplication, compression, modes, flush to disk"
    keeps_modes = False

    def __init__(self, folder):
        super().__init__(folder)
        self.env = {
            "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_SAFE_TYPE": "crypt", "RCLONE_CONFIG_SAFE_REMOTE": str(self.folder),
        }
        self.count = 0

    def prepare(self):
        super().prepare()
        self.folder.mkdir(parents=True)
        if "RCLONE_CONFIG_SAFE_PASSWORD" not in self.env:
            hidden = subprocess.run(["rclone", "obscure", "bench"], check=True, capture_output=True, text=True).stdout.strip()
            self.env["RCLONE_CONFIG_SAFE_PASSWORD"] = hidden

    def ingest(self, tree, again=False):
        # What is copied again goes to the same place: there is nothing else that it could recognise.
        self.count += 0 if again else 1
        force = ["--ignore-times"] if again else []
        return self.flushed(run(["rclone", "copy", "--transfers", "2", *force, tree, f"safe:a{self.count}"], env=self.env))

    def restore(self, target):
        return run(["rclone", "copy", "--transfers", "2", f"safe:a{self.count}", target], env=self.env)


def installed(folder):
    """The peers that this machine has."""
    stores = [kind(folder) for kind in (Restic, Borg, Casync, Ostree, Bup, Git, Rclone)]
    return [store for store in stores if shutil.which(store.name)]
