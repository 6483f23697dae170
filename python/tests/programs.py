"""What the tests of programs share: ports, servers to wait for, the other interpreter, a certificate."""

import os
import socket
import ssl
import subprocess
import sys
import time

# Not ours, which may be installed there, or lie in the folder we are in.
STANDARD = 'import asyncore, sys; sys.exit(hasattr(asyncore, "_fast"))'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def reach(port, seconds=10):
    """A connection to a server that may just be starting."""
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(('127.0.0.1', port), 20)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def control():
    """An interpreter that brings asyncore along: this one, for messages differ, or the one CONTROL names."""
    for python in (sys.executable, os.environ.get('CONTROL')):
        if python and subprocess.run([python, '-I', '-W', 'ignore', '-c', STANDARD],
                                     stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def tls_contexts(folder):
    """One of a server with a certificate, and one of a client that trusts it; None without openssl."""
    key, cert = (os.path.join(folder, name) for name in ('key.pem', 'cert.pem'))
    try:
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-keyout', key, '-out', cert], stderr=subprocess.DEVNULL, check=True)
    except FileNotFoundError:
        return None
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cert)
    return server, client
