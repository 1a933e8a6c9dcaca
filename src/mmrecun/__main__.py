"""`python -m mmrecun`: the command line, where the script `mmrecun` is not on the path."""

from mmrecun.cli import main

if __name__ == "__main__":
    main()
