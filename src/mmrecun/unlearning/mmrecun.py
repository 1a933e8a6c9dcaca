"""MMRecUn: this package's method."""

from mmrecun.unlearning.mmrecun_paper import MMRecUnPaper


class MMRecUn(MMRecUnPaper):
    """The published recipe."""
