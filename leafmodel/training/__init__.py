"""Phases (what is trained) and the one function that trains."""
