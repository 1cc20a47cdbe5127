"""Sharing versions between accounts, Regions and pipelines of one server, and what depends on a key."""

import json
import os
import unittest

from pipelines import action
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


class KeyPolicies(SharingCase):
    def deny(self, key, *actions):
        """Lets the account do everything with a key but these."""
        denial = statement(OWNER, *actions) | {"Effect": "Deny"}
        policy = {"Version": "2012-10-17", "Statement": [statement(OWNER, "kms:*"), denial]}
        self.kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))

    def test_a_key_policy_that_denies_decrypt_ends_the_owners_reads_too(self):
        reference, key = self.publish()
        owner = self.server.environment()
        self.assert_read(reference, environment=owner)
        self.deny(key, "kms:Decrypt")
        self.assertIn("kms:Decrypt", self.assert_refused(NOT_ALLOWED, reference, environment=owner))
        target = self.server.home / "denied"
        for command in (
            ("artifact", "ls", reference), ("artifact", "get", reference, target), ("diff", reference, reference),
        ):
            result = self.server.coffer(*command, check=False)
            self.assertEqual(NOT_ALLOWED, result.returncode, f"{command}: {result.stderr}")
        # What is known without the key is told; new versions can be written and start from nothing.
        self.assertIn(
            reference.split("@")[1], [v["id"] for v in self.server.coffer_json("artifact", "list", "web/app")])
        self.server.coffer("artifact", "put", "web/app", self.tree, "--key", key)
        self.kms.put_key_policy(
            KeyId=key, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement(OWNER, "kms:*")]}))
        self.assert_read(reference, environment=owner)

    def test_a_key_policy_that_denies_data_keys_ends_the_owners_writes(self):
        _, key = self.publish()
        self.deny(key, "kms:GenerateDataKey")
        for options in ((), ("--plain",)):
            if options and "--plain" not in self.server.coffer("artifact", "put", "--help").stdout:
                continue
            result = self.server.coffer("artifact", "put", "web/no", self.tree, "--key", key, *options, check=False)
            self.assertEqual(NOT_ALLOWED, result.returncode, result.stderr)
            self.assertIn("kms:GenerateDataKey", result.stderr)
        self.assertEqual([], self.server.coffer_json("artifact", "list", "web/no"))

    def test_the_policy_sees_the_context_of_the_version(self):
        reference, key = self.publish("web/context")
        version = reference.split("@")[1]
        only = statement(OWNER, "kms:Decrypt") | {
            "Condition": {"StringEquals": {"kms:EncryptionContext:coffer:version": version}}
        }
        rest = statement(OWNER, "kms:PutKeyPolicy", "kms:GenerateDataKey", "kms:DescribeKey")
        policy = {"Version": "2012-10-17", "Statement": [only, rest]}
        self.kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
        other = self.server.coffer_json("artifact", "put", "web/context", self.tree, "--key", key)
        self.assert_read(reference, environment=self.server.environment())
        self.assert_refused(NOT_ALLOWED, f"web/context@{other['id']}", environment=self.server.environment())


