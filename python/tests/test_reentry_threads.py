"""What threads, signals, forks and second imports may do to the C part while that is at work.

Cases that could end the interpreter run in one of their own; what they print last is looked at.
"""

import importlib.util
import subprocess
import sys
import textwrap
import unittest

from reentry import FAST, Case


class Threads(Case):
    def test_two_threads_that_are_asked_the_same_way(self):
        """Both are past the first look at who waits when the second is still asking: one of them waits."""
        self.assertEqual(self.answer("""
            channels = {}
            class Slow(Quiet):
                def readable(self):
                    time.sleep(0.002)
                    return True
            there = pairs(150)
            for here, _ in there[:3]:
                Slow(here, channels)
            for here, _ in there[3:63]:
                Quiet(here, channels)
            def work():
                for _ in range(60):
                    asyncore.poll(0.005, channels)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for here, _ in there[63:]:
                Quiet(here, channels)
                there[0][1].send(b'x')
                time.sleep(0.003)
            for thread in threads:
                thread.join()
            print(len(channels))
            """), '150')

    def test_waker_where_the_room_is_full(self):
        """The wait is ended by one more descriptor, and the kernel writes to where there is no more room."""
        self.assertEqual(self.answer("""
            for count in (62, 63, 64, 65, 127, 128, 129):
                channels = {}
                there = pairs(count)
                for here, _ in there:
                    Quiet(here, channels)
                class Deaf(Quiet):
                    def readable(self):
                        return False
                (here, extra), = pairs(1)
                deaf = Deaf(here, channels)
                asyncore.poll(0, channels)
                thread = threading.Timer(0.05, deaf.close)
                thread.start()
                asyncore.poll(0.5, channels)
                thread.join()
                for _, far in there:
                    far.send(b'x')
                asyncore.poll(0.5, channels)
                from select import select
                left = sum(1 for here, _ in there if here in select([here], [], [], 0)[0])
            print(left)
            """), '0')

    def test_fork_while_another_thread_waits(self):
        self.assertEqual(self.answer("""
            channels = {}
            there = pairs(20)
            chats = [Chat(here, channels) for here, _ in there]
            thread = threading.Thread(target=asyncore.loop, args=(1, False, channels, 1))
            thread.start()
            time.sleep(0.1)
            chats[0].close()
            child = os.fork()
            if not child:
                def close():
                    time.sleep(0.1)
                    for chat in chats:
                        chat.close()
                threading.Thread(target=close).start()
                began = time.monotonic()
                asyncore.loop(20, map=channels)
                os._exit(0 if time.monotonic() - began < 10 or not asyncore._fast else 3)
            if not asyncore._fast:
                os.kill(child, 9)
                os.waitpid(child, 0)
                print(0)
            else:
                print(os.waitpid(child, 0)[1])
            thread.join()
            """), '0')

    def test_end_of_the_interpreter_in_a_daemon_s_callback(self):
        self.assertEqual(self.answer("""
            begun = threading.Event()
            class Own(Chat):
                def found_terminator(self):
                    begun.set()
                    time.sleep(0.2)
                def __del__(self):
                    self.discard_buffers()
                    self.ac_in_buffer
            channels = {}
            (here, there), = pairs(1)
            own = Own(here, channels)
            asyncore.another = Own(pairs(1)[0][0], {})
            there.send(b'x;y;z')
            threading.Thread(target=asyncore.loop, args=(1, False, channels), daemon=True).start()
            begun.wait(10)
            print('over')
            """), 'over')

    def test_end_of_the_interpreter_while_a_daemon_waits(self):
        self.assertEqual(self.answer("""
            for _ in range(20):
                Chat(pairs(1)[0][0], asyncore.socket_map)
            threading.Thread(target=asyncore.loop, daemon=True).start()
            time.sleep(0.1)
            print('over')
            """), 'over')


class Signals(Case):
    @unittest.skipUnless(FAST, 'what was read in between is read again, closed ones are still waited for')
    def test_handler_that_calls_the_loop_again(self):
        self.assertEqual(self.answer("""
            channels = {}
            there = pairs(20)
            chats = [Chat(here, channels) for here, _ in there]
            def handler(*_):
                there[0][1].send(b'x;')
                asyncore.poll(1, channels)
                asyncore.poll2(0, channels)
                chats[1].close()
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            asyncore.loop(5, map=channels, count=1)
            print(chats[0].got, len(channels))
            """), "[b'x'] 19")

    def test_interrupt_leaves_the_loop(self):
        self.assertEqual(self.answer("""
            channels = {}
            (here, there), = pairs(1)
            Chat(here, channels)
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                asyncore.loop(10, map=channels)
            except KeyboardInterrupt:
                print('interrupted')
            """), 'interrupted')


