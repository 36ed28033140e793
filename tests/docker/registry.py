"""A registry of images on loopback that speaks enough of the real protocol for one pull, and refuses on demand.

Unrealistic: it has one image of one small layer, wants no login and stores nothing.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


class Registry:
    """`good` can be pulled; `limited`, `arm` and any other name are refused, each in the registry's own words."""

    def __init__(self) -> None:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            member = tarfile.TarInfo("hello")
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
        packed = gzip.compress(layer.getvalue())
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": [digest(layer.getvalue())]},
                "config": {},
            }
        ).encode()
        self.blobs = {digest(packed): packed, digest(config): config}
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _described("application/vnd.docker.container.image.v1+json", config),
                "layers": [_described("application/vnd.docker.image.rootfs.diff.tar.gzip", packed)],
            }
        ).encode()
        self.port = 0

    def name(self, image: str) -> str:
        return f"127.0.0.1:{self.port}/{image}:1"

    async def greet(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def manifests(self, request: web.Request) -> web.Response:
        match request.match_info["image"]:
            case "good":
                return _answer(self.manifest, MANIFEST)
            case "limited":
                return _refusal(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
            case "arm":
                entry = _described(MANIFEST, self.manifest) | {
                    "platform": {"architecture": "arm64", "os": "linux"}
                }
                body = json.dumps({"schemaVersion": 2, "mediaType": LIST, "manifests": [entry]}).encode()
                return _answer(body, LIST)
            case _:
                return _refusal(404, "MANIFEST_UNKNOWN", "manifest unknown")

    async def blob(self, request: web.Request) -> web.Response:
        return _answer(self.blobs[request.match_info["digest"]], "application/octet-stream")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Registry"]:
        app = web.Application()
        app.router.add_get("/v2/", self.greet)
        app.router.add_get("/v2/{image}/manifests/{reference}", self.manifests)
        app.router.add_get("/v2/{image}/blobs/{digest}", self.blob)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _described(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(data), "digest": digest(data)}


def _answer(data: bytes, kind: str) -> web.Response:
    return web.Response(body=data, content_type=kind, headers={"Docker-Content-Digest": digest(data)})


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)