class Sources(SharingCase):
    """Versions of others as the source of a pipeline."""

    def setUp(self):
        super().setUp()
        self.guest_s3 = self.server.client("s3", **self.guest_keys)
        for bucket in ("guest-artifacts", "guest-site"):
            self.guest_s3.create_bucket(Bucket=bucket)

    def declare(self, name, artifact, approval=False, environment=None, account=GUEST):
        source = action("Shared", "Source", "Coffer", {"Artifact": artifact}, outputs=["site"])
        source["actionTypeId"]["owner"] = "ThirdParty"
        stages = [{"name": "Source", "actions": [source]}]
        if approval:
            stages.append({"name": "Review", "actions": [action("Approve", "Approval", "Manual", {})]})
        deployment = {"BucketName": "guest-site", "Extract": "true", "ObjectKey": name}
        stages.append({"name": "Deploy", "actions": [action("Site", "Deploy", "S3", deployment, ["site"])]})
        declaration = self.server.home / f"{name}.json"
        declaration.write_text(json.dumps({
            "name": name, "roleArn": f"arn:aws:iam::{account}:role/p", "stages": stages,
            "artifactStore": {"type": "S3", "location": "guest-artifacts"},
        }))
        self.server.coffer("pipeline", "put", declaration, environment=environment or self.guest)

    def execute(self, name, environment=None):
        """Runs a pipeline to its end; returns the watcher's exit code and what the source action said."""
        environment = environment or self.guest
        watched = self.server.coffer(
            "execution", "start", name, "--watch", environment=environment, timeout=300, check=False)
        shown = self.server.coffer_json("execution", "show", name, "latest", environment=environment)
        return watched.returncode, json.dumps(shown)

    def deployed(self, name):
        return self.guest_s3.get_object(Bucket="guest-site", Key=f"{name}/notes.txt")["Body"].read().decode()

    def test_a_version_of_another_account_is_a_source_until_its_share_ends(self):
        for depth in ("R1", "R2", "R3"):
            for wrapped in (True, False):
                with self.subTest(depth=depth, wrapped=wrapped):
                    name = f"from-{depth.lower()}-{'wrap' if wrapped else 'grant'}"
                    reference, _ = self.publish(f"web/{name}")
                    self.declare(name, f"{OWNER}/web/{name}@latest")
                    code, said = self.execute(name)
                    self.assertEqual(7, code, said)
                    self.assertIn(f"account {OWNER} has not shared", said)
                    options = ["--key", self.guest_key()] if wrapped else []
                    share = self.share(reference, "--to", GUEST, *options)
                    code, said = self.execute(name)
                    self.assertEqual(0, code, said)
                    self.assertEqual((self.tree / "notes.txt").read_text(), self.deployed(name))
                    self.server.coffer("share", "revoke", share["id"], "--depth", depth, "--yes")
                    code, said = self.execute(name)
                    self.assertEqual(7, code, said)
                    self.assertIn(share["id"], said)
                    self.assertIn("ended", said)
                    # What the earlier execution took is its own.
                    self.assert_read(f"{name}/site@latest")

    def test_an_execution_that_has_taken_the_content_goes_on_after_the_share_ended(self):
        reference, _ = self.publish("web/running")
        share = self.share(reference, "--to", GUEST)
        self.declare("running", share["reference"], approval=True)
        pending = wait_until(
            lambda: self.server.coffer_json("approval", "list", environment=self.guest), "the approval to be asked for")
        self.assertEqual(1, len(pending))
        self.server.coffer("share", "revoke", share["id"], "--depth", "R3", "--yes")
        self.server.coffer("store", "gc")
        self.server.coffer("approval", "approve", "running", environment=self.guest)
        self.server.coffer("execution", "watch", "running", "1", environment=self.guest)
        self.assertEqual((self.tree / "notes.txt").read_text(), self.deployed("running"))
        code, said = self.execute("running")
        self.assertEqual(7, code, said)
        self.assertIn(f"share {share['id']} ended", said)

    def test_a_share_for_one_pipeline_is_no_source_of_another(self):
        reference, _ = self.publish("web/one")
        share = self.share(reference, "--to", GUEST, "--pipeline", "one")
        for name in ("one", "two"):
            self.declare(name, f"{OWNER}/web/one@latest")
        self.assertEqual(0, self.execute("one")[0])
        code, said = self.execute("two")
        self.assertEqual(7, code, said)
        self.assertIn("has not shared", said)
        self.declare("two", share["reference"])
        code, said = self.execute("two")
        self.assertEqual(7, code, said)
        self.assertIn("there is no share", said)

    def test_the_owners_key_decides_about_a_source_by_grant(self):
        reference, key = self.publish("web/granted")
        self.share(reference, "--to", GUEST)
        self.declare("granted", f"{OWNER}/web/granted@latest")
        self.assertEqual(0, self.execute("granted")[0])
        grant = self.kms.list_grants(KeyId=key)["Grants"][0]
        self.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
        code, said = self.execute("granted")
        self.assertEqual(7, code, said)
        self.assertIn("cannot be read", said)

    def test_an_artifact_of_the_account_itself_is_a_source_by_its_name(self):
        version = self.server.coffer_json("artifact", "put", "guest/app", self.tree, environment=self.guest)
        self.declare("own", "guest/app@latest")
        code, said = self.execute("own")
        self.assertEqual(0, code, said)
        self.assertIn(version["id"], said)
        self.assertEqual((self.tree / "notes.txt").read_text(), self.deployed("own"))
        self.declare("none", "guest/none@latest")
        self.assertEqual(7, self.execute("none")[0])

    def test_a_newer_shared_version_starts_the_pipeline_by_itself(self):
        first, key = self.publish("web/polled")
        self.share(first, "--to", GUEST)
        self.declare("polled", f"{OWNER}/web/polled@latest")
        self.assertEqual(0, self.execute("polled")[0])
        (self.tree / "notes.txt").write_text("newer\n")
        self.addCleanup((self.tree / "notes.txt").write_text, (self.tree / "notes.txt").read_text())
        second = self.server.coffer_json("artifact", "put", "web/polled", self.tree, "--key", key)
        self.share(f"web/polled@{second['id']}", "--to", GUEST)
        wait_until(lambda: self.deployed("polled") == "newer\n", "the newer version to be deployed")
        # The newest was taken back: nothing older takes its place.
        newest = self.server.coffer_json("share", "list", f"web/polled@{second['id']}")[0]
        self.server.coffer("share", "revoke", newest["id"], "--yes")
        self.assertEqual(7, self.execute("polled")[0])

    def test_lists_name_versions_as_commands_take_them(self):
        reference, _ = self.publish("web/named")
        share = self.share(reference, "--to", GUEST)
        listed = self.server.coffer("share", "list", "-o", "plain").stdout
        self.assertIn("web/named@1", listed)
        self.server.coffer("artifact", "ls", "web/named@1")
        received = self.server.coffer("share", "list", "--received", "-o", "plain", environment=self.guest).stdout
        self.assertIn(f"{OWNER}/web/named@1", received)
        self.assert_read(f"{OWNER}/web/named@1")
        for command in (
            ("share", "create", f"{OWNER}/web/named@1", "--to", "3" * 12),
            ("artifact", "tag", f"{OWNER}/web/named@1", "mine"),
        ):
            result = self.server.coffer(*command, environment=self.guest, check=False)
            self.assertEqual(3, result.returncode, result.stderr)
        self.server.coffer("share", "revoke", share["id"], "--yes")
        self.assert_refused(NO_KEY, f"{OWNER}/web/named@1")


