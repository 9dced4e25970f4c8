"""Webhooks: only what is signed is believed, and all of it is read."""

import re
from datetime import timedelta

import pytest

from twintill.domain.outcomes import Accepted, Approved, Declined, Finality
from twintill.errors import SignatureRefused, UnreadableEvent
from twintill.processors import EventKind, ProcessorEvent, WebhookRequest
from twintill.testing.stage import Behaviour, Stage, Trait
from twintill.testing.steps import (
    approved,
    charged,
    declined,
    ended,
    events,
    heard,
    meant,
    needs,
    not_applicable,
    order,
    prepared,
    three_charges,
    verified,
)


async def delivered(stage: Stage) -> WebhookRequest:
    """One that the processor really sent."""
    await approved(stage)
    request = (await stage.webhooks())[-1]
    await verified(stage, request)
    return request


def changed(request: WebhookRequest, body: bytes) -> WebhookRequest:
    return WebhookRequest(request.headers, body, request.received_at)


def is_of(event: ProcessorEvent, charge_id: str, reference: str = "tw-1") -> bool:
    """It names the charge in one way at least, and in none another one."""
    ids = (event.processor_payment_id, event.reference)
    return ids in ((charge_id, reference), (charge_id, None), (None, reference))


class WebhookContract:
    part = "Webhooks"

    async def test_an_approval_is_told(self, stage: Stage) -> None:
        outcome = await approved(stage)
        [event] = await events(stage, EventKind.CHARGE_APPROVED)
        assert is_of(event, outcome.processor_payment_id)
        assert await meant(stage, event) == outcome
        assert event.occurred_at is not None

    async def test_a_decline_is_told_with_its_reason(self, stage: Stage) -> None:
        outcome = await declined(stage, Behaviour.SOFT)
        told = await events(stage, EventKind.CHARGE_DECLINED)
        if not told:
            needs(stage, Trait.TOLD_DECLINES)
        [event] = told
        seen = await meant(stage, event)
        assert isinstance(seen, Declined)
        assert (seen.kind, seen.code) == (outcome.kind, outcome.code)

    async def test_provisional_money_is_told_and_then_that_it_is_final(self, stage: Stage) -> None:
        told = await ended(stage, await charged(stage, Behaviour.PENDS))
        assert isinstance(told, Approved)
        if told.finality is Finality.FINAL:
            assert not stage.processor.capabilities.final_after_days
            not_applicable("what it tells as approved is final")
        await stage.pass_days(stage.processor.capabilities.final_after_days)
        [first] = await events(stage, EventKind.CHARGE_APPROVED)
        [final] = await events(stage, EventKind.CHARGE_FINAL)
        assert is_of(first, told.processor_payment_id)
        assert is_of(final, told.processor_payment_id)
        for event, finality in ((first, Finality.PROVISIONAL), (final, Finality.FINAL)):
            assert event.outcome is None or (
                isinstance(event.outcome, Approved) and event.outcome.finality is finality
            )

    async def test_a_pending_charge_that_failed_is_told(self, stage: Stage) -> None:
        accepted = await charged(stage, Behaviour.PENDS_THEN_FAILS)
        assert isinstance(accepted, Accepted)
        await stage.pass_days(20)
        [event] = await events(stage, EventKind.CHARGE_DECLINED)
        assert is_of(event, accepted.processor_payment_id)
        assert isinstance(await meant(stage, event), Declined)
        assert await events(stage, EventKind.CHARGE_APPROVED) == []

    async def test_a_late_failure_is_told(self, stage: Stage) -> None:
        told = await approved(stage, Behaviour.FAILS_LATE)
        before = len(await heard(stage))
        await stage.pass_days(30)
        failed = [
            event
            for event in (await heard(stage))[before:]
            if event.kind in (EventKind.CHARGE_FAILED_LATE, EventKind.CHARGE_DECLINED)
        ]
        [event] = failed
        assert is_of(event, told.processor_payment_id)

    async def test_a_cancellation_is_told_as_a_decline(self, stage: Stage) -> None:
        if not stage.processor.capabilities.can_cancel_pending:
            not_applicable("it cancels no charge")
        accepted = await charged(stage, Behaviour.PENDS)
        assert isinstance(accepted, Accepted)
        await stage.processor.cancel_charge(accepted.processor_payment_id)
        [event] = await events(stage, EventKind.CHARGE_DECLINED)
        assert is_of(event, accepted.processor_payment_id)
        assert isinstance(await meant(stage, event), Declined)

    async def test_a_method_revoked_by_the_customer_is_told(self, stage: Stage) -> None:
        if not stage.processor.capabilities.tells_of_revoked_methods:
            not_applicable("it tells of no revoked method: it is asked")
        method = await stage.method(Behaviour.APPROVED)
        await stage.revoke_as_customer(method)
        [event] = await events(stage, EventKind.METHOD_REVOKED)
        assert event.token == method.token

    async def test_a_payment_that_is_not_ours_is_read(self, stage: Stage) -> None:
        charge_id = await stage.foreign_charge()
        await stage.pass_days(10)
        told = [event for event in await heard(stage) if event.processor_payment_id == charge_id]
        assert told
        assert all(event.kind is not EventKind.UNREADABLE for event in told)
        assert not [event for event in told if (event.reference or "").startswith("tw-")]

    async def test_three_charges_are_told_whatever_the_batches(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        for n in range(3):
            request = order(stage, method, f"tw-{n}", invoice_id=f"in_{n}")
            await stage.processor.charge(prepared(stage, request, f"key-{n}"))
        await stage.pass_days(10)
        told = await events(stage, EventKind.CHARGE_APPROVED)
        assert len({event.processor_payment_id for event in told}) == 3
        assert {event.reference for event in told} in ({"tw-0", "tw-1", "tw-2"}, {None})

    async def test_every_event_of_a_batch_is_read(self, stage: Stage) -> None:
        needs(stage, Trait.BATCHES)
        needs(stage, Behaviour.PENDS)
        method = await stage.method(Behaviour.PENDS)
        for n in range(3):
            request = order(stage, method, f"tw-{n}", invoice_id=f"in_{n}")
            await stage.processor.charge(prepared(stage, request, f"key-{n}"))
        await stage.pass_days(10)
        read = [stage.processor.parse_webhook(one.body) for one in await stage.webhooks()]
        assert max(len(batch) for batch in read) >= 3
        told = await events(stage, EventKind.CHARGE_APPROVED)
        assert len({event.processor_payment_id for event in told}) == 3

    async def test_a_poisonous_event_does_not_take_its_batch_with_it(self, stage: Stage) -> None:
        needs(stage, Trait.BATCHES)
        request = await delivered(stage)
        good = list(stage.processor.parse_webhook(request.body))
        poisoned = stage.unreadable_events(request.body)
        assert poisoned
        for body in poisoned:
            read = list(stage.processor.parse_webhook(body))
            assert [event.kind for event in read[:1]] == [EventKind.UNREADABLE]
            assert read[0].note
            assert read[1:] == good

    async def test_an_event_that_cannot_be_read_is_parked(self, stage: Stage) -> None:
        request = await delivered(stage)
        for body in stage.unreadable_events(request.body):
            try:
                kinds = [event.kind for event in stage.processor.parse_webhook(body)]
            except UnreadableEvent:
                continue
            assert EventKind.UNREADABLE in kinds

    async def test_a_redelivery_has_the_same_keys(self, stage: Stage) -> None:
        await three_charges(stage)
        requests = len(await stage.webhooks())
        await stage.foreign_charge()
        await stage.pass_days(10)
        assert len(await stage.webhooks()) > requests > 0
        once, again = await heard(stage), await heard(stage)
        assert once == again
        keys = [event.dedupe_key for event in once if event.dedupe_key is not None]
        assert len(set(keys)) == len(keys)

    async def test_the_order_of_arrival_changes_nothing(self, stage: Stage) -> None:
        needs(stage, Behaviour.PENDS)
        await ended(stage, await charged(stage, Behaviour.PENDS))
        requests = await stage.webhooks()
        forward = [list(stage.processor.parse_webhook(one.body)) for one in requests]
        backward = [list(stage.processor.parse_webhook(one.body)) for one in reversed(requests)]
        assert forward == backward[::-1]

    async def test_what_means_nothing_is_ignored_not_refused(self, stage: Stage) -> None:
        needs(stage, Trait.IGNORED_EVENTS)
        await ended(stage, await charged(stage, Behaviour.PENDS))
        told = await events(stage, EventKind.IGNORED)
        assert told
        assert all(event.raw_type for event in told)

    async def test_a_forged_body_is_refused(self, stage: Stage) -> None:
        request = await delivered(stage)
        other_digit = re.sub(rb"[0-8]", b"9", request.body, count=1)
        for forged in (other_digit, request.body + b" ", request.body[:-1], b""):
            assert forged != request.body
            with pytest.raises(SignatureRefused):
                await verified(stage, changed(request, forged))

    async def test_the_signature_of_a_stranger_is_refused(self, stage: Stage) -> None:
        request = await delivered(stage)
        signed = stage.sign(request.body, request.received_at, "a stranger")
        with pytest.raises(SignatureRefused):
            await verified(stage, signed)

    async def test_every_signer_of_ours_is_accepted(self, stage: Stage) -> None:
        request = await delivered(stage)
        assert stage.signers
        for signer in stage.signers:
            await verified(stage, stage.sign(request.body, request.received_at, signer))

    async def test_no_signature_is_refused(self, stage: Stage) -> None:
        request = await delivered(stage)
        emptied = dict.fromkeys(request.headers, "")
        for headers in ({}, emptied):
            with pytest.raises(SignatureRefused):
                await verified(stage, WebhookRequest(headers, request.body, request.received_at))

    async def test_each_missing_header_of_the_signature_is_refused(self, stage: Stage) -> None:
        now = await stage.now()
        signed = stage.sign(b"{}", now, stage.signers[0])
        await verified(stage, signed)
        for name in signed.headers:
            headers = {k: v for k, v in signed.headers.items() if k != name}
            with pytest.raises(SignatureRefused):
                await verified(stage, WebhookRequest(headers, signed.body, now))

    @pytest.mark.parametrize("past", [1, 86_400, 365 * 86_400])
    async def test_an_old_or_future_signature_is_refused(self, stage: Stage, past: int) -> None:
        needs(stage, Trait.SIGNED_TIME)
        now, (age_s, ahead_s) = await stage.now(), stage.signed_time_s
        for seconds in (-age_s - past, ahead_s + past):
            at = now + timedelta(seconds=seconds)
            signed = stage.sign(b"{}", at, stage.signers[0])
            with pytest.raises(SignatureRefused):
                await verified(stage, WebhookRequest(signed.headers, signed.body, now))

    async def test_clocks_may_differ_a_little(self, stage: Stage) -> None:
        needs(stage, Trait.SIGNED_TIME)
        now, (age_s, ahead_s) = await stage.now(), stage.signed_time_s
        for seconds in (1 - age_s, 0, ahead_s - 1):
            at = now + timedelta(seconds=seconds)
            signed = stage.sign(b"{}", at, stage.signers[0])
            await verified(stage, WebhookRequest(signed.headers, signed.body, now))

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
