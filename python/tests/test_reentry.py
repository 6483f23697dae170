"""What Python code may do to the C part while that is at work: the collector, patches, sockets.

Cases that could end the interpreter run in one of their own; what they print last is looked at.
"""

import subprocess
import sys
import textwrap
import unittest

from reentry import FAST, Case


class Collector(Case):
    """Up to 3.11 whatever makes a tuple, a list or a dict may collect garbage, and that may run anything."""

    @unittest.skipUnless(FAST, 'Python copies the map, and says so when that is disturbed')
    def test_map_emptied_while_the_lists_for_python_are_made(self):
        for poll in 'poll', 'poll2':
            self.assertEqual(self.answer("""
                gc.disable()
                channels = {}
                there = pairs(300)
                for here, _ in there:
                    Quiet(here, channels)
                odd = there[0][0].fileno()
                closed = socket.socket()
                bad = closed.fileno()
                channels[bad] = channels[odd]
                closed.close()
                class Patient:
                    readable = writable = lambda self: True
                    accepting = False
                    handle_read_event = handle_write_event = handle_close = lambda self: None
                channels[bad] = Patient()
                poll = getattr(asyncore, %r)
                passes = 0
                for count in range(2, 40):
                    kept = dict(channels)
                    Bomb(channels.clear)
                    gc.set_threshold(count * 7)
                    gc.enable()
                    try:
                        poll(0, channels)
                    except OSError:
                        pass
                    gc.disable()
                    gc.collect()
                    channels.update(kept)
                    passes += 1
                print(passes)
                """ % poll), '38')

    def test_channel_freed_while_it_is_looked_at(self):
        self.assertEqual(self.answer("""
            gc.disable()
            class Bare(asyncore.dispatcher):
                '''Without a __dict__ until somebody asks for it.'''
                def __init__(self):
                    pass
            passes = 0
            for count in range(1, 60):
                channels = {}
                there = pairs(8)
                for here, _ in there:
                    channels[here.fileno()] = Bare()
                Bomb(channels.clear)
                gc.set_threshold(count)
                gc.enable()
                asyncore.poll(0, channels)
                gc.disable()
                gc.collect()
                passes += 1
            print(passes)
            """), '59')


class Dicts(Case):
    def test_keys_that_run_python_when_they_are_compared(self):
        """An instance's __dict__ may have any keys: to look for one may do anything to the others."""
        self.assertEqual(self.answer("""
            class Evil:
                def __init__(self, name, work):
                    self.hash, self.work = hash(name), work
                def __hash__(self):
                    return self.hash
                def __eq__(self, other):
                    work, self.work = self.work, None
                    if work:
                        work()
                    return False
            names = ('connected', 'producer_fifo', 'accepting', 'readable', 'socket', 'incoming', 'recv',
                     'terminator', 'collect_incoming_data', 'ac_in_buffer', 'ac_in_buffer_size', 'send',
                     'initiate_send')
            gone = ('producer_fifo', 'incoming', 'terminator', 'ac_in_buffer', 'socket')
            count = 0
            for name in names:
                for victim in gone:
                    for keep in ('map', 'nothing'):
                        channels = {}
                        (here, there), = pairs(1)
                        chat = Chat(here, channels)
                        values = chat.__dict__
                        state = dict(values)
                        values.clear()
                        values[Evil(name, lambda: values.pop(victim, None))] = 1
                        values.update(state)
                        if victim != 'socket':
                            del here, state
                        there.send(b'abc;def')
                        try:
                            asyncore.poll(0, channels)
                            chat.push(b'x')
                        except (AttributeError, OSError):
                            pass
                        count += 1
            print(count)
            """), '130')

    def test_interrupt_in_a_comparison_is_not_lost(self):
        self.assertEqual(self.answer("""
            class Evil:
                def __hash__(self):
                    return hash('readable')
                def __eq__(self, other):
                    if armed:
                        armed.clear()
                        raise KeyboardInterrupt
                    return False
            armed = []
            channels = {}
            chat = Chat(pairs(1)[0][0], channels)
            chat.__dict__[Evil()] = 1
            try:
                armed.append(1)
                asyncore.poll(0, channels)
                for _ in range(1000):
                    pass
                print('lost')
            except KeyboardInterrupt:
                print('interrupted')
            """), 'interrupted')

    def test_descriptors_of_numbers_out_of_reach(self):
        for key in '1 << 20', '(1 << 24) - 1', '1 << 30', '1 << 70', '-1', 'True', '"x"':
            self.assertEqual(self.answer("""
                class Nobody:
                    readable = writable = lambda self: False
                channels = {%s: Nobody()}
                asyncore.poll(0, channels)
                print('passed')
                """ % key), 'passed')


