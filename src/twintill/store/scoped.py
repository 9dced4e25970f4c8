"""Every key begins with Stripe account and mode: the two small pieces that all queries share."""

from typing import Any

from sqlalchemy import ColumnElement, Table, and_

from twintill.ids import Scope


def key(scope: Scope) -> dict[str, Any]:
    """The first two columns of a new row."""
    return {"stripe_account_id": scope.stripe_account_id, "livemode": scope.livemode}


def mine(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Only this Stripe account's rows, in this mode."""
    c = table.c
    return and_(c.stripe_account_id == scope.stripe_account_id, c.livemode == scope.livemode)
