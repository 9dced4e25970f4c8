"""The seeded simulation: whole worlds on the real code and a real PostgreSQL, in virtual time."""
