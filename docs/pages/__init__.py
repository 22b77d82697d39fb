"""What of the site is made from the program: its interface, its plug-ins, its figures, and the notebook.

Each module writes Markdown; `directives` alone knows Sphinx.
"""
