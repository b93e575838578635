"""A bounding solver of reds for graphs of any shape: Lagrangian relaxation, repair, local search."""
