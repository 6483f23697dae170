"""test_serve.py: `asyncore serve`: what it serves, and to whom, and how it ends."""
import concurrent.futures
import email.utils
import os
import re
import signal
import socket
import tempfile
import time
import unittest

from helper import POLLERS, Case, read_all, read_until, wait_for


class ServeCase(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.outside = tempfile.NamedTemporaryFile()
        self.addCleanup(self.outside.close)
        self.outside.write(b"secret")
        self.outside.flush()
        self.root = os.path.join(self.folder.name, "www")
        os.makedirs(os.path.join(self.root, "sub"))
        os.makedirs(os.path.join(self.root, "plain"))
        self.write("a.txt", b"hello, world\n")
        self.write("sub/index.html", b"<p>index</p>")
        self.write("big.bin", os.urandom(3000000))
        os.symlink(self.outside.name, os.path.join(self.root, "out"))
        os.symlink("..", os.path.join(self.root, "up"))
        os.symlink("a.txt", os.path.join(self.root, "in"))

    def write(self, name, data):
        with open(os.path.join(self.root, name), "wb") as f:
            f.write(data)

    def serve(self, *args):
        return self.start("serve", self.root, "--listen", "127.0.0.1:0", *args)

    def ask(self, server, *lines, version="HTTP/1.1", close=True, body=b""):
        """(status, fields, body) of one request."""
        head = [lines[0] + " " + version]
        if version == "HTTP/1.1":
            head.append("Host: x")
        head.extend(lines[1:])
        if close:
            head.append("Connection: close")
        with server.connect() as s:
            s.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
            return self.parse(read_all(s))

    def parse(self, data):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        words = lines[0].split(" ")
        return (int(words[1]) if len(words) > 1 else 0), fields, body

    def status(self, server, *lines, **more):
        return self.ask(server, *lines, **more)[0]


class Files(ServeCase):
    def test_page_on_every_poller(self):
        for poller in POLLERS:
            status, fields, body = self.ask(self.serve("--poller", poller), "GET /a.txt")
            self.assertEqual((status, body), (200, b"hello, world\n"))
            self.assertEqual(fields["content-type"], "text/plain; charset=utf-8")
            self.assertEqual(fields["content-length"], "13")
            self.assertIn("date", fields)

    def test_big_file_on_every_poller(self):
        with open(os.path.join(self.root, "big.bin"), "rb") as f:
            data = f.read()
        for poller in POLLERS:
            self.assertEqual(self.ask(self.serve("--poller", poller), "GET /big.bin")[2], data)

    def test_head_has_no_body(self):
        status, fields, body = self.ask(self.serve(), "HEAD /big.bin")
        self.assertEqual((status, fields["content-length"], body), (200, "3000000", b""))

    def test_ranges(self):
        server = self.serve()
        for text, expected in (("0-4", b"hello"), ("7-", b"world\n"), ("-6", b"world\n"),
                               ("5-99", b", world\n"), ("-99", b"hello, world\n")):
            status, fields, body = self.ask(server, "GET /a.txt", "Range: bytes=" + text)
            self.assertEqual((status, body), (206, expected))
            self.assertTrue(fields["content-range"].endswith("/13"))
        for text in ("13-", "99-100", "-0"):
            status, fields, _ = self.ask(server, "GET /a.txt", "Range: bytes=" + text)
            self.assertEqual((status, fields["content-range"]), (416, "bytes */13"))
        many = ",".join("%d-%d" % (i, i) for i in range(1000))
        for text in ("bytes=5-2", "bytes=x", "bytes=1-2," + many[:3000], "lines=1-2",
                     "bytes=9223372036854775808-"):
            status, _, body = self.ask(server, "GET /a.txt", "Range: " + text)
            self.assertEqual((status, len(body)), (200, 13))

    def test_conditions(self):
        server = self.serve()
        _, fields, _ = self.ask(server, "GET /a.txt")
        etag, modified = fields["etag"], fields["last-modified"]
        for line in ("If-None-Match: " + etag, "If-None-Match: *", "If-Modified-Since: " + modified,
                     'If-None-Match: "x", W/' + etag):
            status, fields, body = self.ask(server, "GET /a.txt", line)
            self.assertEqual((status, body), (304, b""))
            self.assertEqual(fields["etag"], etag)
        earlier = email.utils.formatdate(email.utils.mktime_tz(
            email.utils.parsedate_tz(modified)) - 10, usegmt=True)
        for lines in (['If-None-Match: "x"'], ["If-Modified-Since: " + earlier],
                      ['If-None-Match: "x"', "If-Modified-Since: " + modified],
                      ["If-Modified-Since: never"]):
            self.assertEqual(self.status(server, "GET /a.txt", *lines), 200)
        for line, expected in (("If-Match: " + etag, 200), ('If-Match: "x"', 412),
                               ("If-Unmodified-Since: " + modified, 200),
                               ("If-Unmodified-Since: " + earlier, 412)):
            self.assertEqual(self.status(server, "GET /a.txt", line), expected)
        for line, expected in (("If-Range: " + etag, 206), ("If-Range: " + modified, 206),
                               ('If-Range: "x"', 200), ("If-Range: " + earlier, 200)):
            self.assertEqual(self.status(server, "GET /a.txt", "Range: bytes=0-1", line), expected)

    def test_folders(self):
        self.write("plain/<b>&.txt", b"x")
        self.write("plain/q?#%.txt", b"y")
        server = self.serve()
        self.assertEqual(self.ask(server, "GET /sub/")[2], b"<p>index</p>")
        status, fields, _ = self.ask(server, "GET /sub?x=1")
        self.assertEqual((status, fields["location"]), (301, "/sub/?x=1"))
        status, _, page = self.ask(server, "GET /plain/")
        self.assertEqual(status, 200)
        self.assertIn(b"&#60;b&#62;&#38;.txt", page)
        self.assertIn(b'href="./q%3F%23%25.txt"', page)
        self.assertEqual(self.ask(server, "GET /plain/q%3F%23%25.txt")[2], b"y")
        self.assertEqual(self.status(server, "GET /a.txt/"), 404)
        self.assertEqual(self.status(server, "GET //a.txt"), 200)

    def test_index_may_be_a_link_to_another_folder_but_not_outside(self):
        os.symlink("../a.txt", os.path.join(self.root, "plain/index.html"))
        os.symlink(self.outside.name, os.path.join(self.root, "index.html"))
        server = self.serve()
        self.assertEqual(self.ask(server, "GET /plain/")[2], b"hello, world\n")
        status, _, body = self.ask(server, "GET /")
        self.assertEqual(status, 403)
        self.assertNotIn(b"secret", body)

    def test_index_that_is_a_folder_is_listed(self):
        os.mkdir(os.path.join(self.root, "plain/index.html"))
        self.assertIn(b"./index.html/", self.ask(self.serve(), "GET /plain/")[2])

    def test_redirection_stays_on_this_server(self):
        os.makedirs(os.path.join(self.root, "\\evil"))
        server = self.serve()
        for target, place in (("//sub", "/sub/"), ("///sub?a", "/sub/?a"),
                              ("/%5Cevil", "/%5Cevil/"), ("http://evil/sub", "/sub/")):
            status, fields, _ = self.ask(server, "GET " + target)
            self.assertEqual((status, fields["location"]), (301, place))

    def test_empty_file(self):
        self.write("empty", b"")
        status, fields, body = self.ask(self.serve(), "GET /empty")
        self.assertEqual((status, fields["content-length"], body), (200, "0", b""))

    def test_tag_changes_with_the_file(self):
        server = self.serve()
        tags = set()
        for text in (b"one", b"two", b"three"):
            self.write("a.txt", text)
            tags.add(self.ask(server, "HEAD /a.txt")[1]["etag"])
            time.sleep(0.02)
        self.assertEqual(len(tags), 3)

    def test_time_to_come_is_not_said(self):
        os.utime(os.path.join(self.root, "a.txt"), (time.time() + 9999,) * 2)
        fields = self.ask(self.serve(), "HEAD /a.txt")[1]
        said, now = (email.utils.mktime_tz(email.utils.parsedate_tz(fields[name]))
                     for name in ("last-modified", "date"))
        self.assertLessEqual(said, now)

    def test_nothing_outside_is_served(self):
        server = self.serve()
        for target in ("/../x", "/%2e%2e/x", "/sub/../../x", "/sub/%2E%2e/a.txt", "/out", "/up/",
                       "/up/www/a.txt", "/%252e%252e/x", "/..", "/nothing"):
            status, _, body = self.ask(server, "GET " + target)
            self.assertIn(status, (403, 404), target)
            self.assertNotIn(b"secret", body)
        self.assertEqual(self.ask(server, "GET /in")[2], b"hello, world\n")

    def test_what_is_no_file_is_refused(self):
        os.mkfifo(os.path.join(self.root, "fifo"))
        self.assertEqual(self.status(self.serve(), "GET /fifo"), 403)

    def test_other_methods(self):
        server = self.serve()
        for target in ("POST /a.txt", "PUT /new", "DELETE /a.txt", "OPTIONS /", "OPTIONS *"):
            status, fields, _ = self.ask(server, target)
            self.assertEqual((status, fields["allow"]), (405, "GET, HEAD"), target)
        for target in ("BREW /a.txt", "get /a.txt", "Head /a.txt"):
            self.assertEqual(self.status(server, target), 501, target)
        self.assertFalse(os.path.exists(os.path.join(self.root, "new")))

    def test_file_that_shrinks_closes_the_connection(self):
        with self.serve().connect() as s:
            self.write("shrinks", b"z" * 30000000)
            s.sendall(b"GET /shrinks HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(100)
            os.truncate(os.path.join(self.root, "shrinks"), 100000)
            self.assertLess(len(read_all(s)), 30000000)


class Connections(ServeCase):
    def test_keep_alive_and_pipelining_in_order(self):
        for poller in POLLERS:
            with self.serve("--poller", poller).connect() as s:
                one = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"
                big = b"GET /big.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99999\r\n\r\n"
                last = b"GET /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                s.sendall(one + big + one * 50 + last)
                data = read_all(s)
            self.assertEqual(data.count(b"HTTP/1.1 200 OK"), 52)
            self.assertEqual(data.count(b"206 Partial"), 1)
            self.assertTrue(data.endswith(b"\r\n\r\nhello, world\n"))

    def test_every_split_of_a_request(self):
        request = b"\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        server = self.serve()
        for cut in range(1, len(request)):
            with server.connect() as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(request[:cut])
                s.sendall(request[cut:])
                self.assertTrue(read_all(s).endswith(b"hello, world\n"))

    def test_http_1_0(self):
        server = self.serve()
        status, fields, body = self.ask(server, "GET /a.txt", version="HTTP/1.0", close=False)
        self.assertEqual((status, body, fields["connection"]), (200, b"hello, world\n", "close"))
        with server.connect() as s:
            s.sendall(b"GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            self.assertIn(b"Connection: keep-alive", read_until(s, b"world\n"))
            s.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
            self.assertIn(b"world", read_all(s))

    def test_absolute_target(self):
        server = self.serve()
        self.assertEqual(self.status(server, "GET http://x/a.txt"), 200)
        self.assertEqual(self.ask(server, "GET http://x/sub/?a=/a.txt")[2], b"<p>index</p>")
        status, _, body = self.ask(server, "GET http://x?a=/a.txt")
        self.assertEqual((status, b"hello" in body), (200, False))

    def test_bodies_are_read_and_the_connection_goes_on(self):
        with self.serve().connect() as s:
            s.sendall(b"POST /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
                      b"POST /a.txt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
                      b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = read_all(s)
        self.assertEqual(data.count(b"HTTP/1.1 405"), 2)
        self.assertTrue(data.endswith(b"hello, world\n"))

    def test_half_closed_client_gets_the_whole_answer(self):
        for poller in POLLERS:
            with self.serve("--poller", poller).connect() as s:
                s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(len(self.parse(read_all(s))[2]), 3000000)

    def test_body_in_chunks_cut_at_every_byte(self):
        data = (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n0\r\nT: x\r\n\r\n"
                b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        server = self.serve("-q")
        for cut in range(60, len(data) - 50):
            with server.connect() as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(data[:cut])
                s.sendall(data[cut:])
                answer = read_all(s)
            self.assertTrue(answer.startswith(b"HTTP/1.1 405"))
            self.assertTrue(answer.endswith(b"hello, world\n"))

    def test_continue_is_said_before_the_body(self):
        with self.serve().connect() as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                      b"Content-Length: 2\r\nConnection: close\r\n\r\n")
            self.assertEqual(read_until(s, b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
            s.sendall(b"ab")
            self.assertIn(b"405", read_all(s))
        self.assertEqual(self.status(self.serve(), "GET /", "Expect: tea"), 417)

    def test_several_listeners_of_every_family(self):
        path = os.path.join(self.folder.name, "socket")
        server = self.serve("--listen", "[::1]:0", "--listen", "unix:" + path)
        found = re.search(r"http://\[::1\]:(\d+)/", server.process.stdout.readline().decode())
        self.assertIn("unix:" + path, server.process.stdout.readline().decode())
        self.assertEqual(self.status(server, "GET /a.txt"), 200)
        request = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("::1", int(found.group(1))), 5) as s:
            s.sendall(request)
            self.assertTrue(read_all(s).endswith(b"hello, world\n"))
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(path)
            s.sendall(request)
            self.assertTrue(read_all(s).endswith(b"hello, world\n"))
        lines = server.stop()[1].splitlines()
        self.assertEqual([line.split(" ")[0] for line in lines], ["127.0.0.1", "::1", "-"])

    def test_many_clients_at_once(self):
        server = self.serve("-q")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            got = list(pool.map(lambda _: self.status(server, "GET /a.txt"), range(200)))
        self.assertEqual(got, [200] * 200)


class Stops(ServeCase):
    def test_idle_server_stops_at_once(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            server = self.serve()
            with server.connect():
                begin = time.monotonic()
                self.assertEqual(server.stop(how)[0], 0)
                self.assertLess(time.monotonic() - begin, 3)

    def test_open_answer_is_finished(self):
        for poller in POLLERS:
            server = self.serve("--poller", poller)
            with server.connect() as s:
                self.write("long", b"q" * 30000000)
                s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
                data = s.recv(1000)
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                self.assertIsNone(server.process.poll())
                with self.assertRaises(OSError):
                    server.connect()
                data += read_all(s)
            self.assertEqual(len(data.partition(b"\r\n\r\n")[2]), 30000000)
            self.assertEqual(server.stop()[0], 0)


class Log(ServeCase):
    def test_one_line_an_answer_with_control_bytes_escaped(self):
        server = self.serve()
        self.ask(server, "GET /a.txt")
        self.ask(server, "GET /\x1b[31m\"\\")
        for data in (b"\xff\x00 x\r\n\r\n", b"GET /" + b"x" * 9000, b"GET /\r\n" + b"y" * 17000):
            with server.connect() as s:
                s.sendall(data)
                read_until(s, b"</h1>")
        lines = server.stop()[1].splitlines()
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[0], r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                                   r'"GET /a\.txt HTTP/1\.1" 200 13$')
        self.assertIn(r"\x1b[31m\x22\x5c", lines[1])
        self.assertIn(r'"\xff\x00 x" 400', lines[2])
        self.assertRegex(lines[3], r'"GET /x+" 414')
        self.assertLess(len(lines[3]), 700)
        self.assertIn('"GET /" 431', lines[4])

    def test_lines_are_written_soon(self):
        path = os.path.join(self.folder.name, "log")
        server = self.serve("--log", path)
        self.ask(server, "GET /a.txt")
        self.assertTrue(wait_for(lambda: os.path.getsize(path) > 0))

    def test_log_file_and_quiet(self):
        path = os.path.join(self.folder.name, "log")
        server = self.serve("--log", path)
        self.ask(server, "GET /a.txt")
        self.assertEqual(server.stop()[1], "")
        with open(path, encoding="ascii") as f:
            self.assertEqual(len(f.readlines()), 1)
        server = self.serve("--quiet")
        self.ask(server, "GET /a.txt")
        self.assertEqual(server.stop()[1], "")


if __name__ == "__main__":
    unittest.main()
