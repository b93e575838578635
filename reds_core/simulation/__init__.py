"""`reds simulate`: a family on a battery, under governors and traces, and its report."""
