"""Builds wheels and the sdist: PEP 517 and PEP 660, with nothing but the interpreter and a C compiler.

The library's C files that are needed are compiled into the extension module. They stand one folder further up
in the repository, and in `core` in an sdist. The same sources make the same wheel, to the byte, wherever they
stand. Without C (ASYNCORE_PURE=1 in the environment, not CPython, not Linux) a wheel has no extension module
and goes everywhere. An editable wheel has the extension module and the path of this folder.
"""

import base64
import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = ('asyncore', 'asynchat', 'smtpd', 'asynclib', 'fastasyncore')
CORE = ('src/base/mem.c', 'src/base/clock.c', 'src/base/find.c', 'src/base/buf.c', 'src/base/fork.c',
        'src/base/sys.c', 'src/poller/pick.c', 'src/poller/epoll.c', 'src/poller/poll.c',
        'src/poller/select.c', 'src/poller/level.c')
CORE_HEADERS = ('src/base/base.h', 'src/poller/poller.h', 'src/poller/linux.h', 'include/asyncore.h',
                'include/asynchat.h')
# What the README links to.
PAGES = ('doc/python-differences.md', 'doc/migration.md', 'doc/python.md', 'doc/performance.md')
FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-g', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra',
         '-Wshadow', '-Wconversion', '-Wwrite-strings', '-Wvla', '-Wno-missing-field-initializers',
         '-Werror=implicit-function-declaration']


# ---- What there is -------------------------------------------------------------------------------

def project():
    """What is plain in pyproject.toml: texts, lists with a text on each line, and whose it is."""
    with open(os.path.join(HERE, 'pyproject.toml'), encoding='utf-8') as f:
        text = f.read()
    found = dict(re.findall(r'^([\w-]+) = "(.*)"$', text, re.M))
    for name, items in re.findall(r'^([\w-]+) = \[\n(.*?)^\]$', text, re.M | re.S):
        found[name] = re.findall(r'"(.*)"', items)
    found['author'] = re.search(r'^authors = .*name = "(.*?)"', text, re.M)[1]
    return found


def core():
    inside, above = os.path.join(HERE, 'core'), os.path.dirname(HERE)
    for folder in (inside, above):
        if os.path.exists(os.path.join(folder, CORE[0])):
            return folder
    raise SystemExit('the C library is neither in %s nor in %s: this wants the whole repository, or an sdist'
                     % (inside, above))


def read(*path):
    with open(os.path.join(*path), 'rb') as f:
        return f.read()


def tree(folder):
    """The files below a folder of ours, by their paths from here."""
    for where, folders, files in os.walk(os.path.join(HERE, folder)):
        folders[:] = sorted(f for f in folders if f != '__pycache__')
        for name in sorted(files):
            if not name.endswith(('.pyc', '.so')):
                yield os.path.relpath(os.path.join(where, name), HERE)


# ---- The extension module ------------------------------------------------------------------------

def is_pure():
    return (bool(os.environ.get('ASYNCORE_PURE')) or sys.implementation.name != 'cpython'
            or not sys.platform.startswith('linux'))


def compile_extension(into):
    """The path of the extension module for this interpreter. No path of this machine's stays in it."""
    target = os.path.join(into, '_asyncore' + sysconfig.get_config_var('EXT_SUFFIX'))
    ours = [os.path.join(HERE, path) for path in tree('src') if path.endswith('.c')]
    theirs = [os.path.join(core(), path) for path in CORE]
    compiler = os.environ.get('CC') or sysconfig.get_config_var('CC') or 'cc'
    command = shlex.split(compiler) + FLAGS + shlex.split(os.environ.get('CFLAGS', ''))
    for folder, name in sorted([(HERE, 'python'), (core(), 'core')]):  # the inner one last: it wins
        command.append('-ffile-prefix-map=%s=%s' % (folder, name))
    command += ['-I' + os.path.join(core(), 'include'), '-I' + os.path.join(core(), 'src'),
                '-I' + sysconfig.get_paths()['include'], '-shared', '-o', target]
    # Not -isystem: gcc would follow the links of Debian's debug headers to those of the other build.
    command += ours + theirs + ['-lm', '-lpthread'] + shlex.split(os.environ.get('LDFLAGS', ''))
    try:
        subprocess.run(command, check=True, cwd=HERE)
    except (OSError, subprocess.CalledProcessError) as why:
        raise SystemExit('%s\nThis needs a C compiler and the headers of this Python (python3-dev). '
                         'With ASYNCORE_PURE=1 in the environment it is built without C.' % why)
    return target


def extension():
    """A pair of its name in the wheel and its bytes, if there is to be one."""
    if not is_pure():
        with tempfile.TemporaryDirectory() as folder:
            made = compile_extension(folder)
            yield os.path.basename(made), read(made)


