"""Real processes, killed at every point where they touch the outside; afterwards all is as it was
meant to be."""
