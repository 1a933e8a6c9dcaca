"""The command line: thin commands over `mmrecun.jobs`, imported without any heavy library."""

try:
    from mmrecun.cli.main import main
except KeyboardInterrupt:  # before anything could be begun
    raise SystemExit(130) from None

__all__ = ["main"]
