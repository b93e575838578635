"""The greedy solver of reds: best marginal value for its cost, then local search."""
