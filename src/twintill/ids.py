"""Identifiers: prefixed like Stripe's; whatever moves money is derived, never random.

A reference or key that is a pure function of (Stripe account, mode, invoice, n) is the same after
a crash, a fail-over or a restored backup, so that a second database cannot invent a second charge.
"""

import base64
import secrets
import uuid
from typing import NamedTuple

_NAMESPACE = uuid.UUID("6f1f6b0e-6a55-5f6e-9d0c-2f6a3a0f7c11")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"
_RANDOM_LETTERS = 24
_RANDOM_BITS = 256  # far more than the letters take, so that each is as likely as the others


class Scope(NamedTuple):
    """Whose data it is: every key in the database begins with these two."""

    stripe_account_id: str
    livemode: bool


def new_id(prefix: str) -> str:
    """A fresh random id, e.g. `new_id("evt")` -> "evt_4Yk..." (about 140 bits)."""
    number, letters = secrets.randbits(_RANDOM_BITS), []
    for _ in range(_RANDOM_LETTERS):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return f"{prefix}_" + "".join(letters)


def derived_id(prefix: str, scope: Scope, *parts: str | int) -> str:
    """The id that these parts always have; for rows that must not exist twice."""
    return f"{prefix}_{_derive(scope, prefix, *parts).hex}"


def payment_id(scope: Scope, invoice_id: str) -> str:
    return derived_id("pay", scope, invoice_id)


def attempt_id(scope: Scope, invoice_id: str, kind: str, n: int) -> str:
    return derived_id("att", scope, invoice_id, kind, n)


def reference(scope: Scope, invoice_id: str, kind: str, n: int) -> str:
    """Our reference at the processor: at most 35 safe ASCII characters, the same for ever."""
    digest = _derive(scope, "reference", invoice_id, kind, n).bytes
    return f"tw-{base64.b32encode(digest).decode().rstrip('=').lower()}-{n}"


def idempotency_key(scope: Scope, invoice_id: str, kind: str, n: int) -> str:
    """The key under which the processor may act at most once."""
    return str(_derive(scope, "key", invoice_id, kind, n))


def _derive(scope: Scope, *parts: str | int) -> uuid.UUID:
    mode = "live" if scope.livemode else "test"
    # A separator that cannot occur in the parts keeps ("a", "bc") and ("ab", "c") apart.
    return uuid.uuid5(_NAMESPACE, "\x1f".join((scope.stripe_account_id, mode, *map(str, parts))))
