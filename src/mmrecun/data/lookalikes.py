"""Ids that look alike: they differ in blanks, case, Unicode form, invisible characters or leading zeros."""

import polars as pl

# What fills up fields of fixed width, white space as Unicode has it, then signs without a width: soft hyphen,
# zero-width space, directional marks, word joiner, byte order mark. Joiners (U+200C, U+200D) are part of how some
# scripts and emoji are written, so they stay.
BLANKS = (
    "\x00"
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000\xad\u200b\u200e\u200f\u2060\ufeff"
)
DIFFERENCES = "blanks, case, leading zeros or Unicode form"
_BASES = {"\u0131": "i", "\u0142": "l", "\u00f8": "o", "\u0111": "d", "\u00df": "ss", "\u00e6": "ae", "\u0153": "oe"}
_UNSEEN = "[\u00ad\u200b\u200e\u200f\u2060\ufeff]"


def stripped(names: pl.Series) -> pl.Series:
    """Return texts without blanks and invisible signs around them."""
    return names.str.strip_chars(BLANKS)


def loosely_folded(names: pl.Series) -> pl.Series:
    """Return a form in which ids are equal that differ as for `folded`, in accents, or in kinds of dashes.

    It serves hints in messages only; no id is replaced by another.

    >>> loosely_folded(pl.Series(["Jos\u00e9\u2013\u0141", "jose-l"])).to_list()
    ['jose-l', 'jose-l']
    """
    names = folded(names)
    if (names.str.len_bytes() != names.str.len_chars()).any():
        names = names.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.replace_all(r"\p{Pd}", "-")
        names = names.str.replace_many(list(_BASES), list(_BASES.values()))
    return names


def folded(names: pl.Series) -> pl.Series:
    r"""Return a form in which ids that look alike are equal.

    Unicode's NFKC form in lower case, without invisible signs, with single blanks inside and none around; numbers
    without leading zeros and without `.0` behind them.

    >>> folded(pl.Series(["U\u200b03 ", "u03", "007", "7.0"])).to_list()
    ['u03', 'u03', '7', '7']
    """
    if (names.str.len_bytes() != names.str.len_chars()).any():
        names = names.str.normalize("NFKC").str.replace_all(_UNSEEN, "")
    names = names.str.to_lowercase()
    if names.str.contains(r"\s").any():
        names = stripped(names).str.replace_all(r"\s+", " ")
    if names.str.contains(r"^(0\d|\d+\.0)").any():
        names = names.str.replace(r"^0+(\d)", "$1").str.replace(r"^(\d+)\.0+$", "$1")
    return names
