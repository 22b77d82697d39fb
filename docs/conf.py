"""The site: `sphinx-build -W docs site` makes it from these pages, the program and its docstrings.

Sphinx, since MkDocs has had no release for two years: it is kept well, and with MyST it reads the pages as they are.
"""

import sys
from pathlib import Path

import bench_ovp

sys.path.insert(0, str(Path(__file__).parent))  # pages/: what is made from the program

project = "bench-ovp"
author = "the authors of bench-ovp"
version = release = bench_ovp.__version__
copyright = "BSD 3-Clause"  # noqa: A001  Sphinx's name for it

extensions = ["myst_parser", "pages.directives"]
root_doc = "index"
exclude_patterns = ["README.md"]  # the index on a forge; index.md is the site's
suppress_warnings: list[str] = []

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = f"bench-ovp {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}
html_domain_indices = False
pygments_style = "friendly"
