"""The stubs say what the modules have: the same names, the same parameters, the other way round too."""

import ast
import importlib
import inspect
import os
import sys
import unittest

# Programs reach through the first three for what they import (asyncore.socket, asyncore.EBADF).
DROP_INS = ('asyncore', 'asynchat', 'smtpd')
MODULES = DROP_INS + ('asynclib', 'fastasyncore')
KINDS = {'_Map', '_Buffer', '_Terminator', '_Tasks', '_Text'}

# Attributes that others set than the class's own methods.
ELSEWHERE = {'smtpd.SMTPChannel': {'peer'},
             'smtpd.Options': {'localhost', 'localport', 'remotehost', 'remoteport'}}


def folder(name):
    return os.path.dirname(importlib.import_module(name).__file__)


def parse(path):
    with open(path, encoding='utf-8') as f:
        return ast.parse(f.read(), path)


def public(names):
    return {name for name in names if not name.startswith('_')}


class Stub:
    """The names at the top of a stub, or in a class of one: what defines each, and what is imported."""

    def __init__(self, body):
        self.names, self.imported = {}, {}
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self.names.setdefault(node.name, node)
            elif isinstance(node, ast.AnnAssign):
                self.names[node.target.id] = node
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self.names[target.id] = node
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self.take_import(node)

    def take_import(self, node):
        """Only `import x as x` hands a name on."""
        for alias in node.names:
            if alias.asname == alias.name:
                self.imported[alias.name] = getattr(node, 'module', None)


STUBS = {name: Stub(parse(os.path.join(folder(name), '__init__.pyi')).body) for name in MODULES}


def stubs_of(cls):
    """Those of a class and of its bases, next first."""
    for one in cls.__mro__:
        for name in MODULES:
            node = STUBS[name].names.get(one.__name__)
            if isinstance(node, ast.ClassDef) and getattr(sys.modules[name], one.__name__, None) is one:
                yield Stub(node.body)


def in_stub(node):
    """The parameters of a function in a stub: their names as they are to be written, with = for a default."""
    args = node.args
    plain = [arg.arg for arg in args.args]
    least = len(plain) - len(args.defaults)
    said = [name + ('=' if at >= least else '') for at, name in enumerate(plain)]
    if args.vararg:
        said.append('*' + args.vararg.arg)
    said += [arg.arg + ('=' if default else '') for arg, default in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg:
        said.append('**' + args.kwarg.arg)
    return said


def at_run_time(function):
    said = []
    for param in inspect.signature(function).parameters.values():
        stars = {param.VAR_POSITIONAL: '*', param.VAR_KEYWORD: '**'}.get(param.kind, '')
        said.append(stars + param.name + ('' if param.default is param.empty else '='))
    return said


def source_of(cls):
    """Where its methods are written: a class of a package's part says that it is the package's."""
    function = next((each for each in vars(cls).values() if inspect.isfunction(each)), None)
    return inspect.getsourcefile(function or cls)


def set_on_self(cls):
    """The attributes that the class's own methods set."""
    names = set()
    if cls.__module__ == 'builtins':
        return names
    for node in ast.walk(parse(source_of(cls))):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            for inner in ast.walk(node):
                if (isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
                        and isinstance(inner.value, ast.Name) and inner.value.id == 'self'):
                    names.add(inner.attr)
    return names


def classes():
    for name in MODULES:
        for word, node in STUBS[name].names.items():
            if isinstance(node, ast.ClassDef):
                yield name + '.' + word, getattr(importlib.import_module(name), word), Stub(node.body)


class Stubs(unittest.TestCase):
    def test_names_of_the_modules(self):
        for name in MODULES:
            module, stub = importlib.import_module(name), STUBS[name]
            with self.subTest(name):
                there = public(vars(module)) if name in DROP_INS else set(module.__all__)
                self.assertEqual(there, public(stub.names) | public(stub.imported))
                self.assertEqual({word for word in stub.names if not hasattr(module, word)} - KINDS, set())

    def test_names_in_all(self):
        for name in MODULES:
            module = importlib.import_module(name)
            for word in getattr(module, '__all__', ()):
                self.assertTrue(word in STUBS[name].names or word in STUBS[name].imported, (name, word))

    def test_what_is_handed_on(self):
        for name in MODULES:
            module = importlib.import_module(name)
            for word, source in STUBS[name].imported.items():
                there = importlib.import_module(source or word)
                with self.subTest(name, word=word):
                    self.assertIs(getattr(module, word), getattr(there, word) if source else there)

    def test_parameters_of_functions(self):
        for name in MODULES:
            for word, node in STUBS[name].names.items():
                if isinstance(node, ast.FunctionDef):
                    with self.subTest(name, word=word):
                        function = getattr(importlib.import_module(name), word)
                        self.assertEqual(in_stub(node), at_run_time(function))

    def test_every_member_is_in_the_stub(self):
        for name, cls, _ in classes():
            known = set()
            for stub in stubs_of(cls):
                known |= set(stub.names)
            with self.subTest(name):
                self.assertEqual(public(vars(cls)) - known, set())
                self.assertEqual(public(set_on_self(cls)) - known, set())

    def test_every_member_of_the_stub_is_there(self):
        for name, cls, stub in classes():
            there = set(dir(cls))
            for one in cls.__mro__[:-1]:
                there |= set_on_self(one)
            with self.subTest(name):
                self.assertEqual(set(stub.names) - there, ELSEWHERE.get(name, set()))

    def test_parameters_of_methods(self):
        """Also of those that a class overrides without saying so in its stub."""
        compared = 0
        for name, cls, _ in classes():
            for word in vars(cls):
                function = getattr(cls, word, None)
                hidden = word.startswith('_') and word != '__init__'
                if hidden or not callable(function) or inspect.isclass(function):
                    continue
                node = next((stub.names[word] for stub in stubs_of(cls) if word in stub.names), None)
                with self.subTest(name, word=word):
                    self.assertIsInstance(node, ast.FunctionDef)
                    self.assertEqual(in_stub(node), at_run_time(function))
                    compared += 1
        self.assertGreater(compared, 100)

    def test_the_marker_for_type_checkers(self):
        for name in MODULES:
            self.assertTrue(os.path.exists(os.path.join(folder(name), 'py.typed')), name)


if __name__ == '__main__':
    unittest.main()
