"""The command line: thin commands over `mmrecun.jobs`. Their modules load nothing heavy before they are called."""

try:
    from mmrecun.cli.main import main
except KeyboardInterrupt:  # before anything could be begun
    raise SystemExit(130) from None

__all__ = ["main"]
