"""What we remember: the only SQL of the product."""
