"""Signs pictures with c2pa-python, and says what it makes of them and of all other files in a folder.

    c2pa_oracle.py FOLDER [COUNT [SEED]]

The folder may have files already, and the certificates to trust in anchors.pem. The answers are written to
FOLDER/c2pa.json: for each file its status codes with and without these certificates, the digital source types of its
active manifest, its generator and its signer.
"""

import datetime
import io
import json
import random
import sys
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

FORMATS = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}
VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TERMS = ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic", "digitalCapture",
         "computationalCapture", "algorithmicMedia", "digitalArt", "humanEdits", "screenCapture"]
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def key_of(algorithm):
    match algorithm:
        case "es256":
            return ec.generate_private_key(ec.SECP256R1())
        case "es384":
            return ec.generate_private_key(ec.SECP384R1())
        case "es512":
            return ec.generate_private_key(ec.SECP521R1())
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def name_of(organisation, common):
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "NL"),
                      x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(subject, key, issuer, issuer_key, *, authority):
    """Returns a certificate that C2PA accepts for signing, or one that issues such."""
    public = key.public_key()
    usage = {name: False for name in [
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]}
    usage |= {"key_cert_sign": True} if authority else {"digital_signature": True}
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        .serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY).not_valid_after(NOW + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False))
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    if isinstance(issuer_key, ec.EllipticCurvePrivateKey) and issuer_key.key_size == 521:
        digest = hashes.SHA512()  # c2pa does not check the signatures of such keys with shorter digests
    return builder.sign(issuer_key, digest)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Signers:
    """A signer of each algorithm, with a root of its own."""

    algorithms = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")

    def __init__(self):
        self.roots = []
        self.signers = {}
        for algorithm in self.algorithms:
            root_key, key = key_of(algorithm), key_of(algorithm)
            root_name = name_of(f"Root of {algorithm}", "root")
            root = certificate(root_name, root_key, root_name, root_key, authority=True)
            leaf = certificate(name_of(f"Signer {algorithm}", "signer"), key, root_name, root_key, authority=False)
            self.roots.append(pem(root))
            private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption())
            self.signers[algorithm] = c2pa.Signer.from_info(
                c2pa.C2paSignerInfo(algorithm.encode(), pem(leaf) + pem(root), private, None))


def picture(random, suffix):
    image = Image.frombytes("RGB", (32, 24), random.randbytes(32 * 24 * 3))
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG"}.get(suffix, suffix.upper()))
    return file.getvalue()


SIGNING = {"verify": {"verify_after_sign": False, "verify_trust": False, "remote_manifest_fetch": False},
           "builder": {"thumbnail": {"enabled": False}, "actions": {
               "auto_created_action": {"enabled": False}, "auto_opened_action": {"enabled": False},
               "auto_placed_action": {"enabled": False}}}}


def sign(signers, random, source, suffix, version, ingredient=None):
    """Returns the picture with a manifest of random contents, perhaps with an ingredient of the same format."""
    relationship = random.choice(["parentOf", "componentOf"]) if ingredient else None
    actions = []
    if relationship == "parentOf":
        actions.append({"action": "c2pa.opened", "parameters": {"ingredientIds": ["i"]}})
    else:
        actions.append({"action": "c2pa.created"})
        if relationship:
            actions.append({"action": "c2pa.placed", "parameters": {"ingredientIds": ["i"]}})
    if random.random() < 0.7:
        actions[0]["digitalSourceType"] = VOCABULARY + random.choice(TERMS)
    if random.random() < 0.3:
        actions.append({"action": "c2pa.edited", "digitalSourceType": VOCABULARY + random.choice(TERMS)})
    if random.random() < 0.3:
        actions.append({"action": "c2pa.edited",
                        "parameters": {"com.adobe.digitalSourceType": VOCABULARY + random.choice(TERMS)}})
    manifest = {
        "claim_version": version, "title": "picture", "format": FORMATS[suffix],
        "claim_generator_info": [{"name": random.choice(["Camera", "Programm für Bilder", "ペイント"]),
                                  "version": random.choice(["1.0", "2"])}],
        "assertions": [{"label": "c2pa.actions" if version == 1 else "c2pa.actions.v2", "data": {"actions": actions}}],
    }
    builder = c2pa.Builder(manifest, c2pa.Context.from_dict(SIGNING))
    if ingredient:
        description = json.dumps({"title": "part", "relationship": relationship, "label": "i"})
        builder.add_ingredient(description, FORMATS[suffix], io.BytesIO(ingredient))
    signed = io.BytesIO()
    builder.sign(signers.signers[random.choice(signers.algorithms)], FORMATS[suffix], io.BytesIO(source), signed)
    return signed.getvalue()


