"""Follows an Eitherway hub over Server-Sent Events or WebSocket, and goes on where it was after a link is lost.

    async for item in eitherway.follow("http://127.0.0.1:8080/live", ["prices"], transport="ws"):
        ...

What comes is a Message, or a Gap where messages are lost. The iteration ends when the server says that it is done, and
raises Closed when it says that coming back is no use.

Written from docs/protocol.md alone, whose sections are named where a rule comes from. One file, to be copied; it needs
Python 3.11, and the package websockets (10 or later) for WebSocket.
"""
import asyncio
import base64
import binascii
import http.client
import json
import random
import re
import socket
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlencode, urlsplit

CONNECT_SECONDS = 10
GRACE_SECONDS = 10
MAX_MESSAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Message:
    id: str
    event: str
    data: str | bytes


@dataclass(frozen=True)
class Gap:
    """Messages of these channels are lost: read the state anew."""

    reason: str
    channels: list[str]


class Closed(Exception):
    """Why a link ended. Raised out of `follow` where the code says not to come back."""

    def __init__(self, code, reason="", retry_after_ms=0):
        super().__init__(code, reason)
        self.code, self.reason, self.retry_after_ms = code, reason, retry_after_ms

    @property
    def may_return(self):  # 8
        if self.code >= 4000:
            return self.code < 4500
        return self.code not in (1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003)


async def follow(url, channels=(), *, transport="sse", last_event_id="", token=None):
    """Yields each Message and Gap, over as many links as it takes.

    `token` is called before each link and returns the bearer token to show.
    """
    link = {"sse": _event_stream, "ws": _web_socket}[transport]
    position, retry_ms, tries = last_event_id, 250, 0
    while True:
        try:
            frames = link(url, list(channels), position, token and token())
            try:
                async for id, event, data in _watched(frames, bool(channels)):
                    if event == "~retry":
                        retry_ms = _digits(event, data)
                    if id or event == "~position":
                        position = id
                    # A link that merely greeted is no proof that the next one will do better.
                    if event in ("~heartbeat", "~position") or not event.startswith("~"):
                        tries = 0
                    if event == "~gap":
                        yield _gap(data)
                    elif not event.startswith("~"):
                        yield Message(id, event, data)
            finally:
                await frames.aclose()
            lost = Closed(1006, "the link ended")
        except Closed as closed:
            lost = closed
        if lost.code == 1000:
            return
        if not lost.may_return:
            raise lost
        wait_ms = min(max(retry_ms, lost.retry_after_ms, 250), 300_000)  # 8.2
        await asyncio.sleep((wait_ms + random.random() * min(30_000, 500 * 2 ** min(tries, 30))) / 1000)
        tries += 1


async def _watched(frames, greets):
    """The frames of a link, as long as there is a sign of life in time (7)."""
    # A server of channels greets. Of any other nothing is known, and opening has a time of its own.
    seconds = CONNECT_SECONDS if greets else None
    while True:
        try:
            frame = await asyncio.wait_for(anext(frames), seconds)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Closed(4000, f"nothing was heard for {seconds} seconds") from None
        id, event, data = frame
        if event == "~hello":
            heartbeat_ms = _member(event, data, "heartbeatMs", (int, float))
            seconds = heartbeat_ms / 1000 + GRACE_SECONDS if heartbeat_ms else None
        if event == _heard:
            continue
        # A reserved event that nobody knows is a sign of life, and moves the position where it has an id (5).
        if event.startswith("~") and event not in _known:
            event = "~position" if id else "~heartbeat"
        yield id, event, data


# Bytes came that complete no frame.
_heard = "~heard"
_known = {"~hello", "~position", "~gap", "~retry", "~heartbeat"}


# Server-Sent Events


