"""Rotation of the keys below the root, and re-encryption of what is stored, beside a server at work."""

import io
import json
import random
import sqlite3
import threading
import unittest
import zipfile

from pipelines import BUILDSPEC, declaration
from server import Repository, Server


class RotationCase(unittest.TestCase):
    def setUp(self):
        self.server = Server().start()
        self.random = random.Random(7)
        self.folders = {}
        for name in ("one", "two", "three"):
            self.publish(name)

    def tearDown(self):
        self.server.close()

    def publish(self, name):
        """Publishes a folder of one large and some small files as web/NAME."""
        folder = self.server.home / name
        (folder / "many").mkdir(parents=True)
        (folder / "large").write_bytes(self.random.randbytes(600_000))
        for number in range(20):
            (folder / "many" / str(number)).write_text(f"{name} {number}\n" * (number + 1))
        self.server.coffer("artifact", "put", f"web/{name}", folder)
        self.folders[name] = folder

    def check_contents(self):
        """Everything that was published comes out as it went in."""
        for name, folder in self.folders.items():
            target = self.server.home / f"out-{name}-{self.random.random()}"
            self.server.coffer("artifact", "get", f"web/{name}@latest", target)
            self.assertEqual((target / "large").read_bytes(), (folder / "large").read_bytes())
            for number in range(20):
                self.assertEqual(
                    (target / "many" / str(number)).read_text(), (folder / "many" / str(number)).read_text()
                )

    def layers(self, layer):
        return [
            (key["version"], key["state"])
            for key in self.server.coffer_json("key", "status")
            if key["layer"] == layer
        ]

    def test_every_layer_rotates_and_old_keys_are_destroyed(self):
        for layer in ("keyring", "storage", "service", "signing", "row", "journal", "token", "dedup"):
            self.assertIn((1, "active"), self.layers(layer))
            self.server.coffer("key", "rotate", layer)
            self.assertIn((2, "active"), self.layers(layer))
            self.assertIn((1, "decrypt-only"), self.layers(layer))
            self.check_contents()
        self.server.coffer("key", "destroy", "keyring", "--version", "1", "--yes")
        self.server.coffer("key", "destroy", "storage", "--version", "1", "--yes")
        self.server.coffer("key", "destroy", "token", "--version", "1", "--yes")
        self.server.coffer("key", "rotate", "row", "--destroy-old")
        self.assertEqual([(1, "destroyed"), (2, "destroyed"), (3, "active")], self.layers("row"))
        for layer in ("keyring", "storage", "token"):
            self.assertIn((1, "destroyed"), self.layers(layer))
            refused = self.server.coffer("key", "destroy", "keyring", "--version", "2", "--yes", check=False)
            self.assertEqual(refused.returncode, 6, refused.stderr)
        self.server.restart(kill=True)
        self.check_contents()
        self.server.coffer("store", "scrub")
        self.server.coffer("store", "gc")
        self.check_contents()
        self.server.coffer("verify", "--content")
        wrong = self.server.coffer("key", "rotate", "root", check=False)
        self.assertEqual(wrong.returncode, 2)

    def test_artifacts_in_buckets_follow_when_they_are_cut_anew(self):
        s3 = self.server.client("s3")
        for bucket in ("artifacts", "site"):
            s3.create_bucket(Bucket=bucket)
        repository = Repository(self.server.home / "repository")
        lines = "\n".join(str(self.random.random()) for _ in range(100_000))
        repository.commit({"index.txt": "one", "big.txt": lines, "buildspec.yml": BUILDSPEC % "cp big.txt site/"})
        self.server.coffer("repository", "add", "web", repository.path)
        self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration("demo", "web", approval=False)))
        self.server.coffer("execution", "watch", "demo", "1")

        def archives():
            found = {}
            for item in s3.list_objects_v2(Bucket="artifacts")["Contents"]:
                head = s3.head_object(Bucket="artifacts", Key=item["Key"])
                answer = s3.get_object(Bucket="artifacts", Key=item["Key"])
                body = answer["Body"].read()
                self.assertEqual({item["Size"], head["ContentLength"], answer["ContentLength"]}, {len(body)})
                self.assertEqual({item["ETag"], head["ETag"]}, {answer["ETag"]})
                with zipfile.ZipFile(io.BytesIO(body)) as archive:
                    found[item["Key"]] = ({n: archive.read(n) for n in archive.namelist()}, item["ETag"])
            return found

        before = archives()
        self.server.coffer("key", "rotate", "dedup")
        self.server.coffer("store", "reencrypt", "--yes")
        after = archives()
        self.assertEqual({k: v[0] for k, v in before.items()}, {k: v[0] for k, v in after.items()})
        self.assertNotEqual({v[1] for v in before.values()}, {v[1] for v in after.values()}, "other bytes, another tag")

    def test_reencryption_beside_readers_and_writers(self):
        before = {
            item["id"]: (item["contentID"], item["number"]) for item in self.server.coffer_json("artifact", "list")
        }
        stop = threading.Event()
        failures = []

        def read():
            while not stop.is_set():
                try:
                    self.check_contents()
                except Exception as error:  # Said by the main thread.
                    failures.append(error)
                    return

        reader = threading.Thread(target=read)
        reader.start()
        try:
            job = json.loads(self.server.coffer("store", "reencrypt", "--yes", "-o", "json").stdout)
        finally:
            stop.set()
            reader.join()
        self.assertEqual(failures, [])
        self.assertEqual((job["state"], job["done"], job["skipped"]), ("done", 3, 0))
        after = {
            item["id"]: (item["contentID"], item["number"]) for item in self.server.coffer_json("artifact", "list")
        }
        self.assertEqual(after, before)
        self.assertIn("1 destroyed", self.server.coffer("key", "retire", "--now").stdout)
        self.server.coffer("store", "gc")
        self.server.coffer("store", "scrub")
        self.server.coffer("verify", "--content")
        self.server.restart()
        self.check_contents()
        self.assertEqual([item["state"] for item in self.server.coffer_json("store", "job", "list")], ["done"])

    def test_a_killed_server_goes_on_where_it_was(self):
        job = json.loads(
            self.server.coffer("store", "reencrypt", "--yes", "--detach", "--rate", "1", "-o", "json").stdout
        )
        self.server.kill()
        self.server.start()
        self.check_contents()
        ended = json.loads(self.server.coffer("store", "job", "wait", job["id"], "-o", "json").stdout)
        self.assertEqual((ended["state"], ended["skipped"]), ("done", 0))
        self.check_contents()
        self.server.stop()
        self.server.coffer("store", "check", "--data", self.server.data)
        with sqlite3.connect(self.server.data / "catalog.sqlite") as catalog:
            epochs = {row[0] for row in catalog.execute("SELECT domain_epoch FROM store_versions")}
        self.assertEqual(len(epochs), 1)
        self.assertGreater(epochs.pop(), 1)
        self.server.start()

    def test_a_job_is_cancelled_and_resumed(self):
        job = json.loads(
            self.server.coffer("store", "reencrypt", "--yes", "--detach", "--rate", "1", "-o", "json").stdout
        )
        second = self.server.coffer("store", "reencrypt", "--yes", check=False)
        self.assertEqual(second.returncode, 6, second.stderr)
        self.server.coffer("store", "job", "cancel", job["id"])
        waited = self.server.coffer("store", "job", "wait", job["id"], check=False)
        self.assertEqual(waited.returncode, 8)
        self.check_contents()
        self.server.coffer("store", "job", "resume", job["id"])
        self.server.coffer("store", "job", "wait", job["id"])
        self.check_contents()
        self.assertEqual(self.server.coffer("store", "job", "show", "no-such", check=False).returncode, 5)

    def test_a_rotated_kms_key_and_a_disabled_one(self):
        key = self.server.aws("kms", "describe-key", "--key-id", "alias/aws/s3")["KeyMetadata"]["KeyId"]
        own = self.server.aws("kms", "create-key")["KeyMetadata"]["KeyId"]
        moved = json.loads(self.server.coffer("store", "reencrypt", "--yes", "--to-key", own, "-o", "json").stdout)
        self.assertEqual(moved["done"], 3)
        self.server.aws("kms", "rotate-key-on-demand", "--key-id", own)
        wrapped = json.loads(self.server.coffer("key", "rewrap", "--key", own, "-o", "json").stdout)
        self.assertEqual((wrapped["state"], wrapped["done"]), ("done", 3))
        self.check_contents()
        self.server.aws("kms", "disable-key", "--key-id", own)
        skipped = self.server.coffer("store", "reencrypt", "--yes", "-o", "json", check=False)
        self.assertEqual(skipped.returncode, 12)
        self.assertEqual(json.loads(skipped.stdout)["skipped"], 3)
        self.server.aws("kms", "enable-key", "--key-id", own)
        self.check_contents()
        back = json.loads(self.server.coffer("store", "reencrypt", "--yes", "--to-key", key, "-o", "json").stdout)
        self.assertEqual(back["done"], 3)
        self.check_contents()


if __name__ == "__main__":
    unittest.main()
