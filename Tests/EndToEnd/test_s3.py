"""S3 as its real clients use it: boto3, the aws command line, presigned URLs, rclone and s3cmd where installed."""

import base64
import hashlib
import os
import pathlib
import random
import shutil
import threading
import unittest
import urllib.error
import urllib.request
import zlib

from server import Server

MIB = 1 << 20


def noise(count, seed=1):
    """Bytes that do not compress and are the same in every run."""
    return random.Random(seed).randbytes(count)


class S3Case(unittest.TestCase):
    """Tests that share one server; each works in a bucket of its own."""

    counter = 0

    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.s3 = cls.server.client("s3")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        S3Case.counter += 1
        self.bucket = f"test-{S3Case.counter}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, key, body=b"x", **options):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **options)

    def read(self, key, **options):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **options)["Body"].read()

    def refused(self, code, call, **options):
        """Asserts that a call is refused with an error code and returns the answer."""
        from botocore.exceptions import ClientError

        with self.assertRaises(ClientError) as caught:
            call(**options)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response


class Objects(S3Case):
    def test_bytes_metadata_and_headers_come_back(self):
        body = noise(300_000)
        put = self.put(
            "dir/file.bin", body, ContentType="application/x-test", Metadata={"colour": "blue"}, CacheControl="no-cache",
            ContentEncoding="br", ContentDisposition="attachment", Tagging="a=1&b=2",
        )
        self.assertEqual(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"')
        got = self.s3.get_object(Bucket=self.bucket, Key="dir/file.bin")
        self.assertEqual(got["Body"].read(), body)
        self.assertEqual(got["ContentType"], "application/x-test")
        self.assertEqual(got["Metadata"], {"colour": "blue"})
        self.assertEqual(got["CacheControl"], "no-cache")
        self.assertEqual(got["ContentEncoding"], "br")
        self.assertEqual(got["TagCount"], 2)
        self.assertEqual(got["ServerSideEncryption"], "AES256")
        head = self.s3.head_object(Bucket=self.bucket, Key="dir/file.bin")
        self.assertEqual(head["ContentLength"], len(body))
        self.assertEqual(head["LastModified"], got["LastModified"])

    def test_empty_objects_and_special_keys(self):
        keys = ["a b", "a+b", "ä/ö ü", "x//y", "./z", "../w", "q?r=s&t", "per%cent", "emoji \U0001f600", "tab\there",
                "quote'\"", "<xml>&amp;", "trailing/", "#hash", "a;b:c@d=e,f$g!h*i(j)", "k" * 1024]
        for key in keys:
            self.put(key, key.encode())
        self.put("empty", b"")
        self.assertEqual(self.read("empty"), b"")
        for key in keys:
            self.assertEqual(self.read(key), key.encode(), key)
        listed = [item["Key"] for item in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]]
        self.assertEqual(listed, sorted([*keys, "empty"], key=str.encode))
        for key in keys:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"], 1)
        self.refused("KeyTooLongError", self.put, key="k" * 1025)

    def test_ranges(self):
        body = noise(1 * MIB + 17)
        self.put("k", body)
        for first, last in [(0, 0), (0, 99), (65_535, 65_536), (MIB, MIB + 16), (5, 2 * MIB)]:
            got = self.s3.get_object(Bucket=self.bucket, Key="k", Range=f"bytes={first}-{last}")
            self.assertEqual(got["Body"].read(), body[first : last + 1])
            self.assertEqual(got["ResponseMetadata"]["HTTPStatusCode"], 206)
        self.assertEqual(self.read("k", Range="bytes=-17"), body[-17:])
        self.assertEqual(self.read("k", Range=f"bytes={MIB}-"), body[MIB:])
        self.refused("InvalidRange", self.read, key="k", Range="bytes=9999999-")

    def test_conditional_reads_and_writes(self):
        etag = self.put("k", b"one")["ETag"]
        self.refused("304", self.read, key="k", IfNoneMatch=etag)
        self.refused("PreconditionFailed", self.read, key="k", IfMatch='"x"')
        self.refused("PreconditionFailed", self.put, key="k", body=b"two", IfNoneMatch="*")
        self.refused("PreconditionFailed", self.put, key="k", body=b"two", IfMatch='"x"')
        self.put("k", b"two", IfMatch=etag)
        self.put("new", b"two", IfNoneMatch="*")
        self.refused("NoSuchKey", self.put, key="absent", IfMatch=etag)
        # A tag may have lost its quotes, or one of them.
        for strip in (slice(1, -1), slice(1, None)):
            self.put("k", b"two", IfMatch=self.put("k", b"three")["ETag"][strip])
        self.assertEqual(self.read("k"), b"two")

    def test_only_one_of_many_conditional_writers_wins(self):
        won = []

        def attempt(number):
            client = self.server.client("s3")
            try:
                client.put_object(Bucket=self.bucket, Key="lock", Body=str(number).encode(), IfNoneMatch="*")
                won.append(number)
            except client.exceptions.ClientError as error:
                self.assertIn(error.response["Error"]["Code"], ("PreconditionFailed", "ConditionalRequestConflict"))

        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(won), 1)
        self.assertEqual(self.read("lock"), str(won[0]).encode())

    def test_checksums_are_verified_stored_and_returned(self):
        body = noise(70_000)
        crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.assertEqual(self.put("k", body, ChecksumAlgorithm="CRC32")["ChecksumCRC32"], crc)
        self.assertEqual(self.put("k", body, ChecksumSHA256=sha)["ChecksumSHA256"], sha)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"], sha)
        self.refused("BadDigest", self.put, key="k", body=body + b"!", ChecksumSHA256=sha)
        self.refused("BadDigest", self.put, key="k", body=body + b"!", ContentMD5=base64.b64encode(hashlib.md5(body).digest()).decode())
        part = self.s3.get_object(Bucket=self.bucket, Key="k", Range="bytes=0-9", ChecksumMode="ENABLED")
        self.assertEqual(part["Body"].read(), body[:10])
        self.assertNotIn("ChecksumSHA256", part)
        parts = self.s3.get_object_attributes(Bucket=self.bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize", "ETag"])
        self.assertEqual((parts["Checksum"]["ChecksumSHA256"], parts["ObjectSize"]), (sha, len(body)))

    def test_trailing_checksums_of_chunked_uploads(self):
        """What SDKs send over TLS: aws-chunked framing, the checksum as a trailer, unsigned payload."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        import http.client

        body = noise(200_000, seed=9)
        crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        for value, status in ((crc, 200), ("AAAAAA==", 400)):
            framed = b"".join(
                b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:65_536], body[65_536:])
            ) + b"0\r\nx-amz-checksum-crc32:" + value.encode() + b"\r\n\r\n"
            request = AWSRequest("PUT", f"{self.server.endpoint}/{self.bucket}/chunked", headers={
                "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": "x-amz-checksum-crc32",
                "x-amz-decoded-content-length": str(len(body)), "content-encoding": "gzip,aws-chunked",
            })
            signer = SigV4Auth(Credentials(self.server.access_key, self.server.secret_key), "s3", self.server.region)
            signer.payload = lambda _request: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            signer.add_auth(request)
            headers = {name: str(text) for name, text in request.headers.items()}
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            connection.request("PUT", f"/{self.bucket}/chunked", body=framed, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            self.assertEqual(answer.status, status, text)
        self.assertEqual(self.read("chunked"), body)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="chunked")["ContentEncoding"], "gzip")

    def test_copies(self):
        self.put("source dir/ä", b"bytes", Metadata={"a": "1"}, ContentType="text/x")
        source = {"Bucket": self.bucket, "Key": "source dir/ä"}
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource=source)
        head = self.s3.head_object(Bucket=self.bucket, Key="copy")
        self.assertEqual((head["Metadata"], head["ContentType"]), ({"a": "1"}, "text/x"))
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="copy")["Metadata"], {"b": "2"})
        self.s3.delete_object(**source)
        self.assertEqual(self.read("copy"), b"bytes")
        self.refused("NoSuchKey", self.s3.copy_object, Bucket=self.bucket, Key="x", CopySource=source)

    def test_a_copy_onto_itself_must_change_something(self):
        place = {"Bucket": self.bucket, "Key": "k"}

        def copy(**changes):
            return self.s3.copy_object(**place, **{"CopySource": place, **changes})

        self.put("k", b"bytes", WebsiteRedirectLocation="/there")
        self.refused("InvalidRequest", copy)
        for change in ({"StorageClass": "STANDARD"}, {"ServerSideEncryption": "AES256"}, {"MetadataDirective": "REPLACE"}):
            copy(**change)
        # The redirect of the source is not taken over; that of the request is the copy's.
        self.assertNotIn("WebsiteRedirectLocation", self.s3.head_object(**place))
        copy(WebsiteRedirectLocation="/here")
        self.assertEqual(self.s3.head_object(**place)["WebsiteRedirectLocation"], "/here")
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        copy(CopySource={**place, "VersionId": "null"})
        self.refused("InvalidRequest", copy)
        # Another encryption than the source's is a change, though nothing in the request says so.
        self.put("k", b"bytes", ServerSideEncryption="aws:kms")
        self.assertEqual(copy()["ServerSideEncryption"], "AES256")
        self.assertEqual(self.read("k"), b"bytes")

    def test_tags(self):
        self.put("k")
        tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ü + x@y"}]
        self.s3.put_object_tagging(Bucket=self.bucket, Key="k", Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"], tags)
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="k")
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"], [])
        self.refused(
            "InvalidTag", self.s3.put_object_tagging, Bucket=self.bucket, Key="k",
            Tagging={"TagSet": [{"Key": "a", "Value": "1,2"}]},
        )
        refusal = self.refused("InvalidTag", self.put, key="k", Tagging="aws:x=1")
        self.assertEqual(refusal["Error"]["Message"], "Your TagKey cannot be prefixed with aws:")
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        marker = self.s3.delete_object(Bucket=self.bucket, Key="k")["VersionId"]
        refusal = self.refused("MethodNotAllowed", self.s3.put_object_tagging, Bucket=self.bucket, Key="k",
                               VersionId=marker, Tagging={"TagSet": tags})
        self.assertEqual((refusal["Error"]["Method"], refusal["Error"]["ResourceType"]), ("PUT", "DeleteMarker"))

    def test_kms_encrypted_objects_name_their_key(self):
        put = self.put("k", b"secret", ServerSideEncryption="aws:kms")
        self.assertIn(":key/", put["SSEKMSKeyId"])
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["SSEKMSKeyId"], put["SSEKMSKeyId"])
        self.assertEqual(self.read("k"), b"secret")
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        self.assertEqual(self.put("default")["ServerSideEncryption"], "aws:kms")
        self.assertEqual(self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
                         ["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms")
        self.refused("KMS.NotFoundException", self.put, key="k", ServerSideEncryption="aws:kms",
                     SSEKMSKeyId="11111111-2222-3333-4444-555555555555")


class Versions(S3Case):
    def setUp(self):
        super().setUp()
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def test_versions_and_markers(self):
        ids = [self.put("k", str(number).encode())["VersionId"] for number in range(3)]
        self.assertEqual(self.read("k"), b"2")
        self.assertEqual(self.read("k", VersionId=ids[0]), b"0")
        marker = self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertTrue(marker["DeleteMarker"])
        answer = self.refused("NoSuchKey", self.read, key="k")
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"], "true")
        listing = self.s3.list_object_versions(Bucket=self.bucket)
        self.assertEqual([item["VersionId"] for item in listing["Versions"]], ids[::-1])
        self.assertEqual(listing["DeleteMarkers"][0]["VersionId"], marker["VersionId"])
        self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=marker["VersionId"])
        self.assertEqual(self.read("k"), b"2")
        self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=ids[2])
        self.assertEqual(self.read("k"), b"1")

    def test_suspension_and_batch_deletion(self):
        self.put("k", b"kept")
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Suspended"})
        self.assertNotIn("VersionId", self.put("k", b"null"))
        listing = self.s3.list_object_versions(Bucket=self.bucket)["Versions"]
        self.assertEqual(listing[0]["VersionId"], "null")
        self.refused("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.bucket)
        named = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listing]
        deleted = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": named})
        self.assertEqual(len(deleted["Deleted"]), 2)
        self.s3.delete_bucket(Bucket=self.bucket)
        self.refused("404", self.s3.head_bucket, Bucket=self.bucket)


class Listings(S3Case):
    def test_a_listing_of_2500_keys_in_pages(self):
        keys = [f"dir{number % 25:02}/{number:04}" for number in range(2500)]

        def fill(piece):
            client = self.server.client("s3")
            for key in piece:
                client.put_object(Bucket=self.bucket, Key=key, Body=b"x")

        threads = [threading.Thread(target=fill, args=(keys[start::8],)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for operation in ("list_objects", "list_objects_v2"):
            pages = list(self.s3.get_paginator(operation).paginate(Bucket=self.bucket))
            self.assertEqual([len(page["Contents"]) for page in pages], [1000, 1000, 500])
            self.assertEqual([item["Key"] for page in pages for item in page["Contents"]], sorted(keys))
            pages = self.s3.get_paginator(operation).paginate(Bucket=self.bucket, Delimiter="/", PaginationConfig={"PageSize": 7})
            self.assertEqual(
                [item["Prefix"] for page in pages for item in page["CommonPrefixes"]], [f"dir{n:02}/" for n in range(25)]
            )
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 999})
        self.assertEqual(sum(len(page["Versions"]) for page in pages), 2500)
        only = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="dir07/", StartAfter="dir07/1500", MaxKeys=5, FetchOwner=True)
        self.assertEqual([item["Key"] for item in only["Contents"]], [f"dir07/{n:04}" for n in (1507, 1532, 1557, 1582, 1607)])
        self.assertIn("Owner", only["Contents"][0])
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            objects = [{"Key": item["Key"]} for item in page["Contents"]]
            self.assertNotIn("Errors", self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True}))
        self.s3.delete_bucket(Bucket=self.bucket)


class Multipart(S3Case):
    def test_twenty_mebibytes_through_the_transfer_manager(self):
        body = noise(20 * MIB + 12_345)
        path = self.server.home / "twenty"
        path.write_bytes(body)
        self.s3.upload_file(str(path), self.bucket, "twenty", ExtraArgs={"Metadata": {"a": "b"}})
        head = self.s3.head_object(Bucket=self.bucket, Key="twenty", ChecksumMode="ENABLED")
        self.assertEqual(head["ContentLength"], len(body))
        pieces = [body[start : start + 8 * MIB] for start in range(0, len(body), 8 * MIB)]
        tag = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in pieces)).hexdigest()
        self.assertEqual(head["ETag"], f'"{tag}-3"')
        back = self.server.home / "back"
        self.s3.download_file(self.bucket, "twenty", str(back))
        self.assertEqual(back.read_bytes(), body)
        self.assertEqual(self.read("twenty"), body)
        self.assertEqual(self.read("twenty", Range=f"bytes={8 * MIB - 5}-{8 * MIB + 4}"), body[8 * MIB - 5 : 8 * MIB + 5])
        part = self.s3.get_object(Bucket=self.bucket, Key="twenty", PartNumber=2)
        self.assertEqual(part["PartsCount"], 3)
        self.assertEqual(part["Body"].read(), pieces[1])
        attributes = self.s3.get_object_attributes(Bucket=self.bucket, Key="twenty", ObjectAttributes=["ObjectParts"])
        self.assertEqual([item["Size"] for item in attributes["ObjectParts"]["Parts"]], [len(piece) for piece in pieces])
        self.s3.copy({"Bucket": self.bucket, "Key": "twenty"}, self.bucket, "copied")
        self.assertEqual(self.read("copied"), body)

    def test_checks_of_a_completion(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        place = {"Bucket": self.bucket, "Key": "k", "UploadId": upload}
        tags = [
            self.s3.upload_part(**place, PartNumber=number, Body=noise(size, number))["ETag"]
            for number, size in ((1, 5 * MIB), (2, 100), (3, 100))
        ]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        complete = self.s3.complete_multipart_upload
        self.refused("EntityTooSmall", complete, **place, MultipartUpload={"Parts": parts})
        self.refused("InvalidPartOrder", complete, **place, MultipartUpload={"Parts": parts[::-1]})
        self.refused("MalformedXML", complete, **place, MultipartUpload={"Parts": []})
        self.refused("InvalidPart", complete, **place, MultipartUpload={"Parts": [{"PartNumber": 9, "ETag": tags[0]}]})
        self.assertEqual([part["Size"] for part in self.s3.list_parts(**place)["Parts"]], [5 * MIB, 100, 100])
        listed = self.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"]
        self.assertEqual([item["UploadId"] for item in listed], [upload])
        done = complete(**place, MultipartUpload={"Parts": parts[:2]})
        self.assertTrue(done["ETag"].endswith('-2"'))
        self.assertEqual(self.read("k"), noise(5 * MIB, 1) + noise(100, 2))
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket))
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="k", UploadId=upload)
        self.refused("NoSuchUpload", self.s3.list_parts, Bucket=self.bucket, Key="k", UploadId=upload)

    def test_parts_copied_from_ranges(self):
        body = noise(11 * MIB, seed=3)
        self.put("source", body)
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
        place = {"Bucket": self.bucket, "Key": "k", "UploadId": upload}
        parts = []
        for number, (first, last) in enumerate([(MIB, 7 * MIB - 1), (0, 99)], 1):
            copied = self.s3.upload_part_copy(
                **place, PartNumber=number, CopySource=f"{self.bucket}/source", CopySourceRange=f"bytes={first}-{last}"
            )["CopyPartResult"]
            parts.append({"PartNumber": number, "ETag": copied["ETag"], "ChecksumSHA256": copied["ChecksumSHA256"]})
        done = self.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.assertTrue(done["ChecksumSHA256"].endswith("-2"))
        attributes = self.s3.get_object_attributes(Bucket=self.bucket, Key="k", ObjectAttributes=["Checksum"])
        self.assertEqual(attributes["Checksum"]["ChecksumSHA256"] + "-2", done["ChecksumSHA256"])
        self.assertEqual(self.read("k"), body[MIB : 7 * MIB] + body[:100])

    def test_a_kill_between_parts_loses_nothing_acknowledged(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        place = {"Bucket": self.bucket, "Key": "k", "UploadId": upload}
        first = self.s3.upload_part(**place, PartNumber=1, Body=noise(5 * MIB, 1))["ETag"]
        self.put("whole", b"acknowledged")
        self.server.restart(kill=True)
        self.assertEqual(self.read("whole"), b"acknowledged")
        second = self.s3.upload_part(**place, PartNumber=2, Body=noise(10, 2))["ETag"]
        parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
        self.s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.server.restart(kill=True)
        self.assertEqual(self.read("k"), noise(5 * MIB, 1) + noise(10, 2))


class Buckets(S3Case):
    def test_names_documents_and_absences(self):
        self.assertIn(self.bucket, [item["Name"] for item in self.s3.list_buckets()["Buckets"]])
        self.s3.create_bucket(Bucket=self.bucket)
        self.assertIsNone(self.s3.get_bucket_location(Bucket=self.bucket)["LocationConstraint"])
        self.refused("NoSuchBucket", self.s3.list_objects_v2, Bucket="no-such-bucket")
        self.refused("NoSuchBucketPolicy", self.s3.get_bucket_policy, Bucket=self.bucket)
        policy = '{"Version":"2012-10-17","Statement":[]}'
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)
        self.assertEqual(self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"], policy)
        rules = [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}}]
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": rules})
        self.assertEqual(self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"], rules)
        # What could be read in two ways is refused: one of them would delete what should stay.
        for change in ({"Prefix": "tmp/"}, {"Filter": {"Prefix": "tmp/", "Tag": {"Key": "a", "Value": "b"}}},
                       {"Expiration": {"Days": 3, "ExpiredObjectDeleteMarker": True}}):
            self.refused("MalformedXML", self.s3.put_bucket_lifecycle_configuration, Bucket=self.bucket,
                         LifecycleConfiguration={"Rules": [{**rules[0], **change}]})
        self.s3.create_bucket(Bucket=f"{self.bucket}-owned", ObjectOwnership="BucketOwnerEnforced")
        controls = self.s3.get_bucket_ownership_controls(Bucket=f"{self.bucket}-owned")["OwnershipControls"]
        self.assertEqual(controls, {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
        tags = [{"Key": "team", "Value": "x"}]
        self.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=self.bucket)["TagSet"], tags)
        self.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": []})
        self.refused("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket=self.bucket)
        block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        self.assertEqual(self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"],
                         {name: name == "BlockPublicAcls" for name in block})
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=block)
        self.assertEqual(self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"], block)
        cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": cors})
        self.assertEqual(self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"], cors)
        self.refused("InvalidRequest", self.s3.put_bucket_cors, Bucket=self.bucket,
                     CORSConfiguration={"CORSRules": [{"AllowedMethods": ["LOOK"], "AllowedOrigins": ["*"]}]})
        self.assertEqual(self.s3.get_bucket_acl(Bucket=self.bucket)["Grants"][0]["Permission"], "FULL_CONTROL")
        self.refused("NotImplemented", self.s3.put_bucket_website, Bucket=self.bucket,
                     WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})

    def test_other_regions_and_strangers(self):
        other = f"{self.bucket}-eu"
        self.s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.assertEqual(self.s3.get_bucket_location(Bucket=other)["LocationConstraint"], "eu-central-1")
        self.refused("BucketAlreadyOwnedByYou", self.s3.create_bucket, Bucket=other,
                     CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        # A constraint must be the Region that the request was signed for, or that must be us-east-1.
        frankfurt = self.server.client("s3", region="eu-central-1")
        self.refused("IllegalLocationConstraintException", frankfurt.create_bucket, Bucket=f"{other}-2",
                     CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
        frankfurt.create_bucket(Bucket=f"{other}-2")
        self.refused("BucketAlreadyOwnedByYou", frankfurt.create_bucket, Bucket=self.bucket)
        there = self.s3.list_buckets(BucketRegion="eu-central-1")["Buckets"]
        self.assertEqual({item["Name"] for item in there} & {self.bucket, other, f"{other}-2"}, {other, f"{other}-2"})
        self.assertEqual(self.s3.get_bucket_location(Bucket=f"{other}-2")["LocationConstraint"], "eu-central-1")
        stranger = self.server.client("s3", access_key="AKIAAAAAAAAAAAAAAAAA", secret_key="nothing")
        self.refused("InvalidAccessKeyId", stranger.list_buckets)
        forger = self.server.client("s3", secret_key="wrong")
        self.refused("SignatureDoesNotMatch", forger.list_buckets)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{self.server.endpoint}/{self.bucket}/k")
        self.assertEqual(caught.exception.code, 403)


class Presigned(S3Case):
    def test_urls_of_both_signature_versions(self):
        from botocore.config import Config

        self.put("k", b"shared")
        for version in ("s3", "s3v4"):
            client = self.server.client("s3", config=Config(signature_version=version, s3={"addressing_style": "path"}))
            place = {"Bucket": self.bucket, "Key": "k"}
            with urllib.request.urlopen(client.generate_presigned_url("get_object", Params=place)) as answer:
                self.assertEqual(answer.read(), b"shared")
            place["Key"] = f"put-{version}"
            url = client.generate_presigned_url("put_object", Params=place)
            request = urllib.request.Request(url, data=b"by url", method="PUT", headers={"Content-Type": ""})
            urllib.request.urlopen(request).close()
            self.assertEqual(self.read(place["Key"]), b"by url")
            # What is said of the object travels in the URL, and is signed with it.
            place = {**place, "Key": f"said-{version}", "Metadata": {"venue": "a b"}, "StorageClass": "STANDARD_IA"}
            said = client.generate_presigned_url("put_object", Params=place)
            headers = {} if version == "s3" else {"x-amz-meta-venue": "a b", "x-amz-storage-class": "STANDARD_IA"}
            request = urllib.request.Request(said, data=b"by url", method="PUT", headers={"Content-Type": "", **headers})
            urllib.request.urlopen(request).close()
            head = self.s3.head_object(Bucket=self.bucket, Key=place["Key"])
            self.assertEqual((head["Metadata"], head["StorageClass"]), ({"venue": "a b"}, "STANDARD_IA"))
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url.replace("Signature=", "Signature=0"))
        self.assertEqual(caught.exception.code, 403)


class CommandLine(S3Case):
    def setUp(self):
        super().setUp()
        self.home = self.server.home / self.bucket
        self.home.mkdir()

    def test_cp_ls_sync_mv_rm_presign(self):
        tree = self.home / "tree"
        for name, size in (("a.txt", 10), ("sub/b.bin", 200_000), ("sub/ä ö.txt", 0), ("big.bin", 20 * MIB)):
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(noise(size, seed=size))
        aws = self.server.aws
        aws("s3", "sync", tree, f"s3://{self.bucket}/tree")
        listing = aws("s3", "ls", "--recursive", f"s3://{self.bucket}")
        self.assertEqual(len(listing.strip().splitlines()), 4)
        self.assertIn("PRE sub/", aws("s3", "ls", f"s3://{self.bucket}/tree/"))
        self.assertEqual(aws("s3", "sync", tree, f"s3://{self.bucket}/tree").strip(), "")
        back = self.home / "back"
        aws("s3", "sync", f"s3://{self.bucket}/tree", back)
        for path in tree.rglob("*"):
            if path.is_file():
                self.assertEqual((back / path.relative_to(tree)).read_bytes(), path.read_bytes())
        aws("s3", "cp", tree / "a.txt", f"s3://{self.bucket}/one")
        aws("s3", "mv", f"s3://{self.bucket}/one", f"s3://{self.bucket}/two")
        out = self.server.run("aws", "s3", "cp", f"s3://{self.bucket}/two", "-", text=False).stdout
        self.assertEqual(out, noise(10, seed=10))
        url = aws("s3", "presign", f"s3://{self.bucket}/two").strip()
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.read(), noise(10, seed=10))
        aws("s3", "cp", f"s3://{self.bucket}/tree/big.bin", f"s3://{self.bucket}/copy.bin")
        aws("s3", "rm", "--recursive", f"s3://{self.bucket}/tree")
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["KeyCount"], 2)
        aws("s3", "rb", "--force", f"s3://{self.bucket}")


class OtherClients(S3Case):
    """Clients from the distribution, where they are installed."""

    def test_rclone(self):
        if shutil.which("rclone") is None:
            self.skipTest("rclone is not installed")
        home = self.server.home / "rclone"
        (home / "in").mkdir(parents=True)
        (home / "in" / "small").write_bytes(b"small")
        (home / "in" / "large").write_bytes(noise(12 * MIB))
        environment = self.server.environment(
            RCLONE_CONFIG_R_TYPE="s3", RCLONE_CONFIG_R_PROVIDER="Other", RCLONE_CONFIG_R_ENV_AUTH="true",
            RCLONE_CONFIG_R_ENDPOINT=self.server.endpoint, RCLONE_CONFIG_R_ACL="private", AWS_CA_BUNDLE=None)
        remote = f"R:{self.bucket}/in"
        run = lambda *words: self.server.run("rclone", *words, environment=environment)
        run("copy", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", home / "in", remote)
        run("check", home / "in", remote)
        run("copy", remote, home / "out")
        self.assertEqual((home / "out" / "large").read_bytes(), noise(12 * MIB))
        run("purge", remote)

    def test_s3cmd(self):
        if shutil.which("s3cmd") is None:
            self.skipTest("s3cmd is not installed")
        home = self.server.home / "s3cmd"
        home.mkdir()
        (home / "file").write_bytes(noise(16 * MIB))
        host = self.server.endpoint.removeprefix("http://")
        words = ["s3cmd", "--no-ssl", f"--host={host}", f"--host-bucket={host}", "--config=/dev/null",
                 f"--access_key={self.server.access_key}", f"--secret_key={self.server.secret_key}", "--no-progress"]
        self.server.run(*words, "put", home / "file", f"s3://{self.bucket}/file")
        self.assertIn("file", self.server.run(*words, "ls", f"s3://{self.bucket}").stdout)
        self.server.run(*words, "info", f"s3://{self.bucket}/file")
        self.server.run(*words, "get", f"s3://{self.bucket}/file", home / "back")
        self.assertEqual((home / "back").read_bytes(), noise(16 * MIB))
        self.server.run(*words, "del", f"s3://{self.bucket}/file")


if __name__ == "__main__":
    unittest.main()
