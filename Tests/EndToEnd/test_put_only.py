"""Who may write but not read learns nothing about which content is there: through S3 and through the command line."""

import io
import os
import pathlib
import re
import subprocess
import unittest
import zipfile

from botocore.exceptions import ClientError

from server import Server, wait_until
from test_put import Wire

OWNER, STRANGER = "111111111111", "222222222222"
NOT_ALLOWED, MISSING = 4, 5
# What differs between any two answers, and the tag, which is a hash of what the sender itself sent.
OF_ITS_OWN = {"date", "x-amz-request-id", "x-amz-id-2", "etag", "x-amz-version-id", "x-amz-checksum-crc32",
              "x-amz-checksum-crc64nvme", "x-amz-checksum-sha256"}


def archive(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(zipfile.ZipInfo("content.bin"), content)
    return buffer.getvalue()


class PutOnly(unittest.TestCase):
    """An owner has content, as an object and as an artifact; others send it, and content that nobody has."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(account=OWNER).start()
        cls.addClassCleanup(cls.server.close)
        cls.known, cls.unknown = archive(os.urandom(700_000)), archive(os.urandom(700_000))
        cls.files = {}
        for name, content in (("known", cls.known), ("unknown", cls.unknown)):
            cls.files[name] = cls.server.home / name
            cls.files[name].write_bytes(content)
        cls.s3 = cls.server.client("s3")
        for bucket in ("vault", "artifacts"):
            cls.s3.create_bucket(Bucket=bucket)
        cls.s3.put_bucket_versioning(Bucket="vault", VersioningConfiguration={"Status": "Enabled"})
        cls.tag = cls.s3.put_object(Bucket="vault", Key="secret.zip", Body=cls.known)["ETag"]
        cls.server.coffer("artifact", "put", "web/secret", cls.files["known"])

    def job(self):
        """The credentials of a job that may write its report and read its source, and where the report belongs."""
        name = self.id().rsplit(".", 1)[-1].replace("_", "-")[:40]
        pipelines = self.server.client("codepipeline")
        pipelines.create_custom_action_type(
            category="Test", provider=name[:25], version="1",
            inputArtifactDetails={"minimumCount": 1, "maximumCount": 1},
            outputArtifactDetails={"minimumCount": 0, "maximumCount": 1})
        kind = {"category": "Test", "owner": "Custom", "provider": name[:25], "version": "1"}
        bucket = f"in-{name}"
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket=bucket, Key="app.zip", Body=archive(b"source"))
        source = {
            "name": "Fetch", "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
            "configuration": {"S3Bucket": bucket, "S3ObjectKey": "app.zip"}, "outputArtifacts": [{"name": "App"}]}
        check = {
            "name": "Check", "actionTypeId": kind, "inputArtifacts": [{"name": "App"}],
            "outputArtifacts": [{"name": "Report"}]}
        pipelines.create_pipeline(pipeline={
            "name": name, "roleArn": f"arn:aws:iam::{OWNER}:role/pipeline",
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [{"name": "Source", "actions": [source]}, {"name": "Check", "actions": [check]}]})
        found = wait_until(
            lambda: pipelines.poll_for_jobs(actionTypeId=kind, maxBatchSize=1)["jobs"], "a job")[0]
        pipelines.acknowledge_job(jobId=found["id"], nonce=found["nonce"])
        given = found["data"]["artifactCredentials"]
        place = found["data"]["outputArtifacts"][0]["location"]["s3Location"]
        return given, {"Bucket": place["bucketName"], "Key": place["objectKey"]}

    def session(self, given):
        return self.server.client(
            "s3", access_key=given["accessKeyId"], secret_key=given["secretAccessKey"],
            aws_session_token=given["sessionToken"])

    def answer(self, call, **arguments):
        """Status, error code and headers of an answer, without what every answer has of its own."""
        try:
            found = call(**arguments)
            error = None
        except ClientError as failure:
            found, error = failure.response, failure.response["Error"]["Code"]
        meta = found["ResponseMetadata"]
        headers = {name: value for name, value in meta["HTTPHeaders"].items() if name.lower() not in OF_ITS_OWN}
        if error:
            headers.pop("content-length", None)
        return meta["HTTPStatusCode"], error, headers

    def test_s3_answers_a_writer_alike_whether_the_content_is_there_or_not(self):
        given, place = self.job()
        writer = self.session(given)
        known = self.answer(writer.put_object, **place, Body=self.known)
        unknown = self.answer(writer.put_object, **place, Body=self.unknown)
        self.assertEqual(known, unknown)
        self.assertEqual(200, known[0])
        # In parts, with what S3 tells about each.
        for body in (self.known, self.unknown):
            begun = writer.create_multipart_upload(**place)["UploadId"]
            part = self.answer(writer.upload_part, **place, UploadId=begun, PartNumber=1, Body=body)
            self.assertEqual((200, None), part[:2])
            listed = writer.list_parts(**place, UploadId=begun)["Parts"]
            self.assertEqual([len(body)], [each["Size"] for each in listed])
            writer.abort_multipart_upload(**place, UploadId=begun)
        # Not even what it wrote itself can be read back, let alone what others have.
        there, missing = {"Bucket": "vault", "Key": "secret.zip"}, {"Bucket": "vault", "Key": "none.zip"}
        for call in (writer.get_object, writer.head_object, writer.get_object_attributes):
            extra = {"ObjectAttributes": ["ETag"]} if call == writer.get_object_attributes else {}
            self.assertEqual(403, self.answer(call, **place, **extra)[0])
            self.assertEqual(self.answer(call, **there, **extra), self.answer(call, **missing, **extra))
            self.assertEqual(403, self.answer(call, **there, **extra)[0])
        self.assertEqual(403, self.answer(writer.list_objects_v2, Bucket="vault")[0])
        # Nor can it be copied to where the writer may write, or asked for by its tag.
        for source in (there, missing):
            self.assertEqual(403, self.answer(writer.copy_object, **place, CopySource=source)[0])
        for condition in ({"IfMatch": self.tag}, {"IfMatch": '"0123456789abcdef0123456789abcdef"'},
                          {"IfNoneMatch": "*"}):
            answers = [
                self.answer(writer.put_object, Bucket="vault", Key=key, Body=b"x", **condition)
                for key in ("secret.zip", "none.zip")]
            self.assertEqual(answers[0], answers[1])
            self.assertEqual(403, answers[0][0])
        self.assertEqual(self.known, self.s3.get_object(**there)["Body"].read())

    def test_a_job_is_refused_by_the_command_line_alike_whether_the_content_is_there_or_not(self):
        given, _ = self.job()
        environment = self.server.environment(
            AWS_ACCESS_KEY_ID=given["accessKeyId"], AWS_SECRET_ACCESS_KEY=given["secretAccessKey"],
            AWS_SESSION_TOKEN=given["sessionToken"])
        said = set()
        for file in self.files.values():
            for name in ("web/secret", "web/none"):
                result = self.server.coffer("artifact", "put", name, file, environment=environment, check=False)
                self.assertEqual((NOT_ALLOWED, ""), (result.returncode, result.stdout))
                said.add(re.sub("secret|none", "NAME", result.stderr))
        self.assertEqual(1, len(said), said)

    def test_the_command_line_sends_everything_to_a_scope_of_ones_own(self):
        made = self.server.coffer_json("account", "create", STRANGER)
        wire = Wire(self.server.port)
        self.addCleanup(wire.close)
        environment = self.server.environment(
            AWS_ACCESS_KEY_ID=made["accessKeyID"], AWS_SECRET_ACCESS_KEY=made["secretAccessKey"],
            AWS_ENDPOINT_URL=wire.endpoint)
        told, sent = [], []
        for name, file in self.files.items():
            wire.reset()
            # The same name as the owner's artifact, too.
            told.append(self.server.coffer_json("artifact", "put", "web/secret", file, environment=environment))
            sent.append(wire.sent)
        self.assertGreater(sent[0], len(self.known))
        self.assertLess(abs(sent[0] - sent[1]), 2000, sent)
        self.assertEqual([1, 2], [each["number"] for each in told])
        self.assertEqual(told[0]["bytes"], told[1]["bytes"])
        # New bytes are those that are new to the sender's own scope: all of them, both times.
        # Where random bytes are cut is random, and each piece is padded by a sixteenth at most.
        self.assertLess(abs(told[0]["storedBytes"] - told[1]["storedBytes"]), len(self.known) // 12)
        self.assertGreater(told[0]["storedBytes"], len(self.known))
        # To name the owner's versions as known does not help, and says the same whether they exist.
        owned = self.server.coffer_json("artifact", "list", "web/secret")[0]["id"]
        said = set()
        for basis in (owned, owned[:-6] + "000000"):
            result = self.server.coffer(
                "artifact", "put", "web/other", self.files["known"], "--basis", f"web/secret@{basis}",
                environment=environment, check=False)
            self.assertIn(result.returncode, (NOT_ALLOWED, MISSING))
            said.add((result.returncode, result.stderr.replace(basis, "ID")))
        self.assertEqual(1, len(said), said)


if __name__ == "__main__":
    unittest.main()
