"""POST /v1/oauth2/token, and what a request without a good token hears."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import parse_qs

from twintill.sandbox.paypal.refusal import PayPalRefusal
from twintill.sandbox.paypal.settings import PayPalSandboxSettings
from twintill.sandbox.processor.face import Call, Reply

_SCOPE = (
    "https://uri.paypal.com/services/payments/payment "
    "https://uri.paypal.com/services/vault/payment-tokens/readwrite "
    "https://uri.paypal.com/services/reporting/search/read "
    "https://uri.paypal.com/services/disputes/read-seller"
)


class Access:
    """The access tokens that are good at this moment; each lives until somebody ends it."""

    def __init__(self, settings: PayPalSandboxSettings) -> None:
        self._settings = settings
        self._tokens: set[str] = set()

    def forget(self) -> None:
        self._tokens.clear()

    def grant(self, call: Call, new_token: str) -> Reply:
        if not self._knows(call.headers.get("authorization", "")):
            return _error(401, "invalid_client", "Client Authentication failed")
        form = parse_qs(call.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return _error(400, "unsupported_grant_type", "Grant Type is NULL or not supported")
        self._tokens.add(new_token)
        granted = {
            "scope": _SCOPE,
            "access_token": new_token,
            "token_type": "Bearer",
            "app_id": "APP-80W284485P519543T",
            "expires_in": self._settings.token_ttl_s,
            "nonce": "2026-01-01T00:00:00Zsandbox",
        }
        return Reply(200, granted)

    def refusal(self, call: Call) -> Reply | PayPalRefusal | None:
        """Why this request may not be answered; None: it may."""
        header = call.headers.get("authorization", "")
        if not header:
            return PayPalRefusal("AUTHENTICATION_FAILURE")
        kind, _, token = header.partition(" ")
        if kind == "Bearer" and token in self._tokens:
            return None
        return _error(401, "invalid_token", "Token signature verification failed")

    def _knows(self, header: str) -> bool:
        pair = f"{self._settings.client_id}:{self._settings.api_key}".encode()
        expected = f"Basic {base64.b64encode(pair).decode()}"
        return hmac.compare_digest(header.encode(), expected.encode())


def _error(status: int, error: str, text: str) -> Reply:
    return Reply(status, {"error": error, "error_description": text})
