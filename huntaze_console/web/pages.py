"""The two pages: where the token is asked for, and the console's. Everything they need comes from this server."""

from __future__ import annotations

from html import escape

# Scripts only from here; styles also inline, because xterm.js writes its own into the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

STYLE = """
@font-face { font-family: "Roboto Mono"; src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf"); }
html, body { margin: 0; height: 100%; background: #0e1216; color: #c9d1d9; font: 16px/1.5 system-ui, sans-serif; }
.textual-terminal { width: 100vw; height: 100vh; }
main { max-width: 26rem; margin: 15vh auto 0; padding: 0 1rem; }
h1 { font-size: 1.25rem; color: #f0f4f8; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input { margin: .25rem 0 1rem; padding: .5rem; background: #161c22; color: #f0f4f8; border: 1px solid #949fab; }
button { padding: .5rem; background: #6cb6ff; color: #0e1216; border: 0; cursor: pointer; }
.wrong { color: #ff7b6b; }
.ended { display: none; }
body.-closed .textual-terminal { display: none; }
body.-closed .ended { display: block; }
"""

# Keys go to the console from the start, and again whenever its window does: nobody should have to click first.
SCRIPT = """
"use strict";
const focus = () => setTimeout(() => document.querySelector(".xterm-helper-textarea")?.focus(), 0);
window.addEventListener("load", focus);
window.addEventListener("focus", focus);
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Huntaze</title>
{head}<link rel="stylesheet" href="/console.css">
</head>
<body>
{body}
</body>
</html>
"""
_HEAD = (
    '<link rel="stylesheet" href="/static/css/xterm.css">\n<script src="/static/js/textual.js"></script>\n'
    '<script src="/console.js"></script>\n'
)


def login_page(wrong: str = "") -> str:
    """Asks for a token; `wrong` says why the last one was not taken."""
    told = f'<p class="wrong" role="alert">{escape(wrong)}</p>\n' if wrong else ""
    return _PAGE.format(
        head="",
        body=(
            f'<main>\n<h1>Huntaze</h1>\n{told}<form method="post" action="/login">\n'
            '<label for="token">Token of the engine</label>\n'
            '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>\n'
            "<button>Open the console</button>\n</form>\n"
            "<p>It stands in api-token in the engine's state directory; a read-only one opens a console that only "
            "looks.</p>\n</main>"
        ),
    )


def console_page(socket_url: str) -> str:
    """The terminal. `socket_url` is where its script connects to."""
    return _PAGE.format(
        head=_HEAD,
        body=(
            f'<div id="terminal" class="textual-terminal" data-session-websocket-url="{escape(socket_url)}"'
            ' data-font-size="15"></div>\n'
            '<main class="ended">\n<h1>The console has ended</h1>\n'
            '<form method="get" action="/"><button>Open it again</button></form>\n'
            '<p></p>\n<form method="post" action="/logout"><button>Log out</button></form>\n</main>'
        ),
    )
