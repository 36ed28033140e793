# The part of a deployment that runs where the other Plex lives. Needs a POSIX shell and its usual tools, tar, gzip,
# sha256sum and flock; zstd is used if it is there. Nothing is installed. Called as: sh -c THIS plexsuper VERB ROOT TICKET [ARGUMENT...]
#
# The databases are exchanged as whole directories, so a -wal goes with its database and no mixed pair can ever be seen.
# What is done is written down in a journal first; it stays until the new library is known to live. After a crash `settle`
# puts the old directory back, or completes the new one.
set -eu
umask 022
LC_ALL=C
export LC_ALL

library=com.plexapp.plugins.library.db
blobs=com.plexapp.plugins.library.blobs.db

say() { echo "plexsuper: $1" >&2; }
die() { say "$1"; exit 9; }

verb=$1
root=$2
ticket=$3
shift 3
cd -P -- "$root/Plug-in Support" 2>/dev/null || die "there is no Plug-in Support in $root: name Plex's own directory (the one with Preferences.xml)"
for tool in tar gzip sha256sum flock df sed; do
  command -v "$tool" >/dev/null 2>&1 || die "$tool is missing on this machine: install it"
done
old=Databases
home=Databases.snapshots
work=$home/.deploy-$ticket
failed=$home/.deploy-replaced
journal=$home/deploy.journal
marker=.plexsuper-deployed # in the directory that takes the other's place, until the journal says so

# A connection may die while its deed goes on: the next one waits for its end. plexsuper itself takes the same lock.
alone() {
  while :; do
    mkdir -p "$home" 2>/dev/null || die "nothing can be written in $PWD: log in as the user Plex runs as, or as root"
    exec 9>>"$home/.lock"
    flock -w 120 9 || die "a plexsuper is at work on these databases for more than 120 s: wait for its end"
    # It removes the directory that it has made if nothing is in it: the lock of a file without a name keeps nobody out.
    if [ "$home/.lock" -ef /proc/self/fd/9 ]; then return; fi
  done
}
read_journal() {
  deed=none owner='' name=''
  if [ -f "$journal" ]; then read -r deed owner name <"$journal"; fi
}
write_journal() {
  echo "$1" >"$home/.deploy-journal"
  mv "$home/.deploy-journal" "$journal"
  flush
}
flush() { sync -f . 2>/dev/null || sync; }
taken_over() { die "another deployment has taken over; nothing was changed by this one"; }

mount_of() { df -P "$1" | sed -n '2s/.*% *//p'; }

# The first line of ls -n: mode, links, owner, group. What follows the group bits is not looked at (ACL marks).
take_after() {
  target=$2
  # shellcheck disable=SC2046 # split into words on purpose
  set -- $(ls -ldn "$1")
  mode=$1
  chown "$3:$4" "$target" || die "the new files cannot be given to user $3, group $4: log in as that user or as root"
  chmod "u=$(bits 2-4),g=$(bits 5-7),o=$(bits 8-10)" "$target"
  case $mode in ??????[sS]*) chmod g+s "$target" ;; esac
}
# shellcheck disable=SC2020 # sets of characters are meant
bits() { echo "$mode" | cut -c "$1" | tr st xx | tr -d ST-; }

# A process that uses a database in WAL mode holds SQLite's lock on it (a few bytes at 1 GiB) as long as it has it open.
# Device numbers are not compared: some filesystems show another one in /proc/locks.
holder() {
  [ -r /proc/locks ] || return 1
  for file in "$old/$library" "$old/$blobs"; do
    [ -f "$file" ] || continue
    # shellcheck disable=SC2046
    set -- $(ls -i "$file")
    grep -q ":$1 107374[0-9]* " /proc/locks && return 0
  done
  return 1
}

look() {
  if command -v zstd >/dev/null 2>&1; then echo zstd; fi
  read_journal
  if [ "$deed" != none ]; then echo unfinished; else plain "$old"; fi
  echo "free $(free)"
}
free() { df -kP . | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9]*% .*/\1/p'; }

