import asynchat as asynchat
import asyncore as asyncore
import collections as collections
import errno as errno
import getopt as getopt
import os as os
import socket as socket
import sys as sys
import time as time

from email._header_value_parser import get_addr_spec as get_addr_spec, get_angle_addr as get_angle_addr
from warnings import warn as warn
from typing import Any, DefaultDict, Dict, List, NoReturn, Optional, Tuple, Type, Union

__version__: str
program: str
DEBUGSTREAM: Any
NEWLINE: str
COMMASPACE: str
DATA_SIZE_DEFAULT: int

class Devnull:
    def write(self, msg: str) -> None: ...
    def flush(self) -> None: ...

class SMTPChannel(asynchat.async_chat):
    COMMAND: int
    DATA: int
    command_size_limit: int
    command_size_limits: DefaultDict[str, int]
    smtp_server: "SMTPServer"
    conn: socket.socket
    data_size_limit: Optional[int]
    enable_SMTPUTF8: bool
    smtp_state: int
    seen_greeting: str
    extended_smtp: bool
    mailfrom: Optional[str]
    rcpttos: List[str]
    mail_options: List[str]
    rcpt_options: List[str]
    received_data: Union[bytes, str]
    received_lines: List[Any]
    num_bytes: int
    require_SMTPUTF8: bool
    fqdn: str
    peer: Any
    @property
    def max_command_size_limit(self) -> int: ...
    def __init__(
        self,
        server: "SMTPServer",
        conn: socket.socket,
        addr: Any,
        data_size_limit: Optional[int] = ...,
        map: Optional[Dict[int, Any]] = ...,
        enable_SMTPUTF8: bool = ...,
        decode_data: bool = ...,
    ) -> None: ...
    def push(self, msg: str) -> None: ...  # type: ignore[override]
    def smtp_HELO(self, arg: Optional[str]) -> None: ...
    def smtp_EHLO(self, arg: Optional[str]) -> None: ...
    def smtp_NOOP(self, arg: Optional[str]) -> None: ...
    def smtp_QUIT(self, arg: Optional[str]) -> None: ...
    def smtp_HELP(self, arg: Optional[str]) -> None: ...
    def smtp_VRFY(self, arg: Optional[str]) -> None: ...
    def smtp_MAIL(self, arg: Optional[str]) -> None: ...
    def smtp_RCPT(self, arg: Optional[str]) -> None: ...
    def smtp_RSET(self, arg: Optional[str]) -> None: ...
    def smtp_DATA(self, arg: Optional[str]) -> None: ...
    def smtp_EXPN(self, arg: Optional[str]) -> None: ...

class SMTPServer(asyncore.dispatcher):
    channel_class: Type[SMTPChannel]
    data_size_limit: Optional[int]
    enable_SMTPUTF8: bool
    def __init__(
        self,
        localaddr: Tuple[str, int],
        remoteaddr: Optional[Tuple[str, int]],
        data_size_limit: Optional[int] = ...,
        map: Optional[Dict[int, Any]] = ...,
        enable_SMTPUTF8: bool = ...,
        decode_data: bool = ...,
    ) -> None: ...
    def handle_accepted(self, conn: socket.socket, addr: Any) -> None: ...
    def process_message(
        self, peer: Any, mailfrom: str, rcpttos: List[str], data: Any, **kwargs: Any
    ) -> Optional[str]: ...

class DebuggingServer(SMTPServer): ...
class PureProxy(SMTPServer):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def process_message(  # type: ignore[override]
        self, peer: Any, mailfrom: str, rcpttos: List[str], data: str
    ) -> None: ...

class Options:
    setuid: bool
    classname: str
    size_limit: Optional[int]
    enable_SMTPUTF8: bool
    localhost: str
    localport: int
    remotehost: str
    remoteport: int

def usage(code: int, msg: Any = ...) -> NoReturn: ...
def parseargs() -> Options: ...
