"""Reads feeds as python3-feedparser does: one line of JSON a feed."""
import json
import sys

import feedparser

for url in sys.argv[1:]:
    first = feedparser.parse(url)
    again = feedparser.parse(url, etag=first.get("etag"), modified=first.get("modified"))
    print(json.dumps({
        "url": url,
        "bozo": str(first.get("bozo_exception", "")) if first.bozo else "",
        "version": first.version,
        "status": first.status,
        "again": again.status,
        "items": [{
            "id": e.id, "title": e.title, "link": e.link, "published": e.published, "updated": e.get("updated", ""),
            "content": e.content[0].value if "content" in e else "", "tags": [t.term for t in e.get("tags", [])],
        } for e in first.entries],
    }))
