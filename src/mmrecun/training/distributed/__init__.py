"""Training whose tables lie on disk, or are spread over processes; with the losses of one process in memory."""
