"""Scripts and styles as they travel: one stylesheet, compressed, under a name made of its content, kept for good.

`collectstatic` does it (bin/run on its start, the image when it is built). Where nothing is collected, as in tests and
in `bin/gallery`, files are served as they are written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

# What other packages bring is large, needed by few, and versioned by its package: it is served as it is.
OURS: Final = "web/"
IMPORT: Final = re.compile(r'@import url\("([\w.]+\.css)"\);\n')


class StaticFiles(CompressedManifestStaticFilesStorage):
    """The files of our pages, with what a stylesheet imports in its place."""

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Put together, name by content and compress; what Django's `collectstatic` calls with all collected files."""
        ours = {name: (self, name) for name in paths if name.startswith(OURS)}
        for name in () if dry_run else ours:
            self._put_together(name)
        yield from super().post_process(ours, dry_run=dry_run, **options)

    def stored_name(self, name: str) -> str:
        """The name that a page asks for."""
        return str(self.hashed_files.get(self.hash_key(name), name))

    def _put_together(self, name: str) -> None:
        """A phone far away pays for each file with a journey there and back."""
        if not name.endswith(".css"):
            return
        text = self._read(name)
        whole = IMPORT.sub(lambda found: self._read(OURS + found[1]), text)
        if whole != text:
            self.delete(name)
            self._save(name, ContentFile(whole.encode()))

    def _read(self, name: str) -> str:
        with self.open(name) as file:
            return str(file.read().decode())
