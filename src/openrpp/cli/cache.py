"""`rpp cache`: what is kept on disk between processes."""

from __future__ import annotations

import click

from openrpp.cli.output import emit, json_option

EPILOG = """\b
The cache holds what clang and the native engine have made of CUDA sources, found by content: a changed source, header,
option or version is compiled anew, and nothing has to be cleared for it. $RPP_CACHE is its folder, $RPP_CACHE_BYTES its
cap; beyond the cap the entries that were used longest ago go first.

\b
Examples:
  rpp cache
  rpp cache --clear
  rpp cache --json
"""


@click.command("cache", epilog=EPILOG, short_help="Show or clear the cache of compiled kernels.")
@click.option("--clear", is_flag=True, help="Remove every entry.")
@json_option
def command(clear: bool, as_json: bool) -> None:
    """Show the cache of compiled kernels: its folder, its entries by kind, its size and its cap."""
    from openrpp.storage import Cache

    cache = Cache()
    removed = cache.clear() if clear else 0
    entries = cache.entries()
    kinds = {kind: [item.size for item in entries if item.kind == kind] for kind in sorted({e.kind for e in entries})}
    total = sum(item.size for item in entries)
    if as_json:
        emit(
            {
                "path": str(cache.root),
                "entries": len(entries),
                "bytes": total,
                "limit_bytes": cache.limit,
                "kinds": {kind: {"entries": len(sizes), "bytes": sum(sizes)} for kind, sizes in kinds.items()},
                "removed": removed,
            }
        )
        return
    from openrpp.report.tables import pairs, show

    rows = [("folder", str(cache.root)), ("entries", f"{len(entries):,}"), ("size", _bytes(total))]
    rows += [(f" {kind}", f"{len(sizes):,} entries, {_bytes(sum(sizes))}") for kind, sizes in kinds.items()]
    rows.append(("cap", _bytes(cache.limit)))
    if clear:
        rows.append(("removed", f"{removed:,} entries"))
    show(pairs("cache of compiled kernels", rows))


def _bytes(count: int) -> str:
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
