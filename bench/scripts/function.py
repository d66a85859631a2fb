"""Functions for the stage python."""

from __future__ import annotations

from bgpipe import Batch, Msg


def same(msg: Msg) -> Msg:
    return msg


def same_batch(batch: Batch) -> Batch:
    return batch


async def same_later(msg: Msg) -> Msg:
    return msg


def look(msg: Msg) -> Msg:
    if msg.update is not None and msg.update.as_path.origin == 64512:
        msg.tags["private"] = "yes"
    return msg
