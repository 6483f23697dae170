"""test_get_follow.py: `asyncore get` asks again: redirects, and the rest of a file."""
import email.utils
import re
import time
import unittest

from get_server import (LOCAL, OK, PROTOCOL, REDIRECTS, STATUS, USAGE, Case, Server, chunked,
                        field, http, saying, target)


class Redirects(Case):
    def follow(self, pages, path="/a", *args):
        """`pages` maps a target to its answer; returns the run and the targets asked for."""
        def answer(conn, head):
            conn.sendall(pages.get(target(head), http(b"lost", "404 Not Found")))
        with Server(answer) as server:
            done = self.get(*args, server.url(path))
        return done, [target(h) for h in server.heads]

    @staticmethod
    def to(where, status="302 Found"):
        return http(b"elsewhere", status, "Location: " + where)

    def test_each_status(self):
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status):
                done, asked = self.follow({"/a": self.to("/b", "%d X" % status), "/b": http(b"b")})
                self.check(done, OK)
                self.assertEqual((done.stdout, asked), (b"b", ["/a", "/b"]))

    def test_relative(self):
        for where, there in (("d?e", "/b/c/d?e"), ("../d", "/b/d"), ("?q", "/b/c/x?q"),
                             ("/d#frag", "/d"), ("a b", "/b/c/a%20b"), ("../../../d", "/d")):
            with self.subTest(where):
                done, asked = self.follow({"/b/c/x": self.to(where), there: http(b"ok")}, "/b/c/x")
                self.check(done, OK)
                self.assertEqual((done.stdout, asked), (b"ok", ["/b/c/x", there]))

    def test_absolute_to_another_server(self):
        with Server(saying(http(b"other"))) as other:
            done, _ = self.follow({"/a": self.to(other.url("/x"))}, "/a", "-H",
                                  "Authorization: secret", "-H", "X-Mine: 1")
            self.check(done, OK)
            self.assertEqual(done.stdout, b"other")
            self.assertIsNone(field(other.heads[0], "Authorization"))
            self.assertEqual(field(other.heads[0], "X-Mine"), "1")
            self.assertEqual(field(other.heads[0], "Host"), "127.0.0.1:%d" % other.port)

    def test_credentials_stay_on_the_same_server(self):
        with Server(lambda conn, head: conn.sendall(
                self.to("/b") if target(head) == "/a" else http(b"b"))) as server:
            self.check(self.get(server.url("/a"), "-H", "Authorization: secret"), OK)
            self.assertEqual(field(server.heads[1], "Authorization"), "secret")

    def test_ten_are_followed_and_no_more(self):
        pages = {"/%d" % i: self.to("/%d" % (i + 1)) for i in range(11)}
        pages["/11"] = http(b"end")
        done, asked = self.follow(pages, "/1")
        self.check(done, OK)
        self.assertEqual((done.stdout, len(asked)), (b"end", 11))
        done, asked = self.follow(pages, "/0")
        self.check(done, REDIRECTS, "more than 10 redirects")
        self.assertEqual(len(asked), 11)

    def test_loop(self):
        done, asked = self.follow({"/a": self.to("/b"), "/b": self.to("/a")})
        self.check(done, REDIRECTS, "more than 10 redirects")
        self.assertEqual(len(asked), 11)

    def test_without_location(self):
        done, _ = self.follow({"/a": http(b"", "302 Found")})
        self.check(done, PROTOCOL, "without a Location")

    def test_to_what_is_not_supported(self):
        for where, says in (("ftp://127.0.0.1/", "only http"), ("http://a..b/", "bad host"),
                            ("mailto:x", "only http")):
            with self.subTest(where):
                done, _ = self.follow({"/a": self.to(where)})
                self.check(done, LOCAL, says)

    def test_to_an_error(self):
        done, _ = self.follow({"/a": self.to("/nowhere")})
        self.check(done, STATUS, "404 Not Found")
        self.assertEqual(done.stdout, b"")

    def test_body_of_a_redirect_is_not_written(self):
        done, _ = self.follow({"/a": self.to("/b"), "/b": http(b"b")}, "/a", "-o", self.file)
        self.check(done, OK)
        self.assertEqual(self.content(), b"b")


