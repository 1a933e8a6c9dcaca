"""Every benchmark, one after the other: `python -m benchmarks [--out DIR]`."""

import argparse
from pathlib import Path

from benchmarks import evaluation, graphs, latency, scale, training, unlearning
from benchmarks.page import OUT


def main() -> None:
    """With the default options of each."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the tables")
    out = str(parser.parse_args().out)
    for subject in (training, evaluation, graphs, unlearning, latency, scale):
        subject.main(["--out", out])


if __name__ == "__main__":
    main()