plain() {
  [ -d "$1" ] || die "there is no directory $1 in $PWD: start that Plex once, it makes it"
  if [ -L "$1" ] || [ "$(mount_of "$1")" != "$(mount_of .)" ]; then
    die "$1 in $PWD is a link or a mount point and cannot be exchanged in one step: use plexsuper db inject on that machine"
  fi
}

# Arguments: codec, the KiB it needs, the databases' lines for sha256sum -c, and the names in the archive.
receive() {
  codec=$1
  needed=$2
  sums=$3
  shift 3
  alone
  read_journal
  [ "$deed" = none ] || die "a deployment is under way, or was interrupted: the same command again takes over"
  rm -rf "$home"/.deploy-*
  free=$(free)
  [ "$free" -ge "$needed" ] || die "no space: $(((needed + 1023) / 1024)) MiB needed in $PWD, $((free / 1024)) MiB free: free some space"
  mkdir -p "$work/in"
  flock -u 9
  for tree in Metadata Media; do
    case " $* " in *" $tree "*) if [ -e "../$tree" ]; then (cd .. && plain "$tree"); fi ;; esac
  done
  if unpack "$@" && [ ! -e "$work/broken" ] && [ -f "$work/in/Plug-in Support/Databases/$library" ]; then
    mv "$work/in/Plug-in Support/Databases" "$work/new"
  else
    [ -d "$work" ] || taken_over
    rm -rf "$work"
    die "the archive did not arrive whole (no space, or the connection was cut)"
  fi
  judge "$sums"
  adopt
  flush
}

# tar may stop at the end mark; the rest is read, or the decompressor never comes to its checksum.
unpack() {
  { decode || : >"$work/broken"; } | {
    status=0
    tar -C "$work/in" -xof - "$@" || status=$?
    cat >/dev/null
    return "$status"
  }
}
decode() {
  case $codec in
    zstd) zstd -dcq ;;
    *) gzip -dc ;;
  esac
}

judge() {
  printf '%s\n' "$1" | (cd "$work/new" && sha256sum -c - >/dev/null 2>&1) && return 0
  [ -d "$work" ] || taken_over
  rm -rf "$work"
  die "the databases that arrived differ from the manifest: is the disk or the memory of that machine sound?"
}

adopt() {
  take_after "$old" "$work/new"
  for file in "$library" "$blobs"; do
    [ -f "$work/new/$file" ] || continue
    if [ -f "$old/$file" ]; then
      take_after "$old/$file" "$work/new/$file"
    else
      take_after "$old" "$work/new/$file"
      chmod 644 "$work/new/$file"
    fi
  done
  for tree in Metadata Media; do
    [ -d "$work/in/$tree" ] || continue
    model=..
    if [ -d "../$tree" ]; then model=../$tree; fi
    # shellcheck disable=SC2046
    set -- $(ls -ldn "$model")
    chown -hR "$3:$4" "$work/in/$tree" || die "Plex's pictures cannot be given to user $3: log in as that user or as root"
    take_after "$model" "$work/in/$tree"
  done
}

# Two directories change places in one step. Fails, with nothing changed, where this machine has no means for it.
exchange() {
  mv --exchange --no-target-directory "$1" "$2" 2>/dev/null && return
  python3 -c 'import ctypes, os, sys
one, two = map(os.fsencode, sys.argv[1:])
sys.exit(ctypes.CDLL(None).renameat2(-100, one, -100, two, 2) != 0)' "$1" "$2" 2>/dev/null
}

# The directory $1 takes the place of the databases, and what was there is $2 then. May be repeated after a crash. Where
# directories cannot be exchanged there is a moment without databases: both are complete under their other names.
put() {
  if [ -e "$old/$marker" ]; then return; fi
  if [ -e "$2/$marker" ]; then mv "$2" "$1"; fi
  : >"$1/$marker"
  if [ ! -e "$2" ]; then
    mv "$1" "$2"
    exchange "$2" "$old" && return
    mv "$2" "$1"
    mv "$old" "$2"
  fi
  if [ -e "$old" ]; then mv "$old" "$keep-made-meanwhile"; fi
  mv "$1" "$old"
}

