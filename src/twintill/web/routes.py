"""The routers of the REST API and of the pages: a new one is listed here."""

from twintill.web import invoices, payments

ROUTERS = (invoices.router, payments.router)
