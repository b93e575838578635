"""The boundary to pruning strategies, and the guard that holds them to the budgets."""
