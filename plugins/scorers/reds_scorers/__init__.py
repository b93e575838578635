"""Channel scorers of reds that work with every framework."""
