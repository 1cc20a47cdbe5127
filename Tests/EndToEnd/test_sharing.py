"""Sharing versions between accounts, Regions and pipelines of one server, and what depends on a key."""

import json
import os
import unittest

from server import Repository, Server, wait_until

OWNER, GUEST = "111111111111", "222222222222"
NOT_ALLOWED, MISSING, NO_KEY = 4, 5, 12
CREDENTIALS_BUILDSPEC = """
version: 0.2
phases:
  build:
    commands:
      - env | grep ^AWS_ > credentials.txt
artifacts:
  files: [credentials.txt]
"""


def statement(account, *actions):
    return {
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": list(actions),
        "Resource": "*",
    }


class SharingCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(account=OWNER).start()
        cls.addClassCleanup(cls.server.close)
        made = cls.server.coffer_json("account", "create", GUEST)
        cls.guest_keys = {"access_key": made["accessKeyID"], "secret_key": made["secretAccessKey"]}
        cls.guest = cls.server.environment(
            AWS_ACCESS_KEY_ID=made["accessKeyID"], AWS_SECRET_ACCESS_KEY=made["secretAccessKey"])
        cls.kms = cls.server.client("kms")
        cls.guest_kms = cls.server.client("kms", **cls.guest_keys)
        cls.tree = cls.server.home / "tree"
        cls.tree.mkdir()
        (cls.tree / "notes.txt").write_text("for those it concerns\n" * 100)
        (cls.tree / "random.bin").write_bytes(os.urandom(3_000_000))

    def publish(self, name="web/app"):
        """A version under a key of its own; returns its reference and the key's ARN."""
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        version = self.server.coffer_json("artifact", "put", name, self.tree, "--key", key)
        return f"{name}@{version['id']}", key

    def guest_key(self, allow=True):
        statements = [statement(GUEST, "kms:*")]
        if allow:
            statements.append(statement(OWNER, "kms:ReEncryptTo", "kms:DescribeKey"))
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return self.guest_kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]

    def share(self, reference, *options):
        return self.server.coffer_json("share", "create", reference, *options)

    def read(self, reference, path="notes.txt", environment=None, check=False):
        return self.server.coffer(
            "artifact", "cat", f"{reference}:{path}", environment=environment or self.guest, check=check)

    def assert_read(self, reference, **options):
        result = self.read(reference, **options)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertEqual((self.tree / "notes.txt").read_text(), result.stdout)

    def assert_refused(self, code, reference, **options):
        result = self.read(reference, **options)
        self.assertEqual(code, result.returncode, result.stderr)
        self.assertEqual("", result.stdout)
        return result.stderr

    def stored(self):
        """Bytes of content on disk."""
        packs = self.server.data / "store" / "packs"
        return sum(p.stat().st_size for p in packs.rglob("*") if p.is_file())


