"""Comparing pruning runs: recipes with several pruners, scorers, solvers and seeds, and what each is worth."""
