"""The means: what every flow is handed, made once by the wiring and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.domain.policy import Policy
from twintill.errors import SettingsError
from twintill.flows.outbound import Outbound
from twintill.ids import Scope
from twintill.processors import Processor
from twintill.store.vault import Vault
from twintill.stripe_billing.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Means:
    """The database, the two outside parties, the vault, and what is by setting."""

    scope: Scope
    installation_id: str
    database: AsyncEngine
    stripe: Gateway
    processors: Mapping[str, Processor]  # by name
    vault: Vault
    policy: Policy
    public_url: str  # where customers reach our pages, without a trailing slash
    tells_app: bool  # whether events are made at all; each endpoint gets what it asks for
    checkout_expires_after: timedelta = timedelta(days=1)
    # What those that can wait (sweeps, catching up on events) may read from Stripe in a day.
    stripe_reads_per_day: int = 330
    outbound: Outbound = field(default_factory=Outbound)

    def processor(self, name: str, account_id: str | None = None) -> Processor:
        """Raises SettingsError for a processor that is not configured (any more).

        `account_id`: the processor account that an attempt or a method is of. Another one knows
        nothing of it: its "not found" would prove nothing, and the same key would charge there.
        """
        found = self.processors.get(name)
        if found is None:
            known = ", ".join(sorted(self.processors)) or "none"
            raise SettingsError(
                f"The processor {name!r} is not configured here (configured: {known})."
            )
        if account_id not in (None, found.account_id):
            raise SettingsError(
                f"This is of the {name} account {account_id}, and {found.account_id} is "
                "configured: configure that account again, or ask it by hand."
            )
        return found
