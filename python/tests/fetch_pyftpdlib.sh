#!/bin/sh
# fetch_pyftpdlib.sh FOLDER: Debian's pyftpdlib 1.5.7 with its tests, from the source package, into FOLDER. If only the
# binary package can be had, that, which has no tests. Fails, after two minutes at the most and with nothing left
# behind, if there is neither, as without a network.
set -u
into=$1
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 1
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$key" ] || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir -p lists/partial cache/archives/partial binary

for kind in deb deb-src; do
	echo "$kind [signed-by=$key] http://deb.debian.org/debian bookworm main"
done >sources.list
apt() {
	timeout 40 apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Acquire::Retries=0 -o Acquire::http::Timeout=15 "$@" >/dev/null 2>&1
}

apt update || exit 1
if apt source python3-pyftpdlib; then
	found=python-pyftpdlib-1.5.7/pyftpdlib
else
	apt download python3-pyftpdlib && dpkg-deb -x python3-pyftpdlib_1.5.7*.deb binary || exit 1
	found=binary/usr/lib/python3/dist-packages/pyftpdlib
fi
mkdir -p "$into" && cp -R "$found" "$into/"
