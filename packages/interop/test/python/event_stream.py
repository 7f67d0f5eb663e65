"""Reads an event stream with requests, the plain way, and comes back after a cut.

Usage: event_stream.py URL. Writes each message as a line of JSON: [event, id, data].
"""
import json
import sys

import requests

url = sys.argv[1]
last_event_id = None


def fields(lines):
    """The fields of each block, as pairs of name and value."""
    block = []
    for line in lines:
        if line:
            name, _, value = line.decode("utf-8").partition(":")
            block.append((name, value[1:] if value.startswith(" ") else value))
        else:
            yield block
            block = []


while True:
    headers = {"Accept": "text/event-stream"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    try:
        with requests.get(url, headers=headers, stream=True, timeout=15) as response:
            response.raise_for_status()
            # One by one: whoever asks for more waits until so many have come.
            for block in fields(response.iter_lines(chunk_size=1)):
                last_event_id = dict(block).get("id", last_event_id)
                event = dict(block).get("event", "message")
                data = "\n".join(value for name, value in block if name == "data")
                if not event.startswith("~"):
                    print(json.dumps([event, last_event_id, data]), flush=True)
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError):
        pass  # the link was cut; the next one goes on after the last id
