"""A spec in; runs, one table, plots and a page out. Interrupted benches go on where they stopped."""
