"""Counts what the kernel sends from a TCP port of the loopback interface, packet by packet.

Usage: capture.py PORT. Says "ready", and on each line of its input how many bytes of payload have left so far, what was
sent again counted once.
"""

import ctypes
import socket
import struct
import sys

ALL_PROTOCOLS = 3
PACKET_OUTGOING = 4
SO_ATTACH_FILTER = 26

port = int(sys.argv[1])

# Only what leaves this port is queued: others may fill the interface meanwhile.
instructions = [
    (0x28, 0, 0, 12),  # the protocol of the Ethernet frame
    (0x15, 0, 6, 0x0800),  # is IPv4
    (0x30, 0, 0, 23),  # its protocol
    (0x15, 0, 4, socket.IPPROTO_TCP),
    (0xB1, 0, 0, 14),  # behind the head of IP
    (0x48, 0, 0, 14),  # the source port
    (0x15, 0, 1, port),
    (0x06, 0, 0, 1 << 18),  # take it whole
    (0x06, 0, 0, 0),  # leave it
]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))

packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
packets.setsockopt(
    socket.SOL_SOCKET,
    SO_ATTACH_FILTER,
    struct.pack("HL", len(instructions), ctypes.addressof(program)),
)
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
# Hears nothing before it is bound.
packets.bind(("lo", ALL_PROTOCOLS))
packets.setblocking(False)

first = {}
last = {}


def take(frame):
    ip = frame[14:]
    head = (ip[0] & 15) * 4
    # A length of 0 stands for one that does not fit.
    total = struct.unpack_from("!H", ip, 2)[0] or len(ip)
    tcp = ip[head:total]
    _, target, number = struct.unpack_from("!HHI", tcp)
    payload = len(tcp) - (tcp[12] >> 4) * 4
    if tcp[13] & 2:
        first[target] = last[target] = number + 1
    elif target in last:
        last[target] = max(last[target], number + payload)


print("ready", flush=True)
for _ in sys.stdin:
    while True:
        try:
            frame, address = packets.recvfrom(1 << 17)
        except BlockingIOError:
            break
        if address[2] == PACKET_OUTGOING:
            take(frame)
    print(sum(last[target] - first[target] for target in last), flush=True)
