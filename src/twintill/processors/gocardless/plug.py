"""GoCardless's settings, and how it is opened."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from twintill.processors.gocardless.adapter import LIVE, SANDBOX, GoCardless
from twintill.processors.plug import HttpUrl, Plug, ProcessorSettings, Secrets, configured

_PREFIX = "TWINTILL_GOCARDLESS_"


class GoCardlessSettings(ProcessorSettings):
    model_config = configured(_PREFIX)
    prefix: ClassVar[str] = _PREFIX

    environment: Literal["sandbox", "live"] = Field(
        description="GoCardless: sandbox or live; each has access tokens of its own",
        examples=["sandbox"],
    )
    access_token: SecretStr = Field(
        description="GoCardless: an access token that may read and write", examples=["sandbox_123"]
    )
    webhook_secrets: Secrets = Field(
        description="GoCardless: the secrets of its webhook endpoint, separated by commas",
        examples=["KaLYgvaqWSXgxYPw2Sd3"],
    )
    creditor_id: str = Field(
        pattern=r"^CR[0-9A-Za-z]+$",
        description="GoCardless: the creditor that collects, from its dashboard",
        examples=["CR000123456789"],
    )
    url: HttpUrl | None = Field(
        None,
        description="GoCardless: another address than its own, of a stand-in",
        examples=["http://127.0.0.1:12114"],
    )
    timeout_s: float = Field(
        30,
        gt=0,
        le=35,  # below the deadline of a look: an answer must be written before the lease ends
        description="GoCardless: how long to wait for its answer, in seconds",
        examples=["30"],
    )

    def problems(self, *, livemode: bool) -> list[str]:
        told: list[str] = []
        if livemode and (self.environment != "live" or self.url is not None):
            told.append(
                f"{_PREFIX}ENVIRONMENT must be live, without {_PREFIX}URL, with a live Stripe key: "
                "a sandbox collects money that does not exist"
            )
        if not livemode and self.environment == "live":
            told.append(
                f"{_PREFIX}ENVIRONMENT must be sandbox with a Stripe test key: live collects real "
                "money for invoices that are none"
            )
        other = "sandbox_" if self.environment == "live" else "live_"
        if self.access_token.get_secret_value().startswith(other):
            told.append(
                f"{_PREFIX}ACCESS_TOKEN is of the other environment than {_PREFIX}ENVIRONMENT"
            )
        return told


def _open(settings: GoCardlessSettings) -> GoCardless:
    own = LIVE if settings.environment == "live" else SANDBOX
    return GoCardless(
        settings.access_token.get_secret_value(),
        tuple(secret.get_secret_value() for secret in settings.webhook_secrets),
        settings.creditor_id,
        settings.url or own,
        timeout_s=settings.timeout_s,
    )


PLUG = Plug("gocardless", GoCardlessSettings, _open)
