"""Verifies JWS with another implementation: jwcrypto.

usage: jws.py < sealed.ndjson

Prints one JSON line per line of input: {"alg": name, "payload": SHA-256 of the verified bytes}, or {"error": name}.
"""

import base64
import hashlib
import json
import sys

from cryptography import x509
from jwcrypto import jwk, jws
from jwcrypto.common import JWException, base64url_decode

# What JAdES adds and a header may call critical.
KNOWN = {name: jws.JWSEHeaderParameter(name, False, True, None) for name in ("sigT", "adoTst")}


def main():
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(verdict(line)), flush=True)


def verdict(line):
    header = json.loads(base64url_decode(json.loads(line)["signatures"][0]["protected"]))
    certificate = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    key = jwk.JWK.from_pyca(certificate.public_key())
    signature = jws.JWS(header_registry=KNOWN)
    try:
        signature.deserialize(line, key)
    except JWException as e:
        return {"error": type(e).__name__}
    payload = signature.payload
    payload = payload.encode() if isinstance(payload, str) else payload
    return {"alg": header["alg"], "payload": hashlib.sha256(payload).hexdigest()}


if __name__ == "__main__":
    main()
