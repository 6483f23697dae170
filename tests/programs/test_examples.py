"""test_examples.py: every example runs and does what its head comment says."""
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from helper import connect_unix, wait_for

EXAMPLES = os.environ.get("EXAMPLES", "build/examples")


def run(name, *args, **options):
    return subprocess.run([os.path.join(EXAMPLES, name), *args], capture_output=True, timeout=15,
                          check=False, **options)


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "s")

    def serve(self, name, *args):
        """A server on a Unix socket, which needs no port."""
        p = subprocess.Popen([os.path.join(EXAMPLES, name), "unix:" + self.path, *args],
                             stderr=subprocess.PIPE)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def connect(self):
        s = connect_unix(self.path)
        self.addCleanup(s.close)
        return s

    def ask(self, *pieces):
        s = self.connect()
        for piece in pieces:
            s.sendall(piece)
        with s.makefile("rb") as f:
            return f.read()

    def ends_well(self, p):
        self.assertEqual((p.wait(5), p.stderr.read()), (0, b""))

    def test_relay(self):
        target = socket.create_server(("127.0.0.1", 0))
        target.settimeout(5)
        self.addCleanup(target.close)
        self.serve("relay", "127.0.0.1:%d" % target.getsockname()[1])
        with self.connect() as s, target.accept()[0] as t:
            s.sendall(b"question")
            s.shutdown(socket.SHUT_WR)
            t.settimeout(5)
            asked = b""
            while piece := t.recv(100):
                asked += piece
            self.assertEqual(asked, b"question")
            t.sendall(b"answer")
            t.close()
            self.assertEqual(s.recv(100), b"answer")
            self.assertEqual(s.recv(100), b"")

    def test_echo_server(self):
        self.serve("echo_server")
        s = self.connect()
        s.sendall(b"one\r\ntwo\r\nthr")
        s.sendall(b"ee\r\n")
        with s.makefile("rb") as f:
            for line in (b"one\r\n", b"two\r\n", b"three\r\n"):
                self.assertEqual(f.readline(), line)

    def certificate(self, name):
        """A file with key and certificate, which vouches for itself."""
        key, cert, both = (self.path + end for end in (".key", ".cert", ".pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-keyout", key, "-out", cert,
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name],
                       check=True, capture_output=True)
        with open(both, "w", encoding="ascii") as f:
            for part in (cert, key):
                with open(part, encoding="ascii") as g:
                    f.write(g.read())
        return both, cert

    def greet(self, name, cert):
        with ssl.create_default_context(cafile=cert).wrap_socket(self.connect(), server_hostname=name) as s:
            s.sendall(b"one\ntwo\n")
            with s.makefile("rb") as f:
                self.assertEqual([f.readline(), f.readline()], [b"one\n", b"two\n"])

    @unittest.skipUnless(os.path.exists(os.path.join(EXAMPLES, "tls_echo")), "built without TLS")
    def test_tls_echo_and_a_new_certificate(self):
        both, cert = self.certificate("a.test")
        p = self.serve("tls_echo", both)
        self.greet("a.test", cert)
        both, cert = self.certificate("b.test")
        p.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        self.greet("b.test", cert)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.greet("a.test", cert)

    def test_http_request_handler_reads_headers_and_data(self):
        p = self.serve("http_request_handler", "3")
        self.assertTrue(self.ask(b"GET /page HTTP/1.0\r\nContent-Length: 9\r\n\r\n").endswith(
            b"\r\n\r\nGET /page with 0 bytes of data\n"))
        post = b"POST /form HTTP/1.0\r\ncontent-length: 7\r\n\r\n"
        for pieces in ((post, b"a=1", b"&b=2"), (post + b"a=1&b=2\r\n",)):
            self.assertTrue(self.ask(*pieces).endswith(b"POST /form with 7 bytes of data\n"))
        self.ends_well(p)

    def test_http_request_handler_survives_nonsense(self):
        p = self.serve("http_request_handler", "3")
        self.assertEqual(self.ask(b"nonsense\r\n\r\n"), b"")
        self.assertEqual(self.ask(b"POST / HTTP/1.0\r\nContent-Length: -5\r\n\r\n"), b"")
        self.assertIn(b"GET / with", self.ask(b"GET / HTTP/1.0\r\n\r\n"))
        self.assertEqual(p.wait(5), 0)
        self.assertEqual(len(p.stderr.read().splitlines()), 2)

    def test_http_client_prints_what_it_gets(self):
        p = self.serve("http_request_handler", "2")
        self.connect().close()
        r = run("http_client", "unix:" + self.path, "/here")
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        self.assertEqual(r.stdout, b"HTTP/1.0 200 OK\r\n\r\nGET /here with 0 bytes of data\n")
        self.ends_well(p)

    def test_http_client_says_why_not(self):
        for args, words in ((("unix:" + self.path,), b"No such file or directory"),
                            (("nowhere",), b'"nowhere" is no address'),
                            (("127.0.0.1:1", "/" + "x" * 2000), b"File name too long")):
            r = run("http_client", *args)
            self.assertEqual((r.returncode, r.stdout), (1, b""))
            self.assertIn(words, r.stderr)

    def test_datagram(self):
        p = self.serve("datagram", "3")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind("")
            s.settimeout(5)
            self.assertTrue(wait_for(lambda: os.path.exists(self.path)))
            s.connect(self.path)
            for data in (b"", b"x" * 10, b"x" * 60000):
                s.send(data)
                self.assertEqual(s.recv(100), b"%d bytes\n" % len(data))
        self.ends_well(p)

    def test_process(self):
        r = run("process", "echo one; echo two >&2; exit 3", "kill -9 $$")
        lines = sorted(r.stdout.decode().splitlines())
        self.assertEqual(lines, ["1 exited with 3", "1! two", "1: one", "2 died of signal 9"])
        self.assertEqual((r.returncode, r.stderr), (0, b""))

    def test_resolve(self):
        r = run("resolve", "127.0.0.1:80", "[::1]:81")
        blocks = sorted(r.stdout.decode().replace("\n\t", " ").splitlines())
        self.assertEqual(blocks, ["127.0.0.1:80 127.0.0.1:80", "[::1]:81 [::1]:81"])
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        r = run("resolve", "x" * 256 + ":80")
        self.assertEqual((r.returncode, r.stdout), (1, b""))
        self.assertIn(b"253 bytes", r.stderr)

    def test_signals(self):
        with subprocess.Popen([os.path.join(EXAMPLES, "signals")], stdout=subprocess.PIPE) as p:
            self.assertEqual(p.stdout.readline(), b"ready\n")
            for i in (b"1", b"2"):
                p.send_signal(signal.SIGHUP)
                self.assertEqual(p.stdout.readline(), b"hang-up %s\n" % i)
            p.terminate()
            self.assertEqual((p.stdout.read(), p.wait(5)), (b"done\n", 0))

    def test_tasks(self):
        r = run("tasks")
        lines = r.stdout.decode().splitlines()
        self.assertEqual(r.returncode, 0)
        self.assertEqual([s for s in lines if s.isdigit()], ["3", "2", "1"])
        self.assertEqual([s for s in lines if s.startswith("tick")], ["tick 1", "tick 2", "tick 3"])
        self.assertIn("brought forward", lines[0])
        self.assertIn("put off", lines[-1])
        self.assertEqual(len(lines), 8)

    def test_udp(self):
        self.assertEqual(run("udp", "500").stdout, b"500 questions, 500 answers\n")

    def test_producer_to_a_pipe_a_file_and_a_closed_pipe(self):
        squares = b"".join(b"%d\n" % (i * i) for i in range(100000))
        r = run("producer", "100000")
        self.assertEqual((r.stdout, r.stderr), (squares, b"%d bytes\n" % len(squares)))
        with tempfile.TemporaryFile() as f:
            subprocess.run([os.path.join(EXAMPLES, "producer"), "100000"], stdout=f, check=True,
                           stderr=subprocess.DEVNULL, timeout=15)
            f.seek(0)
            self.assertEqual(f.read(), squares)
        p = subprocess.Popen([os.path.join(EXAMPLES, "producer"), "1000000000"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(p.stdout.readline(), b"0\n")
        p.stdout.close()
        p.wait(5)
        self.assertIn(b"cut short", p.stderr.read())
        p.stderr.close()

    def test_terminators_cut_netstrings_wherever_reads_end(self):
        text = b"5:hello,0:,12:with,a:colon,"
        wanted = b"hello\n\nwith,a:colon\n"
        self.assertEqual(run("terminators", input=text).stdout, wanted)
        p = subprocess.Popen([os.path.join(EXAMPLES, "terminators")], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, bufsize=0)
        for i in range(len(text)):
            p.stdin.write(text[i:i + 1])
            time.sleep(0.005)
        self.assertEqual(p.communicate(timeout=5)[0], wanted)

    def test_terminators_refuse_what_is_no_netstring(self):
        for text, words in ((b"5:hello;", b"no comma"), (b"five:", b"'five' is no length"),
                            (b":", b"0 digits"), (b"12345678:", b"8 digits"),
                            (b"-1:x", b"'-1' is no length"), (b"99999:x", b"EMSGSIZE")):
            r = run("terminators", input=text)
            self.assertEqual(r.returncode, 1)
            self.assertIn(words, r.stderr)

    def test_pipe_mixes_commands(self):
        r = run("pipe", "echo one; sleep 0.3; printf rest", "echo quick; echo again")
        lines = r.stdout.decode().splitlines()
        self.assertEqual(r.returncode, 0)
        self.assertEqual([s for s in lines if s[0] == "1"], ["1: one", "1: rest"])
        self.assertEqual([s for s in lines if s[0] == "2"], ["2: quick", "2: again"])
        self.assertEqual(lines[-1], "1: rest")
        self.assertEqual((run("pipe").returncode, run("pipe").stdout), (0, b""))


if __name__ == "__main__":
    unittest.main()
