#!/usr/bin/env bash
# Prepares a Debian or Ubuntu machine for a run of plexsuper; --help says how. A second run changes nothing.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'HELP'
Prepares a machine with Debian 12/13 or Ubuntu 22.04/24.04 for a run of plexsuper:
  sudo setup_instance.sh [OPTIONS]

It installs Docker, rclone, fuse3, sqlite3, procps and plexsuper (in /opt/plexsuper), pulls Plex's image, makes
/etc/plexsuper (settings), /var/lib/plexsuper (state), /srv/plexsuper (Plex's files) and the service `plexsuper`,
and ends with `plexsuper check`, whose exit code is its own. What is there already is left as it is.

  --package WHAT         plexsuper itself: a wheel, an sdist, a directory, an address or a name for pip
                         (SETUP_PACKAGE; else the checkout that this script lies in, else `plexsuper`)
  --extras LIST          its extras, as in `notify,rclone` (SETUP_EXTRAS)
  --settings FILE        becomes /etc/plexsuper/plexsuper.toml when there is none (SETUP_SETTINGS; else a commented
                         file to fill in)
  --rclone WHAT          `auto`: one of at least 1.68 that is there, else the distribution's, else the official one;
                         `latest`, or a version like 1.71.0: the official one, compared with its published checksum;
                         a .deb, .zip or program on this machine (SETUP_RCLONE; else auto)
  --image NAME           the image to pull; empty for none (SETUP_IMAGE; else plexinc/pms-docker)
  --user NAME            the user whose files Plex's are; it cannot log in (SETUP_USER; else plexsuper)
  --self-destruct HOURS  power the machine off after so many hours, whatever happens then; 0 takes that back
                         (SETUP_SELF_DESTRUCT_HOURS; else never)
  --offline              install no package of the system and download nothing (SETUP_OFFLINE=1)
  --start                start the run when the check has passed (SETUP_START=1)
  --dry-run              say what would be done, and do nothing
  --help                 show this

Further variables: SETUP_PIP_OPTIONS (`--no-index --find-links=/srv/wheels`), SETUP_RCLONE_SITE (a mirror of the
official downloads). PLEX_TOKEN and PLEX_CLAIM, if set, go to /etc/plexsuper/environment, which only root can read.
HELP
}

package=${SETUP_PACKAGE:-}
extras=${SETUP_EXTRAS:-}
settings=${SETUP_SETTINGS:-}
rclone=${SETUP_RCLONE:-auto}
rclone_site=${SETUP_RCLONE_SITE:-https://downloads.rclone.org}
image=${SETUP_IMAGE-plexinc/pms-docker}
user=${SETUP_USER:-plexsuper}
hours=${SETUP_SELF_DESTRUCT_HOURS:-}
offline=${SETUP_OFFLINE:-}
begin=${SETUP_START:-}
dry_run=
rclone_at_least=1.68
prefix=/opt/plexsuper
settings_file=/etc/plexsuper/plexsuper.toml
changes=0

say() { printf '%s\n' "$*"; }
kept() { printf '  =  %s\n' "$*"; }
warn() { printf '  !  %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# Says what is done, and does it unless this is a dry run. Secrets are never among its arguments.
change() {
  printf '  +  %s\n' "$1"
  changes=$((changes + 1))
  [ -n "$dry_run" ] || "${@:2}"
}

# Writes standard input to the file $1 with mode $2 when it differs.
write() {
  local content
  content=$(cat)
  if [ -e "$1" ] && [ "$content" = "$(cat "$1")" ]; then
    kept "$1"
  else
    change "write $1" put "$1" "$2" <<<"$content"
  fi
}
put() { install -D -m "$2" /dev/stdin "$1"; }

options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --package | --extras | --settings | --rclone | --image | --user | --self-destruct)
        [ $# -ge 2 ] || fail "$1 needs a value; --help lists the options"
        ;;&
      --package) package=$2 ;;&
      --extras) extras=$2 ;;&
      --settings) settings=$2 ;;&
      --rclone) rclone=$2 ;;&
      --image) image=$2 ;;&
      --user) user=$2 ;;&
      --self-destruct) hours=$2 ;;&
      --package | --extras | --settings | --rclone | --image | --user | --self-destruct) shift 2 ;;
      --offline) offline=1 && shift ;;
      --start) begin=1 && shift ;;
      --dry-run) dry_run=1 && shift ;;
      --help | -h) usage && exit ;;
      *) fail "there is no option $1; --help lists them" ;;
    esac
  done
  [[ $hours =~ ^[0-9]{0,4}$ ]] || fail "--self-destruct: $hours is no number of hours"
  [ -z "$settings" ] || [ -r "$settings" ] || fail "--settings: $settings cannot be read"
  [ "$(id -u)" = 0 ] || [ -n "$dry_run" ] || fail "this needs root: sudo $0"
}

