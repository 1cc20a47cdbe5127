"""KMS and the root key as operators use them: boto3, the aws command line, coffer root."""

import base64
import http.client
import json
import os
import subprocess
import unittest

from botocore.exceptions import ClientError
from server import Server, binary, wait_until


class KMSCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.kms = cls.server.client("kms")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def refused(self, code):
        """Expects a client error with this code."""
        return _Refused(self, code)

    def key(self, **options):
        return self.kms.create_key(**options)["KeyMetadata"]["KeyId"]

    def test_aws_cli_encrypts_and_decrypts(self):
        created = self.server.aws("kms", "create-key", "--description", "from the command line")
        key = created["KeyMetadata"]["KeyId"]
        self.server.aws("kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", key)
        plain = self.server.home / "plain"
        plain.write_bytes(b"attack at dawn")
        sealed = self.server.aws(
            "kms", "encrypt", "--key-id", "alias/cli", "--plaintext", f"fileb://{plain}", "--encryption-context", "a=b"
        )
        blob = self.server.home / "blob"
        blob.write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
        opened = self.server.aws(
            "kms", "decrypt", "--ciphertext-blob", f"fileb://{blob}", "--encryption-context", "a=b"
        )
        self.assertEqual(base64.b64decode(opened["Plaintext"]), b"attack at dawn")

    def test_every_list_operation_pages(self):
        keys = {self.key() for _ in range(5)}
        listed = {
            k["KeyId"] for page in self.kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
            for k in page["Keys"]
        }
        self.assertLessEqual(keys, listed)
        key = keys.pop()
        for number in range(5):
            self.kms.create_grant(
                KeyId=key, GranteePrincipal=f"arn:aws:iam::000000000000:role/r{number}", Operations=["Encrypt"]
            )
            self.kms.create_alias(AliasName=f"alias/page-{number}", TargetKeyId=key)
        grants = [
            g for page in self.kms.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 2})
            for g in page["Grants"]
        ]
        self.assertEqual(len({g["GrantId"] for g in grants}), 5)
        aliases = [
            a for page in self.kms.get_paginator("list_aliases").paginate(KeyId=key, PaginationConfig={"PageSize": 2})
            for a in page["Aliases"]
        ]
        self.assertEqual(len(aliases), 5)

    def test_lifecycle_and_errors(self):
        key = self.key(Tags=[{"TagKey": "team", "TagValue": "a"}])
        self.assertEqual(self.kms.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "team", "TagValue": "a"}])
        self.kms.disable_key(KeyId=key)
        with self.refused("DisabledException"):
            self.kms.encrypt(KeyId=key, Plaintext=b"x")
        self.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        with self.refused("KMSInvalidStateException"):
            self.kms.encrypt(KeyId=key, Plaintext=b"x")
        self.kms.cancel_key_deletion(KeyId=key)
        self.kms.enable_key(KeyId=key)
        self.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
        self.assertEqual(self.kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"], 180)
        self.kms.rotate_key_on_demand(KeyId=key)
        self.assertEqual(len(self.kms.list_key_rotations(KeyId=key)["Rotations"]), 1)
        policy = self.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
        self.assertEqual(self.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"], policy)
        with self.refused("NotFoundException"):
            self.kms.describe_key(KeyId="alias/nowhere")
        with self.refused("DryRunOperationException"):
            self.kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)

    def test_data_keys_and_reencryption(self):
        one, two = self.key(), self.key()
        made = self.kms.generate_data_key(KeyId=one, KeySpec="AES_256", EncryptionContext={"a": "b"})
        moved = self.kms.re_encrypt(
            CiphertextBlob=made["CiphertextBlob"], SourceEncryptionContext={"a": "b"}, DestinationKeyId=two
        )
        self.assertEqual(self.kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"], made["Plaintext"])
        with self.refused("InvalidCiphertextException"):
            self.kms.decrypt(CiphertextBlob=made["CiphertextBlob"])

    def test_signatures_verify_outside(self):
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, padding

        key = self.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        signed = self.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
        public = serialization.load_der_public_key(self.kms.get_public_key(KeyId=key)["PublicKey"])
        public.verify(signed, b"m", ec.ECDSA(hashes.SHA256()))
        key = self.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
        signed = self.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
        public = serialization.load_der_public_key(self.kms.get_public_key(KeyId=key)["PublicKey"])
        public.verify(signed, b"m", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    def test_imported_material(self):
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding

        key = self.key(Origin="EXTERNAL")
        parameters = self.kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_3072"
        )
        wrapping = serialization.load_der_public_key(parameters["PublicKey"])
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        self.kms.import_key_material(
            KeyId=key, ImportToken=parameters["ImportToken"], EncryptedKeyMaterial=wrapping.encrypt(os.urandom(32), oaep),
            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        )
        self.assertEqual(self.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Enabled")
        self.kms.encrypt(KeyId=key, Plaintext=b"x")

    def test_multi_region(self):
        key = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        there = self.server.client("kms", region="eu-west-1")
        self.assertEqual(there.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Enabled")
        sealed = self.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        self.assertEqual(there.decrypt(CiphertextBlob=sealed)["Plaintext"], b"x")

    def test_keys_survive_a_kill(self):
        with Server() as server:
            kms = server.client("kms")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            server.restart(kill=True)
            self.assertEqual(server.client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"], b"x")


class _Refused:
    def __init__(self, case, code):
        self.case, self.code = case, code

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.case.assertIsNotNone(error, f"{self.code} was expected")
        self.case.assertIsInstance(error, ClientError)
        self.case.assertEqual(error.response["Error"]["Code"], self.code)
        return True


class RootCase(unittest.TestCase):
    def coffer(self, *words, **environment):
        return subprocess.run(
            [binary(), *words], env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def post(self, server, path, document):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", path, json.dumps(document))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_sealed_start_answers_503_until_unsealed(self):
        server = Server()
        try:
            made = self.coffer("root", "init", "--data", str(server.data))
            self.assertEqual(made.returncode, 0, made.stderr)
            recovery = made.stdout.strip()
            server.start()
            kms = server.client("kms")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            self.assertEqual(self.coffer("root", "rotate", "--data", str(server.data), "--yes").returncode, 6)
            self.assertEqual(server.stop(), 0)

            (server.data / "root" / "root.key").rename(server.home / "taken.key")
            server._is_ready = lambda: server.health() is not None
            server.start()
            wait_until(lambda: "sealed" in server.log_text(), "the server to say that it is sealed")
            self.assertEqual(server.health(), 503)
            self.assertEqual(server.stop(), 0, "a sealed server stops in good order")
            server.start()
            wait_until(lambda: "starting" not in self.post(server, "/", {})[1], "the server to know that it is sealed")
            status, text = self.post(server, "/", {})
            self.assertEqual(status, 503)
            self.assertIn("sealed", text)
            for service, call in (("s3", "list_buckets"), ("sts", "get_caller_identity"), ("kms", "list_keys")):
                with self.assertRaises(ClientError) as caught:
                    getattr(server.client(service), call)()
                answer = caught.exception.response
                self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 503)
                self.assertIn("sealed", answer["Error"].get("Message", ""))
            wrong = self.coffer("root", "unseal", "--endpoint", server.endpoint, COFFER_ROOT_PASSPHRASE="not the passphrase")
            self.assertEqual(wrong.returncode, 4)
            right = self.coffer("root", "unseal", "--endpoint", server.endpoint, COFFER_ROOT_PASSPHRASE=recovery)
            self.assertEqual(right.returncode, 0, right.stderr)
            wait_until(lambda: server.health() == 200, "the server to become ready")
            self.assertEqual(server.client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"], b"x")
            again = self.coffer("root", "unseal", "--endpoint", server.endpoint, COFFER_ROOT_PASSPHRASE=recovery)
            self.assertEqual(again.returncode, 3)
            self.assertEqual(server.stop(), 0)
        finally:
            server.close()

    def test_slots_and_rotation(self):
        server = Server()
        try:
            data = str(server.data)
            recovery = self.coffer("root", "init", "--data", data).stdout.strip()
            self.assertEqual(self.coffer("root", "init", "--data", data).returncode, 6)
            added = self.coffer(
                "root", "add-slot", "passphrase", "--label", "ops", "--data", data, COFFER_NEW_PASSPHRASE="correct horse"
            )
            self.assertEqual(added.returncode, 0, added.stderr)
            status = json.loads(self.coffer("root", "status", "--data", data, "-o", "json").stdout)
            self.assertEqual([slot["label"] for slot in status["slots"]], ["unattended", "recovery", "ops"])
            rotated = self.coffer("root", "rotate", "--data", data, "--yes")
            self.assertEqual(rotated.returncode, 0, rotated.stderr)
            self.assertNotEqual(rotated.stdout.strip(), recovery)
            status = json.loads(self.coffer("root", "status", "--data", data, "-o", "json").stdout)
            self.assertEqual(status["generation"], 2)
            last = self.coffer("root", "remove-slot", "recovery", "--data", data, "--yes")
            self.assertEqual(last.returncode, 3)
            key = server.data / "root" / "root.key"
            key.chmod(0o644)
            open_key = self.coffer("root", "rotate", "--data", data, "--yes")
            self.assertEqual(open_key.returncode, 3)
            self.assertIn("mode", open_key.stderr)
        finally:
            server.close()

    def test_the_key_file_moves_to_another_volume(self):
        server = Server()
        elsewhere = server.home / "volume" / "coffer.key"
        elsewhere.parent.mkdir(mode=0o700)
        try:
            server.start()
            server.client("s3").create_bucket(Bucket="web")
            server.client("s3").put_object(Bucket="web", Key="a", Body=b"kept")
            self.assertEqual(server.stop(), 0)
            data = str(server.data)
            added = self.coffer(
                "root", "add-slot", "file", "--data", data, "--label", "elsewhere", "--source", str(elsewhere))
            self.assertEqual(added.returncode, 0, added.stderr)
            removed = self.coffer("root", "remove-slot", "--data", data, "unattended", "--yes")
            self.assertEqual(removed.returncode, 0, removed.stderr)
            (server.data / "root" / "root.key").unlink()
            self.assertEqual(elsewhere.stat().st_mode & 0o777, 0o600)
            server.start()
            body = server.client("s3").get_object(Bucket="web", Key="a")["Body"].read()
            self.assertEqual(body, b"kept")
        finally:
            server.close()


if __name__ == "__main__":
    unittest.main()
