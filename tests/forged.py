"""Tokens that must open no door: forged, broken, void, each by what is wrong with it."""

import base64
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fleet import auth
from fleet.messages import new_id
from tests.signing import TestKey

ME = UUID("01a20000-0000-7000-8000-00000000000a")
REMOVED = object()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk(key: Ed25519PrivateKey, kid: str = TestKey.kid) -> dict[str, str]:
    x = b64(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"}


def signed(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A token of these very bytes."""
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(sign(text.encode()))}"


def forged(keys: TestKey) -> dict[str, str]:
    """Tokens that must not open any door, by what is wrong with them."""
    right, claims = keys.token(ME), keys.claims(ME)
    head, body, signature = right.split(".")
    header = {"alg": "EdDSA", "kid": keys.kid, "typ": auth.TOKEN_TYPE}
    payload = json.dumps(claims).encode()
    eve = Ed25519PrivateKey.generate()
    public = keys.private.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def with_header(sign: Callable[[bytes], bytes] = keys.private.sign, **changes: Any) -> str:
        changed = {name: value for name, value in (header | changes).items() if value is not REMOVED}
        return signed(json.dumps(changed).encode(), payload, sign)

    def with_claims(**changes: Any) -> str:
        changed = {name: value for name, value in (claims | changes).items() if value is not REMOVED}
        return signed(json.dumps(header).encode(), json.dumps(changed).encode(), keys.private.sign)

    def with_payload(text: str) -> str:
        return signed(json.dumps(header).encode(), text.encode(), keys.private.sign)

    def hmac_of(secret: bytes) -> Callable[[bytes], bytes]:
        return lambda text: hmac.new(secret, text, sha256).digest()

    found = {f"alg {alg}": with_header(lambda _: b"", alg=alg) for alg in ("none", "None", "NONE", "nOnE", "")}
    found |= {
        "alg none, signed": with_header(alg="none"),
        "HS256 with the public key, raw": with_header(hmac_of(raw), alg="HS256"),
        "HS256 with the public key, PEM": with_header(hmac_of(pem), alg="HS256"),
        "HS256 with the public key, JWK": with_header(hmac_of(json.dumps(jwk(keys.private)).encode()), alg="HS256"),
        "HS256 with nothing": with_header(hmac_of(b""), alg="HS256"),
        "another key under our kid": with_header(eve.sign),
        "embedded jwk": with_header(eve.sign, jwk=jwk(eve, "eve"), kid="eve"),
        "embedded jwk under our kid": with_header(eve.sign, jwk=jwk(eve)),
        "jku": with_header(eve.sign, jku="http://127.0.0.1:1/jwks.json", kid="eve"),
        "x5u": with_header(eve.sign, x5u="http://127.0.0.1:1/x.pem"),
        "crit, rightly signed": with_header(crit=["exp"]),
        "crit unknown": with_header(crit=["x"], x=1),
        "crit empty": with_header(crit=[]),
        "ES256, zero signature": with_header(lambda _: bytes(64), alg="ES256"),
        "ES256": jwt.encode(
            claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers=header | {"alg": "ES256"}
        ),
        "RS256": jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256", headers=header | {"alg": "RS256"}),
        "alg ed25519 by another name": with_header(alg="Ed25519"),
        "alg missing": with_header(alg=REMOVED),
        "alg a list": with_header(alg=["EdDSA"]),
        "alg null": with_header(alg=None),
        "b64 false": with_header(b64=False),
        "zero signature": f"{head}.{body}.{b64(bytes(64))}",
        "stripped signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{right}.{signature}",
        "five parts": f"{right}..",
        "one part": head,
        "dots only": "..",
        "short signature": right[:-8],
        "long signature": right + "AAAA",
        "another payload": f"{head}.{keys.token(new_id(), 'admin').split('.')[1]}.{signature}",
        "padded": right + "=",
        "padded payload": f"{head}.{body}=.{signature}",
        "a foreign character": right[:-4] + "!" + right[-4:],
        "not URL-safe": f"{head}.{body}.{signature[:-1]}+",
        "a space inside": f"{head}. {body}.{signature}",
        "not ASCII": "é.é.é",
        "a refresh token": "k3uRz0Vf1PzJvHn8yqgMZ7b5lq2Xw0c9s4TtDdEeFfG",
        "null": "null",
        "JSON": '{"sub":"me"}',
        "a megabyte": "a" * 2**20,
        "a megabyte of dots": "." * 2**20,
        "a megabyte in the header": with_header(pad="a" * 2**20)[:-4],
        "header no JSON": signed(b"{", payload, keys.private.sign),
        "header a list": signed(b"[]", payload, keys.private.sign),
        "header null": signed(b"null", payload, keys.private.sign),
        "header not UTF-8": signed(b"\xff\xfe", payload, keys.private.sign),
        "header deep": signed(b"[" * 100_000, payload, keys.private.sign),
        "header duplicate keys": signed(
            b'{"alg":"none","alg":"EdDSA","kid":"test-key","typ":"at+jwt"}', payload, eve.sign
        ),
        "payload no JSON": with_payload("{"),
        "payload a list": with_payload("[]"),
        "payload a number": with_payload("5"),
        "payload null": with_payload("null"),
        "payload deep": with_payload('{"a":' * 50_000),
        "payload empty": with_payload(""),
        "payload duplicate keys": signed(json.dumps(header).encode(), b'{"sub":"x",' + payload[1:], eve.sign),
    }
    kids = [REMOVED, None, "", 5, ["test-key"], {}, "unknown", "../../../etc/passwd", "' OR '1'='1", "test-key\x00"]
    kids += ["TEST-KEY", " test-key", "x" * 100_000, "http://127.0.0.1:1/", "é"]
    found |= {f"kid {kid!r}"[:40]: with_header(kid=kid) for kid in kids}
    found |= {
        f"typ {typ!r}": with_header(typ=typ) for typ in (REMOVED, None, "JWT", "at+JWT", "rt+jwt", "", 5, ["at+jwt"])
    }
    numbers: list[Any] = [
        REMOVED,
        None,
        "",
        "5",
        str(claims["exp"]),
        float(claims["exp"]),
        True,
        -1,
        [],
        {},
        2**63,
        1e300,
    ]
    found |= {f"exp {value!r}": with_claims(exp=value) for value in [*numbers, claims["iat"] - 60, 0]}
    found |= {f"nbf {value!r}": with_claims(nbf=value) for value in [*numbers[:5], True, claims["exp"] + 60]}
    found |= {f"iat {value!r}": with_claims(iat=value) for value in [*numbers[:5], True, claims["exp"] + 60]}
    found |= {f"sv {value!r}": with_claims(sv=value) for value in [REMOVED, None, "1", 1.0, True, -1, [], 2**63]}
    for name in ("exp", "nbf", "iat", "sv"):
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400):
            found[f"{name} {text[:10]}"] = with_payload(
                json.dumps(claims | {name: 0}).replace(f'"{name}": 0', f'"{name}": {text}')
            )
    for value in (REMOVED, None, "", "propel", "propel-api ", ["other"], [], {}, 5):
        found[f"aud {value!r}"] = with_claims(aud=value)
    for value in (REMOVED, None, "", "propel", "propel-users ", ["propel-users"], 5):
        found[f"iss {value!r}"] = with_claims(iss=value)
    subjects = [
        REMOVED,
        None,
        "",
        "points",
        "admin",
        5,
        [str(ME)],
        str(ME).upper(),
        f"{{{ME}}}",
        ME.hex,
        f"urn:uuid:{ME}",
    ]
    found |= {f"sub {value!r}": with_claims(sub=value) for value in [*subjects, "' OR 1=1", "\x00", f"{ME}\n"]}
    found |= {f"sid {value!r}": with_claims(sid=value) for value in (None, "", 5, "me", str(ME).upper(), [str(ME)], {})}
    found |= {f"role {value!r}": with_claims(role=value) for value in (REMOVED, None, 5, ["admin"], {"admin": True})}
    found |= {f"type {value!r}": with_claims(type=value) for value in ("refresh", "", None, "svc", 5, ["access"])}
    return found
