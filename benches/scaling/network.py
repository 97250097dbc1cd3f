"""Measures the TCP connection between two hosts as the sums of gradients use it: both directions at the same time.

    python3 benches/scaling/network.py serve                on one host
    python3 benches/scaling/network.py measure HOST [MB]    on the other; prints JSON and ends the server

`bandwidth` is in bytes per second per direction, `latency` in seconds from host to host (half a round trip of one byte, the
median of 200), `cpu` in seconds of one core per byte that this host sends or receives. Standard library only.
"""

import json
import socket
import statistics
import sys
import threading
import time

PORT = 18515
CHUNK = 1 << 20
PINGS = 200


def receive(connection, count):
    view = memoryview(bytearray(CHUNK))
    while count > 0:
        got = connection.recv_into(view[: min(count, CHUNK)])
        if got == 0:
            raise SystemExit("the other host closed the connection")
        count -= got


def exchange(connection, count):
    """Sends and receives `count` bytes at the same time."""
    def send():
        block = memoryview(bytes(CHUNK))
        for start in range(0, count, CHUNK):
            connection.sendall(block[: min(CHUNK, count - start)])

    sender = threading.Thread(target=send)
    sender.start()
    receive(connection, count)
    sender.join()


def without_delay(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def serve():
    with socket.create_server(("", PORT)) as server:
        connection = without_delay(server.accept()[0])
    for _ in range(PINGS):
        receive(connection, 1)
        connection.sendall(b"x")
    count = int(connection.recv(64))
    connection.sendall(b"x")
    for _ in range(2):
        exchange(connection, count)


def measure(host, megabytes=200):
    for attempt in range(100):
        try:
            connection = without_delay(socket.create_connection((host, PORT)))
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    else:
        raise SystemExit(f"no server on {host}")
    trips = []
    for _ in range(PINGS):
        start = time.perf_counter()
        connection.sendall(b"x")
        receive(connection, 1)
        trips.append(time.perf_counter() - start)
    count = megabytes * 1_000_000
    connection.sendall(str(count).encode())
    receive(connection, 1)
    # The first time, the connection finds its window.
    exchange(connection, count)
    start, used = time.perf_counter(), time.process_time()
    exchange(connection, count)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    found = {"bandwidth": count / seconds, "latency": statistics.median(trips) / 2, "cpu": used / (2 * count)}
    print(json.dumps(found))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["measure", host]:
            measure(host)
        case ["measure", host, megabytes]:
            measure(host, int(megabytes))
        case _:
            raise SystemExit(__doc__)
