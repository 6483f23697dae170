"""test_main.py: the command line that all subcommands share."""
import os
import socket
import subprocess
import tempfile
import unittest

from helper import ASYNCORE, POLLERS, Case

SERVERS = ("serve", "echo", "chat")


class Main(Case):
    def test_no_command(self):
        self.fails(2, "no command given")

    def test_unknown_command(self):
        self.fails(2, "no command 'dance'", "dance")

    def test_version(self):
        out = subprocess.run([ASYNCORE, "--version"], capture_output=True, check=True).stdout
        self.assertRegex(out.decode(), r"^asyncore \d+\.\d+\.\d+\n$")

    def test_help_names_every_command(self):
        out = subprocess.run([ASYNCORE, "--help"], capture_output=True, check=True).stdout.decode()
        for name in ("serve", "get", "echo", "chat", "talk", "proxy", "run"):
            self.assertIn(name, out)
            text = subprocess.run([ASYNCORE, name, "--help"], capture_output=True,
                                  check=True).stdout.decode()
            self.assertIn("usage: asyncore " + name, text)

    def test_unknown_poller(self):
        for name in SERVERS:
            self.fails(2, "unknown poller 'kqueue'", name, "--poller", "kqueue")

    def test_unknown_option(self):
        for name in SERVERS + ("talk", "get", "proxy"):
            self.fails(2, "unrecognized option '--frobnicate'", name, "--frobnicate")

    def test_bad_address(self):
        for name in ("echo", "chat"):
            self.fails(1, '"nowhere" is no address', name, "nowhere")
        self.fails(1, "is no address", "serve", "--listen", "127.0.0.1:99999")

    def test_port_in_use(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            address = "127.0.0.1:%d" % s.getsockname()[1]
            for name in ("echo", "chat"):
                self.fails(1, "Address already in use", name, address)
            self.fails(1, "Address already in use", "serve", "--listen", address)

    def test_missing_folder(self):
        self.fails(1, "No such file or directory", "serve", "/no/such/folder")

    def test_stale_unix_socket_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)
            p = subprocess.Popen([ASYNCORE, "echo", "unix:" + path], stdout=subprocess.PIPE)
            self.assertEqual(p.stdout.readline().decode(), "echo listening on unix:%s\n" % path)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(b"hello\n")
                self.assertEqual(s.recv(100), b"hello\n")
                self.fails(1, "Address already in use", "echo", "unix:" + path)
            p.terminate()
            self.assertEqual(p.wait(5), 0)
            p.stdout.close()

    def test_servers_stop_on_signals(self):
        for name in ("echo", "chat"):
            for poller in POLLERS:
                program = self.start(name, "127.0.0.1:0", "--poller", poller)
                with program.connect():
                    status, _, err = program.stop()
                self.assertEqual((status, err), (0, ""))


if __name__ == "__main__":
    unittest.main()
