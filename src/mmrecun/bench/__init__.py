"""Benches: a spec in; runs, one table, plots and a page out. An interrupted bench resumes where it stopped."""
