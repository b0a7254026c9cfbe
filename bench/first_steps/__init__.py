"""Scripts that import a library and train network T2 for one step; each prints the seconds that took."""
