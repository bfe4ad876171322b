"""The console in a browser: who may look, what they are shown, and the console that is started for each of them."""

from huntaze_console.web.server import WebSettings, run_web, serve_web

__all__ = ["WebSettings", "run_web", "serve_web"]
