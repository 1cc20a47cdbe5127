"""What keeps a version and what lets it go: pins, holds, retention rules, running executions, deletion and its undoing."""

import json
import os
import sqlite3
import unittest

from pipelines import BUILDSPEC, declaration
from server import Repository, Server, wait_until


class References(unittest.TestCase):
    def setUp(self):
        self.server = Server().start()
        self.addCleanup(self.server.close)

    def put(self, name, size=200_000):
        path = self.server.home / "content"
        path.write_bytes(os.urandom(size))
        return self.server.coffer_json("artifact", "put", name, path)

    def kept(self, name):
        return [item["number"] for item in self.server.coffer_json("artifact", "list", name)]

    def test_a_deleted_version_is_gone_until_it_is_brought_back(self):
        item = self.put("hand/file")
        self.server.coffer("artifact", "delete", "hand/file@1", "--yes")
        self.assertEqual(self.kept("hand/file"), [])
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/file@1", check=False, text=False).returncode, 5)
        deleted = self.server.coffer_json("artifact", "list", "hand", "--deleted")
        self.assertEqual([d["id"] for d in deleted], [item["id"]])
        self.server.coffer("store", "gc")
        self.server.coffer("artifact", "undelete", item["id"])
        content = self.server.coffer("artifact", "cat", "hand/file@1", text=False).stdout
        self.assertEqual(content, (self.server.home / "content").read_bytes())
        self.assertEqual(self.server.coffer("artifact", "undelete", "no-id", check=False).returncode, 3)
        self.assertEqual(self.server.coffer("artifact", "undelete", "web/app@7", check=False).returncode, 5)
        self.server.coffer("artifact", "delete", "hand/file@1", "--yes")
        self.server.coffer("artifact", "undelete", "hand/file@1")
        self.assertEqual(self.kept("hand/file"), [1])
        self.assertEqual(self.server.coffer("artifact", "delete", "hand/file@1", check=False).returncode, 2, "asks first")

    def test_pins_and_holds_keep_what_rules_and_people_would_delete(self):
        for _ in range(5):
            self.put("hand/file", 1000)
        self.server.coffer("pin", "add", "hand/file@1", "release", "--reason", "shipped", "--for", "4w")
        self.server.coffer("pin", "add", "hand/file@2", "court", "--hold")
        self.server.coffer("retention", "set", "hand/file", "--newest", "1")
        refused = self.server.coffer("artifact", "delete", "hand/file@1", "--yes", check=False)
        self.assertEqual(refused.returncode, 6)
        self.assertIn("release", refused.stderr)
        plan = {f["name"]: f["value"] for f in self.figures("store", "gc", "--plan")}
        self.assertEqual(plan["versions retired by rules"], 2)
        self.assertEqual(self.kept("hand/file"), [5, 4, 3, 2, 1], "a plan changes nothing")
        self.server.coffer("store", "gc")
        self.assertEqual(self.kept("hand/file"), [5, 2, 1])
        self.assertIn("shipped", self.server.coffer("why", "hand/file@1").stdout)
        pins = {p["name"]: p for p in self.server.coffer_json("pin", "list")}
        self.assertEqual(pins["court"]["kind"], "hold")
        self.assertIsNone(pins["court"].get("expires"))
        self.assertIn("expires", pins["release"])
        held = self.server.coffer("pin", "remove", "hand/file@2", "court", check=False)
        self.assertEqual(held.returncode, 6)
        self.server.coffer("pin", "remove", "hand/file@2", "court", "--lift-hold")
        self.server.coffer("pin", "remove", "hand/file@1", "release")
        self.server.coffer("store", "gc")
        self.assertEqual(self.kept("hand/file"), [5])
        self.assertEqual(len(self.server.coffer_json("retention", "list")), 1)
        self.server.coffer("retention", "remove", "hand/file")
        self.assertEqual(self.server.coffer("retention", "remove", "hand/file", check=False).returncode, 5)

    def figures(self, *command):
        answer = self.server.coffer_json(*command)
        return [{"name": name, "value": value} for name, value in answer.items()]

    def test_usage_and_why_say_what_deleting_would_free(self):
        content = os.urandom(300_000)
        (self.server.home / "a").mkdir()
        (self.server.home / "a" / "shared").write_bytes(content)
        self.server.coffer("artifact", "put", "one/tree", self.server.home / "a")
        (self.server.home / "a" / "own").write_bytes(os.urandom(200_000))
        self.server.coffer("artifact", "put", "two/tree", self.server.home / "a")
        usage = {u["pipeline"]: u for u in self.server.coffer_json("store", "usage", "--by", "pipeline", "--exclusive")}
        self.assertLess(usage["one"]["exclusiveBytes"], 50_000, "what it holds, the other needs too")
        self.assertGreater(usage["two"]["exclusiveBytes"], 190_000)
        self.assertLess(usage["two"]["exclusiveBytes"], 300_000)
        answer = self.server.coffer_json("why", "two/tree@latest", "--frees")
        self.assertGreater(answer["exclusiveBytes"], 190_000)

    def test_content_is_shared_as_far_as_the_scope_says(self):
        path = self.server.home / "content"
        path.write_bytes(os.urandom(400_000))
        # Where the second of two artifacts, and the second of two pipelines, finds the first one's content.
        for scope, within, across in (("pipeline", True, False), ("artifact", False, False), ("key", True, True)):
            self.server.arguments = ["--dedup-scope", scope]
            self.server.restart()
            path.write_bytes(os.urandom(400_000))
            self.server.coffer("artifact", "put", f"{scope}/one", path)
            second = self.server.coffer_json("artifact", "put", f"{scope}/two", path)
            third = self.server.coffer_json("artifact", "put", f"{scope}-other/one", path)
            self.assertEqual(second["storedBytes"] < 100_000, within, scope)
            self.assertEqual(third["storedBytes"] < 100_000, across, scope)
            content = self.server.coffer("artifact", "cat", f"{scope}-other/one@1", text=False).stdout
            self.assertEqual(content, path.read_bytes())

    def domains(self):
        """The dedup domain of each version, by name."""
        with sqlite3.connect(f"file:{self.server.data / 'catalog.sqlite'}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT repository || '/' || artifact, domain_id FROM store_versions").fetchall()
        return dict(rows)

    def test_pipelines_and_objects_keep_to_their_scope(self):
        self.server.arguments = ["--dedup-scope", "pipeline"]
        self.server.restart()
        repository = Repository(self.server.home / "repository")
        repository.commit({"index.txt": "one\n" * 5000, "buildspec.yml": BUILDSPEC % "true"})
        for bucket in ("artifacts", "site"):
            self.server.client("s3").create_bucket(Bucket=bucket)
        self.server.coffer("repository", "add", "web", repository.path)
        for name in ("one", "two"):
            self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration(name, "web")))
            wait_until(lambda: self.server.coffer_json("approval", "list", name), "the approval to wait")
        self.server.client("s3").put_object(Bucket="site", Key="a", Body=b"object")
        found = self.domains()
        one = {domain for name, domain in found.items() if name.startswith("one/")}
        two = {domain for name, domain in found.items() if name.startswith("two/")}
        objects = {domain for name, domain in found.items() if name.startswith("s3/")}
        self.assertEqual((len(one), len(two), len(objects)), (1, 1, 1), found)
        self.assertEqual(len(one | two | objects), 3, "nobody shares with another")

    def test_reencryption_takes_versions_into_the_scope_of_the_server(self):
        path = self.server.home / "content"
        path.write_bytes(os.urandom(400_000))
        names = ["a/one", "a/two", "b/one"]
        for name in names:
            self.server.coffer("artifact", "put", name, path)
        self.assertEqual(len(set(self.domains().values())), 1)
        for scope, domains in (("artifact", 3), ("pipeline", 2), ("account", 1), ("key", 1)):
            self.server.arguments = ["--dedup-scope", scope]
            self.server.restart()
            self.server.coffer("store", "reencrypt", "--yes")
            found = self.domains()
            self.assertEqual(len(set(found.values())), domains, scope)
            # What is stored from now on finds what was taken along.
            again = self.server.coffer_json("artifact", "put", "a/one", path)
            self.assertLess(again["storedBytes"], 100_000, scope)
            for name in names:
                content = self.server.coffer("artifact", "cat", f"{name}@1", text=False).stdout
                self.assertEqual(content, path.read_bytes())
        self.assertIn("0 skipped", self.server.coffer("store", "reencrypt", "--yes").stdout)

    def test_what_an_execution_that_has_not_ended_needs_is_kept(self):
        repository = Repository(self.server.home / "repository")
        repository.commit({"index.txt": "one\n", "buildspec.yml": BUILDSPEC % "true"})
        for bucket in ("artifacts", "site"):
            self.server.client("s3").create_bucket(Bucket=bucket)
        self.server.coffer("repository", "add", "web", repository.path)
        self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration("demo", "web")))
        wait_until(lambda: self.server.coffer_json("approval", "list", "demo"), "the approval to wait")
        name = self.server.coffer_json("artifact", "list", "demo")[0]["artifact"]
        reasons = self.server.coffer("why", f"demo/{name}@1").stdout
        self.assertIn("execution 1 of demo has not ended yet", reasons)
        refused = self.server.coffer("artifact", "delete", f"demo/{name}@1", "--yes", check=False)
        self.assertEqual(refused.returncode, 6, refused.stderr)
        self.server.coffer("retention", "set", f"demo/{name}", "--age", "1s")
        self.server.coffer("store", "gc")
        self.assertEqual(self.kept(f"demo/{name}"), [1])
        self.server.coffer("approval", "approve", "demo")
        self.server.coffer("execution", "watch", "demo", "1")
        self.assertNotIn("has not ended", self.server.coffer("why", f"demo/{name}@1").stdout)


    def test_a_rule_keeps_the_newest_that_passed_a_stage(self):
        repository = Repository(self.server.home / "repository")
        for bucket in ("artifacts", "site"):
            self.server.client("s3").create_bucket(Bucket=bucket)
        repository.commit({"index.txt": "1\n", "buildspec.yml": BUILDSPEC % "true"})
        self.server.coffer("repository", "add", "web", repository.path)
        self.server.coffer("pipeline", "put", "-", input=json.dumps(declaration("demo", "web")))
        for number, answer in enumerate(("approve", "reject", "reject"), 1):
            if number > 1:
                repository.commit({"index.txt": f"{number}\n"})
                self.server.coffer("execution", "start", "demo")
            wait_until(lambda: self.server.coffer_json("approval", "list", "demo"), "the approval to wait")
            self.server.coffer("approval", answer, "demo")
            self.server.coffer("execution", "watch", "demo", str(number), check=False)
        self.assertEqual(self.kept("demo/source"), [3, 2, 1])
        self.server.coffer("retention", "set", "demo/source", "--newest", "1", "--stage", "Deploy")
        self.assertIn("passed stage Deploy", self.server.coffer("why", "demo/source@1").stdout)
        self.assertIn("nothing keeps it", self.server.coffer("why", "demo/source@2").stdout)
        self.server.coffer("store", "gc")
        self.assertEqual(self.kept("demo/source"), [3, 1])


if __name__ == "__main__":
    unittest.main()