class Accounts(SharingCase):
    def test_nothing_of_another_account_is_visible_before_a_share(self):
        reference, _ = self.publish()
        self.assert_refused(MISSING, reference)
        received = self.server.coffer_json("share", "list", "--received", environment=self.guest)
        self.assertNotIn(reference.split("@")[1], [s["version"] for s in received])
        for command in (("store", "stats"), ("store", "gc"), ("account", "list"), ("account", "create", "3" * 12)):
            result = self.server.coffer(*command, environment=self.guest, check=False)
            self.assertEqual(NOT_ALLOWED, result.returncode, f"{command}: {result.stderr}")

    def test_a_rewrapped_share_copies_nothing_and_needs_the_recipients_policy(self):
        reference, key = self.publish()
        closed = self.guest_key(allow=False)
        refused = self.server.coffer(
            "share", "create", reference, "--to", GUEST, "--key", closed, check=False)
        self.assertEqual(NOT_ALLOWED, refused.returncode, refused.stderr)
        self.assertIn("kms:ReEncryptTo", refused.stderr)
        self.assertIn(closed, refused.stderr)
        before = self.stored()
        share = self.share(reference, "--to", GUEST, "--key", self.guest_key(), "--purpose", "a look")
        self.assertEqual(before, self.stored())
        self.assertEqual("rewrap", share["mechanism"])
        self.assert_read(share["reference"])
        target = self.server.home / f"got-{share['id']}"
        self.server.coffer("artifact", "get", share["reference"], target, environment=self.guest)
        self.assertEqual((self.tree / "random.bin").read_bytes(), (target / "random.bin").read_bytes())
        listed = self.server.coffer_json("artifact", "ls", share["reference"], environment=self.guest)
        self.assertEqual(["notes.txt", "random.bin"], sorted(e["path"] for e in listed))
        self.assertEqual(before, self.stored())
        self.assertIn("a look", self.server.coffer("why", reference).stdout)
        received = self.server.coffer_json("share", "list", "--received", environment=self.guest)
        self.assertIn(share["id"], [s["id"] for s in received])
        # The recipient's key decides from now on.
        self.kms.disable_key(KeyId=key)
        self.assert_read(share["reference"])
        self.assert_refused(NO_KEY, reference, environment=self.server.environment())
        self.guest_kms.disable_key(KeyId=share["keyARN"])
        self.assert_refused(NO_KEY, share["reference"])

    def test_each_depth_of_revocation_ends_it_and_leaves_the_owner_as_before(self):
        for depth in ("R1", "R2", "R3"):
            for wrapped in (True, False):
                with self.subTest(depth=depth, wrapped=wrapped):
                    reference, _ = self.publish()
                    options = ["--key", self.guest_key()] if wrapped else []
                    share = self.share(reference, "--to", GUEST, *options)
                    self.assertEqual("rewrap" if wrapped else "grant", share["mechanism"])
                    self.assert_read(share["reference"])
                    self.server.coffer("share", "revoke", share["reference"], "--depth", depth, "--yes")
                    self.assert_refused(NO_KEY, share["reference"])
                    self.server.restart(kill=True)
                    self.assert_refused(NO_KEY, share["reference"])
                    self.assert_read(reference, environment=self.server.environment())
                    ended = self.server.coffer_json("share", "list", reference, "--all")
                    self.assertEqual([int(depth[1])], [s["depth"] for s in ended])
                    self.assertEqual([], self.server.coffer_json("share", "list", reference))

    def test_a_share_by_grant_shows_in_kms_and_ends_with_the_grant(self):
        reference, key = self.publish()
        share = self.share(reference, "--to", GUEST)
        grant = self.kms.list_grants(KeyId=key)["Grants"][0]
        self.assertEqual(share["grantID"], grant["GrantId"])
        self.assertEqual(["Decrypt"], grant["Operations"])
        self.assert_read(share["reference"])
        self.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
        self.assert_refused(NOT_ALLOWED, share["reference"])

    def test_a_share_ends_by_itself(self):
        reference, _ = self.publish()
        share = self.share(reference, "--to", GUEST, "--key", self.guest_key(), "--expires", "3s")
        self.assert_read(share["reference"])
        wait_until(lambda: self.read(share["reference"]).returncode == NO_KEY, "the share to end")
        listed = self.server.coffer_json("share", "list", reference, "--all")
        self.assertIn(listed[0]["state"], ("expired", "revoked"))

    def test_what_is_shared_can_be_compared_but_not_changed_or_passed_on(self):
        reference, _ = self.publish()
        share = self.share(reference, "--to", GUEST)
        same = self.server.coffer("diff", share["reference"], share["reference"], environment=self.guest)
        self.assertEqual(0, same.returncode)
        for command in (
            ("share", "create", share["reference"], "--to", "3" * 12),
            ("artifact", "tag", share["reference"], "mine"),
        ):
            result = self.server.coffer(*command, environment=self.guest, check=False)
            self.assertEqual(3, result.returncode, result.stderr)
        for command in (("share", "revoke", share["id"], "--yes"),):
            result = self.server.coffer(*command, environment=self.guest, check=False)
            self.assertEqual(MISSING, result.returncode, result.stderr)
        # It is for one account in one Region.
        elsewhere = self.server.coffer(
            "artifact", "cat", f"{share['reference']}:notes.txt", "--region", "eu-west-1", environment=self.guest,
            check=False)
        self.assertEqual(MISSING, elsewhere.returncode, elsewhere.stderr)
        self.assert_refused(MISSING, share["reference"], environment=self.server.environment())

    def test_a_version_under_the_default_key_needs_a_key_of_the_recipients(self):
        version = self.server.coffer_json("artifact", "put", "web/default", self.tree)
        reference = f"web/default@{version['id']}"
        refused = self.server.coffer("share", "create", reference, "--to", GUEST, check=False)
        self.assertEqual(3, refused.returncode, refused.stderr)
        self.assertIn("name a key of theirs", refused.stderr)
        share = self.share(reference, "--to", GUEST, "--key", self.guest_key())
        self.assert_read(share["reference"])

    def test_another_region_of_the_same_account(self):
        reference, key = self.publish()
        share = self.share(reference, "--to", f"{OWNER}/eu-west-1")
        self.assertEqual("rewrap", share["mechanism"])
        self.kms.disable_key(KeyId=key)
        there = self.server.coffer(
            "artifact", "cat", f"{share['reference']}:notes.txt", "--region", "eu-west-1")
        self.assertEqual((self.tree / "notes.txt").read_text(), there.stdout)

    def test_a_deletion_preview_lists_what_would_become_unreadable(self):
        reference, key = self.publish()
        survives = self.share(reference, "--to", GUEST, "--key", self.guest_key())
        dies = self.share(reference, "--to", GUEST)
        result = self.server.coffer("key", "deletion-preview", key, "-o", "json", check=False)
        self.assertEqual(1, result.returncode, result.stderr)
        preview = json.loads(result.stdout)
        self.assertEqual(1, preview["versionCount"])
        self.assertEqual([reference.split("@")[1]], [v["id"] for v in preview["versions"]])
        self.assertEqual([dies["id"]], [s["id"] for s in preview["shares"]])
        self.assertEqual([survives["id"]], [s["id"] for s in preview["survivingShares"]])
        self.assertEqual({f"share/{dies['id']}", f"share/{survives['id']}"}, {p["name"] for p in preview["pins"]})
        unused = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.server.coffer("key", "deletion-preview", unused)
        foreign = self.server.coffer("key", "deletion-preview", key, environment=self.guest, check=False)
        self.assertEqual(MISSING, foreign.returncode, foreign.stderr)


