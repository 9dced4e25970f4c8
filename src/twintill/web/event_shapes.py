"""Events to the user's app, and where they go: what is asked with, and what is answered."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from twintill.web.examples import shown
from twintill.web.shapes import Seconds
from twintill.web.signup_shapes import Asked, Text

_ENDPOINT = "we_4Yk9n2bT7xQz1LmN8vRc3WpD"
_EVENT = "evt_9xQz1LmN8vRc3WpD4Yk9n2bT"
_EventType = Annotated[str, StringConstraints(max_length=100)]
_Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000),
    Field(description="Must begin with https:// and lead to the public Internet."),
]
_Types = Annotated[
    list[_EventType],
    Field(min_length=1, max_length=100, description='Their names, or `["*"]` for all.'),
]
Status = Literal["enabled", "disabled"]


class EndpointParams(Asked):
    """`POST /v1/webhook_endpoints`."""

    url: _Url
    enabled_events: _Types
    description: Text = Field("", description="For people: whose it is.")
    status: Status = Field("enabled", description="A disabled one hears nothing.")

    model_config = shown(
        url="https://app.example.com/twintill",
        enabled_events=["signup.access_granted", "access.withdrawn"],
        description="the shop's backend",
    )


class EndpointChanges(Asked):
    """What is not named stays as it is."""

    url: _Url | None = Field(None, description="Where it listens from now on.")
    enabled_events: _Types | None = Field(None, description="What it hears: all of it anew.")
    description: Text | None = Field(None, description="For people: whose it is.")
    status: Status | None = Field(None, description="`enabled` after it was switched off.")

    model_config = shown(enabled_events=["*"], status="enabled")


class RotateParams(Asked):
    """`POST /v1/webhook_endpoints/{id}/rotate`."""

    overlap_s: Annotated[
        int, Field(ge=0, le=604800, description="How long the former secret signs too.")
    ] = 86400

    model_config = shown(overlap_s=86400)


class RecoverParams(Asked):
    """`POST /v1/webhook_endpoints/{id}/recover`."""

    since: Annotated[int, Field(ge=0, lt=253_402_300_799, description="Unix seconds.")]

    model_config = shown(since=1795252800)


class ResendParams(Asked):
    """`POST /v1/events/{id}/resend`."""

    webhook_endpoint: Annotated[
        str | None,
        Field(max_length=255, description="To this one only; else to all that ask for its type."),
    ] = None

    model_config = shown(webhook_endpoint=_ENDPOINT)


class EndpointShape(BaseModel):
    """One address of your app, and how it stands."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    livemode: bool
    url: str
    enabled_events: list[str]
    description: str
    source: str = Field(description="`settings`: the environment says it; else `api`.")
    status: Status
    secret: str | None = Field(
        description="Signs its events. Shown once: in the answer that makes or rotates it."
    )
    former_secret_until: Seconds | None = Field(description="Until then both secrets sign.")
    failing_since: Seconds | None = Field(
        description="Nothing but failures since then; after five days it is disabled by itself."
    )
    disabled_at: Seconds | None
    disabled_why: str | None
    created: Seconds

    model_config = shown(
        id=_ENDPOINT,
        livemode=False,
        url="https://app.example.com/twintill",
        enabled_events=["signup.access_granted", "access.withdrawn"],
        description="the shop's backend",
        source="api",
        status="enabled",
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # noqa: S106 -- everybody knows it
        former_secret_until=None,
        failing_since=None,
        disabled_at=None,
        disabled_why=None,
        created=1795252800,
    )


class RemovedEndpointShape(BaseModel):
    """It is gone; its deliveries stay listed with their events."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    deleted: Literal[True] = True

    model_config = shown(id=_ENDPOINT)


class DeliveryShape(BaseModel):
    """One event to one endpoint."""

    id: str
    object: Literal["event_delivery"] = "event_delivery"
    event: str
    webhook_endpoint: str
    state: Literal["pending", "delivered", "failed"]
    sendings: int = Field(description="How often it was sent.")
    last_status: int | None
    last_error: str | None
    answer: str | None = Field(description="The first 1,024 bytes of the last answer's body.")
    sent_at: Seconds | None
    next_try_at: Seconds | None
    created: Seconds

    model_config = shown(
        id="dlv_1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f",
        event=_EVENT,
        webhook_endpoint=_ENDPOINT,
        state="pending",
        sendings=1,
        last_status=500,
        last_error="the app answered 500",
        answer="Internal Server Error",
        sent_at=1795252802,
        next_try_at=1795252807,
        created=1795252800,
    )


class EventShape(BaseModel):
    """Something that your app is told."""

    id: str
    object: Literal["event"] = "event"
    livemode: bool
    type: str
    about: str = Field(description="The object that it is about.")
    created: Seconds
    data: dict[str, Any] = Field(description="As it was then; the list of events shows each kind.")

    model_config = shown(
        id=_EVENT,
        livemode=False,
        type="method.revoked",
        about="pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
        created=1795252800,
        data={"id": "pm_4Yk9n2bT7xQz1LmN8vRc3WpD", "object": "payment_method"},
    )


class WholeEventShape(EventShape):
    """With what became of it."""

    deliveries: list[DeliveryShape]


class RecoveredShape(BaseModel):
    """What is sent (again)."""

    object: Literal["recovery"] = "recovery"
    webhook_endpoint: str
    events: int = Field(description="How many.")
    has_more: bool = Field(description="Ask again for the rest.")

    model_config = shown(webhook_endpoint=_ENDPOINT, events=12, has_more=False)


class ToldShape(BaseModel):
    """What is sent to an endpoint: the body of a delivery (Standard Webhooks)."""

    id: str = Field(description="Also the header `webhook-id`: drop what you have seen.")
    type: str
    timestamp: str = Field(description="When it happened, ISO 8601.")
    data: dict[str, Any]
