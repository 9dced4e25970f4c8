"""What every adapter must do with webhooks: believe only what is signed, and read all of it."""

from datetime import timedelta

import pytest

from tests.processors.stage import NOW, Stage, charged, events, order, prepared
from twintill.domain.outcomes import Accepted, Approved, Declined, Finality
from twintill.errors import SignatureRefused, UnreadableEvent
from twintill.processors import EventKind, WebhookRequest


async def delivered(stage: Stage) -> WebhookRequest:
    """One that the processor really sent."""
    await charged(stage, "approved")
    return (await stage.webhooks())[-1]


class WebhookContract:
    async def test_an_approval_is_told(self, stage: Stage) -> None:
        outcome = await charged(stage, "approved")
        [event] = await events(stage, EventKind.CHARGE_APPROVED)
        assert event.outcome == outcome
        assert event.reference == "tw-1"
        assert event.occurred_at is not None

    async def test_a_decline_is_told_with_its_reason(self, stage: Stage) -> None:
        outcome = await charged(stage, "soft")
        [event] = await events(stage, EventKind.CHARGE_DECLINED)
        assert event.outcome == outcome

    async def test_a_confirmed_debit_is_told_as_provisional_then_final(self, stage: Stage) -> None:
        accepted = await charged(stage, "debit")
        assert isinstance(accepted, Accepted)
        await stage.pass_days(30)
        [approved] = await events(stage, EventKind.CHARGE_APPROVED)
        [final] = await events(stage, EventKind.CHARGE_FINAL)
        assert isinstance(approved.outcome, Approved)
        assert approved.outcome.finality is Finality.PROVISIONAL
        assert approved.processor_payment_id == accepted.processor_payment_id
        assert isinstance(final.outcome, Approved)
        assert final.outcome.finality is Finality.FINAL

    async def test_a_failed_debit_is_told(self, stage: Stage) -> None:
        await charged(stage, "debit_fails")
        await stage.pass_days(30)
        [event] = await events(stage, EventKind.CHARGE_DECLINED)
        assert isinstance(event.outcome, Declined)
        assert await events(stage, EventKind.CHARGE_APPROVED) == []

    async def test_a_late_failure_is_told_apart_from_a_decline(self, stage: Stage) -> None:
        await charged(stage, "debit_fails_late")
        await stage.pass_days(30)
        assert len(await events(stage, EventKind.CHARGE_APPROVED)) == 1
        assert len(await events(stage, EventKind.CHARGE_FAILED_LATE)) == 1
        assert await events(stage, EventKind.CHARGE_DECLINED) == []

    async def test_a_cancellation_is_told_as_a_decline(self, stage: Stage) -> None:
        accepted = await charged(stage, "debit")
        assert isinstance(accepted, Accepted)
        state = await stage.processor.cancel_charge(accepted.processor_payment_id)
        [event] = await events(stage, EventKind.CHARGE_DECLINED)
        assert event.outcome == state

    async def test_a_method_revoked_by_the_customer_is_told(self, stage: Stage) -> None:
        method = await stage.method("approved")
        await stage.revoke_as_customer(method)
        [event] = await events(stage, EventKind.METHOD_REVOKED)
        assert event.token == method.token

    async def test_every_event_of_a_batch_is_read(self, stage: Stage) -> None:
        method = await stage.method("debit")
        for n in range(3):
            charge = prepared(stage, order(method, f"tw-{n}"), f"key-{n}")
            await stage.processor.charge(charge)
        await stage.pass_days(2)
        told = await events(stage, EventKind.CHARGE_APPROVED)
        assert {event.reference for event in told} == {"tw-0", "tw-1", "tw-2"}
        largest = max(len(stage.processor.parse_webhook(r.body)) for r in await stage.webhooks())
        assert largest >= 3

    async def test_a_redelivery_has_the_same_keys(self, stage: Stage) -> None:
        request = await delivered(stage)
        once, twice = (stage.processor.parse_webhook(request.body) for _ in range(2))
        assert once == twice
        keys = [event.dedupe_key for event in once]
        assert len(set(keys)) == len(keys)

    async def test_what_is_not_known_is_ignored_not_refused(self, stage: Stage) -> None:
        await charged(stage, "debit")
        told = await events(stage, EventKind.IGNORED)
        assert told
        assert all(event.raw_type for event in told)

    async def test_a_forged_body_is_refused(self, stage: Stage) -> None:
        request = await delivered(stage)
        forged = request.body.replace(b"4900", b"4901")
        assert forged != request.body
        with pytest.raises(SignatureRefused):
            stage.processor.verify_webhook(
                WebhookRequest(request.headers, forged, request.received_at)
            )

    async def test_a_foreign_secret_is_refused(self, stage: Stage) -> None:
        with pytest.raises(SignatureRefused):
            stage.processor.verify_webhook(stage.sign(b"{}", NOW, secret="of somebody else"))

    async def test_every_secret_of_ours_is_accepted(self, stage: Stage) -> None:
        for secret in stage.secrets:
            stage.processor.verify_webhook(stage.sign(b"{}", NOW, secret=secret))

    async def test_no_signature_is_refused(self, stage: Stage) -> None:
        request = await delivered(stage)
        with pytest.raises(SignatureRefused):
            stage.processor.verify_webhook(WebhookRequest({}, request.body, request.received_at))
        emptied = dict.fromkeys(request.headers, "")
        with pytest.raises(SignatureRefused):
            stage.processor.verify_webhook(
                WebhookRequest(emptied, request.body, request.received_at)
            )

    @pytest.mark.parametrize("seconds", [-301, 301, -86_400, 86_400])
    async def test_an_old_or_future_signature_is_refused(self, stage: Stage, seconds: int) -> None:
        signed = stage.sign(b"{}", NOW + timedelta(seconds=seconds))
        with pytest.raises(SignatureRefused):
            stage.processor.verify_webhook(WebhookRequest(signed.headers, signed.body, NOW))

    @pytest.mark.parametrize("seconds", [-299, 0, 299])
    async def test_clocks_may_differ_by_five_minutes(self, stage: Stage, seconds: int) -> None:
        signed = stage.sign(b"{}", NOW + timedelta(seconds=seconds))
        stage.processor.verify_webhook(WebhookRequest(signed.headers, signed.body, NOW))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"not json",
            b"[]",
            b"null",
            b"{}",
            b"\xff\xfe{}",
            b'{"events": 7}',
            b'{"events": [' + b"1" * 5000 + b"]}",
            b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        ],
        ids=lambda body: repr(body[:40]),
    )
    async def test_a_shape_that_is_not_known_is_unreadable(self, stage: Stage, body: bytes) -> None:
        with pytest.raises(UnreadableEvent):
            stage.processor.parse_webhook(body)

    @pytest.mark.parametrize(
        "poison",
        [
            b"7",
            b"{}",
            b'{"id": "1", "type": "charge.succeeded", "created": null}',
            b'{"id": "1", "type": "x", "created": "yesterday"}',
            b'{"id": "\\u0000", "type": "x", "created": null}',
            b'{"id": "\\ud800", "type": "x", "created": null}',
        ],
    )
    async def test_a_poisonous_event_does_not_take_its_batch_with_it(
        self, stage: Stage, poison: bytes
    ) -> None:
        fine = b'{"id": "evt_2", "type": "of no meaning", "created": "2026-12-01T00:00:00Z"}'
        batch = stage.processor.parse_webhook(b'{"events": [' + poison + b", " + fine + b"]}")
        assert [event.kind for event in batch] == [EventKind.UNREADABLE, EventKind.IGNORED]
