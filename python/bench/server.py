"""The server of the bench: echoes lines, by what the first argument names.

    server.py asyncore|cork|asyncio|uvloop

asyncore is whatever comes first on the path: the standard modules or ours.
"""

import resource
import socket
import sys


def listener():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(('127.0.0.1', 0))
    sock.listen(4096)
    print('127.0.0.1:%d' % sock.getsockname()[1], flush=True)
    return sock


def serve_asyncore(cork):
    import asynchat
    import asyncore

    class Echo(asynchat.async_chat):
        ac_cork = cork

        def __init__(self, sock):
            asynchat.async_chat.__init__(self, sock)
            self.set_terminator(b'\r\n')
            self.line = b''

        def collect_incoming_data(self, data):
            self.line += data

        def found_terminator(self):
            line, self.line = self.line, b''
            self.push(line + b'\r\n')

    class Server(asyncore.dispatcher):
        def __init__(self, sock):
            asyncore.dispatcher.__init__(self, sock)
            self.accepting = True

        def writable(self):
            return False

        def handle_accepted(self, sock, _):
            Echo(sock)

    Server(listener())
    asyncore.loop(use_poll=True)


def serve_asyncio(policy):
    import asyncio

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            self.rest = b''

        def data_received(self, data):
            lines = (self.rest + data).split(b'\r\n')
            self.rest = lines.pop()
            for line in lines:
                self.transport.write(line + b'\r\n')

    async def main():
        server = await asyncio.get_running_loop().create_server(Echo, sock=listener())
        await server.serve_forever()

    if policy:
        import uvloop
        uvloop.install()
    asyncio.run(main())


if __name__ == '__main__':
    kind = sys.argv[1]
    if kind in ('asyncore', 'cork'):
        serve_asyncore(kind == 'cork')
    else:
        serve_asyncio(kind == 'uvloop')
