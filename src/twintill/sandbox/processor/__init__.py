"""The sandbox processor: collects money that does not exist, over HTTP as a real one would."""

from twintill.sandbox.processor.app import create_app, serve
from twintill.sandbox.processor.settings import ProcessorSandboxSettings

__all__ = ["ProcessorSandboxSettings", "create_app", "serve"]
