"""Makes ids that look like Stripe's: a prefix, then letters and digits."""

from __future__ import annotations

import random
import string

_ALPHABET = string.ascii_letters + string.digits
# Objects whose ids are longer (and begin with a digit) at Stripe; others take 14 characters.
_LONG = {
    "in": "1", "sub": "1", "price": "1", "il": "1", "ii": "1", "evt": "1", "we": "1", "cn": "1",
    "cnli": "1", "pi": "3", "inpay": "1", "cbtxn": "1", "pm": "1", "clock": "1", "txi": "1",
    "di": "1",
}  # fmt: skip


class Ids:
    """A source of ids; the same seed gives the same sequence."""

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)

    def new(self, prefix: str) -> str:
        if prefix in _LONG:
            return f"{prefix}_{_LONG[prefix]}{self._text(23)}"
        return f"{prefix}_{self._text(14)}"

    def secret(self) -> str:
        return f"whsec_{self._text(32)}"

    def coupon(self) -> str:
        return self._text(8)

    def invoice_prefix(self) -> str:
        return "".join(self._random.choices("ABCDEF0123456789", k=8))

    def _text(self, length: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=length))
