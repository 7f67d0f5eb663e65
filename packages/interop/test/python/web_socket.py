"""Speaks with websockets: raw data without a subprotocol, or eitherway.v1 by hand; comes back after a cut.

Usage: web_socket.py URL [eitherway.v1]. Writes each message as a line of JSON, and answers it.
"""
import asyncio
import json
import sys

import websockets

url, protocols = sys.argv[1], sys.argv[2:]


def tell(record):
    print(json.dumps(record), flush=True)


async def raw():
    async with websockets.connect(url) as socket:
        try:
            async for data in socket:
                tell(data if isinstance(data, str) else {"bytes": list(data)})
                await socket.send(data)
        except websockets.ConnectionClosedError:
            pass  # any code but 1000 and 1001 is an error here
        tell({"code": socket.close_code, "reason": socket.close_reason})


async def by_hand():
    last_event_id = ""
    while True:
        position = f"&lastEventId={last_event_id}" if last_event_id else ""
        try:
            async with websockets.connect(url + position, subprotocols=protocols) as socket:
                async for frame in socket:
                    id, event, data = frame.split("\n", 2)
                    last_event_id = id or last_event_id
                    if event.startswith("~"):
                        continue
                    tell([event, id, data])
                    await socket.send(f"\nanswer\n{id} said {data}")
        except websockets.ConnectionClosedError:
            pass  # the link was cut; the next one goes on after the last id


asyncio.run(by_hand() if protocols else raw())
