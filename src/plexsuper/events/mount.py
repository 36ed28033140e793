#cloud-config
# User data for a rented machine with Debian 12/13 or Ubuntu 22.04/24.04 that prepares itself for a run of plexsuper.
#
# 1. Change what stands between < and >: where plexsuper's source archive (the sdist) is, and its sha256.
# 2. Fill in the settings below, or copy them over afterwards to /etc/plexsuper/plexsuper.toml.
# 3. Bring credentials afterwards with scp (rclone.conf, /etc/plexsuper/environment with PLEX_CLAIM=...): everything in
#    user data can be read from the machine's metadata service by every program on it.
#
# What happened: /var/log/cloud-init-output.log. `systemctl start plexsuper` begins the run, or SETUP_START=1 below.
package_update: true
packages:
  - ca-certificates
  - curl

write_files:
  - path: /etc/plexsuper/setup.env
    permissions: "0600"
    content: |
      SOURCE=<https://example.com/plexsuper-0.1.0.tar.gz>
      SOURCE_SHA256=<64 hexadecimal digits>
      # The machine powers itself off after so many hours, whatever happens. Empty: never.
      SETUP_SELF_DESTRUCT_HOURS=96
      # 1: begin the run as soon as `plexsuper check` is content.
      SETUP_START=
  - path: /etc/plexsuper/plexsuper.toml
    permissions: "0600"
    content: |
      profile = "cloud_standard"

      [plex]
      runtime = "docker"
      config_dir = "/srv/plexsuper/config"

      [plex.docker]
      media = "/data/media"

      [media]
      kind = "rclone"
      path = "/srv/plexsuper/mounts/media"
      remote = "s3:my-bucket/media"
      rclone_config = "/etc/plexsuper/rclone.conf"

runcmd:
  - - bash
    - -euc
    - |
      set -a
      . /etc/plexsuper/setup.env
      cd "$(mktemp -d)"
      curl --fail --silent --show-error --location --retry 5 --output source.tar.gz "$SOURCE"
      echo "$SOURCE_SHA256  source.tar.gz" | sha256sum --check --quiet
      mkdir source
      tar --extract --gzip --file source.tar.gz --directory source --strip-components 1
      source/scripts/setup_instance.sh --package "$PWD/source"
