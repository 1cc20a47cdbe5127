"""A data directory that cannot be written: the server says so and changes nothing; once it can be, all is there."""

import os
import subprocess
import unittest

from server import PATIENCE, Server, binary, clean_environment


class ReadOnly(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.server.data.mkdir(mode=0o700)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", self.server.data], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            self.skipTest(f"a file system can be mounted by root only: {mounted.stderr.strip()}")
        self.addCleanup(self.server.close)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.server.data], check=True)

    def remount(self, mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", self.server.data], check=True)

    def test_a_read_only_directory_is_refused_by_name_and_keeps_everything(self):
        self.server.start()
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="kept")
        content = {f"k{number}": os.urandom(200_000) for number in range(3)}
        for name, body in content.items():
            s3.put_object(Bucket="kept", Key=name, Body=body)
        self.server.stop()
        self.remount("ro")
        command = [binary(), "serve", "--data", self.server.data, "--listen", f"127.0.0.1:{self.server.port}"]
        refused = subprocess.run(
            [*command, *self.server.arguments], env=clean_environment(), capture_output=True, text=True, timeout=PATIENCE
        )
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("read-only", refused.stderr.lower())
        self.assertIn(str(self.server.data), refused.stderr)
        self.remount("rw")
        self.server.start()
        for name, body in content.items():
            self.assertEqual(self.server.client("s3").get_object(Bucket="kept", Key=name)["Body"].read(), body)
        self.server.client("s3").put_object(Bucket="kept", Key="next", Body=b"written")


if __name__ == "__main__":
    unittest.main()