class Resume(Case):
    whole = bytes(range(256)) * 8
    day = 86400

    def ranged(self, *fields, chunks=False):
        """A server that knows ranges."""
        def answer(conn, head):
            start = field(head, "Range")
            if not start:
                conn.sendall(http(self.whole, "200 OK", *fields))
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", start).group(1))
            total = len(self.whole)
            if start >= total:
                conn.sendall(http(b"", "416 Range Not Satisfiable",
                                  "Content-Range: bytes */%d" % total, *fields))
                return
            where = "Content-Range: bytes %d-%d/%d" % (start, total - 1, total)
            if chunks:
                head = "\r\n".join(["HTTP/1.1 206 Partial Content", where,
                                    "Transfer-Encoding: chunked", "", ""]).encode()
                conn.sendall(head + chunked(self.whole[start:]).split(b"\r\n\r\n", 1)[1])
            else:
                conn.sendall(http(self.whole[start:], "206 Partial Content", where, *fields))
        return answer

    def resume(self, answer, status=OK, says=""):
        self.fetch(answer, status, says, "-c", "-o", self.file)

    def asked(self):
        return [field(h, "Range") for h in self.heads]

    def test_rest_is_appended(self):
        self.write(self.whole[:1000])
        self.resume(self.ranged())
        self.assertEqual(self.content(), self.whole)
        self.assertEqual(self.asked(), ["bytes=1000-"])

    def test_rest_in_chunks(self):
        self.write(self.whole[:1000])
        self.resume(self.ranged(chunks=True))
        self.assertEqual(self.content(), self.whole)

    def test_no_file_or_an_empty_one(self):
        self.resume(self.ranged())
        self.assertEqual((self.content(), self.asked()), (self.whole, [None]))
        self.write(b"")
        self.resume(self.ranged())
        self.assertEqual((self.content(), self.asked()), (self.whole, [None]))

    def test_complete_already(self):
        self.write(self.whole)
        self.resume(self.ranged(), OK, "complete")
        self.assertEqual(self.content(), self.whole)

    def test_longer_than_the_resource(self):
        self.write(self.whole + b"x")
        self.resume(self.ranged(), STATUS, "the file has 2049 bytes, the resource 2048")
        self.assertEqual(self.content(), self.whole + b"x")

    def test_416_without_total(self):
        self.write(b"abc")
        self.resume(saying(http(b"", "416 Range Not Satisfiable")), STATUS, "416")
        self.assertEqual(self.content(), b"abc")

    def test_server_that_ignores_ranges(self):
        self.write(b"something else, and longer than that" * 100)
        self.resume(saying(http(self.whole)), OK, "written anew")
        self.assertEqual(self.content(), self.whole)

    def test_changed_since_is_fetched_anew(self):
        now = time.time()
        for have in (1000, len(self.whole)):
            with self.subTest(have):
                self.write(b"o" * have, now - 2 * self.day)
                modified = email.utils.formatdate(now - self.day, usegmt=True)
                self.resume(self.ranged("Last-Modified: " + modified), OK, "anew")
                self.assertEqual(self.content(), self.whole)
                self.assertEqual(self.asked(), ["bytes=%d-" % have, None])

    def test_not_changed_since(self):
        now = time.time()
        self.write(self.whole[:1000], now - self.day)
        modified = email.utils.formatdate(now - 2 * self.day, usegmt=True)
        self.resume(self.ranged("Last-Modified: " + modified))
        self.assertEqual(self.content(), self.whole)
        self.assertEqual(len(self.heads), 1)

    def test_wrong_ranges_change_nothing(self):
        for where in ("bytes 999-2047/2048", "bytes 0-1047/2048", "bytes 1000-2048/2048",
                      "bytes 1000-999/2048", "bytes */2048", "bytes 1000-2047/9223372036854775808",
                      "bytes 1000-x/2048", "items 1000-2047/2048", "bytes 1000-2047", "",
                      "bytes 1000-2046/2048"):
            with self.subTest(where):
                self.write(self.whole[:1000])
                self.resume(saying(http(self.whole[1000:], "206 Partial Content",
                                        "Content-Range: " + where)), PROTOCOL, "bad response")
                self.assertEqual(self.content(), self.whole[:1000])

    def test_no_content_range(self):
        self.write(self.whole[:1000])
        self.resume(saying(http(b"x", "206 Partial Content")), PROTOCOL, "Content-Range")
        self.assertEqual(self.content(), self.whole[:1000])

    def test_less_than_the_rest_is_partial(self):
        self.write(self.whole[:1000])
        self.resume(saying(http(self.whole[1000:1500], "206 Partial Content",
                                "Content-Range: bytes 1000-1499/2048")), PROTOCOL,
                    "partial body: 1500 of 2048 bytes")
        self.assertEqual(self.content(), self.whole[:1500])

    def test_more_than_the_rest_is_no_success(self):
        self.write(self.whole[:1000])
        head = (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1000-2047/2048\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")
        body = chunked(self.whole[1000:] + b"!").split(b"\r\n\r\n", 1)[1]
        self.resume(saying(head + body), PROTOCOL, "longer than its range")

    def test_connection_lost_twice_then_whole(self):
        def answer(conn, head):
            start = int((field(head, "Range") or "bytes=0-")[6:-1])
            where = "Content-Range: bytes %d-2047/2048" % start
            status = "206 Partial Content" if start else "200 OK"
            data = http(self.whole[start:], status, *[where][:bool(start)])
            conn.sendall(data[:data.index(b"\r\n\r\n") + 4 + 800])
        with Server(answer) as server:
            args = ("-c", "-o", self.file, server.url())
            self.check(self.get(*args), PROTOCOL, "partial body: 800 of 2048 bytes")
            self.check(self.get(*args), PROTOCOL, "partial body: 1600 of 2048 bytes")
            self.check(self.get(*args), OK)
        self.assertEqual(self.content(), self.whole)

    def test_partial_content_nobody_asked_for(self):
        self.fetch(saying(http(b"abc", "206 Partial Content", "Content-Range: bytes 0-2/9")),
                   PROTOCOL, "no range was asked for")

    def test_range_of_the_users_own(self):
        got = self.fetch(saying(http(b"abc", "206 Partial Content", "Content-Range: bytes 0-2/9")),
                         OK, "", "-H", "Range: bytes=0-2")
        self.assertEqual(got, b"abc")

    def test_error_status_leaves_the_file(self):
        self.write(b"abc")
        self.resume(saying(http(b"no", "503 Busy")), STATUS, "503 Busy")
        self.assertEqual(self.content(), b"abc")

    def test_needs_a_regular_file(self):
        for args in (("-c",), ("-c", "-o", "-"), ("-c", "-I", "-o", self.file)):
            self.check(self.get(*args, "http://127.0.0.1:1/"), USAGE, "-c")
        self.check(self.get("-c", "-o", self.folder, "http://127.0.0.1:1/"), LOCAL, "regular file")


if __name__ == "__main__":
    unittest.main()
