#!/usr/bin/env bash
# Runs a command beside a real NetBox that is made for it:
#
#   testdata/peers/netbox.sh COMMAND [ARGUMENT...]
#
# The command finds the server in LINEGATE_TEST_NETBOX_URL, LINEGATE_TEST_NETBOX_TOKEN
# (version 1) and LINEGATE_TEST_NETBOX_TOKEN2 (version 2). NetBox comes from PyPI and
# needs Python 3.12: where the system has an older one, a Debian tree with a newer one
# is made. What was installed, and the empty database with its schema, is kept in
# LINEGATE_PEERS (default var/peers); database and Redis are private, in a temporary
# folder, and end with the command.
set -euo pipefail

version=4.7.3
keep=$(mkdir -p "${LINEGATE_PEERS:-var/peers}" && cd "${LINEGATE_PEERS:-var/peers}" && pwd)
tree=

say() { echo "netbox.sh: $*" >&2; }

need() { # package, command it brings
	command -v "$2" >/dev/null && return
	say "installing $1"
	[ -n "${updated:-}" ] || { apt-get update -qq; updated=yes; }
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1" >/dev/null
}

inside() { # runs in the tree, or here where there is none
	if [ -n "$tree" ]; then chroot "$tree" "$@"; else "$@"; fi
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; }

install() {
	need redis-server redis-server
	if ! compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null; then need postgresql pg_ctlcluster; fi
	if ! new_enough python3; then
		tree=$keep/debian
		if [ ! -e "$tree/made" ]; then
			need debootstrap debootstrap
			say "making a Debian tree with a newer Python"
			rm -rf "$tree"
			debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$tree" >/dev/null
			touch "$tree/made"
		fi
		cp /etc/resolv.conf "$tree/etc/resolv.conf"
		cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
	fi
	home=$keep/netbox-$version
	[ -z "$tree" ] || home=/opt/netbox-$version
	if [ ! -e "$tree$home/made" ]; then
		say "installing NetBox $version"
		inside python3 -m venv "$home"
		inside "$home/bin/pip" install -q --no-deps "netbox==$version"
		# The server alone, and the driver that needs no compiler.
		sed -n 's/^Requires-Dist: //p' "$tree$home"/lib/python3*/site-packages/netbox-*.dist-info/METADATA |
			grep -vE 'extra ==|^(mkdocs|zensical|colorama|django-debug-toolbar)' |
			sed 's/psycopg\[c,pool\]/psycopg[binary,pool]/' >"$tree$home/needed"
		inside "$home/bin/pip" install -q -r "$home/needed"
		touch "$tree$home/made"
	fi
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start_database() {
	binaries=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
	as_owner=()
	if [ "$(id -u)" -eq 0 ]; then
		chown postgres "$run"
		as_owner=(runuser -u postgres --)
	fi
	database=$(free_port)
	"${as_owner[@]}" "$binaries/initdb" -D "$run/data" -U netbox -A trust -E UTF8 --no-locale --no-sync >/dev/null
	"${as_owner[@]}" "$binaries/pg_ctl" -D "$run/data" -l "$run/database.log" -w \
		-o "-p $database -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=60" start >/dev/null
	"${as_owner[@]}" "$binaries/createdb" -h 127.0.0.1 -p "$database" -U netbox netbox
}

start_redis() {
	redis=$(free_port)
	redis-server --port "$redis" --bind 127.0.0.1 --save '' --daemonize no >"$run/redis.log" 2>&1 &
	redis_pid=$!
}

configure() {
	root=$(mktemp -d "$tree/tmp/netbox-XXXXXX")
	inside_root=${root#"$tree"}
	mkdir -p "$root/conf" "$root/media" "$root/reports" "$root/scripts" "$root/static"
	cat >"$root/conf/configuration.py" <<-PYTHON
		ALLOWED_HOSTS = ['*']
		DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'netbox', 'USER': 'netbox',
		                         'HOST': '127.0.0.1', 'PORT': '$database', 'CONN_MAX_AGE': 300}}
		REDIS = {name: {'HOST': '127.0.0.1', 'PORT': $redis, 'DATABASE': number, 'SSL': False}
		         for number, name in enumerate(('tasks', 'caching'))}
		SECRET_KEY = '0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl'
		API_TOKEN_PEPPERS = {1: 'abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz'}
		CENSUS_REPORTING_ENABLED = False
		RELEASE_CHECK_URL = None
	PYTHON
	cat >"$root/tokens.py" <<-'PYTHON'
		from users.models import Token, User
		user = User.objects.create_superuser('linegate', 'linegate@example.net', 'linegate')
		token = '0123456789abcdef0123456789abcdef01234567'
		Token(user=user, version=1, token=token).save()
		second = Token(user=user, version=2, token=token)
		second.save()
		print('TOKEN2=nbt_%s.%s' % (second.key, token))
	PYTHON
}

