"""scripts/bench store: the artifact store against its peers."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from . import data, peers
from .measure import Report, median, run, tree_bytes

MB = 1_000_000


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench store")
    parser.add_argument("--json", help="write the results here instead of standard output")
    parser.add_argument("--quick", action="store_true", help="smaller inputs, one repetition")
    parser.add_argument("--install-peers", action="store_true", help="install the missing peers with apt-get")
    parser.add_argument("--only", help="comma-separated measures: " + ",".join(MEASURES))
    arguments = parser.parse_args()
    if arguments.install_peers:
        peers.install_peers()
    report = Report()
    chosen = arguments.only.split(",") if arguments.only else list(MEASURES)
    with tempfile.TemporaryDirectory(prefix="coffer-bench-", dir=os.environ.get("COFFER_BENCH_DIR")) as folder:
        present = peers.installed(folder)
        absent = sorted(set(peers.PACKAGES) - {store.name for store in present})
        print(f"peers: {', '.join(store.name for store in present)}; absent or unused: {', '.join(absent)}", file=sys.stderr)
        for name in chosen:
            MEASURES[name](report, pathlib.Path(folder), present, arguments.quick)
    report.finish(arguments.json, peers={store.name: store.missing for store in present})


def check_equal(tree, target, store):
    """A restore that differs by a byte is no result."""
    if data.fingerprint(target, store.keeps_modes) != data.fingerprint(tree, store.keeps_modes):
        raise SystemExit(f"{store.name} restored something else than was stored")


def throughput(report, folder, present, quick):
    """New data, the same data again, and the way back, peers in turn."""
    tree = data.unpacked("numpy", "1.26.4") if quick else data.scientific()
    size = tree_bytes(tree)
    stores = {"coffer": peers.Coffer(folder), "coffer (zlib)": peers.Coffer(folder / "zlib", encoder="zlib")}
    stores |= {store.name: store for store in present}
    results = {name: {"new": [], "again": [], "restore": []} for name in stores}
    for _ in range(1 if quick else 3):
        for name, store in stores.items():
            store.prepare()
            results[name]["new"].append(store.ingest(tree))
            os.sync()
        for name, store in stores.items():
            results[name]["again"].append(store.ingest(tree, again=True))
            os.sync()
        for name, store in stores.items():
            target = folder / f"restored-{name}"
            results[name]["restore"].append(store.restore(target))
            check_equal(tree, target, store)
        for target in folder.glob("restored-*"):
            shutil.rmtree(target)
        # ext4 passes over inodes deleted in the last five seconds, at the cost of whoever creates files next.
        time.sleep(6)

    def rate(name, kind):
        return size / MB / median(results[name][kind], "cpu")

    for name in stores:
        for kind in ("new", "again", "restore"):
            report.add(f"{kind}: {name}", rate(name, kind), "MB/CPU-s")
        report.add(f"stored: {name}", stores[name].stored_bytes() / MB, "MB")
        report.add(f"peak memory, new: {name}", median(results[name]["new"], "peak_bytes") / MB, "MB")
    if "restic" in stores:
        for label, name, kind, must, aim in (
            ("ingest of new data", "coffer", "new", 2.0, 3.0),
            ("ingest of new data, zlib only", "coffer (zlib)", "new", 1.0, 1.5),
            ("ingest of all-duplicate data", "coffer", "again", 1.5, 2.5),
            ("restore of a whole version", "coffer", "restore", 1.3, 1.75),
        ):
            report.add(
                label, rate(name, kind), "MB/CPU-s", peer="restic", peer_value=rate("restic", kind), must=must, aim=aim
            )
        start_up = stores["restic"].start_up().cpu
        report.add("restic's start-up, included above", start_up, "CPU-s")
    for store in stores.values():
        shutil.rmtree(store.folder, ignore_errors=True)


def series(report, folder, present, quick):
    """Twenty successive releases, each a version of one artifact."""
    trees = data.botocore_trees(4 if quick else 20)
    raw = sum(tree_bytes(tree) for tree in trees)
    stored = {}
    for store in [peers.Coffer(folder), *present]:
        store.prepare()
        for tree in trees:
            store.ingest(tree)
        stored[store.name] = store.stored_bytes()
        target = folder / "restored"
        store.restore(target)
        check_equal(trees[-1], target, store)
        shutil.rmtree(target)
        shutil.rmtree(store.folder, ignore_errors=True)
        report.add(f"releases stored: {store.name}", stored[store.name] / MB, "MB")
    report.add("releases, raw", raw / MB, "MB")
    rivals = {name: value for name, value in stored.items() if name != "coffer"}
    if rivals:
        best = min(rivals, key=rivals.get)
        report.add(
            f"stored bytes of {len(trees)} releases", stored["coffer"] / MB, "MB", peer=best, peer_value=rivals[best] / MB,
            must=None if quick else 1 / 9, aim=None if quick else 1 / 11, lower=True,
        )


def presentation(report, folder, present, quick):
    """A version as a ZIP, against compressing the same tree anew."""
    tree = data.unpacked("numpy", "1.26.4")
    store = peers.Coffer(folder)
    store.prepare()
    store.ingest(tree)
    ours, theirs = [], []
    target = folder / "presented.zip"
    for _ in range(1 if quick else 5):
        ours.append(store.present(target))
        subprocess.run(["unzip", "-tqq", target], check=True)
        with open(folder / "rival.zip", "wb") as output:
            theirs.append(run(["zip", "-1", "-q", "-r", "-", "."], cwd=tree, stdout=output))
    size = tree_bytes(tree) / MB
    report.add(
        "ZIP presentation", size / median(ours, "cpu"), "MB/CPU-s", peer="zip -1",
        peer_value=size / median(theirs, "cpu"), must=5, aim=20,
    )
    shutil.rmtree(store.folder, ignore_errors=True)


def inner(report, folder, present, quick):
    """What only the library can be asked: small publishes, memory of a long stream, of the index and of many files, opening."""
    bench = os.environ["COFFER_BENCH"]

    def ask(*words, keeps=False):
        output = subprocess.run([bench, *words, "--data", str(folder / "inner")], check=True, capture_output=True, text=True)
        if not keeps:
            shutil.rmtree(folder / "inner", ignore_errors=True)
        return json.loads(output.stdout)

    small = ask("small-publish", "--count", "50" if quick else "300")
    report.add(
        "small publish, median", small["publishMilliseconds"], "ms", peer="fdatasync of 20 KiB",
        peer_value=small["syncMilliseconds"],
        must=2.5, aim=1.3, lower=True,
    )
    gib = 1 if quick else 8
    stream = ask("stream", "--gibibytes", str(gib))
    report.add(
        f"peak memory, {gib} GiB stream", stream["peakBytes"] / MB, "MB", ratio=stream["peakBytes"] / MB, peer="limit",
        must=200, aim=100, lower=True,
    )
    index = ask("index", "--chunks", "200000" if quick else "1000000")
    report.add(
        "index memory per million chunks", index["bytesPerMillion"] / MB, "MB", ratio=index["bytesPerMillion"] / MB,
        peer="limit", must=60, aim=2, lower=True,
    )
    files = 100_000 if quick else 1_000_000
    tree = ask("tree", "--way", "put", "--files", str(files), keeps=True)
    zipped = ask("zip-memory")
    for label, peak in (
        ("put", tree["storedPeakBytes"]), ("publish", tree["publishedPeakBytes"]), ("read as a ZIP", zipped["peakBytes"]),
    ):
        report.add(f"memory, {label}: bytes a file", peak / files, "B")
        report.add(
            f"memory, {label}: {files} small files", peak / MB, "MB", ratio=peak / MB, peer="limit",
            must=200, aim=100, lower=True,
        )
    opening = ask("open", "--versions", "100000" if quick else "1000000")
    report.add(
        "opening a store", opening["seconds"], "s", ratio=opening["seconds"], peer=f"{opening['versions']} versions", must=1,
        aim=0.1, lower=True,
    )


MEASURES = {"throughput": throughput, "series": series, "presentation": presentation, "inner": inner}

if __name__ == "__main__":
    main()
