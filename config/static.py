"""Scripts and styles as they travel: one stylesheet, compressed, under a name made of its content, kept for good.

`collectstatic` does it (bin/run on its start, the image when it is built). Where nothing is collected, as in tests and
in `bin/gallery`, files are served as they are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from whitenoise.storage import CompressedManifestStaticFilesStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

# What other packages bring is large, needed by few, and versioned by its package: it is served as it is.
OURS: Final = "web/"
# What every page begins with, in this order; collected, the last one holds the others.
STYLES: Final = ("web/tokens.css", "web/look.css")


class StaticFiles(CompressedManifestStaticFilesStorage):
    """The files of our pages. A phone far away pays for each with a journey there and back."""

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Put together, name by content and compress; what Django's `collectstatic` calls with all collected files."""
        ours = {name: (self, name) for name in paths if name.startswith(OURS)}
        if not dry_run:
            sources = [Path(storage.path(path)) for storage, path in (paths[name] for name in STYLES)]
            Path(self.path(STYLES[-1])).write_bytes(b"".join(source.read_bytes() for source in sources))
        yield from super().post_process(ours, dry_run=dry_run, **options)

    def stored_name(self, name: str) -> str:
        """The name that a page asks for."""
        return str(self.hashed_files.get(self.hash_key(name), name))

    def styles(self) -> tuple[str, ...]:
        """The addresses of the stylesheets that every page begins with."""
        return tuple(self.url(name) for name in (STYLES[-1:] if self.hashed_files else STYLES))
