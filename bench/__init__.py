"""Benchmarks of deltarule against the libraries that do the same work: ``python -m bench``."""
