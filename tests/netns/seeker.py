"""Reads 64 KiB at each of many places of a stream over one connection, and tells how long the first byte took.

Called as ``seeker.py URL OFFSET...``; prints a list as JSON.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

LENGTH = 64 * 1024


def main(url: str, offsets: list[int]) -> None:
    """Seek and read."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=30)
    found = []
    for offset in offsets:
        began = time.monotonic()
        connection.request("GET", where.path, headers={"Range": f"bytes={offset}-{offset + LENGTH - 1}"})
        answer = connection.getresponse()
        first = answer.read(1)
        seconds = time.monotonic() - began
        data = first + answer.read()
        digest = hashlib.sha256(data).hexdigest()
        found.append({"offset": offset, "seconds": seconds, "length": len(data), "digest": digest})
    print(json.dumps(found))


main(sys.argv[1], [int(word) for word in sys.argv[2:]])
