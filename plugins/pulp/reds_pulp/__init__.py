"""PuLP MILP back ends as a solver of reds."""
