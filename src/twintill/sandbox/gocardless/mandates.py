"""Mandates, and whom they belong to: customers and their bank accounts."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.gocardless import shapes
from twintill.sandbox.gocardless.account import Mandate
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.listing import Row
from twintill.sandbox.gocardless.mistakes import not_there, wrong_state
from twintill.sandbox.processor import setups

Json = dict[str, Any]
_FILTERS = frozenset(("customer", "customer_bank_account", "status", "scheme", "creditor"))


def get(asked: Asked, mandate_id: str) -> tuple[int, Json]:
    return 200, _shown(asked, asked.mandate(mandate_id))


def list_all(asked: Asked) -> tuple[int, Json]:
    records = asked.records.mandates.values()
    rows = [_row(asked, record) for record in records if record.is_shown]
    return 200, asked.page("mandates", rows, _FILTERS)


def cancel(asked: Asked, mandate_id: str) -> tuple[int, Json]:
    """Its payments that are not with the bank yet are cancelled with it."""
    record = asked.mandate(mandate_id)
    asked.action().metadata()
    if asked.world.methods[record.id].status != "active":
        raise wrong_state("cancellation_failed", "Mandate cannot be cancelled")
    setups.revoke_method(asked.world, record.id, by="merchant", now=asked.now)
    return 200, _shown(asked, record)


def get_customer(asked: Asked, customer_id: str) -> tuple[int, Json]:
    customer = asked.records.customers.get(customer_id)
    if customer is None:
        raise not_there("Customer")
    return 200, {"customers": shapes.customer(customer)}


def list_customers(asked: Asked) -> tuple[int, Json]:
    rows = [
        Row(one.id, one.created, lambda one=one: shapes.customer(one))  # type: ignore[misc]
        for one in asked.records.customers.values()
    ]
    return 200, asked.page("customers", rows)


def get_bank_account(asked: Asked, account_id: str) -> tuple[int, Json]:
    mandate_id = asked.records.by_bank_account.get(account_id)
    if mandate_id is None:
        raise not_there("Customer bank account")
    record = asked.mandate(mandate_id)
    return 200, {"customer_bank_accounts": shapes.bank_account(asked.world, record)}


def list_creditors(asked: Asked) -> tuple[int, Json]:
    creditor = shapes.creditor(asked.switches.currencies)
    return 200, {
        "creditors": [creditor],
        "meta": {"cursors": {"before": None, "after": None}, "limit": 50},
    }


def _shown(asked: Asked, record: Mandate) -> Json:
    return {"mandates": shapes.mandate(asked.world, record, asked.now)}


def _row(asked: Asked, record: Mandate) -> Row:
    return Row(
        record.id,
        record.created,
        lambda: shapes.mandate(asked.world, record, asked.now),
        {
            "customer": record.customer,
            "customer_bank_account": record.bank_account,
            "status": shapes.mandate_status(asked.world.methods[record.id]),
            "scheme": record.scheme,
            "creditor": shapes.CREDITOR,
        },
    )
