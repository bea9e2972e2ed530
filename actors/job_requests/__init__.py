"""Requests for jobs, and how they arrive: which field may be set from which source, job files, the environment."""
