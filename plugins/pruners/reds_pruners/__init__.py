"""Pruning strategies of reds that work with every framework."""
