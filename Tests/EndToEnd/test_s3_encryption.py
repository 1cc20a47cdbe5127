"""Server-side encryption headers through S3: the named key must really wrap the object's data key."""

import base64
import json
import secrets
import unittest

from botocore.exceptions import ClientError
from server import Server

MISSING = "11111111-2222-3333-4444-555555555555"


class Encryption(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.s3, cls.kms = cls.server.client("s3"), cls.server.client("kms")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.bucket = f"sse-{secrets.token_hex(6)}"
        self.s3.create_bucket(Bucket=self.bucket)

    def key(self, **options):
        return self.kms.create_key(**options)["KeyMetadata"]["Arn"]

    def put(self, key="k", body=b"secret", **options):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **options)

    def read(self, key="k"):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code, caught.exception)

    def last_use(self, key):
        return self.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"]

    def audited(self, *words):
        """Whether one line of the server's log has all of the words."""
        return any(all(word in line for word in words) for line in self.server.log_text().splitlines())

    @staticmethod
    def header(pairs):
        return base64.b64encode(json.dumps(pairs).encode()).decode()

    def test_a_named_key_wraps_and_guards(self):
        key = self.key()
        put = self.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        self.assertEqual((put["ServerSideEncryption"], put["SSEKMSKeyId"]), ("aws:kms", key))
        self.assertEqual(self.last_use(key), "GenerateDataKey")
        for answer in (self.s3.head_object(Bucket=self.bucket, Key="k"), self.s3.get_object(Bucket=self.bucket, Key="k")):
            self.assertEqual((answer["ServerSideEncryption"], answer["SSEKMSKeyId"]), ("aws:kms", key))
        self.assertEqual(self.read(), b"secret")
        self.assertEqual(self.last_use(key), "Decrypt")
        self.kms.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", self.read)
        self.refused("KMS.DisabledException", self.put, key="other", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.read(), b"secret")
        self.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        self.refused("KMS.KMSInvalidStateException", self.read)
        self.kms.cancel_key_deletion(KeyId=key)
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.read(), b"secret")

    def test_keys_that_cannot_be_used(self):
        self.refused("KMS.NotFoundException", self.put, ServerSideEncryption="aws:kms", SSEKMSKeyId=MISSING)
        self.refused("KMS.NotFoundException", self.put, ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/none")
        elsewhere = self.server.client("kms", region="eu-west-1").create_key()["KeyMetadata"]["Arn"]
        self.refused("KMS.NotFoundException", self.put, ServerSideEncryption="aws:kms", SSEKMSKeyId=elsewhere)
        rsa = self.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        self.refused("KMS.InvalidKeyUsageException", self.put, ServerSideEncryption="aws:kms", SSEKMSKeyId=rsa)
        disabled = self.key()
        self.kms.disable_key(KeyId=disabled)
        self.refused("KMS.DisabledException", self.put, ServerSideEncryption="aws:kms", SSEKMSKeyId=disabled)
        self.refused("InvalidArgument", self.put, ServerSideEncryption="AES256", SSEKMSKeyId=disabled)
        self.refused("NoSuchKey", self.read)

    def test_every_algorithm(self):
        for algorithm in ("AES256", "aws:kms", "aws:kms:dsse"):
            self.assertEqual(self.put(algorithm, ServerSideEncryption=algorithm)["ServerSideEncryption"], algorithm)
            shown = self.s3.head_object(Bucket=self.bucket, Key=algorithm)
            self.assertEqual(shown["ServerSideEncryption"], algorithm)
            self.assertEqual("SSEKMSKeyId" in shown, algorithm != "AES256")
            self.assertEqual(self.read(algorithm), b"secret")
        self.refused("InvalidArgument", self.put, ServerSideEncryption="aws:fsx")
        customer = dict(SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
        self.refused("NotImplemented", self.put, **customer)

    def test_the_context_is_bound_and_shown(self):
        key = self.key()
        arn = f"arn:aws:s3:::{self.bucket}/k"
        put = self.put(
            ServerSideEncryption="aws:kms", SSEKMSKeyId=key, SSEKMSEncryptionContext=self.header({"team": "one"})
        )
        bound = json.loads(base64.b64decode(put["SSEKMSEncryptionContext"]))
        self.assertEqual(bound, {"team": "one", "aws:s3:arn": arn})
        self.assertEqual(self.read(), b"secret")
        for operation in ("GenerateDataKey", "Decrypt"):
            self.assertTrue(self.audited(f"kms:{operation}", key, f"aws:s3:arn={arn}", "team=one"), operation)
        for wrong in ("not base64", self.header(["list"]), self.header({"aws:s3:arn": "arn:aws:s3:::other/k"})):
            self.refused(
                "InvalidArgument", self.put, ServerSideEncryption="aws:kms", SSEKMSEncryptionContext=wrong
            )
        self.refused("InvalidArgument", self.put, SSEKMSEncryptionContext=self.header({"a": "b"}))

    def test_the_keys_policy_decides(self):
        """Conditions of the policy see the service, the context and the object's name."""
        key = self.key()
        account = key.split(":")[4]
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
             "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{self.bucket}/private/*"}}},
            {"Effect": "Deny", "Principal": "*", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
             "Condition": {"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}},
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
        options = dict(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        self.put("open/k", **options)
        self.put("private/k", **options)
        self.assertEqual(self.read("open/k"), b"secret")
        self.refused("AccessDenied", self.read, key="private/k")
        self.refused("AccessDeniedException", self.kms.generate_data_key, KeyId=key, KeySpec="AES_256")
        source = {"Bucket": self.bucket, "Key": "private/k"}
        self.refused("AccessDenied", self.s3.copy_object, Bucket=self.bucket, Key="copy", CopySource=source)

    def test_with_a_bucket_key_kms_is_asked_once_for_many_objects(self):
        key = self.key()
        options = dict(ServerSideEncryption="aws:kms", SSEKMSKeyId=key, BucketKeyEnabled=True)

        def asked(operation):
            lines = self.server.log_text().splitlines()
            return sum(f"kms:{operation} through s3" in line and key in line for line in lines)

        for index in range(5):
            self.put(f"many/{index}", **options)
            self.assertEqual(self.read(f"many/{index}"), b"secret")
        self.assertEqual((asked("GenerateDataKey"), asked("Decrypt")), (1, 1))
        self.put("each", ServerSideEncryption="aws:kms", SSEKMSKeyId=key, BucketKeyEnabled=False)
        self.assertEqual(asked("GenerateDataKey"), 2)
        # What changes about the key holds at once.
        allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
        deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
        for statements in ([allow, deny], [allow]):
            policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
            self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
            if deny in statements:
                self.refused("AccessDenied", self.read, key="many/0")
        self.assertEqual(self.read("many/0"), b"secret")
        self.assertEqual(asked("Decrypt"), 2)
        self.kms.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", self.read, key="many/0")

    def test_the_buckets_default(self):
        key = self.key()
        rule = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
            "BucketKeyEnabled": True,
        }
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        shown = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual([{name: rule[name] for name in rule}], [{name: shown[0][name] for name in rule}])
        put = self.put()
        self.assertEqual((put["SSEKMSKeyId"], put["BucketKeyEnabled"]), (key, True))
        bound = json.loads(base64.b64decode(put["SSEKMSEncryptionContext"]))
        self.assertEqual(bound, {"aws:s3:arn": f"arn:aws:s3:::{self.bucket}"})
        self.assertTrue(self.s3.head_object(Bucket=self.bucket, Key="k")["BucketKeyEnabled"])
        # What the writer says goes before the bucket; a key that is not named is the bucket's.
        own = self.put("own", ServerSideEncryption="aws:kms", BucketKeyEnabled=False)
        self.assertEqual(own["SSEKMSKeyId"], key)
        self.assertNotIn("BucketKeyEnabled", own)
        self.assertEqual(self.put("plain", ServerSideEncryption="AES256")["ServerSideEncryption"], "AES256")
        self.kms.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", self.read)
        self.refused("KMS.DisabledException", self.read, key="own")
        self.assertEqual(self.read("plain"), b"secret")
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        self.assertEqual(self.put("after")["ServerSideEncryption"], "AES256")
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.read(), b"secret")

    def test_copies(self):
        one, two = self.key(), self.key()
        self.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=one)
        source = {"Bucket": self.bucket, "Key": "k"}
        same = self.s3.copy_object(
            Bucket=self.bucket, Key="same", CopySource=source, ServerSideEncryption="aws:kms", SSEKMSKeyId=one
        )
        bound = json.loads(base64.b64decode(same["SSEKMSEncryptionContext"]))
        self.assertEqual(bound["aws:s3:arn"], f"arn:aws:s3:::{self.bucket}/same")
        other = self.s3.copy_object(
            Bucket=self.bucket, Key="other", CopySource=source, ServerSideEncryption="aws:kms", SSEKMSKeyId=two
        )
        self.assertEqual(other["SSEKMSKeyId"], two)
        self.s3.copy_object(Bucket=self.bucket, Key="plain", CopySource=source)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="plain")["ServerSideEncryption"], "AES256")
        self.kms.disable_key(KeyId=one)
        self.refused("KMS.DisabledException", self.read, key="same")
        self.refused("KMS.DisabledException", self.s3.copy_object, Bucket=self.bucket, Key="x", CopySource=source)
        self.assertEqual([self.read("other"), self.read("plain")], [b"secret", b"secret"])

    def test_uploads_in_parts(self):
        key = self.key()
        upload = self.s3.create_multipart_upload(
            Bucket=self.bucket, Key="big", ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
            SSEKMSEncryptionContext=self.header({"team": "two"}),
        )
        self.assertEqual(upload["SSEKMSKeyId"], key)
        place = dict(Bucket=self.bucket, Key="big", UploadId=upload["UploadId"])
        pieces = [secrets.token_bytes(5 << 20), b"tail"]
        parts = []
        for number, piece in enumerate(pieces, 1):
            part = self.s3.upload_part(**place, PartNumber=number, Body=piece)
            self.assertEqual(part["SSEKMSKeyId"], key)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        done = self.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.assertEqual((done["ServerSideEncryption"], done["SSEKMSKeyId"]), ("aws:kms", key))
        self.assertEqual(self.read("big"), b"".join(pieces))
        self.assertTrue(self.audited("kms:Decrypt", key, "team=two"))
        self.kms.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", self.read, key="big")
        self.refused(
            "KMS.DisabledException", self.s3.create_multipart_upload, Bucket=self.bucket, Key="next",
            ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
        )

    def test_aws_s3_cp(self):
        key = self.key()
        self.kms.create_alias(AliasName=f"alias/{self.bucket}", TargetKeyId=key)
        file = self.server.home / "file"
        file.write_bytes(secrets.token_bytes(9 << 20))  # Enough for parts.
        target = f"s3://{self.bucket}/file"
        self.server.aws("s3", "cp", str(file), target, "--sse", "aws:kms", "--sse-kms-key-id", f"alias/{self.bucket}")
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="file")["SSEKMSKeyId"], key)
        back = self.server.home / "back"
        self.server.aws("s3", "cp", target, str(back))
        self.assertEqual(back.read_bytes(), file.read_bytes())
        self.kms.disable_key(KeyId=key)
        result = self.server.aws("s3", "cp", target, str(back), check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("KMS.DisabledException", result.stderr)

    def test_objects_survive_a_rotation_and_a_restart(self):
        key = self.key()
        self.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        self.kms.rotate_key_on_demand(KeyId=key)
        self.put("after", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        self.server.restart(kill=True)
        type(self).s3, type(self).kms = self.server.client("s3"), self.server.client("kms")
        self.assertEqual([self.read(), self.read("after")], [b"secret", b"secret"])


if __name__ == "__main__":
    unittest.main()
