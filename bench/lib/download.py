"""Downloads a file over HTTP again and again, and prints the bytes: download.py PORT PATH BYTES.

It only receives, with large reads, so that it costs the sender as little as it can.
"""
import socket
import sys

PATIENCE = 30


def download(port, path, buffer):
    """Bytes of one answer, its head left out."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                   % path).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = s.recv(65536)
            if not data:
                sys.exit("the server closed before the answer")
            head += data
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            sys.exit("the server said %r" % head[:60])
        count = len(head.split(b"\r\n\r\n", 1)[1])
        while True:
            n = s.recv_into(buffer)
            if n == 0:
                return count
            count += n


def main():
    """Until that many bytes have come."""
    port, path, wanted = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    buffer, count = bytearray(1 << 20), 0
    while count < wanted:
        got = download(port, path, buffer)
        if got == 0:
            sys.exit("the file is empty")
        count += got
    print(count)


main()
