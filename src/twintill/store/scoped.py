"""Every key begins with Stripe account and mode: the two small pieces that all queries share."""

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam

from twintill.ids import Scope


def key(scope: Scope) -> dict[str, Any]:
    """The first two columns of a new row."""
    return {"stripe_account_id": scope.stripe_account_id, "livemode": scope.livemode}


def mine(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Only this Stripe account's rows, in this mode."""
    c = table.c
    return and_(c.stripe_account_id == scope.stripe_account_id, c.livemode == scope.livemode)


def whose(table: Table) -> ColumnElement[bool]:
    """As `mine`, for a statement that is built once and executed with `of(scope)`.

    Building one anew each time costs more than PostgreSQL takes to execute it.
    """
    c = table.c
    return and_(
        c.stripe_account_id == bindparam("of_account"), c.livemode == bindparam("of_livemode")
    )


def of(scope: Scope) -> dict[str, Any]:
    """The parameters that `whose` waits for."""
    return {"of_account": scope.stripe_account_id, "of_livemode": scope.livemode}
