"""Models trained to their end, each in a process of its own; then evaluated and asked."""
