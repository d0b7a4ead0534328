"""Leaf images: indexing a folder, checking it, splitting it, and generating leaves."""