class Aliases(SharingCase):
    def test_an_alias_that_is_pointed_elsewhere_does_not_split_an_execution(self):
        self.server.client("s3").create_bucket(Bucket="aliased")
        self.server.client("s3").create_bucket(Bucket="aliased-site")
        first, second = (self.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        self.kms.create_alias(AliasName="alias/artifacts", TargetKeyId=first)
        version = self.server.coffer_json("artifact", "put", "lib/base", self.tree)
        source = action("Get", "Source", "Coffer", {"Artifact": "lib/base@latest", "PollForSourceChanges": "false"},
                        outputs=["base"])
        source["actionTypeId"]["owner"] = "ThirdParty"
        build = {"commands": ["cp notes.txt copy.txt"], "outputArtifacts": [{"name": "out", "files": ["copy.txt"]}]}
        commands = action("Copy", "Compute", "Commands", {}, ["base"]) | build
        commands.pop("configuration")
        declaration = {
            "name": "aliased", "pipelineType": "V2", "roleArn": f"arn:aws:iam::{OWNER}:role/p",
            "artifactStore": {
                "type": "S3", "location": "aliased", "encryptionKey": {"id": "alias/artifacts", "type": "KMS"}},
            "stages": [
                {"name": "Source", "actions": [source]},
                {"name": "Review", "actions": [action("Approve", "Approval", "Manual", {})]},
                {"name": "Build", "actions": [commands]},
            ],
        }
        path = self.server.home / "aliased.json"
        path.write_text(json.dumps(declaration))
        self.server.coffer("pipeline", "put", path)
        for number, key in ((1, first), (2, second)):
            if number > 1:
                self.server.coffer("execution", "start", "aliased")
            wait_until(lambda: self.server.coffer_json("approval", "list"), "the approval to be asked for")
            self.kms.update_alias(AliasName="alias/artifacts", TargetKeyId=second)
            self.server.restart(kill=True)
            self.server.coffer("approval", "approve", "aliased")
            self.server.coffer("execution", "watch", "aliased", str(number))
            made = [self.server.coffer_json("artifact", "list", f"aliased/{name}")[0] for name in ("base", "out")]
            self.assertEqual([key, key], [item["keyARN"] for item in made])
        self.assertIn(version["id"], json.dumps(self.server.coffer_json("execution", "show", "aliased", "1")))


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