def damaged(random, file):
    """Returns the file with a byte changed, a byte added, or as it is."""
    kind = random.randrange(4)
    changed = bytearray(file)
    if kind == 1:
        changed[-random.randrange(20, 200)] ^= 1 << random.randrange(8)
    elif kind == 2 and (place := file.find(b"c2pa.actions")) > 0:
        changed[place + random.randrange(60, 90)] ^= 1
    elif kind == 3:
        changed.append(0)
    return bytes(changed)


def terms(manifest):
    found = []
    for assertion in manifest.get("assertions", []):
        if assertion["label"].startswith("c2pa.actions"):
            for action in assertion["data"]["actions"]:
                found.append([action["action"], action.get("digitalSourceType")])
                found.append([action["action"], (action.get("parameters") or {}).get("com.adobe.digitalSourceType")])
    return [[action, term] for action, term in found if term]


def read(path, context):
    """Returns what c2pa makes of a file; None if it has no manifest, or cannot be read."""
    try:
        with path.open("rb") as file:
            reader = c2pa.Reader(FORMATS[path.suffix[1:]], file, context=context)
            return json.loads(reader.json())
    except c2pa.C2paError as error:
        return {"error": str(error)}


def answer(path, anchors):
    verify = {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    result = {"file": path.name}
    for name, trust in [("unknown", {}), ("known", {"trust_anchors": anchors})]:
        report = read(path, c2pa.Context.from_dict({"verify": verify, "trust": trust}))
        if "error" in report:
            result["error"] = report["error"]
            continue
        codes = report.get("validation_results", {}).get("activeManifest", {})
        result[name] = sorted({item["code"] for kind in ("success", "informational", "failure")
                               for item in codes.get(kind, [])})
        result["state"] = report.get("validation_state")
        manifest = report["manifests"].get(report["active_manifest"])
        if manifest is None:
            result["error"] = "the active manifest cannot be read"
            continue
        result["terms"] = terms(manifest)
        result["signer"] = manifest.get("signature_info", {}).get("issuer")
        information = (manifest.get("claim_generator_info") or [{}])[0]
        result["generator"] = " ".join(filter(None, [information.get("name"), information.get("version")]))
        result["manifests"] = len(report["manifests"])
    return result


def main():
    folder = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    seeded = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    signers = Signers()
    for number in range(count):
        suffix = seeded.choice(list(FORMATS))
        version = seeded.choice([1, 2, 2])
        file = sign(signers, seeded, picture(seeded, suffix), suffix, version)
        for _ in range(seeded.choice([0, 0, 1, 2])):
            file = sign(signers, seeded, picture(seeded, suffix), suffix, version, ingredient=file)
        (folder / f"signed-{number:04}.{suffix}").write_bytes(damaged(seeded, file))
    trusted = folder / "anchors.pem"
    trusted.write_bytes((trusted.read_bytes() if trusted.exists() else b"") + b"".join(signers.roots))
    files = sorted(path for path in folder.iterdir() if path.suffix[1:] in FORMATS)
    answers = [answer(path, trusted.read_text()) for path in files]
    (folder / "c2pa.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
