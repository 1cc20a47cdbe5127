"""What is left of plaintext in the server's memory once it has been answered: nothing."""

import base64
import http.client
import json
import re
import secrets
import socket
import unittest

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from server import Server, wait_until


def traces(secret):
    """Parts of a secret, as it is and in base 64, each long enough to be no chance."""
    middle = len(secret) // 2
    text = base64.b64encode(secret)
    half = len(text) // 8 * 4
    return [secret[:16], secret[middle : middle + 16], secret[-16:], text[:20], text[half : half + 20], text[-24:-4]]


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.kms = cls.server.client("kms")
        try:
            cls.writable()
        except PermissionError:
            cls.server.close()
            raise unittest.SkipTest("the server forbids others to read its memory; only root may look")
        cls.key = cls.kms.create_key()["KeyMetadata"]["KeyId"]

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    @classmethod
    def writable(cls):
        """The content of all writable memory of the server, mapping by mapping."""
        process = f"/proc/{cls.server.process.pid}"
        content = []
        with open(f"{process}/maps") as maps, open(f"{process}/mem", "rb", buffering=0) as memory:
            for line in maps:
                start, end, flags = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
                if flags.startswith("rw"):
                    try:
                        memory.seek(int(start, 16))
                        content.append((line.strip(), memory.read(int(end, 16) - int(start, 16))))
                    except (OSError, ValueError):
                        pass  # Gone since, or none that can be read.
        return content

    def found(self, secret):
        """Where traces of a secret are."""
        content = self.writable()
        return [
            f"{where}: {trace!r}" for where, memory in content for trace in traces(secret) if trace and trace in memory
        ]

    def assert_gone(self, *all_secrets):
        for number, secret in enumerate(all_secrets):
            left = []

            def is_gone():
                # An answer is wiped when it has been sent, which may be just after it has arrived.
                left[:] = self.found(secret)
                return not left

            try:
                wait_until(is_gone, "the plaintext to be wiped", patience=5)
            except AssertionError:
                self.fail(f"secret {number} is still there:\n" + "\n".join(left))

    def test_what_is_not_wiped_is_found(self):
        name = secrets.token_hex(20)
        self.kms.create_key(Description=name)
        self.assertTrue(any(name.encode() in memory for _, memory in self.writable()), "the search finds nothing")

    def test_data_keys_are_gone_when_they_have_been_sent(self):
        made = [self.kms.generate_data_key(KeyId=self.key, KeySpec="AES_256") for _ in range(8)]
        for answer in made:
            opened = self.kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])
            self.assertEqual(answer["Plaintext"], opened["Plaintext"])
        self.assertEqual(
            "no-cache, no-store, must-revalidate, private", opened["ResponseMetadata"]["HTTPHeaders"]["cache-control"]
        )
        self.assert_gone(*(answer["Plaintext"] for answer in made))

    def test_random_bytes_are_gone(self):
        self.assert_gone(*(self.kms.generate_random(NumberOfBytes=count)["Plaintext"] for count in (40, 1024)))

    def test_key_pairs_and_shared_secrets_are_gone(self):
        pairs = [
            self.kms.generate_data_key_pair(KeyId=self.key, KeyPairSpec=spec) for spec in ("ECC_NIST_P256", "RSA_2048")
        ]
        agreeing = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
        other = ec.generate_private_key(ec.SECP256R1())
        shared = self.kms.derive_shared_secret(
            KeyId=agreeing,
            KeyAgreementAlgorithm="ECDH",
            PublicKey=other.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )["SharedSecret"]
        # The ends of a pair's encoding are its public key, and so is the first half of an RSA key's.
        parts = [pairs[0]["PrivateKeyPlaintext"][36:68], pairs[1]["PrivateKeyPlaintext"][340:420]]
        for pair, part in zip(pairs, parts):
            self.assertNotIn(part, pair["PublicKey"])
        self.assert_gone(shared, *parts)

    def test_what_is_encrypted_is_gone(self):
        texts = [secrets.token_bytes(count) for count in (32, 100, 4096)]
        for text in texts:
            blob = self.kms.encrypt(KeyId=self.key, Plaintext=text)["CiphertextBlob"]
            again = self.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=self.key)["CiphertextBlob"]
            self.assertEqual(text, self.kms.decrypt(CiphertextBlob=again)["Plaintext"])
        rsa = self.kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
        options = {"KeyId": rsa, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        texts.append(secrets.token_bytes(60))
        blob = self.kms.encrypt(Plaintext=texts[-1], **options)["CiphertextBlob"]
        self.assertEqual(texts[-1], self.kms.decrypt(CiphertextBlob=blob, **options)["Plaintext"])
        self.assert_gone(*texts)

    def test_messages_are_gone_when_they_are_signed(self):
        signing = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        coding = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        message, other = secrets.token_bytes(500), secrets.token_bytes(500)
        self.kms.sign(KeyId=signing, Message=message, SigningAlgorithm="ECDSA_SHA_256")
        self.kms.generate_mac(KeyId=coding, Message=other, MacAlgorithm="HMAC_SHA_256")
        self.assert_gone(message, other)

    def signed(self, operation, document):
        """The headers and the body of a signed request."""
        body = json.dumps(document).encode()
        request = AWSRequest(
            method="POST", url=f"{self.server.endpoint}/", data=body,
            headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"},
        )
        credentials = Credentials(self.server.access_key, self.server.secret_key)
        SigV4Auth(credentials, "kms", self.server.region).add_auth(request)
        return dict(request.headers), body

    def test_requests_that_need_a_task_leave_nothing_either(self):
        found = []
        for is_chunked, more in ((False, {"Connection": "close"}), (True, {"Transfer-Encoding": "chunked"})):
            text = secrets.token_bytes(600)
            answers = []
            document = {"KeyId": self.key, "Plaintext": base64.b64encode(text).decode()}
            for operation in ("Encrypt", "Decrypt"):
                headers, body = self.signed(operation, document)
                connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
                pieces = [body[at : at + 100] for at in range(0, len(body), 100)] if is_chunked else body
                connection.request("POST", "/", pieces, headers | more, encode_chunked=is_chunked)
                answers.append(json.loads(connection.getresponse().read()))
                connection.close()
                document = {"CiphertextBlob": answers[0].get("CiphertextBlob")}
            self.assertEqual(text, base64.b64decode(answers[1]["Plaintext"]))
            found.append(text)
        self.assert_gone(*found)

    def test_a_request_that_is_cut_short_leaves_nothing(self):
        text = secrets.token_bytes(600)
        headers, body = self.signed("Encrypt", {"KeyId": self.key, "Plaintext": base64.b64encode(text).decode()})
        head = "".join(f"{name}: {value}\r\n" for name, value in (headers | {"Content-Length": len(body)}).items())
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body[:-10])
        self.assert_gone(text)


if __name__ == "__main__":
    unittest.main()
