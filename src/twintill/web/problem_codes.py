"""Every `code` of a problem answer: its status, what it means, and which calls answer it.

The OpenAPI document and docs/api.md are made of it; a test looks for codes that are not in it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """`at`: beginnings of "METHOD path"; empty: any call."""

    name: str
    status: int
    meaning: str
    at: tuple[str, ...] = ()

    def may_come(self, call: str) -> bool:
        """`call`: e.g. "POST /v1/payments/{payment}/refunds"."""
        return not self.at or any(call.startswith(beginning) for beginning in self.at)


_WRITES = ("POST ", "PUT ", "PATCH ", "DELETE ")
_POSTS = ("POST ",)
_RESOLVE = ("POST /v1/payments/{payment}/resolve",)
_TRY = ("POST /v1/payments/{payment}/attempt",)
_REFUND = ("POST /v1/payments/{payment}/refunds",)
_STRIPE = (
    "POST /v1/signups",
    "POST /v1/checkouts",
    "POST /v1/customers",
    "POST /v1/invoices",
    "POST /v1/subscriptions",
    "POST /v1/payments",
    "POST /v1/invoice_reviews",
    "GET /v1/invoices/{invoice}/draft_rule",
    "PUT /v1/customers",
    "DELETE /v1/customers",
    "POST /v1/invoice",
    "PATCH /v1/invoice",
    "DELETE /v1/invoice",
    "GET /v1/invoice_items",
    "POST /v1/products",
    "GET /v1/products",
    "POST /v1/prices",
    "GET /v1/prices",
)
_MAKE = ("POST /v1/invoices",)
_INVOICED = ("POST /v1/invoices", "POST /v1/invoice_items")
_ACCEPT = ("POST /v1/settlements/{settlement}/accept",)
_PREFIX = ("PUT /v1/customers/{customer}/invoice_prefix",)
_ITEMS = ("POST /v1/invoice_items", "PATCH /v1/invoice_items")
_CLOSE = (
    "POST /v1/invoices/{invoice}/void",
    "POST /v1/invoices/{invoice}/mark_uncollectible",
    "DELETE /v1/invoices/{invoice}",
)
_ASKED = (
    "POST /v1/invoice",
    "PATCH /v1/invoice",
    "DELETE /v1/invoice",
    "POST /v1/products",
    "POST /v1/prices",
    *_PREFIX,
)
_CHOOSES = ("POST /v1/signups", "POST /v1/customers", "POST /v1/subscriptions")
_CHECKOUT = ("POST /v1/checkouts",)
_CANCEL = ("POST /v1/subscriptions/{subscription}/cancel",)
_CHANGE = ("POST /v1/subscriptions/{subscription}/change",)
_SWITCH = ("POST /v1/subscriptions/{subscription}/switch",)
_BY_HAND = ("POST /v1/invoices/{invoice}/hand_payments",)
_TAKE_BACK = (
    "POST /v1/hand_payments/{hand_payment}/undo",
    "POST /v1/hand_payments/{hand_payment}/correct",
)
_APPLY = ("POST /v1/customers/{customer}/credit/apply",)
_PAY_OUT = ("POST /v1/customers/{customer}/credit/pay_out",)
_EVIDENCE = ("PUT /v1/hand_payments/{hand_payment}/evidence/{name}",)
_ENDPOINTS = ("POST /v1/webhook_endpoints", "PATCH /v1/webhook_endpoints")
_RULES = ("POST /v1/draft_rules", "PATCH /v1/draft_rules")
_REVIEW = ("POST /v1/invoice_reviews",)
_RELEASE = ("POST /v1/invoice_reviews/{review}/release",)
_APPROVE = ("POST /v1/invoice_reviews/{review}/approve",)
_VOID_HELD = ("POST /v1/invoice_reviews/{review}/void",)
_ITEMS_HELD = ("POST /v1/invoice_reviews/{review}/items",)
_HOLD = ("POST /v1/invoices/{invoice}/hold",)

CODES: tuple[Code, ...] = (
    Code("bad_request", 400, "What was sent breaks a rule; `detail` names it."),
    Code("parameter_unknown", 400, "This call has no such query parameter."),
    Code("invalid_json", 400, "The body is not JSON that can be read.", _WRITES),
    Code("idempotency_key_invalid", 400, "1 to 255 printable characters are wanted.", _POSTS),
    Code(
        "stripe_refused",
        400,
        "Stripe refuses what was asked for; `stripe_code` is its own.",
        _STRIPE,
    ),
    Code("processor_unknown", 400, "No such processor is configured.", _CHOOSES),
    Code(
        "address_invalid",
        400,
        "`param` names the field of the address.",
        (*_CHECKOUT, "POST /v1/signups", "POST /v1/customers"),
    ),
    Code(
        "customer_tax_location_invalid",
        400,
        "Stripe does not know this place, and cannot compute the tax.",
        (*_CHECKOUT, "POST /v1/signups", "POST /v1/customers"),
    ),
    Code(
        "policy_refused",
        400,
        "A rule of money or of the card networks forbids this policy; `param` names the field.",
        ("PUT /v1/customers",),
    ),
    Code(
        "payment_method_not_the_customers",
        400,
        "The payment method is another customer's, or unknown to Stripe.",
        _SWITCH,
    ),
    Code(
        "order_incomplete",
        400,
        "Each active payment method must be named exactly once.",
        ("PUT /v1/customers/{customer}/payment_methods/order",),
    ),
    Code(
        "currency_differs",
        400,
        "The payment, or all that the customer is billed for, is in another currency.",
        (*_REFUND, *_INVOICED, *_APPLY),
    ),
    Code(
        "amount_invalid",
        400,
        "Not an amount that this currency has.",
        (*_REFUND, *_MAKE, *_ITEMS, "POST /v1/prices"),
    ),
    Code("currency_missing", 400, "The customer was never billed: name a currency.", _INVOICED),
    Code("too_many_items", 400, "An invoice has at most 250 items.", _INVOICED),
    Code("nothing_to_invoice", 400, "A finalized invoice needs an item.", _MAKE),
    Code(
        "due_date_past",
        400,
        "It would be due before it is made.",
        (*_MAKE, "PATCH /v1/invoices"),
    ),
    Code("evidence_invalid", 400, "Not a PDF, PNG, JPEG or text, as it says.", _EVIDENCE),
    Code("prefix_invalid", 400, "3 to 12 upper-case letters or digits are wanted.", _PREFIX),
    Code(
        "endpoint_refused",
        400,
        "The address is not https, not public, or cannot be found.",
        (*_ENDPOINTS, *_RULES),
    ),
    Code("draft_rule_invalid", 400, "A rule that could not work; `param` names why.", _RULES),
    Code("event_type_unknown", 400, "There is no such event: docs/events.md.", _ENDPOINTS),
    Code("unauthorized", 401, "No API key was sent, or one that is unknown or revoked."),
    Code("forbidden", 403, "The API key lacks the scope that this call needs."),
    Code("resource_missing", 404, "There is no such object here; `param` names which."),
    Code("conflict", 409, "The object's present state forbids it; `detail` says why.", _WRITES),
    Code("idempotency_key_in_use", 409, "The first request with this key still runs.", _POSTS),
    Code(
        "needs_person",
        409,
        "It waits for a person; `detail` says what for.",
        (*_CHECKOUT, *_REFUND, *_TRY, *_ASKED),
    ),
    Code("too_many_rules", 409, "There are 100 of them: remove one.", _RULES),
    Code("already_held", 409, "It waits for a review already.", _HOLD),
    Code("collected_by_stripe", 409, "Stripe collects this invoice itself.", _HOLD),
    Code("payment_exists", 409, "It has a payment already.", (*_HOLD, *_VOID_HELD)),
    Code(
        "held_for_review",
        409,
        "The draft waits for a review: change, release or void it there.",
        ("POST /v1/invoice", "PATCH /v1/invoice", "DELETE /v1/invoice"),
    ),
    Code("not_approved", 409, "A second person has to approve it first.", _RELEASE),
    Code("second_person_needed", 409, "Who held or changed it cannot approve it.", _APPROVE),
    Code("changed_since_approval", 409, "It is not what was approved any more.", _RELEASE),
    Code("already_released", 409, "It was released already.", _REVIEW),
    Code("already_voided", 409, "It was voided already.", _REVIEW),
    Code("review_ended", 409, "It waits no more; `detail` says what became of it.", _REVIEW),
    Code(
        "review_busy",
        409,
        "Something is being done with the draft just now.",
        (*_REVIEW, "POST /v1/invoices", "POST /v1/customers"),
    ),
    Code("nothing_to_void", 409, "Nothing is due on it: finalized, it is paid.", _VOID_HELD),
    Code("items_refused", 409, "The items cannot be on this invoice.", _ITEMS_HELD),
    Code("item_not_there", 409, "There is no such item on this draft.", _ITEMS_HELD),
    Code("setup_incomplete", 409, "The customer has not finished at the processor.", _CHECKOUT),
    Code("amount_changed", 409, "The amount is not the one that was agreed to.", _CHECKOUT),
    *(
        Code(f"checkout_{state}", 409, f"This checkout is {state}.", _CHECKOUT)
        for state in ("completing", "confirming", "complete", "expired")
    ),
    Code(
        "payment_method_needed",
        409,
        "The only one of a customer with live subscriptions; `force` removes it all the same.",
        ("DELETE /v1/customers",),
    ),
    Code(
        "payment_busy",
        409,
        "Somebody works on this payment at this moment.",
        ("POST /v1/payments", *_CLOSE, *_TAKE_BACK),
    ),
    Code("charge_out", 409, "A charge for this invoice has no answer yet.", _CLOSE),
    Code("being_reported", 409, "Its money is here, and Stripe is about to be told.", _CLOSE),
    Code(
        "invoice_not_a_draft",
        409,
        "The invoice is finalized.",
        ("POST /v1/invoice_items", "DELETE /v1/invoices", *_HOLD, *_REVIEW),
    ),
    Code(
        "invoice_of_subscription",
        409,
        "Stripe made this draft for a subscription: finalize it, then void it.",
        ("DELETE /v1/invoices",),
    ),
    Code("nothing_to_resolve", 409, "No attempt of this payment is in doubt.", _RESOLVE),
    Code("another_attempt", 409, "Another attempt than the named one is in doubt.", _RESOLVE),
    Code("another_charge", 409, "The processor shows another charge.", _RESOLVE),
    Code("amount_differs", 409, "The processor shows another amount.", _RESOLVE),
    Code(
        "may_still_arrive", 409, "The charge may still happen at the processor.", (*_RESOLVE, *_TRY)
    ),
    Code("not_our_reference", 409, "That charge does not carry our reference.", _RESOLVE),
    Code("declined_there", 409, "The processor shows it as declined.", _RESOLVE),
    Code("unknown_there", 409, "The processor knows no such charge.", _RESOLVE),
    Code("under_way", 409, "The processor has not decided yet.", _RESOLVE),
    Code("cannot_be_asked", 409, "The processor cannot be asked right now.", _RESOLVE),
    Code("known_as_another", 409, "That charge is known here as another payment's.", _RESOLVE),
    Code(
        "subscription_ended",
        409,
        "The subscription has ended.",
        ("POST /v1/subscriptions",),
    ),
    Code("cancellation_runs", 409, "A cancellation of it has no end yet.", (*_CANCEL, *_CHANGE)),
    Code("changed_too_often", 409, "Stripe limits the changes of one subscription.", _CHANGE),
    Code("change_running", 409, "Another change of it has no end yet.", _CHANGE),
    Code(
        "subscription_incomplete",
        409,
        "Stripe waits for its first payment.",
        (*_SWITCH, *_CHANGE),
    ),
    Code("already_there", 409, "It is collected there already.", _SWITCH),
    Code("switch_running", 409, "A switch of it has no end yet.", (*_SWITCH, *_CHANGE)),
    Code(
        "signup_unfinished",
        409,
        "Its sign-up is not complete yet.",
        (*_SWITCH, *_CHANGE, *_BY_HAND, *_APPLY),
    ),
    Code(
        "payment_method_dead", 409, "The payment method is removed or revoked.", (*_SWITCH, *_TRY)
    ),
    Code("attempt_out", 409, "An attempt has no answer yet.", _TRY),
    Code("nothing_to_collect", 409, "Nothing is to be collected any more.", (*_TRY, *_APPLY)),
    Code("not_due_yet", 409, "It waits for something else first; `detail` says what.", _TRY),
    Code("refused_for_good", 409, "No stored payment method may be charged for it again.", _TRY),
    Code("too_soon", 409, "A card network allows it only later; `detail` says when.", _TRY),
    Code("nothing_to_refund", 409, "No collected money is left to refund.", (*_REFUND, *_CANCEL)),
    Code("amount_over_what_is_left", 409, "More than can still be refunded.", _REFUND),
    Code("not_final", 409, "The bank debit may still fail.", _REFUND),
    Code(
        "not_reported_yet",
        409,
        "Stripe is about to be told of the money.",
        (*_REFUND, *_TAKE_BACK),
    ),
    Code("reported_already", 409, "Stripe was told of it: correct it instead.", _TAKE_BACK),
    Code("taken_back", 409, "It was undone or corrected already.", _TAKE_BACK),
    Code("credit_used", 409, "What it left is used, or paid out.", _TAKE_BACK),
    Code("credit_too_small", 409, "The customer has not so much credit.", (*_APPLY, *_PAY_OUT)),
    Code("not_finalized", 409, "The invoice is a draft.", (*_BY_HAND, *_APPLY)),
    Code("paid_already", 409, "Somebody else marked it as paid: see `as_credit`.", _BY_HAND),
    Code("settlement_unchanged", 409, "The report shows this line as it was booked.", _ACCEPT),
    Code("evidence_there", 409, "Another file of this name is there.", _EVIDENCE),
    Code("goes_back_by_itself", 409, "Stranded money is given back without being asked.", _REFUND),
    Code("refund_under_way", 409, "Another refund has no end yet.", _REFUND),
    Code("being_compared", 409, "Both sides are being compared first.", _REFUND),
    Code("disputed", 409, "A dispute holds the money.", _REFUND),
    Code("refund_cap", 409, "So much was asked to go back in this hour: later.", _REFUND),
    Code("refund_over_cap", 409, "More than may be asked for in an hour.", _REFUND),
    Code(
        "reference_used",
        409,
        "That reference is known: as a payment by hand of this invoice, or as another amount.",
        ("POST /v1/payments/{payment}/refunds/paid-another-way", *_BY_HAND, *_PAY_OUT),
    ),
    Code("no_refunds_by_api", 409, "This processor gives nothing back by API.", _REFUND),
    Code(
        "endpoint_disabled",
        409,
        "The endpoint is disabled: enable it first.",
        ("POST /v1/webhook_endpoints/{endpoint}/", "POST /v1/events"),
    ),
    Code(
        "endpoint_of_settings",
        409,
        "The settings say this: change it there.",
        (
            "PATCH /v1/webhook_endpoints",
            "DELETE /v1/webhook_endpoints",
            "POST /v1/webhook_endpoints/{endpoint}/rotate",
        ),
    ),
    Code("too_large", 413, "The body is larger than 64 KiB; a file, than 5 MiB.", _WRITES),
    Code("invalid_request", 422, "A field is missing, unknown or of a wrong kind; see `errors`."),
    Code(
        "idempotency_key_reused",
        422,
        "This Idempotency-Key was used for another request.",
        _POSTS,
    ),
    Code("internal_error", 500, "Something broke on our side, and was logged with `request_id`."),
    Code("stripe_forbidden", 502, "Stripe refuses this installation's API key.", _STRIPE),
    Code("processor_refused", 502, "The processor refuses what was asked for.", _STRIPE),
    Code("database_unavailable", 503, "Nothing was changed: try again."),
    Code("stripe_unreachable", 503, "Stripe did not answer: try again.", _STRIPE),
    Code("stripe_throttled", 503, "Stripe asks us to slow down: try again.", _STRIPE),
    Code("processor_unreachable", 503, "The processor did not answer: try again.", _STRIPE),
)

# Of requests that reach no call, so they are not listed with any.
ELSEWHERE: tuple[Code, ...] = (
    Code("signature_refused", 400, "A webhook that is not provably its sender's."),
    Code("signature_unchecked", 503, "A webhook that cannot be checked yet: send it again."),
    Code("unknown_route", 404, "There is nothing at this address."),
    Code("method_not_allowed", 405, "This address does not take this method."),
    Code("http_error", 408, "The body did not arrive in time."),
)
