"""The sandbox processor's settings, and how it is opened."""

from typing import ClassVar

from pydantic import Field, SecretStr

from twintill.processors.plug import HttpUrl, Plug, ProcessorSettings, Secrets, configured
from twintill.processors.sandbox.adapter import SandboxProcessor

_PREFIX = "TWINTILL_SANDBOX_PROCESSOR_"


class SandboxSettings(ProcessorSettings):
    model_config = configured(_PREFIX)
    prefix: ClassVar[str] = _PREFIX

    url: HttpUrl = Field(
        description="the sandbox processor: its address", examples=["http://127.0.0.1:12112"]
    )
    api_key: SecretStr = Field(
        description="the sandbox processor: its API key", examples=["sandbox_key_123"]
    )
    webhook_secrets: Secrets = Field(
        description="the sandbox processor: its signing secrets, separated by commas",
        examples=["whsec_sandbox"],
    )
    account_id: str = Field(
        "acct_sandbox",
        description="the sandbox processor: whose account it is",
        examples=["acct_sandbox"],
    )
    timeout_s: float = Field(
        30,
        gt=0,
        le=35,  # below the deadline of a look: an answer must be written before the lease ends
        description="the sandbox processor: how long to wait for its answer, in seconds",
        examples=["30"],
    )

    def problems(self, *, livemode: bool) -> list[str]:
        if not livemode:
            return []
        return [
            f"{_PREFIX}URL must not be set with a live key: it collects money that does not exist"
        ]


def _open(settings: SandboxSettings) -> SandboxProcessor:
    return SandboxProcessor(
        settings.url,
        settings.api_key.get_secret_value(),
        tuple(secret.get_secret_value() for secret in settings.webhook_secrets),
        settings.account_id,
        timeout_s=settings.timeout_s,
    )


PLUG = Plug("sandbox", SandboxSettings, _open)