class Pipelines(SharingCase):
    def pipeline(self, name, repository, project):
        def action(label, category, provider, configuration, inputs, outputs):
            return {
                "name": label,
                "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
                "configuration": configuration,
                "inputArtifacts": [{"name": n} for n in inputs],
                "outputArtifacts": [{"name": n} for n in outputs],
            }

        source = {"RepositoryName": repository, "BranchName": "main", "PollForSourceChanges": "false"}
        return {
            "name": name, "roleArn": f"arn:aws:iam::{OWNER}:role/p",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [
                {"name": "Source", "actions": [action("Fetch", "Source", "CodeCommit", source, [], ["source"])]},
                {"name": "Build",
                 "actions": [action("B", "Build", "CodeBuild", {"ProjectName": project}, ["source"], ["out"])]},
            ],
        }

    def test_a_share_for_a_pipeline_is_for_its_jobs_and_for_no_others(self):
        self.server.client("s3").create_bucket(Bucket="artifacts")
        repository = Repository(self.server.home / "repository")
        repository.commit({"buildspec.yml": CREDENTIALS_BUILDSPEC})
        self.server.coffer("repository", "add", "code", repository.path)
        reference, key = self.publish()
        share = self.share(reference, "--pipeline", "reader")
        self.assertEqual("policy", share["mechanism"])
        credentials = {}
        for name in ("reader", "other"):
            declaration = self.server.home / f"{name}.json"
            declaration.write_text(json.dumps(self.pipeline(name, "code", "envs")))
            self.server.coffer("pipeline", "put", declaration)
            self.server.coffer("execution", "start", name, "--watch", timeout=300)
            text = self.server.coffer("artifact", "cat", f"{name}/out@latest:credentials.txt").stdout
            credentials[name] = dict(line.split("=", 1) for line in text.splitlines())
        reader = self.server.environment(**{k: v for k, v in credentials["reader"].items() if k.startswith("AWS_")})
        other = self.server.environment(**{k: v for k, v in credentials["other"].items() if k.startswith("AWS_")})
        self.assert_read(share["reference"], environment=reader)
        self.assert_refused(NOT_ALLOWED, share["reference"], environment=other)
        # The jobs can neither read the version by its own name nor share it.
        self.assert_refused(NOT_ALLOWED, reference, environment=reader)
        tried = self.server.coffer("share", "create", reference, "--pipeline", "x", environment=reader, check=False)
        self.assertEqual(NOT_ALLOWED, tried.returncode, tried.stderr)
        preview = json.loads(self.server.coffer("key", "deletion-preview", key, "-o", "json", check=False).stdout)
        self.assertEqual([share["id"]], [s["id"] for s in preview["shares"]])
        managed = json.loads(
            self.server.coffer("key", "deletion-preview", "alias/aws/s3", "-o", "json", check=False).stdout)
        self.assertEqual({"reader", "other"}, {p["pipeline"] for p in managed["pipelines"]})
        self.assertTrue(all(p["writes"] and p["stages"] == ["Source", "Build"] for p in managed["pipelines"]))
        self.server.coffer("share", "revoke", share["id"], "--yes")
        self.assert_refused(NO_KEY, share["reference"], environment=reader)


class Dumps(unittest.TestCase):
    def test_a_crash_leaves_no_core_and_secrets_stay_out_of_swap(self):
        with Server() as server:
            process = f"/proc/{server.process.pid}"
            with open(f"{process}/limits") as file:
                limits = file.read()
            core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            self.assertEqual(["0", "0"], core.split()[4:6])
            with open(f"{process}/smaps") as file:
                flags = [line.split()[1:] for line in file if line.startswith("VmFlags:")]
            # Secrets lie in mappings that are locked and left out of dumps.
            self.assertTrue(any({"dd", "lo"} <= set(f) for f in flags), "no locked mapping")


if __name__ == "__main__":
    unittest.main()
