# The part of a deployment that runs where the other Plex lives. Needs a POSIX shell and its usual tools, tar, and zstd
# or gzip if they are there: nothing is installed. Called as: sh -c THIS plexsuper VERB ROOT TICKET [ARGUMENT...]
#
# A swap is two renames of whole directories, so a -wal goes with its database and no mixed pair can ever be seen. It is
# written down in a journal first: `settle` puts the old directory back, or completes the new one, after a crash.
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
old=Databases
home=Databases.snapshots
work=$home/.deploy-$ticket
failed=$home/.deploy-replaced
journal=$home/deploy.journal

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

# A process that uses a database in WAL mode holds a shared lock on it as long as it has it open.
holder() {
  [ -r /proc/locks ] || return 1
  for file in "$old/$library" "$old/$blobs"; do
    [ -f "$file" ] || continue
    # shellcheck disable=SC2046
    set -- $(ls -i "$file")
    grep -q ":$1 " /proc/locks && return 0
  done
  return 1
}

look() {
  for tool in zstd gzip sha256sum; do
    if command -v "$tool" >/dev/null 2>&1; then echo "tool $tool"; fi
  done
  if [ -f "$journal" ]; then
    echo unfinished
  else
    plain "$old"
    echo "free $(df -kP . | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9]*% .*/\1/p')"
  fi
  if holder; then echo open; fi
}

plain() {
  [ -d "$1" ] || die "there is no directory $1 in $PWD: start that Plex once, it makes it"
  if [ -L "$1" ] || [ "$(mount_of "$1")" != "$(mount_of .)" ]; then
    die "$1 in $PWD is a link or a mount point and cannot be exchanged in one step: use plexsuper db inject on that machine"
  fi
}

# Arguments: codec, then for each database its size and SHA-256, a "--", and the names in the archive.
receive() {
  codec=$1
  sums=$2
  shift 2
  mkdir -p "$home"
  rm -rf "$home"/.deploy-*
  mkdir -p "$work/in"
  for tree in Metadata Media; do
    case " $* " in *" $tree "*) if [ -e "../$tree" ]; then (cd .. && plain "$tree"); fi ;; esac
  done
  if unpack "$@" && [ ! -e "$work/broken" ] && [ -f "$work/in/Plug-in Support/Databases/$library" ]; then
    mv "$work/in/Plug-in Support/Databases" "$work/new"
  else
    rm -rf "$work"
    die "the archive did not arrive whole (no space, or the connection was cut)"
  fi
  judge "$sums"
  adopt
  if command -v sync >/dev/null 2>&1; then sync; fi
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
    gzip) gzip -dc ;;
    *) cat ;;
  esac
}

judge() {
  command -v sha256sum >/dev/null 2>&1 || return 0
  printf '%s\n' "$1" | (cd "$work/new" && sha256sum -c - >/dev/null 2>&1) && return 0
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

write_journal() {
  echo "$1" >"$journal.new"
  mv "$journal.new" "$journal"
  if command -v sync >/dev/null 2>&1; then sync; fi
}

# Argument: the name under which the old databases are kept.
swap() {
  [ -d "$work/new" ] || die "another deployment has taken over; nothing was changed by this one"
  if holder; then die "a process has the databases open again: does something restart Plex? Nothing was changed"; fi
  keep=$home/$1
  if [ -s "$old/$library-wal" ] || [ -s "$old/$blobs-wal" ]; then echo log; fi
  write_journal "swap $ticket $1"
  mv "$old" "$keep"
  if mv "$work/new" "$old"; then
    place
  else
    mv "$keep" "$old"
    rm -f "$journal"
    die "the new databases could not be renamed; the old ones are in place"
  fi
}

# What follows the exchange of the databases; may be repeated.
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
  rm -f "$journal"
  rm -rf "$work"
}

# Dated copies of Plex and other people's files stay where they were.
carry() {
  for file in "$1"/* "$1"/.[!.]*; do
    name=${file##*/}
    case $name in
      "$library" | "$library-wal" | "$library-shm" | "$library-journal") continue ;;
      "$blobs" | "$blobs-wal" | "$blobs-shm" | "$blobs-journal") continue ;;
      Metadata* | Media*) continue ;;
    esac
    if [ -e "$file" ] && [ ! -e "$2/$name" ]; then mv "$file" "$2/$name"; fi
  done
}

# Argument: the name under which the old databases are kept. May be repeated.
back() {
  keep=$home/$1
  if holder; then die "a process has the databases open: stop that Plex first"; fi
  if [ ! -d "$keep" ] && [ ! -f "$journal" ]; then return 0; fi # they never left
  write_journal "back $ticket $1"
  for tree in Metadata Media; do
    [ -d "$keep/$tree" ] || continue
    if [ -e "../$tree" ]; then
      rm -rf "$failed-$tree"
      mv "../$tree" "$failed-$tree"
    fi
    mv "$keep/$tree" "../$tree"
    rmdir "../$tree" 2>/dev/null || :
  done
  if [ -d "$keep" ]; then
    if [ -e "$old" ] && [ -e "$failed" ]; then mv "$old" "$keep-made-meanwhile"; fi
    if [ -e "$old" ]; then mv "$old" "$failed"; fi
    mv "$keep" "$old"
  fi
  if [ -d "$failed" ]; then carry "$failed" "$old"; fi
  rm -f "$journal"
  rm -rf "$failed" "$failed"-* "$work"
}

settle() {
  [ -f "$journal" ] || return 0
  if holder; then die "a process has the databases open: stop that Plex first"; fi
  read -r deed ticket name <"$journal"
  work=$home/.deploy-$ticket
  keep=$home/$name
  if [ "$deed" = back ]; then
    back "$name"
  elif [ ! -e "$keep" ]; then
    rm -f "$journal"
  elif [ -d "$work/new" ]; then
    if [ -e "$old" ]; then mv "$old" "$keep-made-meanwhile"; fi
    mv "$keep" "$old"
    rm -f "$journal"
  else
    place
  fi
}

case $verb in
  look | receive) "$verb" "$@" ;;
  swap | back | settle)
    trap '' HUP INT TERM PIPE # the connection may go in the middle, the deed is done to its end
    "$verb" "$@"
    ;;
  holder) if holder; then echo open; fi ;;
  preferences) cat ../Preferences.xml ;;
  *) die "unknown verb $verb" ;;
esac
