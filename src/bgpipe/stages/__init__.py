"""The stages, a file each. A stage's module is imported when a pipeline has one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe.pipeline.stage import Stage

# command -> (module, class)
STAGES = {
    "connect": ("connect", "Connect"),
    "drop": ("grep", "Drop"),
    "exec": ("exec", "Exec"),
    "grep": ("grep", "Grep"),
    "head": ("head", "Head"),
    "limit": ("limit", "Limit"),
    "listen": ("listen", "Listen"),
    "metrics": ("metrics", "Metrics"),
    "pipe": ("pipe", "Pipe"),
    "python": ("python", "Python"),
    "read": ("read", "Read"),
    "speaker": ("speaker", "Speaker"),
    "stdin": ("stdin", "Stdin"),
    "stdout": ("stdout", "Stdout"),
    "tag": ("tag", "Tag"),
    "update": ("update", "Update"),
    "websocket": ("websocket", "Websocket"),
    "write": ("write", "Write"),
}

# Those of the Go bgpipe, and ours to come.
NOT_BUILT_YET = ("aspa", "guard", "kafka", "ris-live", "rov", "rv-live")


def stage_class(command: str) -> type[Stage]:
    """The class of a command that STAGES has."""
    module, name = STAGES[command]
    found: type[Stage] = getattr(__import__(f"{__name__}.{module}", fromlist=[name]), name)
    return found
