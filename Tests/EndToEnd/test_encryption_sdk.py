"""The AWS Encryption SDK for Python against our KMS: raw, KMS, MRK-aware, discovery, RSA, ECDH and hierarchical keyrings.

Key commitment is required throughout. The hierarchical keyring keeps its branch keys in DynamoDB, which Coffer does not
speak: moto's holds the table, while every key operation goes to Coffer.
"""

import os
import unittest

from server import Server

try:
    import aws_encryption_sdk
    from aws_cryptographic_material_providers.keystore import KeyStore
    from aws_cryptographic_material_providers.keystore.config import KeyStoreConfig
    from aws_cryptographic_material_providers.keystore.models import (
        CreateKeyInput,
        CreateKeyStoreInput,
        KMSConfigurationKmsKeyArn,
        VersionKeyInput,
    )
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl import models
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_encryption_sdk import CommitmentPolicy
    from aws_encryption_sdk.identifiers import AlgorithmSuite
    from moto.server import ThreadedMotoServer
except ImportError as error:
    missing = error.name
else:
    missing = None

CONTEXT = {"app": "one", "stage": "prod"}
SECRET = b"a message of more than one frame " * 400


@unittest.skipIf(missing, f"{missing} is not installed: pip install 'aws-encryption-sdk[MPL]' 'moto[dynamodb,server]'")
class Keyrings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.kms = cls.server.client("kms")
        cls.providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
        cls.sdk = aws_encryption_sdk.EncryptionSDKClient(
            commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
        )

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def key(self, **options):
        return self.kms.create_key(**options)["KeyMetadata"]["Arn"]

    def keyring(self, key, client=None):
        return self.providers.create_aws_kms_keyring(
            models.CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=client or self.kms)
        )

    def sealed(self, keyring, context=CONTEXT, **options):
        return self.sdk.encrypt(source=SECRET, keyring=keyring, encryption_context=dict(context), **options)

    def carries(self, encrypting, decrypting=None):
        """What one keyring seals the other opens, with its context."""
        ciphertext, header = self.sealed(encrypting)
        self.assertNotIn(SECRET[:32], ciphertext)
        self.assertEqual(header.algorithm, AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384)
        plaintext, header = self.sdk.decrypt(
            source=ciphertext, keyring=decrypting or encrypting, encryption_context=dict(CONTEXT)
        )
        self.assertEqual(plaintext, SECRET)
        self.assertLessEqual(CONTEXT.items(), header.encryption_context.items())
        return ciphertext

    def test_kms_keyring(self):
        key = self.key()
        ciphertext = self.carries(self.keyring(key))
        # The signing suite adds a reserved pair, which reaches KMS as ordinary context: without it nothing opens.
        self.assertEqual(self.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"], "Decrypt")
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=self.keyring(self.key()))
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=self.keyring(key), encryption_context={"app": "two"})

    def test_a_disabled_key_refuses(self):
        key = self.key()
        ciphertext = self.carries(self.keyring(key))
        self.kms.disable_key(KeyId=key)
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=self.keyring(key))
        self.kms.enable_key(KeyId=key)
        self.sdk.decrypt(source=ciphertext, keyring=self.keyring(key))

    def test_every_committing_suite(self):
        key = self.key()
        for suite in (
            AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
            AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384,
        ):
            ciphertext, _ = self.sealed(self.keyring(key), algorithm=suite)
            self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=self.keyring(key))[0], SECRET)

    def test_a_message_without_commitment_is_refused(self):
        lax = aws_encryption_sdk.EncryptionSDKClient(
            commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT
        )
        keyring = self.keyring(self.key())
        ciphertext, _ = lax.encrypt(source=SECRET, keyring=keyring, encryption_context=dict(CONTEXT))
        self.assertEqual(lax.decrypt(source=ciphertext, keyring=keyring)[0], SECRET)
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=keyring)

    def test_multi_keyring(self):
        one, two = self.key(), self.key()
        both = self.providers.create_aws_kms_multi_keyring(
            models.CreateAwsKmsMultiKeyringInput(
                generator=one, kms_key_ids=[two], client_supplier=self.supplier()
            )
        )
        ciphertext, _ = self.sealed(both)
        for key in (one, two):
            self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=self.keyring(key))[0], SECRET)

    def supplier(self):
        from aws_cryptographic_material_providers.mpl.references import IClientSupplier

        class Supplier(IClientSupplier):
            def get_client(supplier, parameters):
                return self.server.client("kms", region=parameters.region)

        return Supplier()

    def test_mrk_aware_keyring(self):
        arn = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=arn, ReplicaRegion="eu-west-1")
        there = self.server.client("kms", region="eu-west-1")

        def keyring(key, client):
            return self.providers.create_aws_kms_mrk_keyring(
                models.CreateAwsKmsMrkKeyringInput(kms_key_id=key, kms_client=client)
            )

        replica = arn.replace("us-east-1", "eu-west-1")
        self.carries(keyring(arn, self.kms), keyring(replica, there))
        self.carries(keyring(replica, there), keyring(arn, self.kms))
        # A keyring that is not aware of such keys compares the whole ARN.
        ciphertext, _ = self.sealed(keyring(arn, self.kms))
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=self.keyring(replica, there))

    def test_discovery_keyrings(self):
        ciphertext, _ = self.sealed(self.keyring(self.key()))
        allowed = models.DiscoveryFilter(account_ids=["000000000000"], partition="aws")
        other = models.DiscoveryFilter(account_ids=["111122223333"], partition="aws")

        def discovery(only):
            return self.providers.create_aws_kms_discovery_keyring(
                models.CreateAwsKmsDiscoveryKeyringInput(kms_client=self.kms, discovery_filter=only)
            )

        self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=discovery(allowed))[0], SECRET)
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=discovery(other))
        multi = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=multi, ReplicaRegion="eu-west-1")
        ciphertext, _ = self.sealed(self.keyring(multi))
        there = self.providers.create_aws_kms_mrk_discovery_keyring(
            models.CreateAwsKmsMrkDiscoveryKeyringInput(
                kms_client=self.server.client("kms", region="eu-west-1"), region="eu-west-1", discovery_filter=allowed
            )
        )
        self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=there)[0], SECRET)

    def test_raw_keyring_beside_a_kms_key(self):
        raw = self.providers.create_raw_aes_keyring(
            models.CreateRawAesKeyringInput(
                key_namespace="local", key_name="backup", wrapping_key=os.urandom(32),
                wrapping_alg=models.AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
            )
        )
        self.carries(raw)
        kms = self.keyring(self.key())
        both = self.providers.create_multi_keyring(
            models.CreateMultiKeyringInput(generator=kms, child_keyrings=[raw])
        )
        ciphertext, _ = self.sealed(both)
        for keyring in (kms, raw):
            self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=keyring)[0], SECRET)

    def test_rsa_keyring(self):
        from cryptography.hazmat.primitives import serialization

        arn = self.key(KeySpec="RSA_4096", KeyUsage="ENCRYPT_DECRYPT")
        public = serialization.load_der_public_key(self.kms.get_public_key(KeyId=arn)["PublicKey"])
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        keyring = self.providers.create_aws_kms_rsa_keyring(
            models.CreateAwsKmsRsaKeyringInput(
                public_key=pem, kms_key_id=arn, encryption_algorithm="RSAES_OAEP_SHA_256", kms_client=self.kms
            )
        )
        # This keyring cannot carry a signing key, so the suite is the one without a signature.
        ciphertext, _ = self.sealed(keyring, algorithm=AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY)
        self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=keyring)[0], SECRET)

    def test_ecdh_keyring(self):
        from aws_cryptography_primitives.smithygenerated.aws_cryptography_primitives.models import ECDHCurveSpec

        sender = self.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
        recipient = self.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
        public = {arn: self.kms.get_public_key(KeyId=arn)["PublicKey"] for arn in (sender, recipient)}

        def keyring(scheme):
            return self.providers.create_aws_kms_ecdh_keyring(
                models.CreateAwsKmsEcdhKeyringInput(
                    key_agreement_scheme=scheme, curve_spec=ECDHCurveSpec.ECC_NIST_P256, kms_client=self.kms
                )
            )

        sending = keyring(
            models.KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(
                models.KmsPrivateKeyToStaticPublicKeyInput(
                    sender_kms_identifier=sender, sender_public_key=public[sender],
                    recipient_public_key=public[recipient],
                )
            )
        )
        receiving = keyring(
            models.KmsEcdhStaticConfigurationsKmsPublicKeyDiscovery(
                models.KmsPublicKeyDiscoveryInput(recipient_kms_identifier=recipient)
            )
        )
        self.carries(sending, receiving)

    def test_hierarchical_keyring(self):
        import boto3

        moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        moto.start()
        try:
            host, port = moto.get_host_and_port()
            dynamo = boto3.client(
                "dynamodb", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
                aws_access_key_id="test", aws_secret_access_key="test",
            )
            self.hierarchy(dynamo)
        finally:
            moto.stop()

    def hierarchy(self, dynamo):
        key = self.key()
        store = KeyStore(
            config=KeyStoreConfig(
                ddb_client=dynamo, ddb_table_name="branch-keys", logical_key_store_name="branch-keys",
                kms_client=self.kms, kms_configuration=KMSConfigurationKmsKeyArn(value=key),
            )
        )
        store.create_key_store(input=CreateKeyStoreInput())
        branch = store.create_key(input=CreateKeyInput()).branch_key_identifier

        def keyring():
            # A new keyring has an empty cache: its first use asks KMS.
            return self.providers.create_aws_kms_hierarchical_keyring(
                models.CreateAwsKmsHierarchicalKeyringInput(key_store=store, branch_key_id=branch, ttl_seconds=60)
            )

        ciphertext = self.carries(keyring(), keyring())
        store.version_key(input=VersionKeyInput(branch_key_identifier=branch))
        self.assertEqual(self.sdk.decrypt(source=ciphertext, keyring=keyring())[0], SECRET)
        after = self.carries(keyring(), keyring())
        self.assertNotEqual(ciphertext, after)
        self.kms.disable_key(KeyId=key)
        with self.assertRaises(Exception):
            self.sdk.decrypt(source=ciphertext, keyring=keyring())


if __name__ == "__main__":
    unittest.main()
