"""The same scenarios on the standard modules of 3.11 and on ours: the transcripts have to be equal.

What differs on purpose is not in them; it stands with its reason in doc/python-differences.md.
"""

import os
import unittest

from beside import Beside


class Differential(Beside):
    command = (os.path.join(os.path.dirname(os.path.abspath(__file__)), 'transcript.py'),)

    def compare(self, **environment):
        ours = self.ours(**environment)
        for name, lines in sorted(self.standard.items()):
            with self.subTest(name):
                self.assertEqual(ours[name], lines)

    def test_ours(self):
        self.compare()

    def test_ours_with_epoll_for_small_maps(self):
        self.compare(FEW='0')

    def test_ours_without_c(self):
        self.compare(ASYNCORE_PURE='1')

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(self.standard), 25 + 44)


if __name__ == '__main__':
    unittest.main()