# Argument: the name under which the old databases are kept.
swap() {
  [ -d "$work/new" ] || taken_over
  read_journal
  [ "$deed" = none ] || taken_over
  if holder; then die "a process has the databases open again: does something restart Plex? Nothing was changed"; fi
  keep=$home/$1
  [ ! -e "$keep" ] || die "$keep is there already: nothing was changed"
  rm -f "$old/$marker"
  if [ -s "$old/$library-wal" ] || [ -s "$old/$blobs-wal" ]; then echo log; fi
  write_journal "swap $ticket $1"
  put "$work/new" "$keep"
  place "$ticket" "$1"
}

# What follows the exchange of the databases. May be repeated.
place() {
  for tree in Metadata Media; do
    [ -d "$work/in/$tree" ] || continue
    if [ -e "../$tree" ]; then
      if [ -e "$keep/$tree" ]; then mv "../$tree" "$keep/$tree-made-meanwhile"; else mv "../$tree" "$keep/$tree"; fi
    elif [ ! -e "$keep/$tree" ]; then
      mkdir "$keep/$tree"
    fi
    mv "$work/in/$tree" "../$tree"
  done
  carry "$keep" "$old"
  write_journal "placed $1 $2"
  rm -f "$old/$marker"
}

# Dated copies of Plex and other people's files stay where they were.
carry() {
  for file in "$1"/* "$1"/.[!.]*; do
    name=${file##*/}
    case $name in
      "$library" | "$library-wal" | "$library-shm" | "$library-journal") continue ;;
      "$blobs" | "$blobs-wal" | "$blobs-shm" | "$blobs-journal") continue ;;
      "$marker" | Metadata* | Media*) continue ;;
    esac
    if [ -e "$file" ] && [ ! -e "$2/$name" ]; then mv "$file" "$2/$name"; fi
  done
}

# An interrupted swap: completed when the new databases are in place, undone when they are not.
resume() {
  if [ -e "$old/$marker" ]; then
    place "$owner" "$1"
    deed=placed
    return
  fi
  if [ -e "$keep/$marker" ]; then
    rm -rf "$keep"
  elif [ -d "$keep" ]; then
    if [ -e "$old" ]; then mv "$old" "$keep-made-meanwhile"; fi
    mv "$keep" "$old"
  fi
  deed=undone
}

# The old databases take their place again. May be repeated.
back() {
  write_journal "back $owner $1"
  if [ -d "$keep" ] || [ -e "$failed/$marker" ]; then put "$keep" "$failed"; fi
  for tree in Metadata Media; do
    [ -d "$old/$tree" ] || continue
    if [ -e "../$tree" ]; then
      rm -rf "$failed-$tree"
      mv "../$tree" "$failed-$tree"
    fi
    mv "$old/$tree" "../$tree"
    rmdir "../$tree" 2>/dev/null || :
  done
  if [ -d "$failed" ]; then carry "$failed" "$old"; fi
}

# With `undo` the old databases are wanted back, but only by the deployment that has put the new ones there.
settle() {
  read_journal
  if [ "$deed" != none ]; then
    if [ "$1" = undo ] && [ "$owner" != "$ticket" ]; then taken_over; fi
    if holder; then die "a process has the databases open: stop that Plex first"; fi
    work=$home/.deploy-$owner
    keep=$home/$name
    kept=$name
    case $deed in
      placed) rm -f "$old/$marker" ;;
      swap) resume "$kept" ;;
    esac
    case "$deed $1" in back* | "placed undo") back "$kept" ;; esac
    rm -rf "$failed" "$failed"-*
  fi
  rm -rf "$work" "$home/.deploy-journal"
  rm -f "$journal"
  rm -f "$old/$marker"
}

confirm() {
  read_journal
  [ "$deed $owner" = "placed $ticket" ] || taken_over
  rm -rf "$work"
  rm -f "$journal"
}

case $verb in
  look | receive) "$verb" "$@" ;;
  swap | settle | confirm)
    trap '' HUP INT TERM PIPE # the connection may go in the middle, the deed is done to its end
    alone
    "$verb" "$@"
    ;;
  holder) if holder; then echo open; fi ;;
  preferences) cat ../Preferences.xml ;;
  *) die "unknown verb $verb" ;;
esac
