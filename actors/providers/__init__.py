"""Whoever computes: the one shape (``base``), its refusals (``errors``), the guard around it, and who there is."""
