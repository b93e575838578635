"""SciPy LP relaxation and MILP (HiGHS) as solvers of reds."""