service_manager() { [ -d /run/systemd/system ]; }

look_at_the_machine() {
  local ID="" VERSION_ID="" PRETTY_NAME="an unknown system"
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || . /etc/os-release
  say "This machine: $PRETTY_NAME, $(nproc) cores"
  case "$ID $VERSION_ID" in
    "debian 12" | "debian 13" | "ubuntu 22.04" | "ubuntu 24.04") ;;
    debian* | ubuntu*) warn "not one of Debian 12/13 and Ubuntu 22.04/24.04, on which this was meant to work" ;;
    *) fail "$PRETTY_NAME is neither Debian nor Ubuntu; docs/install.md says what a run needs" ;;
  esac
  service_manager || warn "no systemd runs here: the service is installed, and cannot be started"
}

# --- the self-destruct timer: first, so that a set-up that fails does not leave a machine that costs money for ever

timer=/etc/systemd/system/plexsuper-poweroff.timer

step_self-destruct() {
  [ -n "$hours" ] || { kept "off: the machine runs until you end it (--self-destruct HOURS)" && return; }
  if [ "$hours" = 0 ]; then
    if [ -e "$timer" ]; then
      change "take the timer back: this machine runs until you end it" disarm
    else
      kept "off"
    fi
  elif grep -qsx "# after $hours hours" "$timer"; then
    kept "set already: $(sed -n 's/^OnCalendar=//p' "$timer")"
  else
    service_manager || [ -n "$dry_run" ] || fail "--self-destruct needs systemd, which does not run here"
    local at
    at=$(date --utc --date "+$hours hours" '+%Y-%m-%d %H:%M:%S UTC')
    change "THIS MACHINE POWERS ITSELF OFF at $at, $hours hours from now" arm "$at"
    say "     to cancel: systemctl disable --now plexsuper-poweroff.timer (the last 15 minutes: shutdown -c)"
    say "     a machine that is off may still cost money: delete it when the library is home"
  fi
}

arm() {
  put /etc/systemd/system/plexsuper-poweroff.service 644 <<-'UNIT'
	[Unit]
	Description=The end of this machine's rented time
	[Service]
	Type=oneshot
	ExecStart=/usr/sbin/shutdown --poweroff +15 "The rented time is over. To stay: shutdown -c"
	UNIT
  # Persistent: a machine that was off at that moment gets its quarter of an hour after the next boot.
  put "$timer" 644 <<-UNIT
	# after $hours hours
	[Unit]
	Description=Power off when this machine's rented time is over
	[Timer]
	OnCalendar=$1
	Persistent=true
	AccuracySec=1s
	[Install]
	WantedBy=timers.target
	UNIT
  systemctl daemon-reload
  systemctl --quiet enable plexsuper-poweroff.timer
  systemctl restart plexsuper-poweroff.timer
}

disarm() {
  if service_manager; then
    systemctl --quiet disable --now plexsuper-poweroff.timer
    shutdown -c 2>/dev/null || true # nothing may be due yet
  fi
  rm -f "$timer" "${timer%timer}service"
}

