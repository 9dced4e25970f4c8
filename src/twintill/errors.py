"""Every error of ours, in one tree; declines are values and never appear here.

TwintillError
├── SettingsError          the environment is wrong: the start stops with a sentence
├── BadRequest             the caller's input breaks a rule (400)
│   ├── NotFoundError      no such object, or not the caller's (404)
│   ├── ConflictError      right input, wrong moment: the state forbids it (409)
│   ├── PolicyRefused      a policy that a rule forbids, named (400; a setting stops the start)
│   ├── EndpointRefused    an address that must not be called, or cannot be (400)
│   └── TooLargeError      more bytes than a door accepts (413)
├── Unauthorized           no key, or a wrong one (401)
│   └── Forbidden          a known key without the scope (403)
├── SignatureRefused       a webhook that is not provably its sender's (400)
├── SignatureUnchecked     a webhook that cannot be checked yet: send it again (503)
├── UnreadableEvent        provably the sender's, but not in a shape that we know
├── StripeError            Stripe did not do what we asked
│   ├── StripeUnreadable   no answer, or none that can be read: nothing is known
│   ├── StripeRefused      a readable refusal of this request (400, 404, 409)
│   ├── StripeThrottled    429: too fast, or the object is locked
│   └── StripeForbidden    401 or 403: the key is wrong or lacks a permission
├── ProcessorError         a processor's non-money call failed
│   ├── ProcessorUnreachable
│   └── ProcessorRefused
├── BrokenInvariant        a bug of ours: the books or the machine contradict themselves
└── VaultError             a sealed value that no key of the ring opens
"""


class TwintillError(Exception):
    """The root; `str(error)` is a sentence that a person can act on."""


class SettingsError(TwintillError):
    """A setting is missing or wrong; names it, says why, and gives an example."""


class BadRequest(TwintillError):
    """The input breaks a rule; nothing was changed."""

    def __init__(self, message: str, *, code: str = "bad_request", param: str | None = None):
        super().__init__(message)
        self.code = code
        self.param = param


class NotFoundError(BadRequest):
    """No such object for this Stripe account and mode."""

    def __init__(self, message: str, *, code: str = "resource_missing", param: str | None = None):
        super().__init__(message, code=code, param=param)


class ConflictError(BadRequest):
    """The object's present state forbids it."""

    def __init__(self, message: str, *, code: str = "conflict", param: str | None = None):
        super().__init__(message, code=code, param=param)


class PolicyRefused(BadRequest, ValueError):
    """A policy's field breaks a rule of money or of the card networks; `param` names the field."""

    def __init__(self, message: str, *, code: str = "policy_refused", param: str | None = None):
        super().__init__(message, code=code, param=param)


class EndpointRefused(BadRequest):
    """An address for events that breaks a rule: not public, not https, not to be found."""

    def __init__(self, message: str, *, code: str = "endpoint_refused", param: str | None = "url"):
        super().__init__(message, code=code, param=param)


class TooLargeError(BadRequest):
    """More bytes than this door accepts."""

    def __init__(self, message: str, *, code: str = "too_large", param: str | None = None):
        super().__init__(message, code=code, param=param)


class Unauthorized(TwintillError):
    """No API key, or one that is unknown or revoked."""


class Forbidden(Unauthorized):
    """A known API key that lacks the scope."""


class SignatureRefused(TwintillError):
    """A webhook whose signature is missing, wrong, too old or from the future."""


class SignatureUnchecked(TwintillError):
    """What the signature is checked with is on its way; the sender has to send it again."""


class UnreadableEvent(TwintillError):
    """Correctly signed, but not in a shape that we know: stored, parked, answered 2xx."""


class StripeError(TwintillError):
    """Stripe did not do what we asked."""

    def __init__(self, message: str, *, code: str | None = None, request_id: str | None = None):
        super().__init__(message)
        self.code = code
        self.request_id = request_id


class StripeUnreadable(StripeError):
    """No connection, a time-out, a 5xx, or a body that cannot be read: nothing is known."""


class StripeRefused(StripeError):
    """A readable refusal of this one request: read the object before concluding anything."""


class StripeThrottled(StripeError):
    """429: over a rate limit, or the object is locked by another call."""


class StripeForbidden(StripeError):
    """401 or 403: the key is wrong, revoked, or lacks a permission; says nothing of the object."""


class ProcessorError(TwintillError):
    """A processor's call that moves no money failed (money-moving calls return outcomes)."""


class ProcessorUnreachable(ProcessorError):
    """No answer, or none that can be read: may be repeated later."""


class ProcessorRefused(ProcessorError):
    """A readable refusal."""

    def __init__(self, message: str, *, code: str | None = None):
        super().__init__(message)
        self.code = code


class BrokenInvariant(TwintillError):
    """The books or the state machine contradict themselves: stop, do not guess."""


class VaultError(TwintillError):
    """A sealed value that no key of the ring opens, or sealed for another row."""
