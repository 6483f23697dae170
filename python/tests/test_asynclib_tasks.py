"""asynclib: tasks, when they run and in which order."""

import time
import unittest

import asynclib

from asynclib_case import Case


class Tasks(Case):
    def later(self, seconds, *said):
        return asynclib.call_later(seconds, self.said.extend, said, _tasks=self.tasks)

    def setUp(self):
        Case.setUp(self)
        self.said = []

    def run_out(self):
        asynclib.loop(30, self.map, self.tasks)

    def test_nothing_to_do(self):
        self.run_out()
        self.passes(0)

    def test_idle_channel_does_not_keep_a_task_waiting(self):
        self.chat()
        begun = time.monotonic()
        self.later(0.05, 1)
        asynclib.loop(30, self.map, self.tasks, 1)
        self.assertEqual(self.said, [1])
        self.assertTrue(0.05 <= time.monotonic() - begun < 10)

    def test_empty_map_waits_for_the_task(self):
        begun = time.monotonic()
        self.later(0.05, 1)
        self.run_out()
        self.assertEqual(self.said, [1])
        self.assertGreaterEqual(time.monotonic() - begun, 0.05)

    def test_timeout_none(self):
        self.chat()
        self.later(0.01, 1)
        asynclib.loop(None, self.map, self.tasks, 1)
        self.assertEqual(self.said, [1])

    def test_order(self):
        for n in range(50):
            self.later(0, n)
        self.later(0.02, 'b')
        self.later(0.01, 'a')
        self.run_out()
        self.assertEqual(self.said, list(range(50)) + ['a', 'b'])

    def test_equal_deadlines_in_the_order_they_were_set(self):
        tasks = [self.later(0.01, n) for n in range(20)]
        when = time.monotonic() + 0.02
        for n in (7, 3, 11):
            tasks[n].reset()
        for task in tasks:
            task.timeout = when
            if not task._order == task._wanted_order:
                continue
            task._due = when
        asynclib._tasks.heapq.heapify(self.tasks)
        self.run_out()
        self.assertEqual(self.said[-3:], [7, 3, 11])
        self.assertEqual(self.said[:-3], [n for n in range(20) if n not in (7, 3, 11)])

    def test_reset_of_the_earliest_does_not_delay_the_next(self):
        first = self.later(0.03, 'first')
        self.later(0.04, 'next')
        time.sleep(0.02)
        first.reset()
        self.run_out()
        self.assertEqual(self.said, ['next', 'first'])

    def test_delay_earlier_and_later(self):
        a, b = self.later(0.02, 'a'), self.later(30, 'b')
        b.delay(0.001)
        a.delay(0.03)
        self.later(0.01, 'c')
        self.run_out()
        self.assertEqual(self.said, ['b', 'c', 'a'])

    def test_reset_in_its_own_call(self):
        def again():
            self.said.append(task.cancelled)
            if len(self.said) < 3:
                task.reset()
        task = asynclib.call_later(0, again, _tasks=self.tasks)
        asynclib.scheduler(self.tasks)
        self.assertEqual(self.said, [False])
        self.run_out()
        self.assertEqual(self.said, [False] * 3)
        self.assertTrue(task.cancelled)

    def test_cancel_in_its_own_call(self):
        task = asynclib.call_later(0, lambda: (task.reset(), task.cancel()), _tasks=self.tasks)
        self.run_out()
        self.assertEqual(self.tasks, [])

    def test_cancel_of_another(self):
        other = self.later(0.01, 'other')
        asynclib.call_later(0, other.cancel, _tasks=self.tasks)
        self.later(0.02, 'last')
        self.run_out()
        self.assertEqual(self.said, ['last'])
        other.cancel()
        self.assertRaises(AssertionError, other.reset)
        self.assertRaises(AssertionError, other.delay, 1)
        self.assertRaises(AssertionError, other.call)

    def test_cancelled_ones_do_not_keep_the_loop(self):
        for n in range(10):
            self.later(30 + n, n).cancel()
        begun = time.monotonic()
        self.run_out()
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(self.tasks, [])

    def test_call_runs_it_and_it_stays(self):
        task = self.later(0.01, 1)
        task.call()
        self.assertEqual((self.said, task.cancelled), ([1], False))
        self.run_out()
        self.assertEqual((self.said, task.cancelled), ([1, 1], True))

    def test_error_leaves_the_loop_and_the_others_stay(self):
        asynclib.call_later(0, lambda: 1 / 0, _tasks=self.tasks)
        self.later(0, 'next')
        self.assertRaises(ZeroDivisionError, self.run_out)
        self.run_out()
        self.assertEqual(self.said, ['next'])

    def test_what_makes_no_task(self):
        self.assertRaises(AssertionError, asynclib.call_later, -1, print)
        self.assertRaises(AssertionError, asynclib.call_later, float('nan'), print)
        self.assertRaises(AssertionError, asynclib.call_later, 1, None)
        self.assertEqual(asynclib._SCHEDULED_TASKS, [])

    def test_keywords_and_the_tasks_of_all(self):
        asynclib.call_later(0, self.said.append, 1)
        asynclib.call_later(0, lambda **kw: self.said.append(kw), a=2)
        asynclib.loop()
        self.assertEqual(self.said, [1, {'a': 2}])

    def test_a_hundred_thousand_resets(self):
        task = self.later(30, 1)
        for n in range(1000):
            self.later(20, n)
        for n in range(100000):
            task.reset()
        self.assertEqual(len(self.tasks), 1001)

    def test_cancelled_ones_are_swept_out(self):
        kept = [self.later(1000 + n, n) for n in range(10)]
        most = 0
        for n in range(10000):
            self.later(30 + n, n).cancel()
            most = max(most, len(self.tasks))
        self.assertLess(most, 200)
        self.assertTrue(set(kept) <= set(self.tasks))
        self.later(0, 'now')
        asynclib.scheduler(self.tasks)
        self.assertEqual(self.said, ['now'])

    def test_how_many_are_cancelled_is_known(self):
        last = self.later(1000, 'last')
        for n in range(60):
            self.later(0, n).cancel()
        self.assertEqual(last._garbage.count, 60)
        asynclib.scheduler(self.tasks)
        self.assertEqual((last._garbage.count, self.tasks), (0, [last]))
        for n in range(65):
            self.later(30, n).cancel()
        self.assertEqual((last._garbage.count, self.tasks), (0, [last]))

    def test_swept_out_in_a_call(self):
        others = [self.later(20 + n, n) for n in range(200)]

        def sweep():
            for other in others:
                other.cancel()
            task.reset()
        task = asynclib.call_later(0, sweep, _tasks=self.tasks)
        asynclib.scheduler(self.tasks)
        self.assertFalse(task.cancelled)
        self.assertIn(task, self.tasks)

    def test_farther_away_than_a_wait_can_last(self):
        for far in (1e12, float('inf')):
            self.later(far, 1)
        self.chat()[1].sendall(b'1')
        asynclib.loop(None, self.map, self.tasks, 1)
        self.assertEqual(self.said, [])


if __name__ == '__main__':
    unittest.main()
