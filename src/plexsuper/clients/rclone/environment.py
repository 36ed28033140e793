"""What rclone may see of our environment: its credentials and the way to the net, nothing that changes its mind.

`RCLONE_*` variables would override our options, and with `AWS_CA_BUNDLE` rclone 1.60 ends at once
("LoadCustomCABundleError").
"""

import os
from collections.abc import Mapping
from typing import Final

_KEPT: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CONFIG_HOME"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "RCLONE_CONFIG_PASS", "GOOGLE_APPLICATION_CREDENTIALS"}
    | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"}
    | {"AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN"}
    | {"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}
    | {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}
)


def rclone_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for an rclone child: what is kept of this process's, and *more*."""
    return {name: value for name, value in os.environ.items() if name in _KEPT} | dict(more or {})
