"""The coffer command line against a real server: a pipeline from git to S3, failures, crashes, and what is kept where."""

import datetime
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time
import unittest

from pipelines import BUILDSPEC, action, declaration
from server import Repository, Server, binary, wait_until

class CommandLine(unittest.TestCase):
    """One server for the tests that leave it as they found it."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.repository = Repository(cls.server.home / "repository")
        cls.first_commit = cls.repository.commit({"index.txt": "one\n", "buildspec.yml": BUILDSPEC % "true"})
        cls.server.client("s3").create_bucket(Bucket="artifacts")
        cls.server.client("s3").create_bucket(Bucket="site")
        cls.server.coffer("repository", "add", "web", cls.repository.path)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def put(self, pipeline):
        return self.server.coffer("pipeline", "put", "-", input=json.dumps(pipeline))

    def wait_for_approval(self, pipeline):
        return wait_until(lambda: self.server.coffer_json("approval", "list", pipeline), "an approval to wait")[0]

    # Signing in

    def test_it_is_ready_quickly_and_says_where(self):
        self.assertLess(self.server.start_seconds, 10)
        self.assertIn(f"ready at {self.server.endpoint}", self.server.log_text())

    def test_env_leads_aws_tools_to_the_server(self):
        exports = self.server.coffer("env", "--data", self.server.data).stdout
        environment = self.server.environment(
            AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_ENDPOINT_URL=None, AWS_DEFAULT_REGION=None
        )
        script = exports + "aws sts get-caller-identity --output text --query Account"
        result = self.server.run("sh", "-c", script, environment=environment)
        self.assertEqual(result.stdout.strip(), "000000000000")

    def test_the_access_key_is_for_its_owner_alone(self):
        mode = stat.S_IMODE(os.stat(self.server.data / "credentials").st_mode)
        self.assertEqual(mode, 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.server.data).st_mode), 0o700)

    def test_a_data_directory_alone_is_enough_to_ask(self):
        environment = self.server.environment(
            AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_ENDPOINT_URL=None
        )
        result = self.server.coffer("repository", "list", "--data", self.server.data, environment=environment)
        self.assertIn("web", result.stdout)

    def test_a_wrong_secret_is_refused_with_4(self):
        environment = self.server.environment(AWS_SECRET_ACCESS_KEY="0" * 40)
        result = self.server.coffer("pipeline", "list", environment=environment, check=False)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertNotIn("0" * 40, result.stderr)

    def test_an_unknown_key_is_refused_with_4(self):
        environment = self.server.environment(AWS_ACCESS_KEY_ID="AKIAUNKNOWNUNKNOWN22")
        self.assertEqual(self.server.coffer("pipeline", "list", environment=environment, check=False).returncode, 4)

    def test_a_clock_that_is_wrong_is_refused_by_every_service(self):
        import botocore.auth
        from botocore.exceptions import ClientError

        real = datetime.datetime

        class Skewed(real):
            @classmethod
            def utcnow(cls):
                return real.utcnow() - datetime.timedelta(minutes=20)

            @classmethod
            def now(cls, tz=None):
                return real.now(tz) - datetime.timedelta(minutes=20)

        module = botocore.auth
        saved = {name: getattr(module, name) for name in ("datetime", "get_current_datetime") if hasattr(module, name)}
        try:
            if "get_current_datetime" in saved:
                module.get_current_datetime = lambda *a, **k: saved["get_current_datetime"](*a, **k) - datetime.timedelta(
                    minutes=20
                )
            else:
                module.datetime.datetime = Skewed
            with self.assertRaises(ClientError) as caught:
                self.server.client("s3").list_buckets()
            self.assertEqual(caught.exception.response["Error"]["Code"], "RequestTimeTooSkewed")
            with self.assertRaises(ClientError) as caught:
                self.server.client("codepipeline").list_pipelines()
            self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidSignatureException")
        finally:
            for name, value in saved.items():
                setattr(module, name, value)

    def test_a_second_server_cannot_have_the_same_directory(self):
        command = [binary(), "serve", "--data", self.server.data, "--listen", "127.0.0.1:0"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 6)
        self.assertIn("in use", result.stderr)

    def test_a_server_that_is_not_there_is_10(self):
        result = self.server.coffer("pipeline", "list", "--endpoint", "http://127.0.0.1:9", check=False)
        self.assertEqual(result.returncode, 10)

    def test_wrong_usage_is_2(self):
        for arguments in (["bogus"], ["artifact", "ls"], ["serve"], ["diff", "a"]):
            self.assertEqual(self.server.coffer(*arguments, check=False).returncode, 2, arguments)

    def test_what_is_not_there_is_5(self):
        for arguments in (
            ["pipeline", "show", "nothing"],
            ["execution", "show", "nothing"],
            ["artifact", "ls", "nothing/app@latest"],
        ):
            result = self.server.coffer(*arguments, check=False)
            self.assertEqual(result.returncode, 5, (arguments, result.stderr))

    def test_doctor_finds_the_machine_fit(self):
        findings = {f["subject"]: f for f in self.server.coffer_json("doctor", check=False)}
        for subject in ("git", "disk", "store", "clock", "open files"):
            self.assertNotEqual(findings[subject]["verdict"], "failed", findings[subject])

    def test_the_server_raises_its_limit_on_open_files(self):
        limits = (pathlib.Path("/proc") / str(self.server.process.pid) / "limits").read_text()
        soft, hard = re.search(r"Max open files +(\w+) +(\w+)", limits).groups()
        self.assertGreaterEqual(int(soft), 65_536 if hard == "unlimited" else min(65_536, int(hard)))

    # Declarations

    def test_validate_names_what_is_wrong(self):
        wrong = declaration("wrong", "web")
        wrong["stages"][1]["actions"][0]["inputArtifacts"] = [{"name": "nowhere"}]
        path = self.server.home / "wrong.json"
        path.write_text(json.dumps(wrong))
        result = self.server.coffer("pipeline", "validate", path, check=False)
        self.assertEqual(result.returncode, 3)
        self.assertIn("nowhere", result.stdout)
        path.write_text(json.dumps(declaration("right", "web")))
        self.assertEqual(self.server.coffer("pipeline", "validate", path).returncode, 0)

    # A pipeline

    def test_a_pipeline_from_git_to_s3(self):
        commit = self.repository.git("rev-parse", "HEAD")
        self.put(declaration("demo", "web"))
        self.server.coffer("execution", "watch", "demo", "1", "--until", "Review")
        approval = self.wait_for_approval("demo")
        self.assertEqual(approval["customData"], "Look")
        self.server.coffer("approval", "approve", "demo", "--summary", "fine")
        watched = self.server.coffer("execution", "watch", "demo", "1", "-o", "jsonl")
        states = [json.loads(line) for line in watched.stdout.splitlines()]
        self.assertEqual(states[-1]["execution"]["status"], "Succeeded")
        self.assertEqual(states[-1]["execution"]["revision"], commit)
        body = self.server.client("s3").get_object(Bucket="site", Key="index.txt")["Body"].read()
        self.assertEqual(body, b"one\n")

        # What is in the artifacts, by every name.
        execution = states[-1]["execution"]["id"]
        for which in ("latest", "1", execution, "Build", "Deploy"):
            cat = self.server.coffer("artifact", "cat", f"demo/site@{which}:index.txt")
            self.assertEqual(cat.stdout, "one\n", which)
        listed = self.server.coffer_json("artifact", "list", "demo/site")
        self.assertEqual(listed[0]["execution"], execution)
        digest = listed[0]["contentID"]
        self.assertEqual(
            self.server.coffer("artifact", "cat", f"demo/site@sha256:{digest[:12]}:index.txt").stdout, "one\n"
        )
        entries = self.server.coffer_json("artifact", "ls", "demo/source@1")
        self.assertIn("buildspec.yml", [e["path"] for e in entries])
        logs = self.server.coffer("execution", "logs", "demo", "1", "-o", "plain").stdout
        self.assertIn(f"building {commit}", logs)

        # A second execution, what it changed, and a tag.
        self.repository.commit({"index.txt": "two\n", "new.txt": "x"})
        started = self.server.coffer_json("execution", "start", "demo")
        self.assertEqual(started["number"], 2)
        self.server.coffer("execution", "watch", "demo", "--until", "Review")
        self.wait_for_approval("demo")
        self.server.coffer("approval", "approve", "demo")
        self.server.coffer("execution", "watch", "demo")
        same = self.server.coffer("diff", "demo/site@1", "demo/site@1")
        self.assertEqual(same.returncode, 0)
        differs = self.server.coffer("diff", "demo/site@1", "demo/site@2", check=False)
        self.assertEqual(differs.returncode, 1, differs.stderr)
        self.assertIn("index.txt", differs.stdout)
        patch = self.server.coffer("diff", "--patch", "demo/source@1", "demo/source@2", check=False).stdout
        self.assertIn("-one", patch)
        self.assertIn("+two", patch)
        self.server.coffer("artifact", "tag", "demo/site@1", "golden")
        self.assertEqual(self.server.coffer("artifact", "cat", "demo/site@golden:index.txt").stdout, "one\n")
        numbers = [e["number"] for e in self.server.coffer_json("execution", "list", "demo")]
        self.assertEqual(numbers, [2, 1])
        self.repository.git("reset", "--quiet", "--hard", commit)

    def test_a_rejected_execution_is_8(self):
        self.put(declaration("rejected", "web"))
        self.wait_for_approval("rejected")
        self.server.coffer("approval", "reject", "rejected", "--summary", "not like this")
        result = self.server.coffer("execution", "watch", "rejected", check=False)
        self.assertEqual(result.returncode, 8, result.stdout)

    def test_watching_has_a_time_limit(self):
        self.put(declaration("patient", "web"))
        self.wait_for_approval("patient")
        result = self.server.coffer("execution", "watch", "patient", "--timeout", "0.5", check=False)
        self.assertEqual(result.returncode, 9)
        self.server.coffer("execution", "stop", "patient", "--abandon", "--reason", "enough")
        result = self.server.coffer("execution", "watch", "patient", check=False)
        self.assertEqual(result.returncode, 8, result.stdout)

    def test_a_branch_that_is_missing_fails_the_source(self):
        wrong = declaration("branchless", "web")
        wrong["stages"][0]["actions"][0]["configuration"]["BranchName"] = "nowhere"
        self.put(wrong)
        result = self.server.coffer("execution", "watch", "branchless", check=False)
        self.assertEqual(result.returncode, 7)
        self.assertIn("nowhere", result.stdout)

    def test_a_build_that_fails_can_be_retried(self):
        buildspec = self.server.home / "fails.yml"
        flag = self.server.home / "flag"
        buildspec.write_text(BUILDSPEC % "echo about to fail >&2 && false")
        self.server.coffer("project", "put", "shaky", "--buildspec", buildspec)
        self.put(declaration("shaky", "web", project="shaky", approval=False))
        result = self.server.coffer("execution", "watch", "shaky", check=False)
        self.assertEqual(result.returncode, 7)
        self.assertIn("Build/Site", result.stdout)
        self.assertIn("about to fail", self.server.coffer("execution", "logs", "shaky").stdout)
        buildspec.write_text(BUILDSPEC % "true")
        self.server.coffer("project", "put", "shaky", "--buildspec", buildspec)
        self.server.coffer("execution", "retry", "shaky")
        self.server.coffer("execution", "watch", "shaky")
        self.assertFalse(flag.exists())

    # Artifacts by hand

    def test_a_directory_goes_in_and_comes_out_as_it_was(self):
        tree = self.server.home / "tree"
        (tree / "bin").mkdir(parents=True)
        (tree / "empty").mkdir()
        (tree / "bin" / "run").write_text("#!/bin/sh\n")
        (tree / "bin" / "run").chmod(0o755)
        (tree / "large").write_bytes(os.urandom(3 << 20))
        (tree / "link").symlink_to("bin/run")
        put = self.server.coffer_json("artifact", "put", "hand/tree", tree, "--tag", "first")
        self.assertEqual(put["kind"], "tree")
        again = self.server.coffer_json("artifact", "put", "hand/tree", tree)
        self.assertEqual(again["contentID"], put["contentID"])
        self.assertLess(again["storedBytes"], 64 << 10)
        out = self.server.home / "tree-out"
        self.server.coffer("artifact", "get", "hand/tree@first", out)
        self.assertEqual((out / "large").read_bytes(), (tree / "large").read_bytes())
        self.assertEqual(os.readlink(out / "link"), "bin/run")
        self.assertTrue(os.access(out / "bin" / "run", os.X_OK))
        self.assertTrue((out / "empty").is_dir())
        self.assertEqual(self.server.coffer("diff", "hand/tree@1", "hand/tree@2").returncode, 0)
        taken = self.server.coffer("artifact", "get", "hand/tree@first", out, check=False)
        self.assertEqual(taken.returncode, 6)

    def test_bytes_from_standard_input_are_kept_as_they_are(self):
        content = os.urandom(1 << 20)
        self.server.coffer("artifact", "put", "hand/bytes", "-", input=content, text=False)
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/bytes@latest", text=False).stdout, content)

    def test_a_directory_is_updated_to_another_version(self):
        home = self.server.home / "update"
        (home / "in" / "deep").mkdir(parents=True)
        (home / "in" / "same").write_bytes(os.urandom(300_000))
        (home / "in" / "deep" / "changed").write_text("one")
        (home / "in" / "gone").write_text("gone")
        self.server.coffer("artifact", "put", "hand/update", home / "in")
        self.server.coffer("artifact", "get", "hand/update@1", home / "out", "--update")
        (home / "in" / "deep" / "changed").write_text("two")
        (home / "in" / "gone").unlink()
        os.symlink("same", home / "in" / "link")
        (home / "in" / "same").chmod(0o755)
        self.server.coffer("artifact", "put", "hand/update", home / "in")
        before = (home / "out" / "same").stat().st_ino
        asked = self.server.coffer("artifact", "get", "hand/update@2", home / "out", "--update", check=False)
        self.assertEqual(asked.returncode, 2, "removes nothing unasked")
        done = self.server.coffer("artifact", "get", "hand/update@2", home / "out", "--update", "--yes")
        self.assertIn("1 files fetched", done.stderr)
        self.assertEqual((home / "out" / "same").stat().st_ino, before, "what is equal stays")
        self.assertEqual((home / "out" / "same").stat().st_mode & 0o777, 0o755)
        self.assertEqual((home / "out" / "deep" / "changed").read_text(), "two")
        self.assertEqual(os.readlink(home / "out" / "link"), "same")
        self.assertFalse((home / "out" / "gone").exists())
        again = self.server.coffer("artifact", "get", "hand/update@2", home / "out", "--update")
        self.assertIn("0 files fetched", again.stderr)

    def test_a_zip_can_be_looked_into(self):
        import zipfile

        path = self.server.home / "app.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("lib/version.txt", "1.2.3")
        self.server.coffer("artifact", "put", "hand/zip", path)
        self.assertEqual(self.server.coffer("artifact", "cat", "hand/zip@latest:lib/version.txt").stdout, "1.2.3")
        (self.server.home / "outer").mkdir()
        path.rename(self.server.home / "outer" / "app.zip")
        self.server.coffer("artifact", "put", "hand/outer", self.server.home / "outer")
        inner = self.server.coffer("artifact", "cat", "hand/outer@latest:app.zip!lib/version.txt")
        self.assertEqual(inner.stdout, "1.2.3")

    # Output

    def test_output_goes_where_it_belongs(self):
        result = self.server.coffer("repository", "list", "-o", "plain")
        self.assertIn(f"web\t{self.repository.path}\n", result.stdout)
        self.assertEqual(result.stderr, "")
        self.assertNotIn("\x1b", self.server.coffer("repository", "list", "-o", "table").stdout)
        line = self.server.coffer("repository", "list", "-o", "jsonl").stdout.splitlines()[0]
        self.assertEqual(json.loads(line)["name"], "web")


class Upkeep(unittest.TestCase):
    """Figures, collection, and what happens when stored bytes change."""

    def test_the_store_counts_collects_and_finds_damage(self):
        with Server() as server:
            content = os.urandom(2 << 20)
            path = server.home / "content"
            path.write_bytes(content)
            server.coffer("artifact", "put", "hand/file", path)
            again = server.coffer_json("artifact", "put", "hand/file", path)
            self.assertLess(again["storedBytes"], 128 << 10)
            stats = server.coffer_json("store", "stats")
            self.assertEqual(stats["versions"], 2)
            self.assertIn(stats["compresses with"], ("igzip", "zlib"))
            self.assertGreater(stats["logical bytes"], 2 * len(content) - 1)
            self.assertEqual(server.coffer_json("store", "usage")[0]["versions"], 2)
            self.assertEqual(server.coffer_json("store", "gc")["bytes freed"], 0)
            self.assertEqual(server.coffer("store", "scrub").returncode, 0)
            self.assertIn("no-rule", server.coffer("why", "hand/file@1").stdout)

            held = server.coffer("store", "check", "--data", server.data, check=False)
            self.assertEqual(held.returncode, 6, held.stderr)
            server.stop()
            checked = server.coffer("store", "check", "--data", server.data, "--rebuild-index")
            self.assertEqual(checked.returncode, 0)

            packs = [p for p in (server.data / "store" / "packs").rglob("*") if p.is_file()]
            largest = max(packs, key=lambda p: p.stat().st_size)
            with open(largest, "r+b") as pack:
                pack.seek(largest.stat().st_size // 2)
                byte = pack.read(1)
                pack.seek(-1, os.SEEK_CUR)
                pack.write(bytes([byte[0] ^ 1]))
            checked = server.coffer("store", "check", "--data", server.data, check=False)
            self.assertEqual(checked.returncode, 11, checked.stdout + checked.stderr)
            self.assertIn("hand/file@1", checked.stderr)
            server.start()
            read = server.coffer("artifact", "cat", "hand/file@1", check=False, text=False)
            self.assertEqual(read.returncode, 11, read.stderr)
            self.assertTrue(content.startswith(read.stdout))
            self.assertLess(len(read.stdout), len(content))

            # A new push of the content heals it.
            server.coffer("artifact", "put", "hand/file", path)
            self.assertEqual(server.coffer("artifact", "cat", "hand/file@1", text=False).stdout, content)

    def test_a_disabled_key_is_12_and_comes_back(self):
        with Server() as server:
            kms = server.client("kms")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            path = server.home / "content"
            path.write_text("sealed under a key of its own\n")
            server.coffer("artifact", "put", "hand/file", path, "--key", key)
            kms.disable_key(KeyId=key)
            refused = server.coffer("artifact", "cat", "hand/file@1", check=False)
            self.assertEqual(refused.returncode, 12, refused.stderr)
            kms.enable_key(KeyId=key)
            self.assertEqual(server.coffer("artifact", "cat", "hand/file@1").stdout, path.read_text())


class Secrets(unittest.TestCase):
    """What is secret is nowhere in the data directory in the clear."""

    def test_no_secret_and_no_content_lies_in_the_data_directory(self):
        marker = "plaintext-" + os.urandom(8).hex()
        environment = [{"name": "TOKEN", "value": "token-" + os.urandom(8).hex(), "type": "PLAINTEXT"}]
        with Server() as server:
            repository = Repository(server.home / "repository")
            spec = BUILDSPEC % "echo log-$TOKEN | sha256sum"
            repository.commit({"index.txt": marker * 10, "buildspec.yml": spec})
            server.client("s3").create_bucket(Bucket="artifacts")
            server.client("s3").create_bucket(Bucket="site")
            server.coffer("repository", "add", "web", repository.path)
            pipeline = declaration("demo", "web", approval=False)
            server.coffer("pipeline", "put", "-", input=json.dumps(pipeline))
            server.coffer("execution", "watch", "demo", "1")
            secret = server.client("sts").get_session_token()["Credentials"]["SecretAccessKey"]
            wanted = [marker.encode(), secret.encode()]
            for directory, _, names in os.walk(server.data):
                for name in names:
                    path = pathlib.Path(directory) / name
                    bytes = path.read_bytes() if path.is_file() else b""
                    for text in wanted:
                        self.assertNotIn(text, bytes, path)
                    if path != server.data / "credentials":
                        self.assertNotIn(server.secret_key.encode(), bytes, path)
            self.assertEqual(list((server.data / "work").glob("*/*")), [])
            del environment


if __name__ == "__main__":
    unittest.main()
