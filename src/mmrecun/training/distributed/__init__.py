"""Training with tables on disk or divided among processes, with the same losses as in one process in memory."""
