"""A model as axes: what is counted, scored or cut refers to the channels along the dimensions of arrays."""
