"""The signature of a Stripe webhook: our own check, which also refuses the future.

Stripe's client takes one secret, accepts timestamps from the future, and raises other errors for
a body that is not UTF-8; here a body is either provably Stripe's and recent, or refused.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from twintill.errors import SignatureRefused

TOLERANCE_S = 300
# While a secret is rolled Stripe signs with two; far more than that is not Stripe's header.
_MOST_SIGNATURES = 16
_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


def verify(
    body: bytes,
    header: str | None,
    secrets: Sequence[str],
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
) -> None:
    """Refuse what was not signed, within the tolerance of `now`, with one of these secrets."""
    if not secrets or not all(secrets):
        raise ValueError("no webhook secret is configured: nothing can be verified")
    timestamp, signatures = _read(header)
    expected = [_sign(body, timestamp, secret) for secret in secrets]
    if not any(hmac.compare_digest(e, s) for e in expected for s in signatures):
        raise SignatureRefused(
            "Stripe-Signature: no signature matches this body with a configured secret"
        )
    # Only now: an unproven timestamp says nothing.
    age_s = int(now.timestamp()) - int(timestamp)
    if abs(age_s) > tolerance_s:
        when = "old" if age_s > 0 else "in the future"
        raise SignatureRefused(
            f"Stripe-Signature: signed {abs(age_s)} s {when}, more than {tolerance_s} s: "
            "is the clock of this machine right?"
        )


def sign(body: bytes, secret: str, now: datetime) -> str:
    """The header that Stripe would send; for replays into our own door, and for tests."""
    timestamp = str(int(now.timestamp()))
    return f"t={timestamp},v1={_sign(body, timestamp, secret)}"


def _sign(body: bytes, timestamp: str, secret: str) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _read(header: str | None) -> tuple[str, list[str]]:
    """The timestamp as it was sent, and the signatures of the one scheme that we trust."""
    if not header:
        raise SignatureRefused("Stripe-Signature: the header is missing")
    pairs = [item.strip().partition("=")[::2] for item in header.split(",")]
    timestamps = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"]
    if len(timestamps) != 1 or not _TIMESTAMP.match(timestamps[0]):
        raise SignatureRefused("Stripe-Signature: not exactly one timestamp of whole seconds")
    if not 1 <= len(signatures) <= _MOST_SIGNATURES:
        raise SignatureRefused("Stripe-Signature: no v1 signature, or too many")
    # compare_digest takes ASCII only: what is not a SHA-256 in hex cannot match anyway.
    return timestamps[0], [s for s in signatures if _HEX_DIGEST.match(s)]
