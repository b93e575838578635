"""Max-sum over the group graph and what is built on it: elimination, multipliers by cutting planes, local search."""
