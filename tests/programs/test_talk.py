"""test_talk.py: `asyncore talk` between a terminal, a pipe or a file, and a server."""
import os
import pty
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from helper import ASYNCORE, POLLERS, Case


def talk(address, data, *args, stdin=None):
    return subprocess.run([ASYNCORE, "talk", *args, address], capture_output=True, timeout=15,
                          **({"stdin": stdin} if stdin else {"input": data}))


class Talk(Case):
    def echo(self):
        return "127.0.0.1:%d" % self.start("echo", "127.0.0.1:0").port

    def test_pipe_goes_there_and_back(self):
        address = self.echo()
        for poller in POLLERS:
            r = talk(address, b"hello\nworld\n", "--poller", poller)
            self.assertEqual((r.returncode, r.stdout, r.stderr), (0, b"hello\nworld\n", b""))

    def test_file_as_input(self):
        address = self.echo()
        data = b"".join(b"line %d\n" % i for i in range(50000))
        for poller in POLLERS:
            with tempfile.TemporaryFile() as f:
                f.write(data)
                f.seek(0)
                r = talk(address, None, "--poller", poller, stdin=f)
            self.assertEqual(r.returncode, 0)
            self.assertEqual(r.stdout, data)

    def test_slow_server_holds_the_input_back(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            data = b"x" * 8000000
            got = []

            def serve():
                conn, _ = listener.accept()
                with conn:
                    while piece := conn.recv(100000):
                        got.append(piece)
            thread = threading.Thread(target=serve)
            thread.start()
            r = talk("127.0.0.1:%d" % listener.getsockname()[1], data)
            thread.join()
        self.assertEqual(r.returncode, 0)
        self.assertEqual(b"".join(got), data)

    def test_terminal(self):
        address = self.echo()
        leader, follower = pty.openpty()
        p = subprocess.Popen([ASYNCORE, "talk", address], stdin=follower, stdout=subprocess.PIPE)
        os.write(leader, b"typed\n")
        self.assertEqual(p.stdout.readline(), b"typed\n")
        os.write(leader, b"\x04")
        self.assertEqual(p.wait(5), 0)
        p.stdout.close()
        os.close(leader)
        os.close(follower)

    def test_standard_input_stays_blocking(self):
        address = self.echo()
        reader, writer = os.pipe()
        p = subprocess.Popen([ASYNCORE, "talk", address], stdin=reader, stdout=subprocess.PIPE)
        os.write(writer, b"x\n")
        self.assertEqual(p.stdout.readline(), b"x\n")
        self.assertTrue(os.get_blocking(reader))
        os.close(writer)
        self.assertEqual(p.wait(5), 0)
        p.stdout.close()
        os.close(reader)

    def test_output_that_does_not_block_loses_nothing(self):
        data = b"".join(b"line %d\n" % i for i in range(100000))
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with tempfile.TemporaryFile() as f:
            f.write(data)
            f.seek(0)
            p = subprocess.Popen([ASYNCORE, "talk", self.echo()], stdin=f, stdout=writer,
                                 stderr=subprocess.PIPE)
        os.close(writer)
        time.sleep(0.2)
        with os.fdopen(reader, "rb") as out:
            self.assertEqual(out.read(), data)
        _, err = p.communicate(timeout=5)
        self.assertEqual((p.returncode, err), (0, b""))

    def test_standard_input_that_is_closed_is_an_empty_one(self):
        r = subprocess.run(["sh", "-c", '"$0" talk "$1" <&-', ASYNCORE, self.echo()],
                           capture_output=True, timeout=15)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, b"", b""))

    def test_refused(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            r = talk("127.0.0.1:%d" % s.getsockname()[1], b"")
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"Connection refused", r.stderr)
        self.assertEqual(len(r.stderr.splitlines()), 1)

    def test_no_such_socket_and_bad_address(self):
        self.fails(1, "No such file or directory", "talk", "unix:/no/such/socket")
        self.fails(1, "Invalid argument", "talk", "nowhere")
        self.fails(2, "one address is needed", "talk")

    def test_reset_is_said(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            p = subprocess.Popen([ASYNCORE, "talk", "127.0.0.1:%d" % listener.getsockname()[1]],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            conn, _ = listener.accept()
            conn.sendall(b"x")
            self.assertEqual(p.stdout.read(1), b"x")
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            conn.close()
            _, err = p.communicate(timeout=5)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"connection lost: Connection reset by peer", err)


if __name__ == "__main__":
    unittest.main()
