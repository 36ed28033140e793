"""Runs as a process of its own: reads one message from standard input and sends it through Apprise.

Exit codes: 0 every service took it, 1 one did not, 2 an address cannot be used, 3 Apprise is not installed.
"""

import json
import logging
import sys


def main() -> int:
    """Send the message and return the exit code; nothing is printed, because what Apprise logs can hold addresses."""
    wanted = json.load(sys.stdin.buffer)
    try:
        import apprise  # noqa: PLC0415 - an extra, and only this process needs it
    except ImportError:
        return 3
    logging.disable(logging.CRITICAL)
    services = apprise.Apprise()
    added = [services.add(url) for url in wanted["urls"]]
    kind = apprise.NotifyType.SUCCESS if wanted["good"] else apprise.NotifyType.WARNING
    sent = len(services) > 0 and services.notify(body=wanted["body"], title=wanted["title"], notify_type=kind)
    if not all(added):
        return 2
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())
