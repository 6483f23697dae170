"""Builds the wheel and the sdist: PEP 517, with nothing but the interpreter and a C compiler.

The library's C files that are needed are compiled into the extension module. They stand one folder further up in
the repository, and in `core` in an sdist. With ASYNCORE_PURE=1 the wheel has no extension module and goes
everywhere.
"""

import base64
import hashlib
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
FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-g', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra',
         '-Wno-missing-field-initializers', '-Wno-unused-parameter', '-Wno-cast-function-type']


# ---- What there is -------------------------------------------------------------------------------

def project():
    with open(os.path.join(HERE, 'pyproject.toml'), encoding='utf-8') as f:
        return dict(re.findall(r'^([\w-]+) = "(.*)"$', f.read(), re.M))


def core():
    inside = os.path.join(HERE, 'core')
    return inside if os.path.isdir(inside) else os.path.dirname(HERE)


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

def compile_extension(into):
    """The path of the extension module for this interpreter."""
    target = os.path.join(into, '_asyncore' + sysconfig.get_config_var('EXT_SUFFIX'))
    here = os.path.join(HERE, 'src')
    ours = [os.path.join(here, name) for name in sorted(os.listdir(here)) if name.endswith('.c')]
    theirs = [os.path.join(core(), path) for path in CORE]
    compiler = os.environ.get('CC') or sysconfig.get_config_var('CC') or 'cc'
    command = shlex.split(compiler) + FLAGS + shlex.split(os.environ.get('CFLAGS', ''))
    command += ['-I' + os.path.join(core(), 'include'), '-I' + os.path.join(core(), 'src'),
                '-I' + sysconfig.get_paths()['include'], '-shared', '-o', target]
    command += ours + theirs + ['-lm', '-lpthread'] + shlex.split(os.environ.get('LDFLAGS', ''))
    subprocess.run(command, check=True)
    return target


def is_pure():
    return bool(os.environ.get('ASYNCORE_PURE'))


def tag():
    if is_pure():
        return 'py3-none-any'
    version = 'cp%d%d' % sys.version_info[:2]
    abi = version + getattr(sys, 'abiflags', '')
    return '%s-%s-%s' % (version, abi, re.sub(r'[-.]', '_', sysconfig.get_platform()))


# ---- Archives ------------------------------------------------------------------------------------

def metadata(p):
    readme = read(HERE, p['readme']).decode()
    return ('Metadata-Version: 2.1\nName: %(name)s\nVersion: %(version)s\nSummary: %(description)s\n'
            'License: %(license)s\nRequires-Python: %(requires-python)s\n'
            'Description-Content-Type: text/markdown\n\n' % p + readme).encode()


def wheel_file(p):
    return ('Wheel-Version: 1.0\nGenerator: fastasyncore %s\nRoot-Is-Purelib: %s\nTag: %s\n'
            % (p['version'], 'true' if is_pure() else 'false', tag())).encode()


def contents():
    """Pairs of a name in the wheel and bytes, without what is said of it."""
    for package in PACKAGES:
        for path in tree(package):
            yield path.replace(os.sep, '/'), read(HERE, path)
    if not is_pure():
        with tempfile.TemporaryDirectory() as folder:
            made = compile_extension(folder)
            yield os.path.basename(made), read(made)


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
    return '%s,sha256=%s,%d\n' % (name, digest, len(data))


def dist_info(p):
    return '%(name)s-%(version)s.dist-info' % p


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    p = project()
    name = '%s-%s-%s.whl' % (p['name'], p['version'], tag())
    info = dist_info(p)
    record = ''
    path = os.path.join(wheel_directory, name)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        def add(name, data):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name.endswith('.so') else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
        for name_in, data in list(contents()) + [
                (info + '/METADATA', metadata(p)), (info + '/WHEEL', wheel_file(p)),
                (info + '/LICENSE', read(core(), 'LICENSE'))]:
            add(name_in, data)
            record += record_line(name_in, data)
        add(info + '/RECORD', (record + info + '/RECORD,,\n').encode())
    return name


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    p = project()
    folder = os.path.join(metadata_directory, dist_info(p))
    os.makedirs(folder)
    for name, data in (('METADATA', metadata(p)), ('WHEEL', wheel_file(p))):
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(data)
    return dist_info(p)


def build_sdist(sdist_directory, config_settings=None):
    p = project()
    base = '%(name)s-%(version)s' % p
    with tarfile.open(os.path.join(sdist_directory, base + '.tar.gz'), 'w:gz') as archive:
        def add(path, name):
            entry = archive.gettarinfo(path, base + '/' + name.replace(os.sep, '/'))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ''
            with open(path, 'rb') as f:
                archive.addfile(entry, f)
        for folder in PACKAGES + ('src', 'build_backend'):
            for path in tree(folder):
                add(os.path.join(HERE, path), path)
        for path in ('pyproject.toml', p['readme']):
            add(os.path.join(HERE, path), path)
        for path in CORE + CORE_HEADERS + ('LICENSE',):
            add(os.path.join(core(), path), 'core/' + path)
        with tempfile.NamedTemporaryFile() as f:
            f.write(metadata(p))
            f.flush()
            add(f.name, 'PKG-INFO')
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
