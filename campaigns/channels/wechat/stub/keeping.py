"""Keep the world in a file across restarts: whole or not at all. The logs are not kept, the people are."""

import itertools
import os
from pathlib import Path
from typing import Any

import orjson

from campaigns.channels.wechat.stub.world import Account, Follower, World


def save(world: World, path: Path, before: bytes = b"") -> bytes:
    """Write the world, unless it is what was written before; give what is in the file now."""
    with world.lock:
        told = orjson.dumps(
            {
                "seed": world.seed,
                "offset": world.clock.offset,
                "last_id": world.last_id,
                "outcomes": world.outcomes,
                "delays": world.delays,
                "accounts": world.accounts,
                "agenda": world.agenda.heap,
            },
            option=orjson.OPT_NON_STR_KEYS,
        )
    if told == before:
        return told
    written = path.with_name(path.name + ".new")
    with written.open("wb") as file:
        file.write(told)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)
    return told


def load(world: World, path: Path) -> None:
    """Take up the world where the file left it; ValueError if it is not such a file."""
    kept: dict[str, Any] = orjson.loads(path.read_bytes())
    world.seed = kept["seed"]
    world.clock.offset = kept["offset"]
    world.last_id = kept["last_id"]
    world.ids = itertools.count(world.last_id + 1)
    world.outcomes |= kept["outcomes"]
    world.delays |= kept["delays"]
    for about in kept["accounts"].values():
        followers = {openid: Follower(**one) for openid, one in about.pop("followers").items()}
        app = Account(**about, followers=followers)
        world.accounts[app.appid] = app
        world.where |= dict.fromkeys(followers, app.appid)
        world.issued |= dict.fromkeys(app.tokens.get("all", {}), app.appid)
    for due, _, action, told in kept["agenda"]:
        world.agenda.add(due, action, **told)
