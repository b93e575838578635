"""How a network, its scores and its costs become a knapsack problem."""
