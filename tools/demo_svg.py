"""Draw what `rpp demo photo` prints as a picture of a terminal: `python tools/demo_svg.py docs/demo.svg`."""

from __future__ import annotations

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> int:
    """Run the demo, then write its output as SVG."""
    target = Path(sys.argv[1])
    command = [str(Path(sys.executable).with_name("rpp")), "demo", "photo", "--out", "build/photo.png"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    console = Console(record=True, width=132, file=StringIO())
    console.print(Text("$ make run", style="bold"))
    for line in printed.splitlines():
        console.print(Text(line, style="" if line.startswith(" ") else "bold cyan"))
    drawn = console.export_svg(title="OpenRPP")
    # No font from a foreign server: the viewer's own monospace does.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
