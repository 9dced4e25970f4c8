"""A stand-in world: Stripe, a processor and PostgreSQL, for the demo, the tests and the benchmarks."""
