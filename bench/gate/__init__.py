"""The gate: did a commit make training slower? Measured, decided, and proved to be able to fail."""
