"""How Twintill finds, configures and opens this adapter."""

from typing import ClassVar

from pydantic import Field, SecretStr

from acme_pay.adapter import AcmePay
from twintill.processors.plug import HttpUrl, Plug, ProcessorSettings, Secrets, configured


class AcmeSettings(ProcessorSettings):
    prefix: ClassVar[str] = "TWINTILL_ACME_"
    model_config = configured("TWINTILL_ACME_")

    url: HttpUrl = Field("https://api.acme.example", description="Acme Pay: its address")
    api_key: SecretStr = Field(description="Acme Pay: its API key", examples=["acme_key_123"])
    account_id: str = Field(description="Acme Pay: whose account it is", examples=["shop-1"])
    webhook_secrets: Secrets = Field(
        description="Acme Pay: its signing secrets, separated by commas", examples=["sign_123"]
    )

    def problems(self, *, livemode: bool) -> list[str]:
        if livemode and self.api_key.get_secret_value().startswith("test_"):
            return ["TWINTILL_ACME_API_KEY is one for tests, and Stripe's key is live"]
        return []


def _open(settings: AcmeSettings) -> AcmePay:
    return AcmePay(
        settings.url,
        settings.api_key.get_secret_value(),
        settings.account_id,
        tuple(secret.get_secret_value() for secret in settings.webhook_secrets),
    )


PLUG = Plug("acme", AcmeSettings, _open)
