"""test_get_use.py: `asyncore get` as its user meets it: failures, outputs, arguments, progress."""
import contextlib
import fcntl
import os
import pty
import select
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest

from get_server import (CONNECT, LIMIT, LOCAL, OK, POLLERS, PROGRAM, PROTOCOL, STATUS, TIMEOUT,
                        USAGE, Case, Server, field, http, saying, target)


class Failures(Case):
    def test_error_statuses(self):
        for status in ("404 Not Found", "500 Oops", "400 Bad", "599 x", "300 Choose"):
            with self.subTest(status):
                self.write(b"old")
                self.fetch(saying(http(b"sorry", status)), STATUS, status, "-o", self.file)
                self.assertEqual(self.content(), b"old")

    def test_error_status_makes_no_file(self):
        self.fetch(saying(http(b"sorry", "404 Not Found")), STATUS, "404", "-o", self.file)
        self.assertFalse(os.path.exists(self.file))

    def test_control_bytes_of_a_server_do_not_reach_the_terminal(self):
        with Server(saying(b"HTTP/1.1 404 a\x1b[31mb\xff\r\nContent-Length: 0\r\n\r\n")) as server:
            done = self.get(server.url())
        self.assertIn(done.returncode, (STATUS, PROTOCOL))
        self.assertNotIn(b"\x1b", done.stderr)
        self.assertNotIn(b"\xff", done.stderr)

    def test_refused(self):
        with socket.socket() as s:  # bound, not listening
            s.bind(("127.0.0.1", 0))
            for poller in POLLERS:
                done = self.get("--poller", poller, "-o", self.file,
                                "http://127.0.0.1:%d/" % s.getsockname()[1])
                self.check(done, CONNECT, "Connection refused")
        self.assertFalse(os.path.exists(self.file))

    def test_not_modified(self):
        self.write(b"old")
        self.fetch(saying(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), OK,
                   "304 Not Modified", "-o", self.file, "-H", "If-None-Match: x")
        self.assertEqual(self.content(), b"old")

    def timed(self, answer, says, *args):
        start = time.monotonic()
        self.fetch(answer, TIMEOUT, says, "--timeout", "0.5", *args)
        self.assertGreaterEqual(time.monotonic() - start, 0.45)
        self.assertLess(time.monotonic() - start, 20)

    def test_timeout_without_response(self):
        for poller in POLLERS:
            self.timed(lambda conn, head: conn.recv(1), "no response", "-p", poller)

    def test_timeout_in_the_body(self):
        def answer(conn, _head):
            conn.sendall(http(b"abcdef")[:-2])
            conn.recv(1)
        self.timed(answer, "4 of 6 bytes")

    def test_slow_but_steady_is_no_timeout(self):
        pieces = [http(b"abcdef")[:-6]] + [b"%c" % c for c in b"abcdef"]
        got = self.fetch(saying(*pieces, pause=0.25), OK, "", "--timeout", "1")
        self.assertEqual(got, b"abcdef")

    def test_timeout_of_the_connect(self):
        with socket.socket() as full, contextlib.ExitStack() as stack:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):  # fills the backlog: further ones hang
                s = stack.enter_context(socket.socket())
                s.setblocking(False)
                s.connect_ex(full.getsockname())
            time.sleep(0.2)
            done = self.get("--timeout", "0.5", "http://127.0.0.1:%d/" % full.getsockname()[1])
        self.check(done, TIMEOUT, "no connection")


