"""The exact solver of reds: elimination over the group graph with Pareto labels and Lagrangian bounds."""
