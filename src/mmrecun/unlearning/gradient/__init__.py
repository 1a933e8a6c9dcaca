"""Methods that take optimiser steps on forgotten and retained triples."""
