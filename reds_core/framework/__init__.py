"""The boundary to the frameworks that hold, train and export models."""