# --- packages of the system ------------------------------------------------------------------------------------

is_installed() { [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

python_of_plexsuper() {
  local candidate
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

step_packages() {
  local wanted=(ca-certificates fuse3 sqlite3 procps) missing=() one
  command -v dockerd >/dev/null || wanted+=(docker.io)
  command -v curl >/dev/null || wanted+=(curl)
  if ! python_of_plexsuper >/dev/null; then
    # Ubuntu 22.04 has Python 3.10, and a newer one beside it.
    if python3 -c 'import sys; sys.exit(sys.version_info >= (3, 11))' 2>/dev/null; then
      wanted+=(python3.11 python3.11-venv)
    else
      wanted+=(python3 python3-venv)
    fi
  fi
  for one in "${wanted[@]}"; do
    if is_installed "$one"; then kept "$one"; else missing+=("$one"); fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ -z "$offline" ] || fail "not installed, and --offline forbids to: ${missing[*]}"
  change "install ${missing[*]}" apt_install "${missing[@]}"
}

apt_updated=
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  # A fresh machine may still be at its own first updates.
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  [ -n "$apt_updated" ] || "${apt[@]}" update >/dev/null
  apt_updated=1
  "${apt[@]}" install --no-install-recommends "$@" >/dev/null
}

step_fuse() {
  if [ ! -e /dev/fuse ] && ! modprobe fuse 2>/dev/null; then
    warn "/dev/fuse is missing: rclone cannot mount here (in a container: --device /dev/fuse --cap-add SYS_ADMIN)"
  fi
  if grep -qsE '^[[:space:]]*user_allow_other[[:space:]]*$' /etc/fuse.conf; then
    kept "user_allow_other in /etc/fuse.conf"
  else
    change "add user_allow_other to /etc/fuse.conf: Plex must see what another user mounts" allow_other
  fi
}
allow_other() { echo user_allow_other >>/etc/fuse.conf; }

# --- rclone ------------------------------------------------------------------------------------------------------

version_of() { "$1" version 2>/dev/null | sed -n '1s/^rclone v\([0-9.]*\).*/\1/p'; }
is_enough() { [ -n "$1" ] && [ "$(printf '%s\n' "$1" "$rclone_at_least" | sort -V | head -n 1)" = "$rclone_at_least" ]; }

step_rclone() {
  local there
  there=$(version_of rclone || true)
  case $rclone in
    auto)
      if is_enough "$there"; then
        kept "rclone $there"
      elif [ -n "$offline" ]; then
        fail "rclone ${there:-is not there}; a run wants at least $rclone_at_least: give one with --rclone FILE"
      elif is_enough "$(distributed_rclone)"; then
        change "install the distribution's rclone" apt_install rclone
      else
        official_rclone "$(latest_rclone)" "$there"
      fi
      ;;
    latest) official_rclone "$(latest_rclone)" "$there" ;;
    [0-9]*.[0-9]*) official_rclone "$rclone" "$there" ;;
    *) given_rclone "$rclone" "$there" ;;
  esac
}

distributed_rclone() {
  apt-cache policy rclone 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p'
}

fetch() { curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 "$@"; }

latest_rclone() {
  fetch "$rclone_site/version.txt" | sed -n 's/^rclone v\([0-9.]*\).*/\1/p'
}

official_rclone() {
  local version=$1
  [ -n "$version" ] || fail "$rclone_site does not say which rclone is the newest: name one with --rclone VERSION or FILE"
  if [ "$2" = "$version" ]; then
    kept "rclone $version"
    return
  fi
  [ -z "$offline" ] || fail "rclone $version would have to be downloaded, and --offline forbids that"
  change "install the official rclone $version into /usr/local/bin" download_rclone "$version"
}

