"""`twintill demo`: the whole story, between real processes on this machine."""

from twintill.demo.playing import main, play

__all__ = ["main", "play"]
