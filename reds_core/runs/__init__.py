"""Pruning runs, from a model to a folder of smaller ones."""
