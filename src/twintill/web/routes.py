"""The routers of the REST API and of the pages: a new one is listed here."""

from twintill.web import (
    brakes,
    cancellations,
    checkout_page,
    checkouts,
    customer_policy,
    customers,
    disputes,
    endpoints,
    events,
    inbox,
    invoices,
    payments,
    refunds,
    resolving,
    signups,
    switches,
)

ROUTERS = (
    signups.router,
    checkouts.router,
    customers.router,
    customer_policy.router,
    invoices.router,
    payments.router,
    refunds.router,
    disputes.router,
    resolving.router,
    switches.router,
    cancellations.router,
    brakes.router,
    endpoints.router,
    events.router,
    inbox.router,
    checkout_page.router,
)