class Classes(Case):
    def test_class_changed_in_its_own_callback(self):
        self.assertEqual(self.answer("""
            channels = {}
            (here, there), = pairs(1)
            class Later(Chat):
                def writable(self):
                    asked.append(1)
                    return False
                def handle_read(self):
                    read.append(self.recv(10))
            class First(Chat):
                def found_terminator(self):
                    self.__class__ = Later
            asked, read = [], []
            chat = First(here, channels)
            there.send(b'x;')
            asyncore.poll(0.1, channels)
            asyncore.poll(0, channels)
            there.send(b'y')
            asyncore.poll(0.1, channels)
            print(len(asked), read)
            """), "2 [b'y']")

    def test_class_changed_by_handle_connect(self):
        self.assertEqual(self.answer("""
            channels = {}
            class Later(Chat):
                def handle_read(self):
                    print(self.recv(10))
            class First(Chat):
                def handle_connect(self):
                    self.__class__ = Later
            server = socket.create_server(('127.0.0.1', 0)) if hasattr(socket, 'create_server') else None
            chat = First(None, channels)
            chat.create_socket()
            chat.connect(server.getsockname())
            far = server.accept()[0]
            chat.connected, chat.connecting = False, True
            far.send(b'hello;')
            time.sleep(0.05)
            asyncore.read(chat) if False else asyncore.poll(1, channels)
            """), "b'hello;'")

    def test_versions_given_anew(self):
        """sys._clear_type_cache() lets classes have versions again that others, or they themselves, had."""
        self.assertEqual(self.answer("""
            channels = {}
            (here, there), = pairs(1)
            chat = Chat(here, channels)
            wrong = 0
            for turn in range(40):
                sys._clear_type_cache()
                answer = bool(turn % 2)
                if answer:
                    Chat.readable = lambda self: False
                elif turn:
                    del Chat.readable
                asyncore.poll(0, channels)
                there.send(b'x;')
                before = len(chat.got)
                asyncore.poll(0, channels)
                wrong += (len(chat.got) > before) == answer
                if answer:
                    chat.recv(10)
            print(wrong)
            """), '0')

    def test_classes_are_freed_with_their_maps(self):
        self.assertEqual(self.answer("""
            import weakref
            def make():
                class Own(Chat):
                    channels = {}
                chat = Own(pairs(1)[0][0], Own.channels)
                asyncore.poll(0, Own.channels)
                asyncore.poll(0, Own.channels)
                return weakref.ref(Own)
            alive = [make() for _ in range(20)]
            gc.collect()
            print(sum(1 for each in alive if each()))
            """), '0')

    def test_socket_as_a_property(self):
        self.assertEqual(self.answer("""
            class Wrapped:
                def __init__(self, sock):
                    self.sock = sock
                def __getattr__(self, name):
                    return getattr(self.sock, name)
                def recv(self, size):
                    return self.sock.recv(size).upper()
                def send(self, data):
                    return self.sock.send(data.upper())
            class Own(asyncore.dispatcher):
                @property
                def socket(self):
                    return Wrapped(self.__dict__['socket'])
                @socket.setter
                def socket(self, sock):
                    self.__dict__['socket'] = sock
            (here, there), = pairs(1)
            own = Own(here, {})
            there.send(b'abc')
            own.send(b'def')
            print(own.recv(10), there.recv(10))
            """), "b'ABC' b'DEF'")

    def test_attributes_of_a_class_are_refused(self):
        self.assertEqual(self.answer("""
            if not asyncore._fast:
                print('refused')
                sys.exit()
            try:
                asyncore.dispatcher.__dict__['connected'].__set__(int, True)
                print('taken')
            except TypeError:
                print('refused')
            """), 'refused')


class Sockets(Case):
    def test_class_of_sockets_that_is_a_function(self):
        self.assertEqual(self.answer("print('imported')", PYTHONSTARTUP=''), 'imported')
        done = subprocess.run([sys.executable, '-W', 'ignore', '-c', textwrap.dedent("""
            import socket
            make = socket.socket
            socket.socket = lambda *args, **more: make(*args, **more)
            import asyncore
            print('imported')
            """)], stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (0, b'imported\n'))

    def test_class_of_sockets_that_reads_otherwise(self):
        done = subprocess.run([sys.executable, '-W', 'ignore', '-c', textwrap.dedent("""
            import socket
            here, there = socket.socketpair()
            class Louder(socket.socket):
                def recv(self, size):
                    return socket.SocketType.recv(self, size).upper()
            socket.socket = Louder
            import asyncore
            there.send(b'abc')
            print(asyncore.dispatcher(Louder(fileno=here.detach()), {}).recv(10))
            """)], stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (0, b"b'ABC'\n"))

    def test_a_socket_that_waits_sends_all(self):
        self.assertEqual(self.answer("""
            (here, there), = pairs(1)
            channel = Quiet(here, {})
            here.setblocking(True)
            got = []
            def drain():
                while sum(got) < 3000000:
                    got.append(len(there.recv(1 << 20)))
            thread = threading.Thread(target=drain)
            thread.start()
            print(channel.send(b'x' * 3000000))
            thread.join()
            """), '3000000')

    def test_a_closed_socket_is_not_looked_into(self):
        self.assertEqual(self.answer("""
            (here, there), = pairs(1)
            channel = Quiet(here, {})
            here.close()
            channel.handle_close = lambda: print('closed')
            channel.send(b'x')
            """), 'closed')


class Times(Case):
    def test_what_no_clock_can_hold_is_said_as_ever(self):
        for timeout in '10**400', '-10**400', '3e6', '2**63', '1e18', 'float("nan")', 'float("inf")':
            script = """
                channels = {}
                (here, there), = pairs(1)
                Quiet(here, channels)
                there.send(b'x')
                for poll in asyncore.poll, asyncore.poll2:
                    try:
                        poll(%s, channels)
                        print(end='passed ')
                    except (OverflowError, ValueError) as why:
                        print(end=type(why).__name__ + ' ')
                """ % timeout
            self.assertEqual(self.answer(script), self.answer(script, ASYNCORE_PURE='1'), timeout)


if __name__ == '__main__':
    unittest.main()
