"""An OpenID provider on loopback that checks what Google checks; a test may make it lie, break or dawdle."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID, CLIENT_SECRET = "propel.apps.test", "a-secret-of-tests"


class Provider:
    """`url` is its address; `person` says who agrees in the browser; `refusals` are the errors it gave, in order."""

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri
        self.key, self.kid = rsa.generate_private_key(65537, 2048), "first"
        self.person: dict[str, Any] = {
            "sub": "1001",
            "email": "ada@example.org",
            "email_verified": True,
            "given_name": "Ada",
            "family_name": "Lovelace",
        }
        self.refusals: list[str] = []
        self.asked: list[str] = []
        # What a test changes: the claims, the token as a whole, or the answer of /token.
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.sign: Callable[[dict[str, Any]], Any] = self._sign
        self.answer: Callable[[], tuple[int, bytes] | None] = lambda: None
        self._codes: dict[str, dict[str, str]] = {}
        self._used: set[str] = set()
        self._server = self._serve()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def settings(self) -> dict[str, str]:
        """The environment of a client of this provider."""
        return {
            "USERS_GOOGLE_CLIENT_ID": CLIENT_ID,
            "USERS_GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
            "USERS_GOOGLE_ISSUER": self.url,
            "USERS_GOOGLE_AUTHORIZE_URL": f"{self.url}/authorize",
            "USERS_GOOGLE_TOKEN_URL": f"{self.url}/token",
            "USERS_GOOGLE_JWKS_URL": f"{self.url}/jwks",
        }

    def agree(self, address: str) -> dict[str, str]:
        """The person follows the redirect to `address` and agrees: the query of the way back."""
        parts = urlsplit(address)
        asked = dict(parse_qsl(parts.query, strict_parsing=True))
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert asked["redirect_uri"] == self.redirect_uri, "only the registered address, letter by letter"
        assert {"openid", "email"} <= set(asked["scope"].split())
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["code_challenge"]) == 43
        assert min(len(asked["state"]), len(asked["nonce"])) >= 43, "random enough not to be guessed"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return {"state": asked["state"], "code": code, "scope": "openid email", "authuser": "0", "prompt": "none"}

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """RFC 6749 section 4.1.3 and RFC 7636 section 4.6, with every check."""
        asked = self._codes.get(form.get("code", ""))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return self._refuse(401, "invalid_client")
        if form.get("grant_type") != "authorization_code":
            return self._refuse(400, "unsupported_grant_type")
        if asked is None or form["code"] in self._used:
            return self._refuse(400, "invalid_grant")
        self._used.add(form["code"])
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if form.get("redirect_uri") != asked["redirect_uri"] or challenge != asked["code_challenge"]:
            return self._refuse(400, "invalid_grant")
        second = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "azp": CLIENT_ID, "iat": second, "exp": second + 3600}
        claims |= {"nonce": asked["nonce"]} | self.person
        token = self.sign(self.claims(claims))
        return 200, {"access_token": "unused", "token_type": "Bearer", "expires_in": 3599, "id_token": token}

    def _refuse(self, status: int, error: str) -> tuple[int, dict[str, Any]]:
        self.refusals.append(error)
        return status, {"error": error, "error_description": "<script>alert(1)</script>"}

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.kid})

    def jwks(self) -> dict[str, Any]:
        key = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [key | {"kid": self.kid, "alg": "RS256", "use": "sig"}]}

    def _serve(self) -> ThreadingHTTPServer:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                self._say(200, json.dumps(provider.jwks()).encode())

            def do_POST(self) -> None:
                provider.asked.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if (instead := provider.answer()) is not None:
                    self._say(*instead)
                    return
                status, found = provider._token(dict(parse_qsl(body)))
                self._say(status, json.dumps(found).encode())

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status in (302, 307):
                    self.send_header("Location", f"{provider.url}/elsewhere?{urlencode({'a': 'b'})}")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    pass

            def log_message(self, *_arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            # As many callers as the tests send at once; the default of five makes others wait for seconds.
            request_queue_size = 64

        server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return server

    def stop(self) -> None:
        """Nobody answers at its address any more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
