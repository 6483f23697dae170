"""tls_helper.py: certificates made by the openssl command, and TLS peers by Python's ssl."""
import os
import ssl
import subprocess
import tempfile
import unittest

from helper import ASYNCORE, Case


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class Certificates:
    """A certificate authority in a folder, and what it signs."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.ca = self.path("ca.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path("ca.key"), "-out", self.ca, "-days", "30",
                "-subj", "/CN=Test Authority", "-addext", "keyUsage=critical,keyCertSign")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def sign(self, name, names, *dates):
        """Returns (certificate, key)."""
        with open(self.path(name + ".ext"), "w", encoding="ascii") as f:
            f.write("subjectAltName=%s\n" % names)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"),
                "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.ca,
                "-CAkey", self.path("ca.key"), "-CAcreateserial", *(dates or ("-days", "20")),
                "-extfile", self.path(name + ".ext"), "-out", self.path(name + ".pem"))
        return self.path(name + ".pem"), self.path(name + ".key")


class TlsCase(Case):
    @classmethod
    def setUpClass(cls):
        said = subprocess.run([ASYNCORE, "talk", "--tls", "127.0.0.1:1"], capture_output=True,
                              check=False, stdin=subprocess.DEVNULL).stderr
        if b"this build has no TLS" in said:
            raise unittest.SkipTest("this build has no TLS")
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.folder.cleanup)
        cls.ca = cls.certificates.ca
        cls.pair = cls.certificates.sign("one", "DNS:localhost,DNS:one.test,IP:127.0.0.1")

    def client(self, **options):
        context = ssl.create_default_context(cafile=self.ca)
        for name, value in options.items():
            setattr(context, name, value)
        return context

    def connect(self, program, name="localhost", context=None):
        s = (context or self.client()).wrap_socket(program.connect(), server_hostname=name,
                                                   suppress_ragged_eofs=False)
        self.addCleanup(s.close)
        return s

    def server(self, pair=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(pair or self.pair))
        return context
