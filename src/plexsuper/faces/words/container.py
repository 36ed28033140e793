"""What the events of the server's container say to a person: one sentence each."""

from plexsuper import events as e
from plexsuper.events import ContainerEvent
from plexsuper.faces.numbers import count, duration, size


def said_of_container(event: ContainerEvent) -> str:  # noqa: C901 - one flat table of facts
    """Return what *event* says."""
    match event:
        case e.ImagePullProgressed():
            layers = f"{event.layers_done} of {event.layers} layers"
            return f"pulling {event.image}: {layers}, {size(event.done)} of {size(event.total)}"
        case e.ImagePulled():
            how = "is there already" if event.already else f"pulled in {duration(event.seconds)}"
            return f"image {event.image} {how} ({size(event.size)})"
        case e.ContainerStarted():
            return f"container {event.name} started from {event.image} as process {event.pid}"
        case e.ContainerAdopted():
            left = f"; {count(event.thawed)} of its processes were left frozen" if event.thawed else ""
            return f"container {event.name} of an earlier run is taken over (process {event.pid}){left}"
        case e.ContainerExited():
            why = "was removed" if event.exit_code is None else f"ended with exit code {event.exit_code}"
            return f"container {event.name} {why}{', out of memory' if event.oom else ''}"
        case e.ContainerMeasured():
            limit = "" if event.limit is None else f" of {size(event.limit)}"
            return f"container {event.name} uses {event.cpus:.1f} processors and {size(event.memory)}{limit}"
        case e.ContainerLogNoticed():
            return f"container log, {event.kind.replace('_', ' ')}: {event.line}"
        case e.EngineLost():
            return f"the Docker engine is lost: {event.detail}"
        case e.EngineRestored():
            return f"the Docker engine is back after {duration(event.after)}"
        case e.LogsCollected():
            return f"{count(event.files)} logs collected in {event.path} ({size(event.size)})"
