"""Whether the time of an upload tells what another account has stored."""

import hashlib
import math
import os
import random
import time
import unittest
from http.client import HTTPConnection
from urllib.parse import urlsplit

from server import Server

OWNER, GUEST = "111111111111", "222222222222"
UPLOADS = 10_000
PER_LINK = 250


def rank_z(one, two):
    """How far apart the ranks of two samples lie, in standard deviations (Mann and Whitney)."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in two])
    rank_sum = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
    mean = len(one) * (len(ranked) + 1) / 2
    return (rank_sum - mean) / math.sqrt(mean * len(two) / 6)


class Timing(unittest.TestCase):
    def setUp(self):
        self.server = Server(account=OWNER).start()
        self.addCleanup(self.server.close)
        made = self.server.coffer_json("account", "create", GUEST)
        guest = {"access_key": made["accessKeyID"], "secret_key": made["secretAccessKey"]}
        self.guest_s3 = self.server.client("s3", **guest)
        self.guest_s3.create_bucket(Bucket="guest")
        self.seed = int(os.environ.get("COFFER_TEST_SEED", random.getrandbits(32)))
        self.random = random.Random(self.seed)

    def content(self, label, index):
        """Some kilobytes that compress, different for each label and index."""
        block = hashlib.sha256(f"{self.seed}/{label}/{index}".encode()).hexdigest()
        return (block * 64).encode()

    def put(self, connection, path, body):
        """The seconds that one upload takes."""
        began = time.perf_counter()
        connection.request("PUT", path, body)
        response = connection.getresponse()
        response.read()
        took = time.perf_counter() - began
        self.assertEqual(200, response.status)
        return took

    def test_ten_thousand_uploads_do_not_tell_which_of_them_another_account_has(self):
        half = UPLOADS // 2
        # What the owner has; the guest will try each of it once.
        held = self.server.home / "held"
        held.mkdir()
        for index in range(half):
            (held / str(index)).write_bytes(self.content("held", index))
        self.server.coffer("artifact", "put", "owner/held", held)
        tries = [("held", index) for index in range(half)] + [("fresh", index) for index in range(half)]
        # In an order of chance, whatever else the machine does falls on both alike.
        self.random.shuffle(tries)
        took = {"held": [], "fresh": []}
        for count, (label, index) in enumerate(tries):
            if count % PER_LINK == 0:
                link = self.link(self.guest_s3, "guest", f"try-{count}")
                connection = HTTPConnection("127.0.0.1", self.server.port)
            took[label].append(self.put(connection, link, self.content(label, index)))
        z = rank_z(took["held"], took["fresh"])
        # Five deviations happen once in two million runs where there is nothing to see.
        self.assertLess(abs(z), 5, f"seed {self.seed}: the times differ")
        self.assert_sees(took)

    def assert_sees(self, took):
        """The measurement would have noticed a tenth of the typical time."""
        typical = sorted(took["fresh"])[len(took["fresh"]) // 2]
        slower = [value + typical / 10 for value in took["held"]]
        self.assertGreater(rank_z(slower, took["fresh"]), 5, f"seed {self.seed}: too noisy to tell anything")

    def link(self, client, bucket, key):
        url = urlsplit(client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}))
        return f"{url.path}?{url.query}"


if __name__ == "__main__":
    unittest.main()
