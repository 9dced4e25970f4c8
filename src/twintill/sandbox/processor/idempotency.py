"""Idempotency keys: within its window, a key acts once and then repeats its first answer."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from twintill.sandbox.processor.objects import Json
from twintill.sandbox.processor.refusals import Refusal

MAX_KEY_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered; `replayed` when it was an earlier one's."""

    status: int
    body: Json
    replayed: bool = False


@dataclass(slots=True)
class _Use:
    fingerprint: str
    since: datetime
    answer: Answer | None = None  # None: still acting


class KeyRing:
    """The keys used so far, in the order of their first use."""

    def __init__(self, window: timedelta) -> None:
        self._window = window
        self._uses: dict[str, _Use] = {}

    def forget(self) -> None:
        self._uses.clear()

    async def act_once(
        self, key: str | None, request: bytes, now: datetime, act: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Acts unless the key did before; a refused request did nothing and frees its key."""
        checked = _checked(key)
        self._drop_old(now)
        fingerprint = hashlib.sha256(request).hexdigest()
        use = self._uses.get(checked)
        if use is not None:
            return _replay(use, fingerprint)
        use = self._uses[checked] = _Use(fingerprint, now)
        try:
            use.answer = await act()
        except BaseException:
            self._uses.pop(checked, None)
            raise
        return use.answer

    def _drop_old(self, now: datetime) -> None:
        while self._uses:
            oldest = next(iter(self._uses))
            if now - self._uses[oldest].since < self._window:
                return
            del self._uses[oldest]


def _checked(key: str | None) -> str:
    if not key:
        raise Refusal(400, "idempotency_key_required", "Send an Idempotency-Key header.")
    if len(key) > MAX_KEY_LENGTH:
        raise Refusal(400, "idempotency_key_too_long", f"At most {MAX_KEY_LENGTH} characters.")
    return key


def _replay(use: _Use, fingerprint: str) -> Answer:
    if use.fingerprint != fingerprint:
        raise Refusal(422, "idempotency_key_reused", "This key was used with another request.")
    if use.answer is None:
        raise Refusal(409, "idempotency_key_in_use", "A request with this key is still running.")
    return Answer(use.answer.status, use.answer.body, replayed=True)