class Outputs(Case):
    def test_standard_output(self):
        self.assertEqual(self.fetch(saying(http(b"a\0b")), OK, "", "-o", "-"), b"a\0b")

    def test_file_is_cut_to_the_new_length(self):
        self.write(b"longer than before")
        self.fetch(saying(http(b"new")), OK, "", "-o", self.file)
        self.assertEqual(self.content(), b"new")

    def test_remote_name(self):
        with Server(saying(http(b"abc"))) as server:
            self.check(self.get("-O", server.url("/dir/a%20b?x=/y")), OK)
            self.check(self.get("-O", server.url("/dir/")), LOCAL, "file name")
            self.check(self.get("-O", server.url("/..%2fevil")), LOCAL, "file name")
        self.assertEqual(os.listdir(self.folder), ["a b"])

    def test_disk_full(self):
        self.fetch(saying(http(b"abc")), LOCAL, "No space left", "-o", "/dev/full")

    def test_no_such_folder(self):
        self.fetch(saying(http(b"abc")), LOCAL, "No such file", "-o",
                   os.path.join(self.folder, "no", "where"))

    def test_is_a_folder(self):
        self.fetch(saying(http(b"abc")), LOCAL, "Is a directory", "-o", self.folder)

    def test_reader_that_went_away(self):
        with Server(saying(http(b"x" * 1000000))) as server:
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run([PROGRAM, "get", server.url()], stdout=write, timeout=LIMIT,
                                  stderr=subprocess.PIPE, check=False)
            os.close(write)
        self.assertEqual(done.returncode, LOCAL, done.stderr)
        self.assertIn(b"Broken pipe", done.stderr)

    def test_slow_reader_gets_all_and_is_not_the_servers_fault(self):
        body = os.urandom(1 << 20)
        with Server(saying(http(body))) as server:
            read, write = os.pipe()
            os.set_blocking(write, False)  # a flag another program may have left
            with subprocess.Popen([PROGRAM, "get", "--timeout", "0.5", server.url()],
                                  stdout=write, stderr=subprocess.PIPE) as run:
                os.close(write)
                time.sleep(1.5)
                with open(read, "rb") as f:
                    got = f.read()
                err = run.stderr.read()
            self.assertEqual(run.returncode, OK, err)
        self.assertEqual(got, body)

    def test_server_has_its_time_after_a_slow_reader(self):
        reading = threading.Event()

        def answer(conn, _head):  # more than a pipe holds, in the last piece for now
            conn.sendall(http(b"x" * 80001)[:-1])
            reading.wait(LIMIT)
            time.sleep(0.2)
            conn.sendall(b"y")
        with Server(answer) as server:
            with subprocess.Popen([PROGRAM, "get", "--timeout", "1", server.url()],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
                time.sleep(2)
                reading.set()
                got, err = run.communicate(timeout=LIMIT)
        self.assertEqual((run.returncode, err, len(got)), (OK, b"", 80001))

    def test_head_only(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX: y\r\n\r\n"
        self.assertEqual(self.fetch(saying(head), OK, "", "-I"), head)
        self.assertTrue(self.heads[0].startswith("HEAD /file HTTP/1.1\r\n"))
        self.fetch(saying(head), OK, "", "-I", "-o", self.file)
        self.assertEqual(self.content(), head)

    def test_head_only_with_chunked_is_not_waited_for(self):
        def answer(conn, _head):
            conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            conn.recv(1)
        self.fetch(answer, OK, "", "-I")

    def test_only_the_first_failure_is_told(self):
        answer = saying(b"HTTP/1.1 404 Not Found\r\n\r\n")
        self.fetch(answer, STATUS, "404", "-I", "-o", "/dev/full")

    def test_head_only_of_an_error(self):
        head = b"HTTP/1.1 404 Not Found\r\n\r\n"
        self.assertEqual(self.fetch(saying(head), STATUS, "404 Not Found", "-I"), head)


class CommandLine(Case):
    def test_request(self):
        self.fetch(saying(http(b"")), OK, "", "-H", "X-One: 1", "-H", "User-Agent: me")
        head = self.heads[0]
        self.assertTrue(head.startswith("GET /file HTTP/1.1\r\nHost: 127.0.0.1:"), head)
        self.assertTrue(head.endswith("\r\n\r\n"))
        self.assertEqual(field(head, "X-One"), "1")
        self.assertEqual(field(head, "User-Agent"), "me")
        self.assertEqual(head.lower().count("user-agent:"), 1)
        self.assertEqual(field(head, "Connection"), "close")

    def test_fragment_and_path_of_the_url(self):
        with Server(saying(http(b""))) as server:
            self.check(self.get(server.url("/a/../b?c#d")), OK)
            self.check(self.get("localhost:%d" % server.port), OK)
        self.assertEqual([target(h) for h in server.heads], ["/b?c", "/"])
        self.assertEqual(field(server.heads[1], "Host"), "localhost:%d" % server.port)

    def test_bad_urls(self):
        for url, says in (("ftp://127.0.0.1/", "only http"),
                          ("http://a..b/", "bad host"),
                          ("http://127.0.0.1:99999/", "bad host or port"),
                          ("http://127.0.0.1/\r\nX: y", "control characters"),
                          ("ftp://127.0.0.1/", "only http")):
            with self.subTest(url):
                self.check(self.get(url), LOCAL, says)

    def test_bad_fields(self):
        for text in ("X: a\r\nY: b", "X: a\nb", "X y: z", ": z", "X", "", "X: \x7f",
                     "Content-Length: 5", "transfer-encoding: chunked"):
            with self.subTest(text):
                self.check(self.get("-H", text, "http://127.0.0.1:1/"), USAGE)

    def test_bad_arguments(self):
        url = "http://127.0.0.1:1/"
        for args in ((), (url, url), ("--nonsense", url), ("-o",), ("-o", "", url),
                     ("-O", "-o", "x", url), ("--timeout", "x", url), ("--timeout", "-1", url),
                     ("--timeout", "nan", url)):
            with self.subTest(args):
                self.check(self.get(*args), USAGE)

    def test_unknown_poller(self):
        self.check(self.get("--poller", "nonsense", "http://127.0.0.1:1/"), USAGE, "nonsense")

    def test_help(self):
        done = self.get("--help")
        self.assertEqual((done.returncode, done.err), (OK, ""))
        for word in (b"usage:", b"--continue", b"Exit status", b"7 timeout"):
            self.assertIn(word, done.stdout)


class Progress(Case):
    def on_terminal(self, args, answer, columns=70, stdout=None):
        """Runs with stderr on a terminal; all that appeared there."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with Server(answer) as server:
            with subprocess.Popen([PROGRAM, "get", *args, server.url()], stderr=slave,
                                  stdout=slave if stdout is None else stdout) as run:
                os.close(slave)
                seen = b""
                while select.select([master], [], [], LIMIT)[0]:
                    try:
                        more = os.read(master, 65536)
                    except OSError:  # EIO: the last writer is gone
                        break
                    seen += more
        os.close(master)
        return run.returncode, seen.decode()

    @staticmethod
    def slowly(body, pieces, pause):
        step = len(body) // pieces
        parts = [body[i:i + step] for i in range(0, len(body), step)]
        return saying(http(body)[:-len(body)], *parts, pause=pause)

    def test_bar(self):
        status, seen = self.on_terminal(("-o", self.file), self.slowly(b"x" * 4096, 8, 0.1))
        self.assertEqual(status, OK)
        lines = [line.replace("\x1b[K", "") for line in seen.replace("\r\n", "").split("\r") if line]
        self.assertGreaterEqual(len(lines), 3, seen)
        self.assertLessEqual(len(lines), 30, seen)  # ten a second
        for line in lines:
            self.assertRegex(line, r"^ *\d+% \[=*>? *\] .*/4\.0 KiB  .*/s  (ETA )?[\d:-]+$")
            self.assertLess(len(line), 70)
        shares = [int(line.split("%")[0]) for line in lines]
        self.assertEqual(shares, sorted(shares))
        self.assertEqual(shares[-1], 100)
        self.assertTrue(seen.endswith("\r\n"), seen)

    def test_unknown_length(self):
        status, seen = self.on_terminal(
            ("-o", self.file), saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2048, b"y", pause=0.3))
        self.assertEqual(status, OK)
        self.assertIn("2.0 KiB", seen)
        self.assertNotIn("%", seen)

    def test_narrow_terminal(self):
        status, seen = self.on_terminal(("-o", self.file), self.slowly(b"x" * 4096, 4, 0.1), 12)
        self.assertEqual(status, OK)
        for line in seen.replace("\x1b[K", "").replace("\r\n", "").split("\r"):
            self.assertLess(len(line), 12)

    def test_resumed_begins_where_the_file_ends(self):
        self.write(b"x" * 1024)
        answer = saying(b"HTTP/1.1 206 X\r\nContent-Range: bytes 1024-2047/2048\r\n"
                        b"Content-Length: 1024\r\n\r\n", b"", b"y" * 1024, pause=0.3)
        status, seen = self.on_terminal(("-c", "-o", self.file), answer)
        self.assertEqual(status, OK)
        self.assertIn(" 50% ", seen)
        self.assertNotIn("  0% ", seen)

    def test_failure_has_a_line_of_its_own(self):
        status, seen = self.on_terminal(("-o", self.file), saying(http(b"abcd")[:-2], pause=0.3))
        self.assertEqual(status, PROTOCOL)
        self.assertIn("\nasyncore get: partial body: 2 of 4 bytes", seen)

    def test_none_with_quiet(self):
        status, seen = self.on_terminal(("-q", "-o", self.file), saying(http(b"abc"), pause=0.3))
        self.assertEqual((status, seen), (OK, ""))

    def test_none_when_the_body_goes_to_the_terminal(self):
        status, seen = self.on_terminal((), saying(http(b"abc"), pause=0.3))
        self.assertEqual((status, seen), (OK, "abc"))

    def test_none_without_a_terminal(self):
        with Server(saying(http(b"abc"), pause=0.3)) as server:
            self.assertEqual(self.get("-o", self.file, server.url()).err, "")


if __name__ == "__main__":
    unittest.main()
