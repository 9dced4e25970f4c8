"""PayPal's settings, and how it is opened."""

from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from twintill.errors import SettingsError
from twintill.processors.paypal.adapter import Account, PayPalProcessor, utc_now
from twintill.processors.paypal.certificates import Trust
from twintill.processors.plug import HttpUrl, Plug, ProcessorSettings, Words, configured

_PREFIX = "TWINTILL_PAYPAL_"


class Environment(StrEnum):
    LIVE = "live"
    SANDBOX = "sandbox"


# Webhooks name the hosts without "-m", too. Money only moves in the live one: the sandbox's
# certificates are not believed there.
_BASE = {
    Environment.LIVE: "https://api-m.paypal.com",
    Environment.SANDBOX: "https://api-m.sandbox.paypal.com",
}
_LIVE = Trust(
    ("https://api.paypal.com", "https://api-m.paypal.com"),
    ("messageverificationcerts.paypal.com",),
)
_SANDBOX = Trust(
    (*_LIVE.origins, "https://api.sandbox.paypal.com", "https://api-m.sandbox.paypal.com"),
    (*_LIVE.names, "messageverificationcerts.sandbox.paypal.com"),
)
TRUST = {Environment.LIVE: _LIVE, Environment.SANDBOX: _SANDBOX}


class PayPalSettings(ProcessorSettings):
    model_config = configured(_PREFIX)
    prefix: ClassVar[str] = _PREFIX

    environment: Environment = Field(
        description="PayPal: live, or sandbox for tests (with a Stripe test key)",
        examples=["sandbox"],
    )
    client_id: SecretStr = Field(
        description="PayPal: the REST app's client id, from the Developer Dashboard",
        examples=["AeA1QIZXiflr1_-r0U2UbWTziOWX1GRQer5jkUq4ZfWT5qwb6qQRPq7jDtv5"],
    )
    client_secret: SecretStr = Field(
        description="PayPal: the REST app's secret",
        examples=["EL1tVxAjhT7cJimnz5-Nsx9k2reTKSVfErNQF-CmrwJgxRtylkGTKlU4RvrX"],
    )
    merchant_id: str = Field(
        description="PayPal: the account's merchant id (Account Settings, Business information); "
        "part of every key, so it must never change",
        examples=["C7CYMKZDG8D6E"],
    )
    webhook_ids: Words = Field(
        description="PayPal: the ids of the app's webhooks that call us, separated by commas",
        examples=["0EH40505U7160970P"],
    )
    timeout_s: float = Field(
        28,
        gt=0,
        le=30,  # with the time for an access token it stays below the lease
        description="PayPal: how long to wait for its answer, in seconds",
        examples=["28"],
    )
    url: HttpUrl | None = Field(
        None,
        description="PayPal: the address of a stand-in, in place of PayPal's sandbox",
        examples=["http://127.0.0.1:12113"],
    )
    roots_file: Path | None = Field(
        None,
        description="PayPal: root certificates (PEM) that a stand-in's webhooks are checked with",
        examples=["/etc/twintill/paypal-stand-in.pem"],
    )

    def problems(self, *, livemode: bool) -> list[str]:
        found = []
        live = self.environment is Environment.LIVE
        if livemode and not live:
            found.append(
                f"{_PREFIX}ENVIRONMENT must be live with a live Stripe key: the sandbox collects "
                "money that does not exist"
            )
        if live and not livemode:
            found.append(
                f"{_PREFIX}ENVIRONMENT must be sandbox with a Stripe test key: live would collect "
                "real money for test invoices"
            )
        if live and (self.url is not None or self.roots_file is not None):
            found.append(f"{_PREFIX}URL and {_PREFIX}ROOTS_FILE are for a stand-in: not with live")
        return found


def _open(settings: PayPalSettings) -> PayPalProcessor:
    trust = TRUST[settings.environment]
    if settings.url is not None:
        trust = Trust((settings.url,), trust.names)
    if settings.roots_file is not None:
        trust = Trust(trust.origins, trust.names, _read(settings.roots_file))
    return PayPalProcessor(
        settings.url or _BASE[settings.environment],
        Account(
            settings.merchant_id,
            settings.client_id.get_secret_value(),
            settings.client_secret.get_secret_value(),
            settings.webhook_ids,
        ),
        trust,
        timeout_s=settings.timeout_s,
        clock=utc_now if settings.url is None else None,
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{_PREFIX}ROOTS_FILE cannot be read: {error}") from None


PLUG = Plug("paypal", PayPalSettings, _open)
