"""Whom compression hurts: classes, single examples and groups, before and after, with the tests of what is chance."""
