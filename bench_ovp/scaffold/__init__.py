"""`bench-ovp new`: an installable plug-in to begin from, which passes its tests as written."""

from .package import Kind, Package, write_package

__all__ = ["Kind", "Package", "write_package"]
