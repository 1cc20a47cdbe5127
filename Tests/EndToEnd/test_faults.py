"""Disks that fill up: what is refused says so, what was acknowledged stays, and space that comes back is enough."""

import os
import resource
import subprocess
import unittest

from botocore.exceptions import ClientError

from server import Server

SIZE = 48 << 20
RESERVE = "ballast"


class FullDisk(unittest.TestCase):
    """A data directory on a small file system of its own."""

    def setUp(self):
        self.server = Server()
        self.server.data.mkdir(mode=0o700)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", self.server.data],
            capture_output=True, text=True,
        )
        if mounted.returncode != 0:
            self.skipTest(f"a small file system can be mounted by root only: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.server.data], check=True)
        self.server.start()
        self.addCleanup(self.server.close)
        self.s3 = self.server.client("s3")
        self.s3.create_bucket(Bucket="web")
        self.kept = {}

    def put(self, name, size):
        """Stores random bytes; remembers them once they are acknowledged."""
        content = os.urandom(size)
        self.s3.put_object(Bucket="web", Key=name, Body=content)
        self.kept[name] = content

    def free(self):
        """Bytes that are still free."""
        figures = os.statvfs(self.server.data)
        return figures.f_bavail * figures.f_frsize

    def fill(self):
        """Takes every free byte."""
        with open(self.server.data / RESERVE, "wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass
        self.assertEqual(self.free(), 0)

    def check_kept(self):
        """Everything that was acknowledged is there, byte for byte."""
        for name, content in self.kept.items():
            body = self.s3.get_object(Bucket="web", Key=name)["Body"].read()
            self.assertEqual(body, content, name)

    def assert_refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code, caught.exception)
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503)
        self.assertIn("full", caught.exception.response["Error"]["Message"])

    def test_uploads_that_do_not_fit_are_refused_and_their_space_comes_back(self):
        self.put("first", 4 << 20)
        before = self.free()
        for _ in range(3):
            self.assert_refused(
                "ServiceUnavailable", self.s3.put_object, Bucket="web", Key="large", Body=os.urandom(SIZE))
            self.check_kept()
        self.server.restart(kill=True)
        self.assertGreater(self.free(), before - (2 << 20), "what refused uploads wrote is freed")
        self.put("second", 4 << 20)
        self.check_kept()

    def test_a_database_without_room_refuses_changes_and_serves_what_it_has(self):
        self.put("first", 1 << 20)
        key = self.server.client("kms").create_key()["KeyMetadata"]["KeyId"]
        self.fill()
        self.assert_refused("ServiceUnavailable", self.s3.put_object, Bucket="web", Key="small", Body=b"x" * 200)
        for _ in range(200):
            try:
                self.s3.create_bucket(Bucket=f"bucket-{os.urandom(4).hex()}")
            except ClientError as error:
                self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 503, error)
                self.assertIn("full", str(error))
                break
        else:
            self.fail("the log of the database never ran out of room")
        with self.assertRaises(ClientError) as caught:
            for _ in range(200):
                self.server.client("kms").create_alias(AliasName=f"alias/{os.urandom(4).hex()}", TargetKeyId=key)
        self.assertEqual(caught.exception.response["Error"]["Code"], "ServiceUnavailable", caught.exception)
        self.assertIn("full", caught.exception.response["Error"]["Message"])
        self.check_kept()
        (self.server.home / "file").write_bytes(b"y" * 300_000)
        refused = self.server.coffer("artifact", "put", "hand/file", self.server.home / "file", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("full", refused.stderr)

        self.server.kill()
        (self.server.data / RESERVE).unlink()
        self.server.start()
        self.check_kept()
        self.put("after", 1 << 20)
        self.check_kept()


class LimitedFiles(unittest.TestCase):
    """A limit on the size of files, under which the kernel makes short writes, then refuses, with a signal that kills."""

    def test_a_push_over_the_limit_is_refused_and_the_server_lives(self):
        with Server() as server:
            s3 = server.client("s3")
            s3.create_bucket(Bucket="web")
            first, large = os.urandom(4 << 20), os.urandom(40 << 20)
            s3.put_object(Bucket="web", Key="first", Body=first)
            most = resource.RLIM_INFINITY
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (12_000_001, most))
            for _ in range(2):
                with self.assertRaises(ClientError) as caught:
                    s3.put_object(Bucket="web", Key="large", Body=large)
                self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503, caught.exception)
                self.assertIn("full", caught.exception.response["Error"]["Message"])
                self.assertEqual(s3.get_object(Bucket="web", Key="first")["Body"].read(), first)
            self.assertIsNone(server.process.poll())
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
            s3.put_object(Bucket="web", Key="large", Body=large)
            server.restart(kill=True)
            for key, content in (("first", first), ("large", large)):
                self.assertEqual(s3.get_object(Bucket="web", Key=key)["Body"].read(), content)


if __name__ == "__main__":
    unittest.main()
