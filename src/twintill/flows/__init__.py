"""Making it happen: one module for each thing that the product does from start to end."""
