"""Idempotency keys: the first answer is kept and given again, whatever it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twintill.sandbox.stripe.refusal import Refusal

MAX_KEY_LENGTH = 255


@dataclass(slots=True)
class Kept:
    """A key's first use: what was asked, and the answer once there is one."""

    fingerprint: tuple[str, str, str]
    at: int
    request_id: str
    status: int | None = None
    body: Any = None


class Keys:
    """All keys of the last day, by the API key's account (there is one)."""

    def __init__(self, kept_s: int) -> None:
        self._kept_s = kept_s
        self._keys: dict[str, Kept] = {}

    def begin(self, key: str, asked: tuple[str, str, str], at: int, request_id: str) -> Kept | None:
        """The kept answer if this is a repetition; otherwise the key is in use from now on.

        Raises a Refusal for a key that is in use, or was used with other parameters.
        """
        if len(key) > MAX_KEY_LENGTH:
            raise Refusal("Idempotency keys take up to 255 characters.", executed=False)
        known = self._keys.get(key)
        if known is None or at - known.at >= self._kept_s:
            self._keys.pop(key, None)
            self._keys[key] = Kept(asked, at, request_id)
            self._drop_old(at)
            return None
        if known.status is None:
            raise Refusal(
                "There is currently another in-progress request using this Idempotency Key.",
                status=409,
                type="idempotency_error",
                code="idempotency_key_in_use",
                executed=False,
            )
        if known.fingerprint != asked:
            raise Refusal(
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}' if you meant to execute a "
                "different request.",
                type="idempotency_error",
                executed=False,
            )
        return known

    def keep(self, key: str, status: int, body: Any) -> None:
        kept = self._keys[key]
        kept.status, kept.body = status, body

    def release(self, key: str) -> None:
        """The call left no trace: the key is free again."""
        self._keys.pop(key, None)

    def clear(self) -> None:
        self._keys.clear()

    def _drop_old(self, at: int) -> None:
        """Keys are in order of first use, so the old ones are at the front."""
        while self._keys:
            oldest = next(iter(self._keys))
            if at - self._keys[oldest].at < self._kept_s or self._keys[oldest].status is None:
                return
            del self._keys[oldest]