class Modules(Case):
    def test_a_second_asyncore_leaves_the_first_its_map(self):
        self.assertEqual(self.answer("""
            first, chats = asyncore, []
            there = pairs(2)
            chats.append(Chat(there[0][0]))
            del sys.modules['asyncore'], sys.modules['asynchat']
            import asyncore as second
            second.dispatcher(there[1][0])
            there[0][1].send(b'x;')
            first.poll(0.1)
            first.poll(0.1)
            print(chats[0].got, len(first.socket_map), len(second.socket_map))
            """), "[b'x'] 1 1")

    def test_loaded_again_in_a_callback(self):
        self.assertEqual(self.answer("""
            import importlib
            class Own(Chat):
                def found_terminator(self):
                    importlib.reload(asyncore)
                    importlib.reload(asynchat)
                    self.push(b'still here')
                    raise ValueError
                def handle_error(self):
                    print(sys.exc_info()[0].__name__)
            channels = {}
            (here, there), = pairs(1)
            Own(here, channels)
            there.send(b'x;')
            asyncore.poll(1, channels)
            """), 'ValueError')

    def test_functions_are_pickled_by_name(self):
        self.assertEqual(self.answer("""
            import copy, pickle
            same = [asyncore.poll, asyncore.poll2, asynchat.async_chat.push, asyncore.dispatcher.recv]
            print([pickle.loads(pickle.dumps(f)) is f is copy.deepcopy(f) for f in same])
            """), '[True, True, True, True]')

    @unittest.skipUnless(FAST, 'of the C part')
    def test_attached_to_what_is_no_asyncore(self):
        self.assertEqual(self.answer("""
            import _asyncore
            for args in ((), ({}, int), ({}, Chat), ({'socket': 1}, Chat), (asyncore.__dict__, int),
                         (asyncore.__dict__, Quiet)):
                for attach in _asyncore.attach, _asyncore.attach_chat:
                    try:
                        attach(*args)
                    except (TypeError, AttributeError, RuntimeError, KeyError):
                        pass
            channels = {}
            (here, there), = pairs(1)
            chat = Chat(here, channels)
            there.send(b'x;')
            asyncore.poll(1, channels)
            print(chat.got)
            """), "[b'x']")

    @unittest.skipUnless(FAST and sys.version_info >= (3, 12), 'there are no dict watchers')
    def test_no_dict_watcher_left(self):
        done = subprocess.run([sys.executable, '-c', textwrap.dedent("""
            import ctypes
            kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, *[ctypes.py_object] * 3)
            nothing = kind(lambda *_: 0)
            try:
                while True:
                    ctypes.pythonapi.PyDict_AddWatcher(nothing)
            except RuntimeError:
                pass
            import asyncore
            print(asyncore._fast)
            """)], stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (0, b'None\n'))

    def test_in_an_interpreter_of_its_own(self):
        """One that shares the GIL."""
        if not importlib.util.find_spec('_testcapi'):
            self.skipTest('no _testcapi')
        script = """
            import _testcapi
            inner = '''
            import sys
            sys.path[:] = %r
            import asyncore, asynchat, socket
            channels = {}
            here, there = socket.socketpair()
            class Chat(asynchat.async_chat):
                got = []
                collect_incoming_data = asynchat.async_chat._collect_incoming_data
                def found_terminator(self):
                    self.got.append(self._get_data())
                def handle_error(self):
                    raise
            Chat(here, channels).set_terminator(b';')
            there.send(b'x;')
            asyncore.poll(1, channels)
            asyncore.poll(0, channels)
            assert Chat.got == [b'x'], Chat.got
            asyncore.close_all(channels)
            there.close()
            '''
            import textwrap
            inner = textwrap.dedent(inner) %% (sys.path,)
            mine = {}
            (here, there), = pairs(1)
            chat = Chat(here, mine)
            asyncore.poll(0, mine)
            failed = sum(_testcapi.run_in_subinterp(inner) for _ in range(3))
            there.send(b'y;')
            asyncore.poll(1, mine)
            print(failed, chat.got)
            """.replace('%%', '%')
        self.assertEqual(self.answer(script), "0 [b'y']")

    @unittest.skipUnless(FAST and sys.version_info >= (3, 13), 'made otherwise before')
    def test_in_an_interpreter_with_its_own_gil(self):
        """The C part says no, and Python's text does the work."""
        self.assertEqual(self.answer("""
            import _interpreters
            own = _interpreters.create('isolated')
            failed = _interpreters.exec(own, 'import sys; sys.path[:] = %r; import asyncore, asynchat; '
                                             'assert asyncore._fast is None' % (sys.path,))
            print(failed)
            """), 'None')


if __name__ == '__main__':
    unittest.main()
