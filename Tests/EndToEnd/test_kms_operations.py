"""Every operation of the KMS model through the unmodified aws command line: operation, arguments, asserted outcome."""

import base64
import itertools
import json
import os
import unittest

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, hmac, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from server import Server

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"


class Operations(unittest.TestCase):
    """One test an operation, named after it; the last test counts them."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.kms = cls.server.client("kms")
        cls.numbers = itertools.count()
        cls.symmetric = cls.kms.create_key()["KeyMetadata"]["Arn"]

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    # What rows are made of.

    def aws(self, operation, *arguments):
        """`aws kms OPERATION …`; its JSON answer, {} where it has none."""
        return self.server.aws("kms", operation, *arguments) or {}

    def refused(self, code, operation, *arguments):
        result = self.server.aws("kms", operation, *arguments, check=False)
        self.assertNotEqual(result.returncode, 0, result.stdout)
        self.assertIn(f"({code})", result.stderr)

    def key(self, **options):
        return self.kms.create_key(**options)["KeyMetadata"]["KeyId"]

    def state(self, key):
        return self.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]

    def blob(self, content):
        """A file of bytes, as the command line takes them."""
        path = self.server.home / f"blob-{next(self.numbers)}"
        path.write_bytes(content)
        return f"fileb://{path}"

    def sealed(self, key, plaintext=b"secret", **options):
        return self.kms.encrypt(KeyId=key, Plaintext=plaintext, **options)["CiphertextBlob"]

    def opened(self, text, **options):
        return self.kms.decrypt(CiphertextBlob=base64.b64decode(text), **options)["Plaintext"]

    def external(self):
        """A key without material, and its material sealed for import."""
        key = self.key(Origin="EXTERNAL")
        parameters = self.kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        wrapping = serialization.load_der_public_key(parameters["PublicKey"])
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        return key, parameters["ImportToken"], wrapping.encrypt(os.urandom(32), oaep)

    def granted(self, **options):
        options = {"GranteePrincipal": ROLE, "Operations": ["Encrypt"]} | options
        return self.kms.create_grant(KeyId=self.symmetric, **options)

    # Keys.

    def test_create_key(self):
        made = self.aws("create-key", "--description", "d", "--tags", "TagKey=t,TagValue=v")["KeyMetadata"]
        self.assertEqual(
            (made["KeyState"], made["KeySpec"], made["KeyUsage"], made["Origin"], made["Description"]),
            ("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "d"),
        )
        for spec in ("RSA_3072", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"):
            made = self.aws("create-key", "--key-spec", spec, "--key-usage", "SIGN_VERIFY")["KeyMetadata"]
            self.assertEqual(made["KeySpec"], spec)

    def test_describe_key(self):
        self.assertEqual(self.aws("describe-key", "--key-id", self.symmetric)["KeyMetadata"]["Arn"], self.symmetric)
        managed = self.aws("describe-key", "--key-id", "alias/aws/s3")["KeyMetadata"]
        self.assertEqual(managed["KeyManager"], "AWS")

    def test_list_keys(self):
        self.assertIn(self.symmetric, [key["KeyArn"] for key in self.aws("list-keys")["Keys"]])

    def test_disable_key(self):
        key = self.key()
        self.aws("disable-key", "--key-id", key)
        self.assertEqual(self.state(key), "Disabled")
        self.refused("DisabledException", "encrypt", "--key-id", key, "--plaintext", self.blob(b"x"))

    def test_enable_key(self):
        key = self.key()
        self.kms.disable_key(KeyId=key)
        self.aws("enable-key", "--key-id", key)
        self.assertEqual(self.state(key), "Enabled")

    def test_schedule_key_deletion(self):
        key = self.key()
        answer = self.aws("schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
        self.assertEqual((answer["KeyState"], answer["PendingWindowInDays"]), ("PendingDeletion", 7))

    def test_cancel_key_deletion(self):
        key = self.key()
        self.kms.schedule_key_deletion(KeyId=key)
        self.assertTrue(self.aws("cancel-key-deletion", "--key-id", key)["KeyId"].endswith(key))
        self.assertEqual(self.state(key), "Disabled")

    def test_update_key_description(self):
        key = self.key()
        self.aws("update-key-description", "--key-id", key, "--description", "after")
        self.assertEqual(self.kms.describe_key(KeyId=key)["KeyMetadata"]["Description"], "after")

    def test_tag_resource(self):
        key = self.key()
        self.aws("tag-resource", "--key-id", key, "--tags", "TagKey=a,TagValue=1")
        self.assertEqual(self.kms.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "a", "TagValue": "1"}])

    def test_untag_resource(self):
        key = self.key(Tags=[{"TagKey": "a", "TagValue": "1"}])
        self.aws("untag-resource", "--key-id", key, "--tag-keys", "a", "absent")
        self.assertEqual(self.kms.list_resource_tags(KeyId=key)["Tags"], [])

    def test_list_resource_tags(self):
        key = self.key(Tags=[{"TagKey": "a", "TagValue": "1"}])
        self.assertEqual(
            self.aws("list-resource-tags", "--key-id", key)["Tags"], [{"TagKey": "a", "TagValue": "1"}]
        )

    def test_get_key_last_usage(self):
        key = self.key()
        self.sealed(key)
        used = self.aws("get-key-last-usage", "--key-id", key)["KeyLastUsage"]
        self.assertEqual(used["Operation"], "Encrypt")

    # Policies and aliases.

    def test_get_key_policy(self):
        text = self.aws("get-key-policy", "--key-id", self.symmetric, "--policy-name", "default")["Policy"]
        self.assertEqual(json.loads(text)["Statement"][0]["Action"], "kms:*")

    def test_put_key_policy(self):
        key = self.key()
        statement = {"Sid": "mine", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                     "Action": "kms:*", "Resource": "*"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws("put-key-policy", "--key-id", key, "--policy-name", "default", "--policy", text)
        self.assertEqual(self.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"], text)
        lockout = text.replace(ACCOUNT, "111122223333")
        self.refused("MalformedPolicyDocumentException", "put-key-policy", "--key-id", key, "--policy", lockout)

    def test_list_key_policies(self):
        self.assertEqual(self.aws("list-key-policies", "--key-id", self.symmetric)["PolicyNames"], ["default"])

    def alias(self, target=None):
        name = f"alias/name-{next(self.numbers)}"
        if target:
            self.kms.create_alias(AliasName=name, TargetKeyId=target)
        return name

    def test_create_alias(self):
        name, key = self.alias(), self.key()
        self.aws("create-alias", "--alias-name", name, "--target-key-id", key)
        self.assertEqual(self.kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"], key)
        self.refused("AlreadyExistsException", "create-alias", "--alias-name", name, "--target-key-id", key)

    def test_update_alias(self):
        name, key = self.alias(self.key()), self.key()
        self.aws("update-alias", "--alias-name", name, "--target-key-id", key)
        self.assertEqual(self.kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"], key)

    def test_delete_alias(self):
        name = self.alias(self.key())
        self.aws("delete-alias", "--alias-name", name)
        self.refused("NotFoundException", "describe-key", "--key-id", name)

    def test_list_aliases(self):
        key = self.key()
        name = self.alias(key)
        listed = self.aws("list-aliases", "--key-id", key)["Aliases"]
        self.assertEqual([alias["AliasName"] for alias in listed], [name])

    # Grants.

    def test_create_grant(self):
        made = self.aws(
            "create-grant", "--key-id", self.symmetric, "--grantee-principal", ROLE, "--operations", "Decrypt",
            "--constraints", "EncryptionContextSubset={app=one}", "--name", "reader",
        )
        self.assertRegex(made["GrantId"], "^[0-9a-f]{64}$")
        again = self.aws(
            "create-grant", "--key-id", self.symmetric, "--grantee-principal", ROLE, "--operations", "Decrypt",
            "--constraints", "EncryptionContextSubset={app=one}", "--name", "reader",
        )
        self.assertEqual(again["GrantId"], made["GrantId"])
        self.assertNotEqual(again["GrantToken"], made["GrantToken"])

    def test_list_grants(self):
        grant = self.granted()["GrantId"]
        listed = self.aws("list-grants", "--key-id", self.symmetric, "--grant-id", grant)["Grants"]
        self.assertEqual([(g["GranteePrincipal"], g["Operations"]) for g in listed], [(ROLE, ["Encrypt"])])

    def test_list_retirable_grants(self):
        retiring = f"arn:aws:iam::{ACCOUNT}:role/retirer-{next(self.numbers)}"
        grant = self.granted(RetiringPrincipal=retiring)["GrantId"]
        listed = self.aws("list-retirable-grants", "--retiring-principal", retiring)["Grants"]
        self.assertEqual([g["GrantId"] for g in listed], [grant])

    def test_retire_grant(self):
        grant = self.granted()
        self.aws("retire-grant", "--grant-token", grant["GrantToken"])
        self.assertEqual(self.kms.list_grants(KeyId=self.symmetric, GrantId=grant["GrantId"])["Grants"], [])

    def test_revoke_grant(self):
        grant = self.granted()["GrantId"]
        self.aws("revoke-grant", "--key-id", self.symmetric, "--grant-id", grant)
        self.assertEqual(self.kms.list_grants(KeyId=self.symmetric, GrantId=grant)["Grants"], [])
        self.refused("NotFoundException", "revoke-grant", "--key-id", self.symmetric, "--grant-id", grant)

    # Rotation.

    def test_enable_key_rotation(self):
        key = self.key()
        self.aws("enable-key-rotation", "--key-id", key, "--rotation-period-in-days", "90")
        status = self.kms.get_key_rotation_status(KeyId=key)
        self.assertEqual((status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 90))

    def test_disable_key_rotation(self):
        key = self.key()
        self.kms.enable_key_rotation(KeyId=key)
        self.aws("disable-key-rotation", "--key-id", key)
        self.assertFalse(self.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])

    def test_get_key_rotation_status(self):
        self.assertFalse(self.aws("get-key-rotation-status", "--key-id", self.key())["KeyRotationEnabled"])

    def test_rotate_key_on_demand(self):
        key = self.key()
        before = self.sealed(key, b"old")
        self.aws("rotate-key-on-demand", "--key-id", key)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=before)["Plaintext"], b"old")
        materials = {
            self.kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] for blob in (before, self.sealed(key))
        }
        self.assertEqual(len(materials), 2)

    def test_list_key_rotations(self):
        key = self.key()
        self.kms.rotate_key_on_demand(KeyId=key)
        rotations = self.aws("list-key-rotations", "--key-id", key)["Rotations"]
        self.assertEqual([r["RotationType"] for r in rotations], ["ON_DEMAND"])
        every = self.aws("list-key-rotations", "--key-id", key, "--include-key-material", "ALL_KEY_MATERIAL")
        self.assertEqual(len(every["Rotations"]), 2)

    # Imported material.

    def test_get_parameters_for_import(self):
        answer = self.aws(
            "get-parameters-for-import", "--key-id", self.key(Origin="EXTERNAL"),
            "--wrapping-algorithm", "RSA_AES_KEY_WRAP_SHA_256", "--wrapping-key-spec", "RSA_4096",
        )
        public = serialization.load_der_public_key(base64.b64decode(answer["PublicKey"]))
        self.assertEqual(public.key_size, 4096)

    def test_import_key_material(self):
        key, token, material = self.external()
        self.aws(
            "import-key-material", "--key-id", key, "--import-token", self.blob(token),
            "--encrypted-key-material", self.blob(material), "--expiration-model", "KEY_MATERIAL_DOES_NOT_EXPIRE",
        )
        self.assertEqual(self.state(key), "Enabled")
        # An RSA key goes in two layers: a fresh AES key by OAEP, and under that the key by RFC 5649.
        key = self.key(Origin="EXTERNAL", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
        parameters = self.kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        own = ec.generate_private_key(ec.SECP384R1())
        pkcs8 = own.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        inner = os.urandom(32)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        wrapping = serialization.load_der_public_key(parameters["PublicKey"])
        material = wrapping.encrypt(inner, oaep) + keywrap.aes_key_wrap_with_padding(inner, pkcs8)
        self.aws(
            "import-key-material", "--key-id", key, "--import-token", self.blob(parameters["ImportToken"]),
            "--encrypted-key-material", self.blob(material), "--expiration-model", "KEY_MATERIAL_DOES_NOT_EXPIRE",
        )
        signed = self.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_384")["Signature"]
        own.public_key().verify(signed, b"m", ec.ECDSA(hashes.SHA384()))

    def test_delete_imported_key_material(self):
        key, token, material = self.external()
        self.kms.import_key_material(
            KeyId=key, ImportToken=token, EncryptedKeyMaterial=material, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
        )
        self.aws("delete-imported-key-material", "--key-id", key)
        self.assertEqual(self.state(key), "PendingImport")

    # Several Regions.

    def test_replicate_key(self):
        key = self.key(MultiRegion=True)
        made = self.aws("replicate-key", "--key-id", key, "--replica-region", "eu-west-1")["ReplicaKeyMetadata"]
        self.assertEqual(made["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")
        there = self.server.client("kms", region="eu-west-1")
        self.assertEqual(there.decrypt(CiphertextBlob=self.sealed(key, b"both"))["Plaintext"], b"both")

    def test_update_primary_region(self):
        key = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        self.aws("update-primary-region", "--key-id", key, "--primary-region", "eu-west-1")
        found = self.kms.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
        self.assertEqual((found["MultiRegionKeyType"], found["PrimaryKey"]["Region"]), ("REPLICA", "eu-west-1"))

    # Encryption.

    def test_encrypt(self):
        answer = self.aws(
            "encrypt", "--key-id", self.symmetric, "--plaintext", self.blob(b"\x00\xffbytes"),
            "--encryption-context", "app=one",
        )
        self.assertEqual(answer["KeyId"], self.symmetric)
        opened = self.opened(answer["CiphertextBlob"], EncryptionContext={"app": "one"})
        self.assertEqual(opened, b"\x00\xffbytes")

    def test_decrypt(self):
        blob = self.blob(self.sealed(self.symmetric, b"secret", EncryptionContext={"app": "one"}))
        answer = self.aws("decrypt", "--ciphertext-blob", blob, "--encryption-context", "app=one")
        self.assertEqual((base64.b64decode(answer["Plaintext"]), answer["KeyId"]), (b"secret", self.symmetric))
        self.refused("InvalidCiphertextException", "decrypt", "--ciphertext-blob", blob)
        rsa = self.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        public = serialization.load_der_public_key(self.kms.get_public_key(KeyId=rsa)["PublicKey"])
        sealed = public.encrypt(b"outside", padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        answer = self.aws(
            "decrypt", "--key-id", rsa, "--ciphertext-blob", self.blob(sealed),
            "--encryption-algorithm", "RSAES_OAEP_SHA_256",
        )
        self.assertEqual(base64.b64decode(answer["Plaintext"]), b"outside")

    def test_re_encrypt(self):
        other = self.key()
        moved = self.aws(
            "re-encrypt", "--ciphertext-blob", self.blob(self.sealed(self.symmetric)), "--destination-key-id", other,
            "--destination-encryption-context", "to=other",
        )
        self.assertEqual(moved["SourceKeyId"], self.symmetric)
        self.assertEqual(self.opened(moved["CiphertextBlob"], EncryptionContext={"to": "other"}), b"secret")

    def test_generate_data_key(self):
        made = self.aws("generate-data-key", "--key-id", self.symmetric, "--number-of-bytes", "24")
        plaintext = base64.b64decode(made["Plaintext"])
        self.assertEqual(len(plaintext), 24)
        self.assertEqual(self.opened(made["CiphertextBlob"]), plaintext)

    def test_generate_data_key_without_plaintext(self):
        made = self.aws("generate-data-key-without-plaintext", "--key-id", self.symmetric)
        self.assertNotIn("Plaintext", made)
        self.assertEqual(len(self.opened(made["CiphertextBlob"])), 32)

    def test_generate_data_key_pair(self):
        made = self.aws("generate-data-key-pair", "--key-id", self.symmetric, "--key-pair-spec", "ECC_NIST_P256")
        private = base64.b64decode(made["PrivateKeyPlaintext"])
        self.assertEqual(self.opened(made["PrivateKeyCiphertextBlob"]), private)
        public = serialization.load_der_private_key(private, None).public_key()
        encoded = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(encoded, base64.b64decode(made["PublicKey"]))

    def test_generate_data_key_pair_without_plaintext(self):
        made = self.aws(
            "generate-data-key-pair-without-plaintext", "--key-id", self.symmetric, "--key-pair-spec", "RSA_2048"
        )
        self.assertNotIn("PrivateKeyPlaintext", made)
        private = serialization.load_der_private_key(self.opened(made["PrivateKeyCiphertextBlob"]), None)
        self.assertEqual(private.key_size, 2048)

    def test_generate_random(self):
        made = base64.b64decode(self.aws("generate-random", "--number-of-bytes", "1024")["Plaintext"])
        self.assertEqual(len(made), 1024)
        self.assertGreater(len(set(made)), 200)

    # Codes, signatures, agreement.

    def test_generate_mac(self):
        key = self.key(KeySpec="HMAC_512", KeyUsage="GENERATE_VERIFY_MAC")
        made = self.aws(
            "generate-mac", "--key-id", key, "--message", self.blob(b"m"), "--mac-algorithm", "HMAC_SHA_512"
        )
        self.assertEqual(len(base64.b64decode(made["Mac"])), 64)

    def test_verify_mac(self):
        key = self.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        mac = self.kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
        options = ("--key-id", key, "--mac-algorithm", "HMAC_SHA_256", "--mac", self.blob(mac))
        self.assertTrue(self.aws("verify-mac", *options, "--message", self.blob(b"m"))["MacValid"])
        self.refused("KMSInvalidMacException", "verify-mac", *options, "--message", self.blob(b"other"))

    def test_sign(self):
        key = self.key(KeySpec="ECC_NIST_P521", KeyUsage="SIGN_VERIFY")
        made = self.aws(
            "sign", "--key-id", key, "--message", self.blob(b"m"), "--signing-algorithm", "ECDSA_SHA_512"
        )
        public = serialization.load_der_public_key(self.kms.get_public_key(KeyId=key)["PublicKey"])
        public.verify(base64.b64decode(made["Signature"]), b"m", ec.ECDSA(hashes.SHA512()))

    def test_verify(self):
        key = self.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
        algorithm = "RSASSA_PKCS1_V1_5_SHA_256"
        signature = self.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm=algorithm)["Signature"]
        options = ("--key-id", key, "--signing-algorithm", algorithm, "--signature", self.blob(signature))
        self.assertTrue(self.aws("verify", *options, "--message", self.blob(b"m"))["SignatureValid"])
        self.refused("KMSInvalidSignatureException", "verify", *options, "--message", self.blob(b"other"))

    def test_get_public_key(self):
        key = self.key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
        answer = self.aws("get-public-key", "--key-id", key)
        public = serialization.load_der_public_key(base64.b64decode(answer["PublicKey"]))
        signature = self.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512")["Signature"]
        public.verify(signature, b"m")
        self.refused("UnsupportedOperationException", "get-public-key", "--key-id", self.symmetric)

    def test_derive_shared_secret(self):
        key = self.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
        own = ec.generate_private_key(ec.SECP256R1())
        encoded = own.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        made = self.aws(
            "derive-shared-secret", "--key-id", key, "--key-agreement-algorithm", "ECDH", "--public-key", self.blob(encoded)
        )
        theirs = serialization.load_der_public_key(self.kms.get_public_key(KeyId=key)["PublicKey"])
        self.assertEqual(base64.b64decode(made["SharedSecret"]), own.exchange(ec.ECDH(), theirs))

    # Custom key stores: there are none, and each operation says so as the service does.

    def test_describe_custom_key_stores(self):
        self.assertEqual(self.aws("describe-custom-key-stores")["CustomKeyStores"], [])

    def test_create_custom_key_store(self):
        self.refused("UnsupportedOperationException", "create-custom-key-store", "--custom-key-store-name", "n")

    def test_connect_custom_key_store(self):
        self.no_store("connect-custom-key-store")

    def test_disconnect_custom_key_store(self):
        self.no_store("disconnect-custom-key-store")

    def test_update_custom_key_store(self):
        self.no_store("update-custom-key-store")

    def test_delete_custom_key_store(self):
        self.no_store("delete-custom-key-store")

    def no_store(self, operation):
        self.refused("CustomKeyStoreNotFoundException", operation, "--custom-key-store-id", "cks-1234567890abcdef0")

    # The table is whole.

    def test_no_operation_is_missing(self):
        names = set(self.kms.meta.service_model.operation_names)
        tested = {name for name in names if hasattr(self, f"test_{xform_name(name)}")}
        self.assertEqual(len(tested), 54)
        # boto3 is installed anew and may know operations that AWS has added since: they are refused by name.
        client = self.server.client("kms", config=Config(parameter_validation=False, retries={"max_attempts": 0}))
        for name in names - tested:
            with self.assertRaises(ClientError) as caught:
                getattr(client, xform_name(name))()
            self.assertEqual(caught.exception.response["Error"]["Code"], "UnknownOperationException", name)


if __name__ == "__main__":
    unittest.main()
