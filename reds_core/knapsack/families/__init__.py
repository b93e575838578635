"""The proof of a joint family: regions, near-optimal members, and their join under nesting."""
