"""python -m smtpd: a server for mail."""

# -c DebuggingServer means the one of what runs, which is this.
from smtpd import DebuggingServer, PureProxy, SMTPChannel, SMTPServer
from smtpd._program import main

__all__ = ['DebuggingServer', 'PureProxy', 'SMTPChannel', 'SMTPServer']

if __name__ == '__main__':
    main()