download_rclone() {
  local name place
  name=rclone-v$1-linux-$(dpkg --print-architecture)
  place=$(mktemp -d)
  fetch --output "$place/$name.zip" "$rclone_site/v$1/$name.zip"
  fetch "$rclone_site/v$1/SHA256SUMS" | grep -E "^[0-9a-f]{64}  $name\.zip$" >"$place/SHA256SUMS" ||
    fail "$rclone_site publishes no checksum of $name.zip"
  (cd "$place" && sha256sum --quiet --check SHA256SUMS) || fail "$name.zip is not what its publisher's checksum says"
  unpack_rclone "$place/$name.zip"
  rm -rf "$place"
}

unpack_rclone() {
  local place
  place=$(mktemp -d)
  "$(python_of_plexsuper)" -m zipfile -e "$1" "$place"
  install -m 755 "$place"/*/rclone /usr/local/bin/rclone
  rm -rf "$place"
}

given_rclone() {
  [ -r "$1" ] || fail "--rclone: $1 is neither auto, latest, a version, nor a file"
  local stamp
  stamp=$(sha256sum <"$1")
  if [ -n "$2" ] && [ "$(cat /var/lib/plexsuper-setup/rclone 2>/dev/null)" = "$stamp" ]; then
    kept "rclone $2, from $1"
    return
  fi
  change "install rclone from $1" put_rclone "$1" "$stamp"
}

put_rclone() {
  case $1 in
    *.deb) dpkg --install "$1" >/dev/null ;;
    *.zip) unpack_rclone "$1" ;;
    *) install -m 755 "$1" /usr/local/bin/rclone ;;
  esac
  put /var/lib/plexsuper-setup/rclone 644 <<<"$2"
}

# --- Docker and its image --------------------------------------------------------------------------------------

step_docker() {
  if docker version >/dev/null 2>&1; then
    kept "the engine answers: $(docker version --format '{{.Server.Version}}')"
  elif service_manager; then
    change "start Docker, now and at each boot" systemctl --quiet enable --now docker
  else
    warn "the engine does not answer, and there is no systemd to start it with"
    return
  fi
  [ -n "$image" ] || return 0
  if docker image inspect "$image" >/dev/null 2>&1; then
    kept "image $image"
  elif [ -n "$offline" ]; then
    warn "image $image is missing: --offline forbids to pull it; \`docker load\` takes one from a file"
  else
    change "pull $image" pull
  fi
}
pull() { docker pull --quiet "$image" >/dev/null || fail "$image cannot be pulled: see above"; }

# --- plexsuper -------------------------------------------------------------------------------------------------

fingerprint() {
  if [ -d "$1" ]; then
    (cd "$1" && find pyproject.toml README.md src -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  elif [ -f "$1" ]; then
    sha256sum <"$1"
  else
    printf '%s\n' "$1"
  fi
}

step_plexsuper() {
  local python stamp
  if [ -z "$package" ]; then
    package=plexsuper
    [ ! -e "$here/../pyproject.toml" ] || package=$(cd "$here/.." && pwd)
  fi
  if ! python=$(python_of_plexsuper); then
    [ -n "$dry_run" ] || fail "there is no Python 3.11 or newer with venv"
    python=python3
  fi
  stamp="$(fingerprint "$package") $extras"
  if [ "$(cat $prefix/.installed 2>/dev/null)" = "$stamp" ] && $prefix/bin/plexsuper --version >/dev/null 2>&1; then
    kept "$($prefix/bin/plexsuper --version | head -n 1), from $package"
  else
    change "install plexsuper from $package into $prefix" install_plexsuper "$python" "$stamp"
  fi
  if [ "$(readlink /usr/local/bin/plexsuper)" = $prefix/bin/plexsuper ]; then
    kept /usr/local/bin/plexsuper
  else
    change "link /usr/local/bin/plexsuper" ln -sfn $prefix/bin/plexsuper /usr/local/bin/plexsuper
  fi
}

install_plexsuper() {
  [ -x $prefix/bin/python ] || "$1" -m venv $prefix
  local what=$package pip=("$prefix/bin/python" -m pip install --quiet --disable-pip-version-check) more=()
  [ -z "$extras" ] || what="${package}[$extras]"
  read -ra more <<<"${SETUP_PIP_OPTIONS:-}"
  "${pip[@]}" --upgrade "${more[@]}" "$what"
  # The same version from another source is another program.
  [ ! -e $prefix/.installed ] || "${pip[@]}" --force-reinstall --no-deps "${more[@]}" "$what"
  put $prefix/.installed 644 <<<"$2"
}

# --- its places, its settings and its service ----------------------------------------------------------------

directory() {
  if [ -d "$1" ]; then
    kept "$1"
  else
    change "make $1" install -d -m "$2" -o "$3" -g "$3" "$1"
  fi
}

step_places() {
  if id "$user" >/dev/null 2>&1; then
    kept "user $user ($(id -u "$user"))"
  else
    change "make the user $user, for Plex's files" useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$user"
  fi
  directory /etc/plexsuper 700 root
  directory /var/lib/plexsuper 700 root
  directory /srv/plexsuper 755 root
  directory /srv/plexsuper/config 755 "$user"
}

step_settings() {
  if [ -e $settings_file ]; then
    kept "$settings_file"
    [ -z "$settings" ] || cmp --silent "$settings" $settings_file ||
      warn "it differs from $settings, which is not taken over: move the old one away for that"
  elif [ -n "$settings" ]; then
    change "take $settings over as $settings_file" install -D -m 600 "$settings" $settings_file
  else
    change "write $settings_file: fill it in" $prefix/bin/plexsuper init $settings_file
  fi
  secrets
}

# Only parts of the shell get a secret as an argument: nothing stands in a process list.
secrets() {
  local file=/etc/plexsuper/environment name content
  content="# PLEX_TOKEN=... and PLEX_CLAIM=..., and what rclone wants in its environment"
  [ ! -e $file ] || content=$(cat $file)
  for name in PLEX_TOKEN PLEX_CLAIM; do
    [ -n "${!name:-}" ] || continue
    [[ $'\n'$content$'\n' != *$'\n'"$name=${!name}"$'\n'* ]] || continue
    content=$(grep -v "^$name=" <<<"$content" || true)$'\n'"$name=${!name}"
  done
  write $file 600 <<<"$content"
}

step_service() {
  [ -r "$here/plexsuper.service" ] || fail "plexsuper.service is missing beside this script"
  local before=$changes
  write /etc/systemd/system/plexsuper.service 644 <"$here/plexsuper.service"
  [ "$before" = "$changes" ] || [ -n "$dry_run" ] || ! service_manager || systemctl daemon-reload
}

check() {
  if [ -n "$dry_run" ]; then
    say "Nothing was done: that was a dry run with $changes changes to make."
    return
  fi
  if [ $changes = 0 ]; then
    say "Nothing had to be changed."
  else
    say "Done: $changes changes."
  fi
  say "plexsuper check:"
  local code=0
  (
    set -a
    # shellcheck source=/dev/null
    . /etc/plexsuper/environment
    exec $prefix/bin/plexsuper check --config $settings_file
  ) || code=$?
  if [ $code != 0 ]; then
    say "The machine is prepared, but \`plexsuper check\` is not content (exit code $code): correct $settings_file as it says,"
    say "then \`plexsuper check --config $settings_file\` again."
    exit $code
  fi
  if [ -n "$begin" ]; then
    systemctl start plexsuper
    say "The run has begun: \`systemctl status plexsuper\` says where it stands, \`journalctl -fu plexsuper\` everything."
  else
    say "Ready: \`systemctl start plexsuper\` begins the run, \`journalctl -fu plexsuper\` shows it."
  fi
}

main() {
  options "$@"
  local step
  look_at_the_machine
  for step in self-destruct packages fuse rclone docker plexsuper places settings service; do
    say "$step:"
    "step_$step"
  done
  check
}

main "$@"
