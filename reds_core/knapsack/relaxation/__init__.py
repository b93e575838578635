"""The dual bounds and feasible choices behind presolve and the linear model."""