async def _event_stream(url, channels, position, token):
    """The frames of an event stream (3). A thread waits for its bytes."""
    target = urlsplit(_with_query(url, channels))
    secure = target.scheme in ("https", "wss")
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(target.hostname, target.port, timeout=CONNECT_SECONDS)
    headers = {"Accept": "text/event-stream"}
    if position:
        # As UTF-8; a header takes one character for each byte (1.2).
        headers["Last-Event-ID"] = position.encode().decode("latin-1")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    wire = None
    try:
        await asyncio.to_thread(connection.request, "GET", f"{target.path or '/'}?{target.query}", headers=headers)
        wire = connection.sock
        response = await asyncio.to_thread(connection.getresponse)
        if response.status != 200:
            raise await asyncio.to_thread(_refusal, response)
        if response.headers.get_content_type() != "text/event-stream":
            raise Closed(1002, f"the answer is {response.headers.get_content_type()}, no event stream")
        wire.settimeout(None)  # Silence is watched elsewhere.
        decode = _stream_decoder()
        while chunk := await asyncio.to_thread(response.read1, 65536):
            # Any byte is a sign of life (7), also in the middle of a long message.
            for id, event, data in decode(chunk) or [("", _heard, "")]:
                if event == "~close":
                    code = _member(event, data, "code", int)
                    raise Closed(code, _member(event, data, "reason", str))
                yield id, event, data
    except (OSError, http.client.HTTPException) as error:
        raise Closed(1006, f"the stream broke: {error}") from error
    finally:
        if wire is not None:
            try:
                wire.shutdown(socket.SHUT_RDWR)  # Wakes the thread that reads.
            except OSError:
                pass  # It has ended already.
        connection.close()


def _refusal(response):
    """What a status says (8.1)."""
    reason = response.read1(512).decode("utf-8", "replace").partition("\n")[0]
    wait_ms = _retry_after_ms(response.headers.get("Retry-After", ""))
    return Closed(_code_of(response.status), f"{response.status} {reason}", wait_ms)


def _code_of(status):
    if status == 204:
        return 1000
    if status in (408, 425, 429):
        return 4000 + status - 400
    if 400 <= status < 500:
        return 4500 + status - 400
    return 4100 + status - 500 if status >= 500 else 1002


def _retry_after_ms(value):
    if value.isdecimal():
        return int(value) * 1000
    try:
        return max(0, (parsedate_to_datetime(value).timestamp() - time()) * 1000)
    except ValueError:
        return 0  # It says nothing.


def _stream_decoder():
    """A function from bytes, cut anywhere, to the frames that they complete (3.2, and the HTML standard)."""
    pieces = []  # Of a line that has not ended: joined once, or a long one would be copied with each chunk.
    begun = False
    fields = {}
    lines = []
    size = 0

    def feed(line, frames):
        nonlocal fields, lines
        if not line:
            data = "\n".join(lines)
            if lines:
                # Without an `event`, or with an empty one, it is a message (1.1).
                frames.append((fields.get("id", ""), fields.get("event") or "message", _content(data)))
            elif "id" in fields:
                frames.append((fields["id"], "~position", ""))
            fields, lines = {}, []
            return
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "":
            frames.append(("", "~heartbeat", ""))
        elif name == "data":
            lines.append(value)
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            frames.append(("", "~retry", value))
        elif name == "event" or (name == "id" and "\0" not in value):
            fields[name] = value

    def decode(chunk):
        nonlocal pieces, begun, size
        frames = []
        size += len(chunk)
        pieces.append(chunk)
        if begun and not re.search(rb"[\r\n]", chunk):
            _check_size(size)
            return frames
        rest = b"".join(pieces)
        if not begun and len(rest) >= 3:
            rest, begun = rest.removeprefix(b"\xef\xbb\xbf"), True
        # A CR at the very end may be half of a CRLF.
        *whole, rest = re.split(rb"\r\n|\n|\r(?!\Z)", rest)
        for line in whole:
            feed(line, frames)
        size = len(rest) + sum(map(len, lines))
        _check_size(size)
        pieces = [rest]
        return frames

    return decode


def _check_size(size):
    # Base64 takes four bytes for three, and each line has its field's name.
    if size > MAX_MESSAGE_BYTES * 4 // 3 + 4096:
        raise Closed(1009, f"a message is over {MAX_MESSAGE_BYTES} bytes")


