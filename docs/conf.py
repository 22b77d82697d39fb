"""The site: `sphinx-build -W docs site` makes it from these pages, the program and its docstrings.

Sphinx with MyST, since it is kept well and reads these pages as they are; the last release of MkDocs is of 2024. The
house's docstrings (Args, Returns, Errors, Source, in Markdown) are read by `pages.docstrings`, which no theme knows.
"""

import sys
from pathlib import Path

import bench_ovp

sys.path.insert(0, str(Path(__file__).parent))  # pages/: what is made from the program

project = "bench-ovp"
author = "the authors of bench-ovp"
version = release = bench_ovp.__version__

extensions = ["myst_parser", "pages.directives"]
root_doc = "index"
exclude_patterns = ["README.md"]  # the index on a forge; index.md is the site's

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = f"bench-ovp {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
html_domain_indices = False
pygments_style = "default"  # its colours have the contrast of WCAG AA
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
