"""Requests for jobs, and how they arrive: which source may set which field, job files, the environment."""
