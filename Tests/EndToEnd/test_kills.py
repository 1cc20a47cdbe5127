"""The store under SIGKILL: whatever was acknowledged is there afterwards, byte for byte.

A short form runs always. COFFER_SOAK=1 kills hundreds of times instead of dozens; COFFER_SEED replays the moments.
"""

import os
import random
import secrets
import subprocess
import threading
import time
import unittest

from botocore.exceptions import BotoCoreError, ClientError

from server import PATIENCE, ROOT, Server, binary

SOAK = bool(os.environ.get("COFFER_SOAK"))


def moments():
    """Random moments that can be had again."""
    seed = int(os.environ.get("COFFER_SEED") or secrets.randbits(32))
    print(f"COFFER_SEED={seed}", flush=True)
    return random.Random(seed)


def bench():
    """The program that stores, deletes and collects without a server."""
    if os.environ.get("COFFER_BENCH"):
        return os.environ["COFFER_BENCH"]
    for flavour in ("release", "debug"):
        candidate = ROOT / ".build" / flavour / "coffer-bench"
        if candidate.exists():
            return str(candidate)
    raise AssertionError("no coffer-bench: run `swift build --product coffer-bench` or set COFFER_BENCH")


class Kills(unittest.TestCase):
    def test_a_store_killed_while_it_stores_deletes_and_collects(self):
        """One process opens the store, compares all that was acknowledged, goes on, and is killed; then the next."""
        rounds = 400 if SOAK else 36
        choose = moments()
        server = Server()  # For its directories; it is never started.
        self.addCleanup(server.close)
        data = server.home / "churn"
        kept = {}
        published = deleted = collected = 0
        for number in range(rounds):
            process = subprocess.Popen(
                [bench(), "churn", "--data", data, "--first", str(1 + number * 1_000_000)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            killer = threading.Timer(choose.choice((0.1, 0.5, 1.0, 4.0 if SOAK else 1.5)) * choose.random(), process.kill)
            # Some are killed while they open and compare, most while they work.
            ready = choose.random() < 0.15
            if ready:
                killer.start()
            text, errors = self.talk(process, kept, None if ready else killer)
            killer.cancel()
            self.assertIn(process.returncode, (-9, 0), f"round {number}: {errors}")
            for line in text.splitlines(keepends=True):
                words = line.split()
                if not line.endswith("\n"):
                    continue
                if words[0] == "put":
                    kept[words[1]] = words[2]
                    published += 1
                elif words[0] == "deleting":
                    kept.pop(words[1], None)
                    deleted += 1
                elif words[0] == "collected":
                    collected += int(words[1])
        last = subprocess.run(
            [bench(), "churn", "--data", data, "--check"], input=self.list(kept), capture_output=True, text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(last.returncode, 0, last.stderr)
        self.assertIn("checked", last.stdout)
        print(f"{rounds} kills, {published} published, {deleted} deleted, {collected} packs collected, {len(kept)} kept")
        self.assertGreater(published, rounds)
        self.assertGreater(collected, 0)

    @staticmethod
    def list(kept):
        return "".join(f"{version} {seed}\n" for version, seed in kept.items())

    def talk(self, process, kept, killer):
        """Tells the process what must be there and reads what it says until it dies."""
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        text = ""
        try:
            process.stdin.write(self.list(kept))
            process.stdin.close()
        except BrokenPipeError:
            pass
        for line in process.stdout:
            text += line
            if killer and line.startswith("verified"):
                killer.start()
                killer = None
        process.wait(timeout=PATIENCE)
        reader.join()
        process.stdout.close()
        process.stderr.close()
        return text, "".join(errors)


class ServerKills(unittest.TestCase):
    def test_a_server_killed_under_uploads_and_collections(self):
        rounds = 60 if SOAK else 4
        choose = moments()
        server = Server().start()
        self.addCleanup(server.close)
        server.client("s3").create_bucket(Bucket="kills")
        kept, lock, count = {}, threading.Lock(), [0]

        def upload(stop, thread):
            client = server.client("s3")
            while not stop.is_set():
                with lock:
                    count[0] += 1
                    key = f"{count[0]:06}"
                content = self.content(key)
                try:
                    client.put_object(Bucket="kills", Key=key, Body=content)
                except (BotoCoreError, ClientError):
                    continue
                with lock:
                    kept[key] = content
                if thread == 0 and len(kept) > 40:
                    self.drop(client, kept, lock)

        def collect(stop):
            while not stop.is_set():
                server.run(binary(), "store", "gc", check=False)

        checked = set()
        for _ in range(rounds):
            stop = threading.Event()
            threads = [threading.Thread(target=upload, args=(stop, number)) for number in range(3)]
            threads.append(threading.Thread(target=collect, args=(stop,)))
            for thread in threads:
                thread.start()
            time.sleep(0.1 + 0.9 * choose.random())
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            server.start()
            self.compare(server, {key: content for key, content in kept.items() if key not in checked})
            checked |= set(kept)
        self.compare(server, kept)
        server.stop()
        server.run(binary(), "store", "check", "--data", server.data)
        self.assertGreater(len(kept), rounds)

    def compare(self, server, kept):
        """Everything that was acknowledged is there, byte for byte."""
        client = server.client("s3")
        for key, content in kept.items():
            self.assertEqual(client.get_object(Bucket="kills", Key=key)["Body"].read(), content, key)

    @staticmethod
    def drop(client, kept, lock):
        """Deletes the oldest object; whether that is acknowledged or not, nobody asks for it again."""
        with lock:
            key = next(iter(kept))
            del kept[key]
        try:
            client.delete_object(Bucket="kills", Key=key)
        except (BotoCoreError, ClientError):
            pass

    @staticmethod
    def content(key):
        """Of many sizes, some of it in common with others."""
        own = random.Random(key)
        common = random.Random(own.randrange(8)).randbytes(60_000)
        return own.choice((b"", common)) + own.randbytes(own.choice((100, 5_000, 90_000)))


if __name__ == "__main__":
    unittest.main()
