"""`python -m huntaze_console` is `huntaze`."""

from huntaze_console.cli import main

main()
