# Several servers as one batch job: a group for each server, each with its own machine's disk and its own state.
# nomad job run plexsuper.nomad.hcl
variable "image" {
  type    = string
  default = "registry.example.com/plex-with-plexsuper:0.1.0"
}

job "plexsuper" {
  type        = "batch"
  datacenters = ["*"]

  dynamic "group" {
    for_each = ["alice", "bob"]
    labels   = [group.value]

    content {
      # A run that was killed goes on where it was; its state is on a volume that survives it.
      restart {
        attempts = 5
        interval = "2h"
        delay    = "60s"
        mode     = "fail"
      }

      # Never two on one library.
      disconnect {
        lost_after = "12h"
        replace    = false
      }

      volume "state" {
        type      = "host"
        source    = "plexsuper-${group.value}"
        read_only = false
      }

      task "run" {
        driver       = "docker"
        kill_signal  = "SIGTERM"
        kill_timeout = "15m" # the client's max_kill_timeout has to allow it

        config {
          image      = var.image
          privileged = true # /dev/fuse and mount(2)
          args       = ["run", "--config", "/local/plexsuper.toml"]
        }

        volume_mount {
          volume      = "state"
          destination = "/state"
        }

        env {
          PLEXSUPER_MEDIA__REMOTE = "s3:${group.value}/media"
        }

        template {
          destination = "local/plexsuper.toml"
          data        = <<-TOML
            profile = "cloud_standard"
            state_dir = "/state"

            [plex]
            config_dir = "/state/config"
            command = ["/usr/lib/plexmediaserver/Plex Media Server"]
            stop_patience = "3m"

            [media]
            kind = "rclone"
            path = "/data/media"
            rclone_config = "/secrets/rclone.conf"
            cache_size = "80G"

            [library]
            archive = "/state/library.tar.zst"
            export = "/state/library-new.tar.zst"

            [events]
            format = "jsonl"
          TOML
        }

        template {
          destination = "secrets/rclone.conf"
          perms       = "0400"
          data        = <<-CONF
            {{ with nomadVar "nomad/jobs/plexsuper" }}{{ .rclone_conf }}{{ end }}
          CONF
        }

        resources {
          cpu    = 12000
          memory = 24576
        }
      }
    }
  }
}
