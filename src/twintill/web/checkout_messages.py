"""What the checkout page says in each situation, in words for a person. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from babel import Locale

from twintill.display import date_for
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Attempt, Outcome, Payment, Reason
from twintill.domain.signup import Access, access, needs_method
from twintill.store.checkouts import Checkout, CheckoutState, Purpose

REFRESH_S = 3


class Tone(StrEnum):
    GOOD = "good"
    BAD = "bad"
    CALM = "calm"


_SIGNS = {Tone.GOOD: "✓", Tone.BAD: "!", Tone.CALM: "i"}


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Form:
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Message:
    """A page without a question: where things stand, and at most one thing to do."""

    title: str
    sentences: tuple[str, ...]
    tone: Tone = Tone.CALM
    link: Link | None = None
    form: Form | None = None
    refresh_s: int | None = None  # it changes by itself: look again

    @property
    def sign(self) -> str:
        return _SIGNS[self.tone]


MISSING = Message(
    "There is no such page",
    ("Check the address, or go back to where you came from and start again.",),
)
TROUBLE = Message(
    "This did not work",
    (
        "We could not do this right now. Nothing was charged by this step.",
        "Please go back and try again in a moment.",
    ),
    Tone.BAD,
)


def message_for(
    its: Checkout, payment: Payment | None, locale: Locale, *, in_review: bool
) -> Message:
    """For every state in which the page asks nothing. `in_review`: a person has to look."""
    if its.state is CheckoutState.EXPIRED:
        return _expired(its)
    if in_review:
        return _IN_REVIEW
    if its.state is not CheckoutState.COMPLETE:
        return _WAIT
    if its.purpose is Purpose.METHOD:
        return _method_stored(its)
    return _WAIT if payment is None else _of_payment(its, payment, locale)


def _of_payment(its: Checkout, payment: Payment, locale: Locale) -> Message:
    match access(payment):
        case Access.GRANTED:
            return _paid(its)
        case Access.LOST:
            return _closed(its)
    if payment.parked_why is not None:
        return _IN_REVIEW
    attempt = payment.unresolved_attempt
    if attempt is not None:
        return _under_way(attempt, locale)
    if payment.reason is Reason.BRAKED:
        return _HELD
    if needs_method(payment):
        return _declined(its, payment, locale)
    return _closed(its) if payment.reason is Reason.UNCOLLECTIBLE else _WAIT


_WAIT = Message(
    "Your payment is being processed",
    ("This page checks by itself. You can also close it: your payment goes on.",),
    refresh_s=REFRESH_S,
)
_HELD = Message(
    "Your payment has to wait a little",
    (
        "We cannot take payments right now. Nothing was charged.",
        "We try again as soon as we can. You do not have to do anything; you can close this page.",
    ),
    refresh_s=REFRESH_S * 10,
)
_IN_REVIEW = Message(
    "We are looking into your payment",
    (
        "Something needs a closer look on our side. You do not have to do anything.",
        "Please do not pay a second time.",
    ),
)


def _paid(its: Checkout) -> Message:
    paid = "Your payment has arrived." if its.agreed_minor else "Nothing is due today."
    sentences = (f"{paid} Everything is set up.",)
    return Message("Thank you", sentences, Tone.GOOD, Link(its.success_url, "Continue"))


def _method_stored(its: Checkout) -> Message:
    sentences = ("Your new payment method is stored. It is used from now on.",)
    link = Link(its.success_url, "Continue")
    return Message("Payment method stored", sentences, Tone.GOOD, link)


def _expired(its: Checkout) -> Message:
    sentences = ("Nothing was charged. To go on, please start again.",)
    return Message("This checkout is closed", sentences, link=Link(its.cancel_url, "Back"))


def _closed(its: Checkout) -> Message:
    sentences = ("The invoice that this page was for is closed. Please get in touch with us.",)
    return Message("Nothing to pay here", sentences, link=Link(its.cancel_url, "Back"))


def _under_way(attempt: Attempt, locale: Locale) -> Message:
    if attempt.outcome is Outcome.ACCEPTED:
        when = "it can take some days to arrive"
        if attempt.expected_at is not None:
            when = f"it should arrive on {date_for(attempt.expected_at, locale)}"
        sentences = (
            f"Your payment is on its way. With this method {when}.",
            "You can close this page; you do not have to do anything.",
        )
        return Message("Payment on its way", sentences)
    if attempt.outcome is Outcome.NEEDS_CUSTOMER and attempt.action_url is not None:
        sentences = (
            "Your payment provider asks for your approval. Nothing is charged before you give it.",
            "Then come back to this page.",
        )
        link = Link(attempt.action_url, "Approve the payment")
        return Message("Your approval is needed", sentences, link=link)
    return _WAIT


_WHY = {
    DeclineKind.SOFT: "Your payment provider did not approve this payment.",
    DeclineKind.HARD: "Your payment provider does not accept payments with this method.",
    DeclineKind.UPDATE_METHOD: "This payment method has expired or was replaced.",
    DeclineKind.AUTH_REQUIRED: "The approval for this payment was not given.",
    DeclineKind.REVOKED: "This payment method was withdrawn at the payment provider.",
    # Not more than that: it must not teach a thief anything.
    DeclineKind.FRAUD: "Your payment provider does not accept payments with this method.",
}


def _declined(its: Checkout, payment: Payment, locale: Locale) -> Message:
    last = payment.attempts[-1] if payment.attempts else None
    why = "There is no payment method that can be used."
    if last is not None and last.decline_kind is not None:
        why = _WHY[last.decline_kind]
    sentences = [f"{why} Nothing was charged."]
    if payment.reason is Reason.RETRY and payment.next_look_at is not None:
        day = date_for(payment.next_look_at, locale, year=False)
        sentences.append(f"Try another one now. Otherwise we try this one again on {day}.")
    else:
        sentences.append("Please try another payment method.")
    return Message(
        "The payment was declined",
        tuple(sentences),
        Tone.BAD,
        Link(its.cancel_url, "Not now"),
        Form("method", "Try another payment method"),
    )
