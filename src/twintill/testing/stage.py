"""The stage on which an adapter is tried: a processor's stand-in, and the strings behind it.

Whoever writes an adapter writes a stage for it; the cases know nothing else of a processor.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from twintill.domain.money_back import DisputeStage
from twintill.money import Money
from twintill.processors import Processor, StoredMethod, WebhookRequest


class Behaviour(StrEnum):
    """What a stored method does whenever it is charged."""

    APPROVED = "approved"  # at once, or as soon as this processor tells anything
    SOFT = "soft"  # declined: no funds
    HARD = "hard"  # declined for good
    STOLEN = "stolen"  # declined as fraud
    EXPIRED = "expired"  # declined: a new method is needed
    DECLINES_ONCE = "declines_once"  # softly, then approved
    NEEDS_CUSTOMER = "needs_customer"  # waits for the customer
    PENDS = "pends"  # accepted, and approved days later
    PENDS_THEN_FAILS = "pends_then_fails"
    FAILS_LATE = "fails_late"  # approved, and failed after that
    SLOW = "slow"  # approved, but answered only after the patience of `impatient`
    REFUND_FAILS = "refund_fails"  # approved; its refund is accepted, and fails days later


class Fault(StrEnum):
    """What happens to a request on its way."""

    CUT_BEFORE = "cut_before"  # nothing was done, and the connection is cut
    CUT_AFTER = "cut_after"  # it was done, and the connection is cut
    SILENT_BEFORE = "silent_before"  # nothing was done, and no answer comes
    SILENT_AFTER = "silent_after"  # it was done, and no answer comes


class Lie(StrEnum):
    """A good answer to a charge with one thing wrong in it."""

    OTHER_AMOUNT = "other_amount"
    AMOUNT_NO_NUMBER = "amount_no_number"  # of another type than this processor writes
    OTHER_CURRENCY = "other_currency"
    OTHER_REFERENCE = "other_reference"
    NO_ID = "no_id"
    UNKNOWN_STATUS = "unknown_status"  # a word that is in no document
    CONTRADICTION = "contradiction"  # e.g. a success by its HTTP status, a decline by its body


class Trait(StrEnum):
    """What most processors have, and some cannot: see `Stage.lacks`."""

    UNIQUE_REFERENCE = "unique_reference"  # refuses what was charged already, under a new key too
    IN_FLIGHT = "in_flight"  # refuses a key while its first request is still being worked on
    BATCHES = "batches"  # several events in one webhook request
    SIGNED_TIME = "signed_time"  # a webhook's signature says when it was made
    INEXACT = "inexact"  # Stripe bills amounts that it cannot express
    ODD_EXPONENT = "odd_exponent"  # it counts a currency in other units than Stripe
    NOT_ENABLED = "not_enabled"  # an account may be without the right to charge stored methods
    SETUP_CANCELS = "setup_cancels"  # a set-up can be taken back
    SETUP_EXPIRES = "setup_expires"
    KNOWS_REVOKED = "knows_revoked"  # it still knows a method that was revoked
    UNTAKEN_DISPUTES = "untaken_disputes"  # a dispute may begin while the money is still ours
    WON_DISPUTES = "won_disputes"
    ACCEPTED_DISPUTES = "accepted_disputes"
    IGNORED_EVENTS = "ignored_events"  # it tells what means nothing to us
    TOLD_DECLINES = "told_declines"  # it tells by webhook what its answer said
    SHORT_PAGES = "short_pages"  # the stage can make it list two rows a page
    FEES = "fees"  # its report says what it kept


class Stage(Protocol):
    """A processor's stand-in over real HTTP, and the adapter of that processor.

    Its time stands still but for `pass_days`. It begins well before the machine's own time, if the
    adapter asks for "until now"; a run of all cases passes some 700 days. Its lists give two rows
    a page, whatever is asked for, so that the cases with three meet another page.
    """

    processor: Processor
    impatient: Processor  # the same, with a short time-out: only for answers that never come
    # What this processor cannot have, each with its reason in a sentence: these cases do not apply.
    # The cases ask for everything else.
    lacks: Mapping[Behaviour | Lie | Trait, str]
    amount: Money  # what the cases charge: about 49.00, counted there as Stripe counts it
    inexact: Money  # what Stripe can bill and this processor cannot express
    odd_exponent: tuple[Money, int]  # an amount, and what this processor must be sent for it
    created_status: int  # of HTTP, when a charge was made
    signers: tuple[str, ...]  # names of those whose signature under a webhook is ours
    signed_time_s: tuple[int, int]  # how old, and how far ahead, a signature may be
    unknown_charge_id: str  # of the right shape, and never given
    unknown_dispute_id: str
    unknown_setup_id: str
    unknown_method: StoredMethod

    async def clear(self) -> None:
        """As new, before each case, with no fault left over; only its time may have gone on."""

    async def now(self) -> datetime: ...
    async def pass_days(self, days: float) -> None:
        """Returns when everything that is due by then has happened."""

    async def method(self, behaviour: Behaviour) -> StoredMethod: ...
    async def break_line(self, fault: Fault) -> None:
        """For the next request: a charge, a look-up, a refund ...; one for an access token, that
        an adapter sends before it, is not meant."""

    async def too_many_requests(self, wait_s: int) -> None:
        """The next request is refused as this processor refuses haste, telling how long to wait."""

    async def answer_next(
        self,
        status: int,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        act: bool = False,
    ) -> None:
        """The next request (as for `break_line`) is answered so; `act`: after it was done."""

    async def lie_next(self, lie: Lie, about: Literal["charge", "refund"] = "charge") -> None:
        """The next charge or refund is made, and its answer is wrong in this one thing."""

    async def taken(self, reference: str) -> int:
        """How much was collected under this reference by the processor's own book, and units."""

    async def charge_requests(self) -> int:
        """How many requests to charge arrived."""

    async def foreign_charge(self) -> str:
        """Somebody charges through the same account, without us and our reference; its id there."""

    async def finish_setup(self, session_id: str) -> None:
        """The customer approves, and the browser never comes back to us."""

    async def revoke_as_customer(self, method: StoredMethod) -> None: ...
    async def act_as_customer(self, processor_payment_id: str, *, approve: bool) -> None: ...
    async def dispute(self, processor_payment_id: str, *, taken: bool) -> str:
        """The customer disputes all of it; the id there."""

    async def end_dispute(self, dispute_id: str, end: DisputeStage) -> None: ...
    async def disable_account(self) -> None:
        """The processor takes the account's right to keep and charge methods away."""

    async def webhooks(self) -> Sequence[WebhookRequest]:
        """All that were delivered so far."""

    async def stop_webhooks(self) -> None:
        """From now on none arrives."""

    def sign(self, body: bytes, at: datetime, signer: str) -> WebhookRequest:
        """As the processor would, at that time, with the headers of the signature alone; with the
        name of no signer: as a stranger could, with a key of his own."""

    def unreadable_events(self, event: bytes) -> Sequence[bytes]:
        """Bodies that carry the events of this one with one more that cannot be read in front.

        Without batches: bodies whose one event cannot be read, though they are well-formed.
        """

    async def balance(self) -> int:
        """What the processor owes us by its own book, in the currency of `amount`."""

    async def fees(self) -> int:
        """What it kept so far."""

    def with_wrong_credentials(self) -> Processor: ...
    def unreachable(self) -> Processor:
        """At an address where nobody listens."""
