"""The HTML template of a page."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def page_template(package: str) -> Template:
    """Return `page.html.j2` of a package; every value is escaped, and one that is missing is an error."""
    environment = Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
