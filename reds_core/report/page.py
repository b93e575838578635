"""Rendering of self-contained HTML pages from Jinja2 templates. All text is escaped, and nothing is downloaded."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from reds_core.report import units
from reds_core.report.drawing import unavailable

SHARED_TEMPLATES = "reds_core.report"
"""The package with the templates that all pages share."""


@dataclass(frozen=True)
class Script:
    """A script within a page.

    Attributes:
        text: the source text, which is trusted.
        policy: its source expression in the page's content security policy, which allows no other scripts.
    """

    text: str
    policy: str


def inline_script(name: str) -> Script:
    """Return a script of this package, by its path in the package."""
    text = resources.files(SHARED_TEMPLATES).joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Script(text, f"'sha256-{digest}'")


def scripts_for(body: str) -> tuple[Script, ...]:
    """Return the scripts that a page needs: plotly.js if its body has figures for it, and the script of reports."""
    names = ("vendor/plotly-basic.min.js", "templates/report.js")
    return tuple(inline_script(name) for name in (names if 'class="plot"' in body else names[1:]))


def _shown(value: Any) -> Any:
    """Convert a value for a template: None to a dash, and texts to printable ones."""
    if value is None:
        return units.DASH
    return units.printable(value) if type(value) is str else value


def _breakable(text: str) -> Any:
    """Allow line breaks before and between the options in a name such as cpsat[presolve=false]."""
    import markupsafe

    return (
        markupsafe.escape(_shown(text))
        .replace("[", markupsafe.Markup("<wbr>["))
        .replace(",", markupsafe.Markup(",<wbr>"))
    )


def render(template: str, package: str = SHARED_TEMPLATES, /, **content: Any) -> str:
    """Render a page from a template.

    Args:
        template: file name in the package's `templates` folder. It may extend or import the templates of this package.
        package: dotted name of the package that holds the template.
        **content: the variables of the template.

    Raises:
        UnavailableError: if Jinja2 is not installed.
    """
    try:
        import jinja2
        import markupsafe
    except ImportError as error:
        raise unavailable("jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in (package, SHARED_TEMPLATES)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["dash"] = units.DASH
    environment.globals["scripts_for"] = scripts_for
    environment.filters["breakable"] = _breakable
    environment.filters["trusted"] = markupsafe.Markup
    return environment.get_template(template).render(**content)
