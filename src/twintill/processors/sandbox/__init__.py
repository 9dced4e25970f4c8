"""The adapter of the sandbox processor: the example that every other adapter follows."""

from twintill.processors.sandbox.adapter import SandboxProcessor

__all__ = ["SandboxProcessor"]
