"""What a network uses of a resource, and what of it a budget allows."""
