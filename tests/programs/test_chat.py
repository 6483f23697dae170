"""test_chat.py: `asyncore chat`: rooms, names, private words, and guests who misbehave."""
import socket
import time
import unittest

from helper import POLLERS, Case, read_all


class Guest:
    """A socket and what it has heard beyond what was asked for."""

    def __init__(self, s):
        self.s = s
        self.rest = b""

    def sendall(self, data):
        self.s.sendall(data)

    def until(self, end):
        """What is heard up to and with `end`, or to the end of all."""
        while end not in self.rest:
            piece = self.s.recv(65536)
            if not piece:
                break
            self.rest += piece
        at = self.rest.find(end)
        at = len(self.rest) if at < 0 else at + len(end)
        heard, self.rest = self.rest[:at], self.rest[at:]
        return heard

    def all(self):
        return self.rest + read_all(self.s)


def unsent(port, peer):
    """Bytes that the kernel holds for `peer` on the server's side."""
    ends = [":%04X" % port, ":%04X" % peer.getsockname()[1]]
    with open("/proc/net/tcp") as f:
        for line in f:
            words = line.split()
            if words[1].endswith(ends[0]) and words[2].endswith(ends[1]):
                return int(words[4].split(":")[0], 16)
    return 0


class Chat(Case):
    def enter(self, server, nick=None):
        s = server.connect()
        self.addCleanup(s.close)
        guest = Guest(s)
        guest.until(b"\r\n")
        if nick:
            guest.sendall(b"/nick %s\r\n" % nick)
            guest.until(b"known as %s\r\n" % nick)
        return guest

    def expect(self, guest, words):
        self.assertIn(words, guest.until(words + b"\r\n"))

    def test_what_is_said_is_heard_in_the_room_only(self):
        for poller in POLLERS:
            server = self.start("chat", "127.0.0.1:0", "--poller", poller)
            ann, bob, eve = (self.enter(server, n) for n in (b"ann", b"bob", b"eve"))
            eve.sendall(b"/join cellar\n")
            self.expect(eve, b"* You are in cellar.")
            self.expect(ann, b"* eve has left for cellar")
            ann.sendall(b"hello\n")
            self.expect(bob, b"<ann> hello")
            eve.sendall(b"/who\n")
            seen = eve.until(b"* End of cellar.\r\n")
            self.assertNotIn(b"hello", seen)
            self.assertIn(b"* eve\r\n", seen)
            self.assertNotIn(b"ann", seen)

    def test_private_words(self):
        server = self.start("chat", "127.0.0.1:0")
        ann, bob, eve = (self.enter(server, n) for n in (b"ann", b"bob", b"eve"))
        ann.sendall(b"/msg bob psst you\n")
        self.expect(bob, b"[ann] psst you")
        self.expect(ann, b"[to bob] psst you")
        ann.sendall(b"/msg nobody x\n/msg bob\n")
        self.expect(ann, b"* There is no nobody.")
        self.expect(ann, b"* /msg NICK TEXT")
        ann.sendall(b"end\n")
        self.assertNotIn(b"psst", eve.until(b"<ann> end\r\n"))

    def test_names_are_one_to_a_guest_and_plain(self):
        server = self.start("chat", "127.0.0.1:0")
        self.enter(server, b"ann")
        bob = self.enter(server)
        for nick, answer in ((b"ANN", b"* ANN is taken."), (b"a b", b"letters"),
                             (b"x" * 33, b"letters"), (b"", b"letters")):
            bob.sendall(b"/nick " + nick + b"\n")
            self.assertIn(answer, bob.until(b"\r\n"))
        bob.sendall(b"/nick " + b"x" * 32 + b"\n")
        self.expect(bob, b"is now known as " + b"x" * 32)

    def test_control_bytes_and_telnet_commands_are_dropped(self):
        server = self.start("chat", "127.0.0.1:0")
        ann, bob = self.enter(server, b"ann"), self.enter(server, b"bob")
        ann.sendall(b"\xff\xfb\x1fhi\x1b[2J\x07 there\xff\xf1\r\n")
        self.expect(bob, b"<ann> hi[2J there")

    def test_text_is_utf8_without_its_control_characters(self):
        server = self.start("chat", "127.0.0.1:0")
        ann, bob = self.enter(server, b"ann"), self.enter(server, b"bob")
        ann.sendall("gr\u00fc\u00dfe \u20ac \U0001f600 a\u009b2Jb\n".encode())
        self.expect(bob, "<ann> gr\u00fc\u00dfe \u20ac \U0001f600 a2Jb".encode())
        ann.sendall(b"cut \xe2\x82 \xc3 over\xe0\x82\x9blong \x9b \xf0\x9f\x98\n")
        self.expect(bob, b"<ann> cut   overlong  ")

    def test_telnet_subnegotiation_is_dropped_whole(self):
        server = self.start("chat", "127.0.0.1:0")
        ann, bob = self.enter(server, b"ann"), self.enter(server, b"bob")
        ann.sendall(b"\xff\xfa\x18\x00XTERM\xff\xf0hello\n\xff\xfaopen to the end\n\xff\nend\n")
        self.expect(bob, b"<ann> hello")
        self.expect(bob, b"<ann> end")

    def test_rooms_help_and_unknown_commands(self):
        ann = self.enter(self.start("chat", "127.0.0.1:0"), b"ann")
        ann.sendall(b"/rooms\n/help\n/dance\n/join ../etc\n")
        self.expect(ann, b"* lobby")
        self.expect(ann, b"* /quit : leave")
        self.expect(ann, b"* There is no /dance; /help lists what there is.")
        self.assertIn(b"room's name", ann.until(b"\r\n"))

    def test_who_leaves_is_announced_once(self):
        server = self.start("chat", "127.0.0.1:0")
        ann, bob = self.enter(server, b"ann"), self.enter(server, b"bob")
        bob.sendall(b"/quit\nunheard\n")
        self.assertIn(b"* Goodbye.\r\n", bob.all())
        self.expect(ann, b"* bob has left")
        ann.sendall(b"alone\n")
        seen = ann.until(b"<ann> alone\r\n")
        self.assertNotIn(b"bob", seen)
        self.assertNotIn(b"unheard", seen)

    def test_long_line_sends_its_guest_away(self):
        server = self.start("chat", "127.0.0.1:0")
        ann, bob = self.enter(server, b"ann"), self.enter(server, b"bob")
        bob.sendall(b"z" * 1024 + b"\n")
        self.expect(ann, b"<bob> " + b"z" * 1024)
        bob.sendall(b"z" * 1025)
        self.assertIn(b"at most 1024 bytes", bob.all())
        self.expect(ann, b"* bob has left")

    def test_slow_reader_is_dropped_and_the_others_go_on(self):
        server = self.start("chat", "127.0.0.1:0")
        ann = self.enter(server, b"ann")
        slow = self.enter(server, b"slow")
        line = b"w" * 1000 + b"\n"
        heard = b""
        for _ in range(12000):
            ann.sendall(line)
            heard = (heard + ann.s.recv(65536))[-4000:]
            if b"slow has left" in heard:
                break
        self.assertIn(b"* slow has left", heard)
        slow.s.close()
        self.assertIn("slow reads too slowly", server.stop()[2])

    def test_silence_ends_a_visit(self):
        server = self.start("chat", "--timeout", "0.2", "127.0.0.1:0")
        self.assertIn(b"silent", self.enter(server).all())

    def test_silent_guest_who_does_not_read_is_closed_all_the_same(self):
        server = self.start("chat", "--timeout", "1", "127.0.0.1:0")
        deaf = socket.socket()
        self.addCleanup(deaf.close)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", server.port))
        ann = self.enter(server, b"ann")
        before = -1
        while unsent(server.port, deaf) > before:   # until more waits in the server itself
            before = unsent(server.port, deaf)
            for _ in range(50):
                ann.sendall(b"/msg guest1 " + b"w" * 1000 + b"\n")
                ann.until(b"[to guest1] " + b"w" * 1000)
        end = time.monotonic() + 5
        heard = b""
        while b"has left" not in heard and time.monotonic() < end:
            ann.sendall(b"/rooms\n")
            heard += ann.until(b"End of rooms")
            time.sleep(0.05)
        self.assertIn(b"* guest1 has left", heard)
        self.assertIn("does not read", server.stop()[2])

    def test_a_stop_says_goodbye(self):
        server = self.start("chat", "127.0.0.1:0")
        ann = self.enter(server, b"ann")
        self.assertEqual(server.stop()[0], 0)
        self.assertIn(b"The server stops", ann.all())


if __name__ == "__main__":
    unittest.main()