_urls = {
    "data:application/octet-stream;base64,": bytes,
    "data:text/plain;charset=utf-8;base64,": lambda data: data.decode("utf-8", "replace"),
}


def _content(text):
    """Data as it was before it became a `data:` URL (3.3)."""
    for prefix, make in _urls.items():
        if text.startswith(prefix):
            try:
                return make(base64.b64decode(text[len(prefix) :], validate=True))
            except (binascii.Error, ValueError):
                return text  # No Base64: another server's text.
    return text


# WebSocket


async def _web_socket(url, channels, position, token):
    """The frames of a WebSocket with `eitherway.v1` (4)."""
    import websockets

    address = re.sub("^http", "ws", _with_query(url, channels, position))
    protocols = ["eitherway.v1"]
    if token:
        protocols.append("bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("="))
    limit = MAX_MESSAGE_BYTES + 4096  # Room for id and event (9).
    try:
        async with websockets.connect(
            address, subprotocols=protocols, max_size=limit, ping_interval=None, open_timeout=CONNECT_SECONDS, close_timeout=1
        ) as wire:
            if wire.subprotocol != "eitherway.v1":
                raise Closed(1002, "the server does not speak eitherway.v1")
            try:
                async for message in wire:
                    yield _frame(message)
            except websockets.ConnectionClosed:
                pass  # Any code but 1000 and 1001; it is below.
            raise Closed(wire.close_code or 1006, wire.close_reason or "")
    except (OSError, TimeoutError, websockets.InvalidHandshake) as error:
        # The package calls it one way up to version 13, and another way since.
        status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            raise Closed(_code_of(status), str(error)) from error
        raise Closed(1006, f"no WebSocket came about: {error}") from error


def _frame(message):
    line = b"\n" if isinstance(message, bytes) else "\n"
    parts = message.split(line, 2)
    if len(parts) < 3:
        raise Closed(1002, "a message of eitherway.v1 is id, event and data")
    id, event, data = parts
    if isinstance(message, bytes):
        try:
            id, event = id.decode(), event.decode()
        except UnicodeDecodeError:
            raise Closed(1007, "the id and event of a binary message are not UTF-8") from None
    return id, event or "message", data


# Both


def _with_query(url, channels, position=""):
    named = [("channel", name) for name in channels] + ([("lastEventId", position)] if position else [])
    if not named:
        return url
    return url + ("&" if "?" in url else "?") + urlencode(named)


def _gap(data):
    return Gap(_member("~gap", data, "reason", str), _member("~gap", data, "channels", list))


def _member(event, data, name, kind):
    """A member of a reserved frame's data; what lacks it breaks the protocol (5)."""
    try:
        value = json.loads(data)[name]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Closed(1002, f"the server's {event} lacks {name}")
    return value


def _digits(event, data):
    if not isinstance(data, str) or not re.fullmatch("[0-9]+", data):
        raise Closed(1002, f"the server's {event} is no number")
    return int(data)


async def _main():
    import argparse

    parser = argparse.ArgumentParser(description="Prints what a hub publishes, a line of JSON for each.")
    parser.add_argument("url")
    parser.add_argument("channel", nargs="*")
    parser.add_argument("--transport", choices=["sse", "ws"], default="sse")
    parser.add_argument("--last-event-id", default="")
    parser.add_argument("--token")
    given = parser.parse_args()

    def tell(record):
        print(json.dumps(record), flush=True)

    items = follow(
        given.url,
        given.channel,
        transport=given.transport,
        last_event_id=given.last_event_id,
        token=given.token and (lambda: given.token),
    )
    try:
        async for item in items:
            if isinstance(item, Gap):
                tell({"gap": item.reason, "channels": item.channels})
            else:
                data = {"bytes": list(item.data)} if isinstance(item.data, bytes) else item.data
                tell([item.event, item.id, data])
        tell({"closed": 1000})
    except Closed as closed:
        tell({"closed": closed.code, "reason": closed.reason})


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except KeyboardInterrupt:
        pass  # Ctrl-C is how one leaves.
