"""OR-Tools CP-SAT as a solver of reds."""
