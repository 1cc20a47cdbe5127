"""coffer verify: what it confirms, and that every kind of tampering with the database is named."""

import json
import shutil
import sqlite3
import struct
import unittest

from cryptography.hazmat.primitives import serialization

from server import Server, binary


class IntegrityCase(unittest.TestCase):
    def setUp(self):
        self.server = Server().start()
        for number in range(3):
            folder = self.server.home / f"in-{number}"
            folder.mkdir()
            (folder / "file").write_text(f"content {number}\n" * 500)
            self.server.coffer("artifact", "put", "web/app", folder)

    def tearDown(self):
        self.server.close()

    def tamper(self, *statements):
        """Changes the database as somebody does who can write to it and has no key."""
        self.server.stop()
        with sqlite3.connect(self.server.data / "catalog.sqlite") as catalog:
            for statement in statements:
                catalog.execute(statement)
        catalog.close()
        self.server.start()

    def verify(self, *arguments):
        return self.server.coffer("verify", *arguments, check=False)

    def test_untouched(self):
        for arguments in ((), ("--content",), ("web/app",), ("web",), ("web/app@2",)):
            result = self.verify(*arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stderr, "")
        self.server.restart(kill=True)
        self.assertEqual(self.verify("--content").returncode, 0)
        self.assertEqual(self.verify("web/none@1").returncode, 5)

    def test_a_deleted_version(self):
        self.tamper("DELETE FROM store_versions WHERE number = 2")
        result = self.verify()
        self.assertEqual(result.returncode, 11)
        self.assertIn("web/app@2", result.stderr)
        self.assertIn("is missing: its row was deleted", result.stderr)

    def test_swapped_versions(self):
        self.tamper(
            "UPDATE store_versions SET number = 9 WHERE number = 1",
            "UPDATE store_versions SET number = 1 WHERE number = 2",
            "UPDATE store_versions SET number = 2 WHERE number = 9",
        )
        result = self.verify()
        self.assertEqual(result.returncode, 11)
        self.assertIn("number is 1, stated was 2", result.stderr)
        self.assertIn("number is 2, stated was 1", result.stderr)
        self.assertEqual(self.verify("web/app@1").returncode, 11)
        read = self.server.coffer("artifact", "cat", "web/app@1:file", check=False)
        self.assertEqual(read.returncode, 11, read.stderr)

    def test_an_old_catalogue(self):
        self.server.stop()
        kept = self.server.home / "kept"
        shutil.copytree(self.server.data, kept)
        self.server.start()
        folder = self.server.home / "late"
        folder.mkdir()
        (folder / "file").write_text("late\n")
        self.server.coffer("artifact", "put", "web/app", folder)
        self.server.stop()
        for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
            (self.server.data / name).unlink(missing_ok=True)
            if (kept / name).exists():
                shutil.copy(kept / name, self.server.data / name)
        refused = self.server.run(
            binary(), "serve", "--data", self.server.data, "--listen", "127.0.0.1:0", check=False
        )
        self.assertEqual(refused.returncode, 11, refused.stderr)
        self.assertIn("--accept-rollback", refused.stderr)
        self.server.arguments.append("--accept-rollback")
        self.server.start()
        self.assertEqual(self.verify("--content").returncode, 0)
        self.server.arguments.remove("--accept-rollback")
        self.server.restart()
        self.assertEqual(self.verify().returncode, 0)

    def test_an_old_copy_of_everything(self):
        """Database and mark are put back together: only the witness knows better."""
        witness = self.server.home / "witness"
        self.server.arguments += ["--witness", str(witness)]
        self.server.restart()
        self.server.stop()
        kept = self.server.home / "kept"
        shutil.copytree(self.server.data, kept)
        self.server.start()
        self.server.coffer("artifact", "put", "web/app", self.server.home / "in-0")
        self.server.stop()
        told = [json.loads(line) for line in witness.read_text().splitlines()]
        self.assertEqual([head["size"] for head in told], [3, 4])
        self.assert_signed(told[-1])
        shutil.rmtree(self.server.data)
        shutil.copytree(kept, self.server.data)
        serve = [binary(), "serve", "--data", self.server.data, "--listen", "127.0.0.1:0", "--witness", witness]
        refused = self.server.run(*serve, check=False)
        self.assertEqual(refused.returncode, 11, refused.stderr)
        self.assertIn(f"the witness {witness} saw 4", refused.stderr)
        self.server.arguments.append("--accept-rollback")
        self.server.start()
        self.server.arguments.remove("--accept-rollback")
        self.assertEqual(self.verify().returncode, 0)
        self.server.restart()
        self.assertEqual(self.verify("--content").returncode, 0)
        self.server.stop()
        witness.unlink()
        refused = self.server.run(*serve, check=False)
        self.assertEqual(refused.returncode, 11, refused.stderr)
        self.assertIn("has nothing about this instance", refused.stderr)
        refused = self.server.run(*serve[:-1], self.server.home / "unmounted" / "witness", check=False)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("is its volume mounted?", refused.stderr)

    def assert_signed(self, head):
        """Checks a line as somebody does who has only the line."""

        def field(text):
            return struct.pack(">I", len(text) // 2) + bytes.fromhex(text)

        message = b"coffer/1/witness\0" + field(head["instance"]) + struct.pack(">Q", head["size"])
        message += bytes.fromhex(head["root"]) + field(head["leaf"])
        message += struct.pack(">Q", head["journalSize"]) + field(head["journalHead"])
        message += struct.pack(">QB", head["at"], head["supersedes"])
        key = serialization.load_der_public_key(bytes.fromhex(head["publicKey"]))
        key.verify(bytes.fromhex(head["signature"]), message)

    def test_a_disabled_key(self):
        key = self.server.aws("kms", "create-key")["KeyMetadata"]["KeyId"]
        self.server.coffer("store", "reencrypt", "--yes", "--to-key", key)
        self.server.aws("kms", "disable-key", "--key-id", key)
        self.assertEqual(self.verify().returncode, 0)
        self.assertEqual(self.verify("--content").returncode, 12)
        self.server.aws("kms", "enable-key", "--key-id", key)
        self.assertEqual(self.verify("--content").returncode, 0)


if __name__ == "__main__":
    unittest.main()
