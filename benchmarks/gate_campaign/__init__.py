"""How often is the gate wrong? Live decisions, simulated ones from recorded noise, and a report."""
