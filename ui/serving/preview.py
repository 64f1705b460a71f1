"""What other sites show of a link to the page: a description and a picture, by addresses as its visitor sees them."""

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
    """Fill in the description, address and picture of an HTML page; Gradio leaves them empty.

    Previews take absolute addresses alone; the request says under which name the page is reached.
    """
    base = str(Request(scope).base_url).rstrip("/")
    told = {"description": WORDS, "og:description": WORDS, "twitter:description": WORDS, "og:url": f"{base}/"}
    told |= {"og:image": base + PATH, "twitter:image": base + PATH, "og:image:alt": SHOWS, "twitter:creator": ""}
    for name in told:
        body = re.sub(rb'<meta\s+(?:property|name)="%s"[^>]*>' % name.encode(), b"", body)
    tags = "".join(
        f'<meta {"property" if name.startswith("og:") else "name"}="{name}" content="{escape(content)}">'
        for name, content in told.items()
        if content
    )
    return body.replace(b"</head>", tags.encode() + b"</head>", 1)
