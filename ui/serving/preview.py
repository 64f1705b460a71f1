"""Link previews on other sites: a description and a picture, with absolute URLs as the visitor sees them."""

from __future__ import annotations

import re
from html import escape

from starlette.requests import Request
from starlette.types import Scope

from ui.examples import FOLDER

PICTURE = FOLDER / "preview.jpg"
PATH = "/preview.jpg"
WORDS = (
    "Your photograph in the style of any painting, in one pass: adaptive instance normalization (AdaIN), with other"
    " methods to compare."
)
SHOWS = "A cat's face, half photograph, half in thick blue and yellow strokes"


def describe(body: bytes, scope: Scope) -> bytes:
    """Fill in the description, URL, and picture in an HTML page's metadata, which Gradio leaves empty.

    Previews require absolute URLs; the request tells under which host name the page is reached.
    """
    base = str(Request(scope).base_url).rstrip("/")
    metadata = {"description": WORDS, "og:description": WORDS, "twitter:description": WORDS, "og:url": f"{base}/"}
    metadata |= {"og:image": base + PATH, "twitter:image": base + PATH, "og:image:alt": SHOWS, "twitter:creator": ""}
    for name in metadata:
        body = re.sub(rb'<meta\s+(?:property|name)="%s"[^>]*>' % name.encode(), b"", body)
    tags = "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{escape(content)}">'
        for name, content in metadata.items()
        if content
    )
    return body.replace(b"</head>", tags.encode() + b"</head>", 1)
