"""The audit report: tables, figures and the self-contained page."""
