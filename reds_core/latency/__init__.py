"""Latency as a resource: segments timed on this machine, tables made of the samples, and their file."""
