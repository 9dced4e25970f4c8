"""What should happen: pure decisions, without I/O, clock or SQL."""
