"""The solver comparison: every solver on every problem, each solve in a process of its own, as records."""
