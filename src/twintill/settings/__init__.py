"""What the environment says, read once: every TWINTILL_ variable, its meaning and an example.

Only the wiring and the command line read it; everything else is handed values. A missing or wrong
setting stops the start with one sentence each: which, why, and what it should look like.
"""

import base64
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from twintill.domain.pace import Limits
from twintill.domain.policy import Policy
from twintill.errors import SettingsError
from twintill.processors.plug import HttpUrl, Plug, ProcessorSettings, Secrets
from twintill.settings.kinds import EXAMPLE_KEY, DatabaseUrl, is_key, read_policy
from twintill.settings.plugs import all_plugs, read_configured
from twintill.settings.sentences import meaning, sentences

PREFIX = "TWINTILL_"
_STRIPE_KEY = re.compile(r"[sr]k_(live|test)_\w+\Z")
_STRIPE_ACCOUNT = re.compile(r"acct_\w+\Z")


class DatabaseSettings(BaseSettings):
    """Where the database is: all that `migrate` and the sandboxes' clock need."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    database_url: DatabaseUrl | None = Field(
        None,
        description="PostgreSQL 15 or newer, as the role that may not change the ledger. "
        "Unset: a PostgreSQL of Twintill's own, in ./.twintill/pg",
        examples=["postgresql://twintill_app:secret@127.0.0.1:5432/twintill"],
    )
    migrate_database_url: DatabaseUrl | None = Field(
        None,
        description="the same database, as the role that owns the tables; only `migrate` uses it",
        examples=["postgresql://twintill_owner:secret@127.0.0.1:5432/twintill"],
    )
    database_pgbouncer: bool = Field(
        False,
        description="true when a PgBouncer in transaction mode stands before DATABASE_URL",
        examples=["true"],
    )
    database_direct_url: DatabaseUrl | None = Field(
        None,
        description="with PgBouncer: an address around it, since the worker LISTENs",
        examples=["postgresql://twintill_app:secret@127.0.0.1:5433/twintill"],
    )


class Settings(DatabaseSettings):
    """Frozen; secrets do not show in its repr. `read_settings` makes one."""

    stripe_api_key: SecretStr = Field(
        description="a secret or restricted key of your Stripe account",
        examples=["rk_live_51Nexample"],
    )
    stripe_api_base: HttpUrl | None = Field(
        None,
        description="where Stripe's API is; only for a sandbox",
        examples=["http://127.0.0.1:12111"],
    )
    stripe_account_id: str | None = Field(
        None,
        description="whose account the key must be of; needed when a restricted key may not "
        "read its account",
        examples=["acct_1Nexample"],
    )
    stripe_calls_per_s: float | None = Field(
        None,
        gt=0,
        description="calls to Stripe a second, of all processes together; unset: 80 live, 20 in "
        "test mode (Stripe allows 100 and 25), without limit where STRIPE_API_BASE is set",
        examples=["80"],
    )
    stripe_endpoint_calls_per_s: float = Field(
        20,
        gt=0,
        description="of them, to each endpoint of Stripe's (which allows 25)",
        examples=["20"],
    )
    stripe_reads_per_day: int = Field(
        330,
        ge=0,
        description="what may be read from Stripe in a day to find what was never delivered "
        "(Stripe allows 10,000 reads a month, or 500 for each transaction)",
        examples=["330"],
    )
    stripe_webhook_secrets: Secrets = Field(
        description="the signing secrets of your Stripe webhook endpoints, separated by commas",
        examples=["whsec_first,whsec_second"],
    )
    encryption_keys: Secrets = Field(
        description="keys of 32 bytes in base64 for the processors' tokens, separated by commas; "
        "the first one seals, all of them open; make one with `openssl rand -base64 32`",
        examples=[EXAMPLE_KEY],
    )
    public_url: HttpUrl = Field(
        "http://127.0.0.1:8000",
        description="where your customers' browsers reach this server",
        examples=["https://pay.example.com"],
    )
    app_webhook_url: HttpUrl | None = Field(
        None,
        description="where your app hears of sign-ups and payments; more of them: "
        "`twintill endpoints`",
        examples=["https://app.example.com/twintill"],
    )
    app_webhook_secret: SecretStr | None = Field(
        None,
        description="signs what your app hears (Standard Webhooks)",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    app_webhook_loopback: bool = Field(
        False,
        description="development only: endpoints of your app may be on this machine, over http",
        examples=["true"],
    )
    host: str = Field(
        "127.0.0.1", description="the address that `serve` listens on", examples=["127.0.0.1"]
    )
    port: int = Field(
        8000, ge=0, le=65535, description="the port that `serve` listens on", examples=["8000"]
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="proxies whose X-Forwarded-For is believed, separated by commas, or *",
        examples=["10.0.0.0/8"],
    )
    worker_concurrency: int = Field(
        10,
        ge=1,
        le=1000,
        description="looks at a time, for each kind of work and each processor",
        examples=["10"],
    )
    checkout_expires_after_s: int = Field(
        86400,
        ge=600,
        le=30 * 86400,
        description="how long a customer may take for a checkout, in seconds",
        examples=["86400"],
    )
    policy: Annotated[Policy, NoDecode] = Field(
        Policy(),
        description="what departs from the default policy, as JSON with ISO 8601 durations",
        examples=['{"retry_pauses": ["P1D", "P3D"], "retry_span": "P10D"}'],
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error", examples=["info"]
    )

    _processors: tuple[tuple[Plug, ProcessorSettings], ...] = PrivateAttr(())

    @property
    def processors(self) -> tuple[tuple[Plug, ProcessorSettings], ...]:
        """Those that are configured, each with what the environment says of it."""
        return self._processors

    @property
    def livemode(self) -> bool:
        """Whose money it is: the key says."""
        return "_live_" in self.stripe_api_key.get_secret_value()[:8]

    @property
    def stripe_limits(self) -> Limits | None:
        """None: as fast as it goes."""
        account_per_s = self.stripe_calls_per_s
        if account_per_s is None:
            if self.stripe_api_base is not None:
                return None
            account_per_s = 80 if self.livemode else 20
        return Limits(account_per_s, min(account_per_s, self.stripe_endpoint_calls_per_s))

    @property
    def vault_keys(self) -> list[bytes]:
        return [base64.b64decode(key.get_secret_value()) for key in self.encryption_keys]

    @field_validator("stripe_api_key")
    @classmethod
    def _is_stripe_key(cls, key: SecretStr) -> SecretStr:
        if not _STRIPE_KEY.match(key.get_secret_value()):
            raise ValueError("must begin with sk_live_, rk_live_, sk_test_ or rk_test_")
        return key

    @field_validator("stripe_account_id")
    @classmethod
    def _is_account(cls, account_id: str | None) -> str | None:
        if account_id is not None and not _STRIPE_ACCOUNT.match(account_id):
            raise ValueError("must begin with acct_")
        return account_id

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, given: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for n, key in enumerate(given, 1):
            if key.get_secret_value() == EXAMPLE_KEY:
                raise ValueError(f"number {n} is the example, which everybody knows")
            if not is_key(key.get_secret_value()):
                raise ValueError(f"number {n} is not base64 of exactly 32 bytes")
        return given

    @field_validator("policy", mode="before")
    @classmethod
    def _read_policy(cls, given: Any) -> Any:
        return read_policy(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        found, its_problems = read_configured(all_plugs(), livemode=self.livemode)
        problems = [*_half_given(self), *_live(self), *its_problems]
        if not found and not its_problems:
            problems.append(
                "no processor is configured, so nothing could be collected: set "
                "TWINTILL_SANDBOX_PROCESSOR_URL, e.g. http://127.0.0.1:12112"
            )
        self._processors = tuple(found)
        if problems:
            raise ValueError("\n".join(problems))
        return self


def read_settings() -> Settings:
    """The settings of this process. Raises SettingsError that tells of every problem at once."""
    return _read(Settings)


def read_database_settings() -> DatabaseSettings:
    """Only where the database is. Raises SettingsError."""
    return _read(DatabaseSettings)


def variable_of(field: str) -> str:
    return PREFIX + field.upper()


_AnySettings = TypeVar("_AnySettings", bound=DatabaseSettings)


def _read(kind: type[_AnySettings]) -> _AnySettings:
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError("\n".join([*sentences(error, kind, PREFIX), *_unread()])) from None


def _unread() -> list[str]:
    """A file that was written, and is not what counts, is a likely reason."""
    if not Path(".env").is_file():
        return []
    return ["only the environment is read, not ./.env; in a shell: set -a; . ./.env; set +a"]


def _half_given(settings: Settings) -> list[str]:
    problems = []
    if (settings.app_webhook_url is None) != (settings.app_webhook_secret is None):
        problems.append(
            "TWINTILL_APP_WEBHOOK_URL and TWINTILL_APP_WEBHOOK_SECRET go together: set both, e.g. "
            "https://app.example.com/twintill and whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, or none"
        )
    if settings.database_pgbouncer and settings.database_direct_url is None:
        why = meaning(Settings.model_fields["database_direct_url"])
        problems.append(f"TWINTILL_DATABASE_DIRECT_URL is not set: {why}")
    return problems


def _live(settings: Settings) -> list[str]:
    """What is harmless in a sandbox, and not with other people's money."""
    if not settings.livemode:
        return []
    problems = []
    if settings.database_url is None:
        why = meaning(Settings.model_fields["database_url"])
        problems.append(f"TWINTILL_DATABASE_URL must be set with a live key: {why}")
    if not settings.public_url.startswith("https://"):
        problems.append(
            "TWINTILL_PUBLIC_URL must begin with https:// with a live key, e.g. "
            "https://pay.example.com"
        )
    if settings.stripe_api_base is not None:
        problems.append("TWINTILL_STRIPE_API_BASE must not be set with a live key")
    if settings.app_webhook_loopback:
        problems.append("TWINTILL_APP_WEBHOOK_LOOPBACK must not be set with a live key")
    return problems
