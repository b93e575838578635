"""The problem that is solved, the boundary to those who solve it, and what can be said of it without them."""
