"""A stand-in world (Stripe, a processor, PostgreSQL) for the demo, the tests and benchmarks."""
