"""Getting directories back as they were given: names and links that no archive from elsewhere may have, and updates in place."""

import json
import os
import subprocess
import unittest
import zipfile

from server import Server


class Get(unittest.TestCase):
    def setUp(self):
        self.server = Server().start()
        self.addCleanup(self.server.close)
        self.home = self.server.home

    def tree(self, name="tree"):
        """A directory with everything that a Unix directory can hold and an archive from elsewhere may not."""
        tree = self.home / name
        (tree / "units").mkdir(parents=True)
        (tree / "units" / "dev-disk-by\\x2dlabel.swap").write_text("backslash")
        (tree / "B::Deparse.3pm").write_text("looks like a drive")
        (tree / "wow!such").write_text("an exclamation mark")
        (tree / "a:b@c").write_text("colon and at")
        (tree / "line\nbreak").write_text("line break")
        (tree / ("n" * 255)).write_text("as long as names get")
        (tree / "shut").mkdir()
        (tree / "shut" / "in").write_text("read-only")
        (tree / "shut" / "in").chmod(0o400)
        (tree / "shut").chmod(0o500)
        os.symlink("/etc/hostname", tree / "absolute")
        os.symlink("../../../outside", tree / "upwards")
        os.symlink(b"no-\xff-text", os.fsencode(tree) + b"/to-latin")
        with open(os.fsencode(tree) + b"/latin-\xe9\xff", "wb") as file:
            file.write(b"no text")
        return tree

    def assertSame(self, one, other):
        found = subprocess.run(["diff", "-r", "--no-dereference", one, other], capture_output=True)
        self.assertEqual((found.returncode, found.stdout, found.stderr), (0, b"", b""))

    def test_every_name_and_link_comes_back(self):
        tree = self.tree()
        self.server.coffer("artifact", "put", "hand/odd", tree)
        out = self.home / "out"
        self.server.coffer("artifact", "get", "hand/odd@1", out)
        self.assertSame(tree, out)
        self.assertEqual((out / "shut").stat().st_mode & 0o777, 0o500)
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/odd@1:wow!such").stdout, "an exclamation mark")
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/odd@1:a:b@c").stdout, "colon and at")
        # As a ZIP over S3 and here, whose reader decides what it makes of the names.
        self.server.coffer("artifact", "get", "hand/odd@1", self.home / "odd.zip", "--zip")
        with zipfile.ZipFile(self.home / "odd.zip") as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual(archive.read("units/dev-disk-by\\x2dlabel.swap"), b"backslash")

    def test_an_update_takes_every_name_and_link(self):
        tree = self.tree()
        self.server.coffer("artifact", "put", "hand/odd", tree)
        out = self.home / "out"
        out.mkdir()
        (out / "B::Deparse.3pm").mkdir()
        (out / "B::Deparse.3pm" / "in the way").write_text("")
        secret = self.home / "secret"
        secret.mkdir()
        (secret / "in").write_text("outside")
        os.symlink(secret, out / "shut")
        with open(os.fsencode(out) + b"/too much \xff", "wb"):
            pass
        first = self.server.coffer("artifact", "get", "hand/odd@1", out, "--update", "--yes")
        self.assertSame(tree, out)
        self.assertIn("8 files fetched", first.stderr)
        self.assertEqual((secret / "in").read_text(), "outside", "no link was followed")
        again = self.server.coffer("artifact", "get", "hand/odd@1", out, "--update")
        self.assertIn("0 files fetched", again.stderr)

    def test_archives_from_elsewhere_are_not_trusted(self):
        for name in ("..\\up", "/top", "c:\\windows", "../up"):
            path = self.home / "evil.zip"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(zipfile.ZipInfo("fine"), "")
                archive.writestr(zipfile.ZipInfo(name), "x")
            self.server.coffer("artifact", "put", "hand/evil", path)
            refused = self.server.coffer("artifact", "get", "hand/evil@latest", self.home / "evil", check=False)
            self.assertEqual(refused.returncode, 3, name)
            self.assertFalse((self.home / "evil").exists())
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(link, "/etc")
        self.server.coffer("artifact", "put", "hand/evil", path)
        refused = self.server.coffer("artifact", "get", "hand/evil@latest", self.home / "evil", check=False)
        self.assertEqual(refused.returncode, 3, "a link out of the directory")

    def test_an_archive_in_a_directory_is_looked_into_whatever_its_size(self):
        (self.home / "t").mkdir()
        with zipfile.ZipFile(self.home / "t" / "app.jar", "w") as archive:
            archive.writestr("lib/deep/one.txt", "one")
            archive.writestr("lib/two.txt", "two")
        self.server.coffer("artifact", "put", "hand/jar", self.home / "t")

        def paths(reference, *flags):
            return [e["path"] for e in self.server.coffer_json("artifact", "ls", reference, *flags)]

        self.assertEqual(paths("hand/jar@1:app.jar!"), ["lib"])
        self.assertEqual(paths("hand/jar@1:app.jar!lib"), ["lib/deep", "lib/two.txt"])
        self.assertEqual(paths("hand/jar@1:app.jar!", "-R"), ["lib/deep/one.txt", "lib/two.txt"])
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/jar@1:app.jar!lib/two.txt").stdout, "two")
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/jar@1:app.jar!no", check=False).returncode, 5)
        self.assertEqual(self.server.coffer("artifact", "ls", "hand/jar@1:no.jar!", check=False).returncode, 5)
        entries = self.server.coffer_json("artifact", "ls", "hand/jar@1")
        self.assertEqual(json.loads(json.dumps(entries))[0]["path"], "app.jar")


if __name__ == "__main__":
    unittest.main()
