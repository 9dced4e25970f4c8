"""What the engine leaves to the processor that it plays: its ids, currencies, choices and words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from twintill.sandbox.processor.magic import METHODS, Magic
from twintill.sandbox.processor.objects import Json, SetupSession

if TYPE_CHECKING:
    from twintill.sandbox.processor.world import World

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"

# This processor's own idea of minor units: CLP, HUF, ISK, MGA, TWD and UGX differ from Stripe's.
EXPONENTS = {
    "AUD": 2,
    "BHD": 3,
    "BRL": 2,
    "CAD": 2,
    "CHF": 2,
    "CLP": 2,
    "CZK": 2,
    "DKK": 2,
    "EUR": 2,
    "GBP": 2,
    "HUF": 0,
    "INR": 2,
    "ISK": 0,
    "JOD": 3,
    "JPY": 0,
    "KRW": 0,
    "KWD": 3,
    "MGA": 2,
    "MXN": 2,
    "NOK": 2,
    "NZD": 2,
    "OMR": 3,
    "PLN": 2,
    "RON": 2,
    "RSD": 2,
    "SEK": 2,
    "TND": 3,
    "TWD": 0,
    "UGX": 0,
    "USD": 2,
    "VND": 0,
    "XOF": 0,
}


class Dialect(Protocol):
    """One per processor that is played; `SandboxDialect` is the sandbox processor's own."""

    name: str  # as its pages show it
    exponents: Mapping[str, int]  # decimal places of each currency that it takes
    methods: Mapping[str, Magic]  # what a customer can choose; the keys are the same everywhere
    unique_references: bool  # a reference that was charged is not charged again
    asks_customers: bool  # a charge may wait for its customer; else it is declined

    def new_id(self, prefix: str, chance: random.Random) -> str:
        """`prefix`: ses, pcus, tok, chg, rfd, dsp, txn, pevt, dlv or pwhe."""

    def tell(
        self, world: World, event_type: str, its_object: Json, now: datetime
    ) -> Sequence[tuple[str, Json]]:
        """The webhook events (type, content) of what just happened: none, one or several."""

    def way_back(self, session: SetupSession) -> Mapping[str, str]:
        """What a browser that returns from the page carries in its query."""


@dataclass(frozen=True, slots=True)
class SandboxDialect:
    """The engine's words as they are."""

    name: str = "Sandbox processor"
    exponents: Mapping[str, int] = field(default_factory=lambda: EXPONENTS)
    methods: Mapping[str, Magic] = field(default_factory=lambda: METHODS)
    unique_references: bool = True
    asks_customers: bool = True

    def new_id(self, prefix: str, chance: random.Random) -> str:
        return f"{prefix}_" + "".join(chance.choices(_ALPHABET, k=24))

    def tell(
        self, _world: World, event_type: str, its_object: Json, _now: datetime
    ) -> Sequence[tuple[str, Json]]:
        return ((event_type, its_object),)

    def way_back(self, session: SetupSession) -> Mapping[str, str]:
        return {"setup_session": session.id}
