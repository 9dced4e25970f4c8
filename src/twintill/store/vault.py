"""Sealing tokens: AES-256-GCM with the row's identity as associated data, and a ring of keys.

The first key of the ring seals; all of them open. A sealed value copied to another row does not
open there. Layout: version (1 byte), key id (4 bytes), nonce (12 bytes), ciphertext with its tag.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from twintill.errors import VaultError
from twintill.ids import Scope

_VERSION = b"\x01"


class Vault:
    """Made once from the settings' keys (32 bytes each), first key first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != 32 for key in keys):
            raise VaultError("the vault needs at least one key of exactly 32 bytes")
        self._ring = {_key_id(key): AESGCM(key) for key in keys}
        self._sealing = _key_id(keys[0])
        self._fingerprint_key = hashlib.sha256(b"twintill fingerprint" + keys[-1]).digest()

    def __repr__(self) -> str:
        return f"Vault({len(self._ring)} keys)"

    def seal(self, secret: bytes, scope: Scope, *row: str) -> bytes:
        """Bound to (scope, row): opening it elsewhere fails."""
        nonce = os.urandom(12)
        sealed = self._ring[self._sealing].encrypt(nonce, secret, _associated(scope, row))
        return _VERSION + self._sealing + nonce + sealed

    def open(self, sealed: bytes, scope: Scope, *row: str) -> bytes:
        """Raises VaultError when no key fits, or it was sealed for another row."""
        if sealed[:1] != _VERSION:
            raise VaultError("sealed by an unknown version of the vault")
        key = self._ring.get(sealed[1:5])
        if key is None:
            raise VaultError(
                "sealed with a key that is not in TWINTILL_ENCRYPTION_KEYS any more: add it again"
            )
        try:
            return key.decrypt(sealed[5:17], sealed[17:], _associated(scope, row))
        except InvalidTag:
            raise VaultError("a sealed value was changed, or belongs to another row") from None

    def fingerprint(self, token: str) -> bytes:
        """The same for the same token: lets a webhook find its method without opening them all.

        Keyed with the oldest key of the ring, so that it survives adding newer ones.
        """
        return hmac.digest(self._fingerprint_key, token.encode(), "sha256")


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"twintill key id" + key).digest()[:4]


def _associated(scope: Scope, row: Sequence[str]) -> bytes:
    mode = "live" if scope.livemode else "test"
    return "\x1f".join((scope.stripe_account_id, mode, *row)).encode()