def tag():
    if is_pure():
        return 'py3-none-any'
    version = 'cp%d%d' % sys.version_info[:2]
    abi = version + getattr(sys, 'abiflags', '')
    return '%s-%s-%s' % (version, abi, re.sub(r'[-.]', '_', sysconfig.get_platform()))


# ---- What is said of it --------------------------------------------------------------------------

def described(p):
    """The README where there is nothing beside it: links into the repository are names of files."""
    return re.sub(r'\[([^]]+)\]\((?:\.\./|core/)?([^):#]+)(?:#[^)]*)?\)',
                  lambda link: link[2] if link[1] == link[2] else '%s (%s)' % (link[1], link[2]),
                  read(HERE, p['readme']).decode())


def metadata(p):
    fields = [('Metadata-Version', '2.1'), ('Name', p['name']), ('Version', p['version']),
              ('Summary', p['description']), ('Author', p['author']), ('License', p['license']),
              ('License-File', 'LICENSE'), ('Keywords', ','.join(p['keywords']))]
    fields += [('Classifier', each) for each in p['classifiers']]
    fields += [('Requires-Python', p['requires-python']), ('Description-Content-Type', 'text/markdown')]
    return (''.join('%s: %s\n' % field for field in fields) + '\n' + described(p)).encode()


def wheel_file(p):
    return ('Wheel-Version: 1.0\nGenerator: fastasyncore %s\nRoot-Is-Purelib: %s\nTag: %s\n'
            % (p['version'], 'true' if is_pure() else 'false', tag())).encode()


def dist_info(p):
    return '%(name)s-%(version)s.dist-info' % p


def about(p):
    """Pairs of a name in the wheel and bytes: all of dist-info but the list of all files."""
    info = dist_info(p)
    return [(info + '/METADATA', metadata(p)), (info + '/WHEEL', wheel_file(p)),
            (info + '/LICENSE', read(core(), 'LICENSE'))]


# ---- Archives ------------------------------------------------------------------------------------

def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
    return '%s,sha256=%s,%d\n' % (name, digest, len(data))


def write_wheel(folder, contents):
    """A wheel of pairs of a name and bytes; its name. The same pairs make the same bytes."""
    p = project()
    name = '%s-%s-%s.whl' % (p['name'], p['version'], tag())
    files = list(contents) + about(p)
    record = dist_info(p) + '/RECORD'
    files.append((record, (''.join(record_line(*each) for each in files) + record + ',,\n').encode()))
    with zipfile.ZipFile(os.path.join(folder, name), 'w', zipfile.ZIP_DEFLATED) as archive:
        for path, data in files:
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if path.endswith('.so') else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    texts = [(path.replace(os.sep, '/'), read(HERE, path)) for package in PACKAGES for path in tree(package)]
    return write_wheel(wheel_directory, texts + list(extension()))


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    path = ('__editable__.fastasyncore.pth', (HERE + '\n').encode())
    return write_wheel(wheel_directory, [path, *extension()])


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    p = project()
    os.makedirs(os.path.join(metadata_directory, dist_info(p)))
    for name, data in about(p):
        with open(os.path.join(metadata_directory, name), 'wb') as f:
            f.write(data)
    return dist_info(p)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory, config_settings=None):
    """What a wheel is made of: the repository's part of it in `core`, and the README's links into that."""
    p = project()
    base = '%(name)s-%(version)s' % p
    files = [(path, read(HERE, path)) for folder in PACKAGES + ('src', 'build_backend', 'examples')
             for path in tree(folder)]
    files += [('core/' + path, read(core(), path)) for path in CORE + CORE_HEADERS + PAGES + ('LICENSE',)]
    files += [('pyproject.toml', read(HERE, 'pyproject.toml')), ('PKG-INFO', metadata(p)),
              (p['readme'], read(HERE, p['readme']).replace(b'](../', b'](core/'))]
    with tarfile.open(os.path.join(sdist_directory, base + '.tar.gz'), 'w:gz') as archive:
        for path, data in files:
            entry = tarfile.TarInfo(base + '/' + path.replace(os.sep, '/'))
            entry.size, entry.mtime = len(data), 315532800  # 1980, as in the wheel
            archive.addfile(entry, io.BytesIO(data))
    return base + '.tar.gz'


# ---- In place, without pip -----------------------------------------------------------------------

def main():
    """backend.py WHEEL-FOLDER TREE: builds a wheel, and unpacks it into TREE."""
    wheels, into = sys.argv[1:3]
    os.makedirs(wheels, exist_ok=True)
    name = build_wheel(wheels)
    with zipfile.ZipFile(os.path.join(wheels, name)) as archive:
        archive.extractall(into)
    print(name)


if __name__ == '__main__':
    main()
