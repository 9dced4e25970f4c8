"""A stand-in GoCardless: its API and webhooks in front of the sandbox processor's engine.

Written from what GoCardless documents; [assumed] marks what was found documented nowhere.
"""

from __future__ import annotations

from twintill.sandbox.clock import Clock
from twintill.sandbox.gocardless.face import GoCardless, sign
from twintill.sandbox.gocardless.settings import gocardless_settings
from twintill.sandbox.processor.app import create_face_app
from twintill.sandbox.processor.fault_middleware import App
from twintill.sandbox.processor.settings import ProcessorSandboxSettings

__all__ = ["GoCardless", "create_app", "gocardless_settings", "sign"]


def create_app(clock: Clock, settings: ProcessorSandboxSettings) -> App:
    """State lives in the app: another call makes another GoCardless."""
    return create_face_app(clock, settings, GoCardless())
