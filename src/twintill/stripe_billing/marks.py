"""Our metadata keys on Stripe's objects: what we intend, what we did, and whose copy of us did it.

On an invoice:
    twintill_{installation}_{slot}   attempt n of this installation is about to be charged;
                                     slot = n % 4, so that the 50 keys of an invoice never fill up
    twintill_reference               our reference at the processor, written before `pay`
    twintill_processor               which processor collected
    twintill_processor_payment_id    the processor's own id of the money
    twintill_handed_to_stripe        the switch that left it to Stripe's side: no charge of ours
On a customer (the names that Stripe's guide gives):
    third_party_customer_id, third_party_payment_method_id
On everything that we create:
    twintill_op                      the operation that created it, to be found again by
On an invoice item:
    twintill_draft                   the draft that it was made for: deleted with it
On a subscription:
    twintill_changed                 the operation that changed it last
"""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

OPERATION = "twintill_op"
DRAFT = "twintill_draft"
CHANGED = "twintill_changed"
REFERENCE = "twintill_reference"
PROCESSOR = "twintill_processor"
PROCESSOR_PAYMENT_ID = "twintill_processor_payment_id"
HANDED = "twintill_handed_to_stripe"
CUSTOMER_THERE = "third_party_customer_id"
METHOD_THERE = "third_party_payment_method_id"

# Marks of several installations and of neighbouring attempts stay side by side.
SLOTS = 4

_INSTALLATION = re.compile(r"[a-z2-7]{8}\Z")
_INTENT = re.compile(r"twintill_([a-z2-7]{8})_[0-3]\Z")
_NUMBER = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Marks:
    """What an invoice's metadata says about us."""

    highest_n: int  # of this installation; 0: it never meant to charge
    foreign_installation: str | None  # another copy of Twintill meant to charge it
    our_reference: str | None
    processor: str | None = None  # who collected it, written with the reference
    processor_payment_id: str | None = None
    handed_by: str | None = None


def new_installation_id() -> str:
    """8 characters for one database's whole life; a copy of that database keeps them."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()


def is_installation_id(text: str) -> bool:
    return _INSTALLATION.match(text) is not None


def intent(installation_id: str, n: int) -> dict[str, str]:
    """Metadata to write before attempt `n`; it leaves the other slots as they are."""
    if not is_installation_id(installation_id):
        raise ValueError(f"not an installation id (8 of a-z, 2-7): {installation_id!r}")
    if n < 1:
        raise ValueError(f"attempts are counted from 1, got {n}")
    return {f"twintill_{installation_id}_{n % SLOTS}": str(n)}


def read_marks(metadata: Mapping[str, str], installation_id: str) -> Marks:
    """Values that no Twintill wrote (edited by hand) count as absent, as if deleted by hand."""
    highest_n = 0
    foreign: str | None = None
    for key, value in metadata.items():
        match = _INTENT.match(key)
        if match is None or not _NUMBER.match(value):
            continue
        if match[1] == installation_id:
            highest_n = max(highest_n, int(value))
        else:
            foreign = min(foreign or match[1], match[1])
    return Marks(
        highest_n,
        foreign,
        metadata.get(REFERENCE) or None,
        metadata.get(PROCESSOR) or None,
        metadata.get(PROCESSOR_PAYMENT_ID) or None,
        metadata.get(HANDED) or None,
    )


_REPORT = "twintill-pay-"


def report_key(payment_id: str, look: int) -> str:
    """The idempotency key of a report: an event that it causes shows it."""
    return f"{_REPORT}{payment_id}-{look}"


def is_our_report(key: str | None) -> bool:
    return key is not None and key.startswith(_REPORT)
