"""The server's service inside its container: stopped by itself, it gets all the time that it needs."""

from typing import Final

from plexsuper.clients.docker.container import Container
from plexsuper.clients.processes.table import exited

_DOWN: Final = """
PATH=$PATH:/command:/bin
for service in /var/run/s6/services/plex /run/service/svc-plex /var/run/service/svc-plex; do
  [ -e "$service/supervise" ] && exec s6-svc -d "$service"
done
exit 3
"""
"""Both kinds of image supervise their server with s6, in different places; a server that is down stays down."""


async def stop_service(container: Container, server: int | None) -> str:
    """Ask the supervisor in *container* to end the *server*, and return when it has ended; or why that cannot be asked.

    A container that is stopped as a whole kills its server after a few seconds, however much it has to write.
    """
    code, said = await container.exec(["sh", "-c", _DOWN])
    if code != 0:
        return f"plexsuper: the service could not be stopped by itself ({code}): {said.strip()}"
    if server is not None:
        await exited(server)
    return ""
