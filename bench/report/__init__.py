"""Results become Markdown, figures, CSV and JSON: formatting only, no arithmetic."""
