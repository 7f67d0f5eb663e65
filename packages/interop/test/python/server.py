"""A server with FastAPI, for our client. uvicorn logs its port to standard error."""
import asyncio
import re
from datetime import datetime

import uvicorn
from fastapi import FastAPI, Header, Request, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()


def block(**fields):
    """A block as sse-starlette writes it: these fields in this order, CRLF at each line's end."""
    lines = []
    for name in ("comment", "id", "event", "data", "retry"):
        if name not in fields:
            continue
        prefix = "" if name == "comment" else name
        for line in re.split(r"\r\n|\r|\n", str(fields[name])):
            lines.append(f"{prefix}: {line}\r\n")
    return "".join(lines) + "\r\n"


def stream(blocks):
    headers = {"Cache-Control": "no-cache", "Connection": "keep-alive", "X-Accel-Buffering": "no"}
    return StreamingResponse(blocks, media_type="text/event-stream", headers=headers)


@app.get("/stream")
async def messages(request: Request, last_event_id: str = Header(default="message_id_0")):
    async def blocks():
        seen = int(last_event_id.rsplit("_", 1)[1])
        for number in range(seen + 1, 11):
            yield block(comment=f"ping - {datetime.utcnow()}")
            yield block(
                id=f"message_id_{number}", event="new_message", data=f"Message {number} 🌍\nof ten", retry=250
            )
            if number == 4:
                return  # the stream ends; the client goes on after this id
            if number == 7:
                yield "id: message_id_8\r\nevent: new_message\r\ndata: cut in "
                raise ConnectionError("the server fails in the middle of a message")
        await asyncio.Event().wait()

    return stream(blocks())


@app.post("/complete")
async def complete(request: Request):
    prompt = (await request.json())["prompt"]

    async def blocks():
        for word in prompt.split():
            yield block(data=word.upper())
        yield block(data="[DONE]")

    return stream(blocks())


@app.websocket("/ws")
async def echo(websocket: WebSocket):
    await websocket.accept()
    while True:
        data = await websocket.receive_text()
        await websocket.send_text(f"Message text was: {data}")


uvicorn.run(app, host="127.0.0.1", port=0, access_log=False)
