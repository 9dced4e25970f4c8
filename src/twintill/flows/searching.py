"""Where to look for a charge at its processor: our reference, and when it can have been sent."""

from datetime import datetime, timedelta

from twintill.domain.payment import Attempt
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors import Search

# Our clock and the processor's may differ; a replay may be sent as long as its key is honoured.
_CLOCKS_DIFFER = timedelta(minutes=15)
_AFTER_THE_LAST = timedelta(days=1)
# One that a restored database did not know was sent when its invoice was open: for so long, at
# most, a debit of its last retry included. What we have of it began only when it was found.
_BEFORE_IT_WAS_FOUND = timedelta(days=92)


def search_of(means: Means, scope: Scope, attempt: Attempt) -> Search:
    """For an attempt of ours, with what was sent. Raises SettingsError, VaultError."""
    processor = means.processor(attempt.processor, attempt.processor_account_id)
    window = timedelta(seconds=processor.capabilities.key_window_s)
    body, before = None, _BEFORE_IT_WAS_FOUND
    if attempt.sealed_body:
        body = means.vault.open(attempt.sealed_body, scope, "attempts", attempt.id)
        before = _CLOCKS_DIFFER
    return Search(
        attempt.reference,
        since=attempt.first_sent_at - before,
        until=attempt.first_sent_at + window + _AFTER_THE_LAST,
        body=body,
    )


def search_for_lost(reference: str, began_at: datetime) -> Search:
    """For one that this database does not know; `began_at`: its invoice was made then."""
    return Search(reference, since=began_at - _CLOCKS_DIFFER)