start_netbox() {
	netbox=(env NETBOX_ROOT="$inside_root" "$home/bin/netbox")
	fresh=$keep/netbox-$version.sql
	if [ -e "$fresh" ]; then
		"$binaries/psql" -q -h 127.0.0.1 -p "$database" -U netbox netbox <"$fresh" >/dev/null
	else
		say "making the schema, which takes some minutes"
		inside "${netbox[@]}" migrate >"$run/migrate.log" 2>&1 || { tail -20 "$run/migrate.log" >&2; return 1; }
		inside "${netbox[@]}" shell <"$root/tokens.py" >"$run/tokens.log" 2>&1 || { tail -20 "$run/tokens.log" >&2; return 1; }
		sed -n 's/.*TOKEN2=//p' "$run/tokens.log" | tail -1 >"$fresh.token"
		"$binaries/pg_dump" -h 127.0.0.1 -p "$database" -U netbox netbox >"$fresh.draft"
		mv "$fresh.draft" "$fresh"
	fi
	port=$(free_port)
	inside env NETBOX_ROOT="$inside_root" PYTHONWARNINGS=ignore "$home/bin/gunicorn" --bind "127.0.0.1:$port" \
		--workers 3 --threads 2 --timeout 120 netbox.wsgi >"$run/netbox.log" 2>&1 &
	netbox_pid=$!
	export LINEGATE_TEST_NETBOX_URL=http://127.0.0.1:$port
	export LINEGATE_TEST_NETBOX_TOKEN=0123456789abcdef0123456789abcdef01234567
	LINEGATE_TEST_NETBOX_TOKEN2=$(cat "$fresh.token")
	export LINEGATE_TEST_NETBOX_TOKEN2
	for _ in $(seq 120); do
		curl -fsS -o /dev/null -H "Authorization: Token $LINEGATE_TEST_NETBOX_TOKEN" "$LINEGATE_TEST_NETBOX_URL/api/status/" 2>/dev/null && return
		kill -0 "$netbox_pid" 2>/dev/null || break
		sleep 1
	done
	tail -20 "$run/netbox.log" >&2
	return 1
}

stop() {
	[ -z "${netbox_pid:-}" ] || { kill "$netbox_pid" 2>/dev/null; wait "$netbox_pid" 2>/dev/null || true; }
	[ -z "${redis_pid:-}" ] || { kill "$redis_pid" 2>/dev/null; wait "$redis_pid" 2>/dev/null || true; }
	[ ! -e "$run/data/postmaster.pid" ] || "${as_owner[@]}" "$binaries/pg_ctl" -D "$run/data" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$run" ${root:+"$root"}
}

install
run=$(mktemp -d)
trap stop EXIT
start_database
start_redis
configure
say "starting NetBox $version"
start_netbox
say "NetBox $version answers at $LINEGATE_TEST_NETBOX_URL"
"$@"
