"""What the comparisons of solvers and of pruning runs share: the pool that runs their jobs, and their conclusion."""
